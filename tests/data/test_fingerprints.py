"""Hashes of words and runs of words, and the table they are looked up in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.data.fingerprints import Groups, Table, grams, grams_at, same_words, words_of
from presage.data.folding import WORDS, Batch

WORD = st.text("abé", min_size=1, max_size=30)


@given(st.lists(WORD, max_size=30))
def test_words_are_found_and_equal_words_hash_equal(words: list[str]) -> None:
    stream = Batch([" ".join(words)], [WORDS]).streams[WORDS]
    found = words_of(stream)
    texts = [stream.data[a:b] for a, b in zip(found.starts, found.ends, strict=True)]
    assert texts == [b"\xff", *(word.replace("é", "e").encode() for word in words), b"\xff"]
    assert len(set(found.hashes.tolist())) == len(set(texts))


@pytest.mark.parametrize("n", range(1, 14))
def test_runs_of_words_hash_equal_when_the_words_are_equal_and_in_order(n: int) -> None:
    hashes = np.random.default_rng(n).integers(0, 3, 400).astype(np.uint64)
    runs = [tuple(hashes[i : i + n].tolist()) for i in range(len(hashes) - n + 1)]
    found = grams(hashes, n).tolist()
    assert len(found) == len(runs)
    assert len(set(found)) == len(set(runs)) == len(set(zip(runs, found, strict=True)))


def test_too_few_words_have_no_runs() -> None:
    assert len(grams(np.ones(7, np.uint64), 8)) == 0


@given(st.sets(st.integers(0, 2**64 - 1), max_size=50), st.lists(st.integers(0, 2**64 - 1), max_size=50))
def test_a_table_finds_its_keys_and_nothing_else(keys: set[int], others: list[int]) -> None:
    ordered = sorted(keys)
    asked = [*others, *ordered]
    where, index = Table(np.array(ordered, np.uint64)).find(np.array(asked, np.uint64))
    expected = [(place, ordered.index(value)) for place, value in enumerate(asked) if value in keys]
    assert list(zip(where.tolist(), index.tolist(), strict=True)) == expected


def test_rows_of_keys() -> None:
    keys, groups = Groups.of(np.array([3, 3, 5, 9, 9, 9]))
    assert keys.tolist() == [3, 5, 9]
    of, row = groups.rows(np.array([2, 0]))
    assert of.tolist() == [0, 0, 0, 1, 1]
    assert row.tolist() == [3, 4, 5, 0, 1]


@pytest.mark.parametrize("n", range(1, 14))
def test_runs_at_chosen_words_hash_as_all_runs_do(n: int) -> None:
    hashes = np.random.default_rng(n).integers(0, 1 << 63, 60).astype(np.uint64)
    places = np.array([40, 0, 7, 7])
    assert grams_at(hashes, places, n).tolist() == grams(hashes, n)[places].tolist()


@given(st.lists(WORD | st.text("ab", min_size=20, max_size=22), min_size=1, max_size=9))
def test_words_are_compared_byte_for_byte(words: list[str]) -> None:
    stream = Batch([" ".join(words)], [WORDS]).streams[WORDS]
    found = words_of(stream)
    real = np.arange(1, len(words) + 1)  # the marks are words too
    ours, theirs = (side.ravel() for side in np.meshgrid(real, real))
    folded = [word.replace("é", "e") for word in words]
    expected = [folded[i - 1] == folded[j - 1] for i, j in zip(ours, theirs, strict=True)]
    assert same_words(stream, found, ours, stream, found, theirs).tolist() == expected
