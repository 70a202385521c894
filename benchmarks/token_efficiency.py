"""Token efficiency: how many tokens our recipe needs to reach the final loss of nanoGPT's, at equal parameter count.

Baseline: GPT-2's block, AdamW, cosine to a tenth, its learning rate swept over a list, D tokens, in our own loop on the
same data; the best final validation loss counts. Ours: the demo's rule at D/4, D/3 and D/2 tokens, each with its full
schedule and nothing tuned. The tokens at which ours would reach that loss are read off between the horizons.
"""

from __future__ import annotations

import math
import multiprocessing
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness import peer
from harness.report import entry, options, publish, table

from presage.core import progress
from presage.core.config import diff
from presage.core.device import Device, measure
from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.core.workers import usable_cores
from presage.data import corpus, shards, tokenizer
from presage.data.loader import Tokens
from presage.forecast.scaling import Rule
from presage.model.config import ModelConfig
from presage.recipes.demo_plan import RULE
from presage.train import pretrain
from presage.train.optim import OptimConfig
from presage.train.schedule import ScheduleConfig

WARMUP = 0.02
"""Share of the tokens, as in the peer's small configurations."""


@dataclass(frozen=True)
class Job:
    """One training run: its folder's name, what the table says of it, its config."""

    name: str
    label: str
    config: pretrain.Config


def main() -> None:
    args = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        out = args.out or Path(folder)
        texts = args.shards or _own_sources(out)
        parts = _measure(args, texts, out)
    if args.shards is None:
        parts.insert(0, "**Only a check that the harness runs** (no --shards: a few seconds on presage's own sources).")
    publish("token-efficiency", "Token efficiency", parts, write=args.write)


def _arguments() -> Namespace:
    parser = options(__doc__)
    parser.add_argument(
        "--shards", type=Path, metavar="DIR", help="a finished shards run, for example runs/demo/shards"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the runs here; finished ones are reused")
    parser.add_argument("--compute", type=float, help="FLOPs at which the rule gives our model (default 1e12)")
    parser.add_argument("--tokens", type=int, help="the baseline's D (default: twice what the rule spends)")
    parser.add_argument("--lrs", type=_numbers, help="the baseline's learning rates (default 1e-3,2e-3,4e-3,8e-3)")
    parser.add_argument("--beta2s", type=_numbers, default=[0.99], help="the baseline's beta2 (default 0.99)")
    parser.add_argument("--batches", type=_numbers, help="the baseline's tokens per step (default: ours at D/2)")
    parser.add_argument(
        "--shares", type=_numbers, default=[4, 3, 2], help="ours gets D divided by these (default 4,3,2)"
    )
    parser.add_argument("--eval-tokens", type=int, help="held-out tokens (default 400000)")
    parser.add_argument("--jobs", type=int, default=usable_cores(), help="runs side by side (default: one per core)")
    parser.add_argument("--threads", type=int, default=1, help="threads of each run")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    small = args.shards is None
    args.compute = args.compute or (TINY["compute"] if small else 1e12)
    args.eval_tokens = args.eval_tokens or (TINY["eval_tokens"] if small else 400_000)
    args.lrs = args.lrs or ([4e-3, 8e-3] if small else [1e-3, 2e-3, 4e-3, 8e-3])
    return args


TINY = {"compute": 6e9, "eval_tokens": 8192, "vocab": 512}


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _own_sources(out: Path) -> Path:
    """Shards of presage's own Python files: something to run on where no run is given."""
    files = corpus.Source(name="presage", paths=(str(Path(pretrain.__file__).parent.parent),))
    steps = (
        (corpus, lambda: corpus.Config(sources=(files,), val_fraction=0.2)),
        (tokenizer, lambda: tokenizer.Config(corpus=out / "corpus", vocab_size=int(TINY["vocab"]))),
        (shards, lambda: shards.Config(corpus=out / "corpus", tokenizer=out / "tokenizer")),
    )
    for stage, make in steps:
        folder = out / stage.__name__.rpartition(".")[2]
        if not (folder / "DONE").is_file():
            stage.run(make(), folder, resume=folder.exists())
    return out / "shards"


def _measure(args: Namespace, data: Path, out: Path) -> list[str]:
    found = measure()
    device = Device(
        device=found.device, dtype=found.dtype, threads=args.threads
    )  # no rates: a rerun is the same config
    common = {"eval_tokens": args.eval_tokens, "keep_checkpoints": 1, "log_every": 20}
    rule = RULE.model_copy(update={"vocab_size": Tokens(data, verify=False).vocab_size})
    first = rule.config(args.compute, data, seed=args.seed, device=device, **common)
    total = args.tokens or 2 * first.tokens
    shape = equal_shape(first.model)
    sweep = [
        (lr, beta2, int(b)) for lr in args.lrs for beta2 in args.beta2s for b in args.batches or [first.batch_tokens]
    ]
    theirs = [baseline(shape, first, total, *point) for point in sweep]
    ours = [by_rule(rule, first, int(total / share), common) for share in sorted(args.shares, reverse=True)]
    results = train([*theirs, *ours], out, args.jobs)
    losses = {job.name: results[job.name] for job in theirs}
    best = min(theirs, key=lambda job: losses[job.name][0])
    target = losses[best.name][0]
    points = [(job.config.tokens, results[job.name][0]) for job in ours]
    rates = sorted(args.lrs)
    edge = len(rates) > 1 and best.config.optim.lr in (rates[0], rates[-1])
    m = first.model
    return [
        f"vocab {m.vocab_size}, context {m.context_length}, {device.dtype}, seed {args.seed}; loss in nats per token "
        f"on {args.eval_tokens:,} held-out tokens (± standard error). D = {total:,} tokens.",
        table(["", "layers", "d_model", "heads", "parameters", "without embeddings", "FLOPs per token"],
              [_describe("ours: Qwen3 block, Muon, rule", m), _describe("nanoGPT's recipe: GPT-2 block", shape)]),
        table(["nanoGPT's recipe", "tokens", "validation loss", "± s.e."],
              [[job.label + (" **best**" if job is best else ""), f"{job.config.tokens:,}", *_loss(results[job.name])]
               for job in theirs]),
        table(["ours", "tokens", "share of D", "validation loss", "± s.e.", "reaches it"],
              [[job.label, f"{job.config.tokens:,}", f"{job.config.tokens / total:.3f}", *_loss(results[job.name]),
                "yes" if results[job.name][0] <= target else "no"] for job in ours]),
        f"**Tokens of nanoGPT's recipe over ours at equal loss ({target:.4f}): {ratio(points, target, total)}.**"
        + (" The best learning rate stands at the edge of the sweep: widen --lrs." if edge else ""),
    ]  # fmt: skip


def equal_shape(ours: ModelConfig) -> ModelConfig:
    """GPT-2's block, no biases, with our layers and heads and the smallest width that gives at least our parameters."""

    def shape(width: int) -> ModelConfig:
        return peer.gpt2_block(ours.vocab_size, ours.context_length, ours.n_layers, width, ours.n_heads, bias=False)

    widths = range(ours.n_heads, 4 * ours.d_model, ours.n_heads)
    return next(found for width in widths if (found := shape(width)).n_params >= ours.n_params)


def baseline(shape: ModelConfig, ours: pretrain.Config, tokens: int, lr: float, beta2: float, batch: int) -> Job:
    """nanoGPT's recipe: AdamW with one rate for all, warm-up, cosine to a tenth, decay 0.1, clipping at 1."""
    config = ours.model_copy(
        update={
            "model": shape,
            "tokens": tokens,
            "batch_tokens": batch,
            "optim": OptimConfig(kind="adamw", lr=lr, beta1=peer.BETAS[0], beta2=beta2, weight_decay=peer.WEIGHT_DECAY,
                                 grad_clip=peer.GRAD_CLIP, transfer=False),
            "schedule": ScheduleConfig(kind="cosine", warmup_tokens=int(WARMUP * tokens), final=0.1),
        }
    )  # fmt: skip
    label = f"lr {lr:g}, beta2 {beta2:g}, batch {batch:,}"
    return Job(f"baseline-{tokens}-lr{lr:g}-beta{beta2:g}-batch{batch}", label, config)


def by_rule(rule: Rule, first: pretrain.Config, tokens: int, common: dict[str, object]) -> Job:
    """The rule's recipe for this model and number of tokens: learning rates, batch and schedule as the rule says."""
    model = first.model
    weights = model.n_params_non_embedding + model.vocab_size * model.d_model
    here = {"tokens_per_param": tokens / weights, "n_layers": model.n_layers, "layers_exponent": 0.0}
    compute = float(model.flops_per_token() * tokens)
    config = rule.model_copy(update=here).config(compute, first.shards, seed=first.seed, device=first.device, **common)
    assert config.model == model, "the rule no longer gives the model whose tokens per parameter were asked for"
    config = config.model_copy(update={"optim": config.optim.model_copy(update={"base_depth": first.optim.base_depth})})
    return Job(f"ours-{tokens}", f"lr {config.optim.lr:.3g}, batch {config.batch_tokens:,}", config)


def train(jobs: Sequence[Job], out: Path, side_by_side: int) -> dict[str, tuple[float, float]]:
    """{name: (validation loss, standard error)}; longest first, finished runs taken as they are."""
    context = multiprocessing.get_context("spawn")
    order = sorted(jobs, key=lambda job: -job.config.tokens)
    flops = sum(job.config.tokens * job.config.model.flops_per_token() for job in jobs)
    print(f"{len(jobs)} runs, {flops:.3g} FLOPs", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(min(side_by_side, len(jobs)), mp_context=context, initializer=_quiet) as pool:
        futures = {job.name: pool.submit(_train, job.config, out / job.name) for job in order}
        return {name: future.result() for name, future in futures.items()}


def _quiet() -> None:
    progress.QUIET = True


def _train(config: pretrain.Config, out: Path) -> tuple[float, float]:
    if (out / "DONE").is_file():
        run = RunDir.open(out, "pretrain")
        changed = diff(run.config(pretrain.Config), config).keys() - {"shards"}
        if changed:
            raise RunError(f"another config ({', '.join(sorted(changed))})", where=out, hint="choose another --out")
    else:
        run = pretrain.run(config, out, resume=out.exists())
    loss = run.results()["val/loss"]
    print(f"{out.name}: {loss['value']:.4f}", file=sys.stderr, flush=True)
    return float(loss["value"]), float(loss["stderr"])


def ratio(points: Sequence[tuple[int, float]], target: float, total: int) -> str:
    """`total` over the tokens at which ours reaches `target`, between horizons linear in the logarithm of tokens."""
    reached = next((number for number, (_, loss) in enumerate(points) if loss <= target), None)
    if reached is None:
        return f"less than {total / points[-1][0]:.2f} (not reached)"
    if reached == 0:
        return f"at least {total / points[0][0]:.2f} (reached at the shortest horizon)"
    (early, high), (late, low) = points[reached - 1], points[reached]
    return f"{total / math.exp(math.log(early) + (high - target) / (high - low) * math.log(late / early)):.2f}"


def _loss(measured: tuple[float, float]) -> list[str]:
    return [f"{measured[0]:.4f}", f"{measured[1]:.4f}"]


def _describe(name: str, m: ModelConfig) -> list[object]:
    counts = (m.n_params, m.n_params_non_embedding, m.flops_per_token())
    return [name, m.n_layers, m.d_model, m.n_heads, *(f"{count:,}" for count in counts)]


if __name__ == "__main__":
    entry(main)
