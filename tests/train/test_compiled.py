"""Training with compiled blocks: the same curve, the same bits again, and one line where there is no compiler."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from presage.core.errors import ConfigError, Unavailable
from presage.train import pretrain
from presage.train.schedule import BatchRamp
from tests.tiny import CONTEXT, STEP_TOKENS, outcome, rows, tiny_run
from tests.train.test_resume import Killed, interrupted

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here to compile with")


@needs_compiler
def test_the_curve_is_that_of_blocks_that_are_not_compiled(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And resuming is exact, wherever it was killed: at a small batch of a ramp, near the odd last one, after it."""
    ramp = BatchRamp(start_tokens=3 * CONTEXT, ramp_tokens=6 * STEP_TOKENS)
    config = tiny_run(tokens, micro_batch=4, ramp=ramp, samples=1)
    config = config.model_copy(update={"tokens": 9 * STEP_TOKENS + 5 * CONTEXT})
    made = config.model_copy(update={"compile": True})
    torch.compiler.reset()
    torch._dynamo.utils.counters.clear()
    whole = pretrain.run(made, tmp_path / "compiled")
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert graphs == 2, "the compiler's trial and one for blocks, none for other shapes"
    plain = pretrain.run(config, tmp_path / "plain")
    losses = [[row["train/loss"] for row in rows(run.path) if "train/loss" in row] for run in (whole, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert losses[0] != losses[1], "something else computed them"
    assert whole.value("val/bpb") == pytest.approx(plain.value("val/bpb"), rel=1e-5)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(pretrain, "_write_results", killed)
        interrupted(made, tmp_path / "again", patch, [2, 7])
    again = pretrain.run(made, tmp_path / "again", resume=True)
    assert outcome(again.path) == outcome(whole.path)


def killed(*_: object) -> None:
    raise Killed


def test_of_a_model_that_is_shared_nothing_is_compiled(tokens: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not compiled"):
        pretrain.run(tiny_run(tokens).model_copy(update={"compile": True}), tmp_path / "run", sharded=True)


def test_without_a_compiler_it_says_so(tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> object:
        raise RuntimeError("No working C++ compiler found\nand much more")

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(
        Unavailable, match=r"torch.compile does not work here: No working C\+\+ compiler found \("
    ) as caught:
        pretrain.run(tiny_run(tokens).model_copy(update={"compile": True}), tmp_path / "run")
    assert "compile=true" in str(caught.value.hint) and caught.value.exit_code == 3
