# ruff: noqa
"""A regular expression that backtracks for ever."""

import re


def attack(world):
    return re.match(r"(a+)+$", "a" * 60 + "b")
