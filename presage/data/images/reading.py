"""The file of an image to its pixels: verified, upright, in red, green and blue, within limits known from its header.

PNG, JPEG, WebP and GIF, by their bytes and never by their name; of a moving picture the first frame. Nothing is decoded
before size and format are known to be allowed, and what is decoded is at most `Limits.pixels` at a time.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from presage.core.errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
WHITE = 255


@dataclass(frozen=True)
class Limits:
    """pixels and bytes: of one image."""

    pixels: int = 16_000_000
    bytes: int = 10_000_000

    def too_big(self, size: int) -> str:
        """What is wrong with a file of so many bytes."""
        return f"an image of {size:,} bytes, more than the {self.bytes:,} allowed"


LIMITS = Limits()

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
)


def kind_of(data: bytes, where: object = None) -> str:
    """Which of FORMATS these bytes begin as. Raises DataError for none of them."""
    found = next((kind for magic, kind in _MAGIC if data.startswith(magic)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        found = "WEBP"
    if found is None:
        raise DataError("not a PNG, JPEG, WebP or GIF", where=where)
    return found


def read_image(data: bytes, where: object = None, limits: Limits = LIMITS) -> Image.Image:
    """An image in mode RGB, as it is to be seen. Raises DataError, in one line, for whatever is wrong with it.

    Turned as its EXIF orientation says; transparency over white; CMYK, palettes, grey and 16 bits converted.
    """
    if len(data) > limits.bytes:
        raise DataError(limits.too_big(len(data)), where=where)
    kind = kind_of(data, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are judged here, and of metadata, which is not read
            with Image.open(io.BytesIO(data), formats=(kind,)) as image:
                _check_size(image.size, where, limits)
                image.load()
                return _opaque(ImageOps.exif_transpose(image))
    except DataError:
        raise
    except Image.DecompressionBombError:
        raise DataError(f"an image of more than the {limits.pixels:,} pixels allowed", where=where) from None
    except MemoryError:
        raise DataError("an image that does not fit into memory", where=where) from None
    except Exception as error:  # decoders raise OSError, ValueError, SyntaxError, struct.error and more
        raise DataError(f"a damaged {kind}: {_reason(error)}", where=where) from None


def pixels(image: Image.Image) -> np.ndarray:
    """uint8 [height, width, 3] of an image in mode RGB."""
    return np.asarray(image, dtype=np.uint8)


def _check_size(size: tuple[int, int], where: object, limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise DataError("an image without pixels", where=where)
    if width * height > limits.pixels:
        raise DataError(f"an image of {width:,} x {height:,} pixels, more than {limits.pixels:,} in all", where=where)


def _opaque(image: Image.Image) -> Image.Image:
    """In red, green and blue; what is transparent shows white."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image)
        if image.mode != "F":
            values = values >> 8  # 16 bits a pixel
        return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        shown = image if image.mode == "RGBA" else image.convert("RGBA")
        ground = Image.new("RGB", shown.size, (WHITE,) * 3)
        ground.paste(shown, mask=shown.getchannel("A"))
        return ground
    if image.mode in ("L", "RGB", "1") and "transparency" in image.info:
        return _opaque(image.convert("RGBA"))
    return image.convert("RGB")


def _reason(error: Exception) -> str:
    """What a decoder says, without the places in memory that it names."""
    text = " ".join(str(error).split()).split("<_io", 1)[0].strip()
    return text[:120] or type(error).__name__
