"""Graded samples from a CSV table: how often each model solved each problem."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from presage.forecast.table import Row, read_table

REQUIRED = ("problem", "compute", "n", "passed", "split")
OPTIONAL = ("run", "nll", "difficulty")
BUCKET, FIT = "bucket", "fit"
MOST = 10**12  # attempts


@dataclass(frozen=True)
class Sample:
    """`passed` of `n` attempts at one problem by one model.

    `compute` is what the model cost in FLOPs, `run` tells repetitions at one compute apart, `split` says what the
    attempts are for (bucket: sorting problems by difficulty; fit: everything else), `nll` is the negative
    log-likelihood of the reference solution under that model, in nats.
    """

    problem: str
    compute: float
    n: int
    passed: int
    split: str
    run: str = ""
    nll: float | None = None
    difficulty: str | None = None

    @property
    def key(self) -> tuple[str, float, str, str]:
        """What may stand in a table once."""
        return self.problem, self.compute, self.run, self.split


def read_samples(path: Path) -> list[Sample]:
    """Every row of the table, in its order. Columns REQUIRED and, where wanted, OPTIONAL; others are ignored.

    Raises DataError naming file, line and column.
    """
    rows = read_table(path).rows(REQUIRED, OPTIONAL)
    samples = [_parse(row) for row in rows]
    first: dict[tuple[str, float, str, str], Row] = {}
    for row, sample in zip(rows, samples, strict=True):
        before = first.setdefault(sample.key, row)
        if before is not row:
            raise row.error(
                f"problem '{sample.problem}' at {sample.compute:g} FLOPs, run '{sample.run}', split {sample.split} "
                f"stands on line {before.place.rpartition(':')[2]} already",
                "problem",
                "add up the counts, or tell repetitions apart by a column run",
            )
    return samples


def _parse(row: Row) -> Sample:
    n = _whole(row, "n", 1, MOST, "the number of attempts, at least 1")
    passed = _whole(row, "passed", 0, n, f"how many of the n = {n} attempts passed")
    if not row["problem"]:
        raise row.error("empty", "problem", "every row names its problem")
    if row["split"] not in (BUCKET, FIT):
        raise row.error(f"'{row['split']}' is not a split", "split", f"write {BUCKET} or {FIT}")
    return Sample(
        problem=row["problem"],
        compute=row.positive("compute", "FLOPs, for example 1e18"),
        n=n,
        passed=passed,
        split=row["split"],
        run=row["run"],
        nll=row.positive("nll", "nats of the reference solution") if row["nll"] else None,
        difficulty=row["difficulty"] or None,
    )


def _whole(row: Row, column: str, least: int, most: int, hint: str) -> int:
    try:
        value = int(row[column])
    except ValueError:
        raise row.error(f"'{row[column]}' is not a whole number", column, hint) from None
    if not least <= value <= most:
        raise row.error(f"{value} is out of range", column, hint)
    return value
