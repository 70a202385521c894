"""A model that no rank holds whole: each has a share of every parameter, gradient and moment (FSDP2).

What is needed of a block is gathered while the block is at work. The update is that of one process to rounding: an
elementwise step is taken where the numbers are, and of the matrices to be orthogonalised each rank gets some whole.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor

from presage.core.errors import CorruptError, RunError
from presage.core.files import sha256
from presage.core.run import note
from presage.model.tensorfile import save_tensors
from presage.model.transformer import Transformer
from presage.model.weights import (
    MODEL_FILE,
    checkpoint,
    filled,
    model_tensors,
    read_tensors,
    verified,
)
from presage.train import dcp
from presage.train import state as states
from presage.train.optim import Optimizer, Whole, orthogonalise
from presage.train.parallel import Ranks

T = TypeVar("T")
DIGESTS = "digests/{}/{}"
"""Of what a rank has written of a step's checkpoint."""


class Shared(Whole):
    """Numbers of which each rank has the rows that FSDP2 gave it."""

    def __init__(self, rank: int, world: int) -> None:
        self.rank, self.world = rank, world

    def own(self, tensor: Tensor) -> Tensor:
        """The rows that are here."""
        return tensor.to_local() if isinstance(tensor, DTensor) else tensor

    def orthogonalised(self, updates: Sequence[Tensor], rows: int) -> Iterator[Tensor]:
        """As many matrices at a time as there are ranks: each gets one whole, and gives back the others' rows."""
        for start in range(0, len(updates), self.world):
            yield from self._one_each(updates[start : start + self.world], rows)

    def _one_each(self, updates: Sequence[Tensor], rows: int) -> list[Tensor]:
        parts = torch.arange(rows).chunk(self.world)
        columns = math.prod(updates[0].shape[1:])
        held = [len(part) * columns for part in parts] + [0] * (self.world - len(parts))
        here, busy = held[self.rank], self.rank < len(updates)
        given = [here if rank < len(updates) else 0 for rank in range(self.world)]
        got = held if busy else [0] * self.world
        flat = torch.cat([update.flatten() for update in updates])
        whole = flat.new_empty(sum(got))
        dist.all_to_all_single(whole, flat, got, given)
        if busy:
            whole = orthogonalise(whole.view(1, rows, columns)).to(flat.dtype).flatten()
        dist.all_to_all_single(flat, whole, given, got)
        pieces = torch.split(flat, [here] * len(updates))
        return [piece.view_as(update) for piece, update in zip(pieces, updates, strict=True)]


@dataclass(frozen=True)
class Sharded(Ranks):
    """Ranks that share a model."""

    @property
    def evaluates(self) -> bool:
        """All of them: none has the model."""
        return True

    @property
    def facts(self) -> dict[str, object]:
        """And that the model was shared."""
        return super().facts | {"sharded": True}

    @property
    def layout(self) -> Whole:
        """Each with its rows."""
        return Shared(self.rank, self.world)

    def spread(self, model: Transformer, device: torch.device) -> Transformer:
        """The same model, of which this rank keeps its share; a block at a time is moved to the device."""
        mesh = init_device_mesh(device.type, (self.world,))
        for part in (*model.blocks, model):
            fully_shard(part, mesh=mesh)
        for part in model.modules():
            if isinstance(part, FSDPModule):  # summed, as the loss is
                part.set_gradient_divide_factor(1.0)
                part.set_force_sum_reduction_for_comms(True)
        register_fsdp_forward_method(model, "hidden")
        return model

    def passes(self, count: int, most: int) -> list[tuple[int, int, int]]:
        """As many at every rank, since all gather what each needs; one too many counts nothing."""
        own = super().passes(count, most)
        begin, _ = self.share(count)
        missing = math.ceil(math.ceil(count / self.world) / most) - len(own)
        return own + [(begin, 1, 0)] * missing

    def everywhere(self, value: float) -> float:
        """Summed over the ranks."""
        return self.total([value])[0]

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """They have been, as they came."""

    def newest(self, run: Path, model: Transformer, optimizer: Optimizer) -> states.TrainState | None:
        """Each rank fills its share of the one that the first finds; what any finds damaged is skipped by all."""
        while (step := self.from_first(max(_steps(run), default=-1))) >= 0:
            folder, _ = states.places(run, step)
            state = self._loaded(folder, model, optimizer)
            if state is not None:
                return state
            self.by_first(partial(states.discard, folder), lambda: None)
        return None

    def begin_from(self, folder: Path, run: Path, model: Transformer, optimizer: Optimizer, keep: int) -> None:
        """Each rank fills its share and writes it."""
        state = self._loaded(folder, model, optimizer)
        if state is None:
            raise self.told(CorruptError("a checkpoint that cannot be gone on from", where=folder))
        self.save(run, model, optimizer, state, keep, last=True)

    def at(self, step: int) -> None:
        """And wait: in the middle of a pass nobody would be named."""
        super().at(step)
        self.total([0.0])

    def save(
        self,
        run: Path,
        model: Transformer,
        optimizer: Optimizer,
        state: states.TrainState,
        keep: int,
        *,
        passing: bool = False,
        last: bool = False,
    ) -> None:
        """Each rank writes its share, and the first one closes the checkpoint; the last one has the model whole too."""
        target, temporary = states.places(run, state.step)
        safely = partial(states.saving, run, state.step)
        self.by_first(lambda: safely(lambda: states.begin(temporary)), lambda: None)

        def write() -> dict[str, str]:
            dcp.write(temporary, model_tensors(model) | optimizer.state, self.rank)
            return {path.relative_to(temporary).as_posix(): sha256(path) for path in dcp.of_rank(temporary, self.rank)}

        own, error = self.tried(write)
        self.agree(None if error is None else states.cannot_save(run, state.step, error))
        self.store.set(DIGESTS.format(state.step, self.rank), json.dumps(own))

        def close() -> None:
            whole = {MODEL_FILE: _write_whole(temporary, model)} if last else {}
            told = [self.store.get(DIGESTS.format(state.step, rank)) for rank in range(self.world)]
            digests = {name: digest for each in told for name, digest in json.loads(each).items()}
            absent = sorted(name for name in digests if not (temporary / name).is_file())
            if absent:
                raise RunError(f"{absent[0]} is not here: all ranks have to see the same --out", where=temporary)
            states.close(temporary, target, state, passing=passing, digests=digests | whole)
            states.prune(run, keep)

        self.by_first(lambda: safely(close), lambda: None)

    def whole(self, model: Transformer, run: Path) -> Transformer:
        """Read from the last checkpoint."""
        return filled(model.config, read_tensors(verified(checkpoint(run), MODEL_FILE)))

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Blocks wait for the other ranks in the middle of a pass: who does not come is named there too."""
        try:
            yield
        except RuntimeError as error:
            if isinstance(error, dist.DistError) or "gloo" in str(error):
                raise self.left_alone() from None
            raise

    def _loaded(self, folder: Path, model: Transformer, optimizer: Optimizer) -> states.TrainState | None:
        """Its state where all ranks find their part as it was written."""

        def verify() -> bool:
            for name in states.files(folder)[self.rank :: self.world]:
                verified(folder, name)
            return True

        def fill() -> states.TrainState:
            dcp.read(folder, model_tensors(model) | optimizer.state)
            return states.state_of(folder)

        return self._agreed(fill) if self._agreed(verify) else None

    def _agreed(self, action: Callable[[], T]) -> T | None:
        """What an action gives where it succeeds at all ranks; otherwise the first one of which it fails says why."""
        made, error = self.tried(action)
        failed = self.total([float(error is not None and rank == self.rank) for rank in range(self.world)])
        if error is not None and failed.index(1.0) == self.rank:
            note(f"presage: damaged checkpoint skipped: {error}")
        return None if any(failed) else made


def _steps(run: Path) -> list[int]:
    return [int(folder.name) for folder in (run / "checkpoints").glob("*") if folder.name.isdigit()]


def _write_whole(folder: Path, model: Transformer) -> str:
    """What other stages read, put together from the shards of all; returns its sha256."""
    tensors = {name: torch.empty(t.shape, dtype=t.dtype) for name, t in model_tensors(model).items()}
    dcp.read(folder, tensors, alone=True)
    return save_tensors(folder / MODEL_FILE, tensors)
