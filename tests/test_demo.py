"""What the demo says of its own examination: the scan looks for what is asked, and the scores are the target's."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.cli import chain
from presage.core.config import Config
from presage.core.errors import BudgetError, Stopped
from presage.core.run import RunDir
from presage.data import microcode
from presage.data.documents import Document
from presage.data.records import write_documents
from presage.evaluate import scan, scores
from presage.forecast import attempts, ladder
from presage.recipes import demo, demo_plan, examined

SEED = 3


@pytest.fixture
def texts(tmp_path: Path) -> RunDir:
    """A corpus run whose training text holds generated functions, as the demo's does, and the third problem."""
    leaked = solved()[2]
    with RunDir.create(tmp_path / "corpus", "corpus", Config()) as run:
        leak = Document("web", "forum.txt", f"How do I write this?\n\n{leaked.prompt}{leaked.solution}\n")
        train = [*microcode.documents(SEED, 200, demo.LEVELS), leak]
        write_documents(run.artifact("train.jsonl.zst"), train)
        write_documents(run.artifact("val.jsonl.zst"), [Document("docs", "a.txt", "Some text that is held out.")])
        run.finish()
    return run


def solved() -> list[microcode.Problem]:
    """As the stage `attempts` draws them."""
    return microcode.problems(SEED, demo.PROBLEMS, demo.LEVELS)


def test_the_problems_looked_for_are_those_that_models_attempt(texts: RunDir) -> None:
    config = examined.scan(texts.path, SEED, problems=demo.PROBLEMS, levels=demo.LEVELS)
    assert [item.id for item in config.sets[0].items()] == [problem.id for problem in solved()]
    assert (config.sets[1].kind, config.contaminated_copy) == ("hindsight", scan.Copy(of="microcode", items=12))


def test_without_an_examination_there_is_still_a_task_to_look_for(texts: RunDir) -> None:
    config = examined.scan(texts.path, SEED, problems=0, levels=demo.LEVELS)
    assert [one.name for one in config.sets] == ["hindsight"]
    assert config.contaminated_copy and config.contaminated_copy.of == "hindsight"


@pytest.mark.parametrize(
    ("smallest", "largest", "target", "doubts", "drift"),
    [
        (1e11, 3e11, 9e12, [], 0.0),
        (1e11, 3e11, 2e13, [demo_plan.COPYING], demo_plan.DRIFT_COPYING),
        (1e11, 5e13, 2e15, [], 0.0),
        (1e10, 3e11, 9e12, [demo_plan.DOUBT], demo_plan.DRIFT_BELOW),
        (1e10, 3e11, 2e13, [demo_plan.DOUBT, demo_plan.COPYING], demo_plan.DRIFT_BELOW),
    ],
)
def test_what_is_known_against_the_recipe_widens_its_intervals(
    smallest: float, largest: float, target: float, doubts: list[str], drift: float
) -> None:
    assert demo_plan.known(smallest, largest, target) == (doubts, drift)


def test_pass_rates_become_scores_beside_the_scan(texts: RunDir, tmp_path: Path) -> None:
    scanned = scan.run(
        examined.scan(texts.path, SEED, problems=demo.PROBLEMS, levels=demo.LEVELS), tmp_path / "contamination"
    )
    assert (scanned.value("microcode/flagged"), scanned.value("copy/found")) == (1, examined.PLANTED)
    with RunDir.create(tmp_path / "target-attempts", "attempts", Config()) as tried:
        common = {"difficulty": 1, "compute": 1e12, "run": "target", "split": "fit", "n": 50, "nll": 4.0}
        passed = [50 if number == 2 else number for number in range(demo.PROBLEMS)]
        rows = [{"problem": p.id, "passed": k} | common for p, k in zip(solved(), passed, strict=True)]
        tried.table("samples", rows, attempts.COLUMNS)
        tried.finish()
    judged = scores.run(examined.scores(tried, scanned, tmp_path / demo.SCORES), tmp_path / "scores")
    (row,) = judged.read_table("scores")
    assert (row["task"], row["n"], row["contaminated"], row["untestable"]) == ("microcode", "36", "1", "0")
    assert float(row["raw"]) == pytest.approx(sum(passed) / 50 / 36)
    assert float(row["clean"]) == pytest.approx((sum(passed) / 50 - 1) / 35)
    assert float(row["dirty"]) == 1.0
    assert row["quote"] == "clean"
    assert judged.read_table("warnings") == []


def test_where_reading_takes_all_the_time_the_demo_is_late_and_not_broken_off() -> None:
    assert demo_plan.seconds_left(12, 100, 60) == 560
    seconds = demo_plan.seconds_left(3, 500, 60)
    slow = 1e10  # FLOPs a second
    budgets = ladder.target_and_rungs(0.5 * seconds * slow, demo_plan.RATIO, demo_plan.BUDGETS, demo_plan.DECADES)
    assert demo_plan.RULE.affords(budgets[0])


def test_where_the_time_buys_no_training_minutes_are_said(monkeypatch: pytest.MonkeyPatch, texts: RunDir) -> None:
    monkeypatch.setattr(demo_plan, "target_rate", lambda *_: 1e3)
    with pytest.raises(BudgetError, match=r"of 3 minutes 30 s are left to train in.*the same command goes on"):
        demo_plan.affordable(texts.path, 3, 30, SEED)


def test_a_demo_that_was_stopped_goes_on_by_the_same_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise Stopped("stopped by a signal at step 3, saved", where=tmp_path, hint="--resume goes on")

    monkeypatch.setattr(demo, "run", stopped)
    with pytest.raises(Stopped, match=r"at step 3, saved \(the same command goes on\)"):
        chain.demo(out=tmp_path)
