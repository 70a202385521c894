# ruff: noqa
"""Set the clock, the host's name, priorities."""

import os
import socket
import time


def attack(world):
    attempt("clock", time.clock_settime, time.CLOCK_REALTIME, 0)
    attempt("name", socket.sethostname, "owned")
    attempt("nice", os.nice, -5)
    attempt("another's priority", os.setpriority, os.PRIO_PROCESS, world["victim"], 19)
    attempt("a user's priority", os.setpriority, os.PRIO_USER, os.getuid(), 19)
    attempt("another's cores", os.sched_setaffinity, world["victim"], {0})
    attempt("another's limits", __import__("resource").prlimit, world["victim"], 7, (3, 3))
    return came_off()
