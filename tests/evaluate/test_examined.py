"""likelihood, perturb, contamination --retrain-clean: bad input is one line and leaves nothing; a tiny run's twin."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from presage import cli
from presage.core.run import RunDir
from presage.data.items import Item
from presage.data.records import read_split
from presage.evaluate.scored import read_scores
from tests.evaluate.planting import sentences, write_items

Call = Callable[..., tuple[int, str, str]]
VERBS = {
    "likelihood": ["likelihood", "--run"],
    "perturb": ["perturb", "--run"],
    "retrain": ["contamination", "--out", "out", "--retrain-clean"],
}
every_verb = pytest.mark.parametrize("verb", VERBS)


@pytest.fixture
def lab(stem: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in: its own copy of a tiny chain, and items of which the corpus holds one."""
    monkeypatch.chdir(tmp_path)
    for name in ("corpus", "tokenizer", "shards", "run"):
        shutil.copytree(stem.parent / name, tmp_path / name)
    held = next(iter(read_split("corpus", "train"))).text
    write_items(
        tmp_path / "items.jsonl", [Item("held", held[:300]), Item("other", sentences(5, 40)), Item("s", "Why?")]
    )
    write_items(tmp_path / "unseen.jsonl", [Item("other", sentences(5, 40))])
    return tmp_path


@pytest.fixture
def call(lab: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs one command line: (exit code, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main([*arguments, "--quiet"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def refused(outcome: tuple[int, str, str], message: str) -> None:
    code, out, err = outcome
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert message in err


# ---- what every verb refuses ----------------------------------------------------------------------------------------


@every_verb
@pytest.mark.parametrize(
    ("run", "message"),
    [
        ("none", "presage: none"),
        ("shards", "shards: "),
        ("corpus", "corpus: "),
        ("items.jsonl", "items.jsonl"),
    ],
)
def test_what_is_no_run_with_a_model(call: Call, lab: Path, verb: str, run: str, message: str) -> None:
    refused(call(*VERBS[verb], run, "--items", "items.jsonl"), message)
    assert not (lab / "out").exists()


@every_verb
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"id": "a", "text": "b"}\n{"id": ', "bad.jsonl:2: not JSON"),
        ('{"id": "a"}', "bad.jsonl:1: an item without text"),
        ('{"id": "a", "text": "b"}\n{"id": "a", "text": "c"}', "bad.jsonl:2: the id 'a' appears twice"),
        ("", "bad.jsonl: holds no items"),
        (None, "bad.jsonl"),
    ],
)
def test_broken_items(call: Call, lab: Path, verb: str, text: str | None, message: str) -> None:
    if text is not None:
        Path("bad.jsonl").write_text(text)
    refused(call(*VERBS[verb], "run", "--items", "bad.jsonl"), message)
    assert not (lab / "out").exists()


@every_verb
def test_a_run_away_from_its_shards(call: Call, lab: Path, verb: str) -> None:
    Path("shards").rename("elsewhere")
    refused(call(*VERBS[verb], "run", "--items", "items.jsonl"), "shards")
    assert not (lab / "out").exists()


@every_verb
def test_damaged_weights(call: Call, lab: Path, verb: str) -> None:
    newest = max(Path("run/checkpoints").glob("*/model.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-1])
    refused(call(*VERBS[verb], "run", "--items", "items.jsonl"), "its content differs from MANIFEST")
    assert not (lab / "out").exists()


def test_a_file_of_scores_is_not_written_over(call: Call, lab: Path) -> None:
    Path("scores.jsonl").write_text("mine")
    refused(call(*VERBS["likelihood"], "run", "--items", "items.jsonl", "--out", "scores.jsonl"), "scores.jsonl")
    assert Path("scores.jsonl").read_text() == "mine"


def test_scores_of_likelihood_are_read_as_lower_is_better(call: Call) -> None:
    assert call(*VERBS["likelihood"], "run", "--items", "items.jsonl", "--out", "s.jsonl")[:2] == (0, "s.jsonl\n")
    assert {score.better for score in read_scores([Path("s.jsonl")])} == {"lower"}


# ---- the corpus of a run --------------------------------------------------------------------------------------------


def test_a_corpus_that_was_moved(call: Call, lab: Path) -> None:
    Path("corpus").rename("elsewhere")
    refused(call(*VERBS["retrain"], "run", "--items", "items.jsonl"), "corpus: not a run directory")
    assert not (lab / "out").exists()


def test_a_corpus_that_was_changed(call: Call, lab: Path) -> None:
    texts = Path("corpus/artifacts/train.jsonl.zst")
    texts.write_bytes(texts.read_bytes() + b"more")
    refused(call(*VERBS["retrain"], "run", "--items", "items.jsonl"), "its content is not what DONE recorded")


def test_another_corpus_in_its_place(call: Call, lab: Path) -> None:
    done = Path("corpus/DONE")
    done.write_text(done.read_text().replace('"digest": "', '"digest": "0', 1))
    refused(call(*VERBS["retrain"], "run", "--items", "items.jsonl"), "is not the corpus that")
    assert not (lab / "out").exists()


# ---- combinations of options ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--out", "out"], "contamination: --corpus is missing (or --retrain-clean, for a run's own)"),
        (["--retrain-clean", "run", "--out", "out", "--corpus", "corpus"], "--corpus does not go with --retrain-clean"),
        (["--retrain-clean", "run", "--out", "out", "--plant", "3"], "--plant does not go with --retrain-clean"),
        (["--retrain-clean", "run", "--out", "out", "--copy", "3"], "--copy does not go with --retrain-clean"),
        (["--retrain-clean", "run", "--out", "out", "--skip-unreadable"], "--skip-unreadable does not go with"),
        (["--retrain-clean", "run"], "--retrain-clean needs --out"),
        (["--retrain-clean", "run", "--out", "out", "--items", "unseen.jsonl"], "takes one file of --items"),
        (["--retrain-clean", "run", "--out", "run"], "run: is a run directory itself"),
        (["--retrain-clean", "run", "--out", "items.jsonl"], "items.jsonl"),
        (["--retrain-clean", "run", "--out", "out", "--method", "gpt5"], "no method 'gpt5'"),
    ],
)
def test_options_that_do_not_go_together(call: Call, lab: Path, more: list[str], message: str) -> None:
    refused(call("contamination", "--items", "items.jsonl", *more), message)
    assert not (lab / "out").exists()


# ---- a twin of a tiny run -------------------------------------------------------------------------------------------


def test_as_json_and_with_fail(call: Call) -> None:
    code, out, err = call(*VERBS["retrain"], "run", "--items", "items.jsonl", "--method", "gpt4", "--json", "--fail")
    assert (code, err.splitlines()[-1]) == (1, "presage: items.jsonl: 1 of 3 items are in the training corpus")
    found = json.loads(out)
    assert found["items"] == {"all": 3, "flagged": 1, "untestable": 1}
    assert found["removed"]["documents"] == len(RunDir.open("out/corpus").read_table("removed")) >= 1
    assert found["worth"] == RunDir.open("out/worth").results()
    assert set(RunDir.open("out/corpus").read_json("artifacts/contamination.json")["methods"]) == {"gpt4"}
    # Again it only prints, and without --fail an item in the corpus is no failure.
    code, out, _ = call(*VERBS["retrain"], "run", "--items", "items.jsonl", "--method", "gpt4")
    lines = out.splitlines()
    assert (code, [line.split()[:3:2] for line in lines[3:7]]) == (
        0, [["all", "3"], ["clean", "1"], ["flagged", "1"], ["untestable", "1"]],
    )  # fmt: skip
    row = found["worth"]["flagged/difference"]["value"]
    assert lines[5].split()[-1] == f"{row:.4f}"
    assert lines[-1] == "out/worth"
    refused(call(*VERBS["retrain"], "run", "--items", "items.jsonl"), "holds what was made for another methods")


def test_nothing_flagged_as_json(call: Call) -> None:
    code, out, err = call(*VERBS["retrain"], "run", "--items", "unseen.jsonl", "--json", "--fail")
    assert (code, json.loads(out)["worth"], err) == (0, None, "")
