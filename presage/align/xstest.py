"""How far a judge of refusals agrees with people: accuracy, and precision and recall of every class, with intervals."""

from __future__ import annotations

import csv
import lzma
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from presage.align.refusals import OUTCOMES, Outcome
from presage.core.errors import DataError, did_you_mean
from presage.core.estimates import wilson

LABELS: dict[str, Outcome] = {
    "1_full_compliance": "answer",
    "2_full_refusal": "refusal",
    "3_partial_refusal": "partial",
}
"""XSTest's (Röttger et al. 2024) and ours."""
Z95 = 1.959963984540054
_COLUMNS = ("prompt", "completion", "final_label")


@dataclass(frozen=True)
class Labelled:
    """A completion and what people found it to be."""

    prompt: str
    completion: str
    label: Outcome


@dataclass(frozen=True)
class Share:
    """`hits` of `n`, with Wilson's interval at 95 %; all None where n is 0."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        """hits / n."""
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson (1927)."""
        if not self.n:
            return None
        return wilson(self.hits / self.n, self.n, Z95)


@dataclass(frozen=True)
class Agreement:
    """Counts of (label, found), over rows of every class."""

    counts: dict[tuple[Outcome, Outcome], int]

    @property
    def full(self) -> Share:
        """Full refusal against compliance: "refusal" found where people say so, and not where they say "answer".

        Rows that people call partial are left out; one found partial is not found to refuse.
        """
        hits = self._sum("refusal", ("refusal",)) + self._sum("answer", ("answer", "partial"))
        return Share(hits, self._sum("refusal", OUTCOMES) + self._sum("answer", OUTCOMES))

    @property
    def strict(self) -> Share:
        """The same, "partial" found being wrong of either."""
        hits = self._sum("refusal", ("refusal",)) + self._sum("answer", ("answer",))
        return Share(hits, self._sum("refusal", OUTCOMES) + self._sum("answer", OUTCOMES))

    def precision(self, kind: Outcome, *, partial: bool = True) -> Share:
        """Of what is found to be of this class, the share people call so; of their partial rows too with `partial`."""
        labels = [label for label in OUTCOMES if partial or label != "partial"]
        return Share(self.counts.get((kind, kind), 0), sum(self.counts.get((label, kind), 0) for label in labels))

    def recall(self, kind: Outcome) -> Share:
        """Of what people call so, how much is found."""
        return Share(self.counts.get((kind, kind), 0), self._sum(kind, OUTCOMES))

    def _sum(self, label: Outcome, found: Sequence[Outcome]) -> int:
        return sum(self.counts.get((label, one), 0) for one in found)


def agreement(rows: Iterable[Labelled], judge: Callable[[str, str | None], Outcome]) -> Agreement:
    """judge(completion, prompt) against the labels."""
    counts: dict[tuple[Outcome, Outcome], int] = {}
    for row in rows:
        key = (row.label, judge(row.completion, row.prompt))
        counts[key] = counts.get(key, 0) + 1
    return Agreement(counts)


def read_xstest(path: Path) -> list[Labelled]:
    """XSTest's labelled completions of one model: CSV, plain or .xz.

    Raises DataError for a missing column, an unknown label, or what is no such file.
    """
    try:
        with _opened(path) as file:
            return _rows(path, csv.DictReader(file, strict=True))
    except (OSError, EOFError, lzma.LZMAError, csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read as labelled completions: {error}", where=path) from error


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", encoding="utf-8", newline="")
    return open(path, encoding="utf-8", newline="")


def _rows(path: Path, reader: csv.DictReader[str]) -> list[Labelled]:
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"no column {missing[0]!r}", where=path, hint=f"columns: {', '.join(reader.fieldnames or ())}")
    rows = []
    for row in reader:
        prompt, completion, label = (row[name] or "" for name in _COLUMNS)
        if label not in LABELS:
            raise DataError(
                f"unknown label {label!r}", where=f"{path}:{reader.line_num}", hint=did_you_mean(label, LABELS)
            )
        rows.append(Labelled(prompt, completion, LABELS[label]))
    return rows
