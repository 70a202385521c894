"""The corpus stage past one machine: its passes as pipelines of datatrove's executors (local, Slurm, Ray).

The passes over parts become one task a part; what lies between them one task each. All tasks see the run directory on a
file system that they share. The corpus is the same, to the byte, as from `presage.data.corpus.run`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import DataError, RunError
from presage.core.run import RunDir
from presage.data.build.config import Config
from presage.data.build.decide import decide
from presage.data.build.finish import finish
from presage.data.build.judge import judge
from presage.data.build.parts import Plan, Work
from presage.data.build.tables import Book
from presage.data.build.train import train_classifiers
from presage.data.corpus import build

Make = Callable[[str, list[Any], int, Any], Any]
"""(name, pipeline, number of tasks, executor that must end before or None) to an executor."""


def executors(config: Config, out: Path, make: Make) -> list[Any]:
    """The executors of a corpus run at `out`, each depending on the one before; running the last runs them all.

    Raises DataError where a source's path does not exist.
    """
    parts = len(Plan.of(config).parts)
    made: list[Any] = []
    for name, tasks in (("begin", 1), ("judge", parts), ("decide", 1), ("finish", parts), ("end", 1)):
        pipeline = [Step(name, str(out), config.to_json())]
        made.append(make(f"corpus-{name}", pipeline, tasks, made[-1] if made else None))
    return made


def run_local(config: Config, out: Path, logs: Path, *, at_once: int = 1) -> RunDir:
    """The corpus run through datatrove's executor for one machine. An interrupted one goes on when called again.

    Raises DataError without datatrove, and what `presage.data.corpus.run` raises.
    """
    try:
        from datatrove.executor.local import LocalPipelineExecutor
    except ImportError:
        raise DataError("needs datatrove", hint="pip install 'presage[cluster]'") from None

    def make(name: str, pipeline: list[Any], tasks: int, after: Any) -> Any:
        return LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=min(at_once, tasks), logging_dir=str(logs / name), depends=after
        )

    executors(config, out, make)[-1].run()
    return RunDir.open(out, "corpus")


@dataclass(frozen=True)
class Step:
    """One step of a pipeline: nothing flows through it, its result lies in the run directory."""

    name: str
    out: str
    config: str

    def __call__(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Carry out task `rank`."""
        _STEPS[self.name](Config.from_json(self.config), Path(self.out), rank)


def _begin(config: Config, out: Path, rank: int) -> None:
    with RunDir.create(out, "corpus", config, seed=config.seed, resume=out.exists()) as run:
        work = Work(out)
        work.begin()
        train_classifiers(work, run)


def _judge(config: Config, out: Path, rank: int) -> None:
    judge(out, rank)


def _decide(config: Config, out: Path, rank: int) -> None:
    Book(Work(out), RunDir(out)).judged()
    decide(out)


def _finish(config: Config, out: Path, rank: int) -> None:
    finish(out, rank)


def _end(config: Config, out: Path, rank: int) -> None:
    build(config, out, _all_there, resume=True)


def _all_there(step: str, _: Callable[[Path, int], None], out: Path) -> None:
    work = Work(out)
    missing = [index for index in range(len(work.plan.parts)) if not work.part(step, index).exists()]
    if missing:
        raise RunError(f"{len(missing)} parts have not been {step}; the first is {missing[0]}", where=out)


_STEPS = {"begin": _begin, "judge": _judge, "decide": _decide, "finish": _finish, "end": _end}
