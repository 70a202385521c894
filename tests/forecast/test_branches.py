"""Decay branches: each is, to the bit, the shorter run of the same recipe; too few checkpoints are said in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage import cli
from presage.core.device import Device
from presage.core.errors import ConfigError, RunError
from presage.core.run import RunDir
from presage.forecast import branches, ladder
from presage.forecast.scaling import Rule
from presage.forecast.sized import read_points
from presage.train import pretrain
from tests.stage import check_stage
from tests.tiny import make_shards, weights

RULE = Rule(vocab_size=300, context_length=16, n_layers=1, batch_tokens=32, batch_exponent=0)
BUDGETS = (1e7, 2e7)


def make_ladder(shards: Path, out: Path, checkpoints: int = 16, **changes: object) -> Path:
    """A ladder of two rungs that keep `checkpoints` each, as its stage leaves it."""
    rule = RULE.model_copy(update=changes)
    config = ladder.Config(shards=shards, rule=rule, budgets=BUDGETS, device=Device(), jobs=1, eval_tokens=512)
    with RunDir.create(out, "ladder", config) as directory:
        rows = []
        for name, budget, rung in ladder.plan(config):
            kept = {"checkpoint_every": rung.tokens // checkpoints, "keep_checkpoints": checkpoints + 1}
            pretrain.run(rung.model_copy(update=kept), out / "rungs" / name)
            rows.append(ladder._row(name, budget, out / "rungs" / name, config))
        directory.table("rungs", rows, ladder.COLUMNS)
        directory.finish()
    return out


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shards(tmp_path_factory.mktemp("runs")).path


@pytest.fixture(scope="module")
def rungs(shards: Path) -> Path:
    return make_ladder(shards, shards.with_name("ladder"))


@pytest.fixture(scope="module")
def made(rungs: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    """The finished run of the proof that the stage keeps its contract."""
    config = branches.Config(ladder=rungs, jobs=1)
    return check_stage(branches, config, tmp_path_factory.mktemp("contract"), kills=1)


def test_the_stage_contract(made: RunDir) -> None:
    assert made.value("branches") == 4
    assert made.problems() == []


def test_a_branch_is_the_shorter_run(rungs: Path, made: RunDir, tmp_path: Path) -> None:
    """Trained from its first token with the branch's schedule, a run ends with the same weights."""
    branch = made.path / "branches" / "c1e+07-0-at-0.4"
    config = RunDir.open(branch).config(pretrain.Config)
    alone = pretrain.run(config.model_copy(update={"branch": None}), tmp_path / "alone")
    assert weights(alone.path) == weights(branch)
    assert alone.value("val/bpb") == RunDir.open(branch).value("val/bpb")
    whole = RunDir.open(rungs / "rungs" / "c1e+07-0").config(pretrain.Config)
    assert config.schedule.decay_tokens / config.tokens == pytest.approx(0.5, abs=0.03)
    assert config.schedule.warmup_tokens == whole.schedule.warmup_tokens


def test_the_table_is_points_of_the_law_of_size_and_tokens(made: RunDir) -> None:
    rows = made.read_table("branches")
    assert [row["name"].partition("-at-")[2] for row in rows] == ["0.4", "0.7", ""] * 2
    assert [float(row["share"]) for row in rows] == pytest.approx([0.4, 0.7, 1.0] * 2, rel=0.25)
    for rung in {row["rung"] for row in rows}:
        same = [row for row in rows if row["rung"] == rung]
        assert len({row["n_params"] for row in same}) == 1
        tokens, compute = [int(row["tokens"]) for row in same], [float(row["compute"]) for row in same]
        assert tokens == sorted(set(tokens))
        assert compute == pytest.approx([compute[-1] * t / tokens[-1] for t in tokens])
    points = read_points(made.path / "tables" / "branches.csv")
    assert len(points) == 6 == made.value("points")
    assert {p.loss for p in points} == {float(row["bpb"]) for row in rows}


def test_a_branch_costs_its_decay(rungs: Path, made: RunDir) -> None:
    rows = made.read_table("branches")
    extra = [float(row["extra"]) for row in rows]
    assert extra == pytest.approx([0.5 * float(r["compute"]) if "-at-" in r["name"] else 0 for r in rows], rel=0.1)
    assert made.value("flops") == sum(extra)
    plan = branches.Config(ladder=rungs).plan()
    assert (plan["branches"], plan["FLOPs"]) == (4, sum(extra))
    assert plan["share of the rungs' FLOPs"] == pytest.approx(0.5 * (0.4 + 0.7), rel=0.25)


def test_some_seeds_of_each_budget(rungs: Path) -> None:
    assert len(branches.plan(branches.Config(ladder=rungs, repeats=1, shares=(0.5,)))) == 2


def test_too_few_checkpoints_are_said_with_what_the_ladder_must_keep(shards: Path, tmp_path: Path) -> None:
    bare = make_ladder(shards, tmp_path / "bare", checkpoints=1)
    with pytest.raises(RunError, match=r"c1e\+07-0: no checkpoints to branch off near .*checkpoints=16, evenly"):
        branches.run(branches.Config(ladder=bare), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_shares_that_meet_in_one_checkpoint_are_refused(rungs: Path) -> None:
    with pytest.raises(RunError, match="a step is 32 tokens here: choose shares further apart"):
        branches.plan(branches.Config(ladder=rungs, shares=(0.5, 0.52)))


def test_a_schedule_that_never_stands_still_has_no_branches(shards: Path, tmp_path: Path) -> None:
    falling = make_ladder(shards, tmp_path / "falling", decay=0.0)
    with pytest.raises(ConfigError, match="no stable phase to branch off"):
        branches.plan(branches.Config(ladder=falling))


@pytest.mark.parametrize("shares", ["0", "1", "0.5,0.5", "0.7,0.4"])
def test_bad_shares_are_one_line(shares: str, rungs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [word for share in shares.split(",") for word in ("--shares", share)]
    out = tmp_path / "out"
    assert cli.main(["forecast", "branches", "--ladder", str(rungs), "--out", str(out), *given]) == 2
    assert "shares must lie between 0 and 1, differ and ascend" in capsys.readouterr().err
    assert not out.exists()
