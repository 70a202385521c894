"""Stage: supervised fine-tuning on demonstrations, the first step from a base model to an assistant (InstructGPT §3.5).

The loss counts the assistant's words and the ends of its turns alone. All weights are trained, or with `lora` a product
of low rank beside each matrix. A share of the rows can be pretraining text, as in InstructGPT's start for PPO (app. C).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from presage.align.fitting import check_length, training_text
from presage.align.public import public_demonstrations
from presage.align.records import Demonstration, read_demonstrations, split
from presage.core.config import Config as BaseConfig
from presage.core.config import File, Parent
from presage.core.device import Device, recorded_or_measured
from presage.core.errors import DataError
from presage.core.run import RunDir, note
from presage.core.seeds import derive, in_epochs
from presage.data.bpe import Tokenizer
from presage.data.chat import encoded, opened
from presage.data.loader import Loader
from presage.model import decode
from presage.model.config import ModelConfig
from presage.model.lora import Lora, adapt
from presage.model.transformer import Transformer
from presage.model.weights import load_writer
from presage.train.loop import Plan, fit
from presage.train.optim import OptimConfig, Optimizer
from presage.train.packing import Rows, joined, pack, packed_loss, shared, windows
from presage.train.pretrain import ratio
from presage.train.schedule import ScheduleConfig

__all__ = ["Config", "run"]

HELD_OUT = 0.1
ANSWER = 64


class Config(BaseConfig):
    """One fine-tuning. Rates, batch and schedule after InstructGPT's appendix C, for models of other sizes."""

    base: Parent
    """A run with a model: pretrained, imported, or itself fine-tuned."""
    data: tuple[File, ...] = Field(min_length=1)
    """Files of demonstrations (docs/alignment.md)."""
    format: Literal["records", "public"] = "records"
    """records: docs/alignment.md; public: files of Self-Instruct, Dolly or GPTeacher, known by their names."""
    held_out: tuple[File, ...] = ()
    """More of them, to be examined on; by default a tenth of the prompts of `data`, which is then not trained on."""
    epochs: float = Field(default=3.0, gt=0)
    batch_rows: int = Field(default=32, gt=0)
    """Rows of a whole context in an update; short conversations share one."""
    micro_batch: int = Field(default=8, gt=0)
    optim: OptimConfig = OptimConfig(kind="adamw", lr=1e-4, weight_decay=0.0, transfer=False)
    schedule: ScheduleConfig = ScheduleConfig(kind="cosine", final=0.1)
    lora: Lora | None = None
    shards: Parent | None = None
    """Pretraining text to mix in."""
    pretraining_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the rows that are windows of `shards`; InstructGPT: 0.1."""
    pretraining_weight: float = Field(default=1.0, gt=0)
    """How much a token of that text counts, where one of an answer counts 1."""
    context_length: int | None = Field(default=None, gt=1)
    """Of a row; by default the model's."""
    device: Device | None = None
    seed: int = 0
    log_every: int = Field(default=10, gt=0)
    checkpoint_every: int = Field(default=0, ge=0)
    keep_checkpoints: int = Field(default=2, gt=0)
    samples: int = Field(default=8, ge=0)
    """Answers to held-out prompts to write into samples.jsonl at the end."""
    model: ModelConfig | None = None
    """The base's; filled in."""
    template: str = Field(default="chat", pattern="^chat$")
    """How a conversation is shown to the model (presage.data.chat)."""

    def plan(self) -> dict[str, object]:
        """What it will be, for --dry-run: the files are read, nothing is written."""
        model, vocabulary = load_writer(self.base)
        train, held_out = _divided(self)
        length = self.context_length or model.config.context_length
        check_length(length, model)
        packing = pack([encoded(Tokenizer.load(vocabulary), one.messages) for one in train], length)
        rows = round(self.epochs * len(packing.rows.read) / (1 - self.pretraining_share))
        return {
            "parameters": model.config.n_params,
            "demonstrations": len(train),
            "held out": len(held_out),
            "too long": packing.too_long,
            "rows": rows,
            "tokens": rows * length,
            "steps": -(-rows // self.batch_rows),
            "FLOPs": rows * length * model.config.flops_per_token(length),
        }


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Train, examine on what was held out, write the run directory. Resume is exact to the bit on a CPU.

    Raises DataError where no demonstration fits the context, or for a fault in a file of them.
    """
    chosen = config.device or recorded_or_measured(Config, out)
    model, vocabulary = load_writer(config.base)
    tokenizer = Tokenizer.load(vocabulary)
    train, held_out = _divided(config)
    config = config.model_copy(update={"device": chosen, "model": model.config})
    device = chosen.apply()
    length = config.context_length or model.config.context_length
    check_length(length, model)
    packing, rest = (pack([encoded(tokenizer, one.messages) for one in some], length) for some in (train, held_out))
    if not len(packing.rows.read):
        raise DataError(f"no demonstration fits {length} tokens", where=config.data[0], hint="a longer context_length")
    if packing.too_long:
        note(f"{packing.too_long} of {len(train)} demonstrations do not fit {length} tokens and are left out")
    mixture = _Mixture(config, packing.rows, length, device, vocabulary)
    with RunDir.create(out, "sft", config, seed=config.seed, resume=resume, device=chosen.model_dump()) as directory:
        if config.lora:
            adapt(model, config.lora, config.seed)
        model = model.to(device).train()
        optimizer = Optimizer(model, config.optim)
        state = fit(
            model, optimizer, mixture.rows, packed_loss, _plan(config, mixture, length, model), directory, chosen
        )
        shutil.copyfile(vocabulary, directory.artifact("tokenizer.json"))
        _write_results(directory, model, rest.rows, device)
        counts = {"demonstrations": len(train), "held_out": len(held_out), "too_long": packing.too_long}
        counts |= {"rows": len(packing.rows.read), "steps": state.step, "flops": state.flops}
        directory.write_json("result.json", directory.results() | {name: {"value": n} for name, n in counts.items()})
        _write_samples(directory, config, model, tokenizer, held_out, state.step)
        directory.finish()
    return directory


class _Mixture:
    """Rows of conversations, and every so often a window of the pretraining text."""

    def __init__(self, config: Config, packed: Rows, length: int, device: torch.device, vocabulary: Path) -> None:
        self.packed, self.device, self.seed, self.share = packed, device, config.seed, 0.0
        self.weight = config.pretraining_weight
        if config.pretraining_share:
            if config.shards is None:
                raise DataError("a share of pretraining text, and no shards to take it from", where="shards")
            self.share = config.pretraining_share
            text = training_text(config.shards, vocabulary)
            self.loader = Loader(text, length, derive(config.seed, "pretraining"))
        self.total = round(config.epochs * len(packed.read) / (1 - self.share))

    def rows(self, first: int, count: int) -> Rows:
        """Rows first … first+count-1."""
        own, text = shared(first, count, self.share)
        parts = [self.packed.some(in_epochs(*own, len(self.packed.read), self.seed), torch.device("cpu"))]
        if text[1]:
            parts.append(windows(self.loader.batch(*text), self.weight))
        return Rows(*(one.to(self.device) for one in joined(parts)))


def _plan(config: Config, mixture: _Mixture, length: int, model: Transformer) -> Plan:
    return Plan.of(
        config,
        tokens=mixture.total * length,
        batch_sequences=config.batch_rows,
        sequence_tokens=length,
        flops_per_token=model.config.flops_per_token(length),
    )


def _divided(config: Config) -> tuple[list[Demonstration], list[Demonstration]]:
    given = _read(config, config.data)
    return (given, _read(config, config.held_out)) if config.held_out else split(given, 1 - HELD_OUT, config.seed)


def _read(config: Config, files: tuple[Path, ...]) -> list[Demonstration]:
    if config.format == "records":
        return read_demonstrations(*files)
    return [one for path in files for one in public_demonstrations(path)]


@torch.no_grad()
def _write_results(directory: RunDir, model: Transformer, rows: Rows, device: torch.device) -> None:
    """Loss of the held-out answers in nats a token; the standard error is that of a ratio over rows."""
    if not len(rows.read):
        return
    with decode.evaluating(model):
        losses = [packed_loss(model, rows.some([row], device)) for row in range(len(rows.read))]
    nats, counts = np.array([float(value) for value, _ in losses]), np.array([n for _, n in losses], dtype=np.float64)
    mean, spread = ratio(nats, counts)
    stderr = spread if len(losses) > 1 else None
    directory.result("val/loss", mean, stderr=stderr, n=int(counts.sum()), unit="nats/token")


def _write_samples(
    directory: RunDir,
    config: Config,
    model: Transformer,
    tokenizer: Tokenizer,
    held_out: list[Demonstration],
    step: int,
) -> None:
    """Greedy answers to the first held-out prompts; unpicked."""
    (directory.path / "samples.jsonl").unlink(missing_ok=True)  # of a run that was killed here
    asked = held_out[: config.samples]
    prompts = [opened(tokenizer, one.prompt) for one in asked]
    answers = decode.generate(model, prompts, ANSWER, temperature=0.0, eot=tokenizer.eot) if prompts else []
    for one, ids in zip(asked, answers, strict=True):
        said = tokenizer.decode(i for i in ids if i != tokenizer.eot).removeprefix(" ")
        directory.sample(step=step, prompt=one.prompt[-1].content, completion=said, shown=one.answer)
