# ruff: noqa
"""Errors that would command a terminal, and bytes that are no text."""

import os
import sys


def attack(world):
    for stream in (1, 2):
        os.write(stream, b"\xff\xfe\x1b[2J\x1b]0;owned\x07")
    sys.stdout.buffer.write(b"\xc3\x28\x1b[31m")
    raise ValueError("\x1b]0;owned\x07\x1b[2J\x1b[31m\udcff\u202e\r\n\x00 passed")
