"""Keys that occur again, hashes of spans and sequences, beside plain Python."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from presage.data.rules.repetition import again, repeated, sequence_hashes, span_hashes

# Keys that differ in their lowest bits alone, which sorting hides at first, and keys that differ in their highest.
KEYS = st.lists(st.one_of(st.integers(0, 5), st.integers(0, 5).map(lambda key: key << 60)), max_size=60)


@given(KEYS)
@example([0, 1, 0, 1, 2])
def test_repeated(keys: list[int]) -> None:
    places, first = repeated(np.array(keys, np.uint64))
    times = Counter(keys)
    assert sorted(places.tolist()) == [i for i, key in enumerate(keys) if times[key] > 1]
    groups = np.split(places, np.flatnonzero(first))[1:]
    assert len(groups) == sum(count > 1 for count in times.values())
    for group in groups:
        assert group.tolist() == [i for i, key in enumerate(keys) if key == keys[group[0]]]


@given(KEYS)
def test_again(keys: list[int]) -> None:
    assert again(np.array(keys, np.uint64)).tolist() == [key in keys[:i] for i, key in enumerate(keys)]


SPANS = st.lists(st.tuples(st.text(alphabet="ab\0é", min_size=1, max_size=30), st.integers(0, 2)), max_size=12)


@given(SPANS)
@example([("a", 0), ("a\0", 0), ("a", 1), ("a" * 8, 0), ("a" * 9, 0), ("a" * 16, 0), ("a" * 8, 0)])
@example([("a" * 8 + "b" * 8, 0), ("b" * 8 + "a" * 8, 0)])
def test_spans_are_told_apart_by_bytes_and_owner(spans: list[tuple[str, int]]) -> None:
    parts = [text.encode() for text, _ in spans]
    ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
    starts = ends - np.array([len(part) for part in parts], np.int64)
    owners = np.array([owner for _, owner in spans], np.int64)
    hashes = span_hashes(b"".join(parts), starts, ends, owners).tolist()
    for one, hash_of_one in zip(spans, hashes, strict=True):
        assert [one == other for other in spans] == [hash_of_one == hash_ for hash_ in hashes]


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=4), max_size=12))
def test_sequences_are_told_apart_by_values_and_order(sequences: list[list[int]]) -> None:
    values = np.array([value for sequence in sequences for value in sequence], np.uint64)
    starts = np.cumsum([0, *map(len, sequences)])[:-1]
    hashes = sequence_hashes(values, starts).tolist()
    for one, hash_of_one in zip(sequences, hashes, strict=True):
        assert [one == other for other in sequences] == [hash_of_one == hash_ for hash_ in hashes]
