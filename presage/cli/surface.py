"""Size and tokens apart: the law L(N, D), the runs that make it possible, and whether a ladder's curves agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from presage.cli.grammar import (
    AsJson,
    Out,
    Quiet,
    Resume,
    Whole,
    check_level,
    dumps,
    emit,
    forecast,
    percent,
    run_stage,
    warn,
)
from presage.core.errors import PresageError

Several = Parameter(consume_multiple=True)


@forecast.command
def surface(
    points: Path,
    /,
    *,
    n_params: Annotated[tuple[float, ...], Several] = (),
    tokens: Annotated[tuple[float, ...], Several] = (),
    at: Annotated[tuple[float, ...], Several] = (),
    flops_per_param_token: float = 6.0,
    level: float = 0.9,
    metric: str | None = None,
    json: AsJson = False,
) -> None:
    """Fit the law of size and tokens, E + A/N^alpha + B/D^beta; print a run's loss, or the best run for compute.

    Parameters
    ----------
    points
        CSV with a row a finished run: columns n_params, tokens and loss or bpb, optionally stderr; a ladder's
        tables/rungs.csv will do, better the tables/branches.csv of its decay branches.
    n_params
        Parameters of the run asked about; with several, as many --tokens.
    tokens
        Tokens it is trained on.
    at
        Compute in FLOPs to spend best: prints size, tokens and loss.
    flops_per_param_token
        FLOPs for each parameter and token, by which --at becomes size times tokens.
    level
        The probability that the interval should hold the loss with.
    metric
        The column to fit, if not bpb or loss.
    """
    from presage.forecast import surface as law
    from presage.forecast.sized import read_points
    from presage.forecast.table import about

    check_level(level, "forecast surface")
    if len(n_params) != len(tokens) or not (n_params or at):
        raise PresageError(
            f"{len(n_params)} --n-params, {len(tokens)} --tokens and {len(at)} --at are no question",
            where="forecast surface",
            hint="give --n-params N --tokens D, or --at C",
        )
    with about(points):
        fitted = law.fit(*law.summarise(read_points(points, metric)))
    answers = [_run(fitted, n, d, flops_per_param_token, level) for n, d in zip(n_params, tokens, strict=True)]
    answers += [_best(fitted, compute, flops_per_param_token, level) for compute in at]
    warn(text for answer in answers for text in answer["warnings"])
    emit([dumps(answers)] if json else [*map(_line, answers), _law(answers[0])])


@forecast.command
def branches(
    *,
    ladder: Path,
    out: Out,
    shares: Annotated[tuple[float, ...], Several] = (0.4, 0.7),
    repeats: Whole = 0,
    jobs: Whole = 0,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Train short decay branches off a ladder's rungs: more finished runs of other token counts, at the decay's price.

    Parameters
    ----------
    ladder
        The finished ladder run; its rungs must have kept checkpoints on the way.
    shares
        Shares of a rung's tokens that its branches end at.
    repeats
        Branch off the first so many seeds of each budget; 0: off all.
    jobs
        Branches trained side by side, one thread each; 0: one per core.
    """
    from presage.forecast import branches as stage

    data = {"ladder": ladder, "shares": shares, "repeats": repeats, "jobs": jobs}
    run_stage(stage, stage.Config.parse(data, where="forecast branches"), out, resume=resume, quiet=quiet)


@forecast.command
def collapse(ladder: Path, /, *, floor: float | None = None, json: AsJson = False) -> None:
    """Do the learning curves of a ladder's rungs fall onto one another? Names the rung whose curve does not.

    Parameters
    ----------
    ladder
        The finished ladder run.
    floor
        The irreducible loss, nats per token; if not given, that of the law of size and tokens through the rungs.
    """
    from presage.forecast import collapse as curves

    found = curves.collapse(curves.load(ladder), curves.floor_of(ladder) if floor is None else floor)
    warn(found.warnings)
    emit([dumps(found.to_dict())] if json else _collapsed(found))


def _run(fitted: Any, n_params: float, tokens: float, flops: float, level: float) -> dict[str, Any]:
    """One object of the JSON answer: a run that was asked about."""
    from presage.forecast.points import check_not_far_below
    from presage.forecast.surface import warnings

    loss, floor = fitted.predict(n_params, tokens, level), fitted.floor(level)
    products = [p.n_params * p.tokens for p in fitted.points]
    check_not_far_below(flops * n_params * tokens, [flops * product for product in products], "forecast surface")
    return {
        "compute": flops * n_params * tokens,
        "n_params": n_params,
        "tokens": tokens,
        "loss": loss.value,
        "lo": loss.lo,
        "hi": loss.hi,
        "level": level,
        "law": fitted.law.model_dump(),
        "floor": {"value": floor.value, "lo": floor.lo, "hi": floor.hi},
        "extrapolation": n_params * tokens / max(products),
        "n_points": len(fitted.points),
        "method": "posterior of E + A/N^alpha + B/D^beta on a grid, drifting outside the points; docs/forecasting.md",
        "noise": fitted.noise,
        "drift": fitted.drift,
        "warnings": warnings(fitted, n_params, tokens),
    }


def _best(fitted: Any, compute: float, flops: float, level: float) -> dict[str, Any]:
    """The same for the best run that `compute` buys, with intervals of its size and tokens."""
    best = fitted.frontier(compute, flops, level)
    bounds = {
        f"{name}_{end}": getattr(getattr(best, name), end) for name in ("n_params", "tokens") for end in ("lo", "hi")
    }
    return _run(fitted, best.n_params.value, best.tokens.value, flops, level) | {"compute": compute} | bounds


def _line(answer: dict[str, Any]) -> str:
    loss = "{loss:.4f}  [{lo:.4f}, {hi:.4f}]  ".format(**answer)
    level = percent(answer["level"])
    place = f"{answer['n_params']:.3g} parameters, {answer['tokens']:.3g} tokens, {level} interval"
    if "n_params_lo" in answer:
        place = (
            "best for {compute:.3g} FLOPs: {n_params:.3g} parameters [{n_params_lo:.3g}, {n_params_hi:.3g}], "
            "{tokens:.3g} tokens [{tokens_lo:.3g}, {tokens_hi:.3g}], {percent} intervals"
        ).format(**answer, percent=level)
    return f"{loss}{place}, {answer['extrapolation']:.3g} times the largest run"


def _law(answer: dict[str, Any]) -> str:
    law = "law {e:.4g} + {a:.4g} / N^{alpha:.3g} + {b:.4g} / D^{beta:.3g}".format(**answer["law"])
    return f"{law}; floor [{answer['floor']['lo']:.3f}, {answer['floor']['hi']:.3f}]"


def _collapsed(found: Any) -> list[str]:
    lines = [f"{'rung':<12} {'runs':>4} {'deviation':>10} {'end':>8} {'apart':>8} {'z':>6}"]
    for row in found.rungs:
        mark = "  off" if row["off"] else ("" if row["fitted"] else "  not fitted")
        numbers = "{runs:>4} {deviation:>10.2f} {end:>+8.2f} {apart:>+8.2f} {z:>6.1f}".format(**row)
        lines.append(f"{row['rung']:<12} {numbers}{mark}")
    seeds = "not known" if found.seeds is None else f"{found.seeds:.2f}"
    chance = "" if found.chance is None else f"; by chance {found.chance:.2g}"
    lines.append(f"ends spread by {found.between:.2f} between rungs, by {seeds} between seeds{chance}")
    return [*lines, f"per cent of the loss; trend {found.trend:+.2f} per decade of compute; floor {found.floor:.3f}"]
