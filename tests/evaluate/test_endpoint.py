"""An examination of a model behind a URL: cut off, gone on with, judged; and its key in none of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError, EndpointError
from presage.evaluate import run as evaluation
from presage.recipes import examination as recipe
from tests.infer.endpoint import KEY, Body, Endpoint, Reply, error, honest, serving
from tests.toy_model import ToyModel

COUNT = 12


class Failing:
    """Answers so many generations, then breaks down, with the key in what it says."""

    def __init__(self, good: int) -> None:
        self.good = good
        self.questions: list[str] = []

    def __call__(self, path: str, body: Body) -> Reply:
        if body.get("max_tokens") == 1:
            return honest(path, body)
        if self.good == 0:
            return error(401, f"the key {KEY} was withdrawn")
        self.good -= 1
        self.questions.append(body["messages"][-1]["content"])
        return honest(path, body, words=f" {KEY} Wednesday")


def examination(folder: Path, endpoint: Endpoint) -> evaluation.Config:
    (folder / "key").write_text(KEY)
    rows = [{"question": f"Which day is number {i}?", "answer": "Wednesday"} for i in range(COUNT)]
    (folder / "days.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return evaluation.Config(
        model=f"{endpoint.url}#toy",
        key_file=str(folder / "key"),
        tasks=({"task": f"{folder}/days.jsonl:includes"},),  # type: ignore[arg-type]
        settings=("attempts=1", "price_in=2.0", "concurrency=2"),
        part=4,
    )


def test_what_was_answered_is_kept_and_the_key_is_in_no_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    failing = Failing(good=6)
    with serving(failing) as endpoint:
        config = examination(tmp_path, endpoint)
        with pytest.raises(EndpointError, match=r"refuses the key \(401\): the key \[key\] was withdrawn") as caught:
            evaluation.run(config, tmp_path / "out")
        assert caught.value.exit_code == 2
        first = set(failing.questions)
        failing.good, failing.questions = COUNT, []
        done = evaluation.run(config, tmp_path / "out", resume=True)
    samples = list(done.rows("samples.jsonl"))
    assert len(samples) == COUNT
    assert all(row["scores"]["accuracy"] == 1.0 for row in samples)
    kept = {f"Q: Which day is number {i}?\nA:" for i in range(4)}
    assert kept <= first
    assert not kept & set(failing.questions), "a whole part is not asked again"
    assert set(endpoint.keys) == {f"Bearer {KEY}"}
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    shown = capfd.readouterr()
    assert KEY not in shown.out + shown.err + str(caught.value) + repr(caught.value)
    assert done.problems() == []


def spent(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "timing.jsonl").read_text().splitlines()]


def test_what_was_spent_before_an_interruption_is_kept_and_counted_with_the_rest(tmp_path: Path) -> None:
    out, asked = tmp_path / "out", []
    failing = Failing(good=6)

    def counting(path: str, body: Body) -> Reply:
        asked.append(path)
        return failing(path, body)

    with serving(counting) as endpoint:
        alone = {"settings": ("attempts=1", "price_in=2.0", "concurrency=1")}  # none on its way when another fails
        config = examination(tmp_path, endpoint).model_copy(update=alone)
        with pytest.raises(EndpointError):
            evaluation.run(config, out)
        first, so_far = spent(out), len(asked)
        assert [row["requests"] for row in first] == sorted({row["requests"] for row in first})
        assert len(first) == 2, "one for the part that was kept, one for what the next one took"
        assert first[-1]["requests"] == so_far
        with open(out / "timing.jsonl", "a", encoding="utf-8") as file:
            file.write('{"model": "x", "requ')
        failing.good = COUNT
        done = evaluation.run(config, out, resume=True)
    rows = spent(out)
    assert rows[:2] == first
    last = rows[-1]
    assert (last["requests"], last["role"]) == (len(asked), "examined")
    tokens = {name: last[name] for name in ("prompt_tokens", "completion_tokens")}
    assert all(tokens[name] > first[-1][name] > 0 for name in tokens)
    assert last["cost"] == pytest.approx(2.0 * tokens["prompt_tokens"] / 1e6)
    assert done.problems() == []


def test_a_model_that_counts_nothing_has_no_row(tmp_path: Path) -> None:
    rows = [{"question": "Which day?", "answer": "Wednesday"}]
    (tmp_path / "days.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = evaluation.Config(model="toy", tasks=({"task": f"{tmp_path}/days.jsonl"},))  # type: ignore[arg-type]
    evaluation.run(config, tmp_path / "out", model=ToyModel())
    assert not (tmp_path / "out" / "timing.jsonl").exists()


def test_an_address_in_capitals_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "days.jsonl").write_text('{"question": "Which day?", "answer": "Wednesday"}\n')
    tasks = recipe.asked_of([f"{tmp_path}/days.jsonl:includes"])
    with pytest.raises(ConfigError, match=r"endpoint: attempts: .*greater than 0"):
        recipe.examined("HTTP://127.0.0.1:1/v1#m", tmp_path / "out", tasks=tasks, settings=("attempts=0",))
