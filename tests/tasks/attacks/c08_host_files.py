# ruff: noqa
"""Read the host's files."""

import os


def attack(world):
    for path in (world["canary"], "/etc/passwd", "/etc/hostname", "/etc/shadow", "/proc/version", "/proc/1/cmdline"):
        attempt(path, lambda path=path: open(path, "rb").read())
    for path in ("/root", "/home", "/tmp", "/var", world["folder"]):
        attempt(path, os.listdir, path)
    return came_off()
