# ruff: noqa
"""Use what was left open: anything but the two pipes of its own and the null device."""

import os
import stat


def attack(world):
    for fd in range(1024):
        try:
            mode = os.fstat(fd).st_mode
        except OSError:
            continue
        null = fd < 3 and stat.S_ISCHR(mode)
        pipe = str(fd) in __import__("sys").argv and stat.S_ISFIFO(mode)
        if not (null or pipe):
            came_off(f"{fd} is open")
    return came_off()
