"""What can be forecast: runs of text and runs that see, and what of each is promised."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from presage.core.look import whole
from presage.core.run import RunDir
from presage.train import pretrain, vision

Training = pretrain.Config | vision.Config
"""The whole config of a rung, or of a target."""


class Size(NamedTuple):
    """What a training comes to: parameters, tokens (those of images among them), FLOPs (their encoder's among them)."""

    n_params: int
    tokens: int
    flops: float


class Kind(NamedTuple):
    """A stage whose runs are forecast. metric: of its results; column: of a ladder's table."""

    stage: str
    metric: str
    column: str
    unit: str
    train: Callable[..., RunDir]
    size: Callable[[Any], Size]


def _of_text(config: pretrain.Config) -> Size:
    return Size(config.model.n_params, config.tokens, float(config.model.flops_per_token() * config.tokens))


def _of_images(config: vision.Config) -> Size:
    extent, model = vision.extent_and_shape(config)
    return Size(model.n_params, extent.tokens(config), float(extent.flops(config, model)))


TEXT = Kind("pretrain", "val/bpb", "bpb", "bits/byte", pretrain.run, _of_text)
IMAGES = Kind("vision", "val/loss", "loss", "nats/token", vision.run, _of_images)


def kind_of(config: Training) -> Kind:
    """Text where it is no training on images."""
    return IMAGES if isinstance(config, vision.Config) else TEXT


def config_of(run: RunDir) -> Training:
    """The config that a run of one of them was made with."""
    return run.config(vision.Config) if run.stage == IMAGES.stage else run.config(pretrain.Config)


BRANCH = "branch.run"
"""What a run may have to itself: no rung begins with another's checkpoint."""


def opened(path: Path) -> RunDir:
    """A finished run of any stage, without damage."""
    return whole(path, RunDir.open(path).stage)


def data_of(config: Training) -> dict[str, Path]:
    """{role: run} of what is trained on, and of what is begun with."""
    return {role: path for role, path in config.parents().items() if role != "forecast"}
