"""Stages: one grammar for all of them, each imported only when its verb runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, validators

from presage.cli.grammar import STEPS, DryRun, Flag, Out, Overrides, Quiet, Resume, app, emit, run_stage
from presage.core.errors import ConfigError

STAGES = {
    "corpus": ("presage.data.corpus", "Files to documents: read, clean, merge duplicates, split train and validation."),
    "tokenizer": ("presage.data.tokenizer", "Documents to a byte-level BPE vocabulary."),
    "shards": ("presage.data.shards", "Documents to memory-mapped tokens."),
    "pretrain": ("presage.train.pretrain", "Tokens to a model; started by torchrun, on many processes."),
    "images": ("presage.data.images.shards", "Records of text and images to ids and pixels."),
    "vision": ("presage.train.vision", "Text and images to a model that sees; under torchrun, on many processes."),
    "finetune": ("presage.align.finetune", "A base and a labelled set to a classifier, as GPT-1 was fine-tuned."),
    "lstm": ("presage.align.finetune_lstm", "Tokens to an LSTM: what fine-tuning compares a Transformer with."),
    "ladder": ("presage.forecast.ladder", "Many small models, from a list of compute budgets."),
    "attempts": ("presage.forecast.attempts", "Models attempt generated problems: how often each passes."),
    "sft": ("presage.align.sft", "Demonstrations to an assistant: supervised fine-tuning."),
    "reward": ("presage.align.reward", "Rankings to a reward model."),
    "rl": ("presage.align.rl", "Rewards and rules to a policy: PPO, with pretraining text mixed in."),
    "conduct": (
        "presage.align.conduct",
        "Assistants of the policy world side by side: refusals, tasks, alignment tax.",
    ),
    "report": ("presage.report.render", "Run directories to one self-contained page."),
}


LONG = validators.Number(gt=0, lte=1e6)
Sharded = Annotated[Flag, Parameter(help="of several processes each has a share of the model, not all of it")]
Seconds = Annotated[float, Parameter(validator=LONG, help="seconds that processes wait for each other")]
IN_QUEUE = "hand the rungs to a queue through submitit, instead of this machine's cores or GPUs; local: to try it"
Queue = Annotated[Literal["slurm", "local"] | None, Parameter(help=IN_QUEUE)]
JOBS = "KEY=VALUE for each job of the queue, by submitit's names: timeout_min=60, slurm_partition=gpu, gpus_per_node=1"
Job = Annotated[tuple[str, ...], Parameter(help=JOBS, negative="")]
Recipe = Annotated[str, Parameter(help="a recipe's name, FILE.py:function, a run or its config.json")]


def _command(verb: str) -> Callable[..., None]:
    def command(
        recipe: Recipe,
        /,
        *overrides: Overrides,
        out: Out,
        resume: Resume = False,
        dry_run: DryRun = False,
        quiet: Quiet = False,
    ) -> None:
        _stage(verb, recipe, overrides, dry_run, out=out, resume=resume, quiet=quiet)

    return command


def _pretrain(
    recipe: Recipe,
    /,
    *overrides: Overrides,
    out: Out,
    resume: Resume = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    sharded: Sharded = False,
    rank_timeout: Seconds = 600.0,
) -> None:
    ranks = {"sharded": sharded, "rank_timeout": rank_timeout}
    _stage("pretrain", recipe, overrides, dry_run, out=out, resume=resume, quiet=quiet, **ranks)


def _vision(
    recipe: Recipe,
    /,
    *overrides: Overrides,
    out: Out,
    resume: Resume = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    rank_timeout: Seconds = 600.0,
) -> None:
    _stage("vision", recipe, overrides, dry_run, out=out, resume=resume, quiet=quiet, rank_timeout=rank_timeout)


def _ladder(
    recipe: Recipe,
    /,
    *overrides: Overrides,
    out: Out,
    resume: Resume = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    queue: Queue = None,
    job: Job = (),
) -> None:
    if job and not queue:
        raise ConfigError("parameters of jobs, and no queue", where="--job", hint="say --queue slurm")
    launcher = partial(_queued, queue, _beside(out), _job(job)) if queue else None
    _stage("ladder", recipe, overrides, dry_run, out=out, resume=resume, quiet=quiet, launcher=launcher)


def _beside(out: Path) -> Path:
    whole = out.resolve()
    return whole.with_name(f"{whole.name}.jobs")


def _queued(cluster: str, folder: Path, parameters: dict[str, object]) -> AbstractContextManager[Executor]:
    from presage.core.queue import queued

    return queued(cluster, folder, parameters)


def _job(pairs: Sequence[str]) -> dict[str, object]:
    """Whole numbers as such, what follows otherwise as it is written."""
    odd = next((pair for pair in pairs if "=" not in pair), None)
    if odd is not None:
        raise ConfigError(f"'{odd}' is not KEY=VALUE", where="--job", hint="as in --job timeout_min=60")
    split = (pair.split("=", 1) for pair in pairs)
    return {key: int(value) if value.isdecimal() else value for key, value in split}


def _stage(verb: str, recipe: str, overrides: Sequence[str], dry_run: bool, **how: Any) -> None:
    from presage.recipes.loading import resolve

    stage = importlib.import_module(STAGES[verb][0])
    config = resolve(recipe, verb, stage.Config).override(overrides)
    _dry_run(config) if dry_run else run_stage(stage, config, **how)


def _dry_run(config: Any) -> None:
    from presage.core.config import flatten

    emit(f"{key} = {value}" for key, value in flatten(config).items())
    emit(["", *(f"{name}: {value}" for name, value in config.plan().items())])


OWN: dict[str, Callable[..., None]] = {"ladder": _ladder, "pretrain": _pretrain, "vision": _vision}
"""Verbs that take more than the others."""

for _verb, (_, _help) in STAGES.items():
    app.command(OWN.get(_verb) or _command(_verb), name=_verb, help=_help, group=STEPS)
