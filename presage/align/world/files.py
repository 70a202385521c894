"""The world as files: what an assistant is fine-tuned, judged and examined on, one folder of JSON lines."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from presage.align.records import Demonstration, Preference, write_records
from presage.align.world.requests import requests, write_requests
from presage.align.world.teaching import demonstrations, preferences
from presage.core.errors import DataError, RunError
from presage.core.files import atomic_write, read_json, to_json

DEMONSTRATIONS, PREFERENCES, REQUESTS = "demonstrations.jsonl", "preferences.jsonl", "requests.jsonl"
HELD_OUT, HELD_OUT_PREFERENCES = "held-out.jsonl", "held-out-preferences.jsonl"
HELD_OUT_DEMONSTRATIONS = "held-out-demonstrations.jsonl"
DRAWN = "drawn.json"
"""Seed and sizes."""
_APART = "--held-out"
Made = TypeVar("Made")


@dataclass(frozen=True)
class Sizes:
    """How much of everything; `held_out` of each of the three files of held-out prompts."""

    demonstrations: int = 4000
    preferences: int = 3000
    requests: int = 2000
    held_out: int = 1000


def write_world(folder: Path, seed: int = 0, sizes: Sizes = Sizes()) -> list[Path]:
    """Write the six files, and what they were drawn with; the same for the same seed and sizes.

    Examination, `held_out`, is drawn apart from what preferences and demonstrations of held-out prompts show.

    The folder appears whole or not at all. Raises DataError for one that holds anything, or sizes beyond the world's,
    before anything is written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError("not a new or empty folder", where=folder, hint="choose another --out")
    taught: dict[str, Sequence[Demonstration | Preference]] = {
        DEMONSTRATIONS: _made("--demonstrations", demonstrations, seed, sizes.demonstrations),
        PREFERENCES: _made("--preferences", preferences, seed, sizes.preferences),
        HELD_OUT_PREFERENCES: _made(_APART, preferences, seed, sizes.held_out, True),
        HELD_OUT_DEMONSTRATIONS: _made(_APART, demonstrations, seed, sizes.held_out, True),
    }
    asked = {
        REQUESTS: _made("--requests", requests, seed, sizes.requests),
        HELD_OUT: _made(_APART, requests, seed, sizes.held_out, True),
    }
    begun = folder.with_name(f".{folder.name}.tmp")
    try:
        shutil.rmtree(begun, ignore_errors=True)  # of a process that was killed here
        begun.mkdir(parents=True)
    except OSError as error:
        raise DataError(f"cannot be made: {error.strerror}", where=folder) from None
    for name, records in taught.items():
        write_records(begun / name, records)
    for name, prompts in asked.items():
        write_requests(begun / name, prompts)
    with atomic_write(begun / DRAWN) as file:
        file.write(to_json(_drawn(seed, sizes), folder / DRAWN, indent=2).encode() + b"\n")
    begun.rename(folder)
    return [folder / name for name in (*taught, *asked)]


def check_world(folder: Path, seed: int, sizes: Sizes) -> None:
    """Raises RunError for a whole world that was drawn with another seed or other sizes."""
    found = read_json(folder / DRAWN)
    if found != _drawn(seed, sizes):
        what = f"drawn with {_said(found)}, not with {_said(_drawn(seed, sizes))}"
        raise RunError(what, where=folder, hint="choose another --out")


def _drawn(seed: int, sizes: Sizes) -> dict[str, int]:
    return {"seed": seed} | asdict(sizes)


def _said(drawn: Any) -> str:
    return (
        ", ".join(f"{name} {value}" for name, value in drawn.items()) if isinstance(drawn, dict) else f"{drawn!r:.60}"
    )


def _made(
    option: str, make: Callable[[int, int, bool], Sequence[Made]], seed: int, count: int, held_out: bool = False
) -> Sequence[Made]:
    try:
        return make(seed, count, held_out)
    except DataError as error:
        raise DataError(error.what, where=f"{option} {count}", hint=error.hint) from None
