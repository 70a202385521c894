"""One dial: what follows from a budget, and the ladder made of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presage.core.errors import BudgetError, ConfigError
from presage.core.run import RunDir
from presage.forecast import ladder
from presage.forecast.scaling import Rule
from presage.train.pretrain import Config
from tests.forecast.conftest import BUDGETS, Chain

RULE = Rule(vocab_size=512, context_length=64)
budgets = st.floats(min_value=10.0, max_value=15.0).map(lambda decade: 10.0**decade)


def made(budget: float) -> Config:
    return RULE.config(budget, Path("shards"), seed=0, device=None)


@settings(max_examples=15)
@given(budgets)
def test_a_run_spends_its_budget(budget: float) -> None:
    config = made(budget)
    assert config.tokens * config.model.flops_per_token() == pytest.approx(budget, rel=0.01)
    assert config.tokens % config.model.context_length == 0
    assert config.batch_tokens % config.model.context_length == 0
    assert config.schedule.warmup_tokens + config.schedule.decay_tokens <= config.tokens
    weights = config.model.n_params_non_embedding + 512 * config.model.d_model
    # Widths go in steps of four: from 12 to 16 that is a third more weights and as many fewer tokens.
    assert 1 / 1.4 < config.tokens / weights / RULE.tokens_per_param < 1.4


@settings(max_examples=10)
@given(budgets, st.floats(1.05, 100))
def test_more_compute_means_more_of_everything(budget: float, factor: float) -> None:
    small, large = made(budget), made(budget * factor)
    assert small.model.n_params <= large.model.n_params
    assert small.model.d_model <= large.model.d_model
    assert small.batch_tokens <= large.batch_tokens
    assert small.tokens * small.model.flops_per_token() < large.tokens * large.model.flops_per_token()


def test_exponents_move_the_rates() -> None:
    rule = RULE.model_copy(update={"lr_exponent": -0.5, "adam_lr_exponent": 0.5})
    config = rule.config(1e14, Path("shards"), seed=0, device=None)
    assert config.optim.lr == pytest.approx(RULE.lr / 10)
    assert config.optim.adam_lr == pytest.approx(RULE.adam_lr * 10)


def test_changes_win_over_the_rule() -> None:
    assert RULE.config(1e11, Path("shards"), seed=3, device=None, log_every=7).log_every == 7
    with pytest.raises(ConfigError, match="unknown key 'log_evry'"):
        RULE.config(1e11, Path("shards"), seed=3, device=None, log_evry=7)


def test_too_small_a_budget() -> None:
    with pytest.raises(BudgetError, match=r"1e\+06 FLOPs buy \d+ tokens, fewer than 8 batches"):
        made(1e6)


def test_target_and_rungs() -> None:
    found = ladder.target_and_rungs(1e15, ratio=100, rungs=6, decades=2.5)
    assert len(found) == 6
    assert found[-1] == pytest.approx(1e13)
    assert found[-1] / found[0] == pytest.approx(10**2.5)
    assert list(found) == sorted(found)


@pytest.mark.parametrize("wrong", [(), (2e9, 1e9), (1e9, 1e9), (-1e9, 1e9), (0.0,)])
def test_budgets_ascend(wrong: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="budgets"):
        ladder.Config.parse({"shards": "s", "rule": RULE.model_dump(), "budgets": wrong})


@pytest.mark.parametrize("wrong", [(1, 2), (0,), ()])
def test_repeats_fit_the_budgets(wrong: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="repeats"):
        ladder.Config(shards=Path("s"), rule=RULE, budgets=(1e10, 1e11, 1e12), repeats=wrong).counts()


def test_every_rung_has_its_own_seed_and_name() -> None:
    config = ladder.Config(shards=Path("s"), rule=RULE, budgets=(1e10, 1e11), repeats=(3, 2))
    rungs = ladder.plan(config)
    assert [budget for _, budget, _ in rungs] == [1e10] * 3 + [1e11] * 2
    assert len({name for name, _, _ in rungs}) == len({rung.seed for _, _, rung in rungs}) == 5
    assert rungs == ladder.plan(config)
    again = ladder.plan(config.model_copy(update={"seed": 1}))
    assert not {rung.seed for _, _, rung in rungs} & {rung.seed for _, _, rung in again}


# ---- the table ------------------------------------------------------------------------------------------------------


def test_the_table_says_what_the_rungs_say(chain: Chain) -> None:
    run = RunDir.open(chain.root / "ladder", "ladder")
    table = run.read_table("rungs")
    assert list(table[0]) == ladder.COLUMNS
    assert [float(row["budget"]) for row in table] == [b for b in BUDGETS for _ in range(2)]
    for row in table:
        rung = RunDir.open(run.path / "rungs" / row["name"], "pretrain")
        assert rung.problems() == []
        assert row["digest"] == rung.digest
        assert float(row["bpb"]) == rung.value("val/bpb")
        assert float(row["compute"]) == rung.value("flops") == pytest.approx(float(row["budget"]), rel=0.05)
        assert int(row["seed"]) == rung.config(Config).seed
    means = {float(row["compute"]): float(row["bpb"]) for row in run.read_table("budgets")}
    assert list(means) == list(BUDGETS)
    assert means[BUDGETS[-1]] < means[BUDGETS[0]]
    assert run.value("rungs") == 8
    assert run.value("flops") == sum(float(row["compute"]) for row in table)
