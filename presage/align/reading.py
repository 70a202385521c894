"""Scores of whole texts: what a model with scores says at a text's last id."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from presage.data.bpe import Tokenizer
from presage.data.chat import encoded
from presage.data.verbs import Message
from presage.model.decode import evaluating, pad
from presage.model.transformer import Transformer

Ids = list[int]


def answered(tokenizer: Tokenizer, prompt: Sequence[Message], completion: str, most: int) -> tuple[Ids, int]:
    """A conversation whose answer is the completion, its last `most` ids, and how many were cut from its beginning."""
    ids, _ = encoded(tokenizer, [*prompt, Message("assistant", completion)])
    return ids[-most:], max(0, len(ids) - most)


def last_scores(model: Transformer, texts: Sequence[Ids]) -> Tensor:
    """Scores [N, config.scores] at the last id of each text, with gradients; none may be empty."""
    tokens, counts = pad(texts, model.embed.weight.device)
    hidden = model.hidden(tokens)
    return model.scored(hidden[torch.arange(len(counts), device=tokens.device), counts - 1])


@torch.no_grad()
def rewards(model: Transformer, texts: Sequence[Ids], *, batch_tokens: int = 8192) -> Tensor:
    """Rewards [N] of texts by a model with one score, on the CPU; a text's does not depend on the others."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
    found = torch.empty(len(texts))
    with evaluating(model):
        while order:
            rows = max(1, batch_tokens // len(texts[order[0]]))
            part, order = order[:rows], order[rows:]
            found[part] = last_scores(model, [texts[i] for i in part])[:, 0].float().cpu()
    return found
