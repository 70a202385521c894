"""Prompts longer than the context: cut from the left, counted, and shown, of the model and of the judge apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from presage.core.run import RunDir
from presage.data.bpe import Tokenizer
from presage.data.verbs import Completion, Continuation, Generation, LanguageModel
from presage.evaluate import run as stage
from presage.evaluate.asking import Asked
from presage.infer import opening
from presage.infer.opening import open_model
from presage.model.config import qwen3
from presage.model.exchange import export_hf
from presage.tasks.methods.choice import plain
from presage.tasks.methods.free import GREEDY, Free
from presage.tasks.methods.judged import Judged
from presage.tasks.methods.rubric import Classification
from presage.tasks.task import Example, Task
from tests.evaluate.toy_eval import examine, library
from tests.model.shapes import TEXT, lively, make_run
from tests.toy_model import ToyModel
from tests.toy_tasks import CAPITALS, Given, capitals

CONTEXT, NEW = 48, 8
LONG = "a ladder of small runs tells what the large run will lose. " * 12
"""Far longer than the context, and of no blank run: only the end of it can be seen."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """folder/target, a run, and folder/exported, the same as a Hugging Face directory."""
    folder = tmp_path_factory.mktemp("cut")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(Tokenizer.train([TEXT, LONG], 280).to_json())
    make_run(folder / "target", lively(qwen3(280, CONTEXT, 1, 32, n_heads=2, n_kv_heads=2, d_head=16)), tokenizer, 7)
    export_hf(folder / "target", folder / "exported")
    return folder


@pytest.fixture(params=["run", "hf"])
def spec(folder: Path, request: pytest.FixtureRequest) -> str:
    return str(folder / "target") if request.param == "run" else f"hf:{folder / 'exported'}"


def _lengthened(*numbers: int) -> tuple[Example, ...]:
    return tuple(
        replace(one, question=f"{LONG}{one.question}", targets=one.options[:1]) if i in numbers else one
        for i, one in enumerate(CAPITALS)
    )


CHOOSING = capitals(name="choosing", data=Given(_lengthened(1, 4)), template=plain(lambda one: one.question))
WRITING = capitals(
    name="writing",
    data=Given(_lengthened(0, 3, 5)),
    template=plain(lambda one: one.question),
    method=Free(decoding=replace(GREEDY, max_tokens=NEW)),
)
BOTH = [CHOOSING, WRITING]


def run(spec: str, out: Path) -> RunDir:
    config = stage.Config(model="hf:any", tasks=(Asked(task="choosing"), Asked(task="writing")), part=3)
    return stage.run(config, out, model=open_model(spec))


def _requests(task: Task, one: Example) -> list[Any]:
    if task is CHOOSING:
        return [Continuation(one.question, f" {text}") for text in one.options]
    return [Generation(one.question, replace(GREEDY, max_tokens=NEW))]


def test_long_prompts_are_cut_counted_and_shown(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from presage.cli.results import scores

    library(monkeypatch, *BOTH)
    made = run(spec, tmp_path / "eval")
    counts = {row["task"]: (row["truncated"], row["judge_truncated"]) for row in made.read_table("tasks")}
    assert counts == {"choosing": ("2", "0"), "writing": ("3", "0")}
    cut = {(row["task"], row["id"]) for row in made.rows("samples.jsonl") if row["extra"]["truncated"]}
    assert cut == {("choosing", "c1"), ("choosing", "c4"), ("writing", "c0"), ("writing", "c3"), ("writing", "c5")}
    (line,) = [line for line in scores(made) if "cut from the left" in line]
    assert line == "5 prompts were cut from the left to fit: choosing 2, writing 3"


def test_what_was_cut_is_the_left_of_the_prompt(spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many tokens less, and the answer does not depend on any of them: other beginnings, the same answer."""
    library(monkeypatch, *BOTH)
    made = run(spec, tmp_path / "eval")
    model = open_model(spec)
    encode = model.asking.text.bare  # type: ignore[attr-defined]
    for row in made.rows("samples.jsonl"):
        for exchange in row["asked"]:
            answers = exchange["answer"] if isinstance(exchange["answer"], list) else [exchange["answer"]]
            tail = exchange["request"].get("text", "")
            whole = len(encode([row["prompt"] + tail])[0]) + made_begin(model)
            room = CONTEXT - NEW if row["task"] == "writing" else CONTEXT + 1
            assert [one["truncated"] for one in answers] == [max(0, whole - room)]
    for task in BOTH:
        for one in task.data.examples(Path(), 0)[:6]:
            other = replace(one, question=one.question.replace(LONG, "what no one will read " * 30 + LONG))
            verb = model.loglikelihood if task is CHOOSING else model.generate
            given, again = (verb(_requests(task, each)) for each in (one, other))
            assert [_bare(answer) for answer in given] == [_bare(answer) for answer in again]


def made_begin(model: LanguageModel) -> int:
    """Tokens that every prompt begins with."""
    return int(model.asking.begin)  # type: ignore[attr-defined]


def _bare(answer: Any) -> Any:
    some = answer if isinstance(answer, list) else [answer]
    return [(replace(one, truncated=0, logprob=0.0), pytest.approx(one.logprob, abs=1e-4)) for one in some]


# ---- the judge's apart -----------------------------------------------------------------------------------------------

GRADED = Classification("Is {answer} right?", ("Yes", "No"), (1.0, 0.0), "classify")


class Short(ToyModel):
    """Cuts what is longer than so many characters."""

    longest: int = 20

    def _completion(self, request: Generation, sample: int) -> Completion:
        found = super()._completion(request, sample)
        return replace(found, truncated=max(0, len(str(request.prompt)) - self.longest))


def test_what_the_judge_did_not_see_is_counted_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every prompt to the judge is too long for it, and three of the model's own are for it."""
    from presage.cli.results import scores

    library(monkeypatch, capitals(method=Judged(GRADED)), capitals(name="choosing"))
    judge = Short(write=lambda prompt, sample: "Yes")
    monkeypatch.setattr(opening, "open_model", lambda spec, **settings: judge)
    model = Short(write=lambda prompt, sample: "Paris")
    model.longest = len("Question: Capital of France?\nAnswer:")
    judge.longest = 3
    made = examine(tmp_path / "eval", model, "capitals", "choosing", judge="hf:judge")
    counts = {row["task"]: (row["truncated"], row["judge_truncated"]) for row in made.read_table("tasks")}
    assert counts == {"capitals": ("3", "8"), "choosing": ("0", "0")}
    for row in made.rows("samples.jsonl"):
        asked = {one["kind"]: one for one in row["asked"]}
        own = max(0, len(row["prompt"]) - model.longest)
        if row["task"] == "choosing":
            assert "judge_truncated" not in row["extra"]
            continue
        assert row["extra"]["truncated"] == own == asked["generate"]["answer"][0]["truncated"]
        shown = len(asked["judge"]["request"]["prompt"]) - judge.longest
        assert row["extra"]["judge_truncated"] == shown == asked["judge"]["answer"][0]["truncated"]
    lines = [line for line in scores(made) if "cut from the left" in line]
    assert lines == [
        "3 prompts were cut from the left to fit: capitals 3",
        "8 prompts to the judge were cut from the left to fit: capitals 8",
    ]
    judge.longest = 10_000
    whole = examine(tmp_path / "whole", model, "capitals", judge="hf:judge")
    assert [row["judge_truncated"] for row in whole.read_table("tasks")] == ["0"]
    assert not [line for line in scores(whole) if "to the judge" in line]
