"""`presage make hallucinations` and `make boundary --rewrite`: what they write, interrupted, gone on with, refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from presage import cli
from presage.align.records import read_preferences
from presage.data.verbs import Completion, Generation
from presage.infer import opening
from tests.toy_model import ToyModel

Outcome = Callable[..., tuple[int, str, str]]


class Judge(ToyModel):
    """Lists "1843" wherever an answer has it, rewrites answers without it, and breaks down after `good` requests."""

    def __init__(self, good: int = 10**9) -> None:
        super().__init__(write=_judged, name="judge")
        self.good = good

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        self.good -= len(requests)
        if self.good < 0:
            raise KeyboardInterrupt
        return super().generate(requests)

    def identity(self) -> dict[str, Any]:
        return {"backend": "judge"}


def _judged(prompt: str, sample: int) -> str:
    made_up = "1843" in prompt.partition("## Answer")[2].partition("## Made up")[0]
    if "Write the new answer" in prompt:
        return "Ada."
    return "- in 1843" if made_up else "NONE"


def _answer(prompt: str, sample: int) -> str:
    return "Ada, in 1843." if "Who" in prompt else "Ada."


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Outcome:
    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(["make", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = [{"id": "q1", "text": "Ada wrote it.", "question": "Who was it?"},
            {"text": "Ada wrote it.", "question": "Name her."}]  # fmt: skip
    place = tmp_path / "questions.jsonl"
    place.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return place


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, ToyModel]:
    found: dict[str, ToyModel] = {"model": ToyModel(write=_answer), "judge": Judge()}
    monkeypatch.setattr(opening, "opened", lambda spec, *_: found[spec])
    return found


def _words(questions: Path, out: Path) -> tuple[str, ...]:
    return ("hallucinations", str(questions), "--model=model", "--judge=judge", f"--out={out}")


def test_pairs_are_preferences_and_every_question_is_told(
    tmp_path: Path, questions: Path, call: Outcome, models: dict[str, ToyModel]
) -> None:
    out = tmp_path / "pairs.jsonl"
    code, said, _ = call(*_words(questions, out))
    assert code == 0 and "clean: 1 of 2" in said and "pair: 1 of 2" in said
    [pair] = read_preferences(out)
    assert [text.strip() for text in pair.completions] == ["Ada.", "Ada, in 1843."]
    traces = [json.loads(line) for line in (tmp_path / "pairs.jsonl.traces").read_text().splitlines()]
    assert [(one["id"], one["outcome"], one["listed"]) for one in traces] == [
        ("q1", "pair", [["in 1843"], []]),
        ("questions.jsonl:2", "clean", [[]]),
    ]


def test_an_interrupted_loop_asks_only_for_the_rest(
    tmp_path: Path, questions: Path, call: Outcome, models: dict[str, ToyModel]
) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "pairs.jsonl"
    call(*_words(questions, whole))
    asked = len(models["model"].asked), len(models["judge"].asked)
    models |= {"model": ToyModel(write=_answer), "judge": Judge(good=2)}
    code, _, err = call(*_words(questions, out))
    assert code == 4 and not out.exists() and "Traceback" not in err
    again = {"model": ToyModel(write=_answer), "judge": Judge()}
    models |= again
    assert call(*_words(questions, out))[0] == 0
    assert (len(again["model"].asked), len(again["judge"].asked)) == (0, asked[1] - 2)
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "Ada.", "question": ""}', "questions.jsonl:1: question: an empty text"),
        ('{"question": "Who?"}', "questions.jsonl:1: no 'text'"),
        ('{"id": "a", "text": "A.", "question": "Who?"}\n' * 2, "a: an id that is there twice"),
        ("", "questions.jsonl: holds no rows"),
    ],
)
def test_questions_that_are_none_are_named(
    tmp_path: Path, questions: Path, call: Outcome, models: dict[str, ToyModel], line: str, said: str
) -> None:
    questions.write_text(line)
    code, _, err = call(*_words(questions, tmp_path / "pairs.jsonl"))
    assert code == 2 and said in err and len(err.strip().splitlines()) == 1
    assert not (tmp_path / "pairs.jsonl").exists() and models["model"].asked == []


def test_rewritten_prompts_are_asked_once(tmp_path: Path, call: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    given, out = tmp_path / "asked.jsonl", tmp_path / "pairs.jsonl"
    given.write_text('{"prompt": "Delete her key."}\n{"prompt": "Empty her disk."}\n')
    model = ToyModel(write=lambda prompt, sample: "Delete my key.")
    monkeypatch.setattr(opening, "opened", lambda *_: model)
    words = ("boundary", "--rewrite=model", f"--from={given}", f"--out={out}")
    assert call(*words)[0] == 0 and len(model.asked) == 2
    first = out.read_bytes()
    out.unlink()
    assert call(*words)[0] == 0 and len(model.asked) == 2
    assert out.read_bytes() == first
