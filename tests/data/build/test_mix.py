"""Mixtures: epochs from weights and sizes, caps, what is written; generated text stays at its share."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from presage.core.errors import ConfigError, DataError
from presage.core.run import RunDir
from presage.data import corpus
from presage.data.build.mix import shares
from presage.data.records import read_split
from tests.data.conftest import essay


def config(weights: dict[str, float], **keys: Any) -> corpus.Config:
    return corpus.Config(sources=tuple(corpus.Source(name=n, paths=(n,), weight=w) for n, w in weights.items()), **keys)


def test_epochs_are_wanted_bytes_over_bytes_there() -> None:
    """GPT-3's table 2.2: 300 B tokens by weights that add up to 101 %, sizes in B tokens; the epochs that follow."""
    weights = {"cc": 60, "webtext2": 22, "books1": 8, "books2": 8, "wikipedia": 3}
    sizes = {"cc": 410, "webtext2": 19, "books1": 12, "books2": 55, "wikipedia": 3}
    found = {share.source: share for share in shares(config(weights, train_bytes=300), sizes)}
    assert found["cc"].weight == pytest.approx(60 / 101)
    for name, epochs in {"cc": 0.44, "webtext2": 3.47, "books1": 2.00, "books2": 0.44, "wikipedia": 3.00}.items():
        assert found[name].epochs == pytest.approx(epochs / 1.01, abs=0.01)
    assert sum(share.taken for share in found.values()) == pytest.approx(300)


def test_a_small_source_is_capped_and_the_others_make_up_for_it() -> None:
    a, b, c = shares(config({"a": 1, "b": 1, "c": 2}, train_bytes=800, max_epochs=2.0), {"a": 50, "b": 400, "c": 900})
    assert (a.epochs, a.capped) == (2.0, True)
    assert (b.taken, c.taken) == (pytest.approx(700 / 3), pytest.approx(1400 / 3))
    assert not b.capped and not c.capped


@given(
    st.lists(st.tuples(st.floats(0.01, 10), st.integers(1, 10**6)), min_size=1, max_size=5),
    st.integers(1, 10**7),
    st.floats(1, 8),
)
def test_no_source_is_repeated_too_often_and_the_rest_keeps_its_proportions(
    sources: list[tuple[float, int]], wanted: int, most: float
) -> None:
    weights = {str(k): weight for k, (weight, _) in enumerate(sources)}
    sizes = {str(k): size for k, (_, size) in enumerate(sources)}
    found = shares(config(weights, train_bytes=wanted, max_epochs=most), sizes)
    assert all(share.epochs <= most * (1 + 1e-6) for share in found)
    there = sum(sizes.values()) * most
    assert sum(share.taken for share in found) == pytest.approx(min(wanted, there), rel=1e-6)
    free = [share.taken / share.weight for share in found if share.epochs < most * (1 - 1e-6)]
    assert free == pytest.approx([free[0]] * len(free)) if free else True


def build(tmp_path: Path, weights: dict[str, float | None], **keys: Any) -> RunDir:
    sources = []
    for offset, (name, weight) in enumerate(weights.items()):
        folder = tmp_path / name
        folder.mkdir()
        for n in range(40):
            (folder / f"{n}.txt").write_text(essay(1000 * offset + n))
        sources.append(corpus.Source(name=name, paths=(str(folder),), weight=weight))
    return corpus.run(corpus.Config(sources=tuple(sources), **keys), tmp_path / "out")


def test_what_is_written_follows_the_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = build(tmp_path, {"a": 3.0, "b": 1.0})
    rows = {row["source"]: row for row in run.read_table("mixture")}
    assert "the weights add up to 4" in capsys.readouterr().err
    texts: dict[str, list[str]] = {"a": [], "b": []}
    for document in read_split(run.path, "train"):
        texts[document.source].append(document.text)
    epochs = float(rows["a"]["epochs"])
    assert 1.4 < epochs < 1.6
    counts = [texts["a"].count(text) for text in set(texts["a"])]
    assert set(counts) == {1, 2} and len(counts) == len(set(texts["a"]))
    assert len(texts["b"]) == len(set(texts["b"])) < 30
    for name in ("a", "b"):
        assert sum(len(text.encode()) for text in texts[name]) == int(rows[name]["taken_bytes"])
    assert 0.6 < float(rows["a"]["share"]) < 0.9
    held_out = [document.text for document in read_split(run.path, "val")]
    assert len(held_out) == len(set(held_out))
    assert set(held_out).isdisjoint(texts["a"] + texts["b"])


def test_without_weights_every_document_is_taken_once(tmp_path: Path) -> None:
    run = build(tmp_path, {"a": None, "b": None})
    texts = [document.text for split in ("train", "val") for document in read_split(run.path, split)]
    assert len(texts) == len(set(texts)) == 80


def test_weights_and_generated_text_together(tmp_path: Path) -> None:
    run = build(tmp_path, {"a": 1.0})
    tasks = corpus.Source(name="tasks", kind="microcode", share=0.3)
    mixed = run.config(corpus.Config)
    mixed = mixed.model_copy(update={"sources": (*mixed.sources, tasks)})
    done = corpus.run(corpus.Config.parse(json.loads(mixed.to_json())), tmp_path / "mixed")
    sizes = {row["source"]: int(row["train/bytes"]) for row in done.read_table("sources")}
    assert sizes["tasks"] / sum(sizes.values()) == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{"name": "a", "paths": ["x"], "weight": 1}, {"name": "b", "paths": ["y"]}], "every source that is read has"),
        ([{"name": "a", "paths": ["x"], "weight": 0}], "weight"),
        (
            [{"name": "a", "paths": ["x"]}, {"name": "m", "kind": "microcode", "share": 0.1, "weight": 1}],
            "takes a share, not a weight",
        ),
    ],
)
def test_bad_weights(data: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        corpus.Config.parse({"sources": data})


def test_train_bytes_need_weights() -> None:
    with pytest.raises(ConfigError, match="train_bytes is for sources with weights"):
        corpus.Config.parse({"train_bytes": 1000})


# ---- what is drawn, by a twin ---------------------------------------------------------------------------------------


def drawn(texts: dict[str, str], epochs: float, seed: int) -> Counter[str]:
    """The slow twin: every document once for each whole epoch, and by a hash of it for the rest of one."""
    found: Counter[str] = Counter()
    whole = int(epochs + 1e-9)
    for path, text in texts.items():
        found[text] += whole
        number = sha256(f"{seed}\0{whole}\0{path}\0{text}".encode()).digest()[:7]
        found[text] += int.from_bytes(number, "big") / 2**56 < epochs - whole
    return +found


@pytest.mark.parametrize(
    ("weights", "keys", "capped"),
    [
        ({"a": 5.0, "b": 1.0, "c": 0.5}, {}, set()),
        ({"a": 8.0, "b": 1.0, "c": 1.0}, {"max_epochs": 1.5}, {"a"}),
        ({"a": 1.0, "b": 1.0, "c": 0.0001}, {"seed": 3, "train_bytes": 400_000, "max_epochs": 2.0}, {"a", "b"}),
    ],
)
def test_what_is_drawn_is_what_a_slow_twin_draws(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    weights: dict[str, float | None],
    keys: dict[str, Any],
    capped: set[str],
) -> None:
    once = build(tmp_path, dict.fromkeys(weights), **{k: v for k, v in keys.items() if k == "seed"})
    there: dict[str, dict[str, str]] = {name: {} for name in weights}
    for document in read_split(once.path, "train"):
        there[document.source][document.path] = document.text
    config = once.config(corpus.Config).model_copy(update=keys)
    sources = tuple(one.model_copy(update={"weight": weights[one.name]}) for one in config.sources)
    run = corpus.run(config.model_copy(update={"sources": sources}), tmp_path / "mixed")
    taken: dict[str, Counter[str]] = {name: Counter() for name in weights}
    for document in read_split(run.path, "train"):
        taken[document.source][document.text] += 1
    sizes = {name: sum(len(text) for text in texts.values()) for name, texts in there.items()}
    rows = {row["source"]: row for row in run.read_table("mixture")}
    for share in shares(run.config(corpus.Config), sizes):
        assert taken[share.source] == drawn(there[share.source], share.epochs, run.config(corpus.Config).seed)
        assert float(rows[share.source]["epochs"]) == share.epochs
        assert rows[share.source]["capped"] == str(int(share.source in capped))
    said = capsys.readouterr().err
    assert f"the weights add up to {sum(float(w or 0) for w in weights.values()):g}; each is taken" in said
    assert {name for name in weights if f"source '{name}' would be repeated more than" in said} == capped


def test_weights_that_add_up_to_one_are_not_worth_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(tmp_path, {"a": 0.7, "b": 0.2, "c": 0.1})
    assert "the weights add up" not in capsys.readouterr().err


def test_a_mixture_that_cannot_be_filled_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = build(tmp_path, {"a": 1.0}, train_bytes=10**7, max_epochs=2.0)
    taken = 2 * sum(int(row["bytes"]) for row in run.read_table("mixture"))
    assert run.value("train/bytes") == taken
    assert f"the sources hold {taken:,} of the 10,000,000 bytes asked for" in capsys.readouterr().err


def test_a_mixture_too_small_for_a_document_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no document is left for the train split"):
        build(tmp_path, {"a": 1.0}, train_bytes=1)
    assert not (tmp_path / "out").exists()


# ---- a single file --------------------------------------------------------------------------------------------------


@settings(max_examples=12)
@given(st.lists(st.text("aé漢\U0001f600\n", min_size=1, max_size=40), min_size=1, max_size=4), st.floats(0.001, 0.999))
@example(["漢"], 0.96875)
@example(["a"], 0.001)
def test_the_only_file_is_cut_in_two(lines: list[str], fraction: float) -> None:
    """Wherever the cut falls, also within a character: nothing is lost, and it ends."""
    text = "".join(lines) + "漢" * 20
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "only.txt"
        path.write_bytes(text.encode())
        one = corpus.Source(name="a", paths=(str(path),))
        run = corpus.run(corpus.Config(sources=(one,), val_fraction=fraction), Path(folder) / "out")
        train, val = (list(read_split(run.path, split)) for split in ("train", "val"))
        assert "".join(document.text for document in train + val) == text
        assert (run.value("read/documents"), run.value("added/pieces")) == (1, 1)
        assert [document.path for document in train + val] == ["only.txt", "only.txt#tail"]


def test_a_cut_a_byte_into_a_document_ends(tmp_path: Path) -> None:
    """Pieces of the only file, the last of which would be cut within its first character."""
    path = tmp_path / "only.txt"
    first, last = "a" * 1023 + "\n", "漢" * 341
    path.write_text(first + last)
    fraction = 1 - 1025 / (1024 + 1023)
    one = corpus.Source(name="a", paths=(str(path),))
    run = corpus.run(corpus.Config(sources=(one,), val_fraction=fraction, max_document_bytes=1024), tmp_path / "out")
    texts = [[document.text for document in read_split(run.path, split)] for split in ("train", "val")]
    assert texts == [[first], [last]]
    assert run.value("added/pieces") == 0
