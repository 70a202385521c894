# ruff: noqa
"""Stop itself, so that nothing ever comes."""

import os
import signal
import time


def attack(world):
    attempt("stop", os.kill, os.getpid(), signal.SIGSTOP)
    attempt("raise", signal.raise_signal, signal.SIGSTOP)
    time.sleep(60)
