# ruff: noqa
"""Loop."""


def attack(world):
    while True:
        pass
