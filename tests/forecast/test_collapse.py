"""Learning curves: those of one recipe fall onto one another, a rung that is off is named, ladders are read."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from presage import cli
from presage.core.device import Device
from presage.core.errors import DataError, RunError
from presage.core.run import RunDir
from presage.forecast import collapsed, ladder
from presage.forecast.collapse import Collapse, Curve, collapse, floor_of, load
from presage.forecast.scaling import Rule
from tests.stage import check_stage
from tests.tiny import make_shards

FLOOR = 1.2
COMPUTES = np.geomspace(1e10, 1e13, 8)


def curve(rung: int, seed: int, *, off: float = 0.0, bend: float = 0.0, noise: float = 0.02, rows: int = 60) -> Curve:
    """A run whose curve collapses with the others; its end is `off` (relative) above what the rest of it promises."""
    chance = np.random.default_rng(100 * rung + seed)
    compute = float(COMPUTES[rung])
    x = np.arange(1, rows + 1) / rows
    left = 2.4 * (compute / 1e10) ** -0.11 * (1 + 0.002 * chance.normal())
    shape = (0.7 + 0.3 * x**-0.4) * (1 + bend * rung * (1 - x)) - 0.2 * np.clip(x - 0.6, 0, 1) + 0.08
    loss = (FLOOR + left * shape) * np.exp(noise * chance.normal(size=rows))
    final = (FLOOR + left) * (1 + off)
    total = 1e6 * (compute / 1e10) ** 0.5
    return Curve(f"c{rung}-{seed}", f"c{rung}", compute, x * total, loss, total, final, decay_from=0.6)


def made(seeds: int = 3, **changes: float) -> list[Curve]:
    return [curve(rung, seed, **changes) for rung in range(len(COMPUTES)) for seed in range(seeds)]


def with_off(rung: int, off: float, seeds: int = 3) -> list[Curve]:
    return [c for c in made(seeds) if c.rung != f"c{rung}"] + [curve(rung, seed, off=off) for seed in range(seeds)]


def flagged(found: Collapse) -> list[str]:
    return [row["rung"] for row in found.rungs if row["off"]]


def test_curves_of_one_recipe_collapse() -> None:
    found = collapse(made(), FLOOR)
    assert flagged(found) == []
    assert found.warnings == []
    assert found.chance is not None and found.chance > 0.01
    assert max(row["deviation"] for row in found.rungs) < 1.5
    assert found.common[-1] == pytest.approx(1.0, abs=0.02)
    assert found.stable == pytest.approx((0.1, 0.57))


@pytest.mark.parametrize(("off", "side"), [(0.03, "above"), (-0.03, "below")])
@pytest.mark.parametrize("seeds", [1, 3])
def test_a_rung_that_is_off_is_named(off: float, side: str, seeds: int) -> None:
    found = collapse(with_off(4, off, seeds), FLOOR)
    assert flagged(found) == ["c4"]
    row = next(row for row in found.rungs if row["rung"] == "c4")
    assert row["apart"] == pytest.approx(100 * off, abs=1.0)
    assert f"rung c4 ends {abs(row['apart']):.1f} % {side} the others' curve: its recipe does not transfer" in (
        found.warnings
    )
    assert row["deviation"] > 2 * np.median([r["deviation"] for r in found.rungs])


def test_no_false_alarms_among_many_ladders() -> None:
    """20 ladders of 8 rungs with one seed each, noise only: a rung is off at most once in a while."""
    alarms = 0
    for number in range(20):
        curves = [curve(rung, number) for rung in range(len(COMPUTES))]
        alarms += len(flagged(collapse(curves, FLOOR)))
    assert alarms <= 8  # of 160


def test_a_steady_change_with_compute_is_told_from_one_odd_rung() -> None:
    found = collapse(made(bend=0.015), FLOOR)
    assert flagged(found) == []
    assert found.trend < -1.0
    assert found.chance is not None and found.chance < 0.01
    assert any("they do not collapse" in text and "per decade of compute" in text for text in found.warnings)


def test_a_rung_left_out_of_the_fit_is_shown_and_does_not_count() -> None:
    curves = [replace(c, fitted=c.rung != "c0", final=c.final * (1.04 if c.rung == "c0" else 1)) for c in made()]
    found = collapse(curves, FLOOR)
    assert flagged(found) == ["c0"]
    assert "rightly left out of the fit" in found.warnings[0]
    without = collapse([c for c in curves if c.fitted], FLOOR)
    assert (found.common, found.between, found.trend) == (without.common, without.between, without.trend)


def test_the_floor_hardly_matters_for_the_verdict() -> None:
    curves = with_off(4, 0.03)
    assert [flagged(collapse(curves, floor)) for floor in (0.3, 0.8, 1.4)] == [["c4"]] * 3


def test_one_seed_a_rung_is_said() -> None:
    found = collapse(made(seeds=1), FLOOR)
    assert (found.seeds, found.chance) == (None, None)
    assert found.warnings == ["one seed a rung: how far seeds alone spread the curves is not known"]


def test_it_is_plain_data_and_does_not_depend_on_order() -> None:
    found = collapse(made(), FLOOR)
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(data["curves"]) == {f"c{i}" for i in range(8)}
    assert {len(y) for y in data["curves"].values()} == {len(data["x"])} == {len(data["common"])}
    for row, same in zip(found.rungs, collapse(made()[::-1], FLOOR).rungs, strict=True):
        assert same == pytest.approx(row)


@pytest.mark.parametrize(
    ("curves", "floor", "message"),
    [
        (made()[:9], FLOOR, "3 rungs have no common curve"),
        (made(rows=7), FLOOR, "learning curve of c0-0: only 7 logged losses"),
        (made(), 2.6, r"learning curve of c\d-\d: the floor 2\.6 is not below the losses"),
        ([*made(), replace(curve(1, 9), decay_from=0.1)], FLOOR, "learning curve of c1-9: the rate decays from 10% of"),
        ([*made(), replace(curve(1, 9), final=float("nan"))], FLOOR, "learning curve of c1-9: values must be positive"),
    ],
)
def test_curves_that_cannot_be_compared_are_refused(curves: list[Curve], floor: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        collapse(curves, floor)


def test_a_single_batch_below_the_floor_is_no_reason_not_to_compare() -> None:
    """A batch that happens to be easy: generated functions among prose."""
    first, *others = made()
    loss = first.loss.copy()
    loss[30] = FLOOR - 0.1
    found = collapse([replace(first, loss=loss), *others], FLOOR)
    assert flagged(found) == []


# ---- ladders --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ladder as its stage leaves it, written down instead of trained: the curves of `with_off(5, 0.04)`."""
    root = tmp_path_factory.mktemp("runs")
    make_shards(root)
    rule = Rule(vocab_size=300, context_length=16, n_layers=1, batch_tokens=32, batch_exponent=0, decay=0.4)
    config = ladder.Config(shards=root / "shards", rule=rule, budgets=(1e7, 2e7), device=Device())
    with RunDir.create(root / "ladder", "ladder", config) as directory:
        rows = [_write_rung(root, rule, c) for c in with_off(5, 0.04, seeds=1)]
        directory.table("rungs", rows)
        directory.finish()
    return root / "ladder"


def _write_rung(root: Path, rule: Rule, made: Curve) -> dict[str, object]:
    config = rule.config(1e8, root / "shards", seed=1, device=Device())
    with RunDir.create(root / "ladder" / "rungs" / made.name, "pretrain", config) as run:
        for step, (tokens, loss) in enumerate(zip(made.tokens, made.loss, strict=True), 1):
            run.metric(step=step, tokens=float(tokens), flops=0, **{"train/loss": float(loss)})
        run.finish()
    facts = {"name": made.name, "compute": made.compute, "n_params": made.compute**0.5, "tokens": made.total}
    return facts | {"loss": made.final, "fitted": int(made.rung != "c0")}


def test_a_ladder_is_read_from_its_directory(runs: Path) -> None:
    curves = load(runs)
    assert {c.rung: c.fitted for c in curves} == {f"c{i}": i > 0 for i in range(8)}
    assert all(c.decay_from == pytest.approx(0.6, abs=0.01) for c in curves)
    written = {c.name: c for c in with_off(5, 0.04, seeds=1)}
    for c in curves:
        assert c.loss == pytest.approx(written[c.name].loss)
        assert (c.final, c.total) == pytest.approx((written[c.name].final, written[c.name].total))
    assert flagged(collapse(curves, FLOOR)) == ["c5"]
    assert 0 < floor_of(runs) < min(c.final for c in curves)


def test_the_command_line(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["forecast", "collapse", str(runs), "--floor", "1.2"]) == 0
    shown = capsys.readouterr()
    assert "its recipe does not transfer" in shown.err
    assert [text.split()[0] for text in shown.out.splitlines() if text.endswith("off")] == ["c5"]
    assert cli.main(["forecast", "collapse", str(runs), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["rungs"]) == 8


def test_what_is_no_ladder_is_refused(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RunError, match="not a run directory"):
        load(tmp_path)
    with pytest.raises(RunError, match="a 'shards' run, but a 'ladder' run is needed"):
        floor_of(runs.with_name("shards"))
    assert cli.main(["forecast", "collapse", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


# ---- as a run -------------------------------------------------------------------------------------------------------


def test_the_stage_contract_and_the_rung_that_is_off(runs: Path, tmp_path: Path) -> None:
    run = check_stage(collapsed, collapsed.Config(ladder=runs), tmp_path, kills=1)
    found = collapse(load(runs), floor_of(runs))
    worst = next(row for row in found.rungs if row["rung"] == "c5")
    assert (run.value("worst/rung"), run.value("off"), run.value("fitted")) == ("c5", 1, 7)
    assert run.value("worst/apart_percent") == worst["apart"]
    rows = run.read_table("curves")
    assert [float(row["c5"]) for row in rows] == found.curves["c5"]
    assert [float(row["common"]) for row in rows] == found.common
    assert [row["rung"] for row in run.read_table("rungs")] == [row["rung"] for row in found.rungs]
    assert [row["warning"] for row in run.read_table("warnings")] == found.warnings


def test_too_few_losses_are_a_result_and_no_error(runs: Path, tmp_path: Path) -> None:
    sparse = tmp_path / "runs"
    shutil.copytree(runs.parent, sparse)
    rung = sparse / "ladder/rungs/c0-0"
    RunDir(rung).cut_rows(5)
    (rung / "DONE").unlink()
    RunDir(rung).finish()
    run = collapsed.run(collapsed.Config(ladder=sparse / "ladder"), tmp_path / "out")
    assert run.value("not_compared") == "learning curve of c0-0: only 5 logged losses, 8 are needed"
    assert not (run.path / "tables").exists()
