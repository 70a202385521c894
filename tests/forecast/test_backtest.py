"""Backtests: no target's loss reaches a forecast, scores are what they say, and the public exercises' figures hold."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from presage import cli
from presage.core.errors import DataError
from presage.forecast import backtest, least_squares
from presage.forecast.points import Point, summarise

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ROOT.parent / "shared" / "data" / "forecast" / "exercises.csv"
HEAD = "exercise,source,metric,role,compute,loss,n_params,tokens\n"
RUNGS = [(1e18 * 5**i, 2.0 + 1.2 * 5 ** (-0.2 * i)) for i in range(5)]


def exercise(name: str = "a", target: str = "1.5", compute: float = 1e22) -> str:
    rows = [f"{name},s,m,fit,{c},{y},,\n" for c, y in RUNGS]
    return "".join(rows) + f"{name},s,m,target,{compute},{target},,\n"


def written(path: Path, *texts: str) -> Path:
    path.write_text(HEAD + "".join(texts), encoding="utf-8")
    return path


@pytest.mark.parametrize("poison", ["1e9", "nan", "-3", "poison", ""])
def test_a_targets_loss_never_reaches_the_fitter(tmp_path: Path, poison: str) -> None:
    honest = backtest.exercises(written(tmp_path / "honest.csv", exercise(), exercise("b", "2")))
    poisoned = backtest.exercises(written(tmp_path / "poisoned.csv", exercise(target=poison), exercise("b", poison)))
    assert [backtest.predict(e).estimate for e in honest] == [backtest.predict(e).estimate for e in poisoned]
    assert [backtest.predict(e).baselines for e in honest] == [backtest.predict(e).baselines for e in poisoned]


def test_predictions_are_written_and_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth = 2.0 + 1.2 * 5 ** (-0.2 * np.log(1e22 / 1e18) / np.log(5))
    path, out = written(tmp_path / "e.csv", exercise(target=str(truth))), tmp_path / "new" / "p.csv"
    assert cli.main(["forecast", "backtest", str(path), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "1 forecasts" in printed
    assert "1 of 1" in printed
    with open(out, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["exercise"] for row in rows] == ["a"]
    assert float(rows[0]["lo"]) < truth < float(rows[0]["hi"])
    assert cli.main(["forecast", "backtest", str(written(path, exercise(target=""))), "--out", str(out)]) == 0
    assert "nothing to score" in capsys.readouterr().out


def test_the_table_of_exercises_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "e.csv", exercise())
    before = path.read_bytes()
    for out in (path, tmp_path):
        assert cli.main(["forecast", "backtest", str(path), "--out", str(out)]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.csv"]


def test_scores_by_hand() -> None:
    ladder = backtest.Exercise("a", "s", tuple(backtest.Run(c, y) for c, y in RUNGS), 1e22)
    made = backtest.predict(ladder)
    table = dict(backtest.scores([made], {"a": 2.0}))
    assert set(table) == {"8x to 32x", "all"}
    ours, *baselines = table["all"]
    assert ours.median == pytest.approx(100 * abs(made.estimate.value / 2.0 - 1))
    assert [b.name for b in baselines] == list(backtest.BASELINES)
    assert baselines[-1].crps == pytest.approx(100 * (RUNGS[-1][1] / 2.0 - 1))


def test_crps_of_a_normal() -> None:
    """sigma (z (2 Phi(z) - 1) + 2 phi(z) - 1/sqrt(pi)) for a truth z standard deviations off."""
    from scipy.stats import norm

    drawn = norm.ppf((np.arange(2000) + 0.5) / 2000)
    for z in (0.0, 1.0, 2.5):
        exact = z * (2 * norm.cdf(z) - 1) + 2 * norm.pdf(z) - 1 / np.sqrt(np.pi)
        assert backtest.crps(drawn, z) == pytest.approx(exact, abs=2e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,s,m,fit,1,2,,\n", "0 targets instead of one"),
        (exercise(compute=1e18), "is not beyond the fitted range"),
        ("a,s,m,target,1e22,2,,\n", "no rows to fit"),
        ("a,s,m,guess,1e22,2,,\n", r"e\.csv:2: role 'guess' is neither fit nor target"),
        ("a,s,m,fit,zero,2,,\na,s,m,target,1e22,2,,\n", r"e\.csv:2: compute: 'zero' is not a number"),
    ],
)
def test_bad_exercises_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        backtest.exercises(written(tmp_path / "e.csv", text))


def test_a_ladder_that_cannot_be_fitted_is_named(tmp_path: Path) -> None:
    short = "a,s,m,fit,1e18,3,,\na,s,m,fit,1e19,2,,\na,s,m,target,1e20,2,,\n"
    (ladder,) = backtest.exercises(written(tmp_path / "e.csv", short))
    with pytest.raises(DataError, match=r"exercise 'a': .*at least 3 different budgets"):
        backtest.predict(ladder)


# ---- baselines ------------------------------------------------------------------------------------------------------


def test_least_squares_find_an_exact_law() -> None:
    compute, loss = (np.array(column) for column in zip(*RUNGS, strict=True))
    at = 1e23
    truth = 2.0 + 1.2 * (at / 1e18) ** -0.2
    assert least_squares.with_floor(compute, loss, at)[0] == pytest.approx(truth, rel=1e-3)
    line = 3.0 * (compute / 1e18) ** -0.1
    assert least_squares.without_floor(compute, line, at)[0] == pytest.approx(3.0 * (at / 1e18) ** -0.1)
    assert least_squares.last_point(compute[::-1], loss[::-1], at)[0] == loss[-1]


def test_least_squares_equal_a_slow_twin() -> None:
    """scipy's curve fit from many starts, on noisy tables, residuals relative."""
    from scipy.optimize import least_squares as slow

    chance = np.random.default_rng(0)
    compute, loss = (np.array(column) for column in zip(*RUNGS, strict=True))
    x = compute / compute.mean()
    tables = loss * np.exp(0.003 * chance.standard_normal((8, len(loss))))
    fast = least_squares.with_floor(compute, tables, 1e22)
    for y, found in zip(tables, fast, strict=True):
        fits = [
            slow(lambda p, y=y: (p[0] * x ** -p[1] + p[2]) / y - 1, (a, b, c), bounds=([0, 0.005, 0], [9, 2, 9]))
            for a in (0.3, 1.0)
            for b in (0.05, 0.2, 0.8)
            for c in (0.5, 1.8)
        ]
        a, b, c = min(fits, key=lambda r: r.cost).x
        assert found == pytest.approx(a * (1e22 / compute.mean()) ** -b + c, rel=2e-3)


def test_the_bootstrap_knows_the_noise() -> None:
    points, noise = summarise([(c, y * (1 + 0.004 * s)) for c, y in RUNGS for s in (-1, 1)])
    at = least_squares.bootstrap(points, noise, 1e22)
    assert at.lo < at.value < at.hi
    quiet = least_squares.bootstrap([Point(p.compute, p.loss, 1e-6) for p in points], 0.0, 1e22)
    assert quiet.half_width < 0.1 * at.half_width


# ---- the public exercises -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not PUBLIC.is_file(), reason="the public exercises (shared/data/forecast) are not here")
def test_the_public_exercises() -> None:
    forecasts = [backtest.predict(e) for e in backtest.exercises(PUBLIC)]
    table = dict(backtest.scores(forecasts, backtest.truths(PUBLIC)))
    ours = table["all"][0]
    assert ours.count == 35
    assert ours.median <= 1.0
    assert ours.covered is not None
    assert 30 <= ours.covered <= 34
    for name, (mine, *others) in table.items():
        assert all(mine.median < other.median for other in others), name
        assert all(mine.crps < other.crps for other in others), name
