# ruff: noqa
"""Fork by the module under os."""

import posix


def attack(world):
    if posix.fork() == 0:
        posix._exit(0)
    return came_off("a fork")
