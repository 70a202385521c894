"""Readers: what they read, and each kind of bad input with its file and place."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.data import documents, readers
from presage.data.documents import Bad, Document, Limits, find_files, read_file, read_paths, split_text

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def read(path: Path, **limits: Any) -> list[Document | Bad]:
    return list(read_file("s", path, path.name, Limits(**limits)))


def only_bad(path: Path, **limits: Any) -> Bad:
    items = read(path, **limits)
    assert len(items) == 1 and isinstance(items[0], Bad), items
    assert (items[0].source, items[0].path) == ("s", path.name)
    return items[0]


def make(folder: Path, name: str, data: bytes | str) -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


# ---- good -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", COMPRESS)
@pytest.mark.parametrize("suffix", documents.TEXT.suffixes)
def test_text_files(tmp_path: Path, suffix: str, compression: str) -> None:
    text = "Grüße, 世界\r\n\n"
    path = make(tmp_path, f"a{suffix}{compression}", COMPRESS[compression](text.encode()))
    assert read(path) == [Document("s", path.name, text)]


@pytest.mark.parametrize("compression", COMPRESS)
def test_rows(tmp_path: Path, compression: str) -> None:
    rows = '{"text": "one\\nline", "id": 1}\n\n{"id": 2, "text": "zwei"}'
    path = make(tmp_path, f"a.jsonl{compression}", COMPRESS[compression](rows.encode()))
    assert read(path) == [Document("s", f"{path.name}:1", "one\nline"), Document("s", f"{path.name}:3", "zwei")]
    assert read(make(tmp_path, "b.jsonl", '{"body": "x"}'), text_key="body") == [Document("s", "b.jsonl:1", "x")]


def test_several_compressed_members_in_one_file(tmp_path: Path) -> None:
    for suffix in (".gz", ".xz", ".zst"):
        path = make(tmp_path, f"a.txt{suffix}", COMPRESS[suffix](b"one ") + COMPRESS[suffix](b"two"))
        assert read(path) == [Document("s", path.name, "one two")]


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="parquet is an extra")
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"text": ["one", None, "drei"], "n": [1, 2, 3]}), tmp_path / "a.parquet")
    good, bad, last = read(tmp_path / "a.parquet")
    assert (good, last) == (Document("s", "a.parquet:1", "one"), Document("s", "a.parquet:3", "drei"))
    assert bad == Bad("s", "a.parquet", "row 2", "'text' is null, not text")
    assert "no column 'body'; has text, n" in only_bad(tmp_path / "a.parquet", text_key="body").reason
    assert "not a whole parquet file" in only_bad(make(tmp_path, "b.parquet", b"PAR1 no")).reason


def test_a_cell_of_parquet_that_is_not_utf8(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    offsets, data = pyarrow.py_buffer(b"\0\0\0\0\3\0\0\0\6\0\0\0"), pyarrow.py_buffer(b"one\xff\xfe\xfd")
    column = pyarrow.Array.from_buffers(pyarrow.string(), 2, [None, offsets, data])
    parquet.write_table(pyarrow.table({"text": column}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [
        Document("s", "a.parquet:1", "one"),
        Bad("s", "a.parquet", "row 2", "'text' is bytes, not text"),
    ]


def test_a_folder_that_a_glob_finds_is_read_like_one_that_is_named(tmp_path: Path) -> None:
    for name in ("a.txt", "sub/b.txt", "sub/.hidden.txt", "sub/c.png"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text("x")
    assert [location.name for location, _ in find_files([f"{tmp_path}/data/*"])] == ["a.txt", "b.txt"]


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"a\.parquet: reading \.parquet needs pyarrow"):
        read(make(tmp_path, "a.parquet", b"PAR1"))


def test_folders_and_globs_give_relative_paths_in_order(tmp_path: Path) -> None:
    root = tmp_path / "my texts"
    (root / "b").mkdir(parents=True)
    (root / ".git").mkdir()
    for name in ("b/two.md", "one.txt", "image.png", ".git/x.txt", "new\nline.rst"):
        (root / name).write_text(name)
    names = [name for _, name in find_files([str(root)])]
    assert names == ["my texts/b/two.md", "my texts/new\nline.rst", "my texts/one.txt"]
    assert [name for _, name in find_files([f"{root}/**/*.md", f"{root}/*.txt"])] == ["b/two.md", "my texts/one.txt"]
    assert [name for _, name in find_files([f"{root}/one.txt", str(root / "one.txt")])] == ["one.txt"], "each file once"
    assert {d.text for d in read_paths("s", [str(root)]) if isinstance(d, Document)} == {
        "b/two.md",
        "one.txt",
        "new\nline.rst",
    }


def test_files_of_one_name_below_several_roots_are_told_apart(tmp_path: Path) -> None:
    for place in ("2023/data/x.txt", "2024/data/x.txt", "2024/data/y.txt", "a/x.txt"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(place)
    roots = [str(tmp_path / root) for root in ("2023/data", "2024/data", "a/x.txt")]
    found = find_files(roots)
    assert [name for _, name in found] == ["2023/data/x.txt", "2024/data/x.txt", "data/y.txt", "x.txt"]
    assert all(location.read_text().endswith(name) for location, name in found)
    twins = [str(tmp_path / root) for root in ("a/x.txt", "2024/data/x.txt")]
    assert [name for _, name in find_files(twins)] == ["a/x.txt", "data/x.txt"]


def test_a_name_with_glob_characters_that_exists_is_that_file(tmp_path: Path) -> None:
    make(tmp_path, "a[1].txt", "x")
    assert [name for _, name in find_files([str(tmp_path / "a[1].txt")])] == ["a[1].txt"]


# ---- nothing to read ------------------------------------------------------------------------------------------------


def test_nothing_to_read(tmp_path: Path) -> None:
    make(tmp_path, "image.png", b"\x89PNG")
    with pytest.raises(DataError, match=r"no readable file in this folder \(reads \.txt"):
        find_files([str(tmp_path)])
    with pytest.raises(DataError, match="no such file or folder"):
        find_files([str(tmp_path / "nothing.txt")])
    with pytest.raises(DataError, match="no readable file matches"):
        find_files([str(tmp_path / "*.png")])


# ---- bad files ------------------------------------------------------------------------------------------------------

BAD_FILES = {
    "nul.txt": (b"abc\0def", "byte 3", "a NUL byte"),
    "latin.txt": ("été".encode("latin-1"), "byte 0", "not UTF-8"),
    "cut.txt": ("aé".encode()[:-1], "byte 1", "not UTF-8: unexpected end of data"),
    "utf16.txt": ("text".encode("utf-16"), "byte 0", "UTF-16"),
    "truncated.txt.gz": (gzip.compress(os.urandom(5000))[:-20], "after 0", "ends early"),
    "truncated.txt.xz": (lzma.compress(b"a" * 5000)[:-20], "after 0", "ends early"),
    "truncated.txt.zst": (zstandard.compress(os.urandom(300_000))[:200_000], "after", "ends early"),
    "other.txt.gz": (bz2.compress(b"x"), "after 0 bytes", "damaged .gz"),
    "other.txt.xz": (b"not xz at all", "after 0 bytes", "damaged .xz"),
    "other.txt.zst": (b"not zstd at all", "after 0 bytes", "damaged .zst"),
    "picture.png": (b"\x89PNG", "", "not a kind of file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path: Path, name: str) -> None:
    data, place, reason = BAD_FILES[name]
    bad = only_bad(make(tmp_path, name, data))
    assert bad.place.startswith(place) and reason in bad.reason


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_an_empty_file_is_an_empty_document(tmp_path: Path, suffix: str) -> None:
    assert read(make(tmp_path, f"a.txt{suffix}", b"")) == [Document("s", f"a.txt{suffix}", "")]


def test_a_byte_order_mark_is_dropped(tmp_path: Path) -> None:
    assert read(make(tmp_path, "a.txt", "\ufeffText")) == [Document("s", "a.txt", "Text")]
    assert read(make(tmp_path, "a.jsonl", '\ufeff{"text": "x"}')) == [Document("s", "a.jsonl:1", "x")]


def test_a_bomb_is_refused_while_it_expands(tmp_path: Path) -> None:
    for suffix in (".gz", ".xz", ".zst"):
        path = make(tmp_path, f"a.txt{suffix}", COMPRESS[suffix](bytes(32 << 20).replace(b"\0", b"a")))
        assert path.stat().st_size < 64 << 10
        assert "more than 1,048,576 bytes when decompressed" in only_bad(path, file_bytes=1 << 20).reason


def test_what_is_not_a_regular_file(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe.txt"
    os.mkfifo(fifo)
    assert only_bad(fifo).reason == "not a regular file"
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "nowhere.txt")
    assert only_bad(link).reason == "a link that leads nowhere"
    loop = tmp_path / "loop.txt"
    loop.symlink_to(loop)
    assert only_bad(loop).reason == "a link that leads nowhere"


def test_a_file_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader's open is replaced, because a test may run as root, to whom every file is readable."""

    def refuse(location: Path) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setitem(readers.OPENERS, "", refuse)
    assert only_bad(make(tmp_path, "a.txt", "x")).reason == "cannot be read: Permission denied"


def test_text_marked_as_special_stays_text(tmp_path: Path) -> None:
    assert read(make(tmp_path, "a.txt", "a<|endoftext|>b")) == [Document("s", "a.txt", "a<|endoftext|>b")]


# ---- bad rows -------------------------------------------------------------------------------------------------------

BAD_ROWS = {
    "not JSON": ("{text: 1}", "not JSON"),
    "cut short": ('{"text": "abc', "not JSON"),
    "no key": ('{"body": "x"}', "no key 'text'"),
    "null": ('{"text": null}', "'text' is null, not text"),
    "number": ('{"text": 5}', "'text' is int, not text"),
    "list": ('["text"]', "a JSON list, not an object"),
    "twice": ('{"text": "a", "text": "b"}', "the key 'text' appears twice"),
    "deep": ('{"text": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deeply"),
    "surrogate": ('{"text": "a\\ud800b"}', "half a surrogate pair at character 1"),
    "nul": ('{"text": "a\\u0000b"}', "a NUL character at 1"),
    "huge number": ('{"text": ' + "1" * 10_000 + "}", "not JSON"),
}


@pytest.mark.parametrize("row, reason", BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_a_bad_row_is_named_and_the_others_are_kept(tmp_path: Path, row: str, reason: str) -> None:
    good = '{"text": "good"}'
    first, bad, last = read(make(tmp_path, "a.jsonl", f"{good}\n{row}\n{good}\n"))
    assert [first, last] == [Document("s", f"a.jsonl:{n}", "good") for n in (1, 3)]
    assert isinstance(bad, Bad) and bad.place == "line 2" and reason in bad.reason


def test_a_row_that_is_not_utf8(tmp_path: Path) -> None:
    bad, good = read(make(tmp_path, "a.jsonl", b'{"text": "\xff"}\n{"text": "x"}\n'))
    assert isinstance(bad, Bad) and "at byte 10 of the line" in bad.reason
    assert isinstance(good, Document)


# ---- long documents -------------------------------------------------------------------------------------------------


@given(st.text(max_size=200), st.integers(8, 50))
def test_pieces_join_to_the_text_and_respect_the_limit(text: str, limit: int) -> None:
    pieces = list(split_text(text.encode(), limit))
    assert b"".join(pieces).decode() == text
    assert all(len(piece) <= limit and piece.decode() is not None for piece in pieces)


@pytest.mark.parametrize("at", [0, 1023, 1024, 1025, 5000, 9999])
def test_a_bad_byte_in_a_long_file_is_found_at_its_place(tmp_path: Path, at: int) -> None:
    data = bytearray(b"a" * 10_000)
    data[at : at + 1] = b"\xff"
    assert only_bad(make(tmp_path, "a.txt", bytes(data)), document_bytes=1024).place == f"byte {at}"
    assert only_bad(make(tmp_path, "b.txt", b"\x80" * 10_000), document_bytes=1024).place == "byte 0"


def test_pieces_end_at_a_newline_where_there_is_one() -> None:
    assert list(split_text(b"12345678\nabc", 10)) == [b"12345678\n", b"abc"]


def test_one_enormous_line(tmp_path: Path) -> None:
    """50 MB without a newline, as text and as a row: linear time and pieces of the size allowed."""
    line = b"word " * 10_000_000
    for path in (make(tmp_path, "a.txt", line), make(tmp_path, "a.jsonl", json.dumps({"text": line.decode()}))):
        sizes = [len(item.text) for item in read(path, document_bytes=1 << 24) if isinstance(item, Document)]
        assert sizes == [1 << 24, 1 << 24, 50_000_000 - (1 << 25)]


def test_lines_of_json_are_read_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'\xef\xbb\xbf{"a": 1}\n\n ["b\xe2\x80\xa8"]\r\n{'))
    rows = documents.json_lines(path)
    assert [next(rows), next(rows)] == [(f"{path}:1", {"a": 1}), (f"{path}:3", ["b\u2028"])]
    with pytest.raises(DataError, match=r"a\.jsonl\.gz:4: not JSON"):
        next(rows)
    monkeypatch.setattr(documents, "MOST_LINE", 10)
    (tmp_path / "long.jsonl").write_bytes(b'"' + b"a" * 10 + b'"')
    with pytest.raises(DataError, match="a line of more than 10 bytes"):
        list(documents.json_lines(tmp_path / "long.jsonl"))
