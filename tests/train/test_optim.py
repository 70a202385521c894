"""AdamW against torch's, Muon against its definition, and rates that transfer across widths."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from presage.model.config import ModelConfig
from presage.model.losses import cross_entropy
from presage.model.transformer import Transformer, build
from presage.train.optim import OptimConfig, Optimizer, clip_gradients, is_matrix, orthogonalise
from tests.tiny import tiny_model


def loss_of(model: Transformer, tokens: Tensor) -> Tensor:
    x, y = tokens[:, :-1], tokens[:, 1:]
    return cross_entropy(model.hidden(x), model.head.weight, y) / y.numel()


def random_tokens(count: int = 8, vocab: int = 300, seed: int = 0) -> Tensor:
    return torch.randint(vocab, (count, 17), generator=torch.Generator().manual_seed(seed))


def test_adamw_is_torchs() -> None:
    ours = build(tiny_model(n_layers=2, bias=True, init="gpt2"), 0)
    theirs = copy.deepcopy(ours)
    optimizer = Optimizer(ours, OptimConfig(kind="adamw", lr=0.01, weight_decay=0.1, transfer=False))
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim == 2], "weight_decay": 0.1},
        {"params": [p for p in theirs.parameters() if p.ndim != 2], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95), eps=1e-8)
    for step in range(1, 6):
        tokens, factor = random_tokens(seed=step), 1 / step
        loss_of(ours, tokens).backward()
        optimizer.step(factor, step)
        optimizer.zero_grad()
        for group in reference.param_groups:
            group["lr"] = 0.01 * factor
        loss_of(theirs, tokens).backward()
        reference.step()
        reference.zero_grad()
        for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=lambda text, name=name: f"{name}: {text}")


def naive_orthogonalise(matrix: Tensor) -> Tensor:
    """Jordan's Muon for one matrix, as published."""
    x = matrix / (matrix.norm() + 1e-7)
    x = x.T if matrix.shape[0] > matrix.shape[1] else x
    for _ in range(5):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (24, 24), (1, 8)])
def test_orthogonalise(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = torch.stack([_with_spectrum(shape, generator) for _ in range(6)])
    out = orthogonalise(matrices)
    values = torch.linalg.svdvals(out)
    assert values.min() > 0.6
    assert values.max() < 1.3
    torch.testing.assert_close(out, torch.stack([naive_orthogonalise(m) for m in matrices]), rtol=1e-3, atol=1e-4)
    # The same singular vectors: the nearest orthogonal matrix is u v^T.
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    aligned = u.mT @ out @ v.mT
    assert (aligned - torch.diag_embed(aligned.diagonal(dim1=1, dim2=2))).abs().max() < 1e-2
    assert orthogonalise(torch.zeros(2, *shape)).abs().max() == 0


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (24, 24)])
def test_orthogonalise_where_matmuls_are_bf16(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = torch.stack([_with_spectrum(shape, generator) for _ in range(6)])
    with torch.autocast("cpu", torch.bfloat16):
        out = orthogonalise(matrices)
    assert out.dtype is torch.bfloat16
    values = torch.linalg.svdvals(out.float())
    assert values.min() > 0.6 and values.max() < 1.3
    away = (out.float() - orthogonalise(matrices)).norm(dim=(1, 2)) / orthogonalise(matrices).norm(dim=(1, 2))
    assert away.max() < 0.06, "eight bits, and each step makes small values, errors among them, 3.4 times as large"


def _with_spectrum(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """A matrix with singular values between 0.05 and 1."""
    u, _, v = torch.linalg.svd(torch.randn(shape, generator=generator), full_matrices=False)
    return u @ torch.diag(0.05 + 0.95 * torch.rand(min(shape), generator=generator)) @ v


def test_muon_is_its_definition() -> None:
    """Two steps of Nesterov momentum, orthogonalised, with decoupled decay, matrix by matrix."""
    config = OptimConfig(lr=0.02, weight_decay=0.1)
    model = build(tiny_model(n_layers=2), 0)
    optimizer = Optimizer(model, config)
    expected = {name: p.detach().clone() for name, p in model.named_parameters() if is_matrix(name, p)}
    momenta = {name: torch.zeros_like(p) for name, p in expected.items()}
    for step in (1, 2):
        loss_of(model, random_tokens(seed=step)).backward()
        for name, p in model.named_parameters():
            if name in expected and p.grad is not None:
                momenta[name] = 0.95 * momenta[name] + 0.05 * p.grad
                update = naive_orthogonalise(0.05 * p.grad + 0.95 * momenta[name])
                scale = max(1, p.shape[0] / p.shape[1]) ** 0.5
                scale *= 2**0.5 if name.endswith(("attention.out.weight", "mlp.down.weight")) else 1  # depth 2, base 4
                expected[name] = expected[name] * (1 - 0.02 * scale * 0.1) - 0.02 * scale * update
        optimizer.step(1.0, step)
        optimizer.zero_grad()
    for name, value in expected.items():
        torch.testing.assert_close(dict(model.named_parameters())[name].detach(), value, rtol=1e-3, atol=1e-5)


def test_clipping_is_torchs() -> None:
    for limit in (0.1, 1e9):
        ours = build(tiny_model(init="gpt2"), 0)
        theirs = copy.deepcopy(ours)
        for model in (ours, theirs):
            loss_of(model, random_tokens()).backward()
        norm = clip_gradients([p.grad for p in ours.parameters() if p.grad is not None], limit)
        assert norm == pytest.approx(float(nn.utils.clip_grad_norm_(theirs.parameters(), limit)), rel=1e-5)
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-4, atol=1e-9)


# ---- transfer -------------------------------------------------------------------------------------------------------

WIDTHS = (16, 32, 64, 128)


def movements(width: int, config: OptimConfig, steps: int = 4) -> Iterator[float]:
    """RMS change of the last block's output at each step, for one batch (Yang et al. 2022's coordinate check)."""
    shape = ModelConfig.parse(
        tiny_model().model_dump()
        | {"n_layers": 2, "d_model": width, "d_head": width // 2, "d_ff": 2 * width, "vocab_size": 64}
    )
    model = build(shape, seed=width)
    optimizer = Optimizer(model, config)
    tokens = random_tokens(32, vocab=64)
    states: list[Tensor] = []
    model.blocks[-1].register_forward_hook(lambda module, inputs, output: states.append(output.detach()))
    for step in range(1, steps + 2):
        loss_of(model, tokens).backward()
        optimizer.step(1.0, step)
        optimizer.zero_grad()
        if step > 1:
            yield float((states[-1] - states[-2]).square().mean().sqrt())


def growth(config: OptimConfig) -> float:
    """How the mean movement of the later steps changes per doubling of width, as a factor (1: not at all)."""
    sizes = [sum(list(movements(width, config))[1:]) for width in WIDTHS]
    x = torch.arange(len(sizes), dtype=torch.float64)
    y = torch.tensor(sizes, dtype=torch.float64).log()
    return float((((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum()).exp())


@pytest.mark.parametrize("config", [OptimConfig(lr=0.02), OptimConfig(kind="adamw", lr=0.002)])
def test_activations_move_alike_at_every_width(config: OptimConfig) -> None:
    assert 0.8 < growth(config) < 1.25


def test_without_transfer_wider_models_move_further() -> None:
    assert growth(OptimConfig(kind="adamw", lr=0.002, transfer=False)) > 1.25
