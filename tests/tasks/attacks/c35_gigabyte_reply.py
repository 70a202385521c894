# ruff: noqa
"""Reply with a gigabyte: by value, and as raw bytes on the pipe."""

import os
import sys

REPLIES = int(sys.argv[-1])


def attack(world):
    os.write(REPLIES, b"%08d" % 99_999_999)
    while True:
        os.write(REPLIES, b"s99999999:" * 6000)
