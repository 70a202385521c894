# ruff: noqa
"""Reply with a whole number of three million digits, by value and as raw bytes."""

import os
import sys

REPLIES = int(sys.argv[-1])


def attack(world):
    number = 10**3_000_000
    data = b"t1:i3000000:" + b"9" * 3_000_000
    os.write(REPLIES, b"%08d" % len(data))
    sent = 0
    while sent < len(data):
        sent += os.write(REPLIES, data[sent : sent + 65536])
    return number
