"""Translated MMLU, language by language, beside baselines: how many languages stand above one (GPT-4 report, §4).

The report counts languages whose score exceeds GPT-3.5's in English: 24 of 26. A count of scores takes no notice of
their errors, so a second count says how many stand above with their whole 95 % interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from presage.core.errors import DataError
from presage.tasks.translated import ENGLISH, PREFIX
from presage.tasks.translation import LANGUAGES

COLUMNS = ("language", "name", "n", "value", "stderr", "lo", "hi")
"""Of tables/languages.csv; values are shares of right answers; what is not known is None."""
BASELINE_COLUMNS = ("name", "value", "stderr", "source", "above", "surely", "of")
"""Of tables/baselines.csv: how many of the languages lie above, by score and by interval."""
METRIC = "accuracy"
_Z = 1.96


@dataclass(frozen=True)
class Baseline:
    """A score to compare with: a published one, or another run's, then with its standard error."""

    name: str
    value: float
    source: str
    stderr: float = 0.0


PUBLISHED = (
    Baseline("random", 0.25, "four options"),
    Baseline("Chinchilla, English", 0.670, "GPT-4 report, figure of MMLU across languages"),
    Baseline("PaLM, English", 0.693, "GPT-4 report, figure of MMLU across languages"),
    Baseline("GPT-3.5, English", 0.701, "GPT-4 report, figure of MMLU across languages"),
)


def language_rows(tasks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row (COLUMNS) for every translated MMLU among rows of tables/tasks.csv, best first. Raises DataError."""
    found = [_row(row) for row in tasks if _wanted(row)]
    return sorted(found, key=lambda row: (-row["value"], row["language"]))


def _wanted(row: Mapping[str, Any]) -> bool:
    """Whether a row is of a language, and says something: a metric without a value is left out."""
    accuracy = row.get("metric", METRIC) == METRIC and row.get("value") not in (None, "")
    return accuracy and str(row["task"]).startswith(PREFIX)


def _number(cell: Any) -> float | None:
    return None if cell in (None, "") else float(cell)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    code = str(row["task"]).removeprefix(PREFIX)
    try:
        value, stderr = float(row["value"]), _number(row["stderr"])
        lo, hi = (_number(row.get(end)) for end in ("lo", "hi"))
        return dict(zip(COLUMNS, (code, LANGUAGES.get(code, code), int(row["n"]), value, stderr, lo, hi), strict=True))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a row of a task: {error}", where=row.get("task")) from None


def baselines_of(languages: Iterable[Mapping[str, Any]]) -> list[Baseline]:
    """The published ones, and the model's own English score with its error, where it was asked in English too."""
    own = [Baseline("this model, English", row["value"], "this examination", row["stderr"] or 0.0)
           for row in languages if row["language"] == ENGLISH]  # fmt: skip
    return [*PUBLISHED, *own]


def above(languages: Iterable[Mapping[str, Any]], baseline: Baseline) -> list[str]:
    """The languages whose score exceeds the baseline's."""
    return [row["language"] for row in languages if row["value"] > baseline.value]


def surely_above(languages: Iterable[Mapping[str, Any]], baseline: Baseline) -> list[str]:
    """The languages whose 95 % interval lies above, or that of the difference where the baseline has an error too."""
    return [row["language"] for row in languages if _low(row, baseline) > baseline.value]


def _low(row: Mapping[str, Any], baseline: Baseline) -> float:
    if row["lo"] is None or row["stderr"] is None:
        return -math.inf  # a single question: nothing is sure
    if not baseline.stderr:
        return float(row["lo"])
    return float(row["value"]) - _Z * math.hypot(row["stderr"], baseline.stderr)


def baseline_rows(languages: Sequence[Mapping[str, Any]], baselines: Sequence[Baseline]) -> list[dict[str, Any]]:
    """A row (BASELINE_COLUMNS) for every baseline. English itself is not counted among the languages."""
    others = [row for row in languages if row["language"] != ENGLISH]
    return [_baseline_row(others, one) for one in baselines]


def _baseline_row(languages: Sequence[Mapping[str, Any]], one: Baseline) -> dict[str, Any]:
    counts = (len(above(languages, one)), len(surely_above(languages, one)), len(languages))
    return dict(zip(BASELINE_COLUMNS, (one.name, one.value, one.stderr or None, one.source, *counts), strict=True))
