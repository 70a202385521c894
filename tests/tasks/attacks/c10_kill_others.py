# ruff: noqa
"""Signals to the first process, the parent, everybody, and a process of the same user."""

import os
import signal


def attack(world):
    attempt("process 1", os.kill, 1, 0)
    attempt("parent", os.kill, os.getppid(), 0)
    attempt("everybody", os.kill, -1, 0)
    attempt("victim", os.kill, world["victim"], signal.SIGKILL)
    attempt("group", os.killpg, world["victim"], signal.SIGKILL)
    attempt("queue", lambda: signal.pidfd_send_signal(os.pidfd_open(world["victim"]), signal.SIGKILL))
    return came_off()
