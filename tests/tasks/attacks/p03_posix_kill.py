# ruff: noqa
"""Kill the parent by the module under os."""

import posix


def attack(world):
    posix.kill(world["victim"], 9)
    posix.kill(posix.getppid(), 9)
    return came_off("kill")
