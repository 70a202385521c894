"""Stage: a reward model from rankings (InstructGPT §3.5): the assistant's model with a scalar read off the last id.

All pairs of a prompt's K completions are one element of a batch, however many they are; ties drop out. After training
a bias is added so that demonstrations have a mean reward of 0.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from presage.align.fitting import check_length
from presage.align.objectives import ranking_loss, ranking_pairs
from presage.align.public import hh_pairs
from presage.align.reading import Ids, answered, compared, compared_scores, rewards
from presage.align.records import Demonstration, Preference, read_demonstrations, read_preferences, split
from presage.align.reward_report import Scored, write_accuracy
from presage.core.config import Config as BaseConfig
from presage.core.config import File, Parent
from presage.core.device import Device, recorded_or_measured
from presage.core.errors import DataError, RunError
from presage.core.run import RunDir, note
from presage.core.seeds import in_epochs
from presage.data.bpe import Tokenizer
from presage.data.verbs import Message
from presage.model.config import ModelConfig
from presage.model.transformer import Transformer, with_scores
from presage.model.weights import load_writer
from presage.train import state as states
from presage.train.loop import Plan, fit
from presage.train.optim import OptimConfig, Optimizer
from presage.train.schedule import ScheduleConfig

__all__ = ["Config", "run"]


class Config(BaseConfig):
    """One reward model. Rates, batch and schedule after InstructGPT's appendix C, for models of other sizes."""

    base: Parent
    """The run whose model it begins as: fine-tuned on demonstrations, or pretrained."""
    data: tuple[File, ...] = Field(min_length=1)
    """Files of preferences."""
    held_out: tuple[File, ...] = ()
    """More of them, to be examined on; by default a fifth of the prompts of `data`, which is then not trained on."""
    format: Literal["records", "hh"] = "records"
    """records: docs/alignment.md; hh: dialogues "chosen" and "rejected", as hh-rlhf has them."""
    demonstrations: tuple[File, ...] = ()
    """What shall have a mean reward of 0; by default the completions ranked first."""
    epochs: float = Field(default=1.0, gt=0)
    """More than one over-fits (InstructGPT, appendix C.2)."""
    batch_prompts: int = Field(default=64, gt=0)
    micro_batch: int = Field(default=16, gt=0)
    optim: OptimConfig = OptimConfig(kind="adamw", lr=1e-4, weight_decay=0.0, transfer=False)
    schedule: ScheduleConfig = ScheduleConfig(kind="cosine", final=0.1)
    context_length: int | None = Field(default=None, gt=1)
    """Longer conversations lose their beginning; by default the model's."""
    device: Device | None = None
    seed: int = 0
    log_every: int = Field(default=10, gt=0)
    checkpoint_every: int = Field(default=0, ge=0)
    keep_checkpoints: int = Field(default=2, gt=0)
    model: ModelConfig | None = None
    """The base's with one score; filled in."""

    def plan(self) -> dict[str, object]:
        """What it will be, for --dry-run: the files are read, nothing is written."""
        model, _ = load_writer(self.base)
        train, held_out, unread = _divided(self)
        read_demonstrations(*self.demonstrations)
        return {
            "parameters": model.config.n_params + model.config.d_model + 1,
            "prompts": len(train),
            "pairs": sum(len(one.pairs) for one in train),
            "held out": len(held_out),
            "unread": unread,
            "steps": -(-round(self.epochs * len(train)) // self.batch_prompts),
        }


Element = tuple[Ids, list[Ids], list[tuple[int, int]]]
"""A prompt, its completions, and (better, worse) places among them."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Train, set the bias, examine on what was held out, write the run directory. Resume is exact to the bit on a CPU.

    Raises DataError where no prompt has two completions of different ranks, or for a fault in a file.
    """
    chosen = config.device or recorded_or_measured(Config, out)
    base, vocabulary = load_writer(config.base)
    tokenizer = Tokenizer.load(vocabulary)
    model = with_scores(base, 1, config.seed)
    train, held_out, unread = _divided(config)
    length = config.context_length or model.config.context_length
    check_length(length, model)
    shown = read_demonstrations(*config.demonstrations) if config.demonstrations else _best(train)
    reader = _Reader(tokenizer, length)
    elements = [element for one in train if (element := reader.element(one))[2]]
    if not elements:
        what = f"none of {len(train)} prompts to train on has two completions of different ranks"
        raise DataError(what, where=config.data[0], hint=f"{len(held_out)} prompts are held out")
    if reader.cut:
        note(f"{reader.cut} of {len(train)} conversations do not fit {length} tokens and lose their beginning")
    config = config.model_copy(update={"device": chosen, "model": model.config})
    with RunDir.create(out, "reward", config, seed=config.seed, resume=resume, device=chosen.model_dump()) as directory:
        model = model.to(chosen.apply())
        optimizer = Optimizer(model, config.optim)
        plan = _plan(config, elements, model)

        def batches(first: int, count: int) -> list[Element]:
            return [elements[place] for place in in_epochs(first, count, len(elements), config.seed)]

        state = fit(model, optimizer, batches, pair_loss, plan, directory, chosen)
        _centre(model, [reader.conversation(one) for one in shown])
        states.save(directory.path, model, optimizer, state, config.keep_checkpoints)
        shutil.copyfile(vocabulary, directory.artifact("tokenizer.json"))
        counts = {"prompts": len(train), "without_pairs": len(train) - len(elements), "held_out": len(held_out)}
        counts |= {"unread": unread, "cut": reader.cut, "steps": state.step, "flops": state.flops}
        directory.write_json("result.json", {name: {"value": n} for name, n in counts.items()})
        write_accuracy(directory, [_examined(model, reader, one) for one in held_out])
        directory.finish()
    return directory


def pair_loss(model: Transformer, elements: list[Element]) -> tuple[Tensor, int]:
    """Sum over prompts of the mean over their pairs of −log σ(r_better − r_worse), and how many prompts."""
    scores = compared_scores(model, [(prompt, said) for prompt, said, _ in elements])[:, 0]
    parts = torch.split(scores, [len(said) for _, said, _ in elements])
    losses = [ranking_loss(part, pairs) for part, (_, _, pairs) in zip(parts, elements, strict=True)]
    return torch.stack(losses).sum(), len(elements)


class _Reader:
    """Records as ids that fit; counts what was cut."""

    def __init__(self, tokenizer: Tokenizer, length: int) -> None:
        self.tokenizer, self.length, self.cut = tokenizer, length, 0

    def element(self, one: Preference) -> Element:
        prompt, said, cut = compared(self.tokenizer, one.prompt, one.completions, self.length)
        self.cut += bool(cut)
        return prompt, said, ranking_pairs(one.ranks)

    def conversation(self, one: Demonstration) -> Ids:
        return answered(self.tokenizer, one.prompt, one.answer, self.length)[0]


def _divided(config: Config) -> tuple[list[Preference], list[Preference], int]:
    """To train on, to examine on, and how many pairs could not be read as two answers to one prompt."""
    given, unread = _read(config, config.data)
    if config.held_out:
        held_out, more = _read(config, config.held_out)
        return given, held_out, unread + more
    train, held_out = split(given, 0.8, config.seed)
    return train, held_out, unread


def _read(config: Config, files: tuple[Path, ...]) -> tuple[list[Preference], int]:
    if config.format == "records":
        return read_preferences(*files), 0
    found = [hh_pairs(path) for path in files]
    return [one for pairs in found for one in pairs.kept], sum(len(pairs.unsplit) for pairs in found)


def _best(records: list[Preference]) -> list[Demonstration]:
    return [
        Demonstration((*one.prompt, Message("assistant", one.completions[one.ranks.index(min(one.ranks))])))
        for one in records
    ]


def _plan(config: Config, elements: list[Element], model: Transformer) -> Plan:
    longest = max(len(prompt) + sum(map(len, said)) for prompt, said, _ in elements)
    return Plan.of(
        config,
        tokens=max(1, round(config.epochs * len(elements))) * longest,
        batch_sequences=config.batch_prompts,
        sequence_tokens=longest,
        flops_per_token=model.config.flops_per_token(),
    )


@torch.no_grad()
def _centre(model: Transformer, texts: list[Ids]) -> None:
    """A bias with which these have a mean reward of 0 (InstructGPT §3.5); once it is set, this changes nothing."""
    mean = rewards(model, texts).double().mean()
    if model.score is None or not bool(mean.isfinite()):
        raise RunError("the rewards are no numbers", where="the reward model", hint="lower the learning rate")
    model.score.bias.sub_(mean.to(model.score.bias))


def _examined(model: Transformer, reader: _Reader, one: Preference) -> Scored:
    prompt, said, pairs = reader.element(one)
    found = rewards(model, [[*prompt, *text] for text in said])
    return Scored(one, found.tolist(), [len(text) for text in said], pairs)
