"""Attempts: the stage keeps its contract, the capability law reads its table, both laws are sealed and scored."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from presage.core.device import Device
from presage.core.errors import ConfigError, SealError
from presage.core.run import RunDir
from presage.data import corpus, shards, tokenizer
from presage.forecast import attempts, ladder, score, seal
from presage.forecast.samples import read_samples
from presage.forecast.scaling import Rule
from presage.forecast.verify import verify
from presage.train import pretrain
from tests.forecast.conftest import BUDGETS, Chain
from tests.stage import check_stage
from tests.tiny import write_texts

RULE = Rule(vocab_size=400, context_length=128, n_layers=1, batch_tokens=128, batch_exponent=0, adam_lr_exponent=0)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a ladder of two rungs that have seen microcode."""
    root = tmp_path_factory.mktemp("small")
    texts = corpus.Source(name="mine", paths=(str(write_texts(root / "texts")),))
    tasks = corpus.Source(name="microcode", kind="microcode", share=0.5)
    corpus.run(corpus.Config(sources=(texts, tasks), val_fraction=0.2), root / "corpus")
    tokenizer.run(tokenizer.Config(corpus=root / "corpus", vocab_size=400), root / "tokenizer")
    shards.run(shards.Config(corpus=root / "corpus", tokenizer=root / "tokenizer"), root / "shards")
    rungs = ladder.Config(
        shards=root / "shards", rule=RULE, budgets=(2e8, 4e8), repeats=(2,), device=Device(), jobs=1, eval_tokens=512
    )
    ladder.run(rungs, root / "ladder")
    return root


def config(root: Path, **changes: object) -> attempts.Config:
    few = {"problems": 5, "samples": 4, "levels": (1,), "runs_per_budget": 1}
    return attempts.Config.model_validate({"ladder": root / "ladder"} | few | changes)


def test_generated_documents_are_trained_on_and_never_held_out(small: Path) -> None:
    run = RunDir.open(small / "corpus")
    rows = {row["source"]: row for row in run.read_table("sources")}
    assert int(rows["microcode"]["val/documents"]) == 0
    share = int(rows["microcode"]["train/bytes"]) / run.value("train/bytes")
    assert share == pytest.approx(0.5, abs=0.02)


def test_the_stage_contract(small: Path, tmp_path: Path) -> None:
    run = check_stage(attempts, config(small), tmp_path, kills=1)
    assert run.value("models") == 2
    assert run.value("samples") == 2 * 2 * 5 * 4
    samples = read_samples(run.path / "tables" / "samples.csv")
    assert {s.split for s in samples} == {"bucket", "fit"}
    assert {s.compute for s in samples} == {2e8, 4e8}
    assert all(s.nll is not None and 0 < s.nll < 200 for s in samples)
    assert all(0 <= s.passed <= s.n == 4 for s in samples)
    assert len(run.read_table("attempts")) == 2 * 5


def test_a_single_run_is_sampled_to_score(small: Path, tmp_path: Path) -> None:
    rung = next((small / "ladder" / "rungs").iterdir())
    run = attempts.run(config(small, ladder=None, run=rung), tmp_path / "out")
    assert {row["split"] for row in run.read_table("samples")} == {"fit"}
    assert run.origin["parents"]["run"]["digest"] == RunDir.open(rung).digest


def test_a_context_that_is_too_short_is_said(chain: Chain, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the models' context is 16"):
        attempts.run(config(chain.root), tmp_path / "out")


def test_a_ladder_or_a_run() -> None:
    with pytest.raises(ConfigError, match="either a ladder or a run"):
        attempts.Config.parse({})


# ---- both laws, sealed and scored -----------------------------------------------------------------------------------

PROBLEMS = 20
K, TOP = 0.3, 2.5


def graded(compute: float, split: str, chance: np.random.Generator) -> list[dict[str, object]]:
    """Attempts of a model whose mean -log p follows a power of compute."""
    mean = TOP * (compute / BUDGETS[0]) ** -K
    scale = np.linspace(0.6, 1.4, PROBLEMS)
    return [
        {"problem": f"p{i}", "difficulty": 1, "compute": compute, "run": "r", "split": split, "n": 200}
        | {"passed": int(chance.binomial(200, math.exp(-mean * scale[i]))), "nll": mean * scale[i]}
        for i in range(PROBLEMS)
    ]


def attempted(out: Path, config: attempts.Config, rows: list[dict[str, object]]) -> Path:
    with RunDir.create(out, "attempts", config, seed=0) as directory:
        directory.table("samples", rows, attempts.COLUMNS)
        directory.finish()
    return out


@pytest.fixture
def able(chain: Chain, tmp_path: Path) -> Chain:
    """The tiny chain up to its target, with a forecast of both laws on planted attempts."""
    copy = chain.copy(tmp_path / "demo")
    root, chance = copy.root, np.random.default_rng(0)
    for name in ("forecast", "target", "score"):
        shutil.rmtree(root / name)
    rows = [row for c in BUDGETS for split in ("bucket", "fit") for row in graded(c, split, chance)]
    attempted(root / "attempts", attempts.Config(ladder=root / "ladder"), rows)
    seal.run(copy.seal_config(attempts=root / "attempts"), root / "forecast")
    pretrain.run(copy.target_config(root / "forecast"), root / "target")
    flops = float(RunDir.open(root / "target").value("flops"))
    attempted(root / "target-attempts", attempts.Config(run=root / "target"), graded(flops, "fit", chance))
    return copy


def scored(chain: Chain) -> RunDir:
    places = {"forecast": chain.root / "forecast", "target": chain.root / "target"}
    made = score.Config.model_validate(places | {"attempts": chain.root / "target-attempts"})
    return score.run(made, chain.root / "score")


def test_both_laws_are_sealed_and_scored(able: Chain) -> None:
    forecast = RunDir.open(able.root / "forecast").read_json("forecast.json")
    overall = forecast["capability"]["laws"][0]
    ratio = forecast["target"]["compute"] / BUDGETS[0]
    assert overall["lo"] < TOP * ratio**-K < overall["hi"]
    results = scored(able).results()
    assert results["capability/all/promised"]["value"] == overall["value"]
    assert results["capability/all/inside"]["value"] == 1
    actual = results["capability/all/actual"]["value"]
    assert actual == pytest.approx(TOP * ratio**-K, rel=0.1)
    assert results["capability/all/pass_rate"]["value"] == pytest.approx(math.exp(-actual))
    assert verify(able.root) == []


def test_changed_attempts_are_named(able: Chain) -> None:
    table = able.root / "attempts" / "tables" / "samples.csv"
    table.write_text(table.read_text().replace(",200,", ",201,", 1))
    assert any("samples.csv" in file for file, _ in verify(able.root))


def test_a_target_examined_otherwise_is_refused(able: Chain) -> None:
    shutil.rmtree(able.root / "target-attempts")
    other = attempts.Config(run=able.root / "target", temperature=0.5)
    attempted(able.root / "target-attempts", other, graded(4e8, "fit", np.random.default_rng(1)))
    with pytest.raises(SealError, match="with other problems or settings"):
        scored(able)


def test_attempts_of_another_run_are_refused(able: Chain) -> None:
    shutil.rmtree(able.root / "target-attempts")
    rung = next((able.root / "ladder" / "rungs").iterdir())
    other = attempts.Config(run=rung)
    attempted(able.root / "target-attempts", other, graded(4e8, "fit", np.random.default_rng(1)))
    with pytest.raises(SealError, match="not this target's attempts"):
        scored(able)


def test_attempts_that_allow_no_law_leave_the_loss_promised(chain: Chain, tmp_path: Path) -> None:
    copy = chain.copy(tmp_path / "demo")
    chance = np.random.default_rng(0)
    rows = [row | {"passed": 0} for c in BUDGETS for split in ("bucket", "fit") for row in graded(c, split, chance)]
    attempted(copy.root / "attempts", attempts.Config(ladder=copy.root / "ladder"), rows)
    sealed = seal.run(copy.seal_config(attempts=copy.root / "attempts", target_run="../new"), tmp_path / "demo" / "f2")
    forecast = json.loads((sealed.path / "forecast.json").read_text())
    assert forecast["capability"] is None
    assert any("no pass rate is promised" in text for text in forecast["warnings"])
