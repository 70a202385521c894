"""Our tasks on a Hugging Face directory beside plain transformers, one request at a time (naive.py)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from presage.data.verbs import Continuation, Decoding, Generation, LanguageModel, Likelihood
from presage.evaluate.runner import Exchange, Runner
from presage.infer.opening import open_model
from presage.tasks.library import find
from presage.tasks.shots import Shots
from tests.imports import ROOT

pytest.importorskip("transformers", reason="transformers is an extra")

from tests.infer.naive import NaiveModel, small_model

DATA = ROOT.parent / "shared" / "data"
CLOSE = 2e-4
HARD = "  of words ", "", "def f(x):\n    return", "日本語 ümläut", "a" * 300, " "


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_model(tmp_path_factory.mktemp("hf"))


@pytest.fixture(scope="module")
def models(folder: Path) -> tuple[LanguageModel, NaiveModel]:
    return open_model(f"hf:{folder}", batch_size=3), NaiveModel(folder)


def equal(ours: Sequence[Likelihood], theirs: Sequence[Likelihood]) -> None:
    """The same tokens, the same likelihoods but for rounding."""
    for one, other in zip(ours, theirs, strict=True):
        assert one.logprob == pytest.approx(other.logprob, abs=CLOSE, rel=1e-6)
        assert (one.tokens, one.greedy, one.truncated) == (other.tokens, other.greedy, other.truncated)


def examined(model: LanguageModel, name: str, count: int, shots: int) -> list[Exchange]:
    """The first examples of a public set, with shots drawn from its pool."""
    task = find(name)
    examples = task.data.examples(DATA / "eval", 0)
    chosen = list(islice(examples, 0, None, max(1, len(examples) // count)))[:count]
    drawn = Shots(task, task.data.pool(DATA / "eval", 0) or examples, shots, 5)
    return Runner(model).run(task.method, chosen, [drawn.context(one) for one in chosen])


@pytest.mark.skipif(not DATA.is_dir(), reason="the public files (../shared/data) are not here")
@pytest.mark.parametrize(
    ("name", "shots"),
    [("arc_challenge", 0), ("arc_challenge", 2), ("boolq", 0), ("blimp", 0), ("lambada", 0), ("truthfulqa_mc2", 0)],
)
def test_a_task_as_the_twin_scores_it(models: tuple[LanguageModel, NaiveModel], name: str, shots: int) -> None:
    ours, theirs = (examined(model, name, 5, shots) for model in models)
    for one, other in zip(ours, theirs, strict=True):
        assert [request for request, _ in one.asked] == [request for request, _ in other.asked]
        equal([answer for _, answer in one.asked], [answer for _, answer in other.asked])
        assert one.graded.scores == pytest.approx(other.graded.scores, abs=CLOSE)
        assert one.graded.answer == other.graded.answer


def test_hard_texts(models: tuple[LanguageModel, NaiveModel]) -> None:
    ours, theirs = models
    asked = [Continuation(prompt, f" {text[:60]}x") for prompt in HARD for text in HARD]
    equal(ours.loglikelihood(asked), theirs.loglikelihood(asked))


def test_documents_of_many_windows(models: tuple[LanguageModel, NaiveModel]) -> None:
    ours, theirs = models
    texts = ["x", "a rolling document, " * 40, "".join(map(chr, range(0x400, 0x500)))]
    equal(ours.rolling_loglikelihood(texts), theirs.rolling_loglikelihood(texts))


@pytest.mark.parametrize("stops", [pytest.param((), id="none"), pytest.param(("e", "\n"), id="two")])
def test_greedy_completions(models: tuple[LanguageModel, NaiveModel], stops: tuple[str, ...]) -> None:
    ours, theirs = models
    decoding = Decoding(12, stops)
    asked = [Generation(prompt, decoding) for prompt in HARD if prompt.strip()]
    texts: list[Any] = [[some[0].text for some in model.generate(asked)] for model in (ours, theirs)]
    assert texts[0] == texts[1]


def test_what_was_written_greedily_is_greedy(models: tuple[LanguageModel, NaiveModel]) -> None:
    ours, theirs = models
    prompts = ["The", "class", "or", "function", "of this", "module may", "is not", "what was", "said", "import", "(1,"]
    written = [some[0].text for some in ours.generate([Generation(prompt, Decoding(1)) for prompt in prompts])]
    asked = [Continuation(prompt, text) for prompt, text in zip(prompts, written, strict=True) if text]
    found = ours.loglikelihood(asked)
    equal(found, theirs.loglikelihood(asked))
    assert any(one.greedy for one in found)
