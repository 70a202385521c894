"""The command line: grammar, exit codes, one line for every error."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from presage import cli
from presage.cli.grammar import percent
from presage.core.config import Config, Parent
from presage.core.errors import CheckFailed, PresageError, Stopped, Unavailable
from presage.core.run import RunDir
from tests.imports import ROOT


class Tiny(Config):
    steps: int = 1
    lr: float = 0.1
    shards: Parent | None = None

    def plan(self) -> dict[str, object]:
        return {"tokens": self.steps * 10}


def run_tiny(config: Tiny, out: Path, *, resume: bool = False) -> RunDir:
    with RunDir.create(out, "corpus", config, resume=resume) as run:
        run.result("val/bpb", 1.25, stderr=0.01, unit="bits/byte")
        run.finish()
    return run


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Verb `corpus` leads to a tiny stage; the working directory is empty but for a recipe file."""
    monkeypatch.setitem(sys.modules, "presage.data.corpus", SimpleNamespace(Config=Tiny, run=run_tiny))  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from tests.test_cli import Tiny\ndef corpus(): return Tiny(steps=2)\ndef text(): return 'no config'\n"
        "def wrong(): return Tiny(steps='many')\n"
        "from presage.core.config import Config, flatten\ndef other(): return Config()\n"
        "def fails(): raise ValueError('a\\nb')\n"
        "def deep(): return flatten(dict(a={}['gone']))\n"
    )
    return tmp_path


Outcome = Callable[..., tuple[int, str, str]]


@pytest.fixture
def presage(capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Runs one command line in this process: (exit code, standard output, standard error)."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def in_process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "presage", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False, **options)


# ---- stages ---------------------------------------------------------------------------------------------------------


def test_a_stage_runs_from_a_file_with_overrides(tiny: Path, presage: Outcome) -> None:
    code, out, err = presage("corpus", "mine.py:corpus", "lr=0.5", "--out", "a")
    assert (code, out, err) == (0, "a\n", "")
    assert RunDir.open("a", "corpus").config(Tiny) == Tiny(steps=2, lr=0.5)


def test_overrides_may_follow_options(tiny: Path, presage: Outcome) -> None:
    assert presage("corpus", "mine.py:corpus", "--out", "a", "steps=7", "lr=1")[0] == 0
    assert RunDir.open("a").config(Tiny) == Tiny(steps=7, lr=1)


@pytest.mark.parametrize("recipe", ["a", "a/config.json"])
def test_a_stage_runs_again_from_a_run(tiny: Path, presage: Outcome, recipe: str) -> None:
    presage("corpus", "mine.py:corpus", "lr=0.5", "--out", "a")
    presage("corpus", "mine.py:corpus", "shards=a", "--out", "b")
    assert presage("corpus", recipe, "--out", "deep/c")[0] == 0
    assert RunDir.open("deep/c").config(Tiny) == Tiny(steps=2, lr=0.5)
    assert presage("corpus", "b", "--out", "deep/er/d")[0] == 0
    shards = RunDir.open("deep/er/d").config(Tiny).shards
    assert shards is not None
    assert shards.resolve() == Path("a").resolve()


def test_dry_run_prints_config_and_plan_and_writes_nothing(tiny: Path, presage: Outcome) -> None:
    code, out, err = presage("corpus", "mine.py:corpus", "--out", "a", "--dry-run")
    assert (code, err) == (0, "")
    assert out == "steps = 2\nlr = 0.1\nshards = None\n\ntokens: 20\n"
    assert not Path("a").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["mine.py:corpsu"], "mine.py:corpsu: no function 'corpsu' (did you mean 'corpus'?)"),
        (["mine.py:text"], "mine.py:text: returns str, not tests.test_cli.Tiny"),
        (["mine.py:other"], "mine.py:other: returns presage.core.config.Config, not tests.test_cli.Tiny"),
        (["mine.py:fails"], "mine.py:7: raises ValueError: a b"),
        (["mine.py:deep"], "mine.py:8: raises KeyError: 'gone'"),
        (["mine.py:wrong"], "mine.py:wrong: steps: Input should be a valid integer"),
        (["none.py:corpus"], "none.py: no such recipe file"),
        (["broken.py:corpus"], "broken.py:2: cannot be loaded: ZeroDivisionError: division by zero"),
        (["unread.py:corpus"], "unread.py:3: cannot be loaded: SyntaxError: "),
        (["none.json"], "none.json: no such config (give a run directory or its config.json)"),
        (["loading"], "no recipe 'loading' ("),
        (["no-such"], "no recipe 'no-such' ("),
        (["mine.py:corpus", "stesp=1"], "unknown key 'stesp' (did you mean 'steps'?)"),
        (["mine.py:corpus", "steps=x"], "override: steps: "),
        (["mine.py:corpus", "shards=nowhere"], "nowhere: not a run directory (no config.json)"),
        (["pretrain.json"], "pretrain.json: the config of a 'pretrain' run, not of 'corpus' (use presage pretrain)"),
        (["bad.json"], "bad.json: not JSON: "),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    tiny: Path, presage: Outcome, arguments: list[str], message: str
) -> None:
    (tiny / "broken.py").write_text("\n1/0")
    (tiny / "unread.py").write_text("\n\nx = (\n")
    (tiny / "pretrain.json").write_text('{"stage": "pretrain", "schema": 1, "config": {}}')
    (tiny / "bad.json").write_text("{")
    code, out, err = presage("corpus", *arguments, "--out", "a")
    assert (code, out) == (2, "")
    assert err.startswith(f"presage: {message}")
    assert err.count("\n") == 1
    assert not Path("a").exists(), "nothing half-written"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["corpu"], 'Unknown command "corpu". Did you mean "corpus"?'),
        (["forecast", "verifi", "x"], 'Unknown command "verifi". Did you mean "verify"?'),
        (["corpus", "mine.py:corpus", "--otu", "a"], "Unknown option: --otu. Did you mean --out?"),
        (["corpus", "mine.py:corpus"], "--out"),
        (["corpus"], "RECIPE"),
        (["demo", "--minutes", "soon"], 'unable to convert "soon" into float'),
        (["forecast", "fit", "points.csv", "--at", "inf"], "--at must be positive and finite"),
        (["check"], "requires an argument"),
        (["export", "a", "--to", "onnx", "--out", "b"], "onnx"),
        (["export", "a", "--to", "gguf", "--type", "q4_0", "--out", "b"], "q4_0"),
        (["export", "a", "--to", "gguf", "--shard-size", "1GB", "--out", "b"], "--shard-size is of --to hf"),
        (["export", "a", "--type", "f32", "--out", "b"], "--type of --to gguf"),
    ],
)
def test_a_bad_command_line_is_one_line_and_exit_code_2(
    tiny: Path, presage: Outcome, arguments: list[str], message: str
) -> None:
    code, out, err = presage(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("presage: ")
    assert message in err
    assert err.count("\n") == 1


# ---- errors of every kind -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (PresageError("gone", where="a.txt:3", hint="look"), 2, "a.txt:3: gone (look)"),
        (CheckFailed("differs"), 1, "differs"),
        (Unavailable("no bubblewrap"), 3, "no bubblewrap"),
        (Stopped("stopped by SIGTERM"), 4, "stopped by SIGTERM"),
        (KeyboardInterrupt(), 4, "stopped by Ctrl-C"),
        (OSError(28, "No space left on device", "a/b"), 2, "a/b: No space left on device"),
        (PermissionError(13, "Permission denied", "a/b"), 2, "a/b: Permission denied"),
        (FileNotFoundError(2, "No such file", "a/b"), 70, "internal error: FileNotFoundError: "),
        (TypeError("first line\nsecond line"), 70, "internal error: TypeError: first line (please"),
    ],
)
def test_exit_codes(
    tiny: Path, presage: Outcome, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, text: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("tempfile.tempdir", str(tiny))
    monkeypatch.setitem(sys.modules, "presage.data.corpus", SimpleNamespace(Config=Tiny, run=fail))  # type: ignore[arg-type]
    found, out, err = presage("corpus", "mine.py:corpus", "--out", "a")
    assert (found, out) == (code, "")
    assert err.startswith(f"presage: {text}")
    assert err.count("\n") == 1
    crashes = list(tiny.glob("presage-crash-*.txt"))
    assert len(crashes) == (code == 70)
    for crash in crashes:
        assert str(crash) in err
        assert "Traceback" in crash.read_text()
        assert "in fail" in crash.read_text()


def test_a_stage_that_exits_by_itself_is_no_success(
    tiny: Path, presage: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def leave(config: Tiny, out: Path, *, resume: bool = False) -> RunDir:
        raise SystemExit(0)

    monkeypatch.setitem(sys.modules, "presage.data.corpus", SimpleNamespace(Config=Tiny, run=leave))  # type: ignore[arg-type]
    assert presage("corpus", "mine.py:corpus", "--out", "a") == (
        2,
        "",
        "presage: stopped by its own code: it exits (0)\n",
    )


def test_sigterm_stops_with_exit_code_4(tiny: Path) -> None:
    (tiny / "slow.py").write_text(
        "import sys, time\ndef corpus():\n    print('ready', flush=True, file=sys.stderr)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-m", "presage", "corpus", f"{tiny / 'slow.py'}:corpus", "--out", str(tiny / "a")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert process.stderr.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert process.wait(timeout=30) == 4
    assert time.monotonic() - began < 10
    assert "presage: stopped by SIGTERM" in process.stderr.read()
    process.stderr.close()


@pytest.fixture
def heard() -> Iterator[None]:
    """Ctrl-C as in a terminal: what a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["corpus", "mine.py:corpus", "--out", "a"], "go on with the same command and --resume"),
        (["make", "microcode", "--out", "a.jsonl"], "run the same command again"),
        (["contamination", "--items", "a.jsonl", "--corpus", "b"], "run the same command again"),
    ],
)
@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize(("name", "word"), [("SIGTERM", "SIGTERM"), ("SIGINT", "Ctrl-C")])
def test_an_interrupted_verb_says_how_to_go_on(
    tiny: Path, presage: Outcome, monkeypatch: pytest.MonkeyPatch, arguments: list[str], hint: str, name: str, word: str
) -> None:
    def struck(*_: object, **__: object) -> None:
        signal.raise_signal(signal.Signals[name])

    monkeypatch.setitem(sys.modules, "presage.data.corpus", SimpleNamespace(Config=Tiny, run=struck))  # type: ignore[arg-type]
    monkeypatch.setattr("presage.data.microcode.write", struck)
    monkeypatch.setattr("presage.evaluate.sets.set_of", struck)
    assert presage(*arguments) == (4, "", f"presage: stopped by {word} ({hint})\n")


@pytest.mark.parametrize(
    ("level", "text"), [(0.9, "90%"), (0.999, "99.9%"), (0.57, "57%"), (0.99999999, "99.999999%"), (1e-3, "0.1%")]
)
def test_levels_are_printed_as_they_were_given(level: float, text: str) -> None:
    assert percent(level) == text


def test_a_reader_that_goes_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "presage", "reference"]
    done = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_help_that_is_read_no_further_ends_in_silence() -> None:
    command = [sys.executable, "-m", "presage", "demo", "--help"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()  # before anything is written
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_help_and_version_go_to_standard_output() -> None:
    for arguments, text in ((["--help"], "Usage: presage"), ([], "Usage: presage"), (["--version"], "0.")):
        done = in_process(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert text in done.stdout


@pytest.mark.parametrize("verb", [*cli.STAGES, "demo", "show", "diff", "check", "export", "import", "forecast"])
def test_every_verb_has_help(verb: str, presage: Outcome) -> None:
    code, out, err = presage(verb, "--help")
    assert (code, err) == (0, "")
    assert f"presage {verb}" in out


# ---- looking at runs ------------------------------------------------------------------------------------------------


@pytest.fixture
def two(tiny: Path, presage: Outcome) -> Path:
    presage("corpus", "mine.py:corpus", "--out", "runs/a")
    presage("corpus", "mine.py:corpus", "lr=0.5", "shards=runs/a", "--out", "runs/b")
    return tiny / "runs"


def test_show_prints_results(two: Path, presage: Outcome) -> None:
    code, out, err = presage("show", "runs")
    assert (code, err) == (0, "")
    assert "runs/a  corpus, finished" in out
    assert "val/bpb = 1.25 ± 0.01 bits/byte" in out
    assert "parent shards: corpus" in out
    facts = json.loads(presage("show", "runs/a", "--json")[1])
    assert facts["runs/a"]["results"]["val/bpb"]["value"] == 1.25


def test_show_prints_intervals_where_there_are_some(tiny: Path, presage: Outcome) -> None:
    with RunDir.create("runs/c", "conduct", Tiny()) as run:
        run.result("refused", 0.0, stderr=0.0, lo=0.0, hi=0.1423, unit="share")
        run.result("length correlation", -0.377094, n=9, unit="1")
        run.result("none", None, stderr=None, lo=None, hi=None)
        run.finish()
    lines = presage("show", "runs")[1].splitlines()
    assert lines[1:] == ["  refused = 0 (0 to 0.142) share", "  length correlation = -0.377094", "  none = None"]


def test_diff_prints_what_differs(two: Path, presage: Outcome) -> None:
    code, out, err = presage("diff", "runs/a", "runs/b")
    assert (code, err) == (0, "")
    assert "config.lr: 0.1 -> 0.5\n" in out
    assert json.loads(presage("diff", "runs/a", "runs/b", "--json")[1])["config.lr"] == [0.1, 0.5]


def test_check_passes_whole_runs(two: Path, presage: Outcome) -> None:
    code, out, err = presage("check", "runs")
    assert (code, err) == (0, "")
    assert [line.split() for line in out.splitlines()] == [["ok", "corpus", "runs/a"], ["ok", "corpus", "runs/b"]]


def test_check_names_the_file_that_differs(two: Path, presage: Outcome) -> None:
    (two / "a" / "result.json").write_text("{}")
    code, out, err = presage("check", "runs")
    assert code == 1
    assert "runs/a/result.json: content differs from DONE" in out
    assert err == "presage: runs/a/result.json: 1 file differs\n"


def test_check_names_the_run_of_a_file_in_a_folder(two: Path, presage: Outcome) -> None:
    (two / "b" / "artifacts").mkdir()
    (two / "b" / "artifacts" / "extra.bin").write_bytes(b"x")
    assert "runs/b/artifacts/extra.bin: not listed in DONE\n" in presage("check", "runs")[1]


def test_check_verifies_a_seal_where_there_is_one(two: Path, presage: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunDir.create("runs/f", "seal", Tiny()) as run:
        run.write_json("forecast.json", {})
        run.finish()
    asked = []

    def verify(path: Path, ledger: Path | None = None) -> list[tuple[str, str]]:
        asked.append(path)
        return [(f"{path}/forecast.json", "not what was sealed"), (f"{path}/../ladder/DONE", "another digest")]

    monkeypatch.setattr("presage.forecast.verify.verify", verify)
    monkeypatch.setattr("presage.forecast.verify.examine", lambda *asked: SimpleNamespace(problems=verify(*asked)))
    for arguments in (["check", "runs"], ["forecast", "verify", "runs/f"]):
        code, out, err = presage(*arguments)
        assert code == 1
        assert "runs/f/forecast.json: not what was sealed" in out
        assert err == "presage: runs/f/forecast.json: 2 files differ\n"
    assert asked == [Path("runs/f")] * 2


def test_looking_where_nothing_is(tiny: Path, presage: Outcome) -> None:
    for verb in ("show", "check"):
        assert presage(verb, "nowhere") == (2, "", "presage: nowhere: no such directory\n")
    assert presage("diff", "nowhere", "nowhere")[0] == 2
