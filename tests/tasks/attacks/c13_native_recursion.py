# ruff: noqa
"""Recursion in C until the stack is gone."""

import sys


def attack(world):
    sys.setrecursionlimit(10**9)
    nested = []
    for _ in range(10**6):
        nested = [nested]
    repr(nested)

    class Deep:
        def __getattr__(self, name):
            return getattr(self, name + "x")

    return getattr(Deep(), "x")
