"""What crosses between candidate and checker: plain values, whole, or nothing."""

from __future__ import annotations

import contextlib
import math
from collections import Counter, OrderedDict, defaultdict, namedtuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presage.tasks.sandbox import inside

KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    KEYS | st.complex_numbers(allow_nan=False) | st.text(st.characters()) | st.builds(range, st.integers(-9, 9)),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
    ),
    max_leaves=20,
)


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return same([*a], [*b]) and same([*a.values()], [*b.values()])
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@given(VALUES)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert same(inside.decode(inside.encode(value)), value)


def test_numbers_that_are_none_come_back() -> None:
    assert math.isnan(inside.decode(inside.encode(math.nan)))
    assert inside.decode(inside.encode([math.inf, -0.0])) == [math.inf, 0.0]
    assert inside.decode(inside.encode("\ud800")) == "\ud800"


def test_subclasses_cross_as_what_they_hold() -> None:
    pair_of = namedtuple("pair_of", "a b")

    class Sly(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Text(str):
        def encode(self, *_: object) -> bytes:
            return b"other"

    values = [pair_of(1, 2), Sly(7), Text("mine"), OrderedDict(a=1), Counter("aa"), defaultdict(list, a=[1])]
    back = inside.decode(inside.encode(values))
    assert same(back, [(1, 2), 7, "mine", {"a": 1}, {"a": 2}, {"a": [1]}])


@given(st.binary(max_size=60))
@settings(max_examples=500)
def test_bytes_of_anybody_are_values_or_refused(data: bytes) -> None:
    try:
        value = inside.decode(data)
    except inside.NotPlain:
        return
    assert same(inside.decode(inside.encode(value)), value) or value != value


@given(VALUES, st.data())
def test_damaged_values_are_values_or_refused(value: Any, data: st.DataObject) -> None:
    whole = bytearray(inside.encode(value))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(inside.NotPlain):
        inside.decode(bytes(whole))


HOSTILE = {
    "deep": b"l1:" * 20_000 + b"N0:",
    "promises much": b"l99999999:",
    "promises more": b"l" + b"9" * 400 + b":",
    "long number": b"i3000000:" + b"9" * 3_000_000,
    "digits of another script": "i3:٣".encode(),
    "bad text": b"s2:\xff\xfe",
    "unhashable": b"S1:l0:",
    "unhashable key": b"d1:l0:N0:",
    "cut": b"s5:abc",
    "more": b"N0:N0:",
    "no tag": b"3:abc",
    "unknown tag": b"q0:",
    "zero step": b"r0:i1:0i1:1i1:0",
    "range of text": b"r0:s1:0i1:1i1:1",
    "nothing": b"",
    "negative": b"l-1:",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused(name: str) -> None:
    with pytest.raises(inside.NotPlain):
        inside.decode(HOSTILE[name])


def test_too_much_is_not_written() -> None:
    for value in ("x" * 5_000_000, [0] * 2_000_000, 10**4001, object(), [object()], type, print, memoryview(b"x")):
        with pytest.raises(inside.NotPlain):
            inside.encode(value)
    assert inside.decode(inside.encode(10**3900)) == 10**3900
