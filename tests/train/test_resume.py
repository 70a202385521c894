"""However a run was interrupted, it ends with the files of one that was not: to the bit, on a CPU."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presage.core.device import Device
from presage.core.errors import RunError, Stopped
from presage.core.run import RunDir
from presage.data.loader import Loader, Tokens
from presage.train import pretrain
from presage.train import state as states
from presage.train.loop import stop_signals
from presage.train.optim import Optimizer
from presage.train.pretrain import Branch
from presage.train.schedule import BatchRamp, ScheduleConfig
from tests.imports import ROOT
from tests.tiny import CONTEXT, STEP_TOKENS, newest_checkpoint, outcome, rows, tiny_model, tiny_run, weights

DTYPES = ["float32", "bfloat16"]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in presage may catch it."""


def kill_at_update(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Die within the `number`-th update, some parameters changed and others not."""
    adam, calls = Optimizer._adam, []

    def deadly(self: Optimizer, factor: float, count: int) -> None:
        calls.append(count)
        if len(calls) == number:
            raise Killed
        adam(self, factor, count)

    monkeypatch.setattr(Optimizer, "_adam", deadly)


def interrupted(
    config: pretrain.Config, out: Path, monkeypatch: pytest.MonkeyPatch, updates: list[int], ending: str = ""
) -> RunDir:
    """Run, killed after so many updates of each attempt, until it is through."""
    for number in updates:
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at_update(patch, number)
            pretrain.run(config, out, resume=out.exists())
        with open(out / "metrics.jsonl", "a") as file:
            file.write(ending)
    return pretrain.run(config, out, resume=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("optim", [{"kind": "muon"}, {"kind": "adamw", "lr": 0.01}])
def test_killed_and_resumed_to_the_bit(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: Any, optim: dict[str, Any]
) -> None:
    changes = {
        "device": Device(dtype=dtype),
        "optim": optim,
        "micro_batch": 3,
        "eval_every": 4 * STEP_TOKENS,
        "ramp": BatchRamp(start_tokens=3 * CONTEXT, ramp_tokens=6 * STEP_TOKENS),
        "schedule": ScheduleConfig(warmup_tokens=3 * STEP_TOKENS, decay_tokens=5 * STEP_TOKENS),
        "model": tiny_model(n_layers=2, dropout=0.1),
    }
    config = tiny_run(tokens, 14, **changes)
    whole = pretrain.run(config, tmp_path / "whole")
    broken = interrupted(config, tmp_path / "broken", monkeypatch, [2, 9, 5, 1], '{"step": 1, "tok')
    assert weights(broken.path) == weights(whole.path)
    assert rows(broken.path) == rows(whole.path)
    assert (broken.path / "metrics.jsonl").read_bytes() == (whole.path / "metrics.jsonl").read_bytes()
    assert outcome(broken.path) == outcome(whole.path)
    assert any("val/bpb" in row for row in rows(whole.path)[:-1])
    assert any("noise_scale" in row for row in rows(whole.path))


def test_the_precisions_differ(tokens: Path, tmp_path: Path) -> None:
    """Or the test above would compare one thing twice."""
    runs = [pretrain.run(tiny_run(tokens, 2, device=Device(dtype=d)), tmp_path / d) for d in DTYPES]  # type: ignore[arg-type]
    assert weights(runs[0].path) != weights(runs[1].path)


@pytest.mark.parametrize("moment", ["begun", "written", "named", "pruning"])
def test_killed_while_saving(tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """At each point of the second save: nothing, everything but the name, the name, half of the old one gone."""
    config = tiny_run(tokens, keep_checkpoints=1)
    whole, folder = pretrain.run(config, tmp_path / "whole"), tmp_path / "broken" / "checkpoints"
    owner, name = {
        "begun": (states, "save_tensors"),
        "written": (states, "_sync"),
        "named": (states, "prune"),
        "pruning": (states.shutil, "rmtree"),
    }[moment]
    action: Callable[..., Any] = getattr(owner, name)

    def deadly(*arguments: Any, **named: Any) -> Any:
        second = folder / ("00000006" if moment in ("named", "pruning") else "00000006.tmp")
        if second.exists():
            if moment == "begun":
                Path(arguments[0]).write_bytes(b"half")
            if moment == "pruning":
                (Path(arguments[0]) / "MANIFEST").unlink()
            raise Killed
        return action(*arguments, **named)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, name, deadly)
        pretrain.run(config, tmp_path / "broken")
    found = [int(checkpoint.name) for checkpoint in states.checkpoints(tmp_path / "broken")]
    assert found == {"begun": [3], "written": [3], "named": [3, 6], "pruning": [6]}[moment]
    pretrain.run(config, tmp_path / "broken", resume=True)
    assert outcome(tmp_path / "broken") == outcome(whole.path)


def test_damaged_and_resumed(tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny_run(tokens)
    whole = pretrain.run(config, tmp_path / "whole")
    out = tmp_path / "broken"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at_update(patch, 11)
        pretrain.run(config, out)
    path = newest_checkpoint(out) / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 4
    path.write_bytes(content)
    pretrain.run(config, out, resume=True)
    assert outcome(out) == outcome(whole.path)


# ---- signals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stops", "keep"), [([1], 2), ([4], 1), ([4, 1, 2], 2), ([6], 2), ([12], 2)])
def test_stopped_by_a_signal(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stops: list[int], keep: int
) -> None:
    """Saved at the end of the step, between two checkpoints or at one; the end is that of a run never stopped."""
    config = tiny_run(tokens, keep_checkpoints=keep)
    whole = pretrain.run(config, tmp_path / "whole")
    out, done = tmp_path / "stopped", 0
    for steps in stops:
        done += steps
        with monkeypatch.context() as patch:
            _signal_at_update(patch, steps)
            if done < 12:
                with pytest.raises(Stopped, match=rf"at step {done}, saved.*--resume") as caught:
                    pretrain.run(config, out, resume=out.exists())
                assert caught.value.exit_code == 4
                assert newest_checkpoint(out).name == f"{done:08d}"
            else:
                pretrain.run(config, out, resume=out.exists())  # there was nothing left to stop
    if done < 12:
        pretrain.run(config, out, resume=True)
    assert outcome(out) == outcome(whole.path)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL or callable(signal.getsignal(signal.SIGTERM))


def test_a_second_signal_ends_at_once() -> None:
    with stop_signals() as received:
        signal.raise_signal(signal.SIGTERM)
        assert received == [signal.SIGTERM]
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def _signal_at_update(patch: pytest.MonkeyPatch, number: int) -> None:
    adam, calls = Optimizer._adam, []

    def signalling(self: Optimizer, factor: float, count: int) -> None:
        calls.append(count)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGTERM)
        adam(self, factor, count)

    patch.setattr(Optimizer, "_adam", signalling)


def test_sigterm_ends_the_command_with_4_at_the_step_it_strikes(tokens: Path, tmp_path: Path) -> None:
    steady = {"schedule": {"kind": "wsd"}, "checkpoint_every": 0}  # rates that do not depend on where the run ends
    config = tiny_run(tokens, 100_000, log_every=1, **steady)
    (tmp_path / "tiny.json").write_text(config.to_json())
    command = [sys.executable, "-m", "presage", "pretrain", "tiny.json", "--out", "run"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True, env=environment)
    limit = time.monotonic() + 600
    while not (tmp_path / "run" / "metrics.jsonl").exists() and child.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    before = len(rows_so_far(tmp_path / "run"))
    child.terminate()
    _, said = child.communicate(timeout=300)
    assert child.returncode == 4, said
    stopped = int(re.search(r"stopped by a signal at step (\d+), saved", said)[1])  # type: ignore[index]
    assert newest_checkpoint(tmp_path / "run").name == f"{stopped:08d}"
    assert before <= stopped == len(rows(tmp_path / "run"))
    alone = pretrain.run(tiny_run(tokens, stopped, **steady), tmp_path / "alone")
    assert weights(tmp_path / "run") == weights(alone.path), "the stopped run stands where an unbroken one stood"


def rows_so_far(run: Path) -> list[dict[str, Any]]:
    return list(RunDir(run).rows())


# ---- branches -------------------------------------------------------------------------------------------------------


def test_a_decay_branch_is_the_run_that_decays(tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stable for 8 steps, then from its checkpoint a decay over 4 more: the weights of 12 steps planned as one run."""
    warm = {"warmup_tokens": 2 * STEP_TOKENS}
    planned = {"schedule": ScheduleConfig(**warm, decay_tokens=4 * STEP_TOKENS)}
    stable = pretrain.run(tiny_run(tokens, 8, schedule=ScheduleConfig(**warm)), tmp_path / "stable")
    one = pretrain.run(tiny_run(tokens, 12, **planned), tmp_path / "one")
    branch = tiny_run(tokens, 12, **planned, branch=Branch(run=stable.path, step=8))
    branched = pretrain.run(branch, tmp_path / "branch")
    assert weights(branched.path) == weights(one.path)
    assert rows(branched.path) == [row for row in rows(one.path) if row["step"] > 8]
    assert branched.origin["parents"]["branch.run"]["digest"] == stable.digest

    out = tmp_path / "broken"
    with monkeypatch.context() as patch, pytest.raises(Killed):
        kill_at_update(patch, 1)
        pretrain.run(branch, out)
    (newest_checkpoint(out) / "model.safetensors").write_bytes(b"")
    pretrain.run(branch, out, resume=True)  # the copy of the branch point is damaged: it is copied again
    assert outcome(out) == outcome(branched.path)
    with pytest.raises(RunError, match="no checkpoint at step 7; steps kept: 6, 8"):
        pretrain.run(branch.model_copy(update={"branch": Branch(run=stable.path, step=7)}), tmp_path / "none")


# ---- batches --------------------------------------------------------------------------------------------------------


def test_a_batch_depends_on_seed_and_number_only(tokens: Path) -> None:
    split = Tokens(tokens).split("train")
    fresh = {n: Loader(split, CONTEXT, seed=5).batch(n, 8) for n in (0, 3, 1000)}
    used = Loader(split, CONTEXT, seed=5)
    for n in (1000, 3, 0, 3):
        x, y = used.batch(n, 8)
        assert (x == fresh[n][0]).all()
        assert (y == fresh[n][1]).all()
        assert (used.batch(n + 2, 4)[0] == x[2:6]).all()
    assert (Loader(split, CONTEXT, seed=6).batch(0, 8)[0] != fresh[0][0]).any()


# ---- many kills -----------------------------------------------------------------------------------------------------


def killing(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.train.killing", *arguments]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)
    return done.stdout


def test_random_kills_in_small() -> None:
    assert re.search(r"^all +8 +\d+ +3 +\d+ +0 ", killing("--runs=2", "--kills=4", "--damaged=3"), re.MULTILINE)


@pytest.mark.slow
def test_fifty_random_kills_change_nothing() -> None:
    """5 runs x 10 SIGKILLs, 15 of them with the newest checkpoint damaged: 0 different final weights."""
    assert re.search(r"^all +50 +\d+ +15 +\d+ +0 ", killing(), re.MULTILINE)


def test_the_folder_of_a_killed_run_is_not_needed_whole(tokens: Path, tmp_path: Path) -> None:
    """Checkpoints deleted by hand: it starts anew and ends the same."""
    config = tiny_run(tokens)
    whole = pretrain.run(config, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        kill_at_update(patch, 7)
        pretrain.run(config, tmp_path / "broken")
    shutil.rmtree(tmp_path / "broken" / "checkpoints")
    pretrain.run(config, tmp_path / "broken", resume=True)
    assert outcome(tmp_path / "broken") == outcome(whole.path)
