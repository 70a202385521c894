"""Weights on disk: safetensors under the names of our own modules."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from presage.core.errors import ConfigError, CorruptError, RunError
from presage.model.transformer import Transformer

TIED = "head.weight"  # the same tensor as embed.weight when tied: written once, under the embedding's name


def model_tensors(model: Transformer) -> dict[str, Tensor]:
    """{our name: contiguous tensor, not a copy when it already is one}; a tied head is left out."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_embeddings:
        del tensors[TIED]
    return tensors


def load_tensors(model: Transformer, tensors: dict[str, Tensor], where: object = None) -> None:
    """Copy tensors into the model. Raises ConfigError naming the first missing, unknown or misshapen tensor."""
    own = model_tensors(model)
    for name in sorted(own.keys() - tensors.keys()):
        raise ConfigError(f"tensor '{name}' is missing", where=where, hint="these weights are of another model")
    for name in sorted(tensors.keys() - own.keys()):
        raise ConfigError(f"tensor '{name}' is not one of this model's", where=where)
    for name, target in own.items():
        if tensors[name].shape != target.shape:
            found, wanted = list(tensors[name].shape), list(target.shape)
            raise ConfigError(f"tensor '{name}' is {found}, the model's is {wanted}", where=where)
    with torch.no_grad():
        for name, parameter in model.state_dict().items():
            if name in tensors:
                parameter.copy_(tensors[name])


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """One .safetensors file. RunError when it cannot be written."""
    try:
        save_file(tensors, path, metadata={"format": "pt"})
    except (SafetensorError, OSError) as error:
        path.unlink(missing_ok=True)
        raise RunError(f"cannot write: {error}", where=path) from None


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a .safetensors file. CorruptError when it is damaged, RunError when it is missing."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise RunError("missing file", where=path) from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CorruptError(f"not a whole safetensors file: {error}", where=path) from None
