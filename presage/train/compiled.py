"""A model's blocks compiled by torch.compile while it is trained, and nothing else of it.

They are compiled at one shape, that of a full micro-batch with gradients, before anything else, so that a run that goes
on compiles what the whole one did. What has another shape or no gradients (a last, smaller batch, evaluation, samples)
is computed without, since each compilation takes as long as many of those.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from presage.core.device import Device
from presage.core.errors import Unavailable
from presage.model.transformer import Transformer


@contextlib.contextmanager
def compiled(model: Transformer, device: Device, sequences: int) -> Iterator[None]:
    """Within, the blocks of `model` are compiled for `sequences` whole contexts at once.

    Leaves no gradients. Raises Unavailable where there is no compiler.
    """
    place = next(model.parameters()).device
    _check_compiler(place)
    for block in model.blocks:
        block.compile(dynamic=False)
    tokens = torch.zeros(sequences, model.config.context_length, dtype=torch.long, device=place)
    model.train()
    with device.autocast():
        total = model.hidden(tokens).sum()
    total.backward()  # type: ignore[no-untyped-call]
    model.zero_grad(set_to_none=True)
    with torch.compiler.set_stance("eager_on_recompile"):
        yield


def _check_compiler(device: torch.device) -> None:
    try:
        torch.compile(torch.sin)(torch.ones(2, device=device))
    except Exception as error:  # of many kinds: no compiler, one that fails, a folder that cannot be written
        said = str(error).strip().split("\n")[0]
        hint = "install a C++ compiler such as g++, or leave compile=true away"
        raise Unavailable(f"torch.compile does not work here: {said:.120}", where="compile", hint=hint) from None
