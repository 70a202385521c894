"""fit(): the same update whatever the micro-batch, the same curve as ever, refused updates, the noise scale."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from presage.core.config import Config
from presage.core.device import Device
from presage.core.errors import PresageError
from presage.core.run import RunDir
from presage.core.seeds import stream
from presage.model.losses import naive_cross_entropy
from presage.model.transformer import Transformer, build
from presage.train.loop import GUARD_PATIENCE, GUARD_WINDOW, Batch, Loss, Plan, fit, sound
from presage.train.optim import OptimConfig, Optimizer
from presage.train.pretrain import next_token_loss
from presage.train.schedule import BatchRamp, ScheduleConfig
from presage.train.state import TrainState
from tests.tiny import BATCH, CONTEXT, STEP_TOKENS, rows, tiny_model

CURVE = Path(__file__).with_name("golden_curve.json")


class Nothing(Config):
    """The config of a run that a test writes by hand."""


def made_up(first: int, count: int) -> tuple[Tensor, Tensor]:
    """Sequences that can be learnt: each token is the one before it plus 1, or now and then any."""
    chances = [stream(0, "made up", number) for number in range(first, first + count)]
    steps = np.stack([np.where(c.random(CONTEXT + 1) < 0.8, 1, c.integers(300, size=CONTEXT + 1)) for c in chances])
    tokens = torch.from_numpy(np.cumsum(steps, axis=1) % 300)
    return tokens[:, :-1], tokens[:, 1:]


def train(
    out: Path,
    steps: int,
    *,
    loss: Loss = next_token_loss,
    optim: OptimConfig | None = None,
    batches: Callable[[int, int], Batch] = made_up,
    model: Any = None,
    **changes: Any,
) -> tuple[Transformer, TrainState]:
    model = model or build(tiny_model(n_layers=2), 0)
    plan: dict[str, Any] = {"tokens": steps * STEP_TOKENS, "batch_sequences": BATCH, "micro_batch": BATCH}
    plan |= {"sequence_tokens": CONTEXT, "flops_per_token": 10, "schedule": ScheduleConfig(), "log_every": 1} | changes
    with RunDir.create(out, "toy", Nothing()) as run:
        optimizer = Optimizer(model, optim or OptimConfig())
        return model, fit(model, optimizer, batches, loss, Plan(**plan), run, Device())


def largest_difference(a: nn.Module, b: nn.Module) -> float:
    return max(float((p - q).detach().abs().max()) for p, q in zip(a.parameters(), b.parameters(), strict=True))


# ---- the update -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["muon", "adamw"])
def test_micro_batches_change_nothing(tmp_path: Path, kind: Any) -> None:
    optim = OptimConfig(kind=kind, lr=1e-3, adam_lr=1e-3)
    models = {
        micro: train(tmp_path / str(micro), 2, micro_batch=micro, optim=optim, model=build(tiny_model(init="gpt2"), 0))[
            0
        ]
        for micro in (1, 2, 3, 4, 8, 100)
    }
    whole = models.pop(8)
    assert largest_difference(whole, build(tiny_model(init="gpt2"), 0)) > 1e-3, "something was learnt"
    # Sums taken in another order; Adam's division makes the most of it where a gradient is nearly 0.
    assert {micro for micro, model in models.items() if largest_difference(model, whole) > 1e-5} == set()


def naive_loss(model: Transformer, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, int]:
    x, y = batch
    return naive_cross_entropy(model.hidden(x), model.head.weight, y), y.numel()


@pytest.mark.parametrize("micro", [1, 3, 8])
def test_the_fused_loss_under_micro_batches(tmp_path: Path, micro: int) -> None:
    fused, _ = train(tmp_path / "fused", 4, micro_batch=micro)
    naive, _ = train(tmp_path / "naive", 4, micro_batch=micro, loss=naive_loss)
    assert largest_difference(fused, naive) < 1e-4


def test_every_sequence_is_asked_for_once_and_in_order(tmp_path: Path) -> None:
    asked: list[int] = []

    def batches(first: int, count: int) -> tuple[Tensor, Tensor]:
        asked.extend(range(first, first + count))
        return made_up(first, count)

    ramp = BatchRamp(start_tokens=2 * CONTEXT, ramp_tokens=4 * STEP_TOKENS)
    _, state = train(tmp_path / "run", 7, batches=batches, micro_batch=3, ramp=ramp)
    assert asked == list(range(7 * BATCH))
    assert (state.sequences, state.tokens, state.flops) == (7 * BATCH, 7 * STEP_TOKENS, 70 * STEP_TOKENS)
    sizes = np.diff([0, *(row["tokens"] for row in rows(tmp_path / "run"))]) // CONTEXT
    assert sizes[0] == 2
    assert list(sizes[:-1]) == sorted(sizes[:-1])
    assert max(sizes) == BATCH
    assert state.step == len(sizes) > 7


def test_warm_up_begins_with_a_step_of_nothing(tmp_path: Path) -> None:
    model, _ = train(tmp_path / "run", 1, schedule=ScheduleConfig(warmup_tokens=4 * STEP_TOKENS))
    assert largest_difference(model, build(tiny_model(n_layers=2), 0)) == 0
    assert rows(tmp_path / "run")[0]["lr"] == 0


def test_the_golden_curve(tmp_path: Path) -> None:
    """50 steps in fp32. `python -m tests.train.test_loop` accepts the curve as it is."""
    golden = json.loads(CURVE.read_text())
    assert curve(tmp_path / "run") == pytest.approx(golden, rel=1e-4)
    assert golden[-1] < golden[0] - 1


def curve(out: Path) -> list[float]:
    train(out, 50, schedule=ScheduleConfig(warmup_tokens=5 * STEP_TOKENS, decay_tokens=20 * STEP_TOKENS))
    return [row["train/loss"] for row in rows(out)]


# ---- updates that are refused ---------------------------------------------------------------------------------------


def poisoned(bad: dict[int, float]) -> Callable[[int, int], Batch]:
    """Batches of (x, y, factor of the loss) by the step they belong to."""
    return lambda first, count: (*made_up(first, count), bad.get(first // BATCH, 1.0))


def scaled_loss(model: Transformer, batch: tuple[Tensor, Tensor, float]) -> tuple[Tensor, int]:
    value, n = next_token_loss(model, batch[:2])
    return value * batch[2], n


BAD = {0: math.nan, 3: math.inf, 4: math.nan, 9: -math.inf}


def test_steps_that_are_not_finite_are_skipped_and_counted(tmp_path: Path) -> None:
    model, state = train(tmp_path / "a", 12, batches=poisoned(BAD), loss=scaled_loss)
    assert (state.step, state.updates, state.skipped, state.skipped_in_row) == (12, 8, 4, 0)
    assert all(torch.isfinite(p).all() for p in model.parameters())
    written = rows(tmp_path / "a")
    assert [row["step"] for row in written] == list(range(1, 13))
    assert [row["step"] - 1 for row in written if "train/loss" not in row] == list(BAD), "no number is made up"
    assert (tmp_path / "a" / "log.txt").read_text().count("update skipped") == 4
    again, _ = train(tmp_path / "b", 12, batches=poisoned(BAD), loss=scaled_loss)
    assert largest_difference(model, again) == 0
    assert rows(tmp_path / "b") == written


def test_a_skipped_step_leaves_no_trace_in_the_weights(tmp_path: Path) -> None:
    """The update before it and the one after it are those of a run in which its data never came."""
    with_gap, _ = train(tmp_path / "a", 5, batches=poisoned({2: math.nan}), loss=scaled_loss)

    def without(first: int, count: int) -> tuple[Tensor, Tensor]:
        return made_up(first if first < 2 * BATCH else first + BATCH, count)

    never, _ = train(tmp_path / "b", 4, batches=without)
    assert largest_difference(with_gap, never) == 0


def test_an_exploding_norm_is_skipped(tmp_path: Path) -> None:
    model, state = train(tmp_path / "run", 44, batches=poisoned({2: 1e6, 40: 1e6, 42: 5.0}), loss=scaled_loss)
    assert (state.skipped, state.updates) == (1, 43), "too early to tell at step 2, well within the usual at 42"
    assert max(state.norms[-20:]) < 1e3
    assert "step 41: update skipped" in (tmp_path / "run" / "log.txt").read_text()
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_what_is_learnt_by_heart_does_not_explode() -> None:
    """Gradients next to nothing, and one a thousand times as large that would not even be clipped."""
    state = TrainState(norms=[1e-7] * GUARD_WINDOW)
    assert sound(state, 1e-6, 1e-4, clip=1.0)
    assert not sound(state, 1e-6, 1.1, clip=1.0)
    assert not sound(state, math.nan, 1e-4, clip=1.0)


def test_many_in_a_row_stop_the_run(tmp_path: Path) -> None:
    bad = dict.fromkeys(range(5, 40), math.nan)
    with pytest.raises(PresageError, match=rf"run step {5 + GUARD_PATIENCE}: 8 updates in a row.*lower the learning"):
        train(tmp_path / "run", 40, batches=poisoned(bad), loss=scaled_loss, checkpoint_every=3 * STEP_TOKENS)
    bad = dict.fromkeys(range(5, 5 + GUARD_PATIENCE - 1), math.nan)
    _, state = train(tmp_path / "almost", 14, batches=poisoned(bad), loss=scaled_loss)
    assert state.skipped == GUARD_PATIENCE - 1


# ---- gradient noise scale -------------------------------------------------------------------------------------------


class Slope(nn.Module):
    """loss = sum of w . x: an example's gradient is the example itself."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.config = tiny_model()
        self.w = nn.Parameter(torch.zeros(size))


@pytest.mark.parametrize(("square", "expected"), [(40.0, 100.0), (400.0, 10.0)])
def test_noise_scale_of_a_known_problem(tmp_path: Path, square: float, expected: float) -> None:
    """Gradients G + N(0, 1) in 4000 dimensions: tr(Sigma) / |G|^2 = 4000 / |G|^2 examples."""
    size = 4000
    mean = torch.full((size,), math.sqrt(square / size))

    def batches(first: int, count: int) -> Tensor:
        generator = torch.Generator().manual_seed(first)
        return mean + torch.randn(count, size, generator=generator)

    def loss(model: Any, batch: Tensor) -> tuple[Tensor, int]:
        return (batch @ model.w).sum(), len(batch)

    changes = {"batch_sequences": 64, "micro_batch": 8, "sequence_tokens": 1, "tokens": 60 * 64}
    _, state = train(tmp_path / "run", 0, loss=loss, batches=batches, model=Slope(size), **changes)
    assert state.noise["trace"] == pytest.approx(size, rel=0.1)
    assert state.noise["square"] == pytest.approx(square, rel=0.15)
    assert rows(tmp_path / "run")[-1]["noise_scale"] == pytest.approx(expected, rel=0.2)


def test_no_noise_scale_from_a_single_micro_batch(tmp_path: Path) -> None:
    train(tmp_path / "run", 3)
    assert not any("noise_scale" in row for row in rows(tmp_path / "run"))


if __name__ == "__main__":
    import tempfile

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        CURVE.write_text(json.dumps([round(loss, 7) for loss in curve(Path(folder) / "run")], indent=0) + "\n")
