"""A base model of English for GPT-1's experiment at this size: novels and textbooks, two hours of two cores at most.

GPT-1 was pretrained on unpublished books (paper §4.1). Here it is 99 novels before 1920 (ELTeC) and the 2,114 pages of
49 textbooks (OpenStax), half and half, read from `../shared/data`; another place: `sources.0.paths=[…]`.
"""

from __future__ import annotations

from pathlib import Path

from presage.align import finetune as finetune_stage
from presage.align import finetune_lstm as lstm_stage
from presage.data import corpus as corpus_stage
from presage.data import shards as shards_stage
from presage.data import tokenizer as tokenizer_stage
from presage.model.config import qwen3
from presage.train import pretrain as pretrain_stage
from presage.train.optim import OptimConfig
from presage.train.schedule import ScheduleConfig

BOOKS = Path("../shared/data/corpus")
RUNS = Path("runs/textbooks")
VOCAB, CONTEXT, LAYERS, WIDTH = 4096, 128, 4, 192
TOKENS = 24_000_000
BATCH = 8192
SETS = Path("../shared/data/eval")
RATE = 1e-2
UNITS = 512


def corpus() -> corpus_stage.Config:
    """Novels and textbooks as they are; documents that come twice once."""
    novels = corpus_stage.Source(name="novels", paths=(str(BOOKS / "eltec_english_novels"),), licence="CC BY 4.0")
    books = corpus_stage.Source(name="textbooks", paths=(str(BOOKS / "openstax_textbooks"),), licence="CC BY 4.0")
    return corpus_stage.Config(sources=(novels, books))


def tokenizer() -> tokenizer_stage.Config:
    """4,096 tokens: a larger vocabulary would take most of a model of this size."""
    return tokenizer_stage.Config(corpus=RUNS / "corpus", vocab_size=VOCAB)


def shards() -> shards_stage.Config:
    """Its corpus in its tokens."""
    return shards_stage.Config(corpus=RUNS / "corpus", tokenizer=RUNS / "tokenizer")


def pretrain() -> pretrain_stage.Config:
    """3.4 million parameters, 24 million tokens: the whole text once, nearly."""
    model = qwen3(VOCAB, CONTEXT, LAYERS, WIDTH)
    return pretrain_stage.Config(
        shards=RUNS / "shards",
        model=model,
        tokens=TOKENS,
        batch_tokens=BATCH,
        micro_batch=16,
        optim=OptimConfig(lr=0.02, adam_lr=0.025, base_depth=LAYERS),
        schedule=ScheduleConfig(kind="wsd", warmup_tokens=TOKENS // 50, decay_tokens=TOKENS // 2),
        eval_every=TOKENS // 16,
        checkpoint_every=TOKENS // 8,
        samples=5,
    )


def finetune() -> finetune_stage.Config:
    """Sentiment, GPT-1's way; another set: task=… The rate (muP's, at width 64) was chosen on training items."""
    return finetune_stage.Config(
        base=RUNS / "pretrain",
        task="sst2",
        data=str(SETS),
        asked=(0, 4),
        optim=OptimConfig(kind="adamw", lr=RATE, beta2=0.999, weight_decay=0.01),
    )


def lstm() -> lstm_stage.Config:
    """GPT-1's comparison at this size: one layer of 512 units on the same text, a quarter of the tokens."""
    return lstm_stage.Config(
        shards=RUNS / "shards",
        model=lstm_stage.LstmConfig(vocab_size=VOCAB, context_length=CONTEXT, d_model=WIDTH, units=UNITS),
        tokens=TOKENS // 4,
        batch_tokens=BATCH,
        schedule=ScheduleConfig(kind="cosine", warmup_tokens=TOKENS // 200),
    )
