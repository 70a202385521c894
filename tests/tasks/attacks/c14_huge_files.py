# ruff: noqa
"""Write 100 MB wherever a file might go."""

import os
import tempfile


def write(folder):
    path = os.path.join(folder, "presage-huge")
    with open(path, "wb") as file:
        for _ in range(100):
            file.write(b"x" * 1_000_000)


def attack(world):
    for folder in (world["folder"], "/tmp", "/var/tmp", "/dev/shm", "/run", "/", ".", os.path.expanduser("~")):
        attempt(folder, write, folder)
    attempt("tempfile", tempfile.mkstemp)
    attempt("memory file", os.memfd_create, "huge")
    return came_off()
