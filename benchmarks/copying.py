"""What models have of what their context repeats: loss by what each held-out token has in the text before it.

copy: the token followed the last time the one before it was seen; other: a different one followed; new: the one before
had not been seen in this window. Where copying sets in (induction heads, Olsson et al. 2022) loss bends away from any
law of compute, and the first column says when (docs/LOG.md, 2026-11-24).
"""

from __future__ import annotations

import numpy as np
import torch
from harness.report import entry, options, publish, table
from torch.nn import functional

from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.data.loader import Tokens, evaluation_windows
from presage.model.weights import load_run
from presage.train import pretrain

KINDS = ("copy", "other", "new")
BATCH = 50


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="pretrain runs of the same shards, rungs among them")
    parser.add_argument("--tokens", type=int, default=200_000, help="held-out tokens")
    args = parser.parse_args()
    if not args.runs:
        print("copying: skipped, no RUN is given: pretrain runs, such as the rungs of a ladder")
        return
    texts = {path: RunDir.open(path, "pretrain").config(pretrain.Config) for path in args.runs}
    shards, lengths = {str(c.shards) for c in texts.values()}, {c.model.context_length for c in texts.values()}
    if len(lengths) > 1 or len({Tokens(one).split("val").n_tokens for one in shards}) > 1:
        raise ConfigError("these runs read different texts or contexts", hint="give runs of one ladder and its target")
    split = Tokens(shards.pop()).split("val")
    context, targets = evaluation_windows(split, lengths.pop(), args.tokens)
    kinds = kinds_of(context, targets)
    rows = []
    for path in sorted(args.runs, key=lambda path: RunDir.open(path).value("flops")):
        loss = losses(path, context, targets)
        cells = [f"{loss.mean():.3f}", *(f"{loss[kinds == kind].mean():.3f}" for kind in range(len(KINDS)))]
        rows.append([f"{RunDir.open(path).value('flops'):.3g}", *cells])
    shares = ", ".join(f"{name} {np.mean(kinds == kind):.1%}" for kind, name in enumerate(KINDS))
    text = f"Nats per token on {targets.size:,} held-out tokens, windows of {targets.shape[1]}. Shares: {shares}."
    publish(
        "copying", "Loss by what the context repeats", [text, table(["FLOPs", "all", *KINDS], rows)], write=args.write
    )


def kinds_of(context: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """[n, T] tokens and what follows each -> [n, T] places in KINDS."""
    kinds = np.full(targets.shape, KINDS.index("new"))
    for row, (tokens, following) in enumerate(zip(context.tolist(), targets.tolist(), strict=True)):
        last: dict[int, int] = {}
        for place, (token, then) in enumerate(zip(tokens, following, strict=True)):
            if token in last:
                kinds[row, place] = KINDS.index("copy" if last[token] == then else "other")
            last[token] = then
    return kinds


def losses(path: str, context: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """[n, T] nats."""
    model, _ = load_run(path)
    parts = []
    with torch.no_grad():
        for start in range(0, len(context), BATCH):
            logits = model(torch.from_numpy(context[start : start + BATCH])).transpose(1, 2).float()
            wanted = torch.from_numpy(targets[start : start + BATCH])
            parts.append(functional.cross_entropy(logits, wanted, reduction="none"))
    return torch.cat(parts).numpy()


if __name__ == "__main__":
    entry(main)
