"""Stages: one grammar for all of them, each imported only when its verb runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from cyclopts import Parameter, validators

from presage.cli.grammar import STEPS, DryRun, Flag, Out, Overrides, Quiet, Resume, app, emit, run_stage

STAGES = {
    "corpus": ("presage.data.corpus", "Files to documents: read, clean, merge duplicates, split train and validation."),
    "tokenizer": ("presage.data.tokenizer", "Documents to a byte-level BPE vocabulary."),
    "shards": ("presage.data.shards", "Documents to memory-mapped tokens."),
    "pretrain": ("presage.train.pretrain", "Tokens to a model; started by torchrun, on many processes."),
    "images": ("presage.data.images.shards", "Records of text and images to ids and pixels."),
    "vision": ("presage.train.vision", "Text and images to a model that sees, from scratch or from a model of text."),
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


def _stage(verb: str, recipe: str, overrides: Sequence[str], dry_run: bool, **how: Any) -> None:
    from presage.recipes.loading import resolve

    stage = importlib.import_module(STAGES[verb][0])
    config = resolve(recipe, verb, stage.Config).override(overrides)
    _dry_run(config) if dry_run else run_stage(stage, config, **how)


def _dry_run(config: Any) -> None:
    from presage.core.config import flatten

    emit(f"{key} = {value}" for key, value in flatten(config).items())
    emit(["", *(f"{name}: {value}" for name, value in config.plan().items())])


OWN = {"pretrain": _pretrain}
"""Verbs that take more than the others."""

for _verb, (_, _help) in STAGES.items():
    app.command(OWN.get(_verb) or _command(_verb), name=_verb, help=_help, group=STEPS)
