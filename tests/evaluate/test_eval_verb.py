"""The verb `presage eval`: what does not go together, or cannot be, is one line before anything is asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from presage import cli
from presage.cli.examined_words import COMPARING
from presage.core.errors import ConfigError
from presage.evaluate.asking import Asked
from presage.evaluate.run import Config, planned
from tests.evaluate.toy_eval import examine, library
from tests.toy_model import ToyModel
from tests.toy_tasks import capitals

Verb = Callable[..., tuple[int, str, str]]
NINES = "9" * 5000


@pytest.fixture
def verb(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Verb:
    """Runs `presage eval` in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        code = cli.main(["eval", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two finished examinations, a and b."""
    with monkeypatch.context() as patch:
        library(patch, capitals())
        for name in "ab":
            examine(tmp_path / name, ToyModel())
    capsys.readouterr()


def refused(told: tuple[int, str, str], *said: str) -> None:
    code, out, error = told
    assert (code, out) == (2, "")
    assert error.count("\n") == 1
    assert len(error) < 400
    for one in said:
        assert one in error


# ---- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--shots", NINES], "is not a list of numbers"),
        (["--shots", "1,x"], "is not a list of numbers"),
        (["--limit", "1.5"], "--limit: not a whole number"),
        (["--limit", NINES], "--limit: not a whole number"),
        (["--samples", "2.0"], "--samples: not a whole number"),
        (["--seed", "0.5"], "--seed: not a whole number"),
        (["--out", ""], "--out: an empty name"),
        (["--out", "file"], "--out: a file of this name is there"),
        (["--page", ""], "--page: an empty name"),
        (["--page", "file"], "file: there is something of this name (remove it or choose another --page)"),
        (["--tasks", ","], "--tasks names no task"),
        (["--tasks", " "], "--tasks names no task"),
        (["--ladder", "x"], "needs a model or a ladder"),
        (["--runs-per-budget", "2"], "--runs-per-budget goes with --ladder"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_what_cannot_be_is_said_before_anything_is_opened(verb: Verb, words: list[str], said: str) -> None:
    Path("file").write_text("here before")
    given = {"--tasks": "mmlu", "--out": "out"} | dict(zip(words[::2], words[1::2], strict=True))
    refused(verb("hf:nowhere", *(word for pair in given.items() for word in pair)), said)
    assert sorted(path.name for path in Path().iterdir()) == ["file"]
    assert Path("file").read_text() == "here before"


def test_a_page_does_not_go_with_a_ladder(verb: Verb) -> None:
    refused(verb("--ladder", "x", "--tasks", "mmlu", "--out", "o", "--page", "p.html"), "--page does not go with")


# ---- names of tasks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("foo.json", "ends in .jsonl or .py"),
        ("UP.JSONL", "ends in .jsonl or .py, in small letters"),
        ("own/sources.md", "FILE.jsonl:sources.md"),
        ("own/none", "there is no file 'own/none'"),
        ("here.json", "'here.json' is there"),
        ("mmlv", "did you mean 'mmlu'?"),
        ("qqqqqqqq", "`presage tasks` lists all"),
        ("flore:eng-fra", "flores:SOURCE-TARGET"),
        ("qqqqqqqq:eng", "`presage tasks` lists all"),
        (f"mmlu@{NINES}", "is no number of shots"),
        (f"here.jsonl@{NINES}", "is no number of shots"),
        ("a,b.jsonl", "a comma in the name of a file"),
        ("mmlu,a,b.jsonl:includes@2", "a comma in the name of a file"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_unknown_name_is_told_with_what_is_near_and_not_with_all(verb: Verb, name: str, said: str) -> None:
    Path("here.json").write_text("{}")
    for file in ("here.jsonl", "a,b.jsonl"):
        Path(file).write_text('{"question": "x", "answer": "y"}\n')
    refused(verb("http://127.0.0.1:9/v1#toy", "--tasks", name, "--out", "o"), said)


def test_a_judge_that_is_missing_is_told_with_the_name_that_was_typed(tmp_path: Path) -> None:
    (tmp_path / "claims.jsonl").write_text('{"question": "x", "answer": "y"}\n')
    (tmp_path / "sources.md").write_text("Is it right?\n\n- A (1): yes\n- B (0): no\n")
    typed = f"{tmp_path}/claims.jsonl:sources.md"
    with pytest.raises(ConfigError) as caught:
        planned(Config(model="toy", tasks=(Asked(task=typed, limit=1),)))
    assert str(caught.value).startswith(f"{typed}: answers are graded by a judge")
    assert "--judge MODEL" in str(caught.value)


# ---- --compare -------------------------------------------------------------------------------------------------------

OTHERS = {
    "hf:x": "MODEL",
    "--tasks=mmlu": "--tasks",
    "--shots=1": "--shots",
    "--limit=3": "--limit",
    "--out=o": "--out",
    "--seed=1": "--seed",
    "--key-file=k": "--key-file",
    "--resume": "--resume",
}


@pytest.mark.parametrize("word", OTHERS)
def test_what_a_comparison_would_ignore_is_refused(verb: Verb, two: None, word: str) -> None:
    refused(verb(*[word] * (word == "hf:x"), "--compare", "a", "b", *[word] * (word != "hf:x")), OTHERS[word])


def test_a_comparison_names_all_that_it_would_ignore(verb: Verb, two: None) -> None:
    refused(verb("--compare", "a", "b", "--tasks=x", "--limit=2"), "--compare does not go with --tasks, --limit")


def test_a_comparison_is_refused_its_page_before_it_is_computed(verb: Verb, two: None) -> None:
    Path("p.html").write_text("")
    refused(verb("--compare", "a", "b", "--page", "p.html"), "another --page")
    code, out, _ = verb("--compare", "a", "b", "--page", "new.html", "--json")
    assert code == 0
    assert json.loads(out)["rows"]
    assert Path("new.html").is_file()
    assert {"page", "json", "quiet", "compare"} == COMPARING


@pytest.mark.parametrize("name", ["result.json", "tables/tasks.csv", "samples.jsonl"])
def test_a_run_that_is_not_whole_is_not_compared(verb: Verb, two: None, name: str) -> None:
    damaged = Path("b") / name
    damaged.write_bytes(damaged.read_bytes()[:-9])
    refused(verb("--compare", "a", "b"), f"{damaged}: content differs from")
    damaged.unlink()
    refused(verb("--compare", "a", "b"), f"{damaged}: missing")
