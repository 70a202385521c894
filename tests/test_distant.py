"""A forecast from far away, small: every stage, the ratio, and what the data do not allow."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from presage import cli
from presage.core.errors import BudgetError, DataError, SealError
from presage.core.run import RunDir
from presage.data import corpus
from presage.data.build import parts
from presage.data.embedded import installed_files
from presage.forecast import score, seal
from presage.forecast.ladder import fitted_rungs
from presage.forecast.verify import LEDGER, verify
from presage.recipes import demo_plan, distant
from presage.recipes.demo import own_files
from tests.forecast.lab import make_whole
from tests.tiny import write_texts

FLOPS, FAR = 1e10, 6.0


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("distant") / "texts", files=60)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_plan, "VOCAB", 300)
    monkeypatch.setattr(distant, "RULE", distant.RULE.model_copy(update={"vocab_size": 300, "context_length": 16}))
    monkeypatch.setattr("presage.core.device.usable_cores", lambda: 1)  # beside other tests two threads take for ever
    for name, value in {"BUDGETS": 4, "REPEATS": 2, "EVAL_TOKENS": 2048}.items():
        monkeypatch.setattr(distant, name, value)


def test_corpus_to_scored_forecast(texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "far"
    given = {"corpus": texts, "out": out, "ratio": FAR, "flops": FLOPS}
    command = ["forecast", "distant", "--quiet", *(f"--{name}={value}" for name, value in given.items())]
    assert cli.main(command) == 0
    assert capsys.readouterr().out.strip() == str(out / "report" / "report.html")
    largest = max(float(row["compute"]) for row in fitted_rungs(out / "ladder"))
    target = RunDir.open(out / "target")
    assert 0.9 < largest * FAR / float(target.value("flops")) <= 1
    forecast = RunDir.open(out / "forecast").read_json("forecast.json")
    assert forecast["facts"] == {"ratio": FAR} and any(
        "not known to hold" in warning for warning in forecast["warnings"]
    )
    assert RunDir.open(out / "score").value("seal") == target.origin["seal"]
    assert verify(out) == []
    before = {path: path.stat().st_mtime_ns for path in out.rglob("DONE")}
    assert cli.main(command) == 0, "the same command once more"
    assert before == {path: path.stat().st_mtime_ns for path in out.rglob("DONE")}


def test_two_forecasts_of_one_target(texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "far"
    given = ["--corpus", str(texts), "--out", str(out), "--ratio", "6", "--ratio", "3", "--flops", str(FLOPS)]
    assert cli.main(["forecast", "distant", "--quiet", *given]) == 0
    near, far = RunDir.open(out / "forecast"), RunDir.open(out / "forecast-6")
    promises = [run.read_json("forecast.json") for run in (near, far)]
    assert [promise["facts"] for promise in promises] == [{"ratio": 3.0}, {"ratio": 6.0}]
    assert promises[0]["inputs"]["beside.0"] == far.digest
    assert RunDir.open(out / "target").origin["seal"] == promises[0]["seal"], "under the seal that covers the other"
    scored = [RunDir.open(out / name) for name in ("score", "score-6")]
    assert scored[0].value("actual") == scored[1].value("actual")
    assert [run.value("seal") for run in scored] == [promise["seal"] for promise in promises]
    assert verify(out) == verify(out / "forecast-6") == []
    assert scored[1].value("covered_by") == promises[0]["seal"] and scored[1].value("forecasts") == 2

    assert cli.main(["forecast", "distant", "--quiet", *given[:-4], "--flops", str(FLOPS)]) == 2
    assert "forecasts of other ratios" in capsys.readouterr().err
    assert len(RunDir.open(out / "record").read_table("ledger")) == 2

    later = far.config(seal.Config).model_copy(update={"target_run": "../nowhere", "level": 0.8})
    seal.run(later, out / "forecast-later")
    places = {"forecast": str(out / "forecast-later"), "target": str(out / "target")}
    with pytest.raises(SealError, match="not started under this seal"):
        score.run(score.Config.parse(places), out / "score-later")
    covering = near.config(seal.Config).model_copy(update={"target_run": "../nowhere"})
    for beside, ladder, message in [
        (near.path, covering.ladder, "not a forecast of this target: other target_run"),
        (out / "forecast-later", later.ladder, "rests on the rungs of another"),
    ]:
        with pytest.raises(SealError, match=message):
            seal.run(covering.model_copy(update={"beside": (beside,), "ladder": ladder}), out / "forecast-mixed")
    other = covering.target.model_copy(update={"seed": 5})
    with pytest.raises(SealError, match="not a forecast of this target: other target_config"):
        mixed = {"target": other, "beside": (out / "forecast-later",)}
        seal.run(covering.model_copy(update=mixed), out / "forecast-mixed")
    shutil.rmtree(out / "forecast-later")

    for number, (place, old, new) in enumerate([
        ("score-6/result.json", f'{scored[1].value("actual")}', "0.123"),
        ("forecast-6/forecast.json", '"level": 0.9', '"level": 0.8'),
        ("ladder-6/tables/rungs.csv", "0.", "1."),
    ]):  # fmt: skip
        copy = shutil.copytree(out, tmp_path / str(number))
        file = copy / place
        file.write_text(file.read_text().replace(old, new))
        make_whole(copy / place.split("/")[0])
        (copy / LEDGER).unlink()  # what the runs alone can tell
        assert any(place.split("/")[0] in name for name, _ in verify(copy)), place


def test_four_passes_are_the_most(texts: Path, tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="more than 4 passes"):
        distant.run(tmp_path / "far", texts=[texts], ratios=[FAR], flops=1e15)
    tokens = int(RunDir.open(tmp_path / "far" / "shards").value("train/tokens"))
    most = distant.largest(tokens)
    wanted = most / distant.RULE.model(most).flops_per_token()
    assert wanted <= 4 * tokens < 1.05 * wanted


def test_without_texts_it_is_the_python_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On every 100th file; the budget is too large for it, and by then the corpus is there."""
    some = [*itertools.islice(installed_files(), 0, None, 100)]
    monkeypatch.setattr(parts, "installed_files", lambda: iter(some))
    assert cli.main(["forecast", "distant", "--quiet", "--out", str(tmp_path / "far"), "--flops", "1e18"]) == 2
    made = RunDir.open(tmp_path / "far" / "corpus")
    (source,) = made.config(corpus.Config).sources
    assert source.kind == "python-world"
    rows = made.read_table("packages")
    assert sum(int(row["documents"]) for row in rows) > 20 and all(row["licence"] for row in rows)


def test_rungs_too_small_to_train_are_said(tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="too few for a run"):
        distant.rungs_for(tmp_path, 1e9, 1e4, 0)


@pytest.mark.parametrize("option", [("--ratio", "0"), ("--flops", "nan"), ("--ratio", "inf")])
def test_numbers_that_are_none(option: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["forecast", "distant", "--corpus", str(tmp_path), "--out", str(tmp_path / "o"), *option]) == 2
    assert option[0] in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_of_a_corpus_without_text_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError):
        distant.run(tmp_path / "above" / "out", texts=[tmp_path / "empty"])
    assert not (tmp_path / "above").exists()


def test_folders_of_one_name_are_sources_of_their_own() -> None:
    made = own_files(Path("a/texts"), Path("b/texts"), Path("c"), Path("a/texts"))
    assert [source.name for source in made.sources] == ["a/texts", "b/texts", "c"]
