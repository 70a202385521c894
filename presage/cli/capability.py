"""Pass rates of a model that is not trained yet, from graded samples of small ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from presage.cli.grammar import WHOLE, AsJson, Whole, dumps, emit, forecast, in_columns, percent, warn
from presage.core.errors import PresageError


@forecast.command
def capability(
    samples: Path,
    /,
    *,
    at: Annotated[list[float], Parameter(negative="")],
    buckets: Annotated[int | None, WHOLE] = None,
    level: float = 0.9,
    min_passed: Whole = 1,
    pass_at: Annotated[int | None, WHOLE] = None,
    json: AsJson = False,
) -> None:
    """Fit -E[log pass rate] = alpha*C^-k to graded samples and print what to expect at another compute.

    For all problems, and for each bucket of difficulty. The interval is for one new model tested on the same problems
    with as many attempts.

    Parameters
    ----------
    samples
        CSV with a row for each problem and model: columns problem, compute (FLOPs), n (attempts), passed, and split:
        "bucket" for held-out attempts that only sort problems by difficulty, "fit" for the others. Optional: run (tells
        repetitions at one compute apart), nll (of the reference solution, nats), difficulty.
    at
        The compute to predict for, in FLOPs; may be given several times.
    buckets
        How many buckets; if not given, up to 6 of at least 10 problems.
    level
        The probability that the interval should hold the measured value with.
    min_passed
        How often every model must solve a problem for it to count.
    pass_at
        Also print the mean pass@K for this K.
    """
    import math

    from presage.forecast import capability as law
    from presage.forecast.samples import read_samples
    from presage.forecast.table import about

    if not 0 < level < 1 or not all(0 < compute < math.inf for compute in at):
        raise PresageError("--at must be positive and finite, and --level between 0 and 1", where="forecast capability")
    with about(samples):
        fitted = law.fit(read_samples(samples), buckets, min_passed)
    largest = float(fitted.overall.rungs.compute[-1])
    if min(at) <= largest:
        raise PresageError(
            f"--at {min(at):g} is not beyond the largest fitted compute, {largest:g}",
            where="forecast capability",
            hint="a forecast is for a larger model; leave rows out of the table to test the law on them",
        )
    facts = [fact for compute in at for fact in law.forecast(fitted, compute, level, pass_at)]
    warn(_warnings(facts))
    if json:
        emit([dumps(facts)])
        return
    for compute in at:
        emit(_lines([fact for fact in facts if fact["compute"] == compute]))


def _warnings(facts: list[dict[str, Any]]) -> Iterator[str]:
    """Each once, with the buckets that it is about unless it is about all."""
    every = {fact["bucket"] for fact in facts}
    for text in dict.fromkeys(text for fact in facts for text in fact["warnings"]):
        here = dict.fromkeys(fact["bucket"] for fact in facts if text in fact["warnings"])
        yield text if len(here) == len(every) else f"bucket {', '.join(here)}: {text}"


def _lines(facts: list[dict[str, Any]]) -> Iterator[str]:
    first = facts[0]
    problems, k = first["problems"], first["pass_at"] and first["pass_at"]["k"]
    far = f"{float(format(first['extrapolation'], '.3g')):,g} times the largest fitted compute"
    yield f"at {first['compute']:.3g} FLOPs, {far}; {percent(first['level'])} intervals"
    yield (
        f"{problems['kept']} problems with at least {problems['min_passed']} passes by every model; "
        f"{problems['dropped']} dropped for that, {problems['set_aside']} never solved set aside"
    )
    head = ["bucket", "problems", "-E[log pass rate]", "pass rate", "k", *([f"mean pass@{k}"] if k else [])]
    yield from in_columns([head, *map(_cells, facts)])
    yield "the pass rate is the geometric mean over problems"
    if first["by_likelihood"]:
        yield f"by the reference solutions' likelihood, all problems: {_interval(first['by_likelihood'], '.3f')}"


def _cells(fact: dict[str, Any]) -> list[str]:
    kept, dropped = fact["problems"]["kept"], fact["problems"]["dropped"]
    loss, rate, k = _interval(fact, ".3f"), _interval(fact["pass_rate"], ".1%"), _interval(fact["law"]["k"], ".3f")
    last = [_interval(fact["pass_at"], ".1%")] if fact["pass_at"] else []
    return [fact["bucket"], f"{kept}/{kept + dropped}", loss, rate, k, *last]


def _interval(value: dict[str, Any], form: str) -> str:
    return f"{value['value']:{form}} [{value['lo']:{form}}, {value['hi']:{form}}]"
