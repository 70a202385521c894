"""What `presage eval` is told, read and checked before anything is opened."""

from __future__ import annotations

import os
from inspect import Signature
from itertools import pairwise
from pathlib import Path
from typing import Any

from presage.core.errors import PresageError
from presage.core.strict import whole_number

COMPARING = {"compare", "page", "json", "quiet"}


def check_alone(given: dict[str, Any], verb: Signature) -> None:
    """PresageError for options that a comparison would ignore; `given` has the value of every one of the verb's."""
    usual = verb.parameters
    other = [name for name, value in given.items() if name not in COMPARING and value != usual[name].default]
    if other:
        named = ", ".join("MODEL" if name == "model" else f"--{name.replace('_', '-')}" for name in other)
        hint = "it compares two finished examinations as they are"
        raise PresageError(f"--compare does not go with {named}", where="eval", hint=hint)


def check_together(ladder: Path | None, runs_per_budget: int, page: Path | None) -> None:
    """PresageError for what goes with a ladder alone, or with a single model alone."""
    if ladder is None and runs_per_budget != 1:
        raise PresageError("--runs-per-budget goes with --ladder", where="eval")
    if ladder is not None and page is not None:
        hint = "presage eval --compare A B --page FILE shows two of its models"
        raise PresageError("--page does not go with --ladder", where="eval", hint=hint)


def names_of(text: str) -> list[str]:
    """Names of tasks with commas between. PresageError where there is none, or a file's name has a comma itself."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise PresageError("--tasks names no task", where="eval", hint="`presage tasks` lists those of the library")
    torn = next((f"{one},{other}" for one, other in pairwise(text.split(",")) if _is_file(f"{one},{other}")), None)
    if torn is not None:
        raise PresageError(f"a comma in the name of a file: '{torn}'", where="--tasks", hint="rename the file")
    return names


def _is_file(name: str) -> bool:
    """Whether a task's name is a file's, with a grader or shots after it or without."""
    unshot = name.strip().rpartition("@")[0]
    return any(os.path.isfile(one) for whole in (name.strip(), unshot) for one in (whole, whole.rpartition(":")[0]))


def numbers_of(text: str) -> tuple[int, ...]:
    """Numbers of shots with commas between; none for an empty text. PresageError for anything else."""
    numbers = [whole_number(word) for word in text.split(",") if word]
    if None in numbers:
        raise PresageError(f"--shots '{text:.60}' is not a list of numbers", where="eval", hint="write --shots 0,1,5")
    return tuple(number for number in numbers if number is not None)
