# ruff: noqa
"""Reply one byte at a time."""

import os
import sys
import time

REPLIES = int(sys.argv[-1])


def attack(world):
    for byte in b"%08d" % 9 + b"t1:l1:N0:":
        time.sleep(0.2)
        os.write(REPLIES, bytes([byte]))
