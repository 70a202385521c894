"""Hostile and odd images, built by code; and a child process that reads each and says how long and how much it took."""

from __future__ import annotations

import ctypes
import gc
import io
import json
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from presage.core.errors import DataError
from presage.data.images.parts import read_content
from presage.data.images.reading import read_image

RED, WHITE, GREY = (200, 40, 30), (255, 255, 255), (128, 128, 128)
Pixel = tuple[int, int, int]


@dataclass(frozen=True)
class File:
    """A file and what becomes of it: refused with these words, or read in this size with this pixel at (1, 1)."""

    name: str
    data: bytes
    says: str = ""
    size: tuple[int, int] | None = None
    pixel: Pixel | None = None
    off: int = 0
    """By how much the pixel may be off, where colours are lossy."""


# ---- building -------------------------------------------------------------------------------------------------------


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def header(width: int, height: int, depth: int = 8, colour: int = 2, interlaced: int = 0) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(
        b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    )


def png(wide: int, high: int, row: bytes, depth: int = 8, colour: int = 2, extra: bytes = b"", more: int = 0) -> bytes:
    """Every row the same, without filters; `more` rows than the header says."""
    packer = zlib.compressobj(1)
    body = b"".join(packer.compress(b"\0" + row) for _ in range(high + more)) + packer.flush()
    return header(wide, high, depth, colour) + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def interlaced() -> bytes:
    """Of 8 x 8 pixels whose colour says where they are, in Adam7's passes."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    rows = [
        b"\0" + b"".join(bytes([30 * x, 30 * y, 9]) for x in range(left, 8, across))
        for left, top, across, down in passes
        for y in range(top, 8, down)
    ]
    return header(8, 8, interlaced=1) + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(mode: str = "RGB", colour: object = RED, size: tuple[int, int] = (32, 24)) -> Image.Image:
    return Image.new(mode, size, colour)  # type: ignore[arg-type]


def noisy() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 48, 3), dtype=np.uint8))


def oriented(orientation: int) -> bytes:
    """As a camera stores what is, upright, 32 x 24 and red in its upper left quarter only."""
    upright = plain(colour=GREY)
    upright.paste(RED, (0, 0, 16, 12))
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose: 2 is a quarter turn to the left
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(stored, "PNG", exif=exif)


GOOD = {
    "png": saved(noisy(), "PNG"),
    "jpeg": saved(noisy(), "JPEG"),
    "progressive": saved(noisy(), "JPEG", progressive=True),
    "webp": saved(noisy(), "WEBP", lossless=True),
    "lossy": saved(noisy(), "WEBP"),
    "gif": saved(noisy(), "GIF"),
}


# ---- files that are refused -----------------------------------------------------------------------------------------


def too_large() -> Iterator[File]:
    for side in (50_000, 13_000, 9_000):
        yield File(f"png-{side}", png(side, 1, bytes(3 * side)).replace(*_taller(side)), "pixels")
    yield File("png-17-mpx", png(4_250, 4_000, bytes(3 * 4_250)), "pixels")
    yield File("png-two-billion-square", header(2**31 - 1, 2**31 - 1) + chunk(b"IDAT", b""), "pixels")
    yield File("gif-huge-screen", b"GIF89a" + b"\xff" * 4 + GOOD["gif"][10:], "pixels")
    webp = b"VP8X" + struct.pack("<IB3x", 10, 0) + (b"\xff\x3f\0" * 2) + b"VP8L" + bytes(12)
    yield File("webp-huge", b"RIFF" + struct.pack("<I", len(webp) + 4) + b"WEBP" + webp, "pixels")
    yield File("webp-10-mpx", saved(plain(size=(4_000, 2_500)), "WEBP", quality=1, method=0), "pixels")
    place = GOOD["jpeg"].index(b"\xff\xc0") + 5
    yield File("jpeg-65535", GOOD["jpeg"][:place] + b"\xff" * 4 + GOOD["jpeg"][place + 4 :], "pixels")
    yield File("over-ten-megabytes", GOOD["png"] + bytes(10_000_001 - len(GOOD["png"])), "10,000,001 bytes")


def _taller(side: int) -> tuple[bytes, bytes]:
    return header(side, 1), header(side, side)


def foreign() -> Iterator[File]:
    image = plain()
    for name, data in {
        "empty": b"",
        "one-byte": b"\x89",
        "garbage": np.random.default_rng(1).bytes(5_000),
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>',
        "tiff": saved(image, "TIFF"),
        "bmp": saved(image, "BMP"),
        "ico": saved(image, "ICO"),
        "pdf": b"%PDF-1.4\n1 0 obj << >> endobj\n%%EOF",
        "html": b"<!doctype html><img src=x onerror=alert(1)>",
        "fits": b"SIMPLE  =                    T".ljust(2_880),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "riff-but-sound": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
    }.items():
        yield File(name, data, "not a PNG, JPEG, WebP or GIF")


def damaged() -> Iterator[File]:
    for kind in ("png", "jpeg", "webp", "gif"):
        data = GOOD[kind]
        for part in (10, 30, 60, 90):
            yield File(f"{kind}-cut-{part}", data[: max(14, len(data) * part // 100)], "a damaged")
    good = GOOD["png"]
    place = good.index(b"IDAT")
    yield File("png-wrong-sum", good[:29] + b"\0\0\0\0" + good[33:], "a damaged PNG")
    yield File("png-wrong-data", good[: place + 90] + bytes(40) + good[place + 130 :], "a damaged PNG")
    yield File("png-zero-wide", header(0, 9) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""), "PNG")
    yield File("png-no-size", header(0, 0) + chunk(b"IEND", b""), "PNG")
    yield File("png-seven-bits", png(8, 8, bytes(24), depth=7), "a damaged PNG")
    yield File("png-colour-five", png(8, 8, bytes(24), colour=5), "a damaged PNG")
    yield File("png-huge-chunk", header(8, 8) + b"\x7f\xff\xff\xffIDAT" + bytes(50), "a damaged PNG")
    yield File("png-no-data", header(8, 8) + chunk(b"IEND", b""), "a damaged PNG")


def bombs() -> Iterator[File]:
    text = chunk(b"zTXt", b"Comment\0\0" + _zeros(200))
    yield File("png-text-bomb", png(8, 8, bytes(24), extra=text), "a damaged PNG")
    many = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1_000_000))) * 200
    yield File("png-many-texts", png(8, 8, bytes(24), extra=many), "a damaged PNG")
    yield File("png-profile-bomb", png(8, 8, bytes(24), extra=chunk(b"iCCP", b"x\0\0" + _zeros(300))), "a damaged PNG")
    small = chunk(b"teSt", b"") * 800_000
    yield File("png-800000-chunks", png(8, 8, bytes(24), extra=small), "pieces")
    jpeg = GOOD["jpeg"]
    yield File("jpeg-two-million-comments", jpeg[:2] + b"\xff\xfe\0\2" * 2_000_000 + jpeg[2:], "pieces")
    yield File("jpeg-many-scans", _scans(3_000), "scans")
    gif = GOOD["gif"]
    place = 13 + (3 << ((gif[10] & 7) + 1))
    yield File("gif-long-comment", gif[:place] + b"!\xfe" + b"\1x" * 4_000_000 + b"\0" + gif[place:], "pieces")
    yield File("gif-many-comments", gif[:place] + b"!\xfe\1x\0" * 1_900_000 + gif[place:], "pieces")


def _zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1_000_000)) for _ in range(megabytes)) + packer.flush()


def _scans(count: int) -> bytes:
    """A progressive JPEG of 12 megapixels whose last scan comes again and again."""
    data = saved(plain("L", 90, (4_000, 3_000)), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * count + data[-2:]


# ---- files that are read --------------------------------------------------------------------------------------------


def large() -> Iterator[File]:
    side = 4_000
    rows = {"rgb": (8, 2, 3), "rgba": (8, 6, 4), "grey-16": (16, 0, 2), "rgb-16": (16, 2, 6), "rgba-16": (16, 6, 8)}
    rows["grey-alpha"] = (8, 4, 2)
    for name, (depth, colour, size) in rows.items():
        data = png(side, side, bytes([128]) * side * size, depth, colour)
        pixel = (191, 191, 191) if colour in (4, 6) else GREY
        yield File(f"16-mpx-{name}", data, size=(side, side), pixel=pixel, off=1)
    clear = chunk(b"PLTE", bytes(RED)) + chunk(b"tRNS", b"\0")
    yield File("16-mpx-palette", png(side, side, bytes(side), 8, 3, clear), size=(side, side), pixel=WHITE)
    for name, options in {"jpeg": {}, "progressive": {"progressive": True}}.items():
        data = saved(plain(size=(side, side)), "JPEG", **options)
        yield File(f"16-mpx-{name}", data, size=(side, side), pixel=RED, off=3)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(plain("CMYK", (0, 255, 255, 0), (side, side)), "JPEG", exif=exif)
    yield File("16-mpx-cmyk-turned", data, size=(side, side), pixel=(254, 0, 0), off=5)
    data = saved(plain("CMYK", (0, 255, 255, 0), (side, side)), "JPEG", progressive=True, subsampling=0)
    yield File("16-mpx-cmyk-progressive", data, size=(side, side), pixel=(254, 0, 0), off=5)
    yield File("16-mpx-gif", saved(plain("P", 0, (side, side)), "GIF"), size=(side, side))
    data = saved(plain("RGBA", (*RED, 0), (2_800, 2_800)), "WEBP", lossless=True, quality=0, method=0)
    yield File("8-mpx-webp", data, size=(2_800, 2_800), pixel=WHITE)
    yield File("65535x1", png(65_535, 1, bytes(RED) * 65_535), size=(65_535, 1))
    yield File("1x1", png(1, 1, bytes(RED)), size=(1, 1))
    padded = GOOD["png"] + bytes(10_000_000 - len(GOOD["png"]))
    yield File("ten-megabytes", padded, size=(48, 40))


def odd() -> Iterator[File]:
    small = (8, 8)
    yield File("png-interlaced", interlaced(), size=small, pixel=(30, 30, 9))
    yield File("png-one-bit", png(8, 8, b"\xff", 1, 0), size=small, pixel=WHITE)
    yield File("png-grey-16", png(8, 8, b"\x80\xff" * 8, 16, 0), size=small, pixel=GREY)
    clear = chunk(b"tRNS", b"\x80\xff")
    yield File("png-grey-16-clear", png(8, 8, b"\x80\xff" * 8, 16, 0, clear), size=small, pixel=WHITE)
    row = b"".join(bytes([value, 77]) for value in RED) * 8
    yield File("png-rgb-16", png(8, 8, row, 16, 2), size=small, pixel=RED)
    palette = chunk(b"PLTE", bytes(RED) + bytes(3))
    yield File("png-palette", png(8, 8, bytes(8), 8, 3, palette), size=small, pixel=RED)
    half = palette + chunk(b"tRNS", b"\x80\xff")
    yield File("png-palette-alpha", png(8, 8, bytes(8), 8, 3, half), size=small, pixel=(227, 147, 142), off=1)
    yield File("png-grey-alpha", png(8, 8, b"\0\x80" * 8, 8, 4), size=small, pixel=(127, 127, 127), off=1)
    yield File("png-grey-clear", png(8, 8, bytes(8), 8, 0, chunk(b"tRNS", b"\0\0")), size=small, pixel=WHITE)
    yield File("png-rgba", png(8, 8, bytes([*RED, 0]) * 8, 8, 6), size=small, pixel=WHITE)
    yield File("png-too-much-data", png(8, 8, bytes(RED) * 8, more=50_000), size=small, pixel=RED)
    yield File(
        "png-profile-wrong", png(8, 8, bytes(RED) * 8, extra=chunk(b"iCCP", b"x\0\0junk")), size=small, pixel=RED
    )
    yield File("jpeg-cmyk", saved(plain("CMYK", (0, 255, 255, 0)), "JPEG"), size=(32, 24), pixel=(254, 0, 0), off=5)
    yield File("jpeg-grey", saved(plain("L", 128), "JPEG"), size=(32, 24), pixel=GREY, off=1)
    for orientation in range(1, 9):
        yield File(f"exif-{orientation}", oriented(orientation), size=(32, 24), pixel=RED)
    for name, exif in {"garbage": b"\xff" * 300, "no-end": b"II*\0\x08\0\0\0\xff\xff" + b"\x12\1" * 99}.items():
        data = saved(plain(), "JPEG", exif=b"Exif\0\0" + exif)
        yield File(f"exif-{name}", data, size=(32, 24), pixel=RED, off=3)
    for value in (0, 9, 60_000):
        yield File(f"exif-{value}", oriented(value), size=(32, 24), pixel=RED)


def moving() -> Iterator[File]:
    frames = [plain(colour=(0, 0, number)) for number in range(1, 30)]
    for kind, options in {"GIF": {}, "WEBP": {"lossless": True}, "PNG": {}}.items():
        data = saved(plain(), kind, save_all=True, append_images=frames, duration=10, **options)
        yield File(f"moving-{kind.lower()}", data, size=(32, 24), pixel=RED)
    mpo = saved(plain(), "MPO", save_all=True, append_images=frames)
    yield File("mpo", mpo, size=(32, 24), pixel=RED, off=3)
    yield File("jpeg-thousands-behind", saved(plain(), "JPEG") * 9_000, size=(32, 24), pixel=RED, off=3)
    gif = saved(plain(), "GIF")
    frame = gif[gif.index(b",", 13 + (3 << ((gif[10] & 7) + 1))) : -1]
    yield File("gif-thousands-of-frames", gif[:-1] + frame * 50_000 + b";", size=(32, 24), pixel=RED)


def files() -> Iterator[File]:
    for family in (too_large, foreign, damaged, bombs, large, odd, moving):
        yield from family()


# ---- the child ------------------------------------------------------------------------------------------------------


def measured(place: Path) -> dict[str, object]:
    """What reading one file came to, with its processor's seconds and by how many megabytes memory grew at most."""
    given: object = json.loads(place.read_text()) if place.suffix == ".json" else place.read_bytes()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # else what an earlier case left would hide what this one takes
    Path("/proc/self/clear_refs").write_text("5")  # the peak from here on
    before, start = _memory("VmRSS"), time.process_time()
    result = _outcome(given, place.parent / "pictures")
    result["seconds"] = time.process_time() - start
    return result | {"name": place.stem, "mb": (_memory("VmHWM") - before) / 1024}


def _outcome(given: object, folder: Path) -> dict[str, object]:
    try:
        if not isinstance(given, bytes):
            return {"parts": len(read_content(given, "line 1", folder))}
        image = read_image(given, "picture 1")
    except DataError as error:
        return {"error": str(error)}
    pixel = image.getpixel((min(1, image.width - 1), min(1, image.height - 1)))
    return {"size": image.size, "pixel": pixel, "mode": image.mode}


def _memory(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


if __name__ == "__main__":
    for one in sys.argv[1:]:
        print(json.dumps(measured(Path(one))), flush=True)
