# ruff: noqa
"""Ten thousand empty files wherever a file might go."""

import os


def flood(folder):
    for number in range(10_000):
        os.close(os.open(os.path.join(folder, f"presage-flood-{number}"), os.O_CREAT | os.O_WRONLY))


def attack(world):
    for folder in (world["folder"], "/tmp", "/var/tmp", "/dev/shm", "/", "."):
        attempt(folder, flood, folder)
        attempt(folder + " mkdir", os.mkdir, os.path.join(folder, "presage-folder"))
        attempt(folder + " mkfifo", os.mkfifo, os.path.join(folder, "presage-fifo"))
    return came_off()
