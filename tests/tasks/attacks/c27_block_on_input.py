# ruff: noqa
"""Wait for input."""

import sys


def attack(world):
    text = sys.stdin.read()
    return came_off("text") if text else [][0]
