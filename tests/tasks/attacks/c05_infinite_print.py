# ruff: noqa
"""Print without end on both streams."""

import sys


def attack(world):
    while True:
        print("x" * 10_000)
        print("x" * 10_000, file=sys.stderr)
