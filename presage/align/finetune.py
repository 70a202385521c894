"""Stage: GPT-1's fine-tuning: a base, a labelled set, a linear layer on the extract token (paper §3.2, §3.3, §4.1).

The defaults are the paper's: Adam at 6.25e-5, 32 items, three epochs, warm-up over 0.2 % and straight down to zero,
lambda 0.5, dropout 0.1 on what the linear layer reads. Every ablation of §5 is a setting: `auxiliary=0`, `transfer=k`,
`pretrained=false`, and an LSTM as base or from nothing.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from pydantic import Field, model_validator

from presage.align import finetune_asked as asking
from presage.align import finetune_scores as scoring
from presage.align.finetune_data import Dataset, Form, Item, named, own
from presage.align.finetune_inputs import MARKS, Batch, Encoded, Marks, batch, encode, grouped
from presage.align.finetune_lstm import LstmConfig
from presage.align.finetune_model import Base, Net, Objective, adapted, base_of, predicted
from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.device import Device, recorded_or_measured
from presage.core.errors import ConfigError, RunError
from presage.core.files import sha256
from presage.core.run import RunDir
from presage.core.seeds import in_epochs
from presage.data.bpe import Tokenizer
from presage.infer.opening import open_model
from presage.model.config import ModelConfig
from presage.model.transformer import Transformer
from presage.train.loop import Plan, fit
from presage.train.optim import OptimConfig, Optimizer
from presage.train.schedule import ScheduleConfig

__all__ = ["Config", "run"]

STAGE = "finetune"


class Config(BaseConfig):
    """One fine-tuning on one labelled set."""

    base: Parent | None = None
    """A run with a model: pretrained, imported, an LSTM; none: `model` or `lstm` and `tokenizer` are given."""
    pretrained: bool = True
    """False: the base's shape and tokenizer, and nothing of its weights."""
    transfer: int | None = Field(default=None, ge=0)
    """How many blocks of the base are kept, with the embeddings; none: all."""
    model: ModelConfig | None = None
    """The shape trained from nothing; of a base filled in, its own with three more tokens."""
    lstm: LstmConfig | None = None
    """The same of an LSTM."""
    tokenizer: Parent | None = None
    """A run with a tokenizer, where there is no base."""
    task: str = ""
    """A public set: sst2, cola, mrpc, rte, arc_easy, arc_challenge."""
    data: str = ""
    """The folder below which the public files lie."""
    train: str = ""
    """Or a file of JSON lines with "label" and "text", "a" and "b", or "context" and "choices"."""
    test: str = ""
    """The same, held out."""
    form: Form | None = None
    """Of a user's files; by default what their keys say, and entailment of two texts."""
    numbers: bool = False
    """Labels are numbers to be learnt, as a degree of similarity; judged by correlation."""
    labels: int | None = Field(default=None, gt=0)
    """How many training items, of an order drawn by the seed; none: all."""
    test_items: int | None = Field(default=None, gt=0)
    validation: float = Field(default=0.0, ge=0, lt=1)
    """Judged on this share of the training items, which are then not trained on: for choosing settings."""
    asked: tuple[int, ...] = ()
    """The base asked the same items after so many solved examples, 0 for zero-shot: rows of tables/compared.csv."""
    epochs: int = Field(default=3, gt=0)
    batch: int = Field(default=32, gt=0)
    micro_batch: int = Field(default=32, gt=0)
    """Items per forward pass; changes speed and memory, and the update in rounding only."""
    auxiliary: float = Field(default=0.5, ge=0)
    """lambda of L3 = L2 + lambda L1; 0 leaves the language model's loss out."""
    classifier_dropout: float = Field(default=0.1, ge=0, lt=1)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    """Inside the model; none: as the base was trained. GPT-1: 0.1."""
    context: int | None = Field(default=None, gt=0)
    """Tokens of a sequence; none: the model's context."""
    optim: OptimConfig = OptimConfig(kind="adamw", lr=6.25e-5, beta2=0.999, weight_decay=0.01, transfer=False)
    schedule: ScheduleConfig = ScheduleConfig(kind="linear")
    """Its warmup_tokens are filled in from `warmup`."""
    warmup: float = Field(default=0.002, ge=0, lt=1)
    """Share of the training over which the rate rises; nothing where that is less than one update."""
    curve: int = Field(default=1000, ge=0)
    """Held-out items judged after every epoch, for metrics.jsonl."""
    device: Device | None = None
    """None: measured at the start and recorded."""
    seed: int = 0
    log_every: int = Field(default=10, gt=0)
    checkpoint_every: int = Field(default=0, ge=0)
    """Items; 0: at the end."""
    keep_checkpoints: int = Field(default=1, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> Config:
        if bool(self.task) == bool(self.train or self.test) or bool(self.train) != bool(self.test):
            raise ValueError("either a task, or train and test, must be given")
        if self.base is None and (self.tokenizer is None or (self.model is None) == (self.lstm is None)):
            raise ValueError("without a base, a tokenizer and either a model or an lstm must be given")
        return self

    def plan(self) -> dict[str, object]:
        """What this run will be, for --dry-run; reads the set."""
        data = _data(self)
        counts: dict[str, object] = {"training items": len(data.train), "held-out items": len(data.test)}
        updates = math.ceil(self.epochs * len(data.train) / self.batch)
        return {"set": data.name, "form": data.form, "held out": data.split} | counts | {"updates": updates}


@dataclass(frozen=True)
class _Work:
    """What a run computes with."""

    config: Config
    data: Dataset
    train: list[Encoded]
    test: list[Encoded]
    objective: Objective
    longest: int
    torch_device: torch.device

    @property
    def item_tokens(self) -> int:
        """What an item counts: its sequences, filled up to the longest there is."""
        return self.longest * max(len(one.sequences) for one in self.train)

    def batches(self, items: Sequence[Encoded]) -> list[Batch]:
        """In groups of like length: less is filled, and nothing else differs."""
        return [batch([items[place] for place in group]).to(self.torch_device) for group in grouped(items)]

    def values(self, model: Net, items: Sequence[Encoded]) -> list[list[float]]:
        """What is predicted of items, in their order."""
        places = [place for group in grouped(items) for place in group]
        rows = predicted(model, self.objective, self.batches(items))
        return [row for _, row in sorted(zip(places, rows, strict=True), key=lambda pair: pair[0])]


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """result.json with the set's metrics on the held-out items, tables/{predictions,compared,files}.csv, the model.

    A linear layer's weights, the three tokens' rows and all else are in the newest checkpoint. Raises ConfigError,
    DataError or RunError for what does not fit together. Resume is exact to the bit on a CPU.
    """
    chosen = config.device or recorded_or_measured(Config, out)
    base = _base(config)
    data = _data(config)
    tokenizer = Tokenizer.load(base.tokenizer)
    device = chosen.apply()
    model = adapted(base, data.scores, transfer=config.transfer, dropout=config.dropout, seed=config.seed).to(device)
    shape = {"model": None, "lstm": None, _kind(model): model.config}
    config = config.model_copy(update={"device": chosen, **shape})
    work = _work(config, data, tokenizer, base.shape.vocab_size, device)
    files = {path.name: sha256(path) for path in data.files}
    facts = {"device": chosen.model_dump(), "files": files}
    with RunDir.create(out, STAGE, config, seed=config.seed, resume=resume, **facts) as directory:
        if directory.origin["files"] != files:
            raise RunError("the files it learns from have changed since it began", where=out)
        shutil.copyfile(base.tokenizer, directory.artifact("tokenizer.json"))
        _train(work, model, directory, chosen)
        _write(work, model, directory)
        directory.finish()
    return directory


def _base(config: Config) -> Base:
    """The base, without its weights where they are not wanted."""
    if config.base is not None:
        found = base_of(config.base)
        return found if config.pretrained else Base(found.shape, None, found.tokenizer)
    assert config.tokenizer is not None
    place = RunDir.open(config.tokenizer).path / "artifacts" / "tokenizer.json"
    shape = config.model or config.lstm
    assert shape is not None
    size = Tokenizer.load(place).n_vocab
    return Base(shape.model_copy(update={"vocab_size": size, "scores": None}), None, place)


def _kind(model: Net) -> str:
    """The field of the config that its shape is written in, where `load_run` looks for a Transformer's."""
    return "model" if isinstance(model, Transformer) else "lstm"


def _data(config: Config) -> Dataset:
    if config.task:
        found = named(config.task, Path(config.data))
    else:
        found = own(Path(config.train), Path(config.test), config.form, config.numbers)
    found = found.validated(config.validation) if config.validation else found
    return found.fewer(config.labels, config.test_items, config.seed)


def _work(config: Config, data: Dataset, tokenizer: Tokenizer, vocabulary: int, device: torch.device) -> _Work:
    shape = config.model or config.lstm
    assert shape is not None
    context = config.context or shape.context_length
    if context > shape.context_length:
        raise ConfigError(f"{context} tokens, the model's context is {shape.context_length}", where="context")
    marks = Marks.after(vocabulary)
    train, test = (encode(items, data.form, tokenizer, marks, context) for items in (data.train, data.test))
    objective = Objective(data.form == "choice", data.numbers, config.auxiliary, config.classifier_dropout)
    return _Work(config, data, train, test, objective, max(one.longest for one in train), device)


# ---- training -------------------------------------------------------------------------------------------------------


def _train(work: _Work, model: Net, directory: RunDir, device: Device) -> None:
    config, size = work.config, len(work.train)

    def batches(first: int, count: int) -> list[Batch]:
        return work.batches([work.train[place] for place in in_epochs(first, count, size, config.seed)])

    def evaluate() -> dict[str, float]:
        return _judged(work, model) if config.curve else {}

    # The loop and the optimizer ask of a model no more than an LSTM has.
    trained = cast(Transformer, model)
    optimizer = Optimizer(trained, config.optim)
    plan = _plan(work, model)
    state = fit(
        trained,
        optimizer,
        batches,
        work.objective,
        plan,
        directory,
        device,
        evaluate=evaluate,
        label=directory.path.name,
    )
    if config.curve and not any("test/loss" in row and row["step"] == state.step for row in directory.rows()):
        directory.metric(step=state.step, tokens=state.tokens, flops=state.flops, **evaluate())


def _plan(work: _Work, model: Net) -> Plan:
    config, each = work.config, work.item_tokens
    epoch = len(work.train) * each
    warm = int(config.warmup * config.epochs * epoch)
    warm = warm if warm >= config.batch * each else 0
    return Plan.of(
        config,
        tokens=config.epochs * epoch,
        batch_sequences=config.batch,
        sequence_tokens=each,
        flops_per_token=model.config.flops_per_token(work.longest),
        schedule=config.schedule.model_copy(update={"warmup_tokens": config.schedule.warmup_tokens or warm}),
        eval_every=epoch,
        checkpoint_every=config.checkpoint_every * each,
    )


def _judged(work: _Work, model: Net) -> dict[str, float]:
    """A point of the learning curve: metrics on the first `curve` held-out items, without errors, and their loss."""
    items, encoded = work.data.test[: work.config.curve], work.test[: work.config.curve]
    found = _predictions(work, model, items, encoded)
    values = scoring.values(work.data, found)
    return {"test/loss": scoring.loss(found, numbers=work.data.numbers)} | {f"test/{k}": v for k, v in values.items()}


def _predictions(
    work: _Work, model: Net, items: Sequence[Item], encoded: Sequence[Encoded]
) -> list[scoring.Prediction]:
    return scoring.predictions(items, work.values(model, encoded), numbers=work.data.numbers)


# ---- results --------------------------------------------------------------------------------------------------------


def _write(work: _Work, model: Net, directory: RunDir) -> None:
    config, data = work.config, work.data
    found = _predictions(work, model, data.test, work.test)
    estimates = scoring.estimates(data, found, config.seed)
    directory.table("predictions", scoring.rows(data, found), scoring.PREDICTIONS)
    files = [{"file": path.name, "sha256": sha256(path)} for path in data.files]
    directory.table("files", files, ["file", "sha256"])
    cut = sum(one.cut > 0 for one in work.test)
    table = [asking.compared("fine-tuned", name, one, cut) for name, one in estimates.items()]
    directory.table("compared", [*_asked(config, data), *table], asking.COMPARED)
    results: dict[str, dict[str, Any]] = {name: scoring.entry(name, one) for name, one in estimates.items()}
    common = scoring.commonest(data)
    results |= {"commonest label": scoring.entry("accuracy", common)} if common else {}
    results |= {name: {"value": value} for name, value in _facts(work, model).items()}
    directory.write_json("result.json", results)


def _asked(config: Config, data: Dataset) -> list[dict[str, Any]]:
    """Rows of the base, where it is a language model that can be asked and the set says how."""
    if not config.asked or config.base is None or config.lstm is not None or data.asking is None:
        return []
    model = open_model(str(config.base))
    return [row for shots in config.asked for row in asking.asked(model, data.asking, shots, config.seed)]


def _facts(work: _Work, model: Net) -> dict[str, str | int]:
    """What a reader must know beside the scores."""
    data = work.data
    sides = {"train": work.train, "test": work.test}
    cut = {f"{side} items cut": sum(one.cut > 0 for one in some) for side, some in sides.items()}
    tokens = {f"{side} tokens cut": sum(one.cut for one in some) for side, some in sides.items()}
    new = MARKS * model.config.d_model * (1 if model.config.tie_embeddings else 2)
    return {
        "set": data.name,
        "form": data.form,
        "held out": data.split,
        "train items": len(data.train),
        "test items": len(data.test),
        **cut,
        **tokens,
        "longest sequence": work.longest,
        "n_params": model.config.n_params,
        "new parameters": new + data.scores * (model.config.d_model + 1),
    }
