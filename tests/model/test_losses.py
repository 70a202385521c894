"""The fused cross-entropy equals the definition, values and gradients."""

from __future__ import annotations

from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from presage.model import losses


def inputs(shape: tuple[int, ...], width: int, vocab: int, scale: float = 1.0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(len(shape) + width + vocab)
    hidden = torch.randn(*shape, width, generator=generator) * scale
    head = torch.randn(vocab, width, generator=generator)
    targets = torch.randint(vocab, shape, generator=generator)
    weights = torch.randint(0, 3, shape, generator=generator).float() / 2
    return hidden, head, targets, weights


def gradients(
    function: object, hidden: Tensor, head: Tensor, targets: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor, Tensor]:
    hidden, head = hidden.clone().requires_grad_(), head.clone().requires_grad_()
    loss = function(hidden, head, targets, weights)  # type: ignore[operator]
    (loss * 0.7).backward()
    assert hidden.grad is not None and head.grad is not None
    return loss.detach(), hidden.grad, head.grad


@settings(deadline=None, max_examples=60)
@given(
    shape=st.lists(st.integers(1, 7), min_size=1, max_size=3).map(tuple),
    width=st.integers(1, 9),
    vocab=st.integers(1, 40),
    chunk=st.sampled_from([1, 37, 100, 1 << 20]),
    masked=st.booleans(),
)
def test_fused_equals_the_definition(shape: tuple[int, ...], width: int, vocab: int, chunk: int, masked: bool) -> None:
    hidden, head, targets, weights = inputs(shape, width, vocab)
    mask = weights if masked else None
    with mock.patch.object(losses, "CHUNK_ELEMENTS", chunk):
        fused = gradients(losses.cross_entropy, hidden, head, targets, mask)
    for found, expected in zip(fused, gradients(losses.naive_cross_entropy, hidden, head, targets, mask), strict=True):
        assert found.shape == expected.shape
        torch.testing.assert_close(found, expected, atol=2e-5, rtol=2e-5)


def test_large_logits_do_not_overflow() -> None:
    hidden, head, targets, _ = inputs((6,), 8, 20, scale=1e4)
    fused = gradients(losses.cross_entropy, hidden, head, targets, None)
    naive = gradients(losses.naive_cross_entropy, hidden, head, targets, None)
    assert all(found.isfinite().all() for found in fused)
    torch.testing.assert_close(fused[0], naive[0], rtol=1e-5, atol=0)


@pytest.mark.parametrize("masked", [False, True])
def test_bf16_hidden_states(masked: bool) -> None:
    hidden, head, targets, weights = inputs((4, 33), 64, 300, scale=0.1)
    mask = weights if masked else None
    found = gradients(losses.cross_entropy, hidden.bfloat16(), head, targets, mask)
    expected = gradients(losses.naive_cross_entropy, hidden, head, targets, mask)
    assert found[0].dtype == torch.float32 and found[1].dtype == torch.bfloat16 and found[2].dtype == torch.float32
    torch.testing.assert_close(found[0], expected[0], rtol=1e-3, atol=0)
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert (a.float() - b).norm() < 0.01 * b.norm()


def test_under_autocast() -> None:
    hidden, head, targets, weights = inputs((4, 33), 64, 300, scale=0.1)
    with torch.autocast("cpu", torch.bfloat16):
        found = gradients(losses.cross_entropy, hidden, head, targets, weights)
    expected = gradients(losses.naive_cross_entropy, hidden, head, targets, weights)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-3, atol=0)
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert a.dtype == torch.float32 and (a - b).norm() < 0.01 * b.norm()


def test_without_gradients_and_for_one_side_only() -> None:
    hidden, head, targets, weights = inputs((5, 3), 4, 11)
    expected = losses.naive_cross_entropy(hidden, head, targets, weights)
    torch.testing.assert_close(losses.cross_entropy(hidden, head, targets, weights), expected)
    head = head.requires_grad_()
    losses.cross_entropy(hidden, head, targets, weights).backward()
    assert head.grad is not None and hidden.grad is None


def test_a_masked_token_has_no_influence() -> None:
    hidden, head, targets, _ = inputs((2, 5), 4, 11)
    mask = torch.ones(2, 5)
    mask[0, 3] = 0
    loss, d_hidden, _ = gradients(losses.cross_entropy, hidden, head, targets, mask)
    targets[0, 3] = (targets[0, 3] + 1) % 11
    assert torch.equal(loss, gradients(losses.cross_entropy, hidden, head, targets, mask)[0])
    assert not d_hidden[0, 3].any() and d_hidden[0, 2].any()


def test_uniform_logits_cost_log_vocab() -> None:
    hidden, _, targets, _ = inputs((9,), 4, 32)
    loss = losses.cross_entropy(hidden, torch.zeros(32, 4), targets)
    torch.testing.assert_close(loss, 9 * torch.tensor(32.0).log())
