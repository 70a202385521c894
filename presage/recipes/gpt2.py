"""GPT-2's smallest model. Batch and context are published; optimiser, rate and steps are not (GPT-2 §2.3): ours."""

from __future__ import annotations

from pathlib import Path

from presage.model.config import gpt2
from presage.train import pretrain as stage
from presage.train.optim import OptimConfig
from presage.train.schedule import ScheduleConfig

TOKENS = 10_000_000_000


def pretrain() -> stage.Config:
    """The 124M model: batch of 512 x 1024 tokens, AdamW 6e-4, cosine to a tenth (GPT-3's choices at this size)."""
    return stage.Config(
        shards=Path("runs/shards"),
        model=gpt2("124M"),
        tokens=TOKENS,
        batch_tokens=512 * 1024,
        micro_batch=8,
        optim=OptimConfig(kind="adamw", lr=6e-4, weight_decay=0.1, transfer=False),
        schedule=ScheduleConfig(kind="cosine", warmup_tokens=375_000_000, final=0.1),
        checkpoint_every=TOKENS // 50,
    )
