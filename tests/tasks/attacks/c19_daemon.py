# ruff: noqa
"""A daemon by two forks that leaves a file later."""

import os
import time


def attack(world):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(2)
            open(os.path.join(world["folder"], "daemon"), "w").close()
            time.sleep(30)
        os._exit(0)
    return came_off("a fork")
