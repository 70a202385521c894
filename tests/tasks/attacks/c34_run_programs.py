# ruff: noqa
"""Run a shell, in every way that Python has."""

import os
import subprocess


def attack(world):
    line = f"touch {world['folder']}/ran"
    attempt("subprocess", subprocess.run, ["/bin/sh", "-c", line])
    attempt("posix_spawn", os.posix_spawn, "/bin/sh", ["sh", "-c", line], {})
    attempt("popen", lambda: os.popen(line).read())
    if os.system(line) == 0:
        came_off("system")
    attempt("loader", os.execv, "/lib64/ld-linux-x86-64.so.2", ["ld", "/bin/sh", "-c", line])
    attempt("python", os.execv, "/usr/bin/python3.11", ["python3", "-c", f"open('{world['folder']}/ran', 'w')"])
    attempt("exec", os.execv, "/bin/sh", ["sh", "-c", line])
    return came_off()
