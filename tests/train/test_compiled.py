"""Training with compiled blocks: the same curve, the same bits again, and one line where there is no compiler."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from presage.core.errors import Unavailable
from presage.train import pretrain
from tests.tiny import outcome, rows, tiny_run
from tests.train.test_resume import interrupted

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no g++ here to compile with")


@needs_compiler
def test_the_curve_is_that_of_blocks_that_are_not_compiled(tokens: Path, tmp_path: Path) -> None:
    """And the run can be resumed, to the bit."""
    config = tiny_run(tokens, samples=1)
    compiled = config.model_copy(update={"compile": True})
    torch.compiler.reset()
    counters = torch._dynamo.utils.counters
    counters.clear()
    whole = pretrain.run(compiled, tmp_path / "compiled")
    assert counters["stats"]["unique_graphs"] in range(1, 5), "a graph for blocks, none for each other shape"
    plain = pretrain.run(config, tmp_path / "plain")
    losses = [[row["train/loss"] for row in rows(run.path) if "train/loss" in row] for run in (whole, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    assert whole.value("val/bpb") == pytest.approx(plain.value("val/bpb"), rel=1e-5)
    with pytest.MonkeyPatch.context() as patch:
        again = interrupted(compiled, tmp_path / "again", patch, [5])
    assert outcome(again.path) == outcome(whole.path)


def test_without_a_compiler_it_says_so(tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> object:
        raise RuntimeError("No working C++ compiler found\nand much more")

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(
        Unavailable, match=r"torch.compile does not work here: No working C\+\+ compiler found \("
    ) as caught:
        pretrain.run(tiny_run(tokens).model_copy(update={"compile": True}), tmp_path / "run")
    assert "compile=true" in str(caught.value.hint) and caught.value.exit_code == 3
