# ruff: noqa
"""Two thousand threads that sleep."""

import threading
import time


def attack(world):
    started = 0
    for _ in range(2000):
        try:
            threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
            started += 1
        except (RuntimeError, MemoryError):
            break
    return came_off("threads") if started > 100 else []
