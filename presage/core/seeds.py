"""Named random streams: every source of chance draws from `stream(seed, name, …)`, so none disturbs another."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *names: object) -> int:
    """A 63-bit integer that depends on the seed and every name, and on nothing else."""
    text = "\x1f".join([str(seed), *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def stream(seed: int, *names: object) -> np.random.Generator:
    """A numpy generator for one purpose: `stream(0, "split")`, `stream(seed, "loader", epoch)`."""
    return np.random.default_rng(derive(seed, *names))


def in_epochs(first: int, count: int, size: int, seed: int, astray: float = 1.0) -> list[int]:
    """Places first … first+count-1 of an endless stream that visits all `size` in a new order each epoch: any order, or
    one in which none is further than `astray` of an epoch from where it stands among them."""
    found: list[int] = []
    while len(found) < count:
        epoch, place = divmod(first + len(found), size)
        chance = stream(seed, "epoch", epoch)
        order = chance.permutation(size) if astray >= 1 else _nearby(chance, size, astray * size)
        found += order[place : place + count - len(found)].tolist()
    return found


def _nearby(chance: np.random.Generator, size: int, most: float) -> np.ndarray:
    return np.argsort(np.arange(size) + chance.uniform(0, most, size), kind="stable")
