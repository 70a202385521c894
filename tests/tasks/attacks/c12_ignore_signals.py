# ruff: noqa
"""Ignore every signal that can be ignored, then stay."""

import signal


def attack(world):
    for number in signal.valid_signals():
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        pass
