"""Stage: the learning curves of a ladder's rungs laid over one another, as a run that reports can read."""

from __future__ import annotations

from pathlib import Path

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import DataError
from presage.core.look import whole
from presage.core.run import RunDir
from presage.forecast.collapse import Collapse, collapse, floor_of, load

__all__ = ["Config", "run"]

RENAMED = {name: f"{name}_percent" for name in ("deviation", "end", "apart")}
PERCENT = "% of the loss"


class Config(BaseConfig):
    ladder: Parent


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """tables/curves.csv, tables/rungs.csv and, as results, the fitted rung that is furthest off.

    Rungs too short, too few or measured too seldom are no error: the result `not_compared` says why, and there are no
    tables. Raises RunError for a ladder that is none or lacks rungs, CorruptError for a damaged one.
    """
    ladder = whole(config.ladder, "ladder").path
    directory = RunDir.create(out, "collapse", config, resume=resume)
    with directory:
        try:
            found = collapse(load(ladder), floor_of(ladder))
        except DataError as error:
            where = [error.where] if isinstance(error.where, str) else []  # never a place on this machine
            directory.result("not_compared", ": ".join([*where, error.what]))
        else:
            write(directory, found)
        directory.finish()
    return directory


def write(directory: RunDir, found: Collapse) -> None:
    """The comparison into a run; losses in nats per token, what ends in percent in per cent of the loss."""
    columns = {"share": found.x, "common": found.common, **found.curves}
    rows = zip(*columns.values(), strict=True)
    directory.table("curves", [dict(zip(columns, row, strict=True)) for row in rows])
    directory.table("rungs", [{RENAMED.get(key, key): value for key, value in row.items()} for row in found.rungs])
    directory.table("warnings", [{"warning": text} for text in found.warnings], ["warning"])
    fitted = [row for row in found.rungs if row["fitted"]]
    worst = max(fitted, key=lambda row: abs(row["apart"]))
    directory.result("worst/rung", worst["rung"])
    directory.result("worst/apart_percent", worst["apart"], unit=PERCENT)
    directory.result("worst/deviation_percent", worst["deviation"], unit=PERCENT)
    directory.result("worst/z", worst["z"], unit="robust deviations")
    directory.result("off", sum(row["off"] for row in fitted), unit="rungs")
    directory.result("fitted", len(fitted), unit="rungs")
    directory.result("floor", found.floor, unit="nats/token")
    for name, share in zip(("from", "to"), found.stable, strict=True):
        directory.result(f"compared_{name}", share, unit="share of the tokens")
    directory.result("between_percent", found.between, unit=PERCENT)
    directory.result("seeds_percent", found.seeds, unit=PERCENT)
    directory.result("chance", found.chance, unit="probability")
