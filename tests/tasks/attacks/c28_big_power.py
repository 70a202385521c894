# ruff: noqa
"""One operation of minutes that no signal handler interrupts."""


def attack(world):
    return 7 ** (7**11) > 0
