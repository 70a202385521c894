"""Stage: train a model on documents of text and images, from scratch or from a model of text.

The loss is that of the text alone: of a conversation the assistant's words, of a document all of it. The tokens of
images cost what any token costs, and their encoder what it costs: both are in `flops`.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pydantic import Field, model_validator

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.device import Device, recorded_or_measured
from presage.core.errors import ConfigError, DataError
from presage.core.run import RunDir, note
from presage.core.seeds import derive, in_epochs, stream
from presage.data.bpe import Tokenizer
from presage.data.images.augment import Augment
from presage.data.images.loader import Images
from presage.data.loader import Loader, Tokens, evaluation_windows
from presage.data.vocabulary import check_ids
from presage.model import decode
from presage.model.config import ModelConfig, VisionConfig
from presage.model.splice import seeing
from presage.model.transformer import Transformer, build, with_context, with_vision
from presage.model.weights import load_writer
from presage.train.loop import Plan, fit
from presage.train.optim import OptimConfig, Optimizer
from presage.train.packing import joined as together
from presage.train.packing import shared, windows
from presage.train.parallel import TIMEOUT, Ranks, joined
from presage.train.pretrain import bits_per_byte, ratio, sealed_by
from presage.train.schedule import ScheduleConfig
from presage.train.sight import Album, Batch, sight_loss

__all__ = ["Config", "run"]

EVAL_ROWS = 8
ANSWER = 96
VISION = "vision."


class Config(BaseConfig):
    """One training. From scratch with `model`, which then has a `vision`; as a second stage with `base`."""

    images: tuple[Parent, ...] = Field(min_length=1)
    """Runs of `presage images`."""
    base: Parent | None = None
    """A run with a model, whose tokenizer the images were made with."""
    model: ModelConfig | None = None
    """Of a model from scratch; else the base's, filled in."""
    vision: VisionConfig | None = None
    """The encoder to put in front of a base that has none."""
    freeze: bool = False
    """Train the encoder alone and leave the trunk as it is."""
    trunk_rate: float = Field(default=1.0, gt=0, le=1)
    """What of the rates of `optim` the trunk is trained at; below 1 a base keeps more of its text."""
    epochs: float = Field(default=1.0, gt=0)
    """Over the documents with images."""
    astray: float = Field(default=1.0, ge=0, le=1)
    """How far a row may be from its place among the documents, run by run as `images` names them, as a share of an
    epoch. 1: anywhere. Less is a curriculum, each run of `images` after the one before with a soft passage; each epoch
    begins it anew, and of less than one the last documents are not read."""
    batch_rows: int = Field(default=32, gt=0)
    micro_batch: int = Field(default=8, gt=0)
    context_length: int | None = Field(default=None, gt=1)
    """Of a row; by default the model's, which with RoPE becomes longer where this is. Short documents share one."""
    augment: Augment | None = None
    shards: Parent | None = None
    """Text to train on beside them."""
    text_share: float = Field(default=0.0, ge=0, lt=1)
    """Share of the rows that are windows of `shards`."""
    text_weight: float = Field(default=1.0, gt=0)
    """How much a token of that text counts, where one beside an image counts 1."""
    optim: OptimConfig = OptimConfig()
    schedule: ScheduleConfig = ScheduleConfig(kind="linear")
    device: Device | None = None
    seed: int = 0
    eval_tokens: int = Field(default=50_000, gt=0)
    """Of the held-out text of `shards`."""
    log_every: int = Field(default=10, gt=0)
    checkpoint_every: int = Field(default=0, ge=0)
    keep_checkpoints: int = Field(default=2, gt=0)
    samples: int = Field(default=8, ge=0)
    """Answers to held-out documents to write into samples.jsonl at the end."""
    forecast: Parent | None = None
    """The seal made before this run; its digest goes into origin.json."""
    template: str = Field(default="chat", pattern="^chat$")
    """How a conversation is shown to the model (presage.data.chat)."""

    @model_validator(mode="after")
    def _begins_somewhere(self) -> Config:
        if self.base is None and (self.model is None or self.model.vision is None):
            raise ValueError("neither a base nor a model with vision to begin with")
        if self.freeze and self.base is None:
            raise ValueError("freeze leaves the trunk as it is, and without a base it has learned nothing")
        if self.text_share and self.shards is None:
            raise ValueError("a share of text, and no shards to take it from")
        if self.text_share and self.freeze:
            raise ValueError("freeze trains the encoder alone, and a share of text teaches the encoder nothing")
        return self

    def plan(self) -> dict[str, object]:
        """What it will be, for --dry-run: the runs are read, nothing is written."""
        model, _ = _begun(self)
        album, _ = _album(self, model.config, "train")
        extent = Extent.of(self, album)
        rows = extent.rows(self)
        return {
            "parameters": model.config.n_params,
            "parameters trained": sum(p.numel() for p in _trained(self, model)),
            "documents": album.documents,
            "too long": album.packing.too_long,
            "rows": rows,
            "tokens": extent.tokens(self),
            "steps": math.ceil(rows / self.batch_rows),
            "FLOPs": extent.flops(self, model.config),
        }


@dataclass(frozen=True)
class Extent:
    """What there is to read: rows of images with their text, of one length; of the images in them the sum of their
    numbers of patches, and that of the squares of these: their cost follows from the two."""

    own: int
    length: int
    patches: int
    squares: int

    @classmethod
    def of(cls, config: Config, album: Album) -> Extent:
        """Of an album's rows. Raises DataError where no document fits one."""
        own, length = album.packing.rows.read.shape
        if not own:
            where, hint = config.images[0], "smaller images or a longer context"
            raise DataError(f"no document fits {length} tokens", where=where, hint=hint)
        patches = album.patches()
        return cls(own, length, int(patches.sum()), int((patches**2).sum()))

    def rows(self, config: Config) -> int:
        """Rows to train on, those of text among them. Raises ConfigError where the epochs come to none."""
        rows = round(config.epochs * self.own / (1 - config.text_share))
        if not rows:
            raise ConfigError(f"{config.epochs:g} epochs of {self.own} rows are none", where="epochs")
        return rows

    def flops_per_token(self, config: Config, model: ModelConfig) -> tuple[int, int]:
        """Of training: the trunk's at every token, and the encoder's spread over them. A frozen trunk has no gradients
        of its weights: two thirds."""
        trunk = model.flops_forward(self.length) * (2 if config.freeze else 3)
        assert model.vision is not None
        seen = model.vision.flops_of_patches(self.patches, self.squares, model.d_model)
        return trunk, round(3 * seen * (1 - config.text_share) / (self.own * self.length))

    def tokens(self, config: Config) -> int:
        """Of all rows to train on."""
        return self.rows(config) * self.length

    def flops(self, config: Config, model: ModelConfig) -> int:
        """Of all of the training."""
        return self.tokens(config) * sum(self.flops_per_token(config, model))


def shape_of(config: Config) -> ModelConfig:
    """The shape of a config's model, filled in; the base is read. Raises as `run` does."""
    return _begun(config)[0].config


def extent_and_shape(config: Config) -> tuple[Extent, ModelConfig]:
    """What a config will read, and the shape of its model; the runs are read. Raises as `run` does."""
    shape = shape_of(config)
    return Extent.of(config, _album(config, shape, "train")[0]), shape


def row_length(config: Config, model: ModelConfig) -> int:
    """Tokens of a row."""
    return config.context_length or model.context_length


def held_out_rows(config: Config, model: ModelConfig) -> int:
    """Rows of held-out documents: without them there is no loss to speak of afterwards."""
    return len(_album(config, model, "val")[0].packing.rows.read)


def run(config: Config, out: Path, *, resume: bool = False, rank_timeout: float = TIMEOUT) -> RunDir:
    """Train, examine on what was held out, write the run directory. Resume is exact to the bit on a CPU.

    Started by torchrun, every rank calls this, and the first one writes.
    Raises DataError where no document fits a row, ConfigError where parts do not belong together, RunError where a rank
    does not come within `rank_timeout` seconds.
    """
    with joined(rank_timeout) as ranks:
        return _run(config, out, resume, ranks)


def _run(config: Config, out: Path, resume: bool, ranks: Ranks) -> RunDir:
    chosen = ranks.device(lambda threads: config.device or recorded_or_measured(Config, out, threads))
    device = chosen.apply()
    work = ranks.alike(partial(_read, config, chosen, device))
    wished, config, mixture = config, work.config, work.mixture
    album = mixture.album
    facts = {"device": chosen.model_dump(), "seal": sealed_by(config.forecast)}
    directory = ranks.directory(out, "vision", config, seed=config.seed, resume=resume, **facts)
    if ranks.first:
        _tell(wished, work)
    with directory, ranks.waiting():
        model = ranks.spread(work.model, device).train()
        for parameter in set(model.parameters()) - set(_trained(config, model)):
            parameter.requires_grad_(False)
        trunk, encoder = work.extent.flops_per_token(config, model.config)
        plan = Plan.of(
            config,
            tokens=work.extent.tokens(config),
            batch_sequences=config.batch_rows,
            sequence_tokens=work.length,
            flops_per_token=trunk + encoder,
        )
        optimizer = _optimizer(config, model)
        state = fit(model, optimizer, mixture.batch, sight_loss, plan, directory, chosen, ranks=ranks)
        if not ranks.first:
            return directory
        shutil.copyfile(work.vocabulary, directory.artifact("tokenizer.json"))
        held_out, _ = _album(config, model.config, "val")
        results = (
            {"encoder/share": {"value": encoder / (trunk + encoder), "unit": "of FLOPs"}}
            | _losses(model, held_out, device)
            | mixture.text_losses(model, chosen)
        )
        counts = {"documents": album.documents, "too_long": album.packing.too_long, "steps": state.step}
        counts |= {"rows": len(album.packing.rows.read), "tokens": state.tokens, "flops": state.flops}
        counts |= {"n_params": model.config.n_params, "skipped_steps": state.skipped}
        directory.write_json("result.json", results | {name: {"value": count} for name, count in counts.items()})
        _write_samples(directory, config, model, held_out, Tokenizer.load(work.vocabulary), state.step)
        directory.finish()
    return directory


def _tell(wished: Config, work: _Work) -> None:
    album, own = work.mixture.album, work.model.config.vision
    if album.packing.too_long:
        note(f"{album.packing.too_long} of {album.documents} documents do not fit {work.length} tokens: left out")
    if wished.base is not None and wished.vision not in (None, own):
        note("the base sees already: its own encoder is trained, and `vision` is left aside")


class _Work(NamedTuple):
    """What a config names, read and found to belong together; the config says on what device, and the whole shape."""

    config: Config
    model: Transformer
    vocabulary: Path
    mixture: _Mixture
    length: int
    extent: Extent


def _read(config: Config, chosen: Device, device: torch.device) -> _Work:
    model, vocabulary = _begun(config)
    config = config.model_copy(update={"device": chosen, "model": model.config})
    album, length = _album(config, model.config, "train")
    extent = Extent.of(config, album)
    extent.rows(config)
    mixture = _Mixture(config, album, length, device, vocabulary)
    return _Work(config, model, vocabulary, mixture, length, extent)


class _Mixture:
    """Rows with images, and every so often a window of text."""

    def __init__(self, config: Config, album: Album, length: int, device: torch.device, vocabulary: Path) -> None:
        self.config, self.album, self.device = config, album, device
        self.text: Tokens | None = None
        if config.shards is not None:
            self.text = Tokens(config.shards)
            check_ids(vocabulary, self.text.tokenizer_path, config.shards)
            self.loader = Loader(self.text.split("train"), length, derive(config.seed, "text"))

    def batch(self, first: int, count: int) -> Batch:
        """Rows first … first+count-1."""
        own, text = shared(first, count, self.config.text_share)
        order = in_epochs(*own, len(self.album.packing.rows.read), self.config.seed, self.config.astray)
        seen = self.album.batch(order)
        images = seen.images if self.config.augment is None else self._changed(seen.images, own[0], order)
        rows = seen.rows
        if text[1]:
            rows = together([rows, windows(self.loader.batch(*text), self.config.text_weight)])
        return Batch(rows, images).to(self.device)

    def text_losses(self, model: Transformer, device: Device) -> dict[str, dict[str, object]]:
        """Bits per byte of the held-out text, where there is text."""
        if self.text is None:
            return {}
        held_out = self.text.split("val")
        parts = evaluation_windows(held_out, model.config.context_length, self.config.eval_tokens)
        value, stderr = bits_per_byte(model, parts, held_out.token_bytes, device)["val/bpb"]
        return {"text/bpb": {"value": value, "stderr": stderr, "n": parts[0].size, "unit": "bits/byte"}}

    def _changed(self, images: Sequence[np.ndarray], first: int, order: Sequence[int]) -> list[np.ndarray]:
        """The images of rows, each changed by a chance of its row's number and its place in the row."""
        assert self.config.augment is not None
        change, seed = self.config.augment.applied, self.config.seed
        places = [(first + n, k) for n, row in enumerate(order) for k in range(self.album.images_in(row))]
        pairs = zip(images, places, strict=True)
        return [change(image, stream(seed, "augment", *place)) for image, place in pairs]


def _begun(config: Config) -> tuple[Transformer, Path]:
    """The model as it begins, and its tokenizer. Raises ConfigError where it cannot read these images."""
    first = Images(config.images[0])
    for other in config.images[1:]:
        check_ids(first.tokenizer_path, Images(other).tokenizer_path, other)
    if config.base is None:
        assert config.model is not None  # by the config's own check
        if config.model.vocab_size < first.vocab_size:
            raise ConfigError(f"fewer than the tokenizer's {first.vocab_size} tokens", where="model.vocab_size")
        return build(config.model, derive(config.seed, "init")), first.tokenizer_path
    model, vocabulary = load_writer(config.base)
    check_ids(vocabulary, first.tokenizer_path, config.images[0])
    if model.vision is None and config.vision is None:
        raise ConfigError("this base reads text alone", where=config.base, hint="set vision: an encoder to begin with")
    if config.context_length is not None and config.context_length > model.config.context_length:
        model = with_context(model, config.context_length)
    if model.vision is None and config.vision is not None:
        model = with_vision(model, config.vision, derive(config.seed, "init"))
    return model, vocabulary


def _album(config: Config, model: ModelConfig, split: str) -> tuple[Album, int]:
    length, most = row_length(config, model), model.context_length
    if length > most:
        raise ConfigError(f"{length} tokens, and the model was made for {most} at most", where="context_length")
    assert model.vision is not None
    runs = [Images(path) for path in config.images]
    return Album(runs, split, length, model.vision, apart=config.astray < 1), length


def _trained(config: Config, model: Transformer) -> list[torch.nn.Parameter]:
    return [p for name, p in model.named_parameters() if name.startswith(VISION) or not config.freeze]


def _optimizer(config: Config, model: Transformer) -> Optimizer:
    optimizer = Optimizer(model, config.optim)
    for name in optimizer.scales:
        optimizer.scales[name] *= 1.0 if name.startswith(VISION) else config.trunk_rate
    return optimizer


@torch.no_grad()
def _losses(model: Transformer, album: Album, device: torch.device) -> dict[str, dict[str, object]]:
    """Loss of held-out documents in nats a token that counts; the standard error is that of a ratio over rows."""
    rows = range(len(album.packing.rows.read))
    if not rows:
        return {}
    with decode.evaluating(model):
        losses = [sight_loss(model, album.batch([row]).to(device)) for row in rows]
    nats, counts = np.array([float(value) for value, _ in losses]), np.array([n for _, n in losses], dtype=np.float64)
    mean, spread = ratio(nats, counts)
    stderr = spread if len(losses) > 1 else None
    return {"val/loss": {"value": mean, "stderr": stderr, "n": int(counts.sum()), "unit": "nats/token"}}


def _write_samples(
    directory: RunDir, config: Config, model: Transformer, album: Album, tokenizer: Tokenizer, step: int
) -> None:
    """Greedy answers where the first words that count of held-out documents begin; unpicked."""
    (directory.path / "samples.jsonl").unlink(missing_ok=True)  # of a run that was killed here
    for one in album.openings(config.samples):
        model_of_it = seeing(model, one.images)
        ids = decode.generate(model_of_it, [one.prompt], ANSWER, temperature=0.0, eot=tokenizer.eot)[0]
        texts = (tokenizer.decode(i for i in some if 0 <= i != tokenizer.eot) for some in (one.prompt, ids, one.answer))
        prompt, completion, shown = texts
        directory.sample(step=step, prompt=prompt, completion=completion.strip(), shown=shown.strip())
