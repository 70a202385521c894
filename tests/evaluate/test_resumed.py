"""An interrupted examination that is gone on with after something changed: refused, and what differs is said."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import PresageError, RunError, Unavailable
from presage.data.verbs import Generation
from presage.evaluate.asking import Asked
from presage.infer import opening
from presage.tasks.files import Files
from presage.tasks.methods.choice import Choice
from presage.tasks.methods.judged import Judged
from presage.tasks.methods.rubric import Classification
from presage.tasks.sandbox import Sandbox
from presage.tasks.task import Example, Execute, Graded, Metric, Steps, Verdict
from tests.evaluate.toy_eval import examine, interrupt, library
from tests.toy_model import ToyModel
from tests.toy_tasks import CAPITALS, Given, capitals

OTHER_OUT = "choose another --out"


def refused(out: Path, what: str, *names: str, **changes: Any) -> None:
    """It does not go on, says what differs and what to do, and what was answered stays."""
    before = (out / "samples.jsonl").read_bytes()
    model = ToyModel()
    with pytest.raises(RunError, match=re.escape(what)) as caught:
        examine(out, model, *names, resume=True, **changes)
    assert OTHER_OUT in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (out / "samples.jsonl").read_bytes() == before
    assert not model.asked


# ---- settings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"tasks": (Asked(task="capitals", limit=7),)}, "tasks.0.limit: None -> 7"),
        ({"judge": "hf:other"}, "judge: '' -> 'hf:other'"),
        ({"method": "per_byte"}, "method: '' -> 'per_byte'"),
        ({"part": 4}, "part: 3 -> 4"),
    ],
    ids=["seed", "limit", "judge", "method", "part"],
)
def test_another_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], what: str) -> None:
    library(monkeypatch, capitals())
    monkeypatch.setattr(opening, "open_model", lambda spec, **settings: ToyModel())
    out = interrupt(tmp_path / "eval")
    refused(out, what, **changes)
    assert examine(out, None, resume=True).done, "as it was begun it goes on"


# ---- who answers -----------------------------------------------------------------------------------------------------


@dataclass
class Known(ToyModel):
    """A model that says who it is."""

    revision: str = "first"

    def identity(self) -> dict[str, Any]:
        return {"backend": "toy", "revision": self.revision}


GRADED = Classification("Is {answer} right?", ("Yes", "No"), (1.0, 0.0), "classify")


def test_another_judge_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory or an endpoint may hold another model the next day."""
    library(monkeypatch, capitals(method=Judged(GRADED)))
    judges = iter([Known(revision="first"), Known(revision="second"), Known(revision="first")])
    monkeypatch.setattr(opening, "open_model", lambda spec, **settings: next(judges))
    out = tmp_path / "eval"

    class Stopped(ToyModel):
        def generate(self, requests: Any) -> Any:
            if self.asked:
                raise KeyboardInterrupt
            return super().generate(requests)

    with pytest.raises(KeyboardInterrupt):
        examine(out, Stopped(), judge="hf:judge")
    refused(out, "the judge is not the one it began with: revision: 'first' -> 'second'", judge="hf:judge")
    assert examine(out, None, judge="hf:judge", resume=True).done


class FakeSandbox:
    """Stands for an open sandbox: where programs run, by what name, kernel and Python."""

    def __init__(self, isolation: str = "bwrap+seccomp", kernel: str = "Linux 6.1", python: str = "3.13.1") -> None:
        self.isolation, self.kernel, self.python = isolation, kernel, python

    def check(self, programs: Any) -> list[Verdict]:
        return [Verdict(True, "passed") for _ in programs]

    def __enter__(self) -> FakeSandbox:
        return self

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Runs:
    """Every example is a program; the model is asked too, so that it can be interrupted."""

    metrics = (Metric("passed"),)
    needs = frozenset({"sandbox"})

    def examine(self, example: Example, context: str) -> Steps:
        yield [Generation(context)]
        ((verdict),) = yield [Execute(example.id, "", "f", "")]
        return Graded({"passed": float(verdict.passed)})


@pytest.fixture
def sandboxes(monkeypatch: pytest.MonkeyPatch) -> list[FakeSandbox | None]:
    """The sandboxes that are there, one an examination; None where there is none."""
    found: list[FakeSandbox | None] = []

    def opened(**_: Any) -> FakeSandbox:
        if (one := found.pop(0)) is None:
            raise Unavailable("no isolation here")
        return one

    monkeypatch.setattr(Sandbox, "open", opened)
    return found


def interrupt_programs(out: Path, *names: str, **changes: Any) -> Path:
    class Stopped(ToyModel):
        def generate(self, requests: Any) -> Any:
            if self.asked:
                raise KeyboardInterrupt
            return super().generate(requests)

    with pytest.raises(KeyboardInterrupt):
        examine(out, Stopped(), *names, **changes)
    return out


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"isolation": "none"}, "the isolation is not the one it began with: 'bwrap+seccomp' -> 'none'"),
        ({"kernel": "Linux 7.0"}, "the kernel is not the one it began with: 'Linux 6.1' -> 'Linux 7.0'"),
        ({"python": "3.14.0"}, "the sandbox_python is not the one it began with: '3.13.1' -> '3.14.0'"),
    ],
    ids=["isolation", "kernel", "python"],
)
def test_programs_do_not_run_in_two_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandboxes: list[Any], other: dict[str, str], what: str
) -> None:
    library(monkeypatch, capitals(method=Runs()))
    sandboxes += [FakeSandbox(), FakeSandbox(**other), FakeSandbox()]
    out = interrupt_programs(tmp_path / "eval")
    refused(out, what)
    made = examine(out, None, resume=True)
    assert (made.value("isolation"), made.value("kernel")) == ("bwrap+seccomp", "Linux 6.1")
    assert made.value("capitals/passed") == 1.0


def test_a_sandbox_that_is_gone_loses_no_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandboxes: list[Any]
) -> None:
    library(monkeypatch, capitals(method=Runs()), capitals(name="more"))
    sandboxes += [FakeSandbox(), None]
    out = interrupt_programs(tmp_path / "eval", "capitals", "more", skip_missing=True)
    refused(out, "'bwrap+seccomp' -> None", "capitals", "more", skip_missing=True)


def test_a_sandbox_that_came_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandboxes: list[Any]
) -> None:
    library(monkeypatch, capitals(), capitals(name="more", method=Runs()))
    sandboxes += [None, FakeSandbox()]
    out = interrupt(tmp_path / "eval", "capitals", "more", skip_missing=True)
    refused(out, "None -> 'bwrap+seccomp'", "capitals", "more", skip_missing=True)


# ---- what is asked ---------------------------------------------------------------------------------------------------


def _read(paths: Any) -> list[Example]:
    """Lines of id, question, right option, wrong option."""
    rows = [line.split("|") for path in paths for line in path.read_text().splitlines()]
    return [Example(name, question, (right, wrong), 0) for name, question, right, wrong in rows]


ROWS = [f"c{i}|Capital of {i}?|right {i}|wrong {i}" for i in range(8)]


@pytest.fixture
def rows_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data/rows.txt"
    path.write_text("\n".join(ROWS))
    library(monkeypatch, capitals(data=Files(_read, (("rows.txt",),))))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: [*rows[:7], "c7|Capital of 7?|right 7|left 7"],
        lambda rows: rows[:7],
        lambda rows: ["new|Capital?|yes|no", *rows],
        lambda rows: rows[::-1],
    ],
    ids=["an option not yet asked", "a row less", "a row more before", "order"],
)
def test_a_changed_file_is_named(rows_file: Path, tmp_path: Path, change: Callable[[list[str]], list[str]]) -> None:
    data = str(rows_file.parent)
    out = interrupt(tmp_path / "eval", data=data)
    rows_file.write_text("\n".join(change(ROWS)))
    refused(out, "the files are not those it began with: capitals: rows.txt", data=data)
    rows_file.write_text("\n".join(ROWS))
    assert examine(out, None, data=data, resume=True).done


def test_a_file_that_came_is_named(rows_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Skipped at first, there when it goes on: the answers of the task after it are not thrown away."""
    missing = capitals(data=Files(_read, (("late.txt",),)), name="late")
    library(monkeypatch, missing, capitals(data=Files(_read, (("rows.txt",),))))
    settings: dict[str, Any] = {"data": str(rows_file.parent), "skip_missing": True}
    out = interrupt(tmp_path / "eval", "late", "capitals", **settings)
    (rows_file.parent / "late.txt").write_text("\n".join(ROWS))
    refused(out, "late is there now and was not", "late", "capitals", **settings)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"answer": 1}, "gold"),
        ({"options": ("Paris", "Lyon")}, "options"),
        ({"targets": ("Paris",)}, "targets"),
        ({"group": "alone"}, "group"),
        ({"category": "W"}, "category"),
    ],
    ids=["answer", "options", "targets", "group", "category"],
)
def test_what_no_prompt_shows_is_compared_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], what: str
) -> None:
    library(monkeypatch, capitals())
    out = interrupt(tmp_path / "eval")
    library(monkeypatch, capitals(data=Given((replace(CAPITALS[0], **changed), *CAPITALS[1:]))))
    refused(out, f"capitals: c0: was answered with another {what} than it has now")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "not JSON"),
        ('{"a": 1}', "no key 'task'"),
        ("[]", "not a JSON object"),
        ({"task": ["capitals"]}, "'task' is no text"),
        ({"id": 3}, "'id' is no text"),
        ({"scores": {"accuracy": "a"}}, "'scores' is no object of finite numbers"),
        ({"scores": {"accuracy": True}}, "'scores' is no object of finite numbers"),
        ({"scores": {}}, "'scores' has no 'accuracy'"),
        ({"scores": [1]}, "'scores' is no object of finite numbers"),
        ({"extra": 3}, "'extra' is no object"),
        ({"answer": None}, "'answer' is no text"),
    ],
    ids=str,
)
def test_a_damaged_row_is_named_by_file_and_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: Any, said: str
) -> None:
    library(monkeypatch, capitals())
    samples = interrupt(tmp_path / "eval") / "samples.jsonl"
    lines = samples.read_text().splitlines(keepends=True)
    lines[1] = f"{row if isinstance(row, str) else json.dumps(json.loads(lines[1]) | row)}\n"
    samples.write_text("".join(lines))
    with pytest.raises(PresageError) as caught:
        examine(tmp_path / "eval", None, resume=True)
    assert str(caught.value).startswith(f"{samples}:2: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert samples.read_text() == "".join(lines)


def test_other_examples_do_not_push_answers_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, capitals())
    out = interrupt(tmp_path / "eval")
    library(monkeypatch, capitals(data=Given(tuple(CAPITALS[1:]))))
    refused(out, "capitals: c0: was answered and is not what would be asked now")


def test_another_method_with_the_same_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, capitals())
    out = interrupt(tmp_path / "eval")
    library(monkeypatch, capitals(method=Choice("per_byte")))
    refused(out, "the methods are not those it began with: capitals")
