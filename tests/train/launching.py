"""Tiny runs started by torchrun, and what they are compared with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.imports import ROOT
from tests.tiny import rows

STEPS = 12


def launched(count: int, tokens: Path, out: Path, *options: str, restarts: int = 0) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    launcher.append(f"--max-restarts={restarts}")
    command = [sys.executable, *launcher, "-m", "tests.train.ranks", str(tokens), str(out), str(STEPS), *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)


def same_curve(one: Path, other: Path) -> None:
    """Losses, norms and what was held out, to 1e-5; rows of the same steps."""
    pairs = list(zip(rows(one), rows(other), strict=True))
    assert len(pairs) >= STEPS
    for mine, theirs in pairs:
        assert {name for name in mine if name != "noise_scale"} == {name for name in theirs if name != "noise_scale"}
        for name in {"train/loss", "grad_norm", "val/loss", "val/bpb", "step", "tokens", "flops"} & mine.keys():
            assert mine[name] == pytest.approx(theirs[name], abs=1e-5)
