"""Damaged archives: each kind of damage is told with its record and costs nothing else."""

from __future__ import annotations

import gzip
import io
import random
from pathlib import Path

import pytest

from presage.data.documents import Bad, Document, read_file

pytest.importorskip("resiliparse", reason="the readers for the web are an extra")
pytest.importorskip("fastwarc", reason="the readers for the web are an extra")

from presage.data import web
from tests.data.archives import PACKED, good, html, http, make, only_bad, page, read, record

REFUSED = {
    "no http": (record(b"nothing of the kind", "u"), "not an HTTP response"),
    "endless header": (record(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 100_000, "u"), "not an HTTP response"),
    "not gzip": (record(http(b"none", extra="Content-Encoding: gzip\r\n"), "u"), "its encoding is not gzip"),
    "not chunked": (record(http(b"zz\r\nxx", extra="Transfer-Encoding: chunked\r\n"), "u"), "is not chunked"),
    "too long": (record(http(b"x" * 200_000), "u"), "a record of more than 100,000 bytes"),
    "a bomb within": (
        record(http(gzip.compress(bytes(50 << 20)), extra="Content-Encoding: gzip\r\n"), "u"),
        "a page of more than 100,000 bytes",
    ),
}


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("name", REFUSED)
def test_a_record_that_cannot_be_read_costs_nothing_else(tmp_path: Path, name: str, suffix: str) -> None:
    data, reason = REFUSED[name]
    path = make(tmp_path, f"a{suffix}", PACKED[suffix]([page(1), data, page(3)]))
    first, bad, last = read(path, page_bytes=100_000)
    assert (first, last) == (good(1), good(3))
    assert isinstance(bad, Bad) and bad.path == path.name
    assert bad.place.startswith("record 2 (byte ") and reason in bad.reason


DAMAGED = {
    "longer than it says": record(http(html("x" * 500)), "u", length=300),
    "shorter than it says": record(http(html("x")), "u", length=1500),
    "longer than the file": record(http(html("x")), "u", length=1 << 40),
    "passed over, longer than the file": record(b"x", "u", "request", length=1 << 40),
    "no length": record(http(html("x")), "u", length="many"),
    "negative": record(http(html("x")), "u", length=-1),
    "no record": b"something else\r\n" * 50,
    "zeros": bytes(100_000) + b"\n",
    "endless line": b"WARC/1.0\r\nX: " + b"a" * 200_000 + b"\n",
}


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz"])
@pytest.mark.parametrize("name", DAMAGED)
def test_after_a_damaged_record_reading_goes_on(tmp_path: Path, name: str, suffix: str) -> None:
    """What follows is whole again; of what came before, at most the record that the damage touches is lost."""
    path = make(tmp_path, f"a{suffix}", PACKED[suffix]([page(1), page(2), DAMAGED[name], page(4, 3000), page(5)]))
    items = read(path)
    bad = [item for item in items if isinstance(item, Bad)]
    assert [item for item in items if isinstance(item, Document)][-2:] == [good(4), good(5)]
    assert items[0] == good(1) and 1 <= len(bad) <= 2
    assert all(one.place.startswith("record ") and one.reason.startswith("damaged record: ") for one in bad)


def test_damaged_members(tmp_path: Path) -> None:
    members = [gzip.compress(page(number, 4000)) for number in range(1, 5)]

    def with_second(second: bytes) -> list[Document | Bad]:
        return read(make(tmp_path, "a.warc.gz", b"".join([members[0], second, *members[2:]])))

    flipped = bytearray(members[1])
    flipped[1000:1050] = bytes(50)
    wrong_sum = members[1][:-8] + bytes(4) + members[1][-4:]
    for second in (bytes(flipped), wrong_sum, b"\0" + members[1][1:], members[1][:700], b"garbage" * 100):
        first, bad, *others = with_second(second)
        assert (first, others) == (good(1), [good(3), good(4)])
        assert isinstance(bad, Bad) and bad.place == f"record 2 (byte {len(members[0])})"


@pytest.mark.parametrize("suffix", PACKED)
def test_an_archive_that_ends_early(tmp_path: Path, suffix: str) -> None:
    whole = PACKED[suffix]([page(1, 4000), page(2, 4000), page(3, 4000)])
    *others, bad = read(make(tmp_path, f"a{suffix}", whole[:-1500]))
    assert others == [good(1), good(2)]
    assert isinstance(bad, Bad) and bad.place.startswith("record 3 (byte ")


@pytest.mark.parametrize("suffix", PACKED)
def test_cut_anywhere_what_is_whole_comes_out(tmp_path: Path, suffix: str) -> None:
    records = [page(number, 200) for number in range(1, 6)]
    whole, chance = PACKED[suffix](records), random.Random(0)
    for length in [chance.randrange(1, len(whole)) for _ in range(100)]:
        items = read(make(tmp_path, f"a{suffix}", whole[:length]))
        kept = [item for item in items if isinstance(item, Document)]
        assert kept == [good(number) for number in range(1, len(kept) + 1)]
        edges = {len(PACKED[suffix](records[:n])) for n in range(6)}
        near_an_edge = any(abs(length - edge) < len("\r\n\r\n") + 1 for edge in edges)
        assert near_an_edge or isinstance(items[-1], Bad), "a record that is cut is told"


@pytest.mark.parametrize("suffix", [".warc.gz", "-whole.warc.gz"])
def test_with_one_byte_changed_nothing_is_made_up(tmp_path: Path, suffix: str) -> None:
    whole, chance = PACKED[suffix]([page(number, 200) for number in range(1, 6)]), random.Random(0)
    known = [good(number) for number in range(1, 6)]
    for _ in range(200):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        items = read(make(tmp_path, f"a{suffix}", bytes(data)))
        assert items == known or any(isinstance(item, Bad) for item in items)
        kept = [item for item in items if isinstance(item, Document)]
        assert suffix == "-whole.warc.gz" or [one for one in known if one in kept] == kept
        assert suffix == "-whole.warc.gz" or len(kept) >= 4


def test_archives_without_records(tmp_path: Path) -> None:
    assert only_bad(make(tmp_path, "a.warc", b"")).reason == "an archive without records"
    assert "damaged record" in only_bad(make(tmp_path, "a.warc.gz", b"")).reason
    assert "damaged record" in only_bad(make(tmp_path, "b.warc", b"plain text\n" * 20)).reason
    assert "damaged record" in only_bad(make(tmp_path, "b.warc.gz", b"plain text\n" * 20)).reason


def test_a_file_of_nothing_but_damage_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_DAMAGES", 3)
    *_, last = read(make(tmp_path, "a.warc", b"WARC/1.0\r\nContent-Length: 1\r\n\r\nxyz\r\n" * 10))
    assert isinstance(last, Bad) and last.reason == "damaged in more than 3 places; the rest is left out"


class Counted(io.BytesIO):
    """A file that knows how much of it was ever asked for at once."""

    most = 0

    def read(self, size: int | None = -1, /) -> bytes:
        block = super().read(size)
        self.most = max(self.most, len(block))
        return block


def test_a_bomb_is_read_in_small_pieces() -> None:
    member = record(bytes(100 << 20), "u")
    file = Counted(gzip.compress(member, 1))
    part = web._Member(file, 0)
    sizes = [len(block) for block in iter(lambda: part.read(65536), b"")]
    assert (sum(sizes), max(sizes)) == (len(member), 65536)
    assert file.most <= 65536


def test_an_archive_of_many_pages_is_read_as_it_is_asked_for(tmp_path: Path) -> None:
    path = make(tmp_path, "a.warc.gz", b"".join(gzip.compress(page(number, 60_000)) for number in range(50)))
    assert path.stat().st_size > 1 << 20
    reader = read_file("s", path, path.name)
    assert next(reader) == good(0)
    path.write_bytes(b"")  # what comes later was not read ahead
    assert len(list(reader)) < 10
