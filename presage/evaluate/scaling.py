"""Stage: scores against compute: the same examination of every model of a ladder, in one table.

GPT-3's figures 1.2 and 3.10 are of this kind: accuracy by size at K = 0, 1 and many shots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.data.attempt import attempt
from presage.evaluate import run as examination

__all__ = ["Config", "run"]

COLUMNS = ["model", "flops", "task", "shots", "metric", "better", "n", "value", "stderr", "chance"]


class Config(BaseConfig):
    evals: tuple[Parent, ...] = Field(min_length=1)
    """Finished examinations of runs that say what they cost."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """tables/ladder.csv, a row a model, task and metric, in the order of compute."""
    with attempt(out, "eval-ladder", config, seed=0, resume=resume) as directory:
        rows = [row for path in config.evals for row in _rows(RunDir.open(path, examination.STAGE))]
        rows.sort(key=lambda row: (row["task"], row["metric"], row["flops"]))
        directory.table("ladder", rows, COLUMNS)
        directory.result("models", len(config.evals), unit="models")
        directory.result("tasks", len({row["task"] for row in rows}), unit="tasks")
    return directory


def _rows(examined: RunDir) -> Iterator[dict[str, Any]]:
    path = examined.config(examination.Config).run
    if path is None:
        raise ConfigError("examined a model whose compute nobody knows", where=examined.path, hint="examine runs")
    model = RunDir.open(path)
    flops = float(model.value("flops"))
    rows = examined.read_table("tasks")
    labels: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        labels.setdefault(_asked(row), set()).add(row["task"])
    for row in rows:
        name = row["task"] if len(labels[_asked(row)]) > 1 else _asked(row)[0]  # a task asked twice in the same way
        facts = {"model": model.path.name, "flops": flops, "task": name, "shots": int(row["shots"])}
        yield facts | {name: row[name] for name in ("metric", "better", "n", "value", "stderr", "chance")}


def _asked(row: Mapping[str, str]) -> tuple[str, str]:
    """The declared task and its shots."""
    return row.get("declared") or row["task"], row["shots"]
