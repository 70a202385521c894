"""Points for a fit from a CSV table: somebody's own small runs, or the rungs.csv of a ladder."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from presage.core.errors import DataError

METRICS = ("bpb", "loss")  # the column taken by default is the first of these that is there


def read_runs(path: Path, metric: str | None = None) -> list[tuple[float, float]]:
    """[(compute in FLOPs, loss)] of single runs, one a row.

    Columns: `compute`, and `metric` (default: bpb, else loss). Where there is a column `fitted`, rows that say no are
    left out. Raises DataError naming file, line and column.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return list(_read(csv.DictReader(file), path, metric))
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"not a CSV table: {error}", where=path) from None


def _read(rows: csv.DictReader[str], path: Path, metric: str | None) -> Iterator[tuple[float, float]]:
    columns = rows.fieldnames or []
    chosen = metric or next((name for name in METRICS if name in columns), METRICS[-1])
    for needed in ("compute", chosen):
        if needed not in columns:
            raise DataError(f"no column '{needed}'", where=f"{path}:1", hint=f"columns: {', '.join(columns) or 'none'}")
    for row in rows:
        if (row.get("fitted") or "true").lower() not in ("false", "0", "no"):
            place = f"{path}:{rows.line_num}"
            yield _number(row["compute"], f"{place}: compute"), _number(row[chosen], f"{place}: {chosen}")


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        raise DataError(f"'{text or ''}' is not a number", where=where) from None
    if not (math.isfinite(value) and value > 0):
        raise DataError(f"{text} is not a positive number", where=where)
    return value
