"""Attention in training at short contexts: PyTorch's kernel beside ours, forward and backward, on this CPU.

Both take turns on the same tensors, laid out as the model's are; each figure is the median of the rounds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from harness.report import entry, options, publish, table
from torch import Tensor

from presage.core.workers import usable_cores
from presage.model.short_attention import is_short, short_attention

SHAPES = [
    ("the demo's smaller rungs", 16, 2, 128, 28),
    ("a target of 1e15 FLOPs", 16, 6, 128, 68),
    ("d_model 192", 16, 3, 256, 64),
    ("d_model 512", 8, 8, 256, 64),
    ("d_model 768", 8, 12, 256, 64),
    ("GPT-1's context", 4, 12, 512, 64),
    ("GPT-2's context", 4, 12, 1024, 64),
]


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=usable_cores())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    parts = []
    for dtype in (torch.bfloat16, torch.float32):
        rows = [_row(name, (b, h, t, e), dtype, args.rounds) for name, b, h, t, e in SHAPES]
        head = ["", "B x H x T x E", "PyTorch: forward, ms", "backward", "ours: forward, ms", "backward", "faster"]
        parts += [f"## {str(dtype).removeprefix('torch.')}", table(head, rows)]
    parts.append(
        f"{args.threads} threads, {args.rounds} rounds. Faster: PyTorch's forward and backward over ours. Where ours "
        "is not used (too many weights to keep) it is not measured."
    )
    publish("attention", "Attention at short contexts", parts, write=args.write)


def _row(name: str, shape: tuple[int, int, int, int], dtype: torch.dtype, rounds: int) -> list[object]:
    b, h, t, e = shape
    q, k, v, grad = (torch.randn(b, t, h, e).to(dtype).transpose(1, 2) for _ in range(4))
    size = " x ".join(map(str, shape))
    ways = {"theirs": _theirs, "ours": short_attention} if is_short(q, k) else {"theirs": _theirs}
    seconds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, function in ways.items():
            seconds[way].append(_timed(function, q, k, v, grad))
    medians = {
        way: [1e3 * statistics.median(found) for found in zip(*took, strict=True)] for way, took in seconds.items()
    }
    shown = [f"{ms:.2f}" for way in medians.values() for ms in way]
    if "ours" not in medians:
        return [name, size, *shown, "–", "–", "–"]
    return [name, size, *shown, f"{sum(medians['theirs']) / sum(medians['ours']):.2f}"]


def _theirs(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


def _timed(function: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, grad: Tensor) -> tuple[float, float]:
    """Seconds forward and back."""
    leaves = [part.detach().requires_grad_() for part in (q, k, v)]
    start = time.perf_counter()
    out = function(*leaves)
    middle = time.perf_counter()
    out.backward(grad)
    return middle - start, time.perf_counter() - middle


if __name__ == "__main__":
    entry(main)
