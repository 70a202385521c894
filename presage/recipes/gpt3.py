"""GPT-3's training recipe at its smallest size (GPT-3 §2.1, app. B); the band's width was not published."""

from __future__ import annotations

from pathlib import Path

from presage.model.config import gpt3
from presage.train import pretrain as stage
from presage.train.optim import OptimConfig
from presage.train.schedule import BatchRamp, ScheduleConfig

TOKENS = 300_000_000_000


def pretrain() -> stage.Config:
    """The 125M model: 0.5M-token batches ramped from 32k, Adam 6e-4, warm-up 375M, cosine to 10 % over 260B tokens."""
    return stage.Config(
        shards=Path("runs/shards"),
        model=gpt3("125M"),
        tokens=TOKENS,
        batch_tokens=524_288,
        micro_batch=4,
        optim=OptimConfig(kind="adamw", lr=6e-4, weight_decay=0.1, transfer=False),
        schedule=ScheduleConfig(kind="cosine", warmup_tokens=375_000_000, decay_tokens=260_000_000_000, final=0.1),
        ramp=BatchRamp(start_tokens=32_768, ramp_tokens=4_000_000_000),
        checkpoint_every=TOKENS // 100,
    )
