# ruff: noqa
"""64 children, each takes 50 MB."""

import os
import time


def attack(world):
    children = 0
    for _ in range(64):
        try:
            if os.fork() == 0:
                block = bytearray(b"x") * 50_000_000
                time.sleep(20)
                os._exit(len(block) & 1)
            children += 1
        except OSError:
            break
    return came_off("a child") if children else []
