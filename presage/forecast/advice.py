"""Where a plan's sizes and expected losses come from: a ladder, a table of runs, or a published law.

Three kinds of advice answer the same questions; only runs of one's own can say what further runs are worth.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from presage.core.errors import ConfigError
from presage.forecast import design, law, published, surface
from presage.forecast.points import Run, read_runs
from presage.forecast.prior import Prior
from presage.forecast.published import ADAMW_BYTES, MUON_BYTES, Size, sized
from presage.forecast.sized import FEWEST, read_points
from presage.forecast.table import about, read_table
from presage.forecast.warnings import warnings

DEFAULT_LAW = "besiroglu"
STRAY = 0.2  # of ln N about a power of C: above it, sizes vary on their own, and the best one is to be found


class Advice(Protocol):
    """Where sizes and expected losses come from."""

    @property
    def title(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def about(self) -> str:
        """What the loss is about: which text, which runs."""

    @property
    def sizing(self) -> str:
        """The rule that sizes follow."""

    @property
    def largest(self) -> float:
        """FLOPs of the largest run behind it."""

    @property
    def beyond(self) -> float:
        """FLOPs that a target must exceed; 0 where any will do."""

    @property
    def outlook(self) -> design.Outlook | None:
        """What tells the worth of more runs; None where nothing does."""

    def size(self, compute: float) -> Size: ...
    def expect(self, compute: float, level: float) -> law.Estimate: ...
    def warnings(self, compute: float) -> list[str]: ...


@dataclass(frozen=True)
class RunsAdvice:
    """A fit to one's own runs, and the rule that gave them their sizes."""

    title: str
    fit: law.Fit
    unit: str
    sizing: str
    sizes: Callable[[float], Size]

    @property
    def largest(self) -> float:
        return max(p.compute for p in self.fit.points)

    @property
    def beyond(self) -> float:
        return self.largest

    @property
    def outlook(self) -> design.Outlook | None:
        return self.fit

    @property
    def about(self) -> str:
        return f"one more run like these, {len(self.fit.points)} budgets up to {self.largest:.3g} FLOPs"

    def size(self, compute: float) -> Size:
        return self.sizes(compute)

    def expect(self, compute: float, level: float) -> law.Estimate:
        return self.fit.predict(compute, level)

    def warnings(self, compute: float) -> list[str]:
        return warnings(self.fit, compute)


@dataclass(frozen=True)
class SurfaceAdvice:
    """A law of size and tokens fitted to one's own runs, and its optimum."""

    title: str
    fit: surface.SurfaceFit
    unit: str
    flops_each: float
    """FLOPs a parameter and token."""
    largest: float
    sizing: str = "the optimum of L(N, D) fitted to these points"
    outlook: design.Outlook | None = None

    @property
    def beyond(self) -> float:
        return self.largest

    @property
    def about(self) -> str:
        return f"one more run like these {len(self.fit.points)}, of the best size for its compute"

    def size(self, compute: float) -> Size:
        best = self.fit.frontier(compute, self.flops_each)
        return sized(best.n_params.value, best.tokens.value)

    def expect(self, compute: float, level: float) -> law.Estimate:
        return self.fit.frontier(compute, self.flops_each, level).loss

    def warnings(self, compute: float) -> list[str]:
        best = self.size(compute)
        return surface.warnings(self.fit, best.n_params, best.tokens)


def find(*, ladder: Path | None = None, points: Path | None = None, law_name: str | None = None) -> Advice:
    """The one that was asked for; a published law when none was. ConfigError for more than one."""
    if sum(source is not None for source in (ladder, points, law_name)) > 1:
        raise ConfigError("give one of --ladder, --points and --law", where="plan")
    if ladder is not None:
        return from_ladder(ladder)
    if points is not None:
        return from_points(points)
    return published.find(law_name or DEFAULT_LAW)


def from_ladder(
    path: Path, further: Sequence[tuple[float, float]] = (), drift: float = 0.0, prior: Prior | None = None
) -> RunsAdvice:
    """The rungs of a finished ladder run, bits per byte, sizes by its own rule.

    `further` runs, (FLOPs, bits per byte) each, count like fitted rungs; `drift` and `prior` as in `law.fit`.
    """
    from presage.forecast import ladder  # imports torch, which the other kinds of advice do without

    run = ladder.of_text(path)
    rule = run.config(ladder.Config).rule
    assert rule is not None  # of text, there is one
    rows = run.read_table("rungs")
    points, noise = law.summarise([*((float(row["budget"]), float(row["bpb"])) for row in rows), *further])
    fitted = {float(row["budget"]) for row in rows if float(row["fitted"])} | {compute for compute, _ in further}
    with about(path):
        fit = law.fit([p for p in points if p.compute in fitted], noise, drift, prior)

    def size(compute: float) -> Size:
        model = rule.model(compute)
        tokens = compute / model.flops_per_token()
        weights = model.n_params_non_embedding + model.vocab_size * model.d_model
        if tokens > 2 * weights * rule.tokens_per_param:  # beyond the widest shape that the rule knows
            return sized(*published.by_ratio(rule.tokens_per_param)(compute))
        rest = model.n_params - model.n_params_non_embedding
        memory = MUON_BYTES * model.n_params_non_embedding + ADAMW_BYTES * rest
        return Size(model.n_params, tokens, memory, f"{model.n_layers} layers, width {model.d_model}")

    sizing = f"the ladder's rule, {rule.tokens_per_param:g} tokens for each weight in blocks and head"
    return RunsAdvice(f"ladder {path}", fit, "bits/byte", sizing, size)


def from_points(path: Path) -> Advice:
    """A table of runs as for `presage forecast fit`; columns n_params and tokens say how sizes go.

    Sizes and tokens that vary on their own belong to a law of both; those of one recipe, to a law of compute.
    """
    with about(path):
        return _from_runs(path, read_runs(path))


def _from_runs(path: Path, runs: Sequence[Run]) -> Advice:
    unit = "bits/byte" if "bpb" in read_table(path).columns else "in the unit of the points"
    sizes = [(r.compute, r.n_params, r.tokens) for r in runs if r.n_params is not None and r.tokens is not None]
    logs = np.log(np.array(sizes, dtype=float)).reshape(-1, 3)
    title = f"points {path}"
    if len(runs) == len(sizes) >= FEWEST and _stray(logs) > STRAY:
        largest = max(r.compute for r in runs)
        return SurfaceAdvice(
            title, surface.fit(*surface.summarise(read_points(path))), unit, _flops_each(logs), largest
        )
    fit = law.fit(*law.summarise(runs))
    if len(logs) < 2 or np.ptp(logs[:, 0]) == 0:
        sizing = "a rule of thumb; columns n_params and tokens would say how your runs grow"
        ratio = published.by_ratio(published.TOKENS_PER_PARAM)
        return RunsAdvice(title, fit, unit, sizing, lambda compute: sized(*ratio(compute)))
    growth = [np.polyfit(logs[:, 0], logs[:, column], 1) for column in (1, 2)]

    def size(compute: float) -> Size:
        n, d = (math.exp(float(np.polyval(line, math.log(compute)))) for line in growth)
        return sized(n, d)

    sizing = "as in these points, parameters grow as C^{:.2f} and tokens as C^{:.2f}"
    return RunsAdvice(title, fit, unit, sizing.format(growth[0][0], growth[1][0]), size)


def _stray(logs: Any) -> float:
    """How far sizes stray from one power of compute, in logarithm; rows of log C, log N, log D."""
    return float(np.std(logs[:, 1] - np.polyval(np.polyfit(logs[:, 0], logs[:, 1], 1), logs[:, 0])))


def _flops_each(logs: Any) -> float:
    """C / (N D), about 6, as whoever made the table counted; rows of log C, log N, log D."""
    return math.exp(float((logs[:, 0] - logs[:, 1] - logs[:, 2]).mean()))
