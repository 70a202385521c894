"""Scores of whole texts: what a model with scores says at a text's last id."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from presage.data.bpe import Tokenizer
from presage.data.chat import encoded, opened
from presage.data.verbs import Message
from presage.model.decode import evaluating, pad
from presage.model.transformer import Transformer

Ids = list[int]


def answered(tokenizer: Tokenizer, prompt: Sequence[Message], completion: str, most: int) -> tuple[Ids, int]:
    """A conversation whose answer is the completion, its last `most` ids, and how many were cut from its beginning."""
    ids, _ = encoded(tokenizer, [*prompt, Message("assistant", completion)])
    return ids[-most:], max(0, len(ids) - most)


def compared(
    tokenizer: Tokenizer, prompt: Sequence[Message], completions: Sequence[str], most: int
) -> tuple[Ids, list[Ids], int]:
    """A prompt and its completions as ids, and how many ids were cut from the prompt's beginning so that it fits with
    the longest of them into `most`; all are read behind the same prompt. A completion that is longer loses its own."""
    head = opened(tokenizer, prompt)
    said = [encoded(tokenizer, [*prompt, Message("assistant", text)])[0][len(head) :][-most:] for text in completions]
    room = most - max(map(len, said))
    return head[max(0, len(head) - room) :], said, max(0, len(head) - room)


def compared_scores(model: Transformer, elements: Sequence[tuple[Ids, Sequence[Ids]]]) -> Tensor:
    """Scores [N, config.scores] at the last ids of all completions, as `last_scores` of each behind its prompt, but
    every prompt is read once: its completions stand behind it in one row, see it and themselves, and begin at the same
    position. A model with banded layers, which count places of a row, reads each apart."""
    if model.config.band:
        return last_scores(model, [[*prompt, *said] for prompt, completions in elements for said in completions])
    device = model.embed.weight.device
    length = max(len(prompt) + sum(map(len, completions)) for prompt, completions in elements)
    table = np.zeros((3, len(elements), length), dtype=np.int64)
    table[1] = -1  # filling
    ends = []
    for row, (prompt, completions) in enumerate(elements):
        start = len(prompt)
        table[:, row, :start] = [prompt, [0] * start, range(start)]
        for text, said in enumerate(completions, 1):
            end = start + len(said)
            table[:, row, start:end] = [said, [text] * len(said), range(len(prompt), len(prompt) + len(said))]
            ends.append(row * length + end - 1)
            start = end
    tokens, text, positions = torch.from_numpy(table).to(device)
    index = torch.arange(length, device=device)
    seen = (text[:, :, None] == text[:, None, :]) | (text[:, None, :] == 0)
    hidden = model.trunk(model.embed(tokens), positions, (seen & (index[:, None] >= index)).unsqueeze(1))
    return model.scored(hidden.flatten(0, 1)[ends])


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
