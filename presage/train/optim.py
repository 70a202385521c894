"""AdamW and Muon in one optimizer over parameter groups, with learning rates that transfer by rule.

The rates in the config hold at a base width and depth; a group's own rate follows from its shape:

    matrices (Muon)    lr x sqrt(max(1, fan_out/fan_in))    spectral condition, any width (Yang et al. 2023)
    matrices (AdamW)   lr x base_width / fan_in             muP (Yang et al. 2022)
    head and scores    lr x base_width / d_model            muP
    embeddings, norms  lr
    residual outputs   also x sqrt(base_depth / n_layers)   so that a deeper sum moves as far

Weight decay is decoupled and proportional to the current rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from presage.core.config import Config


class OptimConfig(Config):
    """Peak rates at base_width and base_depth. With `transfer` off every group takes its rate as written."""

    kind: Literal["muon", "adamw"] = "muon"
    lr: float = Field(default=0.02, gt=0)
    """Muon's rate for matrices (a step's spectral norm), or AdamW's rate for everything."""
    adam_lr: float = Field(default=0.008, gt=0)
    """AdamW's rate for embeddings and norms when matrices use Muon; the head's at base_width."""
    beta1: float = 0.9
    beta2: float = 0.95
    eps: float = 1e-8
    momentum: float = 0.95
    """Muon's."""
    weight_decay: float = Field(default=0.1, ge=0)
    grad_clip: float = Field(default=1.0, gt=0)
    transfer: bool = True
    base_width: int = 64
    base_depth: int = 4


class Whole:
    """Where the numbers of parameters, gradients and moments are: here, all of them."""

    def own(self, tensor: Tensor) -> Tensor:
        """What of a tensor is here, to be read and changed in place."""
        return tensor

    def orthogonalised(self, updates: Sequence[Tensor], rows: int) -> Iterable[Tensor]:
        """Of matrices of one shape, of `rows` rows in all, what is here of each, orthogonalised."""
        return orthogonalise(torch.stack([*updates]).flatten(2))


WHOLE = Whole()


class Optimizer:
    """Steps every group; state is tensors keyed by parameter name, so a checkpoint is one safetensors file."""

    def __init__(self, model: nn.Module, config: OptimConfig, layout: Whole = WHOLE) -> None:
        self.config, self.layout = config, layout
        self.named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        n_layers = getattr(getattr(model, "config", None), "n_layers", config.base_depth)
        self.scales = {name: _lr_scale(name, p, config, n_layers) for name, p in self.named.items()}
        matrices = [n for n, p in self.named.items() if config.kind == "muon" and is_matrix(n, p)]
        self.muon_groups = _by_shape(matrices, self.named)
        self.adam_names = [n for n in self.named if n not in set(matrices)]
        self.state: dict[str, Tensor] = {}
        for name, parameter in self.named.items():
            self.state[f"{name}.m"] = torch.zeros_like(parameter)
        for name in self.adam_names:
            self.state[f"{name}.v"] = torch.zeros_like(self.named[name])

    @torch.no_grad()
    def step(self, factor: float, count: int) -> None:
        """One update with every rate multiplied by `factor`; `count` is the number of this update, from 1."""
        for names in self.muon_groups:
            self._muon(names, factor)
        self._adam(factor, count)

    def gradients(self) -> list[Tensor]:
        """What is here of the gradients there are."""
        return [self.layout.own(p.grad) for p in self.named.values() if p.grad is not None]

    def zero_grad(self) -> None:
        for parameter in self.named.values():
            parameter.grad = None

    def _muon(self, names: list[str], factor: float) -> None:
        """Matrices of one shape together: Nesterov momentum, orthogonalised as a batch (Jordan 2024)."""
        parameters, gradients, buffers = self._own(names, "m")
        torch._foreach_lerp_(buffers, gradients, 1 - self.config.momentum)
        updates = [g.lerp(b, self.config.momentum) for g, b in zip(gradients, buffers, strict=True)]
        found = self.layout.orthogonalised(updates, len(self.named[names[0]]))
        for name, parameter, update in zip(names, parameters, found, strict=True):
            lr = self.config.lr * factor * self.scales[name]
            step = update.to(parameter.dtype).view_as(parameter)
            parameter.mul_(1 - lr * self.config.weight_decay).add_(step, alpha=-lr)

    def _adam(self, factor: float, count: int) -> None:
        if not self.adam_names:  # as where matrices alone are trained
            return
        config = self.config
        base = config.adam_lr if config.kind == "muon" else config.lr
        parameters, gradients, m, v = self._own(self.adam_names, "m", "v")
        torch._foreach_lerp_(m, gradients, 1 - config.beta1)
        torch._foreach_mul_(v, config.beta2)
        torch._foreach_addcmul_(v, gradients, gradients, 1 - config.beta2)
        denominators = torch._foreach_sqrt(v)
        torch._foreach_mul_(denominators, 1 / math.sqrt(1 - config.beta2**count))
        torch._foreach_add_(denominators, config.eps)
        for name, parameter, numerator, denominator in zip(self.adam_names, parameters, m, denominators, strict=True):
            lr = base * factor * self.scales[name]
            if parameter.ndim == 2:
                parameter.mul_(1 - lr * config.weight_decay)
            parameter.addcdiv_(numerator, denominator, value=-lr / (1 - config.beta1**count))

    def _own(self, names: list[str], *moments: str) -> list[list[Tensor]]:
        """What is here of parameters, of their gradients (zeros where there is none), and of each kind of moments."""
        own = self.layout.own
        parameters = [own(self.named[n]) for n in names]
        gradients = [self.named[n].grad for n in names]
        given = [torch.zeros_like(p) if g is None else own(g) for p, g in zip(parameters, gradients, strict=True)]
        return [parameters, given, *([own(self.state[f"{n}.{kind}"]) for n in names] for kind in moments)]


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """[N, R, C] -> nearby matrices with singular values near one, by Newton-Schulz (Jordan's quintic coefficients).

    In bf16 on a GPU, and wherever autocast has matmuls in it.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    fast = matrices.is_cuda or torch.is_autocast_enabled(matrices.device.type)
    x = matrices.to(torch.bfloat16 if fast else torch.float32)
    tall = x.shape[1] > x.shape[2]
    x = x.mT if tall else x
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * (gram @ gram)) @ x
    out: Tensor = x.mT if tall else x
    return out


def clip_gradients(
    gradients: list[Tensor], limit: float, everywhere: Callable[[float], float] = lambda square: square
) -> float:
    """Scale all gradients to a global norm of at most `limit`; returns the norm before.

    `everywhere` makes of the square of what is here that of the whole.
    """
    here: float = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))).item()
    norm = math.sqrt(everywhere(here * here))  # of one number's square, that number: fp32 in double
    if norm > limit:
        torch._foreach_mul_(gradients, limit / norm)
    return norm


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Weights inside the blocks and the encoder of images, whose convolutions are matrices of flattened filters;
    embeddings and the head are tables of vectors and stay with AdamW."""
    return parameter.ndim >= 2 and name.startswith(("blocks.", "vision."))


def _lr_scale(name: str, parameter: Tensor, config: OptimConfig, n_layers: int) -> float:
    if not config.transfer or parameter.ndim < 2 or "embed" in name:
        return 1.0
    fan_out, fan_in = len(parameter), math.prod(parameter.shape[1:])
    if name.startswith(("head", "score")):
        return config.base_width / fan_in
    width = math.sqrt(max(1.0, fan_out / fan_in)) if config.kind == "muon" else config.base_width / fan_in
    residual = name.endswith(("attention.out.weight", "mlp.down.weight"))
    return width * (math.sqrt(config.base_depth / n_layers) if residual else 1.0)


def _by_shape(names: list[str], named: dict[str, Any]) -> list[list[str]]:
    groups: dict[tuple[int, ...], list[str]] = {}
    for name in names:
        groups.setdefault(tuple(named[name].shape), []).append(name)
    return list(groups.values())
