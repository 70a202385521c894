"""GPT-3's filter beside its definition in plain Python, on made and on real text."""

from __future__ import annotations

import pydoc_data.topics
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import ConfigError
from presage.data.decontaminate import Grams, collisions, cut, documents_per_gram
from presage.data.documents import Document
from presage.data.folding import WORDS
from presage.data.items import Item
from presage.data.rules.texts import Texts
from presage.evaluate.contamination import Scanner
from tests.evaluate import slow

Found = tuple[int, tuple[str, ...], int, int]  # text, gram, first character, character after the last

WORD = st.sampled_from(["a", "B", "b,", "é", "extraordinarily", "extraordinarilx", "?", "e\u0301"])
TEXT = st.lists(WORD, max_size=12).map(" ".join) | st.text(alphabet="aB é.\u00ad\n", max_size=30)
WRITTEN = st.lists(TEXT, max_size=5)


def items_of(texts: list[str]) -> list[Item]:
    return [Item(str(number), text) for number, text in enumerate(texts)]


def words_of(text: str) -> list[str]:
    return [word for word, _ in slow.words(text, WORDS)]


def slow_grams(items: list[str], n: int, shortest: int) -> set[tuple[str, ...]]:
    wanted = set()
    for words in map(words_of, items):
        length = min(n, len(words))
        if length >= shortest:
            wanted |= {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}
    return wanted


def slow_hits(items: list[str], texts: list[str], n: int, shortest: int) -> list[Found]:
    wanted = slow_grams(items, n, shortest)
    found = []
    for index, text in enumerate(texts):
        there = slow.words(text, WORDS)
        letters, places = slow.reading(text, WORDS)
        ends = [places[i] + 1 for i, two in enumerate(pairwise([*letters, " "])) if two[0] != " " and two[1] == " "]
        for i in range(len(there)):
            for length in range(shortest, min(n, len(there) - i) + 1):
                gram = tuple(word for word, _ in there[i : i + length])
                if gram in wanted:
                    found.append((index, gram, there[i][1], ends[i + length - 1]))
    return found


def fast_hits(grams: Grams, texts: list[str]) -> list[Found]:
    hits = grams.hits(Texts(texts))
    rows = zip(hits.text.tolist(), hits.first.tolist(), hits.after.tolist(), strict=True)
    return [(text, tuple(words_of(texts[text][first:after])), first, after) for text, first, after in rows]


# ---- finding --------------------------------------------------------------------------------------------------------


@given(WRITTEN, WRITTEN, st.integers(1, 5), st.integers(1, 5))
def test_hits_are_those_of_the_definition(items: list[str], texts: list[str], a: int, b: int) -> None:
    shortest, n = sorted((a, b))
    texts = texts + items  # so that there is something to find
    grams = Grams(items_of(items), n, shortest)
    assert fast_hits(grams, texts) == slow_hits(items, texts, n, shortest)
    assert len(grams) == len(slow_grams(items, n, shortest))
    assert grams.untestable == [str(i) for i, text in enumerate(items) if len(words_of(text)) < shortest]
    assert grams.facts == {"grams": len(grams), "untestable": len(grams.untestable)}


@given(WRITTEN, st.integers(1, 4))
def test_one_gram_has_one_number(texts: list[str], n: int) -> None:
    grams = Grams(items_of(texts), n, 1)
    hits, found = grams.hits(Texts(texts)), fast_hits(grams, texts)
    pairs = {(number, gram) for number, (_, gram, _, _) in zip(hits.gram.tolist(), found, strict=True)}
    assert len(pairs) == len(grams) == len({number for number, _ in pairs}) == len({gram for _, gram in pairs})


def test_a_short_item_is_one_gram_and_a_shorter_one_untestable() -> None:
    items = [Item("short", "one two three four five six seven eight"), Item("shorter", "one two three")]
    grams = Grams(items)
    assert (grams.facts, grams.untestable) == ({"grams": 1, "untestable": 1}, ["shorter"])
    text = "Zero. One, TWO three\nfour five six seven «eight»! nine"
    hits = grams.hits(Texts(["", text]))
    assert [text[a:b] for a, b in zip(hits.first, hits.after, strict=True)] == [text[6:-7]]
    assert Grams(items, shortest=13).untestable == ["short", "shorter"]


def test_words_that_hash_alike_are_compared_to_their_end() -> None:
    """Only 64 bytes of a word and its length go into its hash."""
    long = ["x" * 70 + end for end in "ab"]
    grams = Grams(items_of(long), 1, 1)
    assert len(grams) == 2
    assert fast_hits(grams, [long[1], "x" * 70 + "c"]) == [(0, (long[1],), 0, 71)]


def test_impossible_lengths_are_refused() -> None:
    with pytest.raises(ConfigError, match="not 1 <= shortest <= n"):
        Grams([], 8, 9)


def test_no_items_and_no_texts() -> None:
    assert len(Grams([]).hits(Texts(["some words"]))) == 0
    assert len(Grams(items_of(["a b"]), 2, 1).hits(Texts([]))) == 0


def test_a_text_full_of_hits_gives_one_for_each_word_and_length() -> None:
    grams = Grams(items_of(["a " * length for length in (3, 4, 9)]), 5, 3)
    assert len(grams.hits(Texts(["a " * 50_000]))) == sum(50_000 - length + 1 for length in (3, 4, 5))


# ---- counting -------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=40), st.integers(0, 4))
def test_documents_are_counted_once_for_each_gram(pairs: list[tuple[int, int]], common: int) -> None:
    document, gram = (np.array([pair[i] for pair in pairs], np.int64) for i in range(2))
    counts = [len({d for d, g in pairs if g == gram}) for gram in range(5)]
    assert documents_per_gram(document, gram, 5).tolist() == counts
    assert collisions(document, gram, 5, common).tolist() == [counts[g] <= common for _, g in pairs]


# ---- cutting --------------------------------------------------------------------------------------------------------


def slow_cut(text: str, spans: list[tuple[int, int]], window: int, shortest: int, most: int) -> list[str] | None:
    gone = {i for first, after in spans for i in range(first - window, after + window)}
    marked = "".join("\0" if i in gone else letter for i, letter in enumerate(text))
    pieces = [piece for piece in marked.split("\0") if piece]
    if spans and len(pieces) > most:
        return None
    return [piece for piece in pieces if len(piece) >= shortest] if spans else [text]


SPAN = st.tuples(st.integers(0, 59), st.integers(1, 9)).map(lambda span: (span[0], min(60, span[0] + span[1])))


@given(st.lists(SPAN, max_size=8), st.integers(0, 9), st.integers(0, 9), st.integers(0, 4))
def test_cut_is_that_of_the_definition(spans: list[tuple[int, int]], window: int, shortest: int, most: int) -> None:
    text = "".join(chr(97 + i % 26) for i in range(60))
    assert cut(text, spans, window, shortest, most) == slow_cut(text, spans, window, shortest, most)


def test_the_numbers_of_the_report() -> None:
    text = "".join(chr(0x4E00 + i) for i in range(5000))
    assert cut(text, [(400, 460)]) == [text[:200], text[660:]]
    assert cut(text, [(399, 460)]) == [text[660:]], "199 characters are dropped"
    assert cut(text, [(400, 460), (900, 950)]) == [text[:200], text[1150:]]
    assert cut(text[:100], []) == [text[:100]], "a short text without a collision stays"
    assert cut(text[:300], [(100, 200)]) == []
    spans = [(450 * k + 210, 450 * k + 220) for k in range(10)]
    assert cut(text, spans[:9]) is not None
    assert cut(text, spans) is None, "eleven pieces, most of them short"


# ---- together -------------------------------------------------------------------------------------------------------

PROSE = "\n\n".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))
QUESTIONS = [
    Item(f"q{k}", f"Which of the {k} barges on the Amstel {k} carried salt, {k}, and who “counted” them {1600 + k}?")
    for k in range(20)
] + [Item("brief", "Who then, if anyone, did count the barges?")]


def pass_over(grams: Grams, documents: list[str]) -> list[str]:
    """What a stage does: match, count, cut."""
    hits = grams.hits(Texts(documents))
    rare = collisions(hits.text, hits.gram, len(grams))
    spans: dict[int, list[tuple[int, int]]] = {}
    for text, *span in np.stack([hits.text, hits.first, hits.after], 1)[rare].tolist():
        spans.setdefault(text, []).append((span[0], span[1]))
    return [piece for index, text in enumerate(documents) for piece in cut(text, spans.get(index, [])) or []]


def test_planted_items_are_gone_and_the_rest_stays() -> None:
    size = 5000
    clean = [PROSE[size * k : size * (k + 1)] for k in range(len(QUESTIONS))]
    planted = [f"{text[:2000]} {item.text.upper()}\n{text[2000:]}" for text, item in zip(clean, QUESTIONS, strict=True)]
    scanner, grams = Scanner(QUESTIONS, ["gpt3"]), Grams(QUESTIONS)

    def flagged(texts: list[str]) -> list[str]:
        return scanner.scan(Document("s", str(i), text) for i, text in enumerate(texts)).flagged

    assert (flagged(clean), len(flagged(planted))) == ([], len(QUESTIONS))
    kept = pass_over(grams, planted)
    assert flagged(kept) == []
    for before, (head, tail) in zip(clean, zip(kept[::2], kept[1::2], strict=True), strict=True):
        assert before.startswith(head) and before.endswith(tail)
        assert len(head) + len(tail) == size - (200 + 200 - 3), "the windows, less space, question mark and line break"
    assert pass_over(grams, kept) == kept


def test_what_stands_in_more_than_ten_documents_is_a_common_phrase() -> None:
    grams, question = Grams(QUESTIONS), QUESTIONS[0].text
    text = f"{question} {PROSE[:1000]}"
    rest = PROSE[198:1000]  # the window begins with a question mark and a space
    assert pass_over(grams, [text] * 11) == [text] * 11
    assert pass_over(grams, [text] * 10) == [rest] * 10
    assert pass_over(grams, [f"{question} " * 11 + text]) == [rest], "often in one document counts once"
