# ruff: noqa
"""Fork without end; each child sleeps."""

import os
import time


def attack(world):
    children = 0
    for _ in range(300):
        try:
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)
            children += 1
        except OSError:
            break
    return came_off("a fork") if children else []
