"""The plan of the next run as a run: by the ladder's rule, from rungs and target, with what a recipe's maker knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.core.config import Config, Parent
from presage.core.errors import BudgetError, ConfigError
from presage.core.look import damage
from presage.core.run import RunDir
from presage.forecast import advice, gpus, plan, planned, seal
from presage.recipes import demo_plan
from tests.forecast.conftest import BUDGETS, Chain
from tests.stage import check_stage

NEXT = 4e9


class Nothing(Config):
    pass


class Foreign(Config):
    shards: Parent


def config(chain: Chain, **changes: object) -> planned.Config:
    return planned.Config.parse({"ladder": chain.root / "ladder", "flops": NEXT} | changes)


def results(run: RunDir) -> dict[str, object]:
    return {name: entry["value"] for name, entry in run.results().items()}


def test_the_stage_contract(chain: Chain, tmp_path: Path) -> None:
    run = check_stage(planned, config(chain, runs=(chain.root / "target",)), tmp_path, kills=1)
    assert damage(run) == []
    assert str(chain.root) not in (run.path / "result.json").read_text(), "no place on this machine"


def test_it_is_the_plan_of_the_command_line(chain: Chain, tmp_path: Path) -> None:
    made = plan.make(gpus.budget(NEXT, None, None), advice.from_ladder(chain.root / "ladder"))
    run = planned.run(config(chain, flops_per_second=1e8), tmp_path / "plan")
    facts = made.as_dict()
    said = results(run)
    assert {name: facts[name] for name in said if name in facts} == {n: v for n, v in said.items() if n in facts}
    assert {"loss", "lo", "hi", "n_params", "tokens", "spend", "largest"} <= said.keys()
    assert said["seconds"] == NEXT / 1e8
    assert [float(row["compute"]) for row in run.read_table("buy")] == [row.compute for row in made.buy]
    assert [row["warning"] for row in run.read_table("warnings")] == made.warnings


def test_the_target_counts_like_a_rung(chain: Chain, tmp_path: Path) -> None:
    alone = planned.run(config(chain), tmp_path / "alone")
    target = RunDir.open(chain.root / "target")
    with_target = planned.run(config(chain, runs=(target.path,)), tmp_path / "with")
    assert alone.value("largest") == max(BUDGETS)
    assert with_target.value("largest") == target.value("flops")
    surprise = (
        target.value("val/bpb") / advice.from_ladder(chain.root / "ladder").expect(target.value("flops"), 0.9).value
    )
    assert (with_target.value("loss") - alone.value("loss")) * (surprise - 1) > 0, "the law follows what came out"


def test_drift_widens_the_interval_and_no_purchase_narrows_it(chain: Chain, tmp_path: Path) -> None:
    steady = planned.run(config(chain, runs=(chain.root / "target",)), tmp_path / "steady")
    drifting = planned.run(config(chain, runs=(chain.root / "target",), drift=0.5), tmp_path / "drifting")
    assert drifting.value("hi") - drifting.value("lo") > 1.5 * (steady.value("hi") - steady.value("lo"))
    assert drifting.value("narrowing") > steady.value("narrowing")


def test_bad_input_is_one_line_and_leaves_no_run(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="is not above the largest rung"):
        planned.run(config(chain, flops=1e8, runs=(chain.root / "target",)), tmp_path / "plan")
    with pytest.raises(ConfigError, match="--gpu-hours and --gpu go together"):
        planned.run(config(chain, flops=None, gpu_hours=1.0), tmp_path / "plan")
    with pytest.raises(ConfigError, match="flops: Input should be greater than 0"):
        config(chain, flops=-1.0)
    with RunDir.create(tmp_path / "tokens", "shards", Nothing()) as tokens:
        tokens.finish()
    with RunDir.create(tmp_path / "foreign", "pretrain", Foreign(shards=tokens.path)) as run:
        run.finish()
    with pytest.raises(ConfigError, match="trained on other tokens than the ladder"):
        planned.run(config(chain, runs=(tmp_path / "foreign",)), tmp_path / "plan")
    assert not (tmp_path / "plan").exists()


def test_the_demo_plans_a_run_of_ten_times_its_target(chain: Chain, tmp_path: Path) -> None:
    sealed = seal.run(chain.seal_config(facts={"target_flops_per_second": 1e8}, drift=0.01), tmp_path / "forecast")
    ladder, target = RunDir.open(chain.root / "ladder"), RunDir.open(chain.root / "target")
    made = demo_plan.next_run(ladder, sealed, target)
    assert (made.drift, made.prior) == (0.01, sealed.config(seal.Config).prior)
    run = planned.run(made, tmp_path / "plan")
    assert run.value("flops") == 10 * target.value("flops") == 10 * run.value("largest")
    assert run.value("seconds") == run.value("flops") / 1e8
