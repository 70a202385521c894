"""GPT-1 as published (§4.1): post-LN, learned positions, Adam at 2.5e-4, cosine, 100 epochs; then fine-tuned.

Fine-tuning: Adam at 6.25e-5, 32 items, three epochs, lambda 0.5, dropout 0.1 everywhere.
"""

from __future__ import annotations

from pathlib import Path

from presage.align import finetune as finetune_stage
from presage.model.config import gpt1
from presage.train import pretrain as stage
from presage.train.optim import OptimConfig
from presage.train.schedule import ScheduleConfig

BATCH = 64 * 512
UPDATES_WARMUP = 2_000
TOKENS = 100 * 1_000_000_000
"""100 epochs of BooksCorpus, about a billion tokens; the paper gives epochs, not tokens."""


def pretrain() -> stage.Config:
    """The 117M model. Needs shards with GPT-1's vocabulary; any other: shards=… model.vocab_size=…"""
    optim = OptimConfig(kind="adamw", lr=2.5e-4, beta2=0.999, weight_decay=0.01, transfer=False)
    return stage.Config(
        shards=Path("runs/shards"),
        model=gpt1(),
        tokens=TOKENS,
        batch_tokens=BATCH,
        micro_batch=8,
        optim=optim,
        schedule=ScheduleConfig(kind="cosine", warmup_tokens=UPDATES_WARMUP * BATCH),
        checkpoint_every=TOKENS // 100,
    )


def finetune() -> finetune_stage.Config:
    """On sentiment; another set: task=rte. Three epochs, which the paper says sufficed for most sets."""
    return finetune_stage.Config(base=Path("runs/pretrain"), task="sst2", data="../shared/data/eval", dropout=0.1)
