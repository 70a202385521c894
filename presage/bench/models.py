"""Models that nobody trained."""

from __future__ import annotations

import torch

from presage.model.config import ModelConfig
from presage.model.transformer import Transformer, build


def lively(config: ModelConfig) -> Transformer:
    """One whose most probable id stands out, as a trained one's does: no two are nearly as probable."""
    model = build(config, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        model.embed.weight.normal_(0, 0.1, generator=generator)
        model.head.weight.normal_(0, 0.1, generator=generator)
    return model.eval()
