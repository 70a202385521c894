"""Training state on disk: a checkpoint is whole or it is not there, and a damaged one is never loaded.

checkpoints/<step>/ holds model.safetensors, optimizer.safetensors, whatever else a stage keeps (a value model and its
optimizer), state.json and MANIFEST (the sha256 of each, written last). The folder is filled under a temporary name and
renamed, so a kill at any moment leaves the newest complete checkpoint in place; one that fails its digests is skipped
and the one before it is used.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError

from presage.core.errors import CorruptError, RunError
from presage.core.files import on_disk
from presage.core.run import note
from presage.model.tensorfile import save_tensors
from presage.model.transformer import Transformer
from presage.model.weights import load_tensors, model_tensors, read_tensors, verified, write_manifest
from presage.train import dcp
from presage.train.optim import Optimizer

CHECKPOINT_FILES = ("model.safetensors", "optimizer.safetensors", "state.json")


@dataclass
class TrainState:
    """Where training stands. Everything else is a pure function of this and the config."""

    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    step: int = 0
    tokens: int = 0
    sequences: int = 0
    """Sequences drawn from the loader: the data cursor."""
    updates: int = 0
    """Optimizer steps made: `step` less the skipped ones."""
    skipped: int = 0
    skipped_in_row: int = 0
    flops: int = 0
    norms: list[float] = field(default_factory=list)
    """Recent gradient norms, against which an exploding one is judged."""
    noise: dict[str, float] = field(default_factory=dict)
    """Running averages of the gradient-noise-scale estimate."""
    carried: dict[str, float] = field(default_factory=dict)
    """What else a stage takes from step to step."""


STATE = TypeAdapter(TrainState)
PASSING = "PASSING"
"""A file in checkpoints that were saved because of a signal, between two that were due."""


Further = Mapping[str, Mapping[str, torch.Tensor]]
"""{file name without its ending: tensors that a checkpoint holds besides the model and its optimizer}."""
NOTHING: Further = {}


def save(
    run: Path,
    model: Transformer,
    optimizer: Optimizer,
    state: TrainState,
    keep: int,
    *,
    passing: bool = False,
    further: Further = NOTHING,
) -> Path:
    """Write checkpoints/<step> and prune all but the newest `keep` complete ones. RunError when the disk is full.

    A `passing` one goes when the next is written, so that a run that was stopped ends with the files of one that
    was not.
    """
    target, temporary = places(run, state.step)

    parts = {"model": model_tensors(model), "optimizer": optimizer.state, **further}

    def write() -> None:
        begin(temporary)
        files = {f"{name}.safetensors": tensors for name, tensors in parts.items()}
        digests = {name: save_tensors(temporary / name, tensors) for name, tensors in files.items()}
        _sync(temporary)
        close(temporary, target, state, passing=passing, digests=digests)

    saving(run, state.step, write)
    prune(run, keep)
    return target


def saving(run: Path, step: int, action: Callable[[], None]) -> None:
    """Do what writes a checkpoint. Raises RunError where it cannot be written."""
    try:
        action()
    except (OSError, RunError) as error:
        raise cannot_save(run, step, error) from error


def places(run: Path, step: int) -> tuple[Path, Path]:
    """A checkpoint's folder, and the one it is while it is being written."""
    target = run / "checkpoints" / f"{step:08d}"
    return target, target.with_name(target.name + ".tmp")


def begin(temporary: Path) -> None:
    """An empty folder, whatever a run that was killed has left."""
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)


def close(
    temporary: Path, target: Path, state: TrainState, *, passing: bool, digests: Mapping[str, str] | None = None
) -> None:
    """Write what closes a checkpoint, and give it its name; of some files the sha256 may be known."""
    (temporary / "state.json").write_text(json.dumps(asdict(state)) + "\n")
    if passing:
        (temporary / PASSING).touch()
    write_manifest(temporary, digests or {})
    _sync(temporary)
    shutil.rmtree(target, ignore_errors=True)
    os.replace(temporary, target)


def cannot_save(run: Path, step: int, error: Exception) -> RunError:
    """What to raise where writing failed, with nothing left of it."""
    target, temporary = places(run, step)
    shutil.rmtree(temporary, ignore_errors=True)
    reason = getattr(error, "strerror", None) or getattr(error, "what", None) or error
    return RunError(
        f"cannot save a checkpoint: {reason} ({shutil.disk_usage(run).free:,} bytes free)",
        where=target,
        hint="make room and resume; earlier checkpoints are intact",
    )


def prune(run: Path, keep: int) -> None:
    """Keep the newest `keep` complete checkpoints."""
    found = checkpoints(run)
    passing = [folder for folder in found[:-1] if (folder / PASSING).exists()]
    torn = [folder for folder in (run / "checkpoints").iterdir() if folder not in found]  # killed while pruning
    for old in torn + passing + [folder for folder in found if folder not in passing][:-keep]:
        shutil.rmtree(old, ignore_errors=True)


def checkpoints(run: Path) -> list[Path]:
    """Checkpoint folders with a MANIFEST, oldest first."""
    return sorted(p.parent for p in (run / "checkpoints").glob("*/MANIFEST") if p.parent.name.isdigit())


def files(folder: Path, further: Further = NOTHING) -> list[str]:
    """What a checkpoint has to have. Raises CorruptError for shards that are not those of its MANIFEST."""
    if dcp.is_sharded(folder):
        return [*dcp.shards(folder), "state.json"]
    return [*CHECKPOINT_FILES, *(f"{name}.safetensors" for name in further)]


def verify(folder: Path, further: Further = NOTHING) -> None:
    """Raise CorruptError naming the file that is missing or differs from MANIFEST."""
    for name in files(folder, further):
        verified(folder, name)


def load(folder: Path, model: Transformer, optimizer: Optimizer | None, further: Further = NOTHING) -> TrainState:
    """Verify a checkpoint, fill model, optimizer and what else is to be filled, return its state."""
    verify(folder, further)
    if dcp.is_sharded(folder):
        dcp.read(folder, model_tensors(model) | (optimizer.state if optimizer else {}), alone=True)
        return state_of(folder)
    for name, tensors in further.items():
        _fill(tensors, read_tensors(folder / f"{name}.safetensors"), folder)
    load_tensors(model, read_tensors(folder / "model.safetensors"), folder / "model.safetensors")
    if optimizer is not None:
        _fill(optimizer.state, read_tensors(folder / "optimizer.safetensors"), folder)
    return state_of(folder)


def state_of(folder: Path) -> TrainState:
    """Raises CorruptError for anything but the fields of a state: a manifest that agrees proves no good will."""
    path = folder / "state.json"
    try:
        return STATE.validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        what = " ".join((".".join(map(str, first["loc"])), first["msg"])).strip()
        raise CorruptError(f"not the state of a run: {what}", where=path) from None


def load_newest(run: Path, model: Transformer, optimizer: Optimizer, further: Further = NOTHING) -> TrainState | None:
    """The newest checkpoint that verifies; damaged ones are named and removed. None when there is none."""
    for folder in sorted((p for p in (run / "checkpoints").glob("*") if p.is_dir()), reverse=True):
        try:
            return load(folder, model, optimizer, further)
        except CorruptError as error:
            note(f"presage: damaged checkpoint skipped: {error}")
            discard(folder)
    return None


def discard(folder: Path) -> None:
    """Remove a damaged checkpoint. Raises RunError where it cannot be."""
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise RunError(f"a damaged checkpoint that cannot be removed: {error.strerror}", where=folder) from None


@torch.no_grad()
def _fill(into: Mapping[str, torch.Tensor], tensors: dict[str, torch.Tensor], folder: Path) -> None:
    if into.keys() != tensors.keys():
        odd = sorted(into.keys() ^ tensors.keys())[0]
        raise CorruptError(f"the state kept there is not this run's: '{odd}'", where=folder)
    for name, tensor in tensors.items():
        into[name].copy_(tensor)


def _sync(folder: Path) -> None:
    """Contents before names: fsync each file, then the folder."""
    for path in [*folder.iterdir(), folder]:
        on_disk(path)
