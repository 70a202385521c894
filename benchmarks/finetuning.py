"""GPT-1's experiment at small size: a pretrained base fine-tuned on labelled sets, beside the same from nothing.

Every set: zero-shot, few-shot, fine-tuned, from nothing, without the auxiliary loss, an LSTM from nothing. On the first
set also blocks transferred, number of labels, epochs. Arms of one set and seed see the same labels in the same order
and are judged on the same items. Finished runs in --out are reused, so an interrupted experiment goes on.
"""

from __future__ import annotations

import json
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import finetuned as tables
from harness.report import RESULTS, entry, options, publish, table

from presage.align import finetune
from presage.align.finetune_data import NAMED
from presage.align.finetune_lstm import LstmConfig
from presage.align.finetune_model import base_of
from presage.core import progress
from presage.core.device import Device
from presage.core.errors import RunError
from presage.core.estimates import Mean
from presage.core.run import RunDir
from presage.data import corpus, shards, tokenizer
from presage.model.config import qwen3
from presage.model.weights import checkpoint
from presage.tasks.readers.rows import json_lines
from presage.tasks.readers.sources import source
from presage.train import pretrain
from presage.train.optim import OptimConfig

SHOTS = {"sst2": 3, "mrpc": 1, "rte": 1, "arc_easy": 2, "arc_challenge": 2}
"""Few: as many as mostly fit a context of 128 tokens."""
ARMS = ("pretrained", "scratch", "no auxiliary", "lstm")
ALWAYS = {"device", "model", "lstm"}
"""Filled in by the stage, and so no difference between what was asked for and what ran."""


@dataclass(frozen=True)
class Job:
    """One run: a set with so many labels, an arm, a seed, and what else is set."""

    task: str
    arm: str
    seed: int
    labels: int
    changes: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        extra = "".join(f"-{key}{value}" for key, value in self.changes)
        return f"{self.task}-{self.labels}-{self.arm.replace(' ', '-')}{extra}-{self.seed}"


def main() -> None:
    args = _arguments()
    progress.QUIET = True
    with tempfile.TemporaryDirectory() as folder:
        out = args.out or Path(folder)
        args.files = {}
        parts = [] if args.base else _toys(args, out)
        if "moderation" in args.tasks:
            args.files["moderation"] = _moderation(Path(args.data), out)
        if args.only:
            for job in _jobs(args):
                _run(job, args, out)
            return
        parts += _tables(args, out)
    publish("finetuning", "Fine-tuning, pretrained and from nothing", parts, write=args.write)


def _arguments() -> Namespace:
    parser = options(__doc__)
    parser.add_argument("--base", type=Path, metavar="DIR", help="a pretrained run")
    parser.add_argument("--data", default="../shared/data/eval", help="the folder of the public files")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the runs here; finished ones are reused")
    parser.add_argument("--tasks", type=_sets, default=_sets("sst2=2000"), help="SET=LABELS[:HELD OUT[:SEEDS]],…")
    parser.add_argument("--lr", type=float, default=1e-2, help="Adam's rate at width 64, of what was pretrained")
    parser.add_argument("--scratch-lr", type=float, help="of what begins with nothing; by default the same")
    parser.add_argument(
        "--lstm", type=Path, metavar="DIR", help="a pretrained LSTM; without one it begins with nothing"
    )
    parser.add_argument("--units", type=int, default=256, help="of an LSTM that begins with nothing")
    parser.add_argument("--validation", type=float, default=0.0, help="judge on this share of the training items")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--curve", type=_numbers, default=[], metavar="N,N", help="numbers of labels of the curve")
    parser.add_argument("--transfer", type=_numbers, default=[], metavar="K,K", help="blocks transferred")
    parser.add_argument("--arms", type=lambda text: tuple(text.split(",")), default=ARMS)
    parser.add_argument("--transfer-labels", type=int, help="by default as many as the first set's")
    parser.add_argument("--finished", action="store_true", help="tables of the runs that are there; start none")
    parser.add_argument("--only", action="store_true", help="run these arms and write no table")
    return parser.parse_args()


@dataclass(frozen=True)
class Size:
    """How much of a set: labels to train on, at most so many held-out items (0: all), seeds of what is compared."""

    labels: int
    held_out: int = 0
    seeds: int = 1


def _sets(text: str) -> dict[str, Size]:
    """sst2=2000,arc_easy=500:1200:2"""
    parts = [part.partition("=") for part in text.split(",")]
    counts = {name: [int(count) for count in sizes.split(":")] for name, _, sizes in parts}
    return {name: Size(*some[:3]) for name, some in counts.items()}


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part]


# ---- runs -----------------------------------------------------------------------------------------------------------


def _jobs(args: Namespace) -> Iterator[Job]:
    for arm in args.arms:
        for task, size in args.tasks.items():
            yield from (Job(task, arm, seed, size.labels) for seed in _seeds(size, arm))
    yield from _curve_jobs(args)


def _seeds(size: Size, arm: str) -> range:
    """Every seed of what the experiment is about, one of an ablation."""
    return range(size.seeds if arm in ("pretrained", "scratch") else 1)


def _curve_jobs(args: Namespace) -> Iterator[Job]:
    first = _first(args)[0]
    if "scratch" in args.arms:
        yield from (Job(first, "scratch", 0, count) for count in args.curve)
    if "pretrained" in args.arms:
        yield from (Job(first, "pretrained", 0, count) for count in args.curve)
        yield from (Job(first, "pretrained", 0, _swept(args), (("transfer", k),)) for k in args.transfer)


def _swept(args: Namespace) -> int:
    """Labels of the sweep over transferred blocks."""
    return int(args.transfer_labels or _first(args)[1])


def _first(args: Namespace) -> tuple[str, int]:
    """The set of the curves, with its labels."""
    name, size = next(iter(args.tasks.items()))
    return name, size.labels


def _run(job: Job, args: Namespace, out: Path) -> RunDir:
    config, folder = _config(job, args), out / job.name
    if (folder / "DONE").is_file():
        done = RunDir.open(folder, "finetune")
        other = {key for key in done.changed(config) if key.split(".")[0] not in ALWAYS}
        if other:
            raise RunError(f"was made with another {sorted(other)[0]}", where=folder, hint="choose another --out")
        return done
    return finetune.run(config, folder, resume=folder.is_dir())


def _config(job: Job, args: Namespace) -> finetune.Config:
    values: dict[str, Any] = {
        "labels": job.labels,
        "seed": job.seed,
        "epochs": args.epochs,
        "optim": OptimConfig(kind="adamw", lr=_rate(job, args), beta2=0.999, weight_decay=0.01),
        "validation": args.validation,
        "test_items": args.tasks[job.task].held_out or None,
        "curve": 400,
        "device": Device(),
    }
    if job.task in args.files:
        train, test = args.files[job.task]
        values |= {"train": str(train), "test": str(test)}
    else:
        values |= {"task": job.task, "data": args.data}
    return finetune.Config.model_validate(values | _begun(job, args) | dict(job.changes))


def _rate(job: Job, args: Namespace) -> float:
    nothing = job.arm == "scratch" or (job.arm == "lstm" and args.lstm is None)
    return float((args.scratch_lr or args.lr) if nothing else args.lr)


def _begun(job: Job, args: Namespace) -> dict[str, Any]:
    """What the arm begins with. From nothing: the base's shape and tokenizer alone, whose run need not be finished."""
    if job.arm in ("pretrained", "no auxiliary"):
        asked = (0, *([SHOTS[job.task]] if job.task in SHOTS else [])) if job.task in NAMED else ()
        plain = job.arm == "pretrained" and job.seed == 0 and not job.changes
        changes = {"auxiliary": 0.0} if job.arm == "no auxiliary" else {}
        return {"base": args.base, "asked": asked if plain else ()} | changes
    if job.arm == "lstm" and args.lstm:
        return {"base": args.lstm}
    base = base_of(args.base)
    nothing = {"tokenizer": base.tokenizer.parent.parent}
    if job.arm == "scratch":
        return nothing | {"model": base.shape}
    shape = base.shape
    lstm = LstmConfig(
        vocab_size=shape.vocab_size, context_length=shape.context_length, d_model=shape.d_model, units=args.units
    )
    return nothing | {"lstm": lstm}


# ---- tables ---------------------------------------------------------------------------------------------------------


def _tables(args: Namespace, out: Path) -> list[str]:
    jobs = [job for job in _jobs(args) if not args.finished or (out / job.name / "DONE").is_file()]
    runs = {job.name: _run(job, args, out) for job in jobs}
    found = {(task, arm): _of(runs, args, task, arm) for task in args.tasks for arm in args.arms}
    parts = [_what(args, runs), _main_table(args, found), _differences(args, found)]
    parts += [_transfer_table(args, runs)] if args.transfer else []
    parts += _curves(args, runs) if args.curve else []
    return parts


def _of(runs: dict[str, RunDir], args: Namespace, task: str, arm: str) -> list[RunDir]:
    """Its runs; with --finished none where there are none."""
    size = args.tasks[task]
    names = [Job(task, arm, seed, size.labels).name for seed in _seeds(size, arm)]
    return [runs[name] for name in names if name in runs]


def _metrics(task: str) -> tuple[str, ...]:
    return NAMED[task].metrics if task in NAMED else ("accuracy",)


def _judged(args: Namespace) -> list[tuple[str, str]]:
    return [(task, name) for task in args.tasks for name in _metrics(task)]


def _main_table(args: Namespace, found: dict[tuple[str, str], list[RunDir]]) -> str:
    rows = []
    for task, name in _judged(args):
        first = found[task, "pretrained"][0]
        said = tables.asked(first, name)
        few = next((value for how, value in said.items() if how != "zero-shot"), "–")
        common = f"{first.value('commonest label'):.3f}" if name == "accuracy" else "–"
        arms = [tables.mean_over(found[task, arm], name) for arm in args.arms]
        facts = [name, first.value("train items"), first.value("test items")]
        rows.append([task, *facts, common, said.get("zero-shot", "–"), few, *arms])
    columns = ["set", "metric", "labels", "held out", "commonest label", "zero-shot", "few-shot", *args.arms]
    return table(columns, rows)


def _differences(args: Namespace, found: dict[tuple[str, str], list[RunDir]]) -> str:
    rows = []
    for task, arm in [key for key, runs in found.items() if runs and key[1] != "pretrained"]:
        others = found[task, arm]
        for name in _metrics(task):
            one = tables.difference(found[task, "pretrained"][: len(others)], others, name)
            shown = f"{one.over_items.value:+.3f}", f"{one.stderr or 0:.3f}", f"{one.errors or 0:+.1f}"
            rows.append([task, f"pretrained less {arm}", name, *shown, " ".join(f"{seed:+.3f}" for seed in one.seeds)])
    return table(["set", "difference", "metric", "value", "standard error", "in errors", "by seed"], rows)


def _transfer_table(args: Namespace, runs: dict[str, RunDir]) -> str:
    first, labels = _first(args)[0], _swept(args)
    jobs = {"nothing": Job(first, "scratch", 0, labels)}
    for blocks in args.transfer:
        what = f"embeddings and {blocks} blocks" if blocks else "embeddings"
        jobs[what] = Job(first, "pretrained", 0, labels, (("transfer", blocks),))
    jobs["everything"] = Job(first, "pretrained", 0, labels)
    named = {what: runs[job.name] for what, job in jobs.items() if job.name in runs}
    name = _metrics(first)[0]
    return table(
        [f"transferred, {first}, {labels} labels", name],
        [[what, tables.mean_over([run], name)] for what, run in named.items()],
    )


def _curves(args: Namespace, runs: dict[str, RunDir]) -> list[str]:
    first, labels = _first(args)
    counts = [n for n in sorted({*args.curve, labels}) if Job(first, "scratch", 0, n).name in runs]
    name = _metrics(first)[0]
    arms = ("pretrained", "scratch")
    points = {arm: [runs[Job(first, arm, 0, count).name] for count in counts] for arm in arms}
    rows = []
    for place, count in enumerate(counts):
        pair = [[points[arm][place]] for arm in arms]
        gap = tables.difference(*pair, name)
        shown = f"{gap.over_items.value:+.3f} ({gap.stderr or 0:.3f})"
        rows.append([count, *(tables.mean_over(some, name) for some in pair), shown])
    epochs = {arm: tables.curve(runs[Job(first, arm, 0, labels).name], name) for arm in arms}
    by_epoch = [[place + 1, *(f"{epochs[arm][place]:.3f}" for arm in arms)] for place in range(args.epochs)]
    lines = {arm: [(float(n), _point(run, name)) for n, run in zip(counts, points[arm], strict=True)] for arm in arms}
    made = [
        table([f"labels, {first}", *arms, "difference"], rows),
        table([f"epoch, {first}, 400 items", *arms], by_epoch),
    ]
    if args.write:
        common = float(points["scratch"][0].results()["commonest label"]["value"])
        path = tables.figure(RESULTS / "finetuning.svg", f"{name} on {first}", lines, epochs, common)
        made.append(f"![{name} on {first} over labels and epochs]({path.name})")
    return made


def _point(run: RunDir, name: str) -> Mean:
    found = tables.metric(run, name)
    return Mean(found["value"], found["stderr"], found["n"])


def _what(args: Namespace, runs: dict[str, RunDir]) -> str:
    base = base_of(args.base).shape
    lstm = next((run.value("n_params") for name, run in runs.items() if "-lstm" in name), None)
    cut = {
        task: runs[Job(task, args.arms[0], 0, args.tasks[task].labels).name].value("test items cut")
        for task in args.tasks
    }
    shown = ", ".join(f"{task} {count}" for task, count in cut.items())
    seeds = "/".join(str(size.seeds) for size in args.tasks.values())
    rates = (
        f"Adam at {args.lr:g} (muP, of width 64; from nothing {args.scratch_lr or args.lr:g}), straight down to zero"
    )
    text = f"trained on {_seen(args.lstm):,} tokens" if args.lstm else "from nothing"
    recurrent = f"LSTM: {lstm:,} parameters, {text}. " if lstm else ""
    return (
        f"Base: {base.n_params:,} parameters, context {base.context_length}, trained on {_seen(args.base):,} tokens. "
        f"{recurrent}{args.epochs} epochs, batches of 32, {rates}. Pretrained "
        f"and scratch: up to {seeds} seeds; all else one. In brackets: one standard error over held-out items. "
        "Differences are over the same items; their error is the larger one of that over items and that over seeds. "
        f"Held-out items of which something did not fit: {shown}."
    )


def _seen(base: Path) -> int:
    """Tokens that the checkpoint was trained on; 0 where it does not say."""
    state = checkpoint(base) / "state.json"
    return int(json.loads(state.read_text())["tokens"]) if state.is_file() else 0


# ---- sets of rows ---------------------------------------------------------------------------------------------------


def _moderation(data: Path, out: Path) -> tuple[Path, Path]:
    """Texts found undesired in any of eight ways, or in none (Markov et al. 2022); every third is held out."""
    path = data.parent / "align" / "openai_moderation" / "samples-1680.jsonl.gz"
    marks = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")
    found = {row.text("prompt"): int(any(row.value.get(m) == 1 for m in marks)) for row in json_lines(source(path))}
    rows = [json.dumps({"text": text, "label": label}) for text, label in found.items()]
    return _halves(out, "moderation", [row for i, row in enumerate(rows) if i % 3], rows[::3])


def _halves(out: Path, name: str, train: list[str], test: list[str]) -> tuple[Path, Path]:
    """The two files of a set."""
    files = out / f"{name}-train.jsonl", out / f"{name}-test.jsonl"
    for file, some in zip(files, (train, test), strict=True):
        file.write_text("\n".join(some) + "\n", encoding="utf-8")
    return files


# ---- a check in seconds ---------------------------------------------------------------------------------------------


def _toys(args: Namespace, out: Path) -> list[str]:
    """A base and a set of presage's own pages: is a line from a page or from a source?"""
    here = Path(finetune.__file__).parents[2]
    places = {"page": sorted((here / "docs").glob("*.md")), "source": sorted((here / "presage" / "core").glob("*.py"))}
    texts = corpus.Source(name="own", paths=tuple(str(path) for files in places.values() for path in files))
    corpus.run(corpus.Config(sources=(texts,)), out / "corpus")
    tokenizer.run(tokenizer.Config(corpus=out / "corpus", vocab_size=512), out / "tokenizer")
    shards.run(shards.Config(corpus=out / "corpus", tokenizer=out / "tokenizer"), out / "shards")
    model = qwen3(512, 64, 2, 32, n_heads=2, n_kv_heads=2, d_head=16)
    settings = pretrain.Config(
        shards=out / "shards", model=model, tokens=65_536, batch_tokens=2048, device=Device(), eval_tokens=2048
    )
    args.base = pretrain.run(settings, out / "base").path
    lines = {
        name: [line.strip() for path in files for line in path.read_text().splitlines() if len(line.split()) > 3]
        for name, files in places.items()
    }
    rows = [json.dumps({"text": line, "label": name}) for name, some in lines.items() for line in some[:300]]
    args.files["own"] = _halves(out, "own", rows[::2], rows[1::2])
    args.tasks, args.epochs, args.units = {"own": Size(200)}, 1, 32
    args.curve, args.transfer = [100], [0, 1]
    return ["**Only a check that the harness runs** (no --base: a few seconds on presage's own pages)."]


if __name__ == "__main__":
    entry(main)
