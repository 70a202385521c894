"""Trends that may turn: planted shapes are found, nothing is extrapolated that should not be, tables are checked."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import multivariate_normal

from presage import cli
from presage.cli import trends  # noqa: F401 - adds the verb
from presage.core.errors import DataError
from presage.forecast import trend as module
from presage.forecast.measured import LOSS, PROPORTION, Measured, heights, read_points
from presage.forecast.trend import SHAPES, TURN_SCALE, Trend, trend

START = 1e20
DECADES = np.linspace(0, 3, 7)
SHAPED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "improves": lambda d: -2 + 0.8 * d,
    "worsens": lambda d: 0.5 - 0.7 * d,
    "worsens_then_improves": lambda d: -1.5 + 0.9 * abs(d - 1.6),
    "improves_then_worsens": lambda d: 1.0 - 0.9 * abs(d - 1.6),
}


def points(logits: np.ndarray, n: int | None = 500, scatter: float = 0.0, seed: int = 0) -> list[Measured]:
    """Accuracies at DECADES, counted in n trials; without n they are exact, and nothing is said of their errors."""
    chance = np.random.default_rng(seed)
    shares = expit(logits + scatter * chance.normal(size=len(logits)))
    counted = shares if n is None else chance.binomial(n, shares) / n
    places = np.linspace(0, 3, len(logits))
    return [Measured(START * 10**d, float(p), n=n) for d, p in zip(places, counted, strict=True)]


def at(decades: float) -> float:
    return START * 10 ** (3 + decades)


# ---- Hindsight Neglect ----------------------------------------------------------------------------------------------

# Compute: 6 * parameters * 300e9 tokens for GPT-3's sizes; GPT-4's is not published, 2e25 is a common guess. Accuracies
# are two readings of the GPT-4 report's figure and their middle.
MODELS = (6.3e20, 2.4e21, 1.2e22, 3.15e23)
READINGS = ((0.41, 0.28, 0.18, 0.19), (0.44, 0.36, 0.20, 0.20), (0.38, 0.20, 0.18, 0.18))


@pytest.mark.parametrize("n", [None, 315])
@pytest.mark.parametrize("reading", READINGS)
def test_hindsight_neglect_is_not_extrapolated(reading: tuple[float, ...], n: int | None) -> None:
    found = trend([Measured(c, a, n=n) for c, a in zip(MODELS, reading, strict=True)], 2e25)
    assert found.value is None
    assert found.probability["improves"] < 0.2
    assert found.lo < 0.15
    assert found.hi > 0.99  # GPT-4 got everything right
    assert found.p_reversal_before_target + found.p_reversed_in_data > 0.6
    assert "no monotone extrapolation is given" in found.warnings[0]
    assert any("6 turned within 5 times" in text for text in found.warnings)


# ---- planted shapes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPED)
def test_planted_shapes_are_found(shape: str) -> None:
    found = trend(points(SHAPED[shape](DECADES)), at(1))
    assert found.shape == shape
    assert found.probability[shape] > 0.6
    assert sum(found.probability.values()) == pytest.approx(1)
    assert max(found.log_evidence.values()) == 0
    assert (found.value is None) == (shape != "improves")
    goes_on = float(expit(SHAPED[shape](np.array(4.0))))
    assert 0 < found.lo < goes_on < found.hi < 1


def test_an_improving_share_is_extrapolated_on_the_logit_scale() -> None:
    found = trend(points(SHAPED["improves"](DECADES), n=2000), at(1))
    truth = float(expit(-2 + 0.8 * 4))
    assert found.value == pytest.approx(truth, abs=0.04)
    assert found.lo < truth < found.hi < 1
    assert found.p_reversal_before_target < 0.06
    assert found.warnings == []


def test_a_worsening_share_covers_both_continuations() -> None:
    found = trend(points(SHAPED["worsens"](DECADES)), at(1))
    assert found.goes_on[0] < expit(0.5 - 0.7 * 4) < found.goes_on[1] < 0.6
    assert found.reverses[1] > 0.6
    assert (found.lo, found.hi) == (min(found.goes_on[0], found.reverses[0]), found.reverses[1])
    assert "worsens with compute" in found.warnings[0]


@pytest.mark.parametrize("shape", ["worsens_then_improves", "improves_then_worsens"])
def test_a_turn_is_placed(shape: str) -> None:
    found = trend(points(SHAPED[shape](DECADES), n=2000), at(1))
    assert found.turn is not None
    low, middle, high = found.turn
    assert low < START * 10**1.6 < high
    assert START * 10**1.2 < middle < START * 10**2.0
    assert found.p_reversed_in_data > 0.9
    assert "reversed within the data" in found.warnings[0]


def test_a_loss_is_better_when_lower() -> None:
    exact = [Measured(START * 10**d, float(3 * 10 ** (-0.06 * d)), stderr=0.01) for d in DECADES]
    found = trend(exact, at(1), LOSS)
    assert found.shape == "improves"
    assert found.value == pytest.approx(3 * 10 ** (-0.06 * 4), rel=0.02)
    risen = [Measured(p.compute, 4 - p.value, p.stderr) for p in exact]
    assert trend(risen, at(1), LOSS).shape == "worsens"
    assert trend(risen, at(1), LOSS).value is None


def test_an_accuracy_that_does_not_move_is_flat() -> None:
    found = trend(points(np.full(16, -1.1), n=3000), at(1))
    assert found.shape == "flat"
    assert found.lo < 0.25 < found.hi
    assert any("no trend is seen" in text for text in found.warnings)


def test_few_improving_ladders_are_refused_and_intervals_cover() -> None:
    """24 ladders of 6 models, slopes 0.3 to 1 logit a decade, scatter 0.1, 300 trials; a decade beyond."""
    refused = covered = 0
    for seed in range(24):
        chance = np.random.default_rng(seed)
        level, slope = chance.uniform(-2, -0.5), chance.uniform(0.3, 1)
        found = trend(points(level + slope * np.linspace(0, 3, 6), 300, 0.1, seed), at(1))
        truth = float(expit(level + slope * 4 + 0.1 * chance.normal()))
        refused += found.value is None
        covered += found.lo <= truth <= found.hi
    assert refused <= 3
    assert covered >= 20


@given(order=st.permutations(range(7)), scale=st.floats(-3, 3), shape=st.sampled_from(sorted(SHAPED)))
@settings(max_examples=6)
def test_neither_order_nor_the_unit_of_compute_matters(order: list[int], scale: float, shape: str) -> None:
    given_points = points(SHAPED[shape](DECADES), scatter=0.1)
    unit = 10**scale
    moved = [Measured(given_points[i].compute * unit, given_points[i].value, n=500) for i in order]
    first, second = trend(given_points, at(1)), trend(moved, at(1) * unit)
    assert second.probability == pytest.approx(first.probability, abs=1e-6)
    assert (second.lo, second.hi) == pytest.approx((first.lo, first.hi), abs=1e-6)


def test_a_reversal_gets_more_probable_with_distance() -> None:
    made = points(SHAPED["worsens"](DECADES), n=5000)
    found = [trend(made, at(d)) for d in (0.1, 0.7, 2.0, 5.0)]
    chances = [f.p_reversal_before_target for f in found]
    assert chances == sorted(chances)
    falling = found[1].probability["worsens"]
    assert falling * 7 / 13 < chances[1] < falling * 7 / 13 + 0.2  # 6 of 11 tasks, and one pseudo-task of each kind
    assert 1 - (1 + math.log10(5) / TURN_SCALE) ** -2 == pytest.approx(7 / 13, abs=0.002)


# ---- the arithmetic -------------------------------------------------------------------------------------------------


def cells_of(x: np.ndarray, y: np.ndarray, knot: float, sd: float, tau: float) -> module._Cells:
    basis = np.stack([np.ones_like(x), np.minimum(x - knot, 0), np.maximum(x - knot, 0)], 1)[None]
    return module._cells(basis, np.array([knot]), y, np.full_like(x, 0.01), [sd], np.full(6, tau))


def test_evidence_is_that_of_the_normal_distribution() -> None:
    """Differences between knots must be those of the marginal distribution of y, with a level of next to no prior."""
    x, y = np.linspace(0, 3, 6), np.array([0.1, -0.4, -0.9, -0.5, 0.2, 0.4])
    wide, tau, sd = 1e3, 0.2, 0.7
    exact, found = [], []
    for knot in (0.8, 1.9):
        columns = np.stack([wide * np.ones_like(x), sd * np.minimum(x - knot, 0), sd * np.maximum(x - knot, 0)])
        covariance = columns.T @ columns + np.diag(np.full(6, 0.01 + tau**2))
        exact.append(float(multivariate_normal.logpdf(y, cov=covariance)))
        found.append(float(cells_of(x, y, knot, sd, tau).log_weight[0]))
    assert found[1] - found[0] == pytest.approx(exact[1] - exact[0], abs=1e-3)


def test_the_four_quadrants_are_cut_out_of_the_posterior_exactly() -> None:
    """Their probabilities, and the height at the end of the data, against a million draws."""
    x, y = np.linspace(0, 3, 6), np.array([0.1, -0.2, -0.3, -0.2, 0.0, 0.1])
    cells = cells_of(x, y, 1.4, 1.0, 0.3)
    draws = np.random.default_rng(0).multivariate_normal(cells.mean[0], cells.covariance[0], 1_000_000)
    end = draws[:, 0] + draws[:, 2] * (3 - 1.4)
    for signs in module.QUADRANTS:
        pieces = module._two_lines(cells, signs, 3.0)
        form = module.FORM if signs[0] == signs[1] else 1.0
        weight = np.exp(pieces.log_weight[0] - cells.log_weight[0]) / (4 * form)
        inside = (np.sign(draws[:, 1]) == signs[0]) & (np.sign(draws[:, 2]) == signs[1])
        assert weight.sum() == pytest.approx(inside.mean(), rel=0.02)
        share = weight / weight.sum()
        mean = float((share * pieces.height[0]).sum())
        assert mean == pytest.approx(end[inside].mean(), abs=0.01)
        spread = float((share * (pieces.variance[0] + (pieces.height[0] - mean) ** 2)).sum())
        assert spread == pytest.approx(end[inside].var(), rel=0.12)  # of 12 nodes none is far out
        assert (np.sign(pieces.slope) == signs[1]).all()


def test_heights_on_the_scale() -> None:
    made = [
        Measured(1e20, 0.5, n=100),
        Measured(1e20, 0.9, stderr=0.01),
        Measured(1e20, 1.0),
        Measured(1e20, 0.0, n=10),
    ]
    height, variance = heights(made, PROPORTION)
    assert height == pytest.approx([0, math.log(9), math.log(0.995 / 0.005), math.log(0.5 / 10.5)])
    assert variance == pytest.approx([2 / 50.5, (0.01 / 0.09) ** 2, 1, 2 + 1 / 10.5])
    height, variance = heights([Measured(1e20, 2.0, stderr=0.1)], LOSS)
    assert (height[0], variance[0]) == pytest.approx((-math.log(2), 0.05**2))


# ---- what is refused ------------------------------------------------------------------------------------------------

GOOD = points(SHAPED["improves"](DECADES))


@pytest.mark.parametrize(
    ("bad", "target", "message"),
    [
        ([], 1e24, "at least 3 different computes, got 0"),
        ([GOOD[0], GOOD[1], GOOD[1]], 1e24, "got 2"),
        (GOOD, GOOD[-1].compute, "not beyond the data"),
        (GOOD, math.inf, "not beyond the data"),
        (GOOD, math.nan, "not beyond the data"),
        ([*GOOD, Measured(math.nan, 0.5)], 1e24, "point 8: compute nan"),
        ([*GOOD, Measured(1e21, math.inf)], 1e24, "point 8: value inf is not between 0 and 1"),
        ([*GOOD, Measured(1e21, 50)], 1e24, "point 8: value 50 is not between 0 and 1"),
        ([*GOOD, Measured(10.0, 0.5)], 1e24, "a gap of 1e[+]19 times"),
    ],
)
def test_bad_points_and_targets(bad: list[Measured], target: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        trend(bad, target)


def test_a_level_is_a_probability() -> None:
    with pytest.raises(DataError, match="level 1 is not"):
        trend(GOOD, 1e24, level=1)


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_tables_with_errors_counts_and_losses(tmp_path: Path) -> None:
    shares = table(tmp_path / "a.csv", "run,compute,accuracy,n,stderr\na,1e20,.5,100,\nb,1e21,.6,,.02\nc,1e22,0.7,,\n")
    assert read_points(shares) == (
        [Measured(1e20, 0.5, n=100), Measured(1e21, 0.6, stderr=0.02), Measured(1e22, 0.7)],
        PROPORTION,
    )
    losses = table(tmp_path / "b.csv", "compute,loss,f1\n1e20,3.5,.1\n")
    assert read_points(losses) == ([Measured(1e20, 3.5)], LOSS)
    assert read_points(losses, "f1") == ([Measured(1e20, 0.1)], PROPORTION)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"p\.csv:1: no column 'compute' \(columns: none\)"),
        ("flops,accuracy\n1,1\n", r"p\.csv:1: no column 'compute'"),
        ("compute,compute,loss\n1,1,1\n", r"p\.csv:1: column 'compute' is there twice"),
        ("compute,acc\n1e20,1\n", r"p\.csv:1: no column 'accuracy' \(columns: compute, acc\)"),
        ("compute,accuracy\n", r"p\.csv:1: no rows"),
        ("compute,accuracy\n\n\n", r"p\.csv:1: no rows"),
        ("compute,accuracy\n1e20\n", r"p\.csv:2: accuracy: '' is not a number"),
        ("compute,accuracy\n1e20,1,2\n", r"p\.csv:2: more cells than the 2 columns"),
        ("compute,accuracy\n1e20,.5\n1e21,five\n", r"p\.csv:3: accuracy: 'five' is not a number"),
        ("compute,accuracy\n1e20,50\n", r"p\.csv:2: accuracy: 50 is not between 0 and 1 \(a share"),
        ("compute,accuracy\n1e20,nan\n", r"p\.csv:2: accuracy: nan is not"),
        ("compute,accuracy\n-1e20,.5\n", r"p\.csv:2: compute: -1e20 is not"),
        ("compute,accuracy,n\n1e20,.5,0\n", r"p\.csv:2: n: 0 is not"),
        ("compute,accuracy,stderr\n1e20,.5,-1\n", r"p\.csv:2: stderr: -1 is not"),
        ("compute,loss\n1e20,0\n", r"p\.csv:2: loss: 0 is not .* \(above 0\)"),
    ],
)
def test_bad_tables_name_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_points(table(tmp_path / "p.csv", text))


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_points(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00compute")
    with pytest.raises(DataError, match=r"binary\.csv: not a CSV table"):
        read_points(tmp_path / "binary.csv")


# ---- the verb -------------------------------------------------------------------------------------------------------

FALLS = "compute,accuracy,n\n" + "".join(f"{c},{a},315\n" for c, a in zip(MODELS, READINGS[0], strict=True))


def test_the_verb_prints_a_refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(table(tmp_path / "p.csv", FALLS))
    assert cli.main(["forecast", "trend", path, "--at", "2e25"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("no forecast  [0.")
    assert "no monotone extrapolation is given" in err
    assert cli.main(["forecast", "trend", path, "--at", "2e25", "--json"]) == 0
    (facts,) = json.loads(capsys.readouterr().out)
    assert facts["value"] is None
    assert facts["refused"] is True
    assert facts["hi"] > 0.99
    assert {f"p_{shape}" for shape in SHAPES} <= facts.keys()
    assert not [key for key, value in facts.items() if isinstance(value, dict)]
    assert facts["warnings"][0].endswith("the interval covers going on and reversing")


def test_several_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(table(tmp_path / "p.csv", FALLS))
    options = ["--at", "2e25", "--at", "1e26", "--level", "0.999"]
    assert cli.main(["forecast", "trend", path, *options]) == 0
    out, err = capsys.readouterr()
    heads = [line for line in out.splitlines() if line.startswith("no forecast")]
    assert [line.partition("]  ")[2] for line in heads] == [f"at {c} FLOPs, 99.9% interval" for c in ("2e+25", "1e+26")]
    assert err.count("no monotone extrapolation") == 1, "each warning once"
    assert cli.main(["forecast", "trend", path, *options, "--json"]) == 0
    assert [facts["at"] for facts in json.loads(capsys.readouterr().out)] == [2e25, 1e26]


def test_a_table_without_a_trend_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(tmp_path / "p.csv", "compute,accuracy\n1e20,.5\n1e21,.6\n")
    assert cli.main(["forecast", "trend", str(path), "--at", "1e22"]) == 2
    assert capsys.readouterr().err.startswith(f"presage: {path}: a trend that may turn needs")


def test_every_field_of_the_answer_is_in_its_json() -> None:
    found = trend(GOOD, at(1))
    keys = found.as_json().keys()
    nested = {"probability": "p_", "log_evidence": "log_evidence_", "goes_on": "goes_on_", "reverses": "reverses_"}
    for name in Trend.__dataclass_fields__:
        assert [key for key in keys if key.startswith(nested.get(name, name))], name


@pytest.mark.parametrize("extra", [["--at", "1e22"], ["--at", "nan"], ["--at", "2e25", "--level", "2"], []])
def test_the_verb_refuses_nonsense(tmp_path: Path, extra: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["forecast", "trend", str(table(tmp_path / "p.csv", FALLS)), *extra]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("presage: ")
    assert len(err.splitlines()) == 1
