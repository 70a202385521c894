"""Pages and archives of the web: what is kept, what is passed over, and each kind of damage with its record."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.data.documents import Bad, Document, find_files, read_file

pytest.importorskip("resiliparse", reason="the readers for the web are an extra")
pytest.importorskip("fastwarc", reason="the readers for the web are an extra")

from presage.data.pages import DEEPEST, decoded, main_text
from presage.data.readers import Refused
from tests.data.archives import PACKED, good, html, http, make, only_bad, page, read, record

PAGE = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Tides | The Coast</title>
<style>p {color: red}</style><script>let secret = "tracked";</script></head><body>
<div id="cookie-banner" class="cookie-consent">We use cookies. <button>Accept all</button></div>
<header><a href="/">The Coast</a><nav><ul><li><a href="/a">Home</a></li><li>Charts</li></ul></nav></header>
<div class="page"><main><article><h1>How tides work</h1>
<p>Twice a day the water rises, because the Moon pulls at the near side of the Earth more strongly than at its
centre.</p>
<p>Spring tides come with the new &amp; the full Moon; the German word is „Springflut“.</p>
<ul><li>high water</li><li>low water</li></ul>
<pre>height = mean + range / 2</pre></article></main></div>
<aside class="sidebar"><h3>Related</h3><a href="/c">Ten best beaches</a></aside>
<footer>© The Coast. <a href="/imprint">Imprint</a> <a href="/privacy">Privacy policy</a></footer></body></html>"""


# ---- pages ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.html", "A.HTM", "a.html.gz"])
def test_what_is_kept_of_a_page(tmp_path: Path, name: str) -> None:
    data = PAGE.encode()
    (document,) = read(make(tmp_path, name, gzip.compress(data) if name.endswith("gz") else data))
    assert isinstance(document, Document) and document.path == name
    assert document.text.split("\n\n") == [
        "The Coast",  # the head of a page is kept, because it may be the head of its article
        "How tides work",
        "Twice a day the water rises, because the Moon pulls at the near side of the Earth more strongly than at its "
        "centre.",
        "Spring tides come with the new & the full Moon; the German word is „Springflut“.",
        "  • high water\n  • low water\nheight = mean + range / 2",
    ]


UMLAUTS = "Größere Häuser müssen für Öl zahlen"
CYRILLIC = "Приливы и отливы бывают два раза в сутки, и вода поднимается у берега"
JAPANESE = "潮の満ち引きは一日に二回起こり、海岸では水が上がります"


@pytest.mark.parametrize(
    ("text", "encoding", "header", "meta"),
    [
        (UMLAUTS, "utf-8", "utf-8", None),
        (UMLAUTS, "utf-8", None, "utf-8"),
        (UMLAUTS, "utf-8", None, None),
        (UMLAUTS, "utf-8", "iso-8859-1", None),
        (UMLAUTS, "cp1252", "utf-8", None),
        (UMLAUTS, "cp1252", "no-such-encoding", None),
        (UMLAUTS, "cp1252", "iso-8859-1", None),
        (UMLAUTS, "utf-8-sig", "iso-8859-1", "cp1252"),
        (UMLAUTS, "utf-16", "utf-8", None),
        (CYRILLIC, "cp1251", None, "windows-1251"),
        (CYRILLIC, "koi8-r", "koi8-r", "windows-1251"),
        (CYRILLIC, "cp1251", None, None),
        (JAPANESE, "shift_jis", "shift_jis", None),
        (JAPANESE, "euc_jp", None, "euc-jp"),
        (JAPANESE, "iso2022_jp", "iso-2022-jp", None),
    ],
)
def test_encodings_declared_wrong_or_not_at_all(text: str, encoding: str, header: str | None, meta: str | None) -> None:
    tag = f'<meta charset="{meta}">' if meta else ""
    data = f"<html><head>{tag}</head><body><main><p>{text}.</p></main></body></html>".encode(encoding)
    assert main_text(data, header).strip() == f"{text}."


def test_a_page_cut_within_a_character_is_read_up_to_there() -> None:
    assert decoded(f"{UMLAUTS}ö".encode()[:-1], "utf-8") == f"{UMLAUTS}\ufffd"


@given(st.binary(max_size=60), st.sampled_from([None, "utf-8", "latin-1", "shift_jis", "utf-16", "iso-2022-jp", "\0"]))
def test_any_bytes_become_text_or_are_refused(data: bytes, declared: str | None) -> None:
    decoded(data, declared).encode()
    try:
        text = main_text(data, declared)
    except Refused:
        return
    assert text.strip() and "\0" not in text
    text.encode()


BAD_PAGES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "without main text"),
    "nothing but navigation": (b"<nav><a href=x>Home</a></nav><script>x</script>", "without main text"),
    "deep": (b"<div>" * 100_000 + b"text", f"nested more than {DEEPEST} deep"),
    "endless tag": (b"<p " + b"a=1 " * 300_000 + b">text</p>", "a tag with more than 5,000 attributes"),
}


@pytest.mark.parametrize("name", BAD_PAGES)
def test_bad_pages(tmp_path: Path, name: str) -> None:
    data, reason = BAD_PAGES[name]
    bad = only_bad(make(tmp_path, "a.html", data))
    assert (bad.path, bad.place) == ("a.html", "") and reason in bad.reason
    archive = page(1) + record(http(data), "https://a.org/x") + page(3)
    first, bad_record, last = read(make(tmp_path, "a.warc", archive))
    assert (first, last) == (good(1), good(3))
    assert bad_record == Bad("s", "a.warc", f"record 2 (byte {len(page(1))})", bad.reason)


def test_a_page_as_deep_as_browsers_go_is_read() -> None:
    inside = DEEPEST - len(("html", "body", "p"))
    assert main_text(b"<div>" * inside + b"<p>text").strip() == "text"


def test_a_longer_page_is_refused_and_a_longer_text_cut(tmp_path: Path) -> None:
    path = make(tmp_path, "a.html.gz", gzip.compress(html("word " * 1000)))
    assert only_bad(path, page_bytes=4000).reason == "more than 4,000 bytes when decompressed"
    pieces = read(path, document_bytes=2000)
    assert [len(piece.text) for piece in pieces if isinstance(piece, Document)] == [2000, 2000, 999]


# ---- archives -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", PACKED)
def test_pages_of_an_archive(tmp_path: Path, suffix: str) -> None:
    records = [
        record(b"software: x\r\n", kind="warcinfo"),
        record(b"GET / HTTP/1.1\r\nHost: a.org\r\n\r\n", "https://a.org/1", "request"),
        page(1),
        record(http(b"\x89PNG", "image/png"), "https://a.org/image"),
        record(http(html("moved"), status="301 Moved Permanently"), "https://a.org/moved"),
        record(http(html("missing"), status="404 Not Found"), "https://a.org/missing"),
        record(b"20200101 a.org A 1.1.1.1", "dns:a.org").replace(b"application/http", b"text/dns"),
        record(b"fetchTimeMs: 3\r\n", "https://a.org/1", "metadata"),
        page(2, 300_000),
        record(http(html("No address."), "text/html; charset=utf-8")),
        record(http(html("In brackets."), "Application/XHTML+xml"), "<https://a.org/b>"),
    ]
    path = make(tmp_path, f"a{suffix}", PACKED[suffix](records))
    assert read(path) == [
        good(1),
        good(2),
        Document("s", f"{path.name}#10", "No address."),
        Document("s", "https://a.org/b", "In brackets."),
    ]


@pytest.mark.parametrize("name", ["a.wet", "a.warc.wet", "a.warc.wet.gz"])
def test_plain_text_conversions(tmp_path: Path, name: str) -> None:
    text = "Grüße\n\nvom Meer"
    records = [
        record(b"x", kind="warcinfo"),
        record(text.encode(), "https://a.org/1", "conversion", extra="Content-Type: text/plain\r\n"),
        record(b"caf\xe9", "https://a.org/2", "conversion", extra="Content-Type: text/plain\r\n"),
        record(b"a\0b", "https://a.org/3", "conversion"),
        record(b"{}", "https://a.org/4", "conversion", extra="Content-Type: application/json\r\n"),
    ]
    pack = PACKED[".warc.gz" if name.endswith("gz") else ".warc"]
    document, latin, nul = read(make(tmp_path, name, pack(records)))
    assert document == Document("s", "https://a.org/1", text)
    assert isinstance(latin, Bad) and latin.reason == "not UTF-8: unexpected end of data at byte 3 of the text"
    assert isinstance(nul, Bad) and nul.place.startswith("record 4 (byte ") and "a NUL byte" in nul.reason


def test_all_captures_of_a_page_have_one_path(tmp_path: Path) -> None:
    (tmp_path / "crawl").mkdir()
    for number in (1, 2):
        make(tmp_path / "crawl", f"{number}.warc.gz", gzip.compress(page(number)) + gzip.compress(page(7)))
    found = [item for location, name in find_files([str(tmp_path)]) for item in read_file("s", location, name)]
    assert found == [good(1), good(7), good(2), good(7)]


CHUNKED = b"6\r\n<main>\r\n14\r\n<p>Coded.</p></main>\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "extra"),
    [
        (gzip.compress(html("Coded."), mtime=0), "Content-Encoding: gzip\r\n"),
        (zlib.compress(html("Coded.")), "Content-Encoding: deflate\r\n"),
        (CHUNKED, "Transfer-Encoding: chunked\r\n"),
        (html("Coded."), "Transfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n"),
        (html("Coded."), "Content-Encoding: gibberish\r\n"),
    ],
    ids=["gzip", "deflate", "chunked", "decoded already", "unknown"],
)
def test_encodings_of_the_transfer(tmp_path: Path, body: bytes, extra: str) -> None:
    path = make(tmp_path, "a.warc", record(http(body, extra=extra), "https://a.org/1"))
    assert read(path) == [Document("s", "https://a.org/1", "Coded.")]


@pytest.mark.parametrize("encoding", ["zstd", "gzip, br"])
def test_an_encoding_that_is_not_known_is_refused(tmp_path: Path, encoding: str) -> None:
    body = b"(\xb5/\xfd\x04\x58 not html"
    path = make(tmp_path, "a.warc", record(http(body, extra=f"Content-Encoding: {encoding}\r\n"), "https://a.org/1"))
    assert f"its encoding '{encoding}' is not read" in only_bad(path).reason


# ---- what is needed -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "missing"), [("a.html", "resiliparse"), ("a.warc.gz", "fastwarc")])
def test_without_the_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, missing: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(DataError, match=rf"{name}: reading pages of the web needs {missing} \(pip install "):
        read(make(tmp_path, name, b"x"))


def test_disk_errors_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.warc")
    assert only_bad(tmp_path / "a.warc").reason == "not a regular file"
