"""Budgets, sizes, published laws, plans from one's own runs, and what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import presage.cli.plan  # noqa: F401 - adds its verb
from presage import cli
from presage.core.errors import BudgetError, ConfigError, DataError
from presage.forecast import advice, gpus, plan, published
from presage.forecast.published import LAWS
from tests.forecast.conftest import BUDGETS, RULE, Chain
from tests.imports import ROOT

PUBLIC = ROOT.parent / "shared" / "data" / "forecast" / "exercises.csv"
flops = st.floats(17, 26).map(lambda x: 10.0**x)
parametric = [law for law in LAWS if law.data == "chinchilla"]


# ---- budget and GPUs ------------------------------------------------------------------------------------------------


def test_gpu_hours_are_hours_times_peak_times_share() -> None:
    money = gpus.budget(None, 1000, "H100", 0.4)
    assert money.flops == pytest.approx(1000 * 3600 * 989e12 * 0.4)
    assert money.hours_on(gpus.find("H100")) == pytest.approx(1000)
    assert money.hours_on(gpus.find("V100")) == pytest.approx(1000 * 989 / 125)


@pytest.mark.parametrize("name", ["H100 PCIe", "h100-pcie", "NVIDIA H100 PCIE", "h100_pcie"])
def test_case_spaces_and_maker_do_not_matter(name: str) -> None:
    assert gpus.find(name).peak_flops == 756e12


def test_every_gpu_is_found_by_its_name_and_says_where_its_peak_is_from() -> None:
    for gpu in gpus.GPUS:
        assert gpus.find(gpu.name) is gpu
        assert 5e13 < gpu.peak_flops < 3e15
        assert "datasheet" in gpu.source or "documentation" in gpu.source or "whitepaper" in gpu.source
    assert {gpus.find(alias).name for alias in gpus.ALIASES} <= {gpu.name for gpu in gpus.GPUS}
    assert {gpus.find(name).name for name in plan.COMMON} == set(plan.COMMON)


# ---- published laws -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "loss"), [(1, 2.570), (100, 2.060), (3640, 1.734)])
def test_the_gpt3_papers_law(days: float, loss: float) -> None:
    assert published.find("kaplan").loss(days * 8.64e19) == pytest.approx(loss, abs=6e-4)


def test_no_law_says_its_ratio_twice() -> None:
    assert not [law.name for law in published.LAWS if "tokens a parameter" in law.sizing]


def test_cerebras_law_at_its_own_largest_model() -> None:
    """13B parameters, 2.3e22 FLOPs: 1.572 on the Pile's test set; within 0.5 %, says the paper."""
    assert published.find("Cerebras-GPT").loss(2.3e22) == pytest.approx(1.572, rel=0.006)


@given(st.sampled_from(parametric), flops, st.floats(0.2, 5))
def test_no_other_size_does_better_for_the_same_flops(law: published.Published, compute: float, factor: float) -> None:
    surface = {"chinchilla": published.HOFFMANN, "besiroglu": published.BESIROGLU}[law.name]
    n, d = law.optimum(compute)
    assert 6 * n * d == pytest.approx(compute)
    assert law.loss(compute) == pytest.approx(surface.loss(n, d))
    assert law.loss(compute) <= surface.loss(n * factor, d / factor) * (1 + 1e-12)


def test_the_refit_agrees_with_chinchilla_where_the_printed_fit_does_not() -> None:
    """Chinchilla itself: 70 billion parameters on 1.4 trillion tokens, 20 each, for 5.76e23 FLOPs."""
    n, d = published.find("besiroglu").optimum(5.76e23)
    assert n == pytest.approx(70e9, rel=0.05)
    assert d == pytest.approx(1.4e12, rel=0.06)
    n, d = published.find("hoffmann").optimum(5.76e23)
    assert d / n > 80


@given(flops, st.floats(0.05, 0.95))
def test_every_laws_interval_holds_every_law_at_ninety_percent(compute: float, level: float) -> None:
    for law in LAWS:
        wide, other = law.expect(compute, 0.9), law.expect(compute, level)
        assert other.lo <= other.value <= other.hi
        assert all(wide.lo < another.loss(compute) < wide.hi for another in LAWS)
        n, d = law.optimum(compute)
        assert 6 * n * d == pytest.approx(compute)


def test_extreme_levels_stay_finite() -> None:
    at = LAWS[0].expect(1e21, 1 - 1e-15)
    assert 0 < at.lo < at.hi < math.inf


def test_the_interval_of_a_published_law_covers_published_runs_of_other_labs() -> None:
    """Losses of other texts and tokenizers, code included: nine in ten should lie inside, and about as many do."""
    if not PUBLIC.is_file():
        pytest.skip("no ../shared/data/forecast/exercises.csv here")
    import csv

    rows = [row for row in csv.DictReader(PUBLIC.open(encoding="utf-8")) if row["role"] == "target"]
    runs = {(row["source"], row["metric"], float(row["compute"])): float(row["loss"]) for row in rows}
    law = published.find("besiroglu")
    inside = [law.expect(c, 0.9).lo < loss < law.expect(c, 0.9).hi for (_, _, c), loss in runs.items()]
    assert len(inside) >= 15
    assert 0.8 <= np.mean(inside) < 1


# ---- plans from a published law -------------------------------------------------------------------------------------


def test_a_plan_from_a_published_law() -> None:
    money = gpus.budget(None, 1000, "H100")
    made = plan.make(money, advice.find(law_name="chinchilla"), price=2.5)
    assert made.flops == pytest.approx(1.42416e21)
    assert made.n_params * made.tokens * 6 == pytest.approx(made.flops)
    assert made.hours == pytest.approx({"1": 1000, "8": 125, "64": 15.625, "512": 1.953125})
    assert made.usd == pytest.approx(2500)
    assert made.train_bytes == pytest.approx(16 * made.n_params)
    assert made.checkpoint_bytes == pytest.approx(12 * made.n_params)
    assert made.gpus_for_memory == 1
    assert made.lo < made.loss_double < made.loss < made.loss_half < made.hi
    assert (made.spend, made.cost, made.buy) == (None, None, [])
    flat = made.as_dict()
    assert flat["hours_8"] == pytest.approx(125)
    assert not [key for key, value in flat.items() if isinstance(value, dict)]
    assert json.loads(json.dumps(flat, allow_nan=False)) == flat


def test_flops_alone_give_hours_on_common_gpus() -> None:
    made = plan.make(gpus.budget(1e21, None, None), advice.find())
    assert made.advice.startswith("besiroglu")
    assert made.gpu_hours is None
    assert made.as_dict()["hours_a100"] == pytest.approx(1e21 / (312e12 * 0.4 * 3600))


def test_warnings_say_what_a_published_law_is_not() -> None:
    texts = " ".join(published.find("chinchilla").warnings(3e23))
    assert "100 times the largest run" in texts
    assert "besiroglu" in texts
    assert "far below any run" in " ".join(published.find("cerebras").warnings(1e12))
    assert not [text for text in published.find("kaplan").warnings(1e20) if "largest run" in text]


# ---- plans from one's own runs --------------------------------------------------------------------------------------


def write_points(path: Path, columns: str = "", rungs: int = 6, noise: float = 0.003) -> Path:
    """Three runs at each budget from 1e16 on, half a decade apart, of 30 tokens a parameter at 7 N D."""
    chance = np.random.default_rng(0)
    lines = ["compute,loss" + columns]
    for compute in 1e16 * 10 ** (0.5 * np.arange(rungs)):
        loss = 1.8 + 1.6 * (compute / 1e16) ** -0.15
        n = math.sqrt(compute / (7 * 30))
        size = f",{n},{30 * n}" if columns else ""
        lines += [f"{compute},{loss * math.exp(noise * chance.normal())}{size}" for _ in range(3)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_plan_from_points(tmp_path: Path) -> None:
    points = write_points(tmp_path / "runs.csv", ",n_params,tokens")
    money = gpus.budget(1e20, None, None)
    made = plan.make(money, advice.find(points=points), spend=1e19)
    assert made.tokens_per_param == pytest.approx(30, rel=1e-6)
    assert 7 * made.n_params * made.tokens == pytest.approx(1e20, rel=1e-6)
    assert made.lo < 1.8 + 1.6 * 1e4**-0.15 < made.hi
    assert made.lo < made.loss < made.hi
    assert "C^0.50" in made.sizing
    assert made.largest == pytest.approx(10**18.5)
    assert made.buy, "a tenth of the target's compute is worth something"
    assert made.cost == pytest.approx(sum(row.compute * row.runs for row in made.buy))
    assert made.cost <= 1e19 * (1 + 1e-9)
    assert all(row.tokens / row.n_params == pytest.approx(30, rel=1e-6) for row in made.buy)
    narrowings = [made.narrowing, made.narrowing_third, made.narrowing_tenth]
    assert narrowings == sorted(narrowings)  # type: ignore[type-var]
    assert made.lo_after is not None
    assert made.hi_after is not None
    assert made.hi_after - made.lo_after == pytest.approx((made.hi - made.lo) * (made.narrowing or 0))
    assert made.lo_after < made.loss < made.hi_after


def test_points_without_sizes_fall_back_to_twenty_tokens_a_parameter(tmp_path: Path) -> None:
    made = plan.make(gpus.budget(1e20, None, None), advice.find(points=write_points(tmp_path / "runs.csv")))
    assert made.tokens_per_param == pytest.approx(20)
    assert made.sizing.startswith("a rule of thumb; columns n_params and tokens")


def test_sizes_that_vary_on_their_own_are_fitted_together(tmp_path: Path) -> None:
    """Five sizes at each of five budgets, losses from a planted L(N, D): the plan finds its optimum."""
    planted = published.BESIROGLU
    lines = ["compute,loss,n_params,tokens"]
    for compute in 10.0 ** np.arange(17, 19.1, 0.5):
        best, _ = published.optimum(planted)(compute)
        sizes = [(float(n), compute / 6 / n) for n in best * np.array([0.25, 0.5, 1, 2, 4])]
        lines += [f"{compute},{planted.loss(n, d)},{n},{d}" for n, d in sizes]
    (tmp_path / "runs.csv").write_text("\n".join(lines))
    made = plan.make(gpus.budget(1e21, None, None), advice.find(points=tmp_path / "runs.csv"))
    n, d = published.optimum(planted)(1e21)
    assert made.n_params == pytest.approx(n, rel=0.25)
    assert made.tokens * made.n_params == pytest.approx(n * d)
    assert made.lo < planted.loss(n, d) < made.hi
    assert made.loss == pytest.approx(planted.loss(n, d), rel=0.02)
    assert (made.spend, made.buy) == (None, [])
    assert "optimum" in made.sizing


def test_what_small_runs_cost_in_money(tmp_path: Path) -> None:
    money = gpus.budget(None, 100, "A100")
    made = plan.make(money, advice.find(points=write_points(tmp_path / "runs.csv")), price=2.0)
    assert made.usd == pytest.approx(200)
    assert made.buy
    assert made.buy_usd == pytest.approx(200 * (made.cost or 0) / money.flops)


def test_a_plan_from_a_ladder_follows_its_rule(chain: Chain) -> None:
    made = plan.make(gpus.budget(1e9, None, None), advice.find(ladder=chain.root / "ladder"))
    model = RULE.model(1e9)
    assert made.n_params == model.n_params
    assert made.tokens == pytest.approx(1e9 / model.flops_per_token())
    assert made.shape == f"{model.n_layers} layers, width {model.d_model}"
    assert made.unit == "bits/byte"
    assert made.largest == pytest.approx(BUDGETS[-1])
    assert 12 <= made.train_bytes / made.n_params <= 16
    assert made.lo < made.loss < made.hi


def test_beyond_the_rules_widths_only_its_ratio_is_used(chain: Chain) -> None:
    made = plan.make(gpus.budget(1e24, None, None), advice.find(ladder=chain.root / "ladder"), spend=1e9)
    assert made.shape is None
    assert made.tokens_per_param == pytest.approx(RULE.tokens_per_param)


def test_a_target_close_above_the_rungs_leaves_no_room_for_small_runs(tmp_path: Path) -> None:
    points = write_points(tmp_path / "runs.csv", rungs=3)
    made = plan.make(gpus.budget(1.1e17, None, None), advice.find(points=points), spend=1e10)
    assert made.buy == []
    assert made.cost == 0


# ---- the verb -------------------------------------------------------------------------------------------------------


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = cli.main(["plan", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_text_of_a_plan(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = call(capsys, "--gpu-hours", 1000, "--gpu", "H100", "--law", "chinchilla", "--price", 2.5)
    assert code == 0
    lines = out.splitlines()
    assert lines[0] == "budget      1.42e+21 FLOPs: 1,000 h of H100 SXM at 40% of 989 TFLOP/s bf16"
    assert lines[1] == "cost        2,500 USD at 2.50 an hour, the target run alone"
    assert lines[2] == "train       2.14 billion parameters on 111 billion tokens"
    assert "2.295 nats/token, 90% interval 1.38 to 3.219" in out
    assert "buy next" not in out
    assert all(line.startswith("presage: ") for line in err.splitlines())
    assert "USD" not in call(capsys, "--flops", 1e21)[1]


def test_text_and_json_of_a_plan_from_points_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = write_points(tmp_path / "runs.csv", ",n_params,tokens")
    code, out, _ = call(capsys, "--flops", 1e20, "--points", points)
    assert code == 0
    made: dict[str, Any] = json.loads(call(capsys, "--flops", 1e20, "--points", points, "--json")[1])
    assert f"{made['loss']:.4g} {made['unit']}" in out
    assert "small runs for at most 1e+19 FLOPs, 0.1 of the target:" in out
    assert len(made["buy"]) >= 1
    for row in made["buy"]:
        assert f"{row['runs']:>4} {row['compute']:>11.3g}" in out
    assert f"{made['lo_after']:.4g} to {made['hi_after']:.4g}, {made['narrowing']:.0%} of its width" in out


def test_nothing_worth_buying_is_said_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    points = write_points(tmp_path / "runs.csv")
    code, out, _ = call(capsys, "--flops", 1e20, "--points", points, "--spend", 1e10)
    assert code == 0
    assert "no set of small runs within 1e+10 FLOPs" in out
    assert "narrows the interval by more than 5 %" in out


GPU = ["--gpu-hours", "10", "--gpu", "H100"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give either --flops or --gpu-hours"),
        (["--flops", "1e21", *GPU], "give either --flops or --gpu-hours"),
        (["--flops", "1e21", "--gpu", "H100"], "--gpu-hours and --gpu go together"),
        (["--gpu", "H100"], "give either --flops or --gpu-hours"),
        (["--gpu-hours", "10"], "--gpu-hours and --gpu go together"),
        (["--gpu-hours", "10", "--gpu", "H10"], "no accelerator 'H10' (did you mean"),
        (["--gpu-hours", "10", "--gpu", "abacus"], "no accelerator 'abacus' (known: A10,"),
        (["--gpu-hours", "-1", "--gpu", "H100"], "--gpu-hours: -1.0 is not a positive number"),
        (["--gpu-hours", "nan", "--gpu", "H100"], "--gpu-hours: nan is not a positive number"),
        (["--flops", "0"], "--flops: 0.0 is not a positive number"),
        (["--flops", "inf"], "--flops: inf is not a positive number"),
        (["--flops", "1e-9"], "1e-09 FLOPs are no training run"),
        (["--flops", "1e99"], "1e+99 FLOPs are no training run"),
        (["--flops", "many"], "many"),
        ([*GPU, "--mfu", "0"], "--mfu: 0.0 is not a share of the peak"),
        ([*GPU, "--mfu", "40"], "--mfu: 40.0 is not a share of the peak"),
        ([*GPU, "--mfu", "nan"], "--mfu: nan is not a share of the peak"),
        ([*GPU, "--price", "-2"], "--price: -2.0 is not a price"),
        ([*GPU, "--price", "nan"], "--price: nan is not a price"),
        (["--flops", "1e21", "--price", "2"], "--price: a price an hour needs --gpu-hours"),
        (["--flops", "1e21", "--level", "90"], "--level: 90.0 is not between 0 and 1"),
        (["--flops", "1e21", "--law", "chinchila"], "--law: no published law 'chinchila' (did you mean 'chinchilla'?)"),
        (["--flops", "1e21", "--law", "kaplan", "--points", "a.csv"], "give one of --ladder, --points and --law"),
        (["--flops", "1e21", "--law", "kaplan", "--spend", "1e20"], "--spend: nothing tells what more runs are worth"),
        (["--flops", "1e20", "--points", "{points}", "--spend", "-1"], "--spend: -1.0 FLOPs cannot be spent"),
        (["--flops", "1e20", "--points", "none.csv"], "none.csv: cannot be read"),
        (
            ["--flops", "1e18", "--points", "{points}"],
            "the target, 1e+18 FLOPs, is not above the largest rung, 3.16e+18",
        ),
        (["--flops", "1e20", "--ladder", "{folder}"], "not a run directory"),
        (["--flops", "1e20", "--ladder", "nowhere"], "nowhere: not a run directory"),
    ],
)
def test_bad_input_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    points = write_points(tmp_path / "runs.csv")
    code, out, err = call(capsys, *(text.format(points=points, folder=tmp_path) for text in arguments))
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(("size", "said"), [("big,1e9", "n_params: 'big' is not a number"), ("1e9,-1", "tokens: -1")])
def test_sizes_that_are_none_are_named_by_line(tmp_path: Path, size: str, said: str) -> None:
    path = write_points(tmp_path / "runs.csv", ",n_params,tokens")
    path.write_text(path.read_text() + f"1e19,2.0,{size}\n")
    with pytest.raises(DataError, match=f"runs.csv:20: {said}"):
        advice.find(points=path)


def test_another_stages_run_is_no_ladder(chain: Chain) -> None:
    with pytest.raises(Exception, match="a 'shards' run, but a 'ladder' run is needed"):
        advice.find(ladder=chain.root / "shards")


def test_errors_are_of_the_tree() -> None:
    with pytest.raises(ConfigError):
        gpus.budget(None, None, None)
    with pytest.raises(BudgetError):
        gpus.budget(1.0, None, None)
