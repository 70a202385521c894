"""Stages below one folder: run, gone on with, or taken as they are, so that the same command goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from presage.core.config import Config
from presage.core.errors import RunError
from presage.core.run import RunDir, load_config
from presage.forecast import ledger

FILLED = ("device", "model", "threads")
"""Fields that a stage fills in as it begins."""
OTHER = "choose another --out, or remove it"


def kept(stage: Any, make: Callable[[], Config], out: Path) -> RunDir:
    """Run a stage, go on with it, or take it as it is; what was begun keeps the config it began with."""
    if (out / "DONE").is_file():
        return RunDir.open(out)
    begun = (out / "config.json").is_file()
    config = load_config(stage.Config, out / "config.json") if begun else make()
    finished: RunDir = stage.run(config, out, resume=begun)
    return finished


def same(stage: Any, make: Callable[[], Config], out: Path) -> RunDir:
    """As `kept`, where the config does not hang on the clock: what was begun keeps the device it began with alone.

    Raises RunError for a run of another config: of another base, seed or size.
    """
    begun = (out / "config.json").is_file()
    config = _as_begun(stage, make(), out) if begun else make()
    return kept(stage, lambda: config, out)


def entered(file: Path, sealed: RunDir, name: str) -> None:
    """A forecast into the ledger, unless an interrupted chain has done so."""
    before = ledger.read(file) if file.is_file() else []
    if all(getattr(entry.what, "seal", None) != sealed.value("seal") for entry in before):
        ledger.append_seal(file, sealed.path, name)


def _as_begun(stage: Any, config: Config, out: Path) -> Config:
    """The config with what the run in `out` has filled in. Raises RunError where it was made with another."""
    before = load_config(stage.Config, out / "config.json")
    filled = {name: getattr(before, name) for name in FILLED if name in stage.Config.model_fields}
    config = config.model_copy(update=filled)
    changed = RunDir(out).changed(config)
    if changed:
        field, (was, now) = next(iter(changed.items()))
        raise RunError(f"was made with {field} = {was!r:.60}, not {now!r:.60}", where=out, hint=OTHER)
    return config
