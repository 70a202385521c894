# ruff: noqa
"""Reply with lists nested 20,000 deep, as raw bytes."""

import os
import sys

REPLIES = int(sys.argv[-1])


def attack(world):
    data = b"t1:" + b"l1:" * 20_000 + b"N0:"
    os.write(REPLIES, b"%08d" % len(data))
    sent = 0
    while sent < len(data):
        sent += os.write(REPLIES, data[sent : sent + 4096])
    while True:
        pass
