"""Training speed: tokens per second of full steps, paired with nanoGPT where a checkout of it is given.

Full step: forward, backward, gradient clipping, optimizer, on random tokens. Systems that are compared take turns,
A B A B, each in a process of its own, and the ratio is the median of the rounds' own ratios.
"""

from __future__ import annotations

import statistics
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from harness import peer
from harness.report import entry, options, publish, table
from harness.timing import System, Worker

from presage.core.device import Device, measure
from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.model.config import ModelConfig, qwen3
from presage.train import pretrain

COLUMNS = ["system", "block", "optimizer", "precision", "parameters", "tokens/s", "GFLOP/s", "of peak", "ratio to peer"]
SHAPES = {"d192": (192, 3, 16), "d512": (512, 8, 8), "d768": (768, 12, 8)}  # width, heads, batch
REDUCED, FULL = (2, 1.0), (7, 5.0)  # rounds, seconds per turn


@dataclass(frozen=True)
class Shape:
    """Our model and batch; the peer's follows from it."""

    name: str
    model: ModelConfig
    batch: int
    micro_batch: int

    def gpt2(self, *, bias: bool) -> ModelConfig:
        """GPT-2's block with the same layers, width, vocabulary and context."""
        m = self.model
        heads = peer.heads_that_fit(m.d_model, m.n_heads)
        return peer.gpt2_block(m.vocab_size, m.context_length, m.n_layers, m.d_model, heads, bias=bias)

    def __str__(self) -> str:
        m = self.model
        return (
            f"{self.name}: {m.n_layers} layers, d_model {m.d_model}, {m.n_heads} heads, vocab {m.vocab_size}, "
            f"context {m.context_length}, batch {self.batch}"
        )


@dataclass(frozen=True)
class Group:
    """Systems that take turns; the peer, when there is one, comes first, as others are compared with it."""

    peers: list[System]
    ours: list[System]


def main() -> None:
    args = _arguments()
    nanogpt = peer.checkout(args.nanogpt)
    shapes = [_shape(name, args.run) for name in args.shape]
    device = measure(0.2 if args.rounds < 5 else 1.0, args.threads or None)
    fast = device.dtype == "bfloat16"
    peaks = {name.split(" ")[0]: rate for name, rate in device.matmul.items()}
    rates = ", ".join(f"{dtype} {rate / 1e9:,.1f} GFLOP/s" for dtype, rate in peaks.items())
    parts = [f"Measured matmul peak, {device.threads} threads: {rates}." + ("" if fast else " No fast bf16 here.")]
    for shape in shapes:
        rows: list[list[object]] = []
        for group in _groups(shape, device, nanogpt, args):
            rows += _rows(group, args.rounds, args.turn, peaks)
        parts += [f"## {shape}", table(COLUMNS, rows)]
    parts.append(
        f"{args.rounds} rounds of {args.turn:g} s per system; tokens/s are medians, the ratio is the median of the "
        "rounds' ratios [least, greatest]. Share of peak: our count of FLOPs over the matmul peak of that precision."
    )
    publish("training-speed", "Training speed", parts, write=args.write)


def _arguments() -> Namespace:
    parser = options(__doc__)
    parser.add_argument("--nanogpt", metavar="DIR", help="a checkout of nanoGPT; without it the peer is not measured")
    parser.add_argument("--shape", action="append", choices=[*SHAPES, "demo"], help="may be given several times")
    parser.add_argument("--run", type=Path, metavar="DIR", help="a pretrain run, whose config is the shape 'demo'")
    parser.add_argument("--full", action="store_true", help="all shapes (demo with --run), 7 rounds of 5 s")
    parser.add_argument("--rounds", type=int, help="turns of each system (reduced: 2, full: 7)")
    parser.add_argument("--turn", type=float, help="seconds of a turn (reduced: 1, full: 5)")
    parser.add_argument("--threads", type=int, default=0, help="0: all cores")
    parser.add_argument("--compile", action="store_true", help="also both sides compiled by torch.compile")
    parser.add_argument("--force-bf16", action="store_true", help="bf16 even where it is slow")
    args = parser.parse_args()
    rounds, turn = FULL if args.full else REDUCED
    args.rounds, args.turn = args.rounds or rounds, args.turn or turn
    args.shape = args.shape or [*(SHAPES if args.full else ["d192"]), *(["demo"] if args.run else [])]
    return args


def _shape(name: str, run: Path | None) -> Shape:
    if name == "demo":
        return _shape_of_run(run)
    width, heads, batch = SHAPES[name]
    return Shape(name, qwen3(512, 256, 6, width, n_heads=heads, n_kv_heads=heads, d_head=width // heads), batch, 16)


def _shape_of_run(run: Path | None) -> Shape:
    if run is None:
        raise ConfigError("the shape 'demo' is that of a run", where="--shape", hint="give --run DIR, a demo's target")
    config = RunDir(run).config(pretrain.Config)
    batch = max(1, round(config.batch_tokens / config.model.context_length))
    return Shape("demo", config.model, batch, config.micro_batch)


def _groups(shape: Shape, device: Device, nanogpt: str | None, args: Namespace) -> Iterator[Group]:
    """For each precision of the peer: our block beside nanoGPT as it ships, then the same architecture on both sides.

    We run in the precision that is faster here; beside the peer in fp32 our fp32 is shown as well.
    """
    second = args.force_bf16 or (nanogpt is not None and device.dtype == "bfloat16")
    for theirs in ("float32", "bfloat16") if second else ("float32",):
        best = "bfloat16" if theirs == "bfloat16" else device.dtype
        plain = {} if best == theirs else {theirs: "adamw"}
        both = [(best, "adamw"), *plain.items(), (best, "muon")]
        ours = [_system(shape, device, dtype, shape.model, "Qwen3", kind) for dtype, kind in both]
        yield _group(_peers(shape, device, theirs, nanogpt, bias=False), ours, args)
        same = shape.gpt2(bias=True)
        mine = [_system(shape, device, best, same, "GPT-2", "adamw")]
        yield _group(_peers(shape, device, theirs, nanogpt, bias=True), mine, args)


def _group(peers: list[System], ours: list[System], args: Namespace) -> Group:
    """These, and with --compile each of them compiled."""
    if args.compile:
        peers, ours = ([*some, *(replace(one, compiled=True) for one in some)] for some in (peers, ours))
    return Group(peers, ours)


def _system(shape: Shape, device: Device, dtype: str, model: ModelConfig, block: str, optimizer: str) -> System:
    place = device.model_copy(update={"dtype": dtype}).model_dump()
    return System("presage", block, model.model_dump(), place, shape.batch, shape.micro_batch, optimizer)


def _peers(shape: Shape, device: Device, dtype: str, nanogpt: str | None, *, bias: bool) -> list[System]:
    if nanogpt is None:
        return []
    place = device.model_copy(update={"dtype": dtype}).model_dump()
    block = "GPT-2" if bias else "GPT-2, no biases"
    model = shape.gpt2(bias=bias).model_dump()
    return [System(peer.NAME, block, model, place, shape.batch, shape.micro_batch, nanogpt=nanogpt)]


def _rows(group: Group, rounds: int, turn: float, peaks: dict[str, float]) -> list[list[object]]:
    systems = group.peers + group.ours
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(system)) for system in systems]
        steps = [max(1, round(turn / worker.step_seconds)) for worker in workers]
        rates: list[list[float]] = [[] for _ in workers]
        for number in range(rounds):
            print(f"{systems[-1].block}: round {number + 1} of {rounds}", file=sys.stderr, flush=True)
            for worker, count, list_of in zip(workers, steps, rates, strict=True):
                list_of.append(count * worker.system.tokens / worker.run(count))
    missing: list[list[object]] = [] if group.peers else [[peer.NAME, *["not measured"] * (len(COLUMNS) - 1)]]
    reference = rates[0] if group.peers else None
    return missing + [_row(w, r, reference, peaks) for w, r in zip(workers, rates, strict=True)]


def _row(worker: Worker, rates: list[float], reference: list[float] | None, peaks: dict[str, float]) -> list[object]:
    system, rate = worker.system, statistics.median(rates)
    flops, dtype = rate * system.flops_per_token, system.device["dtype"]
    ratio = _ratio(rates, reference)
    optimizer = {"adamw": "AdamW", "muon": "Muon + AdamW"}[system.optimizer]
    share = f"{100 * flops / peaks[dtype]:.0f} %"
    precision = f"{dtype}, compiled" if system.compiled else dtype
    names = [system.label, system.block, optimizer, precision]
    return [*names, f"{worker.n_params:,}", f"{rate:,.0f}", f"{flops / 1e9:,.1f}", share, ratio]


def _ratio(rates: list[float], reference: list[float] | None) -> str:
    if reference is None:
        return "not measured"
    if reference is rates:
        return "1"
    ratios = [ours / theirs for ours, theirs in zip(rates, reference, strict=True)]
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"


if __name__ == "__main__":
    entry(main)
