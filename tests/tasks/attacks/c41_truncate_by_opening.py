# ruff: noqa
"""Empty a file by opening it, as if to read, in every way of opening."""

import ctypes
import os
import struct

OPEN, CREAT, OPENAT, OPENAT2 = 2, 85, 257, 437  # of x86-64; 437 everywhere
HERE = -100


def empty(path, flags):
    os.close(os.open(path, flags | os.O_TRUNC))


def call(*words):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(*words) < 0:
        raise OSError(ctypes.get_errno(), "no")


def attack(world):
    path = world["canary"]
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_RDWR, os.O_RDONLY | os.O_CREAT):
        attempt(f"open {flags}", empty, path, flags)
    name = path.encode()
    attempt("the call open", call, OPEN, name, os.O_TRUNC, 0)
    attempt("the call creat", call, CREAT, name, 0)
    attempt("the call openat", call, OPENAT, HERE, name, os.O_TRUNC, 0)
    attempt("high bits", call, OPENAT, HERE, name, ctypes.c_uint64(os.O_TRUNC | 1 << 32), 0)
    how = struct.pack("QQQ", os.O_TRUNC, 0, 0)
    attempt("the call openat2", call, OPENAT2, HERE, name, how, len(how))
    return came_off()
