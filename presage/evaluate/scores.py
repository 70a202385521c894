"""Stage: scores of evaluation items beside what a contamination scan found of them (presage.evaluate.joined)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import Field

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.run import RunDir, sha256
from presage.data.attempt import attempt
from presage.evaluate.joined import Row, join
from presage.evaluate.scored import read_scan, read_scores

__all__ = ["Config", "run"]

MEANS = ("raw", "clean", "dirty", "difference", "degradation_percent", "symmetric_percent")


class Config(BaseConfig):
    scores: tuple[Path, ...] = Field(min_length=1)
    """Files of scores (docs/contamination.md), relative to this run, so that a folder with both can be moved."""
    contamination: Parent | None = None
    """The scan of the same items; without it nothing is checked."""
    method: str | None = None
    """What makes an item contaminated: this method; any, unless one is named."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """tables/scores.csv, a row a task; tables/{files,warnings}.csv; of each task the means as results.

    Raises DataError for a file that holds no scores, or when the scan has none of the items scored.
    """
    files = [Path(os.path.normpath(Path(out) / path)) for path in config.scores]  # `out` need not be there yet
    with attempt(out, "scores", config, seed=0, resume=resume) as directory:
        scan = read_scan(config.contamination, config.method) if config.contamination else None
        joined = join(read_scores(files), scan)
        directory.table("scores", [_flat(row) for row in joined.rows])
        directory.table("files", [{"file": path.name, "digest": sha256(path)} for path in files])
        directory.table("warnings", [{"warning": text} for text in joined.warnings], ["warning"])
        directory.write_json("result.json", dict(entry for row in joined.rows for entry in _results(row)))
    return directory


def _flat(row: Row) -> dict[str, Any]:
    """A row of a table: each mean in two columns, the second its standard error."""
    plain = asdict(row)
    for name in MEANS:
        estimate = plain.pop(name) or {"value": None, "stderr": None}
        plain |= {name: estimate["value"], f"{name}_stderr": estimate["stderr"]}
    return plain


def _results(row: Row) -> Iterator[tuple[str, dict[str, Any]]]:
    """The first three means alone, and the share: the rest is in the table."""
    yield f"{row.task}/contaminated", {"value": row.share, "n": row.n, "unit": "of all items"}
    for name, estimate in (("raw", row.raw), ("clean", row.clean), ("dirty", row.dirty)):
        found = {"value": None, "stderr": None} if estimate is None else asdict(estimate)
        yield f"{row.task}/{name}", found
