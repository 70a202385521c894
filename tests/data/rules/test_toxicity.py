"""Documents with too many listed words are removed, whatever their spelling; a classifier learns from two files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.data.rules.quality import Quality
from presage.data.rules.texts import Texts
from presage.data.rules.toxicity import BUILT_IN, blocklist_rule, read_words, toxicity_rule

SAMPLES = Path(__file__).parents[4] / "shared/data/align/openai_moderation/samples-1680.jsonl.gz"
LIST = ["darn", "blast it", "oh my goodness me"]


def naive_share(text: str, phrases: Sequence[str]) -> float:
    """Word by word."""
    words = text.split()
    listed = [False] * len(words)
    for phrase in map(str.split, phrases):
        for first in range(len(words) - len(phrase) + 1):
            if words[first : first + len(phrase)] == phrase:
                listed[first : first + len(phrase)] = [True] * len(phrase)
    return sum(listed) / max(1, len(words))


@given(st.lists(st.lists(st.sampled_from(["darn", "blast", "it", "oh", "my", "goodness", "me", "pie"]), max_size=12)))
def test_the_share_is_that_of_a_naive_count(documents: list[list[str]]) -> None:
    texts = [" ".join(words) for words in documents]
    measured = blocklist_rule(LIST, 0.01).measure(Texts(texts))
    assert measured.tolist() == [naive_share(text, LIST) for text in texts]


def test_spelling_does_not_matter_and_parts_of_words_do_not_count() -> None:
    rule = blocklist_rule(LIST, 0.1)
    values = rule.measure(Texts(["DÄRN! pie", "darning darned darns", "Blast\n  it - pie pie", "", "blast pie it"]))
    assert values.tolist() == [0.5, 0.0, 0.5, 0.0, 0.0]
    assert rule.removes(values).tolist() == [True, False, True, False, False]


def test_a_list_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("# mine\ndarn\n\nblast it  # and so on\n...\n", encoding="utf-8")
    assert read_words(str(path)) == ["darn", "blast it"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# none\n\n", "has no words"),
        (b"ok\none two three four five six seven eight nine\n", r"words\.txt:2: a phrase of 9 words"),
        (b"caf\xe9\n", "not UTF-8 at byte 3"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_bad_list_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        read_words(str(path))


def test_the_built_in_list_has_each_word_once() -> None:
    words = read_words(BUILT_IN)
    assert len(set(words)) == len(words) > 100
    assert np.count_nonzero(blocklist_rule(words, 0.01).measure(Texts(words)) == 1) == len(words)


def test_a_classifier_removes_what_resembles_the_toxic_file() -> None:
    kind, unkind = ("a lovely pleasant morning with tea number %d", "you horrible stupid awful nasty creature %d")
    model = Quality.train((unkind % i for i in range(40)), (kind % i for i in range(40)), seed=0)
    rule = toxicity_rule(model, 0.9)
    values = rule.measure(Texts(["such a stupid awful nasty horrible creature", "a pleasant lovely morning with tea"]))
    assert rule.removes(values).tolist() == [True, False]


@pytest.mark.skipif(not SAMPLES.is_file(), reason="no ../shared/data/align/openai_moderation here")
def test_on_labelled_prompts() -> None:
    """Offensive prompts hold listed words far more often than the others; textbooks do not at all."""
    rows = [json.loads(line) for line in gzip.decompress(SAMPLES.read_bytes()).splitlines()]
    offensive = np.array([any(row.get(label) == 1 for label in ("S", "H", "V", "S3", "H2", "V2")) for row in rows])
    rule = blocklist_rule(read_words(BUILT_IN), 0.01)
    removed = rule.removes(rule.measure(Texts([row["prompt"] for row in rows])))
    assert removed[offensive].mean() > 0.4
    assert removed[~offensive].mean() < 0.06
