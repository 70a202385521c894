"""`presage card` and `presage redteam` at the command line, with a tiny model."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from presage import cli
from presage.train import pretrain
from tests.align import card_data
from tests.tiny import make_shards, tiny_run

Outcome = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    make_shards(folder)
    return pretrain.run(tiny_run(folder / "shards"), folder / "run").path


@pytest.fixture
def presage(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Runs one command line, with what is typed."""

    def run(*words: object, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = cli.main([str(word) for word in words])
        return code, *capsys.readouterr()

    return run


def test_a_card_from_a_model(model: Path, presage: Outcome, tmp_path: Path) -> None:
    data = card_data.make(tmp_path / "data")
    asked = ("card", model, "--data", data, "--out", tmp_path / "out", "--samples", 2, "--max-tokens", 4, "--quiet")
    code, said, _ = presage(*asked, "--dry-run")
    assert (code, "harmbench_test: 3 of 3 items" in said) == (0, True)
    assert not (tmp_path / "out").exists()
    code, said, err = presage(*asked, "--mitigation", "privacy=None at all")
    assert (code, said.strip()) == (0, str(tmp_path / "out/page/card.html")), err
    assert presage(*asked, "--mitigation", "privacy=None at all", "--resume")[0] == 0
    code, _, err = presage(*asked, "--resume")
    assert (code, "was made with another mitigations" in err) == (2, True)
    code, _, err = presage(*asked, "--mitigation", "privacy=None at all", "--title", "Mine", "--resume")
    assert (code, "was made with another title" in err) == (2, True)
    code, _, err = presage(*asked, "--mitigation", "privacy")
    assert (code, "'privacy' is not AREA=what is done" in err) == (2, True)
    nowhere = ("card", model, "--data", tmp_path / "nope", "--out", tmp_path / "none", "--quiet")
    code, _, err = presage(*nowhere)
    assert (code, err) == (2, f"presage: {tmp_path / 'nope'}: no such folder (--data names the folder of the sets)\n")
    assert presage(*nowhere, "--dry-run")[0] == 2
    assert not (tmp_path / "none").exists()
    code, _, err = presage(*asked, "--sets", "bqq")
    assert (code, "did you mean 'bbq'?" in err) == (2, True)


def test_red_teaming(model: Path, presage: Outcome, tmp_path: Path) -> None:
    first, again = tmp_path / "r.jsonl", tmp_path / "again.jsonl"
    how = ("--max-tokens", 4)
    tried = ("redteam", "try", model, "--out", first, "--who", "ann", "--domain", "cyber", *how)
    code, said, err = presage(*tried, typed="How?\n2\nso\nWhy?\n0\n\n")
    assert (code, said.strip()) == (0, f"2 kept in {first}")
    assert "model>" in err
    assert presage("redteam", "retest", first, model, "--out", again, "--who", "bob", *how, typed="1\n\n1\n\n")[0] == 0
    assert presage("redteam", "retest", first, model, "--out", again, "--judge", "refusals", *how)[0] == 0
    code, said, _ = presage("redteam", "summary", first, again, "--json")
    found = json.loads(said)
    assert [(one["judged_by"], one["n"]) for one in found["retests"]] == [("people", 2), ("refusals", 2)]
    assert (found["reviews"][0]["domain"], found["reviews"][0]["mean_severity"]) == ("cyber", 1)
    code, said, _ = presage("redteam", "summary", first, again)
    assert [line.split()[0] for line in said.splitlines() if line][1] == "cyber"
    code, said, _ = presage("redteam", "summary", again)
    assert code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("try", "m", "--out", "x", "--who", "a", "--domain", "cybr"), "--domain: none is called 'cybr' (did you mean"),
        (("try", "m", "--out", "x", "--who", " ", "--domain", "law"), "--who: a name is one line of text"),
        (("retest", "r", "m", "--out", "x"), "judged by a person or by the rule"),
        (("retest", "r", "m", "--out", "x", "--judge", "me"), "judged by a person or by the rule"),
        (("summary", "nowhere.jsonl"), "nowhere.jsonl: cannot be read"),
    ],
    ids=["domain", "who", "nobody", "judge", "file"],
)
def test_what_cannot_be_done_is_one_line(words: tuple[str, ...], said: str, presage: Outcome, tmp_path: Path) -> None:
    code, out, err = presage("redteam", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1
