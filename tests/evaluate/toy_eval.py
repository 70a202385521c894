"""The stage "eval" on small tasks and toy models, and one that is interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.evaluate import asking
from presage.evaluate import run as stage
from presage.evaluate.asking import Asked
from presage.tasks.task import Task
from tests.toy_model import ToyModel


class Interrupted(ToyModel):
    """Stopped at the first request that is asked after so many."""

    after: int = 6

    def loglikelihood(self, requests: Any) -> Any:
        if len(self.asked) >= self.after:
            raise KeyboardInterrupt
        return super().loglikelihood(requests)

    def generate(self, requests: Any) -> Any:
        if len(self.asked) >= self.after:
            raise KeyboardInterrupt
        return super().generate(requests)


def library(monkeypatch: pytest.MonkeyPatch, *tasks: Task) -> None:
    """These are all the tasks that there are."""
    known: Mapping[str, Task] = {task.name: task for task in tasks}

    def find(name: str) -> Task:
        if name not in known:
            raise ConfigError(f"unknown task '{name}'")
        return known[name]

    monkeypatch.setattr(asking, "find_task", find)


def config(*names: str, **changes: Any) -> stage.Config:
    """The tasks, "name" or "name@K", three examples at a time."""
    tasks = []
    for name in names or ("capitals",):
        task, at, shots = name.partition("@")
        tasks.append(Asked(task=task, shots=int(shots) if at else None))
    given: dict[str, Any] = {"model": "toy", "tasks": tuple(tasks), "part": 3} | changes
    return stage.Config(**given)


def examine(out: Path, model: ToyModel | None, *names: str, resume: bool = False, **changes: Any) -> RunDir:
    """The finished examination."""
    return stage.run(config(*names, **changes), out, resume=resume, model=model or ToyModel())


def interrupt(out: Path, *names: str, **changes: Any) -> Path:
    """An examination that ends after its first part; its directory."""
    with pytest.raises(KeyboardInterrupt):
        examine(out, Interrupted(), *names, **changes)
    assert (out / "samples.jsonl").read_bytes().count(b"\n") == changes.get("part", 3)
    return out
