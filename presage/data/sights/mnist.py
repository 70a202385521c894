"""MNIST's test images (LeCun and Cortes): the last 2,000 are asked, the other 8,000 may be trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.images.question import Question
from presage.data.sights.packed import as_png, check_split, read_whole

IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
TESTED = 0.2
"""Share of the images, from the end."""
WHICH_DIGIT = "Which digit?"
DIGITS = tuple("0123456789")


def mnist_test(folder: Path, split: str, seed: int) -> Iterator[Question]:
    """Pictures of handwritten digits. Raises DataError."""
    check_split(split, folder)
    images, labels = read_idx(folder, IMAGES, 3), read_idx(folder, LABELS, 1)
    if len(images) != len(labels):
        raise DataError(f"{len(images):,} images, but {len(labels):,} labels", where=folder)
    first = len(images) - round(TESTED * len(images))
    trained = stream(seed, "mnist_test").permutation(first).tolist()
    for place in trained if split == "train" else range(first, len(images)):
        digit = str(labels[place])
        prompt = (as_png(images[place]), WHICH_DIGIT)
        yield Question(f"mnist_test/{place}", prompt, digit, options=DIGITS)


def read_idx(folder: Path, name: str, dimensions: int) -> np.ndarray:
    """An array of bytes in MNIST's own format: 0, 0, 8, the number of dimensions, each as four bytes, the values."""
    data = read_whole(folder, name)
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(data[place : place + 4], "big") for place in range(4, start, 4)]
    if data[:4] != bytes([0, 0, 8, dimensions]) or len(data) != start + math.prod(shape):
        raise DataError(f"not idx of bytes in {dimensions} dimensions, or cut off", where=folder / name)
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
