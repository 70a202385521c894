"""What a score is worth: one row a task, all items beside the clean and the contaminated ones.

`join` makes the rows, `cells` writes them as text: the view in which every evaluation result is shown.

A mean's standard error is of its items, taken as drawn from more of their kind: binomial where every score is 0 or 1,
otherwise from their spread. The clean items C (c of them) are some of all N, the others D = N - C are disjoint from
them, so with the split as given

    clean - all             = (d/N) (mean_C - mean_D),      SE^2 = (d/N)^2 (SE_C^2 + SE_D^2)
    r = clean / all,  SE^2  = (d/N)^2 (mean_D^2 SE_C^2 + mean_C^2 SE_D^2) / all^4         (delta method)

Degradation is (clean - all) / all, as the numbers of the GPT-4 report are (appendices C and D; sheet section 9.7), and
beside it 200 (clean - all) / (clean + all), as those of the GPT-3 report are (appendix C; sheet section 5.8); both in
per cent.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from presage.core.errors import DataError
from presage.evaluate.scored import CLEAN, FLAGGED, UNTESTABLE, Scan, Score

NOT_CHECKED, ALL_CONTAMINATED, NONE_TESTABLE = "not checked", "N/A", "none testable"
COLUMNS = ["task", "better", "n", "contaminated", "untestable", "raw", "clean", "contaminated only", "clean - raw",
           "degradation", "symmetric", "quote"]  # fmt: skip


@dataclass(frozen=True)
class Estimate:
    """A value with its standard error, which is None where too little is known for one."""

    value: float
    stderr: float | None


@dataclass(frozen=True)
class Row:
    """One task.

    n, contaminated, untestable, unknown: items in all, and by what the scan says (unknown: not among its items);
    None where there was no scan. share: contaminated of all. raw, clean, dirty: means of all, of the clean, of the
    contaminated items, in the scores' own unit; noise: the part of raw's standard error that more attempts would
    remove. absent: why there is no clean mean; quote: which mean to quote, the worse one.
    """

    task: str
    better: str
    n: int
    contaminated: int | None
    share: float | None
    untestable: int | None
    unknown: int | None
    raw: Estimate
    noise: float | None
    clean: Estimate | None
    dirty: Estimate | None
    difference: Estimate | None
    degradation_percent: Estimate | None
    symmetric_percent: Estimate | None
    absent: str
    quote: str


@dataclass(frozen=True)
class Joined:
    """Rows in the order of the tasks, and where scores and scan do not fit together."""

    rows: list[Row]
    warnings: list[str]

    def as_json(self) -> dict[str, Any]:
        """Plain data: {"tasks": [row], "warnings": [text]}."""
        return {"tasks": [asdict(row) for row in self.rows], "warnings": self.warnings}


def join(scores: Sequence[Score], scan: Scan | None = None) -> Joined:
    """One row a task. Raises DataError, naming the first item, when the scan has none of the items scored."""
    tasks: dict[str, list[Score]] = {}
    for score in scores:
        tasks.setdefault(score.task, []).append(score)
    if scan is None:
        return Joined([_row(task, some, {}) for task, some in tasks.items()], [])
    if not any(score.id in scan.of(score.task) for score in scores):
        missing = f"the first missing is '{scores[0].id}' of task '{scores[0].task}'"
        hint = f"a task is looked up in the set of its name, or in the only one; sets: {', '.join(scan.sets)}"
        raise DataError(f"none of the {len(scores)} items scored was scanned; {missing}", where=scan.where, hint=hint)
    rows = [_row(task, some, scan.of(task)) for task, some in tasks.items()]
    return Joined(rows, [*_unscanned(tasks, scan), *_unscored(tasks, scan)])


def _unscanned(tasks: dict[str, list[Score]], scan: Scan) -> Iterator[str]:
    for task, scores in tasks.items():
        unknown = [score.id for score in scores if score.id not in scan.of(task)]
        if len(unknown) == len(scores):
            yield f"{task}: not checked: none of its {len(scores)} items was scanned, the first '{unknown[0]}'"
        elif unknown:
            yield f"{task}: {len(unknown)} of {len(scores)} items were not scanned, the first '{unknown[0]}'"


def _unscored(tasks: dict[str, list[Score]], scan: Scan) -> Iterator[str]:
    for name, verdicts in scan.sets.items():
        scored = {score.id for task, scores in tasks.items() if scan.of(task) is verdicts for score in scores}
        missing = [item for item in verdicts if item not in scored]
        if scored.intersection(verdicts) and missing:
            yield f"{name}: {len(missing)} of {len(verdicts)} items scanned have no score, the first '{missing[0]}'"


# ---- numbers --------------------------------------------------------------------------------------------------------


def degradation_percent(clean: float, raw: float) -> float:
    """100 (clean - raw) / raw, as in Table 10 of the GPT-4 report; raw above 0."""
    return 100 * (clean - raw) / raw


def symmetric_percent(clean: float, raw: float) -> float:
    """200 (clean - raw) / (clean + raw), as in Table C.1 of the GPT-3 report; raw above 0."""
    return 200 * (clean - raw) / (clean + raw)


def _row(task: str, scores: Sequence[Score], verdicts: dict[str, str]) -> Row:
    checked = any(score.id in verdicts for score in scores)
    groups: dict[str | None, list[Score]] = {}
    for score in scores:
        groups.setdefault(verdicts.get(score.id), []).append(score)
    clean, dirty = groups.get(CLEAN, []), groups.get(FLAGGED, [])
    others = [score for score in scores if verdicts.get(score.id) != CLEAN]
    means = (_mean(scores, scores), _mean(clean, scores), _mean(others, scores))
    raw, better = means[0], scores[0].better
    assert raw is not None
    difference, degradation, symmetric = _changes(*means, share=len(others) / len(scores))
    return Row(
        task=task,
        better=better,
        n=len(scores),
        contaminated=len(dirty) if checked else None,
        share=len(dirty) / len(scores) if checked else None,
        untestable=len(groups.get(UNTESTABLE, [])) if checked else None,
        unknown=len(groups.get(None, [])) if checked else None,
        raw=raw,
        noise=_noise(scores),
        clean=means[1],
        dirty=_mean(dirty, scores),
        difference=difference,
        degradation_percent=degradation,
        symmetric_percent=symmetric,
        absent="" if clean else _why(checked, len(dirty)),
        quote=_worse(raw, means[1], better),
    )


def _why(checked: bool, contaminated: int) -> str:
    if not checked:
        return NOT_CHECKED
    return ALL_CONTAMINATED if contaminated else NONE_TESTABLE


def _worse(raw: Estimate, clean: Estimate | None, better: str) -> str:
    return "clean" if clean and is_worse(clean.value, raw.value, better) else "raw"


def is_worse(value: float, than: float, better: str) -> bool:
    """Whether a score is worse than another; better: one of presage.evaluate.scored.BETTER."""
    if better == "nearer 0":
        return abs(value) > abs(than)
    return value < than if better == "higher" else value > than


def _mean(group: Sequence[Score], everyone: Sequence[Score]) -> Estimate | None:
    if not group:
        return None
    variance = _variance(group, everyone)
    mean = math.fsum(score.score for score in group) / len(group)
    return Estimate(mean, None if variance is None else math.sqrt(variance / len(group)))


def _variance(group: Sequence[Score], everyone: Sequence[Score]) -> float | None:
    """Of one item's score. A single one shows no spread: that of all items, else its own noise."""
    shown = group if len(group) > 1 else everyone
    if len(shown) > 1:
        return _spread([score.score for score in shown])
    noise = group[0].noise
    return None if noise is None else noise**2


def _spread(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    if all(value in (0, 1) for value in values):
        return mean * (1 - mean)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def _noise(scores: Sequence[Score]) -> float | None:
    parts = [score.noise for score in scores]
    known = [part for part in parts if part is not None]
    return math.sqrt(math.fsum(part**2 for part in known)) / len(scores) if len(known) == len(parts) else None


def _changes(
    raw: Estimate | None, clean: Estimate | None, others: Estimate | None, share: float
) -> tuple[Estimate | None, Estimate | None, Estimate | None]:
    """(clean - raw, degradation in per cent, the symmetric form); share: of the items that are not clean."""
    if raw is None or clean is None:
        return None, None, None
    rest = others or Estimate(0.0, 0.0)  # all are clean: its share is 0
    difference = Estimate(clean.value - raw.value, _root(share, (1.0, clean), (1.0, rest)))
    if raw.value <= 0 or clean.value < 0:  # a ratio of such means says nothing
        return difference, None, None
    of_ratio = _root(share / raw.value**2, (rest.value, clean), (clean.value, rest))
    ratio = clean.value / raw.value
    degradation = Estimate(degradation_percent(clean.value, raw.value), _times(100, of_ratio))
    symmetric = Estimate(symmetric_percent(clean.value, raw.value), _times(400 / (1 + ratio) ** 2, of_ratio))
    return difference, degradation, symmetric


def _root(scale: float, *terms: tuple[float, Estimate]) -> float | None:
    """scale * sqrt(sum (weight * stderr)^2); None where a standard error that counts is."""
    if scale == 0:
        return 0.0
    errors = [(weight, estimate.stderr) for weight, estimate in terms if weight]
    squares = [(weight * error) ** 2 for weight, error in errors if error is not None]
    return abs(scale) * math.sqrt(math.fsum(squares)) if len(squares) == len(errors) else None


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


# ---- text -----------------------------------------------------------------------------------------------------------


def cells(rows: Iterable[Row]) -> list[list[str]]:
    """A table of text: COLUMNS, then a row a task."""
    return [COLUMNS, *map(_cells, rows)]


def _cells(row: Row) -> list[str]:
    absent = row.absent or "-"
    contaminated = NOT_CHECKED if row.share is None else f"{row.contaminated} ({100 * row.share:.1f} %)"
    untestable = "-" if row.untestable is None else str(row.untestable)
    means = [_shown(row.raw, absent), _shown(row.clean, absent), _shown(row.dirty), _shown(row.difference, sign="+")]
    changes = [_percent(row.degradation_percent), _percent(row.symmetric_percent)]
    return [row.task, row.better, str(row.n), contaminated, untestable, *means, *changes, row.quote]


def _shown(estimate: Estimate | None, absent: str = "-", sign: str = "-") -> str:
    if estimate is None:
        return absent
    stderr = "" if estimate.stderr is None else f" ± {estimate.stderr:.2g}"
    return f"{estimate.value:{sign}.4g}{stderr}"


def _percent(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    stderr = "" if estimate.stderr is None else f" ± {estimate.stderr:.2f}"
    return f"{estimate.value:+.2f}{stderr} %"
