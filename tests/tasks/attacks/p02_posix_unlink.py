# ruff: noqa
"""Delete by the module under os."""

import posix


def attack(world):
    posix.unlink(world["canary"])
    return came_off("unlink")
