"""Stage: short decay branches off the rungs of a ladder, each one more finished run of known size and tokens.

With a warm-up, stable, decay schedule a run's stable phase is shared by all shorter runs of its recipe (Hu et al. 2024,
MiniCPM; Hägele et al. 2024): from a checkpoint in it, a decay of the rule's own relative length finishes the run that
would have had fewer tokens. A branch to the share q of a rung's tokens costs only its decay, q times the rung's decay
share of its tokens, and gives the ladder a second and third ratio of tokens to size, which L(N, D) cannot be fitted
without. What differs from such a run trained on its own: batch, rates and warm-up are those of the whole rung.
"""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import ConfigError, RunError
from presage.core.run import RunDir
from presage.forecast import ladder
from presage.train import pretrain
from presage.train.state import checkpoints

__all__ = ["Config", "run"]

COLUMNS = ["name", "rung", "share", "n_params", "tokens", "compute", "bpb", "loss", "seed", "extra", "digest"]
NEAR = 0.25  # how far, relative, a checkpoint may lie from the token count that was asked for


class Config(BaseConfig):
    """Branches to each of `shares` of a rung's tokens, off every fitted rung."""

    ladder: Parent
    shares: tuple[float, ...] = Field(default=(0.4, 0.7), min_length=1)
    """Of the rung's tokens at the branch's end; equally, of its stable phase at the branch's start."""
    repeats: int = Field(default=0, ge=0)
    """Branch off the first so many seeds of each budget; 0: off all."""
    jobs: int = Field(default=0, ge=0)
    """Branches trained side by side, one thread each; 0: one per core."""

    @field_validator("shares")
    @classmethod
    def _between(cls, shares: tuple[float, ...]) -> tuple[float, ...]:
        if not all(0 < share < 1 for share in shares) or list(shares) != sorted(set(shares)):
            raise ValueError("shares must lie between 0 and 1, differ and ascend")
        return shares

    def plan(self) -> dict[str, object]:
        """Branches and what they cost, for --dry-run."""
        branches = plan(self)
        whole = sum(float(row["compute"]) for row in _rungs(self))
        cost = sum(extra for _, extra, _ in branches)
        return {"branches": len(branches), "FLOPs": cost, "share of the rungs' FLOPs": round(cost / whole, 3)}


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Train every branch, then write tables/branches.csv: branches and whole rungs (share 1), points of L(N, D)."""
    planned = plan(config)
    source = RunDir.open(config.ladder, "ladder").config(ladder.Config)
    directory = RunDir.create(out, "branches", config, seed=source.seed, resume=resume)
    with directory:
        folder = directory.path / "branches"
        ladder.train_all(planned, folder, source.model_copy(update={"jobs": config.jobs}), "branches")
        made = {name: _row(name, extra, folder / name) for name, extra, _ in planned}
        rows = [row for rung in _rungs(config) for row in _of_rung(rung, made)]
        directory.table("branches", rows, COLUMNS)
        directory.result("branches", len(planned), unit="runs")
        directory.result("points", len(rows))
        directory.result("flops", sum(extra for _, extra, _ in planned), unit="FLOPs")
        directory.finish()
    return directory


def plan(config: Config) -> list[tuple[str, float, pretrain.Config]]:
    """(name, FLOPs beyond the branch point, full config) of every branch.

    Raises ConfigError when a rung's schedule has no stable phase, RunError when it keeps no checkpoint where a branch
    should begin.
    """
    source = RunDir.open(config.ladder, "ladder").path
    return [branch for row in _rungs(config) for branch in _off(source / "rungs" / row["name"], config.shares)]


def _rungs(config: Config) -> list[dict[str, str]]:
    return ladder.fitted_rungs(config.ladder, config.repeats or None)


def _off(rung: Path, shares: tuple[float, ...]) -> list[tuple[str, float, pretrain.Config]]:
    """The branches off one rung: each from its checkpoint, with a decay of the rule's relative length."""
    whole = RunDir.open(rung, "pretrain").config(pretrain.Config)
    stable = whole.tokens - whole.schedule.decay_tokens
    if whole.schedule.kind != "wsd" or not 0 < stable < whole.tokens:
        raise ConfigError("the schedule has no stable phase to branch off", where=rung, hint="use kind 'wsd'")
    found = {_tokens(folder): int(folder.name) for folder in checkpoints(rung)}
    starts = [_nearest(share * stable, [t for t in found if t <= stable]) for share in shares]
    if 0 in starts or len(set(starts)) < len(starts):
        raise _too_few(rung, whole, shares, sorted(found))
    branches = []
    for share, start in zip(shares, starts, strict=True):
        length = whole.model.context_length
        tokens = round(start * whole.tokens / stable / length) * length
        changes = {
            "tokens": tokens,
            "schedule": whole.schedule.model_copy(update={"decay_tokens": tokens - start}),
            "branch": pretrain.Branch(run=rung, step=found[start]),
            "checkpoint_every": 0,
            "keep_checkpoints": 1,
        }
        extra = (tokens - start) * whole.model.flops_per_token()
        branches.append((f"{rung.name}-at-{share:g}", float(extra), whole.model_copy(update=changes)))
    return branches


def _nearest(wanted: float, tokens: list[int]) -> int:
    """The token count nearest to `wanted`; 0 when none is near."""
    nearest = min(tokens, key=lambda t: abs(t - wanted), default=0)
    return nearest if abs(nearest - wanted) <= NEAR * wanted else 0


def _too_few(rung: Path, whole: pretrain.Config, shares: tuple[float, ...], kept: list[int]) -> RunError:
    """Says what was needed, what is there, and what the ladder's rungs must be told to keep."""
    stable = whole.tokens - whole.schedule.decay_tokens
    wanted = ", ".join(f"{share * stable:,.0f}" for share in shares)
    gap = min([2 * NEAR * shares[0], *(b - a for a, b in pairwise(shares))]) * stable
    count = math.ceil(whole.tokens / max(gap - whole.batch_tokens, whole.batch_tokens))
    hint = f"the ladder must keep them: checkpoints={count}, evenly spaced over each rung"
    if gap < whole.batch_tokens:
        hint = f"a step is {whole.batch_tokens:,} tokens here: choose shares further apart, or larger rungs"
    return RunError(
        f"no checkpoints to branch off near {wanted} tokens; kept at {', '.join(f'{t:,}' for t in kept) or 'none'}",
        where=rung,
        hint=hint,
    )


def _tokens(folder: Path) -> int:
    return int(json.loads((folder / "state.json").read_text())["tokens"])


def _of_rung(rung: dict[str, str], made: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The rung's branches and itself."""
    same = ("name", "n_params", "tokens", "compute", "bpb", "loss", "seed", "digest")
    whole = {key: rung[key] for key in same} | {"rung": rung["name"], "share": 1.0, "extra": 0}
    return [row for row in made.values() if row["rung"] == rung["name"]] + [whole]


def _row(name: str, extra: float, path: Path) -> dict[str, Any]:
    branch = RunDir.open(path, "pretrain")
    config, results = branch.config(pretrain.Config), branch.results()
    assert config.branch is not None
    whole = RunDir.open(config.branch.run, "pretrain").config(pretrain.Config)
    return {
        "name": name,
        "rung": config.branch.run.name,
        "share": round(config.tokens / whole.tokens, 4),
        "n_params": results["n_params"]["value"],
        "tokens": results["tokens"]["value"],
        "compute": results["flops"]["value"],
        "bpb": results["val/bpb"]["value"],
        "loss": results["val/loss"]["value"],
        "seed": config.seed,
        "extra": extra,
        "digest": branch.digest,
    }
