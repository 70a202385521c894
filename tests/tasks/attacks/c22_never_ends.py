# ruff: noqa
"""Destructors and exit functions that never end."""

import atexit
import sys


def forever():
    while True:
        pass


class Sticky:
    def __del__(self):
        forever()


def attack(world):
    atexit.register(forever)
    sys.modules["sticky"] = Sticky()
    again()


def again():
    kept = Sticky()
    del kept
