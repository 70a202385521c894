# ruff: noqa
"""Type into the terminal that started it."""

import fcntl
import os
import termios


def attack(world):
    for fd in (0, 1, 2):
        attempt(f"type into {fd}", fcntl.ioctl, fd, termios.TIOCSTI, b"x")
    attempt("/dev/tty", os.open, "/dev/tty", os.O_RDWR)
    attempt("/dev/console", os.open, "/dev/console", os.O_RDWR)
    attempt("/dev/ptmx", os.open, "/dev/ptmx", os.O_RDWR)
    attempt("owner", fcntl.fcntl, 1, fcntl.F_SETOWN, world["victim"])
    return came_off()
