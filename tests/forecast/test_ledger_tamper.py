"""The ledger when somebody changes it: nothing but a whole rewrite, or a tail cut off, goes unnoticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import CorruptError
from presage.forecast import ledger as ledgers
from tests.forecast.lab import digest_of, lines, relinked, write


def test_every_flipped_byte_is_found_in_its_line(ledger: Path) -> None:
    whole = ledger.read_bytes()
    for place in range(0, len(whole), 3):
        ledger.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << place % 8)]) + whole[place + 1 :])
        found = ledgers.problems(ledger)
        assert found and found[0][0] == f"{ledger}:{number_at(whole, place)}", place


def number_at(text: bytes, place: int) -> int:
    return text[:place].count(b"\n") + 1


@given(st.data())
def test_every_changed_value_is_found_in_its_entry(kept: Path, data: st.DataObject) -> None:
    entries = lines(kept)
    number = data.draw(st.integers(0, len(entries) - 1))
    place = data.draw(st.sampled_from([entries[number], entries[number]["what"]]))
    key = data.draw(st.sampled_from(sorted(set(place) - {"what"})))
    new = data.draw(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()))
    before, place[key] = place[key], new
    ledger = kept.with_name("changed.jsonl")
    write(ledger, entries)
    found = ledgers.problems(ledger)
    ledger.unlink()
    same = json.dumps(before) == json.dumps(new)
    assert same or any(what.startswith(f"entry {number + 1}: ") for _, what in found)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda e: e.pop(1), "entry 2: is numbered 3"),
        (lambda e: e.insert(2, e.pop(3)), "entry 3: is numbered 4"),
        (lambda e: e.append(dict(e[0])), "entry 6: is numbered 1"),
        (lambda e: e[2]["what"].update(name="better"), "entry 3: its content does not give its digest"),
        (lambda e: e[4].update(extra=1), "entry 5: unknown key 'extra'"),
        (lambda e: e[0].pop("date"), "entry 1: date: Field required"),
        (
            lambda e: e[0]["what"].update(point=-1.0),
            "entry 1: what.Sealed.point: Input should be greater than 0, got -1.0",
        ),
    ],
)
def test_changed_chains_name_the_entry(ledger: Path, change: Callable[[Any], object], found: str) -> None:
    entries = lines(ledger)
    change(entries)
    write(ledger, entries)
    where, what = ledgers.problems(ledger)[0]
    assert what == found
    assert where == f"{ledger}:{found.split(':')[0].removeprefix('entry ')}"
    with pytest.raises(CorruptError, match="the chain is broken: entry"):
        ledgers.read(ledger)


def test_an_entry_with_its_digest_put_right_does_not_fit_the_next(ledger: Path) -> None:
    entries = lines(ledger)
    entries[1]["what"] |= {"actual": 2.0, "error_percent": 0.0}
    entries[1]["digest"] = digest_of(entries[1])
    write(ledger, entries)
    assert ledgers.problems(ledger) == [(f"{ledger}:3", "entry 3: does not follow the entry before it")]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda e: e[3]["what"].update(inside=True), "entry 4: its error does not follow from what was promised"),
        (lambda e: e[3]["what"].update(actual=4.1), "entry 4: its error does not follow from what was promised"),
        (lambda e: e.pop(2), "entry 3: a score without its forecast"),
        (lambda e: e.append(dict(e[3])), "entry 6: the same forecast scored a second time"),
        (lambda e: e.append(dict(e[0])), "entry 6: the same forecast a second time"),
        (lambda e: e[0].update(kind="score"), "entry 1: holds no score"),
    ],
)
def test_even_a_whole_rewrite_must_make_sense(ledger: Path, change: Callable[[Any], object], found: str) -> None:
    entries = lines(ledger)
    change(entries)
    write(ledger, relinked(entries))
    assert ledgers.problems(ledger)[0][1] == found


def test_a_line_in_another_form_is_found(ledger: Path) -> None:
    text = ledger.read_text()
    for changed in (text.replace(",", ", ", 1), text.replace("\n", "\r\n", 1), text.replace('{"', '{"date":"x","', 1)):
        ledger.write_bytes(changed.encode())
        assert ledgers.problems(ledger)[0][1] == "entry 1: not in the form that presage writes"
    ledger.write_text(text[:-1])
    assert ledgers.problems(ledger) == [(f"{ledger}:5", "entry 5: its line has no end")]
    ledger.write_text(text + "\n")
    assert ledgers.problems(ledger) == [(f"{ledger}:6", "entry 6: not a line of JSON")]


def test_what_only_a_published_head_tells(ledger: Path) -> None:
    """The limit, as stated: a rewrite from first to last and a tail cut off make whole chains."""
    published = [entry.digest for entry in ledgers.read(ledger)]
    write(ledger, lines(ledger)[:3])
    entries = ledgers.read(ledger)
    assert ledgers.problems(ledger) == []
    assert ledgers.position(entries, published[2]) == 3
    assert ledgers.position(entries, published[4]) is None
    rewritten = lines(ledger)
    rewritten[2]["what"] |= {"lo": 1.0, "hi": 9.0}
    write(ledger, relinked(rewritten))
    entries = ledgers.read(ledger)
    assert ledgers.problems(ledger) == []
    assert [ledgers.position(entries, digest) for digest in published[:3]] == [1, 2, None]
