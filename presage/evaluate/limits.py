"""What the limitations suite comes to: accuracy before and after the corpus's end, and loss by length of context."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np

from presage.core.errors import DataError
from presage.tasks.limits.position import metric_of

DATED, POSITION = "dated_facts", "position_loss"
DATE_COLUMNS = ("end", "period", "n", "accuracy", "stderr")
POSITION_COLUMNS = ("characters", "n", "bits_per_byte", "stderr", "cut")
_METRIC = re.compile(re.escape(metric_of(0)).removesuffix("0") + r"(\d+)")


def before_after(rows: Iterable[Mapping[str, Any]], end: date) -> list[dict[str, Any]]:
    """Accuracy on facts up to `end`, the day of the corpus's last document, and on later ones, and the difference.

    From rows of samples.jsonl of dated_facts, whose categories are dates. Standard errors over facts, None for fewer
    than two; a period without facts has no accuracy. Raises DataError for a category that is no date.
    """
    scores: dict[str, list[float]] = {"before": [], "after": []}
    for row in rows:
        if row["task"] == DATED:
            scores["before" if _day(row) <= end else "after"].append(float(row["scores"]["accuracy"]))
    found = {period: (len(some), *mean_and_error(some)) for period, some in scores.items()}
    (_, first, first_error), (_, last, last_error) = found["before"], found["after"]
    difference = None if first is None or last is None else last - first
    error = None if first_error is None or last_error is None else math.hypot(first_error, last_error)
    lines = [(period, *found[period]) for period in found]
    lines.append(("after - before", sum(n for n, _, _ in found.values()), difference, error))
    return [dict(zip(DATE_COLUMNS, (end.isoformat(), *line), strict=True)) for line in lines]


def _day(row: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(str(row["category"]))
    except ValueError:
        raise DataError(f"the category '{row['category']}' is no date", where=f"{row['task']}: {row['id']}") from None


def mean_and_error(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The mean and its standard error; None where there are too few."""
    mean = float(np.mean(values)) if values else None
    return mean, float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None


def position_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Bits per byte of the same spans after each number of characters, shortest first: the figure's data.

    From rows of samples.jsonl of position_loss. cut: of how many spans the context was cut off by the model's; what it
    lost there is what it loses after its whole context.
    """
    some = [row for row in rows if row["task"] == POSITION]
    lengths = sorted({int(found[1]) for row in some for name in row["scores"] if (found := _METRIC.fullmatch(name))})
    return [_at(some, length) for length in lengths]


def _at(rows: Sequence[Mapping[str, Any]], length: int) -> dict[str, Any]:
    values = [float(row["scores"][metric_of(length)]) for row in rows]
    cut = sum(bool(row["extra"]["cut"][row["extra"]["lengths"].index(length)]) for row in rows)
    return dict(zip(POSITION_COLUMNS, (length, len(values), *mean_and_error(values), cut), strict=True))
