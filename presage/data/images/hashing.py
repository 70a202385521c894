"""What two images have in common: the same bytes, the same pixels, or nearly the same look."""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

SIDE = 8
_ONES = np.array([number.bit_count() for number in range(256)])


def look(image: Image.Image) -> int:
    """A perceptual hash of 64 bits: whether each place of a 9 x 8 reduction is brighter than the next one.

    Images that differ in size, format or a little noise differ in few bits (the difference hash of N. Krawetz, 2013).
    """
    small = np.asarray(image.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX), dtype=np.int16)
    bits = (small[:, :-1] > small[:, 1:]).ravel()
    return int(np.packbits(bits).view(">u8")[0])


def structure(seen: int) -> int:
    """Bits of a perceptual hash that say something: those set, or those not, whichever are fewer. All over one colour
    has none, and so has all that falls off to one side: such hashes are the same of images that are nothing alike."""
    set_bits = int(seen).bit_count()
    return min(set_bits, SIDE * SIDE - set_bits)


def pixel_digest(image: Image.Image) -> bytes:
    """sha256 of size and pixels in red, green and blue: the same for every file format without loss."""
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.tobytes()).digest()


def distance(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Bits in which perceptual hashes differ, uint64 arrays against each other: [N, M]."""
    differing = (one[:, None] ^ other[None, :])[..., None].view(np.uint8)
    found: np.ndarray = _ONES[differing].sum(axis=-1)
    return found
