"""Stage: an LSTM trained on next-token prediction, what GPT-1 was compared with (paper §5: one layer, 2,048 units).

The same shards, loss, loop and checkpoints as `pretrain`; its runs are bases for `finetune` and nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from pydantic import Field
from torch import Tensor, nn

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.device import Device, recorded_or_measured
from presage.core.run import RunDir
from presage.core.seeds import derive
from presage.data.loader import Loader, Tokens, evaluation_windows
from presage.model.transformer import Transformer
from presage.train.loop import fit
from presage.train.optim import OptimConfig, Optimizer
from presage.train.pretrain import bits_per_byte, check_fits, make_plan, next_token_loss
from presage.train.schedule import ScheduleConfig

__all__ = ["Config", "run"]

STAGE = "lstm"


class LstmConfig(BaseConfig):
    """One layer of LSTM between an embedding and the same matrix as output."""

    vocab_size: int = Field(gt=0)
    context_length: int = Field(gt=0)
    """Of training windows and of what it is fine-tuned on; the network itself has no limit."""
    d_model: int = Field(gt=0)
    """Of the embedding, and of the states that are read."""
    units: int = Field(default=2048, gt=0)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    scores: int | None = Field(default=None, gt=0)
    tie_embeddings: bool = True

    @property
    def n_layers(self) -> int:
        """One."""
        return 1

    @property
    def n_params(self) -> int:
        """All trained numbers."""
        table = self.vocab_size * self.d_model * (1 if self.tie_embeddings else 2)
        return table + self._matmul + 8 * self.units + self.d_model + (self.scores or 0) * (self.d_model + 1)

    @property
    def _matmul(self) -> int:
        return 4 * self.units * (self.d_model + self.units) + self.units * self.d_model

    def flops_per_token(self, length: int | None = None) -> int:
        """Training FLOPs per token: forward, and twice that for the backward pass."""
        return 3 * 2 * (self._matmul + self.vocab_size * self.d_model)


class Recurrent(nn.Module):
    """What fine-tuning and the loop ask of a model: `hidden`, `head`, `score` and `config`.

    h_t = LSTM(embed(token_t), h_{t-1}); states = project(h); logits = states @ head^T
    """

    def __init__(self, config: LstmConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        self.dropout = nn.Dropout(config.dropout) if config.dropout else nn.Identity()
        self.lstm = nn.LSTM(config.d_model, config.units, batch_first=True)
        self.project = nn.Linear(config.units, config.d_model)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.head.weight = self.embed.weight
        self.score = nn.Linear(config.d_model, config.scores) if config.scores else None

    def hidden(self, tokens: Tensor) -> Tensor:
        """Tokens [B, T] -> the states [B, T, D] the head reads."""
        states, _ = self.lstm(self.dropout(self.embed(tokens)))
        out: Tensor = self.project(self.dropout(states))
        return out


def build_lstm(config: LstmConfig, seed: int) -> Recurrent:
    """Initialised from the seed alone: tables N(0, 0.02), the rest as torch does (uniform, 1/sqrt(units))."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Recurrent(config)
        with torch.no_grad():
            model.embed.weight.normal_(0.0, 0.02)
            model.head.weight.normal_(0.0, 0.02)
    return model


class Config(BaseConfig):
    """One pretraining of an LSTM. Horizons are in tokens."""

    shards: Parent
    model: LstmConfig
    tokens: int = Field(gt=0)
    batch_tokens: int = Field(gt=0)
    micro_batch: int = Field(default=64, gt=0)
    optim: OptimConfig = OptimConfig(kind="adamw", lr=2e-3, weight_decay=0.01, transfer=False)
    schedule: ScheduleConfig = ScheduleConfig(kind="cosine")
    device: Device | None = None
    """None: measured at the start and recorded."""
    seed: int = 0
    eval_tokens: int = Field(default=200_000, gt=0)
    log_every: int = Field(default=10, gt=0)
    checkpoint_every: int = Field(default=0, ge=0)
    keep_checkpoints: int = Field(default=1, gt=0)

    def plan(self) -> dict[str, object]:
        """What this run will be, for --dry-run."""
        flops = self.model.flops_per_token() * self.tokens
        return {"parameters": self.model.n_params, "tokens": self.tokens, "FLOPs": flops}


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Train and write the run directory; result.json as of `pretrain`. Resume is exact to the bit on a CPU."""
    chosen = config.device or recorded_or_measured(Config, out)
    config = config.model_copy(update={"device": chosen})
    device = chosen.apply()
    tokens = Tokens(config.shards)
    length = config.model.context_length
    split, held_out = tokens.split("train"), tokens.split("val")
    check_fits(config, split)
    loader = Loader(split, length, config.seed)
    with RunDir.create(out, STAGE, config, seed=config.seed, resume=resume, device=chosen.model_dump()) as directory:
        # The loop and the losses ask of a model no more than a Recurrent has.
        model = cast(Transformer, build_lstm(config.model, derive(config.seed, "init")).to(device))

        def batches(first: int, count: int) -> tuple[Tensor, Tensor]:
            x, y = loader.batch(first, count)
            return torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)

        optimizer = Optimizer(model, config.optim)
        fit(model, optimizer, batches, next_token_loss, make_plan(config), directory, chosen, label=out.name)
        windows = evaluation_windows(held_out, length, config.eval_tokens)
        units = {"val/bpb": "bits/byte", "val/loss": "nats/token"}
        for name, (value, stderr) in bits_per_byte(model, windows, held_out.token_bytes, chosen).items():
            directory.result(name, value, stderr=stderr, n=windows[0].size, unit=units[name])
        directory.result("n_params", config.model.n_params)
        directory.result("tokens", config.tokens // length * length)
        directory.finish()
    return directory
