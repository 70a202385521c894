"""Stage: the record that a ledger holds at one moment, for a report to read: promises, scores, misses, coverage."""

from __future__ import annotations

import os
from pathlib import Path

from presage.core.config import Config as BaseConfig
from presage.core.run import RunDir
from presage.forecast import ledger as ledgers

__all__ = ["Config", "run"]

COLUMNS = ["number", "date", "name", "metric", "unit", "beside", "point", "lo", "hi", "level", "compute",
           "extrapolation", "late", "actual", "error_percent", "inside", "seal", "run"]  # fmt: skip
UNITS = {"entries": "entries", "sealed": "promises", "scored": "promises", "unscored": "promises", "late": "promises",
         "inside": "promises", "missed": "promises", "expected_inside": "promises",
         "median_error_percent": "% of promised", "worst_error_percent": "% of promised"}  # fmt: skip


class Config(BaseConfig):
    ledger: Path = Path("../ledger.jsonl")
    """Relative to this run, so that a folder with both can be moved."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """tables/ledger.csv, a row a promise; tables/metrics.csv, a summary of each metric; of the first ones the results.

    Errors are in per cent of the promised point, compute in FLOPs. Raises RunError when there is no such ledger,
    CorruptError naming the entry that breaks its chain.
    """
    told = ledgers.record(ledgers.read(os.path.normpath(Path(out) / config.ledger)))  # `out` need not be there yet
    directory = RunDir.create(out, "record", config, resume=resume)
    with directory:
        directory.table("ledger", told["forecasts"], COLUMNS)
        directory.table("metrics", [{"metric": name} | facts for name, facts in told["metrics"].items()])
        for name, unit in UNITS.items():
            directory.result(name, told[name], unit=unit)
        directory.result("head", told["head"])
        directory.finish()
    return directory
