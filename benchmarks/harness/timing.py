"""One process per system: it builds a model, then makes as many full training steps as it is told and says how long.

A process of its own gives each system the allocator and threads it would have alone; between its turns it sleeps on its
standard input. Started as `python timing.py SPEC`, SPEC being the JSON of a System.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Self

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from harness import peer
from presage.core.device import Device
from presage.core.errors import PresageError
from presage.model.config import ModelConfig
from presage.model.transformer import build
from presage.train.compiled import compiled
from presage.train.optim import OptimConfig, Optimizer, clip_gradients
from presage.train.pretrain import next_token_loss

Step = Callable[[], None]
BATCHES = 4  # different random batches, visited in turn
OPEN = ExitStack()  # as long as this process
atexit.register(OPEN.close)


@dataclass(frozen=True)
class System:
    """What to time. `model` and `device` are plain data of ModelConfig and Device; `nanogpt` is the peer's checkout."""

    label: str
    block: str
    model: dict[str, Any]
    device: dict[str, Any]
    batch: int
    micro_batch: int
    optimizer: str = "adamw"
    nanogpt: str | None = None
    compiled: bool = False

    @property
    def tokens(self) -> int:
        """Tokens of one step."""
        return int(self.batch * self.model["context_length"])

    @property
    def flops_per_token(self) -> int:
        """Training FLOPs per token by our formula, for the peer's shape as well."""
        return ModelConfig.parse(self.model).flops_per_token()


class Worker:
    """A system's process. `with Worker(system) as w: seconds = w.run(steps)`."""

    def __init__(self, system: System) -> None:
        self.system = system
        command = [sys.executable, str(Path(__file__).resolve()), json.dumps(asdict(system))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ready = self._answer()
        self.n_params, self.step_seconds = int(ready["n_params"]), float(ready["seconds"])

    def run(self, steps: int) -> float:
        """Seconds of `steps` steps, one unmeasured step before them."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{steps}\n")
        self._process.stdin.flush()
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PresageError("its process ended", where=self.system.label, hint="its message stands above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def presage_step(system: System) -> tuple[Step, int]:
    """A full step as presage's loop makes it, and the number of parameters."""
    device = Device.parse(system.device)
    place = device.apply()
    model = build(ModelConfig.parse(system.model), 0).to(place)
    if system.compiled:
        OPEN.enter_context(compiled(model, device, min(system.batch, system.micro_batch)))
    # The rates do not matter for the time; AdamW's is the peer's.
    config = OptimConfig(kind="adamw", lr=peer.LEARNING_RATE) if system.optimizer == "adamw" else OptimConfig()
    optimizer = Optimizer(model, config)
    batches = _batches(system, place)
    count = 0

    def step() -> None:
        nonlocal count
        x, y = batches[count % BATCHES]
        count += 1
        for part in _parts(x, y, system.micro_batch):
            with device.autocast():
                loss, _ = next_token_loss(model, part)
            loss.backward()  # type: ignore[no-untyped-call]
            loss.item()
        torch._foreach_div_([p.grad for p in optimizer.named.values() if p.grad is not None], y.numel())
        clip_gradients(optimizer.gradients(), config.grad_clip)
        with device.autocast():
            optimizer.step(1.0, count)
        optimizer.zero_grad()

    return step, sum(p.numel() for p in model.parameters())


def nanogpt_step(system: System) -> tuple[Step, int]:
    """A full step in the order of the peer's train.py: its model, its AdamW, torch's clipping, mean loss."""
    assert system.nanogpt is not None
    device = Device.parse(system.device)
    torch.set_num_threads(device.threads)
    torch.backends.cuda.matmul.allow_tf32 = True  # as it ships
    torch.manual_seed(0)
    model = peer.load(system.nanogpt, ModelConfig.parse(system.model)).to(device.device)
    kind = device.device.split(":")[0]
    optimizer = model.configure_optimizers(peer.WEIGHT_DECAY, peer.LEARNING_RATE, peer.BETAS, kind)
    model = torch.compile(model) if system.compiled else model  # as its train.py does
    batches = _batches(system, torch.device(device.device))
    count = 0

    def step() -> None:
        nonlocal count
        x, y = batches[count % BATCHES]
        count += 1
        parts = _parts(x, y, system.micro_batch)
        for inputs, targets in parts:
            with device.autocast():
                _, loss = model(inputs, targets)
                loss = loss / len(parts)
            loss.backward()
            loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), peer.GRAD_CLIP)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step, sum(p.numel() for p in model.parameters())


def _batches(system: System, place: torch.device) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The same random tokens for every system."""
    generator = torch.Generator().manual_seed(0)
    shape = (BATCHES, system.batch, system.model["context_length"] + 1)
    rows = torch.randint(system.model["vocab_size"], shape, generator=generator).to(place)
    return [(r[:, :-1].contiguous(), r[:, 1:].contiguous()) for r in rows]


def _parts(x: torch.Tensor, y: torch.Tensor, size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """A batch in micro-batches of at most `size` sequences."""
    return [(x[start : start + size], y[start : start + size]) for start in range(0, len(x), size)]


def timed(step: Step, steps: int) -> float:
    """Seconds of `steps` steps, the device's queue emptied before and after."""
    _wait()
    start = time.perf_counter()
    for _ in range(steps):
        step()
    _wait()
    return time.perf_counter() - start


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def main() -> None:
    """Build, warm up, say so; then one turn per line of standard input."""
    system = System(**json.loads(sys.argv[1]))
    with redirect_stdout(StringIO()):  # standard output is for answers; the peer prints there
        step, n_params = (nanogpt_step if system.nanogpt else presage_step)(system)
        step()
        seconds = timed(step, 1)
    print(json.dumps({"n_params": n_params, "seconds": seconds}), flush=True)
    for line in sys.stdin:
        step()
        print(json.dumps({"seconds": timed(step, int(line))}), flush=True)


if __name__ == "__main__":
    main()
