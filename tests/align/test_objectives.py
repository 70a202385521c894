"""Objectives beside plain Python that follows the papers' formulas a token at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from presage.align import objectives as o

Rows = list[list[float]]
WIDTH = 5


def _lists(mask: Tensor, *tensors: Tensor) -> list[Rows]:
    """Each tensor's tokens that count, row by row."""
    return [[[float(x) for x, m in zip(r, k, strict=True) if m] for r, k in zip(t, mask, strict=True)] for t in tensors]


@st.composite
def batches(draw: st.DrawFn, count: int = 4) -> tuple[Tensor, ...]:
    """A mask of rows padded on the right, and `count` tensors with no number at all where it is False."""
    lengths = draw(st.lists(st.integers(0, WIDTH), min_size=1, max_size=4).filter(lambda some: sum(some) > 0))
    mask = torch.arange(WIDTH) < torch.tensor(lengths)[:, None]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    made = (torch.randn(len(lengths), WIDTH, generator=generator, dtype=torch.float64) for _ in range(count))
    return mask, *(torch.where(mask, one, torch.tensor(math.nan, dtype=torch.float64)) for one in made)


def _mean(rows: Rows) -> float:
    flat = [x for row in rows for x in row]
    return sum(flat) / len(flat)


def _gradient(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    leaf = at.clone().requires_grad_()
    (found,) = torch.autograd.grad(loss(leaf), leaf)
    return found


def _differences(twin: Callable[[Tensor], float], at: Tensor, mask: Tensor) -> Tensor:
    """The gradient of a twin by central differences."""
    found = torch.zeros_like(at)
    for place in mask.nonzero().tolist():
        step = torch.zeros_like(at)
        step[tuple(place)] = 1e-5
        found[tuple(place)] = (twin(at + step) - twin(at - step)) / 2e-5
    return found


# ---- over tokens -----------------------------------------------------------------------------------------------------


@given(batches(1), st.booleans())
@settings(deadline=None, max_examples=40)
def test_whitened_values_have_variance_one(batch: tuple[Tensor, ...], shift: bool) -> None:
    mask, values = batch
    (rows,) = _lists(mask, values)
    mean = _mean(rows)
    spread = math.sqrt(_mean([[(x - mean) ** 2 for x in row] for row in rows]) + 1e-8)
    expected = [[(x - mean) / spread + (0 if shift else mean) for x in row] for row in rows]
    white = o.whiten(values, mask, shift=shift)
    assert _lists(mask, white)[0] == [pytest.approx(row) for row in expected]
    assert white[~mask].abs().sum() == 0


def test_entropy_and_log_probabilities() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0, 0.0], [100.0, 0.0, 0.0, 0.0]])
    assert o.entropy(logits).tolist() == pytest.approx([math.log(4), 0.0])
    assert o.logprobs_of(logits, torch.tensor([2, 0])).tolist() == pytest.approx([-math.log(4), 0.0])


# ---- rewards and advantages ------------------------------------------------------------------------------------------


@given(batches(2), st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_rewards_are_the_penalty_on_every_token_and_the_score_on_the_last(
    batch: tuple[Tensor, ...], beta: float
) -> None:
    mask, logprobs, reference = batch
    scores = torch.arange(len(mask), dtype=torch.float64) + 1
    found = o.token_rewards(scores, logprobs, reference, mask, beta)
    for row, (new, ref, score) in enumerate(zip(*_lists(mask, logprobs, reference), scores.tolist(), strict=True)):
        expected = [-beta * (a - b) for a, b in zip(new, ref, strict=True)]
        if expected:
            expected[-1] += score
        assert found[row].tolist() == pytest.approx(expected + [0.0] * (WIDTH - len(expected)))


@given(batches(2), st.floats(0, 1), st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_advantages_are_the_sum_of_discounted_errors(batch: tuple[Tensor, ...], gamma: float, lam: float) -> None:
    mask, rewards, values = batch
    found = o.advantages_of(rewards, values, mask, gamma, lam)
    for row, (r, v) in enumerate(zip(*_lists(mask, rewards, values), strict=True)):
        errors = [r[t] + gamma * (v[t + 1] if t + 1 < len(v) else 0.0) - v[t] for t in range(len(r))]
        expected = [sum((gamma * lam) ** (k - t) * errors[k] for k in range(t, len(r))) for t in range(len(r))]
        assert found[row].tolist() == pytest.approx(expected + [0.0] * (WIDTH - len(expected)))


def test_with_lambda_one_the_return_is_the_sum_of_what_follows() -> None:
    rewards, values = torch.tensor([[1.0, 2.0, 4.0]]), torch.tensor([[0.3, -0.2, 0.5]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    assert (o.advantages_of(rewards, values, mask, 1.0, 1.0) + values).tolist() == [pytest.approx([7.0, 6.0, 4.0])]


def test_groups_are_centred_and_scaled_and_a_group_of_equals_teaches_nothing() -> None:
    scores = torch.tensor([1.0, 3.0, 0.1, 0.1, 0.1, 0.1], dtype=torch.float64)
    assert o.group_advantages(scores[:2], 2).tolist() == [-1.0, 1.0]
    assert o.group_advantages(scores[:2], 2, scale=False).tolist() == [-1.0, 1.0]
    assert o.group_advantages(scores[2:], 4).tolist() == [0.0] * 4
    assert o.group_advantages(3 * scores[:2], 2, scale=False).tolist() == [-3.0, 3.0]
    assert o.group_advantages(scores, 2).tolist() == [-1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


# ---- PPO -------------------------------------------------------------------------------------------------------------


def _surrogate(new: Rows, old: Rows, adv: Rows, clip: float) -> Rows:
    def one(n: float, p: float, a: float) -> float:
        ratio = math.exp(n - p)
        return max(-a * ratio, -a * min(max(ratio, 1 - clip), 1 + clip))

    return [[one(*three) for three in zip(*rows, strict=True)] for rows in zip(new, old, adv, strict=True)]


@given(batches(3))
@settings(deadline=None, max_examples=40)
def test_the_policy_loss_and_its_gradient(batch: tuple[Tensor, ...]) -> None:
    mask, new, old, advantages = batch

    def twin(at: Tensor) -> float:
        return _mean(_surrogate(*_lists(mask, at, old, advantages), 0.2))  # type: ignore[arg-type]

    loss, stats = o.policy_loss(new, old, advantages, mask)
    assert loss.item() == pytest.approx(twin(new))
    gradient = _gradient(lambda at: o.policy_loss(at, old, advantages, mask)[0], new)
    assert torch.allclose(gradient, _differences(twin, new, mask), atol=1e-4)
    ratios = [[math.exp(a - b) for a, b in zip(*two, strict=True)] for two in zip(*_lists(mask, new, old), strict=True)]
    assert stats["ratio"] == pytest.approx(_mean(ratios))
    assert stats["approx_kl"] == pytest.approx(_mean([[r - 1 - math.log(r) for r in row] for row in ratios]))


@given(batches(2))
@settings(deadline=None, max_examples=20)
def test_at_step_zero_the_ratio_is_one_and_nothing_is_clipped(batch: tuple[Tensor, ...]) -> None:
    mask, old, advantages = batch
    loss, stats = o.policy_loss(old, old, advantages, mask)
    assert stats == {"clip_fraction": 0.0, "approx_kl": 0.0, "ratio": 1.0}
    (rows,) = _lists(mask, advantages)
    assert loss.item() == pytest.approx(-_mean(rows))
    gradient = _gradient(lambda at: o.policy_loss(at, old, advantages, mask)[0], old)
    expected = torch.where(mask, -advantages / mask.sum(), torch.zeros(()).double())
    assert torch.allclose(gradient, expected)


@given(batches(3), st.one_of(st.none(), st.floats(0.01, 1)))
@settings(deadline=None, max_examples=40)
def test_the_value_loss_and_its_gradient(batch: tuple[Tensor, ...], clip: float | None) -> None:
    mask, new, old, returns = batch

    def one(n: float, p: float, r: float) -> float:
        kept = n if clip is None else p + min(max(n - p, -clip), clip)
        return 0.5 * max((n - r) ** 2, (kept - r) ** 2)

    def twin(at: Tensor) -> float:
        rows = zip(*_lists(mask, at, old, returns), strict=True)
        return _mean([[one(*three) for three in zip(*row, strict=True)] for row in rows])

    loss, stats = o.value_loss(new, old, returns, mask, clip)
    assert loss.item() == pytest.approx(twin(new))
    gradient = _gradient(lambda at: o.value_loss(at, old, returns, mask, clip)[0], new)
    assert torch.allclose(gradient, _differences(twin, new, mask), atol=1e-4)
    assert stats["explained_variance"] <= 1.0 + 1e-12


def test_explained_variance() -> None:
    mask = torch.tensor([[True, True, True, False]])
    returns = torch.tensor([[1.0, 2.0, 3.0, math.nan]])
    assert o.explained_variance(returns, returns, mask) == 1.0
    assert o.explained_variance(torch.full_like(returns, 2.0), returns, mask) == 0.0
    assert o.explained_variance(-returns, returns, mask) == pytest.approx(-3.0)
    assert o.explained_variance(returns, torch.ones_like(returns), mask) == 0.0


@pytest.mark.parametrize(("kl", "expected"), [(6.0, 0.1), (12.0, 0.1 * (1 + 0.2 * 512 / 10_000)),
                                              (6.6, 0.1 * (1 + 0.1 * 512 / 10_000)),
                                              (0.0, 0.1 * (1 - 0.2 * 512 / 10_000))])  # fmt: skip
def test_the_controller_of_beta(kl: float, expected: float) -> None:
    assert o.adapted(0.1, kl, 6.0, 512, 10_000) == pytest.approx(expected)


# ---- GRPO ------------------------------------------------------------------------------------------------------------


@given(batches(3), st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_the_group_loss_and_its_gradient(batch: tuple[Tensor, ...], beta: float) -> None:
    mask, new, old, reference = batch
    advantages = torch.linspace(-1, 2, len(mask), dtype=torch.float64)

    def of_row(n: list[float], p: list[float], r: list[float], a: float) -> float:
        (surrogate,) = _surrogate([n], [p], [[a] * len(n)], 0.2)
        kl = [math.exp(y - x) - 1 - (y - x) for x, y in zip(n, r, strict=True)]
        return sum(s + beta * k for s, k in zip(surrogate, kl, strict=True)) / max(1, len(n))

    def twin(at: Tensor) -> float:
        rows = zip(*_lists(mask, at, old, reference), advantages.tolist(), strict=True)
        found = [of_row(*row) for row in rows]
        return sum(found) / len(found)

    loss, _ = o.group_loss(new, old, reference, advantages, mask, beta=beta)
    assert loss.item() == pytest.approx(twin(new))
    gradient = _gradient(lambda at: o.group_loss(at, old, reference, advantages, mask, beta=beta)[0], new)
    assert torch.allclose(gradient, _differences(twin, new, mask), atol=1e-4)


# ---- preferences -----------------------------------------------------------------------------------------------------


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_the_preference_loss() -> None:
    chosen, rejected, first, second = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)).double()
    loss, stats = o.preference_loss(chosen, rejected, first, second, beta=0.3)
    margins = [
        0.3 * ((a - c) - (b - d))
        for a, b, c, d in zip(*map(Tensor.tolist, (chosen, rejected, first, second)), strict=True)
    ]
    assert loss.item() == pytest.approx(sum(-math.log(_sigmoid(m)) for m in margins) / 6)
    assert stats["accuracy"] == pytest.approx(sum(m > 0 for m in margins) / 6)
    assert stats["margin"] == pytest.approx(sum(margins) / 6)
    same, _ = o.preference_loss(chosen, rejected, chosen, rejected)
    assert same.item() == pytest.approx(math.log(2))


def test_pairs_of_a_ranking() -> None:
    assert o.ranking_pairs([2, 1, 3]) == [(1, 0), (0, 2), (1, 2)]
    assert o.ranking_pairs([1, 1, 2]) == [(0, 2), (1, 2)]
    assert o.ranking_pairs([1]) == o.ranking_pairs([3, 3]) == []
    assert 64 * len(o.ranking_pairs(range(9))) == 2304  # papers: the most comparisons of one batch


@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.integers(0, 1000))
@settings(deadline=None, max_examples=60)
def test_the_ranking_loss_is_the_mean_over_pairs(ranks: list[int], seed: int) -> None:
    scores = torch.randn(len(ranks), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found: list[Any] = [
        -math.log(_sigmoid(scores[i].item() - scores[j].item()))
        for i in range(len(ranks))
        for j in range(len(ranks))
        if ranks[i] < ranks[j]
    ]
    pairs = o.ranking_pairs(ranks)
    assert len(pairs) == len(found)
    gradient = _gradient(lambda at: o.ranking_loss(at, pairs), scores)
    assert gradient.sum().item() == pytest.approx(0.0, abs=1e-12)  # a constant added to all changes nothing
    if found:
        assert o.ranking_loss(scores, pairs).item() == pytest.approx(sum(found) / len(found))
        assert gradient.count_nonzero() != 0
