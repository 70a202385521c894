"""Decoding beside transformers' generate and llama.cpp, a model of GPT-2's shape with random weights, in one run.

Every engine goes on from the same prompts by the same number of tokens, alone and sixteen together, the most probable
each time. The rate is of new tokens, prompts included in the time, the best of --rounds. Bandwidth: the bytes of the
weights that a step reads, times steps a second, over the rate at which memory is copied, measured here (reading alone
is faster than copying, so that shares above one can occur).
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from harness.report import entry, options, publish, table

from presage.bench.models import lively
from presage.bench.peaks import copy_rate
from presage.bench.writing import generate, write
from presage.core.workers import usable_cores
from presage.data.loader import Tokens, evaluation_windows
from presage.infer.engine.lighter import Weights, lighter
from presage.model.config import gpt2
from presage.model.hf_tensors import tensors_to_hf
from presage.model.huggingface import config_to_hf
from presage.model.transformer import Transformer
from presage.model.weights import load_run, model_tensors

BATCHES = (1, 16)
TOKENS = 65_536
"""Held-out ones that the loss is of."""
BYTES: dict[str, float] = {"f32": 4, "bf16": 2, "int8": 1, "q8_0": 34 / 32}


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--threads", type=int, default=usable_cores())
    parser.add_argument("--prompt", type=int, default=32, help="tokens of a prompt")
    parser.add_argument("--new", type=int, default=96, help="tokens written")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--layers", type=int, default=12, help="fewer for a quick look")
    parser.add_argument(
        "--run", type=Path, metavar="RUN", help="a trained model, for what fewer bits cost: the demo's target"
    )
    parser.add_argument(
        "--shards", type=Path, metavar="RUN", help="its text in tokens, of which the held-out part is read"
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = gpt2("124M").model_copy(update={"n_layers": args.layers, "dropout": 0.0})
    model = lively(config)
    copied = copy_rate("cpu", torch.float32, 2.0)
    rows = [row for batch in BATCHES for row in _rows(model, batch, args, copied)]
    columns = ["engine, weights", "at once", "new tokens/s", "over transformers fp32", "of the copy rate"]
    said = (
        f"{config.n_params / 1e6:.0f} M parameters, {args.threads} thread(s), prompts of {args.prompt} tokens, "
        f"{args.new} new ones, best of {args.rounds}. Copying reads and writes {copied / 1e9:.1f} GB/s."
    )
    parts = [said, table(columns, rows), *(_quality(args) if args.run and args.shards else [])]
    publish("decoding", "Decoding on a CPU", parts, write=args.write)


def _rows(model: Transformer, batch: int, args: Namespace, copied: float) -> Iterator[list[str]]:
    generator = torch.Generator().manual_seed(batch)
    prompts = torch.randint(model.config.vocab_size, (batch, args.prompt), generator=generator)
    found: dict[tuple[str, str], float] = {}
    for name, weights, make in _engines(model, args):
        write = make(batch)
        rate = max(_rate(write, prompts, args.new) for _ in range(args.rounds))
        found[name, weights] = rate
        read = _weights_read(model) * BYTES[weights] * rate / batch
        yield [
            f"{name}, {weights}",
            str(batch),
            f"{rate:,.1f}",
            f"{rate / found['transformers', 'f32']:.2f}",
            f"{read / copied:.2f}",
        ]


Write = Callable[[torch.Tensor, int], int]
"""Prompts [B, T] and how many new tokens each: how many were written."""


def _engines(model: Transformer, args: Namespace) -> Iterator[tuple[str, str, Callable[[int], Write]]]:
    theirs = _transformers(model)
    yield "transformers", "f32", lambda batch: partial(generate, theirs)
    kinds: tuple[Weights, ...] = ("f32", "bf16", "int8")
    for weights in kinds:
        light = lighter(model, weights)
        yield "presage", weights, lambda batch, light=light: partial(write, light)  # type: ignore[misc]
    half = theirs.to(torch.bfloat16)
    yield "transformers", "bf16", lambda batch: partial(generate, half)
    yield from _llama(model, args)


def _transformers(model: Transformer) -> Any:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(**{k: v for k, v in config_to_hf(model.config).items() if k != "architectures"})
    theirs = GPT2LMHeadModel(config).eval()
    theirs.load_state_dict(tensors_to_hf(model_tensors(model), model.config), strict=False)
    return theirs


def _llama(model: Transformer, args: Namespace) -> Iterator[tuple[str, str, Callable[[int], Write]]]:
    """llama.cpp through xllamacpp, where it is installed."""
    if importlib.util.find_spec("xllamacpp") is None:
        print("llama.cpp: skipped, xllamacpp is not installed")
        return
    from harness.exported import export

    for weights in ("f32", "bf16", "q8_0"):
        with tempfile.TemporaryDirectory() as folder:
            file = export(model, Path(folder), weights)
            yield "llama.cpp", weights, lambda batch, file=file: _served(file, batch, args)  # type: ignore[misc]


def _served(file: Path, batch: int, args: Namespace) -> Write:
    from harness.llama_cpp import LlamaCpp

    room = args.prompt + args.new + 16
    server = LlamaCpp(file, room, threads=args.threads, parallel=batch, flash=True)

    def write(prompts: torch.Tensor, new: int) -> int:
        with ThreadPoolExecutor(batch) as pool:
            return sum(map(len, pool.map(lambda ids: server.greedy(ids, new), prompts.tolist())))

    return write


def _rate(write: Write, prompts: torch.Tensor, new: int) -> float:
    begun = time.perf_counter()
    return write(prompts, new) / (time.perf_counter() - begun)


def _weights_read(model: Transformer) -> int:
    """Weights that a step reads: all but the tables of embeddings that are not the head."""
    head = model.head.weight.numel()
    return head + sum(p.numel() for block in model.blocks for p in block.parameters())


@torch.no_grad()
def _quality(args: Namespace) -> Iterator[str]:
    """What fewer bits cost a trained model."""
    model, _ = load_run(args.run)
    held_out = Tokens(args.shards).split("val")
    windows = evaluation_windows(held_out, model.config.context_length, TOKENS)
    inputs, targets = (torch.from_numpy(part.astype("int64")) for part in windows)
    losses = {}
    for weights in get_args(Weights):
        light = lighter(model.eval(), weights)
        logs = [
            light(row[None]).log_softmax(-1)[0].gather(1, to[:, None]).mean()
            for row, to in zip(inputs, targets, strict=True)
        ]
        losses[weights] = -torch.stack(logs).double()
    size = f"{model.config.n_params / 1e6:.1f} M parameters"
    yield f"Loss of {args.run.name} ({size}) on {inputs.numel():,} held-out tokens:"
    rows = []
    for weights, loss in losses.items():
        change = loss - losses["f32"]
        half = 1.96 * float(change.std()) / len(change) ** 0.5
        rows.append([weights, f"{float(loss.mean()):.4f}", f"{float(change.mean()):+.4f} ± {half:.4f}"])
    yield table(["weights", "nats a token", "change, 95 %"], rows)


if __name__ == "__main__":
    entry(main)
