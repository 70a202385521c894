# ruff: noqa
"""Take and touch memory until there is none."""


def attack(world):
    blocks = []
    for _ in range(48):
        blocks.append(bytearray(b"x") * (64 << 20))
    return came_off("3 GiB")
