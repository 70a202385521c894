"""A base with three more tokens and a linear layer on top, and the loss it is fine-tuned with (GPT-1 paper, §3.2).

    P(y | x) = softmax(h W_y)          h: the last state at the extract token
    L3 = L2 + lambda L1                L2: log P(y | x), L1: the language model's loss on the same sequences

Of several sequences of one item h is their sum (similarity), or each has its own scalar (choice). As in the released
code L1 is the mean over a sequence's tokens (marks included, the first excepted), then over sequences, those of wrong
answers too; where items of a batch differ in how many they have, over an item's sequences and then over items.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from presage.align.finetune_inputs import MARKS, Batch
from presage.align.finetune_lstm import STAGE as LSTM_STAGE
from presage.align.finetune_lstm import Config as LstmRun
from presage.align.finetune_lstm import LstmConfig, Recurrent, build_lstm
from presage.core.errors import ConfigError
from presage.core.run import RunDir, load_config
from presage.core.seeds import derive
from presage.model.config import ModelConfig
from presage.model.losses import cross_entropy
from presage.model.transformer import Transformer, build
from presage.model.weights import MODEL_FILE, checkpoint, load_run, load_tensors, read_tensors, verified

Shape = ModelConfig | LstmConfig
Net = Transformer | Recurrent
INIT = 0.02


# ---- from a base to what is fine-tuned ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Base:
    """What fine-tuning begins with: a shape, its weights where there are any, and its tokenizer.json."""

    shape: Shape
    tensors: dict[str, Tensor] | None
    tokenizer: Path


def base_of(run: Path) -> Base:
    """The newest checkpoint of a run of ours that has a model, or of an imported one, or of an LSTM.

    Raises RunError, ConfigError or CorruptError as `load_run` does.
    """
    if RunDir(run).stage != LSTM_STAGE:
        model, tokenizer = load_run(run)
        return Base(model.config, dict(model.state_dict()), tokenizer)
    config = load_config(LstmRun, run / "config.json")
    file = verified(checkpoint(run), MODEL_FILE)
    lstm = build_lstm(config.model, 0)
    load_tensors(cast(Transformer, lstm), read_tensors(file), file)
    return Base(config.model, dict(lstm.state_dict()), config.shards / "artifacts" / "tokenizer.json")


def adapted(base: Base, scores: int, *, transfer: int | None, dropout: float | None, seed: int) -> Net:
    """The base's shape with three more tokens and `scores` numbers, and those of its weights that are transferred.

    transfer: how many blocks are kept, from the first on (None: all, and the final norm with the last); the embeddings
    and the output matrix are kept with any number. New rows and W_y are N(0, 0.02), everything else as the shape's own
    initialisation draws it. Raises ConfigError for more blocks than there are.
    """
    layers = base.shape.n_layers
    if transfer is not None and transfer > layers:
        raise ConfigError(f"{transfer} blocks of {layers} cannot be kept", where="transfer")
    changes: dict[str, object] = {"vocab_size": base.shape.vocab_size + MARKS, "scores": scores}
    changes |= {} if dropout is None else {"dropout": dropout}
    model = built(base.shape.model_copy(update=changes), derive(seed, "init"))
    _begin(model, base.shape.vocab_size, seed)
    kept = transferred(list(base.tensors or {}), layers if transfer is None else transfer, layers)
    with torch.no_grad():
        for name, target in model.state_dict().items():
            if base.tensors is not None and name in kept:
                target[: len(base.tensors[name])].copy_(base.tensors[name])
    return model


def built(shape: Shape, seed: int) -> Net:
    """A fresh model of either kind."""
    return build_lstm(shape, seed) if isinstance(shape, LstmConfig) else build(shape, seed)


def transferred(names: Sequence[str], blocks: int, layers: int) -> set[str]:
    """Which tensors of a base are kept with so many of its blocks."""
    return {name for name in names if not name.startswith("score.") and _depth(name, layers) <= blocks}


def _depth(name: str, layers: int) -> int:
    """From how many kept blocks on a tensor is kept: 0 for embeddings and head, all for the final norm."""
    if name.startswith("blocks."):
        return int(name.split(".")[1]) + 1
    return layers if name.startswith(("norm.", "lstm.", "project.")) else 0


def _begin(model: Net, vocabulary: int, seed: int) -> None:
    """Draw the rows of the three marks and the linear layer, from a generator of their own."""
    generator = torch.Generator().manual_seed(derive(seed, "marks"))
    assert model.score is not None
    with torch.no_grad():
        model.embed.weight[vocabulary:].normal_(0.0, INIT, generator=generator)
        if not model.config.tie_embeddings:
            model.head.weight[vocabulary:].normal_(0.0, INIT, generator=generator)
        model.score.weight.normal_(0.0, INIT, generator=generator)
        model.score.bias.zero_()


# ---- what is read off, and the loss ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Objective:
    """How labels are scored. choice: a scalar each, compared among an item's own; numbers: a number is learnt.

    auxiliary: lambda of L3. dropout: of what the linear layer reads, with one mask for all sequences of an item, as in
    the released code.
    """

    choice: bool
    numbers: bool = False
    auxiliary: float = 0.5
    dropout: float = 0.1

    def __call__(self, model: Net, groups: Sequence[Batch]) -> tuple[Tensor, int]:
        """(-L3 summed over items in nats, number of items): what the training loop takes."""
        parts = [self._loss(model, group) for group in groups]
        return torch.stack(parts).sum(), sum(len(group.labels) for group in groups)

    def _loss(self, model: Net, batch: Batch) -> Tensor:
        hidden = model.hidden(batch.tokens)
        loss = self.supervised(self.scores(model, batch, hidden), batch)
        return loss + self.auxiliary * language_loss(model, batch, hidden) if self.auxiliary else loss

    def scores(self, model: Net, batch: Batch, hidden: Tensor) -> Tensor:
        """[B, classes] logits, [B, most candidates] with -inf where an item has fewer, or [B, 1] numbers."""
        score = cast(nn.Linear, model.score)
        extract = hidden[torch.arange(len(hidden), device=hidden.device), batch.lengths - 1]
        items, width = len(batch.labels), hidden.shape[-1]
        mask = F.dropout(hidden.new_ones(items, width), self.dropout, model.training)
        if not self.choice:
            summed = extract.new_zeros(items, width).index_add(0, batch.owner, extract)
            return cast(Tensor, score(summed * mask).float())
        scalars: Tensor = score(extract * mask[batch.owner]).squeeze(-1).float()
        spread = scalars.new_full((items, int(batch.candidates.max())), -math.inf)
        return spread.index_put((batch.owner, batch.slot), scalars)

    def supervised(self, scores: Tensor, batch: Batch) -> Tensor:
        """-L2 summed over items; of numbers half the squared error."""
        if self.numbers:
            return (scores.squeeze(-1) - batch.labels).square().sum() / 2
        return F.cross_entropy(scores, batch.labels, reduction="sum")


def language_loss(model: Net, batch: Batch, hidden: Tensor) -> Tensor:
    """-L1: per token of a sequence, then over an item's sequences, summed over items. hidden: [S, T, D]."""
    places = torch.arange(1, batch.tokens.shape[1], device=hidden.device)
    real = places < batch.lengths[:, None]
    share = 1 / (batch.candidates[batch.owner] * (batch.lengths - 1))
    weights = share[:, None].expand_as(real)[real]
    return cross_entropy(hidden[:, :-1][real], model.head.weight, batch.tokens[:, 1:][real], weights)


@torch.no_grad()
def predicted(model: Net, objective: Objective, batches: Sequence[Batch]) -> list[list[float]]:
    """Of every item, in the batches' order: the probability of each class or choice, or the number."""
    was = model.training
    model.eval()
    found: list[list[float]] = []
    for batch in batches:
        scores = objective.scores(model, batch, model.hidden(batch.tokens))
        values = scores if objective.numbers else scores.softmax(-1)
        found += [row[:count].tolist() for row, count in zip(values, _counts(objective, batch, scores), strict=True)]
    model.train(was)
    return found


def _counts(objective: Objective, batch: Batch, scores: Tensor) -> list[int]:
    return batch.candidates.tolist() if objective.choice else [scores.shape[1]] * len(scores)
