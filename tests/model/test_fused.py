"""The hand-written backward passes equal autograd's of their definitions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from presage.model.fused import naive_rms_norm, naive_rotate, rms_norm, rotate

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 3e-2}
shapes = st.lists(st.integers(1, 5), min_size=1, max_size=3)


def values(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def with_gradients(function: Callable[..., Tensor], upstream: Tensor, *inputs: Tensor) -> list[Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    out = function(*leaves)
    out.backward(upstream.to(out.dtype))
    return [out.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


def assert_equal(found: list[Tensor], expected: list[Tensor], dtype: torch.dtype) -> None:
    assert len(found) == len(expected)
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        torch.testing.assert_close(a.float(), b.float(), atol=TOLERANCE[dtype] * max(1, b.abs().max()), rtol=0)


@settings(deadline=None, max_examples=60)
@given(shapes, st.integers(1, 40), st.sampled_from([torch.float32, torch.bfloat16]), st.sampled_from([1e-6, 0.1]))
def test_rms_norm(shape: list[int], width: int, dtype: torch.dtype, eps: float) -> None:
    x, weight, upstream = values(*shape, width).to(dtype), values(width, seed=1), values(*shape, width, seed=2)
    for gain in (weight, weight.to(dtype)):
        found = with_gradients(lambda x, w: rms_norm(x, w, eps), upstream, x, gain)
        assert_equal(found, with_gradients(lambda x, w: naive_rms_norm(x, w, eps), upstream, x, gain), dtype)


def test_rms_norm_is_torchs() -> None:
    x, weight = values(3, 7, 32) * 5, values(32, seed=1)
    torch.testing.assert_close(rms_norm(x, weight, 1e-5), torch.nn.functional.rms_norm(x, (32,), weight, 1e-5))


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(1, 3), st.integers(1, 9), st.sampled_from(list(TOLERANCE)))
def test_rotate(rows: int, length: int, heads: int, half: int, dtype: torch.dtype) -> None:
    x = values(rows, length, heads, 2 * half).to(dtype)
    angles = values(length, 1, half, seed=1) * 9
    for cos, sin in ((angles.cos(), angles.sin()), (angles.expand(rows, -1, -1, -1).cos(), angles.sin())):
        found = with_gradients(lambda x: rotate(x, cos, sin), values(*x.shape, seed=2), x)  # noqa: B023
        expected = with_gradients(lambda x: naive_rotate(x, cos, sin), values(*x.shape, seed=2), x)  # noqa: B023
        assert_equal(found, expected, dtype)


@pytest.mark.parametrize("slow", [False, True])
def test_strided_inputs(slow: bool) -> None:
    """A head cut out of fused projections is not contiguous."""
    fused = values(2, 3, 24)
    norm, turn = (naive_rms_norm, naive_rotate) if slow else (rms_norm, rotate)
    part, weight, angles = fused[..., 8:16], values(8, seed=1), values(3, 4, seed=3)
    assert not part.is_contiguous()
    torch.testing.assert_close(norm(part, weight, 1e-6), norm(part.contiguous(), weight, 1e-6))
    torch.testing.assert_close(
        turn(part, angles.cos(), angles.sin()), turn(part.contiguous(), angles.cos(), angles.sin())
    )


def test_numerical_gradients() -> None:
    x, weight, angles = values(2, 3, 8).double(), values(8, seed=1).double(), values(3, 4, seed=2).double()
    leaves = (x.requires_grad_(), weight.requires_grad_())
    assert torch.autograd.gradcheck(lambda x, w: rms_norm(x, w, 1e-3), leaves)
    assert torch.autograd.gradcheck(lambda x: rotate(x, angles.cos(), angles.sin()), (leaves[0],))
