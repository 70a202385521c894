"""A model's blocks compiled by torch.compile while it is trained, and nothing else of it.

One graph serves all blocks and all steps of one shape; what has another shape or no gradients (a last, smaller batch,
evaluation, samples) is computed without it, since each compilation takes as long as many of those.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from presage.core.errors import Unavailable
from presage.model.transformer import Transformer


@contextlib.contextmanager
def compiled(model: Transformer, wanted: bool) -> Iterator[None]:
    """Within, the blocks of `model` are compiled at their first step. Raises Unavailable where there is no compiler."""
    if not wanted:
        yield
        return
    _check_compiler(next(model.parameters()).device)
    for block in model.blocks:
        block.compile(dynamic=False)
    with torch.compiler.set_stance("eager_on_recompile"):
        yield


def _check_compiler(device: torch.device) -> None:
    try:
        torch.compile(torch.sin)(torch.ones(2, device=device))
    except Exception as error:  # of many kinds: no compiler, one that fails, a folder that cannot be written
        said = str(error).strip().split("\n")[0]
        hint = "install a C++ compiler such as g++, or leave compile=true away"
        raise Unavailable(f"torch.compile does not work here: {said:.120}", where="compile", hint=hint) from None
