"""What is transferred, and L3 against its definition."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from presage.align.finetune_inputs import Batch, Encoded, batch
from presage.align.finetune_lstm import LstmConfig, build_lstm
from presage.align.finetune_model import Base, Net, Objective, Shape, adapted, predicted
from presage.core.errors import ConfigError
from presage.model.config import ModelConfig, gpt1, qwen3
from presage.model.transformer import build

WORDS, CONTEXT = 40, 24
ROPE = qwen3(WORDS, CONTEXT, 3, 16, n_heads=2, n_kv_heads=2, d_head=8)
POST = ModelConfig.parse(
    gpt1().model_dump()
    | {"vocab_size": WORDS, "context_length": CONTEXT, "n_layers": 3, "d_model": 16, "n_heads": 2, "n_kv_heads": 2}
    | {"d_head": 8, "d_ff": 32}
)
LSTM = LstmConfig(vocab_size=WORDS, context_length=CONTEXT, d_model=16, units=24)
SHAPES: dict[str, Shape] = {"rope": ROPE, "post-norm": POST, "lstm": LSTM}


def base(shape: Shape) -> Base:
    """A shape with weights as if it had been trained: none of them is what its initialisation would draw again."""
    net: Net = build_lstm(shape, 5) if isinstance(shape, LstmConfig) else build(shape, 5)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return Base(shape, dict(net.state_dict()), Path("tokenizer.json"))


def made(shape: Shape, scores: int, transfer: int | None = None, **changes: Any) -> Net:
    return adapted(base(shape), scores, transfer=transfer, dropout=changes.get("dropout", 0.0), seed=0).eval()


def kept(shape: Shape, transfer: int | None) -> set[str]:
    """Names of tensors whose rows of the base's vocabulary are the base's."""
    before = base(shape).tensors
    assert before is not None
    after = adapted(base(shape), 2, transfer=transfer, dropout=None, seed=0).state_dict()
    return {name for name, tensor in before.items() if torch.equal(after[name][: len(tensor)], tensor)}


@pytest.mark.parametrize("blocks", [0, 1, 2, 3])
def test_transfer_keeps_exactly_the_stated_tensors(blocks: int) -> None:
    names = set(base(ROPE).tensors or {})
    inside = {name for name in names if name.startswith("blocks.") and int(name.split(".")[1]) < blocks}
    final = {"norm.weight"} if blocks == 3 else set()
    assert kept(ROPE, blocks) == {"embed.weight", "head.weight"} | inside | final


def test_all_is_kept_by_default_and_nothing_from_nothing() -> None:
    for shape in SHAPES.values():
        assert kept(shape, None) == set(base(shape).tensors or {})
    fresh = adapted(Base(ROPE, None, Path()), 2, transfer=None, dropout=None, seed=0).state_dict()
    weights = base(ROPE).tensors or {}
    assert not any(torch.equal(fresh[name][: len(tensor)], tensor) for name, tensor in weights.items())


def test_of_an_lstm_no_block_leaves_the_table() -> None:
    assert kept(LSTM, 0) == {"embed.weight", "head.weight"}
    assert kept(LSTM, 1) == set(base(LSTM).tensors or {})
    with pytest.raises(ConfigError, match="2 blocks of 1 cannot be kept"):
        adapted(base(LSTM), 2, transfer=2, dropout=None, seed=0)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_vocabulary_grows_by_three_rows_of_their_own(shape: Shape) -> None:
    wide = shape.model_copy(update={"d_model": 512, "d_ff": 64} if isinstance(shape, ModelConfig) else {"d_model": 512})
    net = adapted(Base(wide, None, Path()), 2, transfer=None, dropout=None, seed=0)
    assert net.embed.weight.shape == (WORDS + 3, 512) == net.head.weight.shape
    new = torch.cat([net.embed.weight[WORDS:].flatten(), net.head.weight[WORDS:].flatten()])
    assert 0.018 < float(new.detach().std()) < 0.022
    assert (net.head.weight is net.embed.weight) == wide.tie_embeddings
    assert sum(p.numel() for p in net.parameters()) == net.config.n_params
    again = adapted(Base(wide, None, Path()), 2, transfer=None, dropout=None, seed=0)
    other = adapted(Base(wide, None, Path()), 2, transfer=None, dropout=None, seed=1)
    assert torch.equal(net.embed.weight, again.embed.weight)
    assert not torch.equal(net.embed.weight[WORDS:], other.embed.weight[WORDS:])


# ---- the loss -------------------------------------------------------------------------------------------------------

SINGLE = [Encoded(((40, 3, 9, 42),), 1), Encoded(((40, 5, 42),), 0), Encoded(((40, 1, 2, 3, 4, 42),), 2)]
BOTH = [
    Encoded(((40, 3, 41, 9, 8, 42), (40, 9, 8, 41, 3, 42)), 1),
    Encoded(((40, 5, 41, 6, 42), (40, 6, 41, 5, 42)), 0),
]
CHOICES = [
    Encoded(((40, 3, 41, 1, 42), (40, 3, 41, 1, 2, 7, 42), (40, 3, 41, 5, 42)), 2),
    Encoded(((40, 3, 8, 41, 1, 42), (40, 3, 8, 41, 9, 9, 42)), 0),
]
FORMS: dict[str, tuple[list[Encoded], int, bool]] = {
    "classification": (SINGLE, 3, False),
    "similarity": (BOTH, 2, False),
    "choice": (CHOICES, 1, True),
}


def twin(net: Net, items: list[Encoded], choice: bool, auxiliary: float) -> Tensor:
    """-L3 sequence by sequence, as the paper and its code write it, without filling."""
    total = torch.zeros(())
    assert net.score is not None
    for item in items:
        states = [net.hidden(torch.tensor([sequence]))[0] for sequence in item.sequences]
        ends = torch.stack([state[-1] for state in states])
        logits = net.score(ends).squeeze(-1) if choice else net.score(ends.sum(0))
        total = total - logits.log_softmax(-1)[int(item.label)]
        losses = [
            F.cross_entropy(state[:-1] @ net.head.weight.T, torch.tensor(sequence[1:]))
            for state, sequence in zip(states, item.sequences, strict=True)
        ]
        total = total + auxiliary * torch.stack(losses).mean()
    return total


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("auxiliary", [0.0, 0.5])
def test_l3_and_its_gradient_equal_a_naive_twin(shape: Shape, form: str, auxiliary: float) -> None:
    items, scores, choice = FORMS[form]
    net = made(shape, scores)
    loss, count = Objective(choice, auxiliary=auxiliary)(net, [batch(items[:1]), batch(items[1:])])
    assert count == len(items)
    expected = twin(net, items, choice, auxiliary)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()  # type: ignore[no-untyped-call]
    ours = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    expected.backward()  # type: ignore[no-untyped-call]
    for mine, parameter in zip(ours, net.parameters(), strict=True):
        theirs = parameter.grad
        assert (mine is None) == (theirs is None) or auxiliary == 0.0
        if mine is not None and theirs is not None:
            torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-5)


def values(net: Net, items: list[Encoded], choice: bool, filling: int = 0) -> list[list[float]]:
    return predicted(net, Objective(choice), [batch(items, filling)])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_similarity_is_the_same_in_either_order(shape: Shape) -> None:
    turned = [Encoded(item.sequences[::-1], item.label) for item in BOTH]
    net = made(shape, 2)
    assert values(net, BOTH, False) == [pytest.approx(row, rel=1e-6) for row in values(net, turned, False)]


def test_one_order_alone_is_not_symmetric() -> None:
    """So the sum is what makes it so."""
    net = made(ROPE, 2)
    first, second = ([Encoded((item.sequences[way],), 0) for item in BOTH] for way in (0, 1))
    assert values(net, first, False) != [pytest.approx(row, rel=1e-4) for row in values(net, second, False)]


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("form", FORMS)
def test_padding_and_batching_change_no_prediction(shape: Shape, form: str) -> None:
    items, scores, choice = FORMS[form]
    net = made(shape, scores)
    alone = [values(net, [item], choice)[0] for item in items]
    long = Encoded(tuple((40, *range(1, 20), 42) for _ in items[0].sequences), 0)
    for some in (values(net, items, choice), values(net, [*items, long], choice, filling=7)[: len(items)]):
        assert some == [pytest.approx(row, rel=1e-4) for row in alone]
    assert all(sum(row) == pytest.approx(1) for row in alone)


def test_choices_that_are_not_there_have_no_probability() -> None:
    rows = values(made(ROPE, 1), CHOICES, True)
    assert [len(row) for row in rows] == [3, 2]


def test_dropout_is_one_mask_for_all_sequences_of_an_item() -> None:
    """Two choices that are alike keep equal chances, whatever is dropped."""
    same = [Encoded(((40, 3, 41, 1, 42), (40, 3, 41, 1, 42)), 0)]
    net = made(ROPE, 1).train()
    torch.manual_seed(0)
    made_batch: Batch = batch(same)
    hidden = net.hidden(made_batch.tokens)
    drawn = [Objective(True, dropout=0.5).scores(net, made_batch, hidden)[0].tolist() for _ in range(8)]
    assert all(a == pytest.approx(b) for a, b in drawn)
    assert len({a for a, _ in drawn}) > 1


def test_numbers_are_learnt_by_squared_error() -> None:
    net = made(ROPE, 1)
    items = [Encoded(item.sequences, label) for item, label in zip(BOTH, (0.5, 3.0), strict=True)]
    objective = Objective(False, numbers=True, auxiliary=0.0)
    loss, _ = objective(net, [batch(items)])
    found = [row[0] for row in predicted(net, objective, [batch(items)])]
    assert loss.item() == pytest.approx(((found[0] - 0.5) ** 2 + (found[1] - 3.0) ** 2) / 2, rel=1e-5)
    assert all(math.isfinite(value) for value in found)
