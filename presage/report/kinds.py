"""What a chain is of, text or images: what its runs are measured by, and the words for it."""

from __future__ import annotations

from typing import NamedTuple

from presage.core.errors import RunError
from presage.report.facts import Sources


class Kind(NamedTuple):
    """stage: of the target; metric: of its results; column: of the ladder's table. As in
    presage.forecast.kinds, which loads torch.

    unit, promised, measured: the same unit in a column, in the headline and where it is said what it is taken on.
    held_out, curves, first, sealed: what is held out, what the learning curves show, which samples stand first in their
    file, and what the seal holds together.
    data: roles that such a chain does not do without; timed: what its trainings write of their time;
    batched: what a batch is counted in.
    """

    stage: str
    metric: str
    column: str
    unit: str
    promised: str
    measured: str
    held_out: str
    curves: str
    first: str
    sealed: str
    data: tuple[str, ...]
    timed: tuple[str, ...]
    batched: str


TEXT = Kind(
    stage="pretrain",
    metric="val/bpb",
    column="bpb",
    unit="bits per byte",
    promised="bits per byte",
    measured="bits per byte on held-out files",
    held_out="files",
    curves="Right: held-out bits per byte, each point a measurement during training. Drawn from `metrics.jsonl` of",
    first="the first ones written, at step {step}",
    sealed="corpus, tokenizer, code",
    data=("corpus", "tokenizer", "shards"),
    timed=("total_seconds", "tokens_per_s", "peak_share", "energy_joules", "energy_method"),
    batched="tokens",
)
IMAGES = Kind(
    stage="vision",
    metric="val/loss",
    column="loss",
    unit="nats per token",
    promised="nats per token of held-out answers",
    measured="nats per token of held-out answers",
    held_out="documents",
    curves="Right: nats per token of held-out answers, measured once in each training, at its end: a point each. "
    "Drawn from `metrics.jsonl` and `result.json` of",
    first="the answers to the first held-out documents, at step {step}, without their images",
    sealed="images, the base if there is one, code",
    data=(),
    timed=("tokens_per_s", "peak_share"),
    batched="rows",
)
SIGNS = {
    "ladder": ("config.json", "config.sight"),
    "forecast": ("forecast.json", "metric"),
    "target": ("config.json", "stage"),
    "score": ("origin.json", "parents.target.stage"),
}
"""Where a run says what it is of: of images with a training that sees, or with the stage or metric of one."""
TEXT_ALONE = ("attempts", "target_attempts", "collapse", "planned")
"""Roles of what is made of a chain of text only."""


def kind_of(s: Sources) -> Kind:
    """What the runs of a report are of; without any that says so, text."""
    return next(iter(_kinds(s).values()), TEXT)


def check_one_kind(s: Sources) -> None:
    """Raises RunError where some runs are of images and others of text: they cannot be of one chain."""
    found = _kinds(s)
    seeing = [role for role, kind in found.items() if kind is IMAGES]
    reading = [role for role, kind in found.items() if kind is TEXT]
    if seeing and reading:
        what = f"{reading[0]} is of text, {seeing[0]} of images: these are not of one chain"
        hint = f"one kind for {', '.join(SIGNS)}; there are {', '.join(TEXT_ALONE)} of text alone"
        raise RunError(what, where=s.runs[reading[0]], hint=hint)


def images(s: Sources) -> list[str]:
    """The roles of the runs of images; a chain of images that is told without them lacks one."""
    given = [role for role, path in s.runs.items() if role.startswith("images.") and path is not None]
    return given or (["images.0"] if kind_of(s) is IMAGES else [])


def _kinds(s: Sources) -> dict[str, Kind]:
    given = [role for role in (*SIGNS, *TEXT_ALONE) if s.runs.get(role) is not None]
    return {role: _kind(s, role) for role in given}


def _kind(s: Sources, role: str) -> Kind:
    sign = s.get(role, *SIGNS[role]) if role in SIGNS else None
    return IMAGES if isinstance(sign, dict) or sign in (IMAGES.stage, IMAGES.metric) else TEXT
