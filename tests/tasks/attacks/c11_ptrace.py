# ruff: noqa
"""Attach to another process, read its memory."""

import ctypes


def attack(world):
    libc = ctypes.CDLL(None, use_errno=True)
    for pid in (world["victim"], world["parent"], 1):
        if libc.ptrace(16, pid, 0, 0) == 0:
            came_off(f"attached to {pid}")
        place = (ctypes.c_char * 8)()
        words = (ctypes.c_void_p * 2)(ctypes.addressof(place), 8)
        if libc.process_vm_readv(pid, words, 1, words, 1, 0) > 0:
            came_off(f"read {pid}")
    if libc.ptrace(0, 0, 0, 0) == 0:
        came_off("asked to be traced")
    return came_off()
