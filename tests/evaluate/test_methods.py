"""The three methods: what they flag, by hand, beside their slow twins, and against shuffled items."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presage.data.documents import Document
from presage.data.folding import RUNS, WORDS, Batch
from presage.data.items import Item
from presage.evaluate import contamination, matching
from presage.evaluate.contamination import Scanner
from presage.evaluate.ngrams import Analysis, Overlap
from presage.evaluate.patterns import LENGTH, SHORTEST, draw
from tests.evaluate import slow

# Few words, so that phrases are shared by accident; marks, cases and scripts between them.
WORD = st.sampled_from(
    ["a", "the", "The", "is", "of", "which", "following", "photosynthesis", "café", "слово", "don't"]
)
GAP = st.sampled_from([" ", " ", " ", "\n", ", ", " — ", "-", "’", ". ", ""])
TEXT = st.lists(st.tuples(WORD, GAP), max_size=45).map(lambda pairs: "".join(word + gap for word, gap in pairs))


def documents_of(texts: list[str]) -> list[Document]:
    return [Document("s", str(number), text) for number, text in enumerate(texts)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, str], list[str]]:
    """Items, and documents of which some hold a part of an item."""
    items = {f"i{k}": text for k, text in enumerate(draw(st.lists(TEXT, min_size=1, max_size=5)))}
    documents = draw(st.lists(TEXT, min_size=1, max_size=5))
    for text in draw(st.lists(st.sampled_from(list(items.values())), max_size=3)):
        start, end = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        place = draw(st.integers(0, len(documents) - 1))
        documents[place] += "\n" + text[start:end] + "\n" + draw(TEXT)
    return items, documents


def fast(items: dict[str, str], documents: list[str], method: str, seed: int) -> slow.Met:
    report = Scanner([Item(*pair) for pair in items.items()], [method], seed).scan(documents_of(documents))
    numbers = {hit.item: int(hit.document) for hit in report.hits}
    texts = {hit.item: documents[int(hit.document)].encode()[: hit.offset].decode() for hit in report.hits}
    return {item: (numbers[item], len(texts[item])) for item in numbers}


@settings(max_examples=150, deadline=None)
@given(cases(), st.integers(0, 3))
def test_substrings_equal_their_slow_twin(case: tuple[dict[str, str], list[str]], seed: int) -> None:
    assert fast(*case, "gpt4", seed) == slow.substrings(*case, seed)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_ngrams_equal_their_slow_twins(case: tuple[dict[str, str], list[str]]) -> None:
    items, documents = case
    for method, kind in {"gpt3": Analysis, "gpt2": Overlap}.items():
        counts = {name: len(slow.words(text, kind.floor)) for name, text in items.items()}
        lengths = dict(zip(items, kind.lengths(np.array([*counts.values()])).tolist(), strict=True))
        assert fast(items, documents, method, 0) == slow.ngrams(items, documents, kind.floor, lengths)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_overlap_is_the_share_of_distinct_ngrams(case: tuple[dict[str, str], list[str]]) -> None:
    items, documents = case
    report = Scanner([Item(*pair) for pair in items.items()], ["gpt2"]).scan(documents_of(documents))
    assert report.facts["gpt2"]["overlap"] == slow.overlap(items, documents, RUNS, 8)


@settings(max_examples=40, deadline=None)
@given(cases(), st.integers(1, 3))
def test_batches_and_slices_change_nothing(case: tuple[dict[str, str], list[str]], rows: int) -> None:
    items, documents = case
    scanner = Scanner([Item(*pair) for pair in items.items()])
    whole = scanner.scan(documents_of(documents))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contamination, "_BATCH", 1)
        patch.setattr(matching, "MOST_ROWS", rows)
        parts = scanner.scan(documents_of(documents))
    assert parts.facts == whole.facts
    key = [(hit.method, hit.item) for hit in whole.hits]
    assert sorted(parts.hits, key=str) == sorted(whole.hits, key=str)
    assert len(key) == len(set(key))


# ---- by hand --------------------------------------------------------------------------------------------------------

QUESTION = (
    "In which year did the old lighthouse keeper of the northern island repaint the seven red boats of his uncle?"
)


@pytest.mark.parametrize(
    ("text", "by"),
    [
        (QUESTION, {"gpt4", "gpt3", "gpt2"}),
        (QUESTION.upper(), {"gpt4", "gpt3", "gpt2"}),
        (QUESTION.replace(" ", "\n"), {"gpt4", "gpt3", "gpt2"}),
        (QUESTION.replace(" ", ""), {"gpt4"}),
        (QUESTION.replace(" ", ", "), {"gpt4", "gpt3", "gpt2"}),
        (QUESTION.replace("northern", "southern"), {"gpt2"}),  # 10 equal words on one side, fewer on the other
        (QUESTION.replace("year", "month"), {"gpt4", "gpt3", "gpt2"}),
        (QUESTION.replace("lighthouse", "x").replace("northern", "x").replace("boats", "x"), set()),
        ("", set()),
    ],
)
def test_what_each_method_sees(text: str, by: set[str]) -> None:
    items = [Item("q", QUESTION), *(Item(f"o{k}", f"something else {k} " * 9) for k in range(30))]
    hits = Scanner(items).scan(documents_of(["Before. " + text + " After."])).hits
    assert {hit.method for hit in hits if hit.item == "q"} == by


def test_a_row_of_zeros_is_flagged_once() -> None:
    """Where a pattern stands at every byte, its first place is kept and not all of them."""
    hits = Scanner([Item("q", "0" * 60)], ["gpt4"]).scan(documents_of(["ab " + "0" * 300_000])).hits
    assert [(hit.item, hit.offset) for hit in hits] == [("q", 3)]


def test_nothing_is_found_across_two_documents() -> None:
    half = len(QUESTION) // 2
    report = Scanner([Item("q", QUESTION)], ["gpt4"]).scan(documents_of([QUESTION[:half], QUESTION[half:]]))
    assert report.hits == [] or len(QUESTION[:half]) >= LENGTH
    words = "one two three four five six seven eight"
    assert Scanner([Item("q", words)]).scan(documents_of([words[:20], words[20:]])).hits == []


@pytest.mark.parametrize(("size", "count"), [(0, 0), (SHORTEST - 1, 0), (SHORTEST, 1), (LENGTH, 1), (400, 3)])
def test_patterns_of_an_item(size: int, count: int) -> None:
    letters = "".join(random.Random(size).choices("abcdeé", k=size)).encode()
    ranges = draw(letters, 0, "name")
    assert len(ranges) == count
    assert all(len(letters[a:b].decode()) == min(size, LENGTH) for a, b in ranges)
    assert ranges == draw(letters, 0, "name")


@pytest.mark.parametrize(
    ("counts", "lengths"),
    [
        ([7, 8, 30], [0, 8, 8]),
        ([*[20] * 40], [13] * 40),
        ([10, *[20] * 40], [10, *[13] * 40]),  # the shortest twentieth is tested whole
        ([*[11] * 40, 12], [11] * 41),
    ],
)
def test_n_of_the_overlap_analysis(counts: list[int], lengths: list[int]) -> None:
    assert Analysis.lengths(np.array(counts)).tolist() == lengths
    assert Overlap.lengths(np.array(counts)).tolist() == [8 if count >= 8 else 0 for count in counts]


def test_shuffled_items_are_not_flagged_by_substrings() -> None:
    chance = random.Random(0)
    words = [f"{a}{b}" for a in ("ter", "mol", "gra", "sin", "pol") for b in ("ing", "ate", "es", "or", "um", "al")]
    documents = [" ".join(chance.choices(words, k=400)) for _ in range(200)]
    shuffled = []
    for number in range(1000):
        part = documents[number % 200].split()[number % 300 :][:40]
        chance.shuffle(part)
        shuffled.append(Item(str(number), " ".join(part)))
    assert Scanner(shuffled, ["gpt4"]).scan(documents_of(documents)).hits == []


def test_a_phrase_common_to_many_items_is_compared_in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "MOST_ROWS", 64)
    phrase = "which of the following statements about the cell is not true "
    items = [Item(str(k), f"{phrase}{k}{k}{k} {'xyzuvw'[k % 6] * 30}") for k in range(200)]
    report = Scanner(items).scan(documents_of([items[3].text + " " + phrase * 5, items[150].text]))
    assert {hit.item for hit in report.hits if hit.method == "gpt4"} >= {"3", "150"}
    assert set(report.flagged_by("gpt3")) == {"3", "150"}
    assert set(report.flagged_by("gpt2")) == {str(k) for k in range(200)}


def test_long_words_are_told_apart_by_comparison() -> None:
    long = "x" * 100
    items = [Item("q", " ".join([long + "a", *"bcdefgh"]))]
    found = Scanner(items, ["gpt3", "gpt2"]).scan(documents_of([" ".join([long + "z", *"bcdefgh"])]))
    assert found.hits == []
    assert Batch([items[0].text], [WORDS]).streams[WORDS].part(0).strip() == items[0].text.encode()
