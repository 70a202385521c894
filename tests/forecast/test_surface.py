"""The law of size and tokens: planted laws are found, intervals cover, public runs are foretold, bad points refused."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presage import cli
from presage.core.errors import DataError
from presage.forecast import surface
from presage.forecast.sized import check, read_points
from presage.forecast.surface import PUBLISHED, SizedPoint, SurfaceFit, SurfaceLaw, fit, summarise, warnings
from tests.imports import ROOT

SIZES = np.geomspace(1e7, 1e9, 5)
GRID = [(float(n), float(n * r)) for n in SIZES for r in (5, 20, 80)]
TARGET = (1e10, 2e11)
LAW = SurfaceLaw(e=1.7, a=300.0, alpha=0.32, b=900.0, beta=0.34)
PUBLIC = ROOT.parent / "shared" / "data" / "forecast" / "exercises.csv"


def planted(law: SurfaceLaw = LAW, noise: float = 0.0, seed: int = 0) -> list[SizedPoint]:
    chance = np.random.default_rng(seed)
    return [SizedPoint(n, d, y := law.loss(n, d) * math.exp(noise * chance.normal()), noise * y) for n, d in GRID]


@pytest.fixture(scope="module")
def fitted() -> SurfaceFit:
    return fit(planted(noise=0.003))


@pytest.mark.parametrize("law", [LAW, *PUBLISHED.values()])
def test_a_law_without_noise_is_found(law: SurfaceLaw) -> None:
    found = fit(planted(law), drift=0.0)
    at = found.predict(*TARGET)
    assert at.value == pytest.approx(law.loss(*TARGET), rel=0.002)
    assert at.lo < law.loss(*TARGET) < at.hi
    assert at.half_width < 0.01 * at.value
    assert found.law.alpha == pytest.approx(law.alpha, abs=0.02)
    assert found.law.beta == pytest.approx(law.beta, abs=0.02)
    assert found.law.e == pytest.approx(law.e, rel=0.02)
    assert [found.law.loss(*place) for place in GRID] == pytest.approx([law.loss(*place) for place in GRID], rel=0.002)


def test_ninety_percent_intervals_hold_about_ninety_percent() -> None:
    """benchmarks/surface_planted.py has the full table; here 60 laws, 100 times beyond in compute."""
    chance = np.random.default_rng(3)
    inside = 0
    for seed in range(60):
        alpha, beta = np.clip(chance.normal(0.34, 0.1, 2), 0.12, 0.7)
        law = SurfaceLaw(
            e=float(chance.uniform(0.8, 2.4)), a=0.6 * 1e8**alpha, alpha=alpha, b=0.6 * 2e9**beta, beta=beta
        )
        at = fit(planted(law, 0.004, seed), drift=0.0).predict(*TARGET)
        inside += at.lo <= law.loss(*TARGET) * math.exp(0.004 * chance.normal()) <= at.hi
    assert 48 <= inside <= 59


def test_sums_of_products_equal_the_points_one_by_one() -> None:
    """The slow twin: each cell's density and moments from the points themselves, with dense matrices."""
    points = planted(noise=0.003)[::2]
    data = surface._Data(points, np.array([p.stderr for p in points]))
    alpha, beta, gain, tau = np.array([0.3, 0.4]), np.array([0.25, 0.35, 0.5]), np.array([-0.7, 0.3]), surface.MISFITS
    grid = data.grid(alpha, beta, gain, tau)
    logs, ends = np.empty(grid.weight.shape), np.empty(grid.weight.shape)
    spread = surface.FLOOR_SD * data.y.min()
    for place in np.ndindex(grid.weight.shape):
        a, b, z, t = (axis[i] for axis, i in zip((alpha, beta, gain, tau), place, strict=True))
        s = grid.split[place]
        feature = s * np.exp(-a * data.x) + (1 - s) * np.exp(-b * data.z)
        covariance = np.diag(data.errors**2 + (t * data.y) ** 2) + spread**2
        inverse = np.linalg.inv(covariance)
        precision = feature @ inverse @ feature
        scale = feature @ inverse @ (data.y - data.floor) / precision
        left = data.y - data.floor - scale * feature
        logs[place] = -0.5 * (left @ inverse @ left + np.linalg.slogdet(covariance)[1] + math.log(precision))
        logs[place] -= 0.5 * (((a - 0.347) / 0.1) ** 2 + ((b - 0.333) / 0.1) ** 2 + z**2)
        logs[place] += math.log(t) - 2.5 * math.log1p((t / surface.PRIOR_MISFIT) ** 2 / 4)
        ends[place] = scale
    kept = grid.weight > 1e-12 * grid.weight.max()
    apart = np.log(grid.weight[kept]) - logs[kept]
    assert np.ptp(apart) < 0.02  # all but the floor's bounds, which hardly bite here
    assert grid.t[kept] == pytest.approx(ends[kept], rel=0.02)


def test_the_same_answer_each_time_in_any_order(fitted: SurfaceFit) -> None:
    again = fit(tuple(reversed(fitted.points)))
    assert again.predict(*TARGET).value == pytest.approx(fitted.predict(*TARGET).value, rel=1e-9)
    assert fit(fitted.points).predict(*TARGET) == fitted.predict(*TARGET)


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-3, 1e3))
def test_the_unit_of_the_loss_does_not_matter(unit: float) -> None:
    points = planted(noise=0.003)
    scaled = [replace(p, loss=unit * p.loss, stderr=unit * p.stderr) for p in points]
    one, other = fit(points).predict(*TARGET), fit(scaled).predict(*TARGET)
    assert (other.lo, other.value, other.hi) == pytest.approx(
        (unit * one.lo, unit * one.value, unit * one.hi), rel=1e-5
    )


SOME = st.tuples(st.floats(1e5, 1e10), st.floats(1e6, 1e12), st.floats(0.5, 8.0))


@settings(max_examples=25, deadline=None)
@given(st.lists(SOME, min_size=6, max_size=12))
def test_any_points_give_an_interval_or_a_reason(rows: list[tuple[float, float, float]]) -> None:
    points = [SizedPoint(*row) for row in rows]
    try:
        found = fit(points)
    except DataError:
        return
    at, floor = found.predict(*TARGET), found.floor()
    assert 0 < at.lo < at.value < at.hi < math.inf
    assert 0 <= floor.lo <= floor.hi <= min(p.loss for p in points)
    assert min(found.law.a, found.law.b) > 0


def test_further_away_is_less_certain(fitted: SurfaceFit) -> None:
    estimates = [fitted.predict(1e9 * 10**k, 2e10 * 10**k) for k in range(5)]
    relative = [e.half_width / e.value for e in estimates]
    assert relative == sorted(relative)
    assert relative[-1] > 3 * relative[0]
    assert [e.value for e in estimates] == sorted((e.value for e in estimates), reverse=True)
    exact = replace(fitted, drift=0.0).predict(*TARGET)
    assert exact.half_width < fitted.predict(*TARGET).half_width


def test_levels_are_nested(fitted: SurfaceFit) -> None:
    narrow, wide = fitted.predict(*TARGET, 0.5), fitted.predict(*TARGET, 0.99)
    assert wide.lo < narrow.lo < narrow.value == wide.value < narrow.hi < wide.hi
    assert fitted.predict(*TARGET, new_run=False).half_width < fitted.predict(*TARGET).half_width


def test_one_odd_point_is_named_and_does_not_bend_the_law() -> None:
    points = planted(noise=0.002)
    points[7] = replace(points[7], loss=1.15 * points[7].loss)
    found = fit(points)
    assert found.odd == (8,)
    assert any("points 8" in text for text in warnings(found, *TARGET))
    assert found.predict(*TARGET).value == pytest.approx(fit(planted(noise=0.002)).predict(*TARGET).value, rel=0.01)


# ---- the best use of compute ----------------------------------------------------------------------------------------


def test_the_frontier_is_where_no_other_size_is_better() -> None:
    found = fit(planted())
    for compute in (1e21, 1e24):
        best = found.frontier(compute)
        n, d = best.n_params.value, best.tokens.value
        assert 6 * n * d == pytest.approx(compute)
        assert 6 * best.n_params.lo * best.tokens.hi == pytest.approx(compute)
        ratio = (LAW.alpha * LAW.a / (LAW.beta * LAW.b)) ** (1 / (LAW.alpha + LAW.beta))
        assert n == pytest.approx(ratio * (compute / 6) ** (LAW.beta / (LAW.alpha + LAW.beta)), rel=0.25)
        assert best.n_params.lo < n < best.n_params.hi
        assert best.loss == found.predict(n, d)
        for factor in (0.3, 3.0):
            assert found.law.loss(n * factor, d / factor) > found.law.loss(n, d)


def test_the_frontier_knows_less_from_noisy_points(fitted: SurfaceFit) -> None:
    sure, unsure = fit(planted()).frontier(1e24), fitted.frontier(1e24)
    assert unsure.n_params.hi / unsure.n_params.lo > sure.n_params.hi / sure.n_params.lo
    assert fitted.frontier(2e24, 12.0).n_params == unsure.n_params


# ---- public runs ----------------------------------------------------------------------------------------------------


def public() -> dict[str, dict[str, list[tuple[float, float, float]]]]:
    """{metric: {role: [(N, D, loss)]}} of OLMo's ladder; its targets are given without their size, 3.17e9."""
    found: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    with open(PUBLIC, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["source"].startswith("olmo_ladder/"):
                n, d = float(row["n_params"] or 3.17e9), float(row["tokens"])
                found.setdefault(row["metric"], {}).setdefault(row["role"], []).append((n, d, float(row["loss"])))
    return found


@pytest.mark.skipif(not PUBLIC.is_file(), reason="public scaling runs are not here (../shared/data/forecast)")
def test_olmo_at_once_and_twice_chinchilla_foretells_its_largest_runs() -> None:
    """8 fitted runs of 190M to 1.3B on 20 and 40 tokens a parameter; the targets are the 3.2B on both."""
    inside = []
    for roles in public().values():
        found = fit([SizedPoint(*row) for row in dict.fromkeys(roles["fit"])])
        assert len(found.points) == 8
        for n, d, loss in dict.fromkeys(roles["target"]):
            at = found.predict(n, d)
            assert at.value == pytest.approx(loss, rel=0.03)
            assert at.half_width < 0.04 * loss
            inside.append(at.lo <= loss <= at.hi)
    assert len(inside) == 8
    assert sum(inside) >= 7


# ---- points ---------------------------------------------------------------------------------------------------------


def test_repeats_become_means_and_measure_the_noise() -> None:
    points = [SizedPoint(1e7, 1e9, 3.0), SizedPoint(1e7, 1e9, 3.06), SizedPoint(1e8, 1e9, 2.5)]
    means, noise = summarise(points)
    assert [p.loss for p in means] == pytest.approx([3.03, 2.5])
    squares = 2 * (math.log(3.06 / 3.0) / 2) ** 2
    assert noise == pytest.approx(math.sqrt((squares + 4 * 0.004**2) / 5))
    assert means[0].stderr == pytest.approx(3.03 * noise / math.sqrt(2))
    assert means[1].stderr == pytest.approx(2.5 * noise)
    assert summarise(points[1:]) == (points[1:], 0.0)
    assert summarise([replace(p, stderr=0.01 * p.loss) for p in points[1:]])[1] == pytest.approx(0.01)


GOOD = planted()


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (GOOD[:5], "at least 6 points, got 5"),
        ([*GOOD, SizedPoint(0.0, 1e9, 2.0)], "point 16: n_params 0.0 must be positive"),
        ([SizedPoint(1e7, math.nan, 2.0), *GOOD], "point 1: tokens nan"),
        ([*GOOD, SizedPoint(1e7, 1e9, math.inf)], "point 16: loss inf"),
        ([*GOOD, SizedPoint(1e7, 1e9, 2.0, -0.1)], r"point 16: stderr -0\.1"),
        ([SizedPoint(1e7, 1e9, 2.0 + 0.1 * i) for i in range(7)], "differ by less than a factor of 1.5"),
        ([replace(p, loss=1 / p.loss) for p in GOOD], "falls neither with size nor with tokens"),
        ([replace(p, loss=2.0) for p in GOOD], "falls neither with size nor with tokens"),
    ],
)
def test_bad_points_are_refused(points: list[SizedPoint], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check(points)
    with pytest.raises(DataError, match=message):
        fit(points)


@pytest.mark.parametrize("place", [(0.0, 1e9), (1e9, math.nan), (math.inf, 1e9)])
def test_impossible_targets_are_refused(fitted: SurfaceFit, place: tuple[float, float]) -> None:
    with pytest.raises(DataError, match="must be positive"):
        fitted.predict(*place)


def line(ratio: float = 20, count: int = 8) -> list[SizedPoint]:
    return [SizedPoint(n, ratio * n, LAW.loss(n, ratio * n)) for n in map(float, np.geomspace(1e7, 1e9, count))]


def fixed_tokens() -> list[SizedPoint]:
    return [SizedPoint(n, 1e10, LAW.loss(n, 1e10)) for n in map(float, np.geomspace(1e7, 1e9, 8))]


@pytest.mark.parametrize(
    ("points", "target", "expected"),
    [
        (planted(), (4e9, 8e10), []),
        (planted(), (1e11, 2e12), ["parameters lie a factor of 100 outside", "tokens lie a factor of 25 outside"]),
        (planted(), (4e9, 8e11), ["200 tokens a parameter lie outside the points' 5 to 80"]),
        (line(), (4e9, 8e10), ["correlation 1.000"]),
        (line(count=6), (4e9, 8e10), ["only 6 points", "correlation 1.000"]),
        (fixed_tokens(), (2e9, 1e10), ["exponent of tokens is not identified", "about the same tokens"]),
    ],
)
def test_warnings(points: list[SizedPoint], target: tuple[float, float], expected: list[str]) -> None:
    said = warnings(fit(points), *target)
    assert len(said) == len(expected), said
    for words, text in zip(expected, said, strict=True):
        assert words in text


def test_points_that_scatter_are_doubted() -> None:
    said = warnings(
        fit(planted(noise=0.0, seed=1)[:1] + [replace(p, stderr=0.0) for p in planted(noise=0.04)]), *TARGET
    )
    assert any("are they of one recipe?" in text for text in said)


# ---- the command line -----------------------------------------------------------------------------------------------


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [f"{n},{d},{LAW.loss(n, d)},{i % 2}" for i, (n, d) in enumerate(product(map(float, SIZES), (1e9, 1e10)))]
    path = tmp_path / "points.csv"
    path.write_text("\n".join(["n_params,tokens,loss,odd", *rows]) + "\n")
    return path


Answer = Callable[..., tuple[int, str, str]]


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str]) -> Answer:
    def call(*arguments: object) -> tuple[int, str, str]:
        code = cli.main(["forecast", "surface", *map(str, arguments)])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return call


def test_one_object_for_each_question(ask: Answer, table: Path) -> None:
    code, out, _ = ask(table, "--n-params", "4e9", "--tokens", "8e10", "--at", "1e22", "--at", "1e23", "--json")
    run, best, more = json.loads(out)
    assert code == 0
    assert run["loss"] == pytest.approx(LAW.loss(4e9, 8e10), rel=0.01)
    assert run["lo"] < run["loss"] < run["hi"]
    assert (run["n_params"], run["tokens"], run["level"], run["n_points"]) == (4e9, 8e10, 0.9, 10)
    assert run["extrapolation"] == pytest.approx(4e9 * 8e10 / 1e19)
    assert {"form", "e", "a", "alpha", "b", "beta"} == run["law"].keys()
    assert best["n_params_lo"] < best["n_params"] < best["n_params_hi"]
    assert (best["compute"], more["compute"]) == (1e22, 1e23)
    assert more["loss"] < best["loss"]


def test_text_for_people(ask: Answer, table: Path) -> None:
    code, out, err = ask(table, "--at", "1e25", "--level", "0.5")
    first, law = out.splitlines()
    assert code == 0
    assert "best for 1e+25 FLOPs" in first and "50% intervals" in first
    assert law.startswith("law 1.") and "/ N^0.3" in law
    assert "outside the points" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --n-params N --tokens D, or --at C"),
        (["--n-params", "1e9"], "1 --n-params, 0 --tokens"),
        (["--at", "1e22", "--level", "2"], "--level must lie between 0 and 1"),
        (["--at", "-1"], "compute -1.0 must be positive"),
        (["--n-params", "0", "--tokens", "1e9"], "n_params 0.0 must be positive"),
        (["--at", "1e22", "--metric", "bits"], "no column 'bits'"),
        (["--at", "1e3"], "1000 FLOPs lie 13.8 decades below the smallest run, 6e+16"),
    ],
)
def test_bad_questions_are_one_line(ask: Answer, table: Path, arguments: list[str], message: str) -> None:
    code, out, err = ask(table, *arguments)
    assert (code, out) == (2, "")
    assert message in err and len(err.splitlines()) == 1


def test_runs_that_disagree_are_told(ask: Answer, table: Path) -> None:
    assert "disagree" not in ask(table, "--at", "1e22")[2]
    n, d, loss, _ = map(float, table.read_text().splitlines()[1].split(","))
    table.write_text(table.read_text() + f"{n},{d},{1.08 * loss},1\n")
    code, out, err = ask(table, "--at", "1e22", "--level", "0.999")
    assert (code, "99.9% intervals" in out) == (0, True)
    assert "at 1 of 10 pairs of size and tokens the runs disagree, by up to 8.0%, and their mean was fitted" in err


def test_a_table_that_cannot_be_fitted_is_named(ask: Answer, table: Path) -> None:
    table.write_text("".join(f"{line}\n" for line in table.read_text().splitlines()[:4]))
    assert ask(table, "--at", "1e22")[2].startswith(f"presage: {table}: a law of size and tokens needs at least 6")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"p\.csv:1: no column 'n_params' \(columns: none\)"),
        ("n_params,tokens,tokens,loss\n", r"p\.csv:1: column 'tokens' is there twice"),
        ("n_params,tokens,loss\n1e7,1e9,2\n1e7,two,2\n", r"p\.csv:3: tokens: 'two' is not a number"),
        ("n_params,tokens,loss\n1e7,1e9,nan\n", r"p\.csv:2: loss: nan is not a positive number"),
        ("n_params,tokens,loss,stderr\n1e7,1e9,2,-1\n", r"p\.csv:2: stderr: -1 is not a positive number"),
    ],
)
def test_bad_tables_are_named_by_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_points(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_points(tmp_path / "absent.csv")


def test_bits_per_byte_come_first_and_unfitted_rows_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("n_params,tokens,loss,bpb,stderr,fitted\n1e7,1e9,2,1,,1\n1e8,1e9,3,2,0.1,0\n1e8,1e9,1,.5,0.1,1\n")
    assert read_points(path) == [SizedPoint(1e7, 1e9, 1.0), SizedPoint(1e8, 1e9, 0.5, 0.1)]
    assert [p.loss for p in read_points(path, "loss")] == [2.0, 1.0]
