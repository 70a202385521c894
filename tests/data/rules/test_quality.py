"""GPT-3's filter: the published law of keeping, a classifier that tells texts apart, the same bits every time."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import CorruptError, DataError
from presage.data.documents import Document, read_bytes, read_paths
from presage.data.fingerprints import grams, words_of
from presage.data.folding import WORDS, Batch
from presage.data.rules.quality import FEWEST, Quality, draws, features, keep_chance, keeps
from presage.data.rules.texts import Texts
from tests.imports import PACKAGE

CALM = [
    "the",
    "river",
    "ran",
    "past",
    "old",
    "stone",
    "houses",
    "people",
    "talked",
    "about",
    "weather",
    "and",
    "friends",
]
LOUD = ["buy", "now", "cheap", "click", "free", "offer", "winner", "deal", "cash", "bonus", "the", "and", "about"]


def written(words: list[str], seed: int, count: int) -> list[str]:
    chance = random.Random(seed)
    return [" ".join(chance.choices(words, k=chance.randint(20, 60))) for _ in range(count)]


@pytest.fixture(scope="module")
def model() -> Quality:
    return Quality.train(written(CALM, 1, 200), written(LOUD, 2, 300), seed=0, bits=12)


# ---- the law --------------------------------------------------------------------------------------------------------


def test_chances_are_those_of_the_paper() -> None:
    scores = np.array([1, 0.95, 0.9, 0.75, 0.5, 0.1, 0])
    published = [1.000, 0.645, 0.424, 0.134, 0.0260, 0.0031, 0.00195]
    for ours, theirs in zip(keep_chance(scores), published, strict=True):
        assert math.isclose(ours, theirs, rel_tol=0.01)


def test_equal_in_law_to_numpys_pareto() -> None:
    """Four standard errors of 200,000 trials on either side."""
    trials = 200_000
    chance = np.random.default_rng(5)
    ours = draws([str(i) for i in range(trials)], seed=3)
    for score in (0.99, 0.9, 0.7, 0.4):
        theirs = np.mean(chance.pareto(9, trials) > 1 - score)
        kept = np.mean(keeps(np.full(trials, score), ours))
        assert abs(kept - theirs) < 4 * math.sqrt(2 * theirs / trials), score


def test_draws_are_uniform_and_of_the_text_alone() -> None:
    texts = [f"text {i}" for i in range(20_000)]
    u = draws(texts, 0)
    assert u.min() >= 0 and u.max() < 1
    counts = np.bincount((u * 100).astype(int), minlength=100)
    assert np.sum((counts - 200) ** 2 / 200) < 180  # chi-square of 99 degrees: 180 is beyond one in a million
    assert (draws(texts[::-1], 0)[::-1] == u).all()
    assert (draws(texts[7:9], 0) == u[7:9]).all()
    assert abs(np.corrcoef(u, draws(texts, 1))[0, 1]) < 0.03
    assert draws(["é\n"], 0) != draws(["é"], 0)
    assert draws([], 0).shape == (0,)


def test_a_certain_score_is_always_kept() -> None:
    assert keeps(np.ones(1), np.array([np.nextafter(1, 0)])).all()


# ---- features -------------------------------------------------------------------------------------------------------


@given(st.lists(st.text(alphabet="ab c", max_size=30), min_size=1, max_size=5))
def test_features_as_defined(texts: list[str]) -> None:
    """Beside plain loops: buckets of words and pairs, 1 + log of the counts, rows of length one."""
    found = features(texts, 10).toarray()
    for row, text in zip(found, texts, strict=True):
        hashes = words_of(Batch([text], {WORDS}).streams[WORDS]).hashes[1:-1]
        counts = Counter(int(h) >> 54 for h in [*hashes.tolist(), *grams(hashes, 2).tolist()])
        values = {bucket: 1 + math.log(n) for bucket, n in counts.items()}
        length = math.hypot(*values.values()) or 1
        expected = np.zeros(1024)
        for bucket, value in values.items():
            expected[bucket] = value / length
        assert np.allclose(row, expected, atol=1e-12)


# ---- the classifier -------------------------------------------------------------------------------------------------


def test_it_tells_the_sides_apart(model: Quality) -> None:
    assert model.facts.trained + model.facts.held_out == 400  # as many of either side as the smaller has
    assert model.facts.held_out == 40
    assert model.facts.auc > 0.99
    calm, loud = (model.scores(Texts(written(words, 9, 50))) for words in (CALM, LOUD))
    assert calm.min() > 0.5 > loud.max()


def test_labels_that_mean_nothing_are_not_learned() -> None:
    texts = written(CALM, 1, 800)
    facts = Quality.train(texts[::2], texts[1::2], seed=0, bits=12).facts
    assert 0.25 < facts.auc < 0.75
    assert 0.25 < facts.accuracy < 0.75


def test_a_score_does_not_depend_on_its_batch(model: Quality) -> None:
    texts = [*written(CALM, 3, 20), "", *written(LOUD, 4, 20), "..."]
    together = model.scores(Texts(texts))
    assert together.tolist() == [float(model.scores(Texts([text]))[0]) for text in texts]
    assert together[20] == together[-1] == 0  # no words
    assert model.scores(Texts([])).shape == (0,)


def test_only_the_head_is_read() -> None:
    calm, loud = written(CALM, 1, 60), written(LOUD, 2, 60)
    sides = [text[:50] + "|" * 50 + tail for text, tail in zip(calm, loud, strict=True)], loud
    headed, whole = (Quality.train(*sides, seed=0, head_chars=head, bits=12) for head in (50, 0))
    text = calm[0][:50]
    assert headed.scores(Texts([text + " buy now"])) == headed.scores(Texts([text]))
    assert whole.scores(Texts([text + " buy now"])) < whole.scores(Texts([text]))


def test_same_bits_whatever_the_order(model: Quality) -> None:
    calm, loud = written(CALM, 1, 200), written(LOUD, 2, 300)
    again = Quality.train(iter(calm[::-1] + calm), loud[150:] + loud[:150], seed=0, bits=12)
    assert again.weights.tobytes() == model.weights.tobytes()
    assert (again.bias, again.facts) == (model.bias, model.facts)
    assert Quality.train(calm, loud, seed=1, bits=12).weights.tobytes() != model.weights.tobytes()


def test_at_most_the_sample_is_used() -> None:
    model = Quality.train(written(CALM, 1, 2_500), written(LOUD, 2, 2_500), seed=0, sample=100, bits=12)
    assert model.facts.trained + model.facts.held_out == 200


def test_too_few_documents_name_their_source() -> None:
    few = [*written(CALM, 1, FEWEST - 1), "", "-"]
    with pytest.raises(DataError, match=r"books: 19 different documents with words, needs at least 20"):
        Quality.train(few, written(LOUD, 2, 30), seed=0, names=("books", "web"))
    with pytest.raises(DataError, match=r"web: 1 different document"):
        Quality.train(written(CALM, 1, 30), ["same text"] * 100, seed=0, names=("books", "web"))


# ---- on disk --------------------------------------------------------------------------------------------------------


def test_saved_and_loaded(model: Quality, tmp_path: Path) -> None:
    path = tmp_path / "quality.safetensors"
    model.save(path)
    loaded = Quality.load(path)
    texts = Texts(written(CALM + LOUD, 5, 50))
    assert loaded.scores(texts).tolist() == model.scores(texts).tolist()
    assert (loaded.facts, loaded.head_chars, loaded.bits) == (model.facts, model.head_chars, model.bits)
    first = path.read_bytes()
    loaded.save(path)
    assert path.read_bytes() == first


def _with_said(whole: bytes, said: object) -> bytes:
    """The file with other metadata."""
    size = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + size])
    new = json.dumps(header | {"__metadata__": {"quality": json.dumps(said)}}).encode()
    return len(new).to_bytes(8, "little") + new + whole[8 + size :]


def test_a_file_that_is_no_model(model: Quality, tmp_path: Path) -> None:
    path = tmp_path / "quality.safetensors"
    with pytest.raises(DataError, match="cannot be read"):
        Quality.load(path)
    model.save(path)
    whole = path.read_bytes()
    for damage in (whole[:-1], whole[:50], b"", b"not a model at all"):
        path.write_bytes(damage)
        with pytest.raises(CorruptError, match="not a quality model"):
            Quality.load(path)
    said = {"bias": model.bias, "bits": model.bits, "head_chars": 0, "facts": asdict(model.facts)}
    path.write_bytes(_with_said(whole, said))
    assert Quality.load(path).facts == model.facts
    for key, value, message in (
        ("bits", 13, "not the weights of 2"),
        ("bits", None, "not a quality model"),
        ("facts", [], "not a quality model"),
        ("facts", {}, "not a quality model"),
        ("bias", "much", "not a quality model"),
    ):
        path.write_bytes(_with_said(whole, said | {key: value}))
        with pytest.raises(CorruptError, match=message):
            Quality.load(path)
    path.write_bytes(_with_said(whole, []))
    with pytest.raises(CorruptError, match="not a quality model"):
        Quality.load(path)


# ---- real texts -----------------------------------------------------------------------------------------------------


def test_textbooks_from_programs_and_shuffled_words(shared: Path) -> None:
    """Trained on half of each source, scored on the other half."""
    lines = read_bytes(shared / "corpus" / "openstax_textbooks" / "textbooks.jsonl.xz").split(b"\n")
    books = [json.loads(line)["text"] for line in lines[:600]]
    programs = [d.text for d in read_paths("presage", [str(PACKAGE)]) if isinstance(d, Document)]
    chance = random.Random(0)
    vocabulary = " ".join(books[:50]).split()
    shuffled = [" ".join(chance.choices(vocabulary, k=200)) for _ in range(100)]
    model = Quality.train(books[::2], programs[::2] + shuffled[::2], seed=0)
    assert model.facts.auc > 0.95
    kept = {
        name: keeps(model.scores(Texts(side)), draws(side, 0)).mean()
        for name, side in {"books": books[1::2], "programs": programs[1::2], "shuffled": shuffled[1::2]}.items()
    }
    assert kept["books"] > 0.2
    assert max(kept["programs"], kept["shuffled"]) < kept["books"] / 4, kept
