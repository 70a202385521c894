"""A whole chain on tiny runs: corpus, tokenizer, shards, ladder, forecast, target, score."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from presage.core.device import Device
from presage.core.run import RunDir
from presage.forecast import ladder, score, seal
from presage.forecast.scaling import Rule
from presage.train import pretrain
from tests.forecast.lab import make_ledger
from tests.tiny import make_shards

BUDGETS = (1e7, 2e7, 4e7, 8e7)
RULE = Rule(vocab_size=300, context_length=16, n_layers=1, batch_tokens=32, batch_exponent=0, adam_lr_exponent=0)


@dataclass(frozen=True)
class Chain:
    """The folder that holds a run directory for each stage."""

    root: Path

    def seal_config(self, **changes: object) -> seal.Config:
        target = RULE.config(4e8, self.root / "shards", seed=99, device=Device(), eval_tokens=2048)
        places = {"corpus": self.root / "corpus", "tokenizer": self.root / "tokenizer", "ladder": self.root / "ladder"}
        return seal.Config.model_validate(places | {"target": target} | changes)

    def target_config(self, forecast: Path, **changes: object) -> pretrain.Config:
        config = RunDir(self.root / "forecast").config(seal.Config).target
        return config.model_copy(update={"forecast": forecast, **changes})

    def copy(self, to: Path) -> Chain:
        shutil.copytree(self.root, to)
        return Chain(to)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of three forecasts."""
    return make_ledger(tmp_path_factory.mktemp("record"))


@pytest.fixture
def ledger(kept: Path, tmp_path: Path) -> Path:
    """A copy to be changed."""
    copy = tmp_path / "ledger.jsonl"
    copy.write_bytes(kept.read_bytes())
    return copy


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    root = tmp_path_factory.mktemp("chain") / "demo"
    made = Chain(root)
    make_shards(root)
    rungs = ladder.Config(
        shards=root / "shards", rule=RULE, budgets=BUDGETS, repeats=(2,), device=Device(), jobs=1, eval_tokens=2048
    )
    ladder.run(rungs, root / "ladder")
    seal.run(made.seal_config(), root / "forecast")
    pretrain.run(made.target_config(root / "forecast"), root / "target")
    score.run(score.Config(forecast=root / "forecast", target=root / "target"), root / "score")
    return made
