"""A chain of images: what it reads is made by its stage, everything else is planted. No number here was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from presage.core.config import Config, Parent
from presage.core.device import Device
from presage.core.run import RunDir
from presage.forecast import ladder, score
from presage.train import vision
from tests.report.conftest import BUDGETS, TARGET, AnyConfig, Chain, law, rung_loss, write_forecast, write_score
from tests.seeing import VISION, colour_rows, make_images, model, training

UNIT, COUNT = "nats/token", 31_403
DEVICE = Device(peak_flops=1.01e12, matmul={"float32 x 2 threads": 1.3e11})


class Sealed(Config):
    """Stands for a seal's config."""

    ladder: Parent


def build(root: Path, *, seed: int = 0, base: bool = True) -> Chain:
    """Images, ladder, forecast, target and score; a second stage where there is a `base`, else from scratch."""
    rng = np.random.default_rng(seed)
    images = make_images(root, colour_rows() * 3, name="images.0", held_out=0.3)
    whole = training(images.path, **_begun(root / "base", base), device=DEVICE)
    _ladder(root, whole, rng)
    forecast = write_forecast(root, metric="val/loss", unit=UNIT, warnings=["the rungs span few decades"])
    config = whole.model_copy(update={"forecast": root / "forecast", "model": model(), "seed": 7})
    trained(root / "target", config, rng, TARGET, law(TARGET) * 1.004, seal=forecast["seal"])
    write_score(root, score.Config(forecast=root / "forecast", target=root / "target"), forecast, law(TARGET) * 1.004)
    return Chain(root)


def trained(
    path: Path, config: vision.Config, rng: Any, compute: float, loss: float, more: dict[str, float] | None = None,
    **origin: Any,
) -> str:  # fmt: skip
    """A training's run directory: its loss on what is held out is measured once; `more` results."""
    tokens, steps = int(compute / 1e7), 400
    with RunDir.create(path, "vision", config, seed=config.seed, device=DEVICE.model_dump(), **origin) as run:
        for step in range(10, steps + 1, 10):
            share = step / steps
            value = loss * share**-0.11 + float(rng.normal(0, 0.02))
            run.metric(**{"step": step, "tokens": int(tokens * share), "flops": compute * share, "train/loss": value})
        run.timing(step=steps, seconds=1.7, tokens_per_s=2311.0, peak_share=0.19)
        run.result("encoder/share", 0.361, unit="of FLOPs")
        run.result("val/loss", loss, stderr=0.0051, n=COUNT, unit=UNIT)
        counts = {"documents": 8, "too_long": 1, "steps": steps, "rows": 4, "tokens": tokens, "flops": compute}
        for name, number in (counts | {"n_params": 11_211, "skipped_steps": 0} | (more or {})).items():
            run.result(name, number)
        for number in range(2):
            run.sample(step=steps, prompt="User:Colour?Assistant:", completion=f"<b>red</b> #{number}", shown="`blue`")
        return run.finish()


def _begun(path: Path, base: bool) -> dict[str, Any]:
    if not base:
        return {}
    with RunDir.create(path, "pretrain", AnyConfig()) as run:
        run.finish()
    return {"base": path, "model": None, "vision": VISION}


def _ladder(root: Path, whole: vision.Config, rng: Any) -> None:
    rule = None if whole.base else {"vocab_size": 257, "context_length": 64, "n_layers": 1, "tokens_per_param": 0.05}
    config = ladder.Config.parse({"sight": whole, "rule": rule, "budgets": BUDGETS, "device": DEVICE})
    with RunDir.create(root / "ladder", "ladder", config, device=DEVICE.model_dump()) as run:
        rows = []
        for number, budget in enumerate(BUDGETS):
            loss, name = rung_loss(budget) * float(np.exp(rng.normal(0, 0.004))), f"c{number:02}-0"
            one = whole.model_copy(update={"model": model(), "seed": 1_650_123_456 + number})
            digest = trained(run.path / "rungs" / name, one, rng, budget, loss)
            tokens = int(budget / 1e7)
            rows.append({"name": name, "budget": budget, "compute": budget * 0.998, "n_params": 11_211,
                         "n_params_non_embedding": 9_000, "n_layers": 1, "d_model": 16, "n_heads": 2,
                         "context_length": 64, "tokens": tokens, "batch_tokens": 128, "steps": 400, "lr": 0.01,
                         "seed": one.seed, "loss": loss, "fitted": number >= 2, "digest": digest})  # fmt: skip
        run.table("rungs", rows)
        run.finish()
