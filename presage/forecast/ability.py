"""The second promise: how often the target will pass the problems that the ladder's models have attempted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from presage.core.errors import DataError, SealError
from presage.core.run import RunDir
from presage.forecast import attempts, capability
from presage.forecast.samples import Sample, read_samples

SAME = ("problems", "levels", "samples", "temperature", "seed")
"""What ladder and target must have been examined with alike."""


def promise(attempted: Path, compute: float, level: float) -> tuple[dict[str, Any] | None, str]:
    """The part of a forecast that follows from the ladder's attempts: laws by bucket and their points.

    None and the reason where the attempts allow no law: the loss can be promised all the same.
    """
    run = RunDir.open(attempted, "attempts")
    try:
        fitted = capability.fit(_samples(run))
    except DataError as error:
        return None, f"no pass rate is promised: {error}"
    laws = capability.forecast(fitted, compute, level, pass_at=1)
    promised = {
        "metric": "-E[log pass_rate]",
        "unit": "nats",
        "examined_with": _examined_with(run),
        "laws": laws,
        "points": [_points(law) for law in fitted.laws],
        "curve": [_curve(law, compute, level) for law in fitted.laws],
        "basis": fitted.as_dict(),
    }
    return promised, ""


def outcome(ladder: Path, target: Path, sealed: dict[str, Any]) -> dict[str, tuple[float, float]]:
    """{bucket: (the target's mean -log pass rate, its counting error)} on the problems the law was sealed for.

    SealError where the target was examined with anything else than the ladder.
    """
    run = RunDir.open(target, "attempts")
    if _examined_with(run) != sealed["examined_with"]:
        raise SealError("the target was examined with other problems or settings than the ladder", where=run.path)
    fitted = capability.fit(_samples(RunDir.open(ladder, "attempts")))
    found = _samples(run)
    return capability.measured(fitted, found, found[0].compute)


def _samples(run: RunDir) -> list[Sample]:
    return read_samples(run.path / "tables" / "samples.csv")


def _examined_with(run: RunDir) -> dict[str, Any]:
    config = run.config(attempts.Config).model_dump(mode="json")
    return {key: config[key] for key in SAME}


def _points(law: capability.LawFit) -> list[dict[str, float]]:
    rungs = law.rungs
    columns = (rungs.compute, rungs.mean, rungs.counting**0.5, rungs.runs)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [dict(zip(("compute", "value", "stderr", "n"), row, strict=True)) for row in rows]


def _curve(law: capability.LawFit, compute: float, level: float) -> list[dict[str, float]]:
    import numpy as np

    curve = []
    for at in np.geomspace(law.rungs.compute[0], 2 * compute, 24):
        value = law.predict(float(at), level)
        curve.append({"compute": float(at), "value": value.value, "lo": value.lo, "hi": value.hi})
    return curve
