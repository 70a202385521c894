"""The file of an image to its pixels: verified, upright, in red, green and blue, within limits known from its header.

PNG, JPEG, WebP and GIF, by their bytes and never by their name; of a moving picture the first frame. Nothing is decoded
before size and format are known to be allowed, and what is decoded is at most `Limits.pixels` at a time.
"""

from __future__ import annotations

import io
import re
import warnings
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image

from presage.core.errors import DataError
from presage.data.images.pieces import check_pieces

FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
WHITE = 255
STRIP = 1 << 18
"""Pixels converted at a time."""
WEBP_COSTS = 2
"""Its decoder holds several copies of the picture: so many times fewer pixels are allowed."""

_TURN = Image.Transpose
_TURNS = {
    2: _TURN.FLIP_LEFT_RIGHT,
    3: _TURN.ROTATE_180,
    4: _TURN.FLIP_TOP_BOTTOM,
    5: _TURN.TRANSPOSE,
    6: _TURN.ROTATE_270,
    7: _TURN.TRANSVERSE,
    8: _TURN.ROTATE_90,
}


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
    check_pieces(kind, data, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, which are judged here, and of metadata, which is not read
            shown, turn = _decoded(kind, data, where, limits)
        return shown.transpose(turn) if turn is not None else shown
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


def _decoded(kind: str, data: bytes, where: object, limits: Limits) -> tuple[Image.Image, Image.Transpose | None]:
    """The picture as it is stored, in mode RGB, and how it is to be turned; what the decoder held is free again."""
    with Image.open(io.BytesIO(data), formats=(kind,)) as image:
        _check_size(kind, image.size, where, limits)
        image.load()
        return _shown(image), _TURNS.get(_orientation(image))


def _check_size(kind: str, size: tuple[int, int], where: object, limits: Limits) -> None:
    width, height = size
    most = limits.pixels // WEBP_COSTS if kind == "WEBP" else limits.pixels
    if width * height > most:
        raise DataError(f"a {kind} of {width:,} x {height:,} pixels, more than {most:,} in all", where=where)


def _orientation(image: Image.Image) -> int:
    """EXIF's, from 1 to 8; 1, upright, where it says nothing that can be read."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # garbage there raises anything, and the picture is none the worse for it
        return 1


def _shown(image: Image.Image) -> Image.Image:
    """In red, green and blue. What takes more than one step is done strip by strip: no second whole copy in memory."""
    if not _sixteen(image) and not _clear(image):
        return image if image.mode == "RGB" else image.convert("RGB")
    shown = Image.new("RGB", image.size)
    rows = max(1, STRIP // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        shown.paste(_eight_bits(strip) if _sixteen(image) else _over_white(strip), (0, top))
    return shown


def _sixteen(image: Image.Image) -> bool:
    return image.mode.startswith("I")


def _clear(image: Image.Image) -> bool:
    """Whether some of it may be transparent."""
    return image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info


def _eight_bits(strip: Image.Image) -> Image.Image:
    """Of 16 bits a pixel the upper eight; the value named as transparent shows white."""
    values = np.asarray(strip).astype(np.int64)
    upper = np.clip(values >> 8, 0, WHITE)
    return Image.fromarray(np.where(values == strip.info.get("transparency", -1), WHITE, upper).astype(np.uint8))


def _over_white(strip: Image.Image) -> Image.Image:
    shown = strip.convert("RGBA")
    ground = Image.new("RGB", shown.size, (WHITE,) * 3)
    ground.paste(shown, mask=shown.getchannel("A"))
    return ground


def _reason(error: Exception) -> str:
    """What a decoder says, without the objects and places in memory that it names."""
    text = " ".join(re.sub(r"<[^>]*>|0x[0-9a-f]+", "", str(error)).split()).strip(" :")
    return ascii(text)[1:-1][:120] or type(error).__name__
