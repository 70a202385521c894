"""The stage "eval": rows, tables, contamination, what is skipped, and interruptions that repeat nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from presage import cli
from presage.cli.results import scores
from presage.core import progress
from presage.core.errors import ConfigError, PresageError, RunError, Unavailable
from presage.core.run import RunDir
from presage.data import corpus
from presage.data.records import read_split
from presage.evaluate import asking
from presage.evaluate import run as stage
from presage.evaluate.asking import Asked
from presage.evaluate.joined import join
from presage.evaluate.scored import read_scores
from presage.evaluate.summary import _file_names
from presage.infer import opening
from presage.report import examination
from presage.report.blocks import Table
from presage.report.facts import Sources
from presage.tasks.library import find
from presage.tasks.methods.choice import Choice, plain
from presage.tasks.methods.noted import Gap
from presage.tasks.methods.program import Program
from presage.tasks.sandbox import Sandbox
from tests.toy_model import ToyModel
from tests.toy_tasks import CAPITALS, CITIES, Given, capitals

KNOWN = ("Paris", "Rome", "Lisbon", "Oslo", "Athens")


def _knows(prompt: str, text: str) -> float:
    """A model that knows five capitals, and takes the second option for the others."""
    question = prompt.rpartition("Question: ")[2]
    right = next(one.options[0] for one in CAPITALS if one.question in question)
    return -1.0 if (text.strip() == right) == (right in KNOWN) else -2.0


@pytest.fixture(autouse=True)
def _library(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(name: str) -> Any:
        if name != "capitals":
            raise ConfigError(f"unknown task '{name}'")
        return capitals()

    monkeypatch.setattr(asking, "find_task", find)


def _config(**changes: Any) -> stage.Config:
    return stage.Config(**({"model": "toy", "tasks": (Asked(task="capitals"),), "part": 3} | changes))


def _run(out: Path, model: ToyModel | None = None, **changes: Any) -> RunDir:
    resume = changes.pop("resume", False)
    return stage.run(_config(**changes), out, resume=resume, model=model or ToyModel(logprob=_knows))


def test_rows_tables_and_results(tmp_path: Path) -> None:
    made = _run(tmp_path / "eval")
    rows = list(made.rows("samples.jsonl"))
    assert [row["id"] for row in rows] == [one.id for one in CAPITALS]
    first = rows[0]
    assert first["prompt"] == "Question: Capital of France?\nAnswer:"
    assert first["asked"][0] == {
        "kind": "loglikelihood",
        "request": {"text": " Paris"},
        "answer": {"logprob": -1.0, "tokens": 6, "greedy": False, "truncated": 0},
    }
    assert (first["gold"], first["answer"], first["scores"]) == (0, "Paris", {"accuracy": 1.0})
    (row,) = made.read_table("tasks")
    assert (row["task"], row["metric"], row["n"], row["chance"]) == ("capitals", "accuracy", "8", "0.5")
    assert float(row["value"]) == 5 / 8
    # Groups of two with 1, 1, 1, 2 right: sums of deviations -1/4, -1/4, -1/4, 3/4, so 4/3 * 3/4 and one over 8.
    assert float(row["stderr"]) == pytest.approx((4 / 3 * 0.75) ** 0.5 / 8)
    assert made.results()["capitals/accuracy"]["value"] == 5 / 8
    categories = {row["category"]: float(row["value"]) for row in made.read_table("categories")}
    assert categories == {"N": 1.0, "S": 0.25}
    for row in made.read_table("categories"):
        assert float(row["lo"]) <= float(row["value"]) <= float(row["hi"])
        assert (row["n"], row["invalid"], row["truncated"]) == ("4", "0", "0")
    scores = read_scores([made.path / "artifacts/scores/capitals.jsonl"])
    assert join(scores).rows[0].raw.value == 5 / 8
    assert made.problems() == []


def test_an_interruption_repeats_nothing_and_changes_nothing(tmp_path: Path) -> None:
    whole = _run(tmp_path / "whole")

    class Failing(ToyModel):
        def loglikelihood(self, requests: Any) -> Any:
            if len(self.asked) >= 12:
                raise KeyboardInterrupt
            return super().loglikelihood(requests)

    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "cut", Failing(logprob=_knows))
    rows = (tmp_path / "cut/samples.jsonl").read_bytes()
    assert rows.count(b"\n") == 6
    (tmp_path / "cut/samples.jsonl").write_bytes(rows + b'{"task": "capi')  # killed in the middle of a row
    model = ToyModel(logprob=_knows)
    resumed = _run(tmp_path / "cut", model, resume=True)
    assert len(model.asked) == 4
    assert resumed.digest == whole.digest


def test_a_torn_part_is_asked_again_whole(tmp_path: Path) -> None:
    whole = _run(tmp_path / "whole")

    class Failing(ToyModel):
        def loglikelihood(self, requests: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "cut", Failing())
    lines = (whole.path / "samples.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut/samples.jsonl").write_bytes(b"".join(lines[:5]))
    model = ToyModel(logprob=_knows)
    assert _run(tmp_path / "cut", model, resume=True).digest == whole.digest
    assert len(model.asked) == 2 * 5


def test_another_model_cannot_go_on(tmp_path: Path) -> None:
    class Other(ToyModel):
        def identity(self) -> dict[str, Any]:
            return {"backend": "other"}

        def loglikelihood(self, requests: Any) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "eval", Other())
    with pytest.raises(RunError, match="not the one it began with"):
        _run(tmp_path / "eval", ToyModel(logprob=_knows), resume=True)


def test_raw_stands_beside_clean_and_contaminated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = [" ".join(f"{one.id}word{n}" for n in range(12)) + " " + one.question for one in CAPITALS]
    (texts := tmp_path / "texts").mkdir()
    (texts / "leak.txt").write_text("\n\n".join([*long[:2], "Nothing else is said here, but it is said at length."]))
    for number in range(20):
        (texts / f"{number}.txt").write_text(f"The {number}th text is about something else altogether.\n" * 5)
    source = corpus.Source(name="mine", paths=(str(texts),))
    read = corpus.run(corpus.Config(sources=(source,), val_fraction=0.05), tmp_path / "corpus")
    examples = tuple(replace(one, question=text) for one, text in zip(CAPITALS, long, strict=True))
    monkeypatch.setattr(asking, "find_task", lambda name: capitals(data=Given(examples)))
    made = _run(tmp_path / "eval", corpus=read.path)
    (row,) = made.read_table("shown")
    assert (row["contaminated"], row["untestable"], row["quote"]) == ("2", "0", "raw")
    assert float(row["raw"]) == 5 / 8
    assert float(row["dirty"]) == 1 / 2
    assert float(row["clean"]) == 4 / 6
    assert float(row["degradation_percent"]) == pytest.approx(100 * (4 / 6 - 5 / 8) / (5 / 8))
    verdicts = json.loads((made.path / "artifacts/contamination.json").read_text())
    assert [name for name, verdict in verdicts["capitals"].items() if verdict == "flagged"] == ["c0", "c1"]


def test_what_could_not_be_looked_for_is_printed_and_the_search_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A question of one word is neither clean nor contaminated."""
    (texts := tmp_path / "texts").mkdir()
    for number in range(20):
        (texts / f"{number}.txt").write_text(f"The {number}th text is about something else altogether.\n" * 5)
    source = corpus.Source(name="mine", paths=(str(texts),))
    read = corpus.run(corpus.Config(sources=(source,), val_fraction=0.05), tmp_path / "corpus")
    long = " ".join(f"word{n}" for n in range(12))
    examples = [replace(one, question="Why?" if i == 3 else f"{one.id} {long}") for i, one in enumerate(CAPITALS)]
    monkeypatch.setattr(asking, "find_task", lambda name: capitals(data=Given(tuple(examples))))
    monkeypatch.setattr(progress, "QUIET", False)
    made = _run(tmp_path / "eval", ToyModel(), corpus=read.path)
    assert "questions in the training text: 100 %" in capsys.readouterr().err
    (line,) = [line for line in scores(made) if line.startswith("capitals")]
    assert line.endswith("0 of 8, 1 not testable")


def test_without_training_text_nothing_is_said_to_be_clean(tmp_path: Path) -> None:
    (row,) = _run(tmp_path / "eval").read_table("shown")
    assert (row["clean"], row["contaminated"], row["absent"]) == ("", "", "not checked")


def test_a_limit_draws_by_the_seed(tmp_path: Path) -> None:
    def ids(name: str, seed: int) -> list[str]:
        made = _run(tmp_path / name, tasks=(Asked(task="capitals", limit=4),), seed=seed)
        return [row["id"] for row in made.rows("samples.jsonl")]

    assert len(ids("a", 0)) == 4
    assert ids("b", 0) == ids("c", 0)
    assert ids("d", 1) != ids("e", 0)


def test_shots_are_recorded_and_stand_in_the_prompt(tmp_path: Path) -> None:
    made = _run(tmp_path / "eval", tasks=(Asked(task="capitals", shots=2),))
    for row in made.rows("samples.jsonl"):
        assert row["task"] == "capitals@2"
        assert len(row["shots"]) == 2
        for name in row["shots"]:
            assert f" {CITIES[int(name[1:])]}\n\n" in row["prompt"]


def test_what_cannot_be_asked_is_an_error_or_listed(tmp_path: Path) -> None:
    asked = (Asked(task="capitals"), Asked(task="captials"))
    with pytest.raises(ConfigError, match="unknown task 'captials'"):
        _run(tmp_path / "a", tasks=asked)
    assert not (tmp_path / "a").exists()
    made = _run(tmp_path / "b", tasks=asked, skip_missing=True)
    assert made.read_table("skipped") == [{"task": "captials", "reason": "unknown task 'captials'"}]


def test_a_model_without_likelihoods_writes_its_answers(tmp_path: Path) -> None:
    model = ToyModel(write=lambda prompt, sample: " A", has_likelihood=False)
    made = _run(tmp_path / "eval", model)
    assert made.value("capitals/accuracy") == 1.0
    silent = ToyModel(has_likelihood=False)
    made = _run(tmp_path / "silent", silent)
    assert made.value("capitals/accuracy") == 0.0
    assert made.read_table("tasks")[0]["invalid"] == "8"


class _Cut(ToyModel):
    """Killed after so many requests."""

    def loglikelihood(self, requests: Any) -> Any:
        if len(self.asked) >= 6:
            raise KeyboardInterrupt
        return super().loglikelihood(requests)


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"template": plain(lambda one: one.question)}], ids=["task", "data"]
)
def test_answers_to_other_questions_are_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        _run(tmp_path / "eval", _Cut(logprob=_knows))
    monkeypatch.setattr(asking, "find_task", lambda name: capitals(**change))
    with pytest.raises(RunError, match=r"capitals: c0: was answered with another"):
        _run(tmp_path / "eval", resume=True)


def test_results_are_found_by_the_declared_name(tmp_path: Path) -> None:
    made = _run(tmp_path / "eval", tasks=(Asked(task="capitals", shots=1),))
    (row,) = made.read_table("tasks")
    assert (row["task"], row["declared"], row["shots"]) == ("capitals@1", "capitals", "1")
    assert {row["declared"] for row in made.rows("samples.jsonl")} == {"capitals"}


def test_a_log_probability_that_is_no_number_names_the_model(tmp_path: Path) -> None:
    with pytest.raises(PresageError, match="toy: gives a log-probability of -inf"):
        _run(tmp_path / "eval", ToyModel(logprob=lambda prompt, text: float("-inf")))


def test_without_a_sandbox_programs_are_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_: Any) -> Any:
        raise Unavailable("no isolation here")

    found = {"capitals": capitals(), "programs": capitals(name="programs", method=Program())}
    monkeypatch.setattr(asking, "find_task", found.__getitem__)
    monkeypatch.setattr(Sandbox, "open", none)
    asked = (Asked(task="capitals"), Asked(task="programs"))
    with pytest.raises(Unavailable):
        _run(tmp_path / "a", tasks=asked)
    made = _run(tmp_path / "b", tasks=asked, skip_missing=True)
    assert made.read_table("skipped") == [{"task": "programs", "reason": "no isolation here"}]
    assert made.value("capitals/accuracy") == 5 / 8


def test_sums_that_stand_in_the_training_text_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = {name: find(name) for name in ("two_digit_addition", "two_digit_subtraction", "two_digit_multiplication")}
    monkeypatch.setattr(asking, "find_task", tasks.__getitem__)
    monkeypatch.setattr(opening, "open_model", lambda spec, **_: ToyModel())
    sums = [re.findall(r"\d+", one.question) for one in tasks["two_digit_addition"].data.examples(tmp_path, 0)]
    once = [pair for pair, count in Counter(map(tuple, sums)).items() if count == 1]
    (texts := tmp_path / "texts").mkdir()
    for number in range(20):
        (texts / f"{number}.txt").write_text(f"The {number}th text says nothing of numbers, but at some length.\n" * 5)
    said = "Ada adds. {} + {} = all, {} plus {} too, and {} + {} is not asked so.\n"
    (texts / "sums.txt").write_text(said.format(*once[0], *once[1], *once[2]) * 20)
    read = corpus.run(corpus.Config(sources=(corpus.Source(name="m", paths=(str(texts),)),)), tmp_path / "corpus")
    assert "sums" in " ".join(one.path for one in read_split(read.path, "train"))

    arguments = ["eval", "hf:toy", "--tasks", ",".join(tasks), "--shots", "0", "--out", str(tmp_path / "eval")]
    assert cli.main([*arguments, "--corpus", str(read.path), "--data", str(tmp_path)]) == 0
    shown = "two_digit_addition@0: 2 of 2000 problems stand in the training text as 'a + b =' or 'a plus b'\n"
    assert shown in capsys.readouterr().out
    first, second = RunDir.open(tmp_path / "eval").read_table("arithmetic")
    assert list(first.values()) == ["two_digit_addition@0", "2000", "1", "1", "2"]
    assert list(second.values()) == ["two_digit_subtraction@0", "2000", "0", "0", "0"]
    blocks = examination.section(Sources({"examination": tmp_path / "eval"})).blocks
    [table] = [one for one in blocks if isinstance(one, Table) and one.caption.startswith("Arithmetic")]
    assert [str(cell) for cell in table.rows[0]] == ["two_digit_addition@0", "2,000", "1", "1", "2"]


def test_a_password_of_a_proxy_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="would be written down") as caught:
        stage.Config.parse({"model": "hf:x", "tasks": [{"task": "capitals"}], "settings": ["proxy=http://u:secret@h"]})
    assert "secret" not in str(caught.value)


def test_each_endpoint_is_given_its_own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def opened(spec: str, **settings: Any) -> ToyModel:
        given[spec] = settings
        return ToyModel(logprob=_knows)

    monkeypatch.setattr(opening, "open_model", opened)
    config = _config(model="https://a/v1#m", judge="https://b/v1#j", key_file="a.key")
    stage.run(config, tmp_path / "eval")
    assert given == {"https://a/v1#m": {"key_file": Path("a.key")}, "https://b/v1#j": {}}
    assert RunDir.open(tmp_path / "eval").origin["judge"] == {"backend": "toy"}
    stage.run(_config(model="hf:x", judge="https://b/v1#j", judge_key_file="b.key"), tmp_path / "other")
    assert given["https://b/v1#j"] == {"key_file": Path("b.key")}


def test_labels_that_are_spelled_alike_in_files_keep_apart() -> None:
    assert list(_file_names(["a:b", "a-b", "A-b", "c"]).values()) == ["a-b", "a-b-2", "A-b-3", "c"]


def test_a_gap_with_one_side_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = Gap(Choice("sum"), ("N",), ("elsewhere",), "gap")
    monkeypatch.setattr(asking, "find_task", lambda name: capitals(method=method))
    made = _run(tmp_path / "eval")
    assert made.value("capitals/gap") is None
    assert made.value("capitals/accuracy") == 5 / 8
