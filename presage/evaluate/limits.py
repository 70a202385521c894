"""What the limitations suite comes to: accuracy before and after the corpus's end, and loss by length of context."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from presage.core.errors import DataError
from presage.evaluate.paired import mean
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
    found = {period: mean(some) for period, some in scores.items()}
    found["after - before"] = found["after"].minus(found["before"])
    return [
        dict(zip(DATE_COLUMNS, (end.isoformat(), period, one.n, one.value, one.stderr), strict=True))
        for period, one in found.items()
    ]


def _day(row: Mapping[str, Any]) -> date:
    try:
        return date.fromisoformat(str(row["category"]))
    except ValueError:
        raise DataError(f"the category '{row['category']}' is no date", where=f"{row['task']}: {row['id']}") from None


def position_rows(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Bits per byte of the same spans after each number of characters, shortest first: the figure's data.

    From rows of samples.jsonl of position_loss. cut: of how many spans the context was cut off by the model's; what it
    lost there is what it loses after its whole context.
    """
    some = [row for row in rows if row["task"] == POSITION]
    lengths = sorted({int(found[1]) for row in some for name in row["scores"] if (found := _METRIC.fullmatch(name))})
    return [_at(some, length) for length in lengths]


def _at(rows: Sequence[Mapping[str, Any]], length: int) -> dict[str, Any]:
    bits = mean([float(row["scores"][metric_of(length)]) for row in rows])
    cut = sum(bool(row["extra"]["cut"][row["extra"]["lengths"].index(length)]) for row in rows)
    return dict(zip(POSITION_COLUMNS, (length, bits.n, bits.value, bits.stderr, cut), strict=True))
