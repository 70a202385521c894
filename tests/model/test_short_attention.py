"""Attention at short contexts: the same as PyTorch's, forward and back."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from presage.model.attention import attend
from presage.model.short_attention import LONGEST, SHORTEST, is_short, short_attention


def drawn(shape: tuple[int, int, int, int], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Queries, keys, values and a gradient, [B, H, T, E], laid out as the model's are."""
    b, h, t, e = shape
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(b, t, h, e, generator=generator).to(dtype).transpose(1, 2) for _ in range(4)]


def with_gradients(function: object, parts: list[Tensor]) -> list[Tensor]:
    """What comes out, and the gradients of queries, keys and values."""
    *inputs, grad = parts
    leaves = [part.detach().requires_grad_() for part in inputs]
    out = function(*leaves)  # type: ignore[operator]
    out.backward(grad)
    return [out.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


def plain(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@settings(max_examples=30, deadline=None)
@given(batch=st.integers(1, 3), heads=st.integers(1, 3), length=st.integers(1, 300), width=st.integers(1, 9))
def test_it_is_pytorchs(batch: int, heads: int, length: int, width: int) -> None:
    parts = drawn((batch, heads, length, width))
    for ours, theirs in zip(with_gradients(short_attention, parts), with_gradients(plain, parts), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", [128, 256])
@pytest.mark.parametrize("size", [1.0, 4.0])
def test_in_bf16_it_is_as_near_to_the_truth_as_pytorchs(length: int, size: float) -> None:
    """Also where scores are large: at 4 they reach 100."""
    q, k, v, grad = (part.bfloat16().float() for part in drawn((2, 2, length, 16), torch.float32))
    parts = [size * q, size * k, v, grad]
    truth = with_gradients(plain, [part.double() for part in parts])

    def away(function: object) -> list[float]:
        with torch.autocast("cpu", torch.bfloat16):
            found = with_gradients(function, [*parts[:3], parts[3].bfloat16()])
        return [float((f.double() - t).norm() / t.norm()) for f, t in zip(found, truth, strict=True)]

    ours, theirs = away(short_attention), away(plain)
    assert max(ours) < 0.02
    assert all(one < 2 * other for one, other in zip(ours, theirs, strict=True)), (ours, theirs)


def test_nothing_is_seen_of_what_comes_after() -> None:
    q, k, v, _ = drawn((1, 2, 200, 8))
    before = short_attention(q, k, v)
    k, v = k.clone(), v.clone()
    k[:, :, 150:], v[:, :, 150:] = 1e6, torch.nan
    assert torch.equal(short_attention(q, k, v)[:, :, :150], before[:, :, :150])


def test_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[int] = []
    monkeypatch.setattr("presage.model.attention.short_attention", lambda q, k, v: used.append(q.shape[2]) or q)
    shapes = {length: drawn((1, 1, length, 4), torch.float32) for length in (SHORTEST - 1, SHORTEST, LONGEST, 513)}
    for q, k, v, _ in shapes.values():
        attend(q, k, v, None)
    assert used == [SHORTEST, LONGEST]
    q, k, v, _ = shapes[SHORTEST]
    assert not is_short(q, k[:, :, :-1]), "as many keys as queries"
    assert not is_short(q.expand(1, 2, -1, -1), k), "groups of queries are not"
    attend(q, k, v, torch.ones(SHORTEST, SHORTEST, dtype=torch.bool))
    assert used == [SHORTEST, LONGEST], "a mask of another kind is PyTorch's"
