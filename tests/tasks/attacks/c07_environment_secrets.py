# ruff: noqa
"""Look for the host's environment: its own and that of every process."""

import glob
import os


def attack(world):
    if world["secret"] in str(dict(os.environ)):
        came_off("own environment")
    for path in glob.glob("/proc/*/environ") + ["/proc/self/environ", f"/proc/{world['parent']}/environ"]:
        try:
            with open(path, "rb") as file:
                if world["secret"].encode() in file.read():
                    came_off(path)
        except OSError:
            pass
    return came_off()
