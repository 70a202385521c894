"""Copies: exact, near, and repeated paragraphs."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.data.duplicates import HASHES, SHINGLE, Paragraphs, fingerprint, near_copies, signature
from tests.data.conftest import WORDS


def words(seed: int, count: int) -> list[str]:
    random_ = random.Random(seed)
    return [random_.choice(WORDS) + str(random_.randint(0, 30)) for _ in range(count)]


def jaccard(a: list[str], b: list[str]) -> float:
    """The slow twin: similarity of the sets of shingles themselves."""
    first, second = ({tuple(w[i : i + SHINGLE]) for i in range(len(w) - SHINGLE + 1)} for w in (a, b))
    return len(first & second) / len(first | second)


def test_fingerprints_ignore_spacing_only() -> None:
    assert fingerprint("a  b\n\nc ") == fingerprint("a b c")
    assert len({fingerprint(t) for t in ("a b c", "A b c", "a b 1", "a b 2", "ab c", "")}) == 6


@pytest.mark.parametrize("changed", [0, 1, 3, 10, 40, 300])
def test_equal_entries_estimate_similarity(changed: int) -> None:
    """Over 20 documents the mean estimate is within three standard errors of the exact similarity."""
    estimates, exact = [], []
    for seed in range(20):
        one, other = words(seed, 300), words(seed, 300)
        for place in random.Random(seed).sample(range(300), changed):
            other[place] = "other"
        estimates.append(np.mean(signature(" ".join(one)) == signature(" ".join(other))))
        exact.append(jaccard(one, other))
    tolerance = 3 * np.sqrt(np.mean(exact) * (1 - np.mean(exact)) / (20 * HASHES)) + 1e-9
    assert abs(np.mean(estimates) - np.mean(exact)) <= tolerance


def test_near_copies_are_found_and_others_kept() -> None:
    original = words(0, 2000)
    edited = [*original]
    edited[700] = "edited"
    texts = [" ".join(w) for w in (original, words(1, 2000), edited, words(2, 2000), ["new", *original])]
    assert near_copies([signature(text) for text in texts]) == [0, 1, 0, 3, 0]


def test_short_records_that_differ_in_a_number_are_no_copies() -> None:
    rows = [f"What is {a} plus {b}? It is {a + b}." for a in range(20) for b in range(20)]
    assert near_copies([signature(row) for row in rows]) == list(range(400))


@given(st.lists(st.text(max_size=40), max_size=8))
def test_the_leader_of_a_document_is_never_later_and_leads_itself(texts: list[str]) -> None:
    leaders = near_copies([signature(text) for text in texts])
    assert all(leader <= index and leaders[leader] == leader for index, leader in enumerate(leaders))


def test_long_paragraphs_are_kept_once() -> None:
    once = Paragraphs(min_chars=20)
    notice = "Permission is hereby\ngranted to everyone."
    assert once.keep_new(f"{notice}\n\nShort.\n\nFirst text that is long.") == (
        f"{notice}\n\nShort.\n\nFirst text that is long.",
        0,
        0,
    )
    again = "Short.\n\nPERMISSION is  hereby granted to everyone.\n\nSecond text that is long."
    text, removed, removed_bytes = once.keep_new(again)
    assert (text, removed) == ("Short.\n\nSecond text that is long.", 1)
    assert removed_bytes == len(again) - len(text)


@given(st.text(alphabet="ab \n", max_size=80))
def test_a_text_without_long_paragraphs_is_unchanged(text: str) -> None:
    assert Paragraphs(min_chars=1000).keep_new(text) == (text, 0, 0)
