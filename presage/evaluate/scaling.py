"""Stage: scores against compute: the same examination of every model of a ladder, in one table.

GPT-3's figures 1.2 and 3.10 are of this kind: accuracy by size at K = 0, 1 and many shots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import ConfigError, RunError
from presage.core.run import RunDir
from presage.data.attempt import attempt
from presage.evaluate import cut
from presage.evaluate import run as examination
from presage.evaluate.summary import COUNTS

__all__ = ["Config", "run"]

_COPIED = ("metric", "better", "n", "value", "stderr", "lo", "hi", "chance", *COUNTS)
COLUMNS = ["model", "flops", "task", "shots", *_COPIED]


class Config(BaseConfig):
    evals: tuple[Parent, ...] = Field(min_length=1)
    """Finished examinations of runs that say what they cost."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """tables/ladder.csv, a row a model, task, number of shots and metric, in the order of compute; tables/warnings.csv
    where all prompts of some number of shots were cut.

    Raises ConfigError for models whose compute nobody knows, and where one was asked the same in two examinations;
    RunError for a model that is not the one examined any more.
    """
    with attempt(out, "eval-ladder", config, seed=0, resume=resume) as directory:
        examined = [RunDir.open(path, examination.STAGE) for path in config.evals]
        models = [_model(one) for one in examined]
        names = _names([one.path for one in models])
        found = [list(_rows(*triple)) for triple in zip(examined, models, names, strict=True)]
        _check_once(examined, found)
        rows = [row for some in found for row in some]
        rows.sort(key=lambda row: (row["task"], row["metric"], row["flops"], row["shots"]))
        directory.table("ladder", rows, COLUMNS)
        if warnings := cut.warnings(rows):
            directory.table("warnings", [{"warning": text} for text in warnings], ["warning"])
        directory.result("models", len(set(names)), unit="models")
        directory.result("tasks", len({row["task"] for row in rows}), unit="tasks")
    return directory


def _model(examined: RunDir) -> RunDir:
    """The run that was examined, as it was."""
    path = examined.config(examination.Config).run
    if path is None:
        raise ConfigError("examined a model whose compute nobody knows", where=examined.path, hint="examine runs")
    model = RunDir.open(path)
    if examined.origin["parents"]["run"]["digest"] != model.digest:
        what = f"examined another model than {path} is now"
        raise RunError(what, where=examined.path, hint="examine it again, to another --out")
    return model


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each model: its folder's, with so many of the folders above it that no two models share one."""
    known = {path: path.resolve() for path in paths}

    def name(path: Path) -> str:
        own = known[path].parts
        others = [other.parts for other in known.values() if other.parts != own]
        depth = next(n for n in range(1, len(own) + 1) if all(other[-n:] != own[-n:] for other in others))
        return "/".join(own[-depth:])

    return [name(path) for path in paths]


def _check_once(examined: Sequence[RunDir], found: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    seen: set[tuple[Any, ...]] = set()
    for run, rows in zip(examined, found, strict=True):
        for row in rows:
            key = tuple(row[name] for name in ("model", "task", "shots", "metric"))
            if key in seen:
                what = f"the model '{key[0]}' was asked '{key[1]}' with {key[2]} shots in another too"
                raise ConfigError(what, where=run.path, hint="name one of the two")
            seen.add(key)


def _rows(examined: RunDir, model: RunDir, shown: str) -> Iterator[dict[str, Any]]:
    flops = float(model.value("flops"))
    rows = examined.read_table("tasks")
    labels: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        labels.setdefault(_asked(row), set()).add(row["task"])
    for row in rows:
        name = row["task"] if len(labels[_asked(row)]) > 1 else _asked(row)[0]  # a task asked twice in the same way
        facts = {"model": shown, "flops": flops, "task": name, "shots": int(row["shots"])}
        yield facts | {name: row.get(name, "") for name in _COPIED}


def _asked(row: Mapping[str, str]) -> tuple[str, str]:
    """The declared task and its shots."""
    return row.get("declared") or row["task"], row["shots"]
