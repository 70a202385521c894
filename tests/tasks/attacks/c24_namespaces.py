# ruff: noqa
"""New namespaces, mounts, another root."""

import ctypes
import os


def attack(world):
    libc = ctypes.CDLL(None, use_errno=True)
    for flag in (0x10000000, 0x20000000, 0x40000000, 0x00020000, 0x04000000, 0x08000000):
        if libc.unshare(flag) == 0:
            came_off(f"unshare {flag:#x}")
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
        came_off("mount")
    if libc.umount2(b"/usr", 2) == 0:
        came_off("umount")
    attempt("chroot", os.chroot, "/")
    attempt("setuid", os.setuid, 0)
    attempt("setgroups", os.setgroups, [])
    return came_off()
