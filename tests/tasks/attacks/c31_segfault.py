# ruff: noqa
"""Crash, with a core file if there may be one."""

import ctypes
import resource


def attack(world):
    attempt("core", resource.setrlimit, resource.RLIMIT_CORE, (1 << 30, 1 << 30))
    ctypes.string_at(0)
