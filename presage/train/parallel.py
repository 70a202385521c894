"""Many processes, one run: torchrun starts them, PyTorch's collectives join them, and the first one writes.

Every rank holds the whole model (or a share of it: sharded.py) and computes its share of each batch; gradients are
summed, so the update is that of one process to rounding, whatever the number of ranks. What batch comes next depends on
the seed and the step alone.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from presage.core.config import Config
from presage.core.device import Device
from presage.core.errors import PresageError, RunError, SaidElsewhere, Unavailable
from presage.core.onlooker import Onlooker
from presage.core.run import RunDir, note
from presage.core.workers import usable_cores
from presage.model.transformer import Transformer
from presage.train import state as states
from presage.train.optim import WHOLE, Optimizer, Whole

T = TypeVar("T")
TIMEOUT = 600.0
"""Seconds that ranks wait for each other; evaluation and saving by the first one included."""
START = timedelta(seconds=300)
"""Until all of them have been started."""
STEP = "step/{}"


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is. `store` is where each leaves word of how far it has come."""

    rank: int = 0
    world: int = 1
    local: int = 0
    neighbours: int = 1
    """Ranks on this machine."""
    store: Any = None

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    @property
    def evaluates(self) -> bool:
        """Whether this one takes part in evaluating: who has the model."""
        return self.first

    @property
    def facts(self) -> dict[str, object]:
        """What origin.json says of how it was computed."""
        return {"ranks": self.world} if self.world > 1 else {}

    @property
    def layout(self) -> Whole:
        """Where an optimizer finds what it changes."""
        return WHOLE

    def spread(self, model: Transformer, device: torch.device) -> Transformer:
        """The model where it is to be trained."""
        return model.to(device)

    def newest(self, run: Path, model: Transformer, optimizer: Optimizer) -> states.TrainState | None:
        """Fill model and optimizer from the newest whole checkpoint, and return its state; None where there is none.

        The first rank decides which that is. Raises RunError where another one cannot read it.
        """
        found = self.by_first(lambda: states.load_newest(run, model, optimizer), lambda: None)
        step = self.from_first(-1 if found is None else found.step)
        if self.first or step < 0:
            state, error = found, None
        else:
            state, error = self.tried(lambda: states.load(states.places(run, step)[0], model, optimizer))
        self.agree(error)
        return state

    def begin_from(self, folder: Path, run: Path, model: Transformer, optimizer: Optimizer, keep: int) -> None:
        """Make a checkpoint of another run the first one of this. Raises what loading and saving it raise."""
        self.by_first(
            lambda: states.save(run, model, optimizer, states.load(folder, model, optimizer), keep), lambda: None
        )

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
        """Write a checkpoint; the `last` one of a run is what other stages read. Raises RunError where it cannot be."""
        if self.first:
            states.save(run, model, optimizer, state, keep, passing=passing)

    def whole(self, model: Transformer, run: Path) -> Transformer:
        """The model of a run that has ended, for the use of this rank alone."""
        return model

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While others are waited for. Raises RunError naming ranks that do not come."""
        yield

    def share(self, count: int) -> tuple[int, int]:
        """(first, how many) of so many sequences are this rank's; shares differ by one at most."""
        begin, end = (place * count // self.world for place in (self.rank, self.rank + 1))
        return begin, end - begin

    def passes(self, count: int, most: int) -> list[tuple[int, int, int]]:
        """(first, how many, how often they count) of the sequences of each of this rank's passes over the model, of a
        batch of `count`, at most so many at once."""
        begin, own = self.share(count)
        return [(start, min(most, begin + own - start), 1) for start in range(begin, begin + own, most)]

    def everywhere(self, value: float) -> float:
        """A sum over parameters, of what it is over those that are here."""
        return value

    def at(self, step: int) -> None:
        """Leave word that this rank has begun a step."""
        if self.store is not None:
            self.store.set(STEP.format(self.rank), str(step))

    def total(self, values: Sequence[float]) -> list[float]:
        """Each value summed over all ranks, in double precision. Raises RunError naming ranks that do not come."""
        if self.world == 1:
            return [*values]
        together = torch.tensor(values, dtype=torch.float64)  # on the CPU: where it is waited for
        self._waited(lambda: dist.all_reduce(together))
        return [float(one) for one in together.tolist()]

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Gradients summed over all ranks, the same bits on each; a rank without any has zeros."""
        if self.world == 1:
            return
        for one in parameters:
            one.grad = torch.zeros_like(one) if one.grad is None else one.grad
        gradients = [one.grad for one in parameters if one.grad is not None]
        flat = torch.cat([one.flatten() for one in gradients])
        self._waited(lambda: dist.all_reduce(flat))
        for one, summed in zip(gradients, torch.split(flat, [one.numel() for one in gradients]), strict=True):
            one.copy_(summed.view_as(one))

    def told(self, error: PresageError) -> PresageError:
        """What every rank raises alike, said by the first one alone."""
        return error if self.first else SaidElsewhere(error.exit_code)

    def by_first(self, make: Callable[[], T], otherwise: Callable[[], T]) -> T:
        """What the first rank makes, and what the others do instead once it is made. Where it fails, its error is
        raised there, and the others end in silence with its exit code."""
        if self.world == 1:
            return make()
        made, error = self.tried(make) if self.first else (None, None)
        said = torch.tensor([0 if error is None else error.exit_code])
        self._waited(lambda: dist.broadcast(said, src=0))
        if error is not None:
            raise error
        if int(said):
            raise SaidElsewhere(int(said))
        return made if self.first else otherwise()  # type: ignore[return-value]

    def alike(self, make: Callable[[], T]) -> T:
        """What every rank makes for itself, at once. Where one cannot, none goes on: what they all find is said by the
        first one, and what another one finds by that."""
        made, error = self.tried(make)
        code = self.from_first(0 if error is None else error.exit_code)
        if code:
            raise self.told(error) if error else SaidElsewhere(code)
        self.agree(error)
        return made  # type: ignore[return-value]

    def directory(self, out: Path, stage: str, config: Config, **how: Any) -> RunDir:
        """The run's directory, which the first rank alone writes. Raises what RunDir.create raises."""
        make = partial(RunDir.create, out, stage, config, **how | self.facts)
        return self.by_first(make, lambda: Onlooker(out))

    def from_first(self, value: int) -> int:
        """What the first rank says."""
        return int(self.total([value if self.first else 0])[0])

    def agree(self, error: PresageError | None) -> None:
        """Raise at all ranks where there is an error at one, which says it."""
        if any(self.total([error is not None])):
            if error is not None and not self.first:
                note(f"presage: rank {self.rank}: {error}")
            raise self.told(error or RunError("another rank cannot go on"))

    def device(self, choose: Callable[[int | None], Device]) -> Device:
        """What the first rank chooses, given how many threads each may have (None: all); the others take the same."""
        if self.world == 1:
            return choose(None)
        chosen = choose(max(1, usable_cores() // self.neighbours)) if self.first else Device()
        kind = [float(chosen.device.startswith("cuda")), float(chosen.dtype == "bfloat16")]
        facts = [*kind, float(chosen.threads), chosen.peak_flops or 0.0]
        gpu, fast, threads, peak = self.total(facts if self.first else [0.0] * len(facts))
        if gpu and self.neighbours > torch.cuda.device_count():
            found = f"{self.neighbours} ranks on a machine with {torch.cuda.device_count()} GPUs"
            raise self.told(Unavailable(found, where="torchrun", hint="as many as there are, or device.device=cpu"))
        same = {"dtype": "bfloat16" if fast else "float32", "threads": int(threads), "peak_flops": peak or None}
        return chosen if self.first else Device.model_validate({"device": "cuda" if gpu else "cpu"} | same)

    def tried(self, make: Callable[[], T]) -> tuple[T | None, PresageError | None]:
        """(what was made, None) or (None, why not)."""
        try:
            return make(), None
        except PresageError as error:
            return None, error

    def _waited(self, action: Callable[[], object]) -> None:
        try:
            action()
        except RuntimeError:
            raise self.left_alone() from None

    def left_alone(self) -> RunError:
        """What is raised where others do not come, naming them."""
        hint = "look at its own output; the newest checkpoint is whole, and --resume goes on from there"
        return RunError(self._behind(), where=f"rank {self.rank} of {self.world}", hint=hint)

    def _behind(self) -> str:
        """Which ranks are not where this one is, as far as the store can be asked."""
        try:
            names = [STEP.format(rank) for rank in range(self.world)]
            steps = [int(self.store.get(name)) if self.store.check([name]) else -1 for name in names]
        except (RuntimeError, ValueError):
            return "the first rank is gone"
        late = [str(rank) for rank, step in enumerate(steps) if step < steps[self.rank]]
        return f"rank {', '.join(late)} did not come to step {steps[self.rank]}" if late else "another rank ended"


ALONE = Ranks()


@contextlib.contextmanager
def joined(timeout: float = TIMEOUT, several: type[Ranks] = Ranks) -> Iterator[Ranks]:
    """The ranks that torchrun started, `several` or this process alone. RunError where they do not find each other."""
    if "RANK" not in os.environ:
        yield ALONE
        return
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    local, neighbours = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    if local < torch.cuda.device_count():
        torch.cuda.set_device(local)
    limit = timedelta(seconds=timeout)
    try:
        found, _, _ = next(rendezvous("env://", timeout=START))
        store = PrefixStore(f"presage/{_restart()}", found)
        here = [f"here/{number}" for number in range(world)]
        store.set(here[rank], "")
        store.wait(here, START)  # before the first wait of `timeout`: processes start at their own pace
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=limit)
    except (RuntimeError, ValueError) as error:
        raise RunError(f"ranks do not find each other: {str(error).splitlines()[0]}", where="torchrun") from None
    try:
        yield (several if world > 1 else Ranks)(rank, world, local, neighbours, store)
    finally:
        dist.destroy_process_group()


def _restart() -> str:
    """Which start this is, where torchrun's store outlives one: nobody is to be looked for at addresses of before."""
    kept = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") if kept else "0"
