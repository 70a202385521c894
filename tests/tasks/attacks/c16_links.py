# ruff: noqa
"""Reach the host's files through symbolic and hard links, and through their parents."""

import os


def through(target, link, make):
    make(target, link)
    with open(link, "rb") as file:
        file.read()


def attack(world):
    for folder in ("/tmp", world["folder"], "/dev/shm", "."):
        attempt(f"symlink in {folder}", through, world["canary"], os.path.join(folder, "presage-link"), os.symlink)
        attempt(f"hard link in {folder}", through, world["canary"], os.path.join(folder, "presage-hard"), os.link)
    up = "/usr/lib/../../" + world["canary"]
    attempt("parents", lambda: open(up, "rb").read())
    for fd in range(3, 20):
        attempt(f"openat {fd}", lambda fd=fd: os.open("../../../../.." + world["canary"], os.O_RDONLY, dir_fd=fd))
    return came_off()
