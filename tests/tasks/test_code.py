"""HumanEval and MBPP: reading, cutting, pass@k by temperature, choosing without tests, and the verb."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError, Unavailable
from presage.tasks import code
from presage.tasks.code import STOP, Sample, by_temperature, pass_at_k, read_problems, read_samples
from presage.tasks.sandbox import Sandbox
from presage.tasks.sandbox.tiers import TIERS

ADD = {
    "task_id": "test/0",
    "prompt": 'def add(a, b):\n    """The sum."""\n',
    "entry_point": "add",
    "canonical_solution": "    return a + b\n",
    "test": "def check(candidate):\n    assert candidate(1, 2) == 3\n",
}
MBPP = {
    "task_id": 2,
    "text": "Write a function to add two numbers.",
    "code": "def add(a, b):\r\n  return a + b",
    "test_setup_code": "import math",
    "test_list": ["assert add(1, 2) == 3", "assert math.isclose(add(0.5, 1), 1.5)", "assert len([add(1, 1)]) == 1"],
}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


# ---- problems --------------------------------------------------------------------------------------------------------


def test_humaneval_as_released(humaneval: Path) -> None:
    problems = read_problems(humaneval / "HumanEval.jsonl.gz")
    assert [problem.id for problem in problems] == [f"HumanEval/{n}" for n in range(164)]
    assert all(problem.stops == STOP and len(problem.entries) == 1 for problem in problems)
    program = problems[0].program(problems[0].solution)
    assert program.source == problems[0].prompt + problems[0].solution
    assert program.test.endswith("\ncheck(has_close_elements)\n")
    assert "has_close_elements([1.0, 2.0, 3.9" not in program.source
    assert program.timeout_s == 3.0


@pytest.mark.parametrize("tier", [TIERS[0], pytest.param(TIERS[1], marks=pytest.mark.slow)])
def test_humaneval_solutions_pass_and_stubs_fail(humaneval: Path, tier: str) -> None:
    problems = read_problems(humaneval / "HumanEval.jsonl.gz")
    try:
        opened = Sandbox.open(tier=tier)
    except Unavailable as error:
        pytest.skip(str(error))
    with opened as box:
        right = box.check([problem.program(problem.solution, timeout_s=30) for problem in problems])
        stubs = box.check([problem.program("    return None\n", timeout_s=30) for problem in problems])
    assert [verdict for verdict in right if not verdict.passed] == []
    assert [verdict for verdict in stubs if verdict.passed] == []
    assert len(right) == len(stubs) == 164


def test_mbpp(tmp_path: Path, box: Sandbox) -> None:
    clean = {key: value for key, value in MBPP.items() if key not in ("text", "test_setup_code")}
    clean |= {"task_id": 3, "prompt": "Add.", "test_imports": ["import math"]}
    problems = read_problems(write(tmp_path / "mbpp.jsonl", MBPP, clean))
    assert [problem.id for problem in problems] == ["2", "3"]
    assert [problem.entries for problem in problems] == [("add",)] * 2
    assert problems[0].prompt.startswith("You are an expert Python programmer")
    assert "assert add(1, 2) == 3\n" in problems[0].prompt
    assert [one.passed for one in box.check([problem.program(problem.solution) for problem in problems])] == [True] * 2
    assert not any(one.passed for one in box.check([p.program("def add(a, b): return 3") for p in problems]))


def test_a_prompt_without_docstring_still_defines_its_helpers(tmp_path: Path, box: Sandbox) -> None:
    row = ADD | {
        "prompt": "def one():\n    return 1\n\ndef add(a, b):\n",
        "test": "def check(c): assert c(1, 0) == one()\n",
    }
    problem = read_problems(write(tmp_path / "p.jsonl", row))[0]
    assert box.check([problem.program("    return a + b")])[0].passed


BAD = {
    "no object": ("[1]", "a JSON list, not an object"),
    "no JSON": ("{", "not JSON"),
    "neither": ({"task_id": "a", "prompt": "b"}, "neither 'entry_point' (HumanEval) nor 'test_list' (MBPP)"),
    "no prompt": ({key: value for key, value in ADD.items() if key != "prompt"}, "no 'prompt'"),
    "null": (ADD | {"test": None}, "test: null is no text"),
    "no name": (ADD | {"entry_point": "add; import os"}, "no name of a function"),
    "no list": (MBPP | {"test_list": "assert"}, "test_list: 'assert' is not a list of 1 or more texts"),
    "no Python": (MBPP | {"test_list": ["assert ("]}, "its tests are not Python"),
    "no call": (MBPP | {"test_list": ["assert len('a') == 1"]}, "its tests call no function"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_problems(tmp_path: Path, name: str) -> None:
    row, what = BAD[name]
    path = write(tmp_path / "p.jsonl", ADD, "", row)
    with pytest.raises(DataError) as caught:
        read_problems(path)
    assert str(caught.value).startswith(f"{path}:3: ") and what in str(caught.value)


def test_a_problem_twice_and_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'test/0' again"):
        read_problems(write(tmp_path / "p.jsonl", ADD, ADD))
    with pytest.raises(DataError, match="no problem in this file"):
        read_problems(write(tmp_path / "p.jsonl", ""))


# ---- samples ---------------------------------------------------------------------------------------------------------

BAD_SAMPLES = {
    "unknown": ({"task_id": "test/1", "completion": ""}, "did you mean 'test/0'?"),
    "no completion": ({"task_id": "test/0"}, "no 'completion'"),
    "null": ({"task_id": "test/0", "completion": None}, "completion: null is no text"),
    "temperature": ({"task_id": "test/0", "completion": "", "temperature": "0.2"}, "not a number from 0"),
    "minus": ({"task_id": "test/0", "completion": "", "temperature": -1}, "not a number from 0"),
    "truth": ({"task_id": "test/0", "completion": "", "temperature": True}, "not a number from 0"),
    "endless": ({"task_id": "test/0", "completion": "", "temperature": 10**400}, "not a number from 0"),
}


@pytest.mark.parametrize("name", BAD_SAMPLES)
def test_bad_samples(tmp_path: Path, name: str) -> None:
    row, what = BAD_SAMPLES[name]
    problems = read_problems(write(tmp_path / "p.jsonl", ADD))
    path = write(tmp_path / "s.jsonl", {"task_id": "test/0", "completion": "x"}, row)
    with pytest.raises(DataError) as caught:
        read_samples(path, problems)
    assert str(caught.value).startswith(f"{path}:2: ") and what in str(caught.value)
    assert len(str(caught.value)) < 300


def test_every_problem_needs_a_sample(tmp_path: Path) -> None:
    problems = read_problems(write(tmp_path / "p.jsonl", ADD, ADD | {"task_id": "test/9"}))
    with pytest.raises(DataError, match="1 of 2 problems have no sample, as 'test/9'"):
        read_samples(write(tmp_path / "s.jsonl", {"task_id": "test/0", "completion": ""}), problems)


def test_a_sample_may_hold_half_a_surrogate_pair(tmp_path: Path) -> None:
    row = {"task_id": "test/0", "completion": "\ud800"}
    assert read_samples(write(tmp_path / "s.jsonl", row), read_problems(write(tmp_path / "p.jsonl", ADD)))


@pytest.mark.parametrize("stop", STOP)
def test_each_stop_ends_a_completion(stop: str) -> None:
    assert code.truncated(f"    return 1{stop} more\ndef f") == "    return 1"
    assert code.truncated(f"    return 1{stop[1:]}") == f"    return 1{stop[1:]}"


@given(st.text("\ndefclasprint #if", max_size=60))
def test_cutting_leaves_no_stop_and_is_done_once(text: str) -> None:
    cut = code.truncated(text)
    assert text.startswith(cut) and not any(stop in cut for stop in STOP)
    assert code.truncated(cut) == cut


# ---- pass@k ----------------------------------------------------------------------------------------------------------


def pool(counts: dict[str, tuple[int, int]]) -> tuple[list[Sample], list[bool]]:
    """{problem: (samples, passed)}."""
    pairs = [(Sample(task, str(n)), n < c) for task, (total, c) in counts.items() for n in range(total)]
    return [sample for sample, _ in pairs], [passed for _, passed in pairs]


def test_pass_at_k_is_the_papers() -> None:
    for (n, c, k), value in {(200, 1, 1): 0.005, (200, 10, 10): 0.40855, (10, 3, 5): 0.91667}.items():
        rate = pass_at_k(*pool({"a": (n, c)}), k)
        assert rate is not None and math.isclose(rate.value, value, abs_tol=5e-6) and rate.stderr is None


def test_pass_at_k_is_the_chance_that_a_draw_of_k_passes() -> None:
    counts = {"a": (6, 2), "b": (5, 0), "c": (5, 5)}
    rate = pass_at_k(*pool(counts), 3)
    draws = [
        [any(draw) for draw in itertools.combinations([True] * c + [False] * (n - c), 3)] for n, c in counts.values()
    ]
    means = [sum(draw) / len(draw) for draw in draws]
    assert rate is not None and math.isclose(rate.value, sum(means) / 3)
    spread = math.sqrt(sum((one - rate.value) ** 2 for one in means) / 2 / 3)
    assert rate.stderr is not None and math.isclose(rate.stderr, spread)


def test_pass_at_k_needs_k_samples_of_every_problem() -> None:
    assert pass_at_k(*pool({"a": (10, 1), "b": (9, 1)}), 10) is None
    assert pass_at_k(*pool({"a": (10, 1), "b": (10, 1)}), 10) is not None


def test_temperatures_are_never_mixed() -> None:
    samples = [Sample("a", "x", 0.8), Sample("a", "y", 0.2), Sample("b", "z", 0.8)]
    assert {t: len(drawn) for t, drawn in by_temperature(samples).items()} == {0.2: 1, 0.8: 2}
    assert list(by_temperature(samples)) == [0.2, 0.8]
    with pytest.raises(DataError, match="2 temperatures"):
        pass_at_k(samples, [True] * 3, 1)
    with pytest.raises(DataError, match="1 samples name no temperature, 3 do"):
        by_temperature([*samples, Sample("a", "x")])
