"""The arrays that rules share, beside their definition in plain Python."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from presage.data.fingerprints import grams, words_of
from presage.data.folding import WORDS, Batch
from presage.data.rules.texts import Texts

WRITTEN = st.lists(st.text(alphabet="aB éж.,\n1-"), max_size=6)


def slow_words(text: str) -> list[str]:
    """Words as the module's head defines them."""
    kept = "".join(c for c in text.lower().replace("é", "e") if c.isalnum() or c.isspace())
    return kept.split()


@given(WRITTEN)
def test_words_of_each_text(texts: list[str]) -> None:
    batch = Texts(texts)
    found = [batch.folded.data[a:b].decode() for a, b in zip(batch.words.starts, batch.words.ends, strict=True)]
    expected = [slow_words(text) for text in texts]
    assert found == [word for words in expected for word in words]
    assert batch.word_counts.tolist() == [len(words) for words in expected]
    assert batch.word_sizes.tolist() == [len(word) for words in expected for word in words]
    assert batch.text_of_word.tolist() == [i for i, words in enumerate(expected) for _ in words]


@given(WRITTEN, st.integers(1, 4))
def test_grams_stay_within_a_text(texts: list[str], n: int) -> None:
    batch = Texts(texts)
    hashes, first = batch.grams(n)
    places = [
        int(batch.word_marks[i]) + k for i, text in enumerate(texts) for k in range(len(slow_words(text)) - n + 1)
    ]
    assert first.tolist() == places
    alone = [grams(words_of(Batch([text], {WORDS}).streams[WORDS]).hashes[1:-1], n).tolist() for text in texts]
    assert hashes.tolist() == [h for one in alone for h in one]


def test_no_texts_and_empty_texts() -> None:
    assert Texts([]).word_counts.tolist() == []
    assert Texts(["", " . "]).word_counts.tolist() == [0, 0]
    assert Texts([]).grams(5)[0].tolist() == []
