"""The verbs of people's judgement: two models answer, people compare, the numbers say what they said."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from presage import cli
from presage.align.label_tasks import read_tasks
from presage.align.records import read_preferences
from presage.data.bpe import Tokenizer
from presage.model.config import qwen3
from tests.imports import ROOT
from tests.model.shapes import TEXT, lively, make_run

Outcome = Callable[..., tuple[int, str, str]]


@pytest.fixture
def presage(capsys: pytest.CaptureFixture[str]) -> Outcome:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = cli.main([str(one) for one in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(Tokenizer.train([TEXT], 270).to_json())
    shape = qwen3(270, 48, 1, 16, n_heads=2, n_kv_heads=2, d_head=8)
    one, two = (make_run(folder / name / "target", lively(shape), tokenizer, step=7) for name in ("a", "b"))
    return one, two


def tasks_in(folder: Path, count: int = 4) -> Path:
    path = folder / "tasks.jsonl"
    rows = [
        {"id": f"t{n}", "prompt": f"q {n}", "completions": ["x", "y"], "sources": ["A", "B"], "category": "c"}
        for n in range(count)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@contextmanager
def labelling(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The verb `label` in a process of its own, in which Ctrl-C is heard, and the address that it prints."""
    program = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\nfrom presage.cli import main\n"
    command = [sys.executable, "-c", f"{program}raise SystemExit(main())", "label", *map(str, arguments), "--no-open"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=ROOT, **pipes)
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def ask(url: str, body: object = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=20)
    return process.returncode, out, err


def always(url: str, text: str) -> None:
    """Somebody who always likes one text better."""
    state = ask(f"{url}state")
    while state["task"] is not None:
        ranks = [1 if one == text else 2 for one in state["task"]["completions"]]
        answer = {"ranks": ranks, "ratings": [None, None], "flags": [[], []]}
        state = ask(f"{url}save", {"turn": state["turn"], "answer": answer})


# ---- a session -------------------------------------------------------------------------------------------------------


def test_ctrl_c_ends_with_a_line_and_the_same_command_goes_on(tmp_path: Path, presage: Outcome) -> None:
    out = tmp_path / "new" / "labels.jsonl"
    with labelling(tasks_in(tmp_path), "--out", out, "--who", "Ada") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        state = ask(f"{url}skip", {"turn": 0})
        answer = {"ranks": [1, 2], "ratings": [7, None], "flags": [["opinion"], []]}
        ask(f"{url}save", {"turn": state["turn"], "answer": answer})
        code, said, err = ended(process, signal.SIGINT)
    assert (code, said, err) == (0, f"{out}: 1 labelled now, 1 of 4 by Ada in all, 1 skipped\n", "")
    with pytest.raises(urllib.error.URLError):
        ask(f"{url}state")
    with labelling(tasks_in(tmp_path), "--out", out, "--who", "Ada") as (process, url):
        always(url, "x")
        code, said, _ = ended(process, signal.SIGINT)
    assert (code, said) == (0, f"{out}: 2 labelled now, 3 of 4 by Ada in all, 1 skipped\n")
    with labelling(tasks_in(tmp_path), "--out", out, "--who", "Ben") as (process, url):
        always(url, "x")
        code, _, err = ended(process, signal.SIGTERM)
    assert (code, err) == (4, "presage: stopped by SIGTERM (run the same command again)\n")
    assert [(one.id, one.who) for one in read_preferences(out)][:4] == [(f"t{n}", "Ada") for n in (1, 2, 3)] + [
        ("t0", "Ben")
    ]
    code, said, _ = presage("winrate", out, "--a", "A", "--b", "B", "--json")
    found = json.loads(said)
    assert (code, found["rate"]["wins"] + found["rate"]["losses"], found["people"]["Ben"]["wins"]) == (0, 7, 4)


def test_a_killed_server_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "labels.jsonl"
    with labelling(tasks_in(tmp_path), "--out", out, "--who", "Ada") as (process, url):
        always(url, "y")
        assert ended(process, signal.SIGKILL)[0] == -signal.SIGKILL
    assert len(read_preferences(out)) == 4


def test_a_study_from_page_to_numbers(tmp_path: Path, presage: Outcome) -> None:
    items = tmp_path / "items.jsonl"
    row = {"human": "by hand", "machine": "by wire", "control": "by wire wire"}
    items.write_text("".join(f"{json.dumps(row | {'id': n})}\n" for n in range(4)))
    for quiz, right in enumerate((4, 3, 4, 3), 1):
        out, done = tmp_path / f"{quiz}.jsonl", 0
        with labelling(items, "--study", "--out", out, "--who", f"p{quiz}", "--quiz", quiz) as (process, url):
            state = ask(f"{url}state")
            while state["task"] is not None:
                machine = "wire" in state["task"]["text"]
                said = 5 if machine == (done < right) else 1
                state, done = ask(f"{url}save", {"turn": state["turn"], "answer": {"answer": said}}), done + 1
            assert ended(process, signal.SIGINT)[0] == 0
    files = [tmp_path / f"{quiz}.jsonl" for quiz in (1, 2, 3, 4)]
    code, said, _ = presage("detect", *files, "--json")
    found = json.loads(said)
    assert code == 0
    people = {one["who"]: one["right"] for arm in ("model", "control") for one in found[arm]["people"]}
    assert people == {"p1": 4, "p2": 3, "p3": 4, "p4": 3}
    assert len(found["model"]["people"]) == len(found["control"]["people"]) == 2
    code, said, _ = presage("detect", *files, "--exclude", "p2")
    assert code == 0
    assert "control less model" in said
    assert "p2" not in said


# ---- pairs -----------------------------------------------------------------------------------------------------------


def test_two_runs_answer_the_same_prompts(tmp_path: Path, runs: tuple[Path, Path], presage: Outcome) -> None:
    prompts, out = tmp_path / "prompts.jsonl", tmp_path / "new" / "pairs.jsonl"
    prompts.write_text("".join(f"{json.dumps({'prompt': f'a ladder {n}', 'category': 'c'})}\n" for n in range(6)))
    options = ("--prompts", prompts, "--max-tokens", 6, "--temperature", 1)
    assert presage("pairs", *runs, *options, "--out", out, "--names", "one", "two")[:2] == (0, f"{out}\n")
    tasks = read_tasks(out)
    assert [set(one.sources) for one in tasks] == [{"one", "two"}] * 6
    assert {one.category for one in tasks} == {"c"}
    code, _, err = presage("pairs", *runs, *options, "--out", out)
    assert (code, "there is something of this name" in err) == (2, True)
    code, _, err = presage("pairs", *runs, *options, "--out", tmp_path / "other.jsonl")
    assert (code, err) == (2, "presage: pairs: both are called 'target' (--names NAME NAME)\n")
    assert not (tmp_path / "other.jsonl").exists()


def test_a_run_and_its_step_have_two_names(tmp_path: Path, runs: tuple[Path, Path], presage: Outcome) -> None:
    prompts, out = tmp_path / "prompts.jsonl", tmp_path / "pairs.jsonl"
    prompts.write_text('{"prompt": "a ladder"}\n')
    assert presage("pairs", runs[0], f"{runs[0]}@7", "--prompts", prompts, "--max-tokens", 3, "--out", out)[0] == 0
    (task,) = read_tasks(out)
    assert set(task.sources) == {"target", "target@7"}
    assert task.completions[0] == task.completions[1]


# ---- what is said of labels ------------------------------------------------------------------------------------------


def labels_in(folder: Path) -> list[Path]:
    """Ada and Ben on twenty prompts: they differ on four, and on one of those Ben sees a tie."""
    files = []
    for who in ("Ada", "Ben"):
        rows = [
            {
                "id": f"t{n}",
                "prompt": f"q {n}",
                "completions": ["x", "y"],
                "sources": ["A", "B"],
                "ranks": [1, 1]
                if who == "Ben" and n == 0
                else [1, 2]
                if (n % 2 or n < 7) ^ (who == "Ben" and n < 4)
                else [2, 1],
                "who": who,
                "category": "c" * (n % 2),
            }
            for n in range(20)
        ]
        path = folder / f"{who}.jsonl"
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        files.append(path)
    return files


def test_agreement_in_words_and_json(tmp_path: Path, presage: Outcome) -> None:
    files = labels_in(tmp_path)
    code, said, _ = presage("agreement", *files)
    assert code == 0
    assert said.startswith("20 prompts, 2 people\n")
    assert re.search(r"^agreement +0\.800 +0\.\d+ to 0\.\d+ +20 +20$", said, re.MULTILINE)
    assert "kappa of Ada, Ben" in said
    code, said, _ = presage("agreement", *files, "--ignore-ties", "--json")
    found = json.loads(said)
    assert (found["all"]["plain"]["n"], found["all"]["plain"]["value"]) == (19, pytest.approx(16 / 19))
    assert found["all"]["kappas"][0]["people"] == ["Ada", "Ben"]
    assert found["categories"]["c"]["plain"]["n"] == 10
    code, said, _ = presage("agreement", files[0])
    assert (code, "nothing was labelled by two people" in said) == (0, True)


def test_win_rates_in_words(tmp_path: Path, presage: Outcome) -> None:
    code, said, _ = presage("winrate", *labels_in(tmp_path), "--a", "A", "--b", "B", "--level", "0.9")
    assert code == 0
    assert "A against B" in said
    assert "90% interval" in said
    assert "what was shown first won" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("winrate", "Ada.jsonl", "--a", "A", "--b", "C"), "no completion is by 'C'"),
        (("winrate", "Ada.jsonl", "--a", "A", "--b", "A"), "'A' against itself"),
        (("winrate", "Ada.jsonl", "--a", "A", "--b", "B", "--level", "1"), "--level"),
        (("winrate", "none.jsonl", "--a", "A", "--b", "B"), "none.jsonl"),
        (("agreement", "tasks.jsonl"), "tasks.jsonl:1: no 'ranks'"),
        (("detect", "Ada.jsonl"), "Ada.jsonl:1: no 'machine'"),
        (("label", "tasks.jsonl", "--out", "tasks.jsonl", "--who", "Ada"), "tasks.jsonl:1: no 'ranks'"),
        (("label", "tasks.jsonl", "--out", "o.jsonl", "--who", ""), "one line of text"),
        (("label", "tasks.jsonl", "--out", "o.jsonl", "--who", "Ada", "--quiz", "1"), "--quiz belongs to --study"),
        (("label", "tasks.jsonl", "--out", "o.jsonl", "--who", "Ada", "--port", "99999"), "0 to 65535"),
        (("label", "tasks.jsonl", "--study", "--out", "o.jsonl", "--who", "Ada"), "tasks.jsonl:1: no 'human'"),
        (("label", "none.jsonl", "--out", "o.jsonl", "--who", "Ada"), "none.jsonl"),
        (("pairs", "x", "y", "--prompts", "tasks.jsonl", "--out", "o.jsonl", "--max-tokens", "0"), "--max-tokens 0"),
        (("pairs", "x", "y", "--prompts", "tasks.jsonl", "--out", "o.jsonl"), "x: no such directory"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, presage: Outcome, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    labels_in(tmp_path)
    before = tasks_in(tmp_path).read_bytes()
    code, out, err = presage(*words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err
    assert (tmp_path / "tasks.jsonl").read_bytes() == before
    assert not (tmp_path / "o.jsonl").exists()
