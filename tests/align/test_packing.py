"""Packing: several conversations in a row compute what each would alone, loss and gradient, and none sees another."""

from __future__ import annotations

from collections import Counter

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings

from presage.core.seeds import stream
from presage.model.config import ModelConfig, gpt2, qwen3
from presage.model.losses import naive_cross_entropy
from presage.model.transformer import build
from presage.train.packing import pack, packed_loss, places

LENGTH, VOCAB = 24, 300
SHAPES = {
    "rope": qwen3(VOCAB, LENGTH, 2, 16),
    "learned": gpt2("124M", VOCAB, LENGTH).model_copy(update={"n_layers": 2, "d_model": 16, "n_heads": 2,
        "n_kv_heads": 2, "d_head": 8, "d_ff": 32}),
    "banded": qwen3(VOCAB, LENGTH, 2, 16, band=4),
}  # fmt: skip


def examples(lengths: list[int], seed: int = 0) -> list[tuple[list[int], list[bool]]]:
    chance = stream(seed, "packing")
    return [(chance.integers(VOCAB, size=n).tolist(), (chance.random(n) < 0.6).tolist()) for n in lengths]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_loss_and_gradient_are_those_of_each_alone(shape: ModelConfig) -> None:
    given_ = examples([5, 9, 3, 20, 12, 7, 2, 25])
    model = build(shape.model_copy(update={"tie_embeddings": True}), 3)
    packed, n = packed_loss(model, pack(given_, LENGTH).rows)
    packed.backward()  # type: ignore[no-untyped-call]
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    alone = torch.zeros(())
    for ids, learned in given_:
        hidden = model.hidden(torch.tensor([ids[:-1]]))
        weights = torch.tensor([learned[1:]], dtype=torch.float32)
        alone = alone + naive_cross_entropy(hidden, model.head.weight, torch.tensor([ids[1:]]), weights)
    alone.backward()  # type: ignore[no-untyped-call]
    assert n == sum(sum(learned[1:]) for _, learned in given_)
    assert packed.item() == pytest.approx(alone.item(), rel=1e-5)
    for name, parameter in model.named_parameters():
        assert torch.allclose(found[name], parameter.grad, atol=1e-4), name  # type: ignore[arg-type]


def test_what_another_text_of_the_row_says_changes_nothing() -> None:
    one, other, third = examples([8, 8, 6])
    model = build(SHAPES["rope"], 3)
    rows = [pack([one, neighbour, third], LENGTH).rows for neighbour in (other, examples([8], seed=1)[0])]
    hidden = [model.trunk(model.embed(r.read), *places(r.text)) for r in rows]
    own = (rows[0].text == 1) | (rows[0].text == 3)
    assert torch.equal(hidden[0][own], hidden[1][own]) and not torch.equal(hidden[0], hidden[1])


@given(st.lists(st.integers(0, LENGTH + 6), max_size=40))
@settings(max_examples=60, deadline=None)
def test_every_example_is_there_once_whole_or_counted_as_too_long(lengths: list[int]) -> None:
    given_ = examples(lengths)
    packing = pack(given_, LENGTH)
    rows = packing.rows
    found = Counter()
    for row in range(len(rows.read)):
        for text in range(1, int(rows.text[row].max()) + 1):
            place = rows.text[row] == text
            ids = [*rows.read[row][place].tolist(), int(rows.predicted[row][place][-1])]
            assert ids[1:] == rows.predicted[row][place].tolist()
            found[tuple(ids), tuple(rows.counted[row][place].tolist())] += 1
    fitting = [one for one in given_ if 2 <= len(one[0]) <= LENGTH + 1]
    assert found == Counter((tuple(ids), tuple(learned[1:])) for ids, learned in fitting)
    assert packing.too_long == len(given_) - len(fitting)
    assert not rows.counted[rows.text == 0].any()
