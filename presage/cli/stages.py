"""Stages: one grammar for all of them, each imported only when its verb runs."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

from cyclopts import Parameter

from presage.cli.grammar import STEPS, DryRun, Out, Overrides, Quiet, Resume, app, emit, run_stage

STAGES = {
    "corpus": ("presage.data.corpus", "Files to documents: read, clean, merge duplicates, split train and validation."),
    "tokenizer": ("presage.data.tokenizer", "Documents to a byte-level BPE vocabulary."),
    "shards": ("presage.data.shards", "Documents to memory-mapped tokens."),
    "pretrain": ("presage.train.pretrain", "Tokens to a model."),
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


def _add(verb: str, module: str, help_: str) -> None:
    def command(
        recipe: Annotated[str, Parameter(help="a recipe's name, FILE.py:function, a run or its config.json")],
        /,
        *overrides: Overrides,
        out: Out,
        resume: Resume = False,
        dry_run: DryRun = False,
        quiet: Quiet = False,
    ) -> None:
        from presage.recipes.loading import resolve

        stage = importlib.import_module(module)
        config = resolve(recipe, verb, stage.Config).override(overrides)
        _dry_run(config) if dry_run else run_stage(stage, config, out, resume=resume, quiet=quiet)

    app.command(command, name=verb, help=help_, group=STEPS)


def _dry_run(config: Any) -> None:
    from presage.core.config import flatten

    emit(f"{key} = {value}" for key, value in flatten(config).items())
    emit(["", *(f"{name}: {value}" for name, value in config.plan().items())])


for _verb, (_module, _help) in STAGES.items():
    _add(_verb, _module, _help)
