"""Minimal pairs: both sentences are scored from their first token to their last, after shots as at the beginning."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from presage.data.bpe import Tokenizer
from presage.data.verbs import LanguageModel
from presage.evaluate import run as stage
from presage.evaluate.asking import Asked
from presage.infer.opening import open_model
from presage.model.config import qwen3
from presage.model.exchange import export_hf
from presage.tasks.library import find
from presage.tasks.methods.pairs import SEPARATOR, Pairs, bare
from presage.tasks.task import Example
from tests.evaluate.toy_eval import library
from tests.model.shapes import TEXT, lively, make_run
from tests.toy_model import ToyModel
from tests.toy_tasks import Given, capitals

SENTENCES = (
    ("The cat sat on the mat.", "The cat sit on the mat."),  # differ in the middle
    ("The cats sit.", "Those cats sit."),  # in the first word alone
    ("A dog sat on the log", "A dog sat on the logs"),  # in the last alone
    ("The dog.", "The dog sat on the mat, and the cat sat on the log."),  # in length
    ("Größe sat.", "Grösse sat."),
)
PAIRS = tuple(Example(f"p{i}", "\n".join(pair), pair, 0) for i, pair in enumerate(SENTENCES))


def _bigram(before: str, char: str) -> float:
    """Some law of a character after another; "" is the beginning."""
    return -1.0 - (7 * ord(before[-1:] or "^") + 3 * ord(char)) % 11 / 3


def chain(prompt: str, text: str) -> float:
    """log P of a text after a prompt, character by character."""
    return sum(_bigram(before, char) for before, char in pairwise([prompt[-1:], *text]))


def twin(context: str, sentence: str) -> float:
    """log P of all that is new after the context, the whole less what was there: the chain rule."""
    whole = context + SEPARATOR + sentence if context else sentence
    return chain("", whole) - chain("", context)


@pytest.mark.parametrize("shots", [None, 0, 1, 3])
def test_both_sentences_are_scored_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shots: int | None) -> None:
    library(monkeypatch, replace(find("blimp"), data=Given(PAIRS)))
    config = stage.Config(model="toy", tasks=(Asked(task="blimp", shots=shots),))
    made = stage.run(config, tmp_path / "eval", model=ToyModel(logprob=chain))
    right = 0
    for row, pair in zip(made.rows("samples.jsonl"), SENTENCES, strict=True):
        others = [SENTENCES[int(name[1:])][0] for name in row["shots"]]
        assert len(others) == (shots or 0)
        assert row["prompt"] == SEPARATOR.join(others), "solved examples are right sentences, apart from each other"
        expected = [twin(row["prompt"], sentence) for sentence in pair]
        assert row["extra"]["option_logprobs"] == pytest.approx(expected)
        right += expected[0] > expected[1]
        texts = [one["request"]["text"] for one in row["asked"]]
        assert texts == [(SEPARATOR if others else "") + sentence for sentence in pair]
    assert made.value(next(name for name in made.results() if name.endswith("/accuracy"))) == right / len(PAIRS)


@pytest.mark.parametrize("name", ["blimp", "blimp_harness", "crows_pairs"])
def test_tasks_of_pairs_ask_for_whole_sentences_from_the_beginning(name: str, monkeypatch: pytest.MonkeyPatch,
                                                                   tmp_path: Path) -> None:  # fmt: skip
    """The harness puts a blank before a sentence; nothing else stands before or is left out."""
    library(monkeypatch, replace(find(name), data=Given(PAIRS)))
    model = ToyModel(logprob=chain)
    stage.run(stage.Config(model="toy", tasks=(Asked(task=name),)), tmp_path / "eval", model=model)
    blank = " " if name.endswith("_harness") else ""
    asked: list[Any] = model.asked
    assert [(one.prompt, one.text) for one in asked] == [("", blank + text) for pair in SENTENCES for text in pair]


@pytest.mark.parametrize("shots", [0, 1, 3])
def test_the_harness_pairs_are_set_off_from_shots_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shots: int
) -> None:
    """There a sentence never goes on from the one before it."""
    library(monkeypatch, replace(find("blimp_harness"), data=Given(PAIRS)))
    model = ToyModel(logprob=chain)
    config = stage.Config(model="toy", tasks=(Asked(task="blimp_harness", shots=shots),))
    made = stage.run(config, tmp_path / "eval", model=model)
    asked: list[Any] = model.asked
    for row, both in zip(made.rows("samples.jsonl"), zip(asked[::2], asked[1::2], strict=True), strict=True):
        others = [f" {SENTENCES[int(name[1:])][0]}" for name in row["shots"]]
        expected = [SEPARATOR.join([*others, f" {text}"]) for text in row["options"]]
        assert [one.prompt + one.text for one in both] == expected


# ---- a model with tokens ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(Tokenizer.train([TEXT, "Those cats sit. A dog."], 280).to_json())
    make_run(folder / "target", lively(qwen3(280, 96, 1, 32, n_heads=2, n_kv_heads=2, d_head=16)), tokenizer, 7)
    export_hf(folder / "target", folder / "exported")
    return folder


def _naive(model: LanguageModel, context: str, sentence: str) -> float:
    """One forward pass over the beginning of a document, the context and the sentence; the new tokens summed."""
    encode: Any = model.asking.text.bare  # type: ignore[attr-defined]
    head, whole = encode([context, context + (SEPARATOR if context else "") + sentence])
    assert whole[: len(head)] == head
    start = [model.asking.text.begin] if model.asking.begin or not context else []  # type: ignore[attr-defined]
    row = [*start, *whole]
    with torch.no_grad():
        logits = model.engine.model(torch.tensor([row[:-1]]))[0].double().log_softmax(-1)  # type: ignore[attr-defined]
    first = len(start) + len(head)
    return float(sum(logits[place - 1, row[place]] for place in range(first, len(row))))


@pytest.mark.parametrize("kind", ["run", "hf"])
@pytest.mark.parametrize("shots", [0, 2])
def test_the_first_token_counts_for_models_with_tokens(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, shots: int
) -> None:
    """A sentence is scored after the token that a document begins with, which is seen and not scored."""
    spec = str(folder / "target") if kind == "run" else f"hf:{folder / 'exported'}"
    model = open_model(spec)
    library(monkeypatch, capitals(name="pairs", data=Given(PAIRS), template=bare(), method=Pairs()))
    config = stage.Config(model="hf:any", tasks=(Asked(task="pairs", shots=shots),))
    made = stage.run(config, tmp_path / "eval", model=model)
    for row, pair in zip(made.rows("samples.jsonl"), SENTENCES, strict=True):
        expected = [_naive(model, row["prompt"], sentence) for sentence in pair]
        assert row["extra"]["option_logprobs"] == pytest.approx(expected, abs=1e-4)
        assert all(math.isfinite(one) for one in expected)
        assert row["scores"]["accuracy"] == float(expected[0] > expected[1])
