# ruff: noqa
"""System calls by number, past every audit hook and patched function."""

import ctypes
import platform

NUMBERS = {
    "socket": (41, 198, (2, 1, 0)),
    "fork": (57, -1, ()),
    "clone": (56, 220, (17, 0, 0, 0, 0)),
    "kill": (62, 129, (-1, 0)),
    "ptrace": (101, 117, (0, 0, 0, 0)),
    "unshare": (272, 97, (0x10000000,)),
    "memfd_create": (319, 279, (b"x", 0)),
    "io_uring_setup": (425, 425, (8, ctypes.create_string_buffer(120))),
    "bpf": (321, 280, (0, ctypes.create_string_buffer(72), 72)),
    "perf_event_open": (298, 241, (ctypes.create_string_buffer(112), 0, -1, -1, 0)),
    "userfaultfd": (323, 282, (1,)),
    "keyctl": (250, 219, (0, -3, 1)),
    "shmget": (29, 194, (0, 4096, 0o1600)),
    "pidfd_open": (434, 434, (1, 0)),
    "setsid": (112, 157, ()),
    "landlock_create_ruleset": (444, 444, (0, 0, 1)),
    "seccomp": (317, 277, (2, 0, ctypes.create_string_buffer(b"\x07", 4))),
    "prctl": (157, 167, (15, b"renamed")),
}


def attack(world):
    libc = ctypes.CDLL(None, use_errno=True)
    column = 0 if platform.machine() == "x86_64" else 1
    for name, (*numbers, args) in NUMBERS.items():
        if numbers[column] >= 0 and libc.syscall(numbers[column], *args) >= 0:
            came_off(name)
    opened = libc.open(world["canary"].encode(), 0)
    return came_off("open") if opened >= 0 else came_off()
