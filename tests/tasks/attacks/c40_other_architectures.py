# ruff: noqa
"""System calls of 32-bit x86 (int 0x80) and of x32, which a filter of names would miss."""

import ctypes
import mmap
import platform


def attack(world):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(0x40000000 + 39) > 0:
        came_off("x32")
    if platform.machine() == "x86_64":
        code = bytes.fromhex("53 b8 14 00 00 00 cd 80 5b c3")  # getpid is 20 there
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(code)
        call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        if call() > 0:
            came_off("int 0x80")
    return came_off()
