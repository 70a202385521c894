"""Every hostile image is refused in one plain line or read as it is to be seen, quickly and in little memory."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import DataError
from presage.data.images.parts import Picture, read_content
from presage.data.images.reading import read_image
from tests.data.hostile_images import GOOD, RED, File, files, plain, saved

SECONDS, MEGABYTES, LIMIT = 1.0, 200, 300
REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = saved(plain(), "PNG")
URL = Picture(SMALL).url
CASES = list(files())


def inline(url: Any) -> list[dict[str, Any]]:
    return [{"type": "image_url", "image_url": {"url": url}}]


def by_path(name: Any) -> list[dict[str, Any]]:
    return [{"type": "image", "image": name}]


CONTENTS: Mapping[str, tuple[Any, str]] = {
    "url-not-base64": (inline("data:image/png,abc"), "not a data URL"),
    "url-percent": (inline("data:image/svg+xml;utf8,%3Csvg/%3E"), "not a data URL"),
    "url-bad-padding": (inline(URL + "A"), "not base64"),
    "url-space": (inline(URL[:60] + " " + URL[60:]), "not base64"),
    "url-line-break": (inline(URL[:60] + "\n" + URL[60:]), "not base64"),
    "url-letters": (inline(URL + "é"), "not base64"),
    "url-wrong-kind": (inline(URL.replace("png", "jpeg", 1)), "are a PNG"),
    "url-odd-kind": (inline(URL.replace("png", "x\ny", 1)), "are a PNG"),
    "url-nested": (inline("data:image/png;base64," + URL), "not base64"),
    "url-nested-twice": (inline("data:image/png;base64," + base64.b64encode(URL.encode()).decode()), "not a PNG"),
    "url-empty": (inline(""), "by address"),
    "url-data-alone": (inline("data:"), "not a data URL"),
    "url-no-data": (inline("data:image/png;base64,"), "not a PNG"),
    "url-html": (inline("data:text/html;base64,PGI+"), "not a data URL"),
    "url-svg": (inline("data:image/svg+xml;base64,PHN2Zz4="), "not a PNG"),
    "url-long-head": (inline("data:image/png" + ";a=b" * 99 + URL[14:]), "not a data URL"),
    "url-http": (inline("http://127.0.0.1:9/1.png"), "no address is fetched"),
    "url-https": (inline("HTTPS://example.org/1.png"), "no address is fetched"),
    "url-file": (inline("file:///etc/passwd"), "no address is fetched"),
    "url-ftp": (inline("ftp://example.org/1.png"), "no address is fetched"),
    "url-host": (inline("//example.org/1.png"), "no address is fetched"),
    "url-script": (inline("javascript:alert(1)"), "no address is fetched"),
    "url-100-megabytes": (inline("data:image/png;base64," + "A" * 100_000_000), "more than the 10,000,000"),
    "url-number": (inline(7), "without its url"),
    "url-null": (inline(None), "without its url"),
    "url-missing": ([{"type": "image_url"}], "without its url"),
    "url-object-empty": ([{"type": "image_url", "image_url": {}}], "without its url"),
    "hundred-images": (inline(URL) * 100, "more than 64 images"),
    "part-unknown": ([{"type": "video", "video": "1.mp4"}], "not a part"),
    "part-type-list": ([{"type": ["text"], "text": "a"}], "not a part"),
    "part-text": (["a"], "not a part"),
    "part-null": ([None], "not a part"),
    "part-empty": ([{}], "not a part"),
    "part-text-number": ([{"type": "text", "text": 7}], "not a text"),
    "part-text-half": ([{"type": "text", "text": "\ud800"}], "not a text"),
    "content-null": (None, "neither a text"),
    "content-empty": ([], "neither a text"),
    "content-object": ({"type": "text", "text": "a"}, "neither a text"),
    "path-absolute": (by_path("/etc/passwd"), "leads out"),
    "path-up": (by_path("../secret.png"), "leads out"),
    "path-up-inside": (by_path("a/../../secret.png"), "leads out"),
    "path-link-out": (by_path("out.png"), "leads out"),
    "path-link-folder-out": (by_path("away/secret.png"), "leads out"),
    "path-link-loop": (by_path("loop.png"), ""),
    "path-url": (by_path("http://example.org/1.png"), "leads out"),
    "path-folder": (by_path("folder"), "is no file"),
    "path-pipe": (by_path("pipe.png"), "is no file"),
    "path-missing": (by_path("none.png"), "is missing"),
    "path-zero": (by_path("a\0.png"), "without its path"),
    "path-long": (by_path("a" * 5_000), "cannot be read"),
    "path-half": (by_path("\ud800.png"), ""),
    "path-number": (by_path(7), "without its path"),
    "path-empty": (by_path(""), "without its path"),
    "path-large": (by_path("large.png"), "more than the 10,000,000"),
}


def lay_out(folder: Path) -> None:
    """What the paths lead to."""
    place = folder / "pictures"
    (place / "folder").mkdir(parents=True)
    (folder / "secret.png").write_bytes(SMALL)
    (place / "out.png").symlink_to(folder / "secret.png")
    (place / "away").symlink_to(folder)
    (place / "loop.png").symlink_to(place / "loop.png")
    os.mkfifo(place / "pipe.png")
    with (place / "large.png").open("wb") as file:
        file.truncate(30_000_000)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What one child process made of every case, by name; it is given a minute in all."""
    folder = tmp_path_factory.mktemp("hostile")
    lay_out(folder)
    places = [folder / f"{case.name}.bin" for case in CASES] + [folder / f"{name}.json" for name in CONTENTS]
    for place, data in zip(places, [case.data for case in CASES] + [one for one, _ in CONTENTS.values()], strict=True):
        place.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    command = [sys.executable, "-m", "tests.data.hostile_images", *map(str, places)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=True)
    return {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}


linux = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is measured by Linux's /proc")


def check_line(error: str) -> None:
    assert error.startswith(("picture 1: ", "line 1: ")), error
    assert error.isprintable(), error
    assert len(error) < LIMIT, error
    assert not re.search(r"0x[0-9a-f]{4}|Traceback|/tmp|/home|/usr|site-packages|object at", error), error


@linux
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file(case: File, outcomes: Mapping[str, Mapping[str, Any]]) -> None:
    row = outcomes[case.name]
    assert row["seconds"] < SECONDS, row
    assert row["mb"] < MEGABYTES, row
    if case.size is None:
        assert case.says in row["error"], row
        check_line(row["error"])
        return
    assert row.get("size") == list(case.size), row
    assert row["mode"] == "RGB"
    if case.pixel is not None:
        assert max(abs(a - b) for a, b in zip(case.pixel, row["pixel"], strict=True)) <= case.off, row


@linux
@pytest.mark.parametrize("name", CONTENTS)
def test_a_content(name: str, outcomes: Mapping[str, Mapping[str, Any]]) -> None:
    row = outcomes[name]
    assert row["seconds"] < SECONDS, row
    assert row["mb"] < MEGABYTES, row
    assert CONTENTS[name][1] in row["error"], row
    check_line(row["error"])


@pytest.mark.parametrize("kind", GOOD)
def test_flipped_bits_give_an_image_or_one_line(kind: str) -> None:
    random_ = random.Random(kind)
    for _ in range(200):
        data = bytearray(GOOD[kind])
        for _ in range(random_.choice((1, 1, 3, 20))):
            data[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        try:
            assert read_image(bytes(data), "picture 1").mode == "RGB"
        except DataError as error:
            check_line(str(error))


@pytest.mark.parametrize("kind", GOOD)
def test_every_cut_gives_an_image_or_one_line(kind: str) -> None:
    for length in range(0, len(GOOD[kind]), 37):
        try:
            assert read_image(GOOD[kind][:length], "picture 1").mode == "RGB"
        except DataError as error:
            check_line(str(error))


@pytest.mark.parametrize("url", [URL, URL.replace("data:", "DATA:"), URL.replace("image/png", "Image/PNG")])
def test_what_is_right_is_read(url: str) -> None:
    (found,) = read_content(inline(url), "line 1")
    assert isinstance(found, Picture)
    assert read_image(found.data).getpixel((0, 0)) == RED


def test_a_name_that_lies_about_the_type_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.jpeg").write_bytes(SMALL)
    (found,) = read_content(by_path("a.jpeg"), "line 1", tmp_path)
    assert isinstance(found, Picture)
    assert read_image(found.data).size == (32, 24)
    assert found.url.startswith("data:image/png;")


def test_without_a_folder_no_file_is_opened() -> None:
    with pytest.raises(DataError, match="no folder"):
        read_content(by_path("a.png"), "line 1")
