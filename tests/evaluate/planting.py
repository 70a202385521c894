"""A tiny corpus with copies of some items planted into it, a model trained on it, and items that it never saw."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

from presage.core.device import Device
from presage.data import corpus, shards, tokenizer
from presage.data.items import Item
from presage.evaluate.variants import NAMES, question
from presage.model.config import qwen3
from presage.train import pretrain
from presage.train.optim import OptimConfig
from presage.train.schedule import ScheduleConfig
from tests.data.conftest import WORDS

COPIES, FILES, ITEMS = 30, 600, 8
CONTEXT, BATCH, VOCAB = 32, 16, 400
# Fewer steps, or a rate that stays high, end while the copies are being learned: how far is then chance.
STEPS, DECAY = 500, 200


def sentences(seed: int, words: int) -> str:
    """Words at random, a full stop after every twelfth, and a name inside every sentence.

    The names are those that the variant `names` draws from: to the model the new one is as common as the old.
    """
    chance = random.Random(seed)
    drawn = [f"{chance.choice(WORDS)}{chance.choice(['s', 'ed', 'ing', ''])}" for _ in range(words)]
    drawn[3::12] = [chance.choice(NAMES) for _ in drawn[3::12]]
    parts = [" ".join(drawn[first : first + 12]) for first in range(0, words, 12)]
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in parts)


def item(name: str, seed: int) -> Item:
    chance = random.Random(seed)
    options = tuple(f"{chance.choice(WORDS)} {chance.choice(WORDS)} {number}" for number in range(4))
    return Item(name, sentences(seed, 18), options, seed % 4)


PLANTED = [item(f"planted-{k}", k) for k in range(ITEMS)]
UNSEEN = [item(f"unseen-{k}", 100 + k) for k in range(2 * ITEMS)]


@dataclass(frozen=True)
class Planted:
    """Everything below one folder: items.jsonl, corpus, tokenizer, shards, run."""

    root: Path

    @property
    def items(self) -> Path:
        return self.root / "items.jsonl"

    @property
    def run(self) -> Path:
        return self.root / "run"


def write_items(path: Path, items: list[Item]) -> Path:
    rows = ({"id": i.id, "text": i.text, "options": i.options, "answer": i.answer} for i in items)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def build(root: Path, steps: int = STEPS) -> Planted:
    """Each planted item stands in COPIES of FILES documents, with its options, as a leaked file of questions would."""
    leaked = "\n\n".join(question(item) + " " + item.options[item.answer or 0] for item in PLANTED)
    (root / "texts").mkdir()
    for number in range(FILES):
        own = sentences(1000 + number, 72)
        text = f"{own}\n\n{leaked}\n" if number < COPIES else f"{own}\n"
        (root / "texts" / f"{number:03}.txt").write_text(text)
    source = corpus.Source(name="mine", paths=(str(root / "texts"),))
    corpus.run(corpus.Config(sources=(source,), val_fraction=0.1), root / "corpus")
    tokenizer.run(tokenizer.Config(corpus=root / "corpus", vocab_size=VOCAB), root / "tokenizer")
    shards.run(shards.Config(corpus=root / "corpus", tokenizer=root / "tokenizer"), root / "shards")
    write_items(root / "items.jsonl", PLANTED + UNSEEN)
    pretrain.run(training(root / "shards", steps), root / "run")
    return Planted(root)


def training(tokens: Path, steps: int) -> pretrain.Config:
    return pretrain.Config(
        shards=tokens,
        model=qwen3(VOCAB, CONTEXT, n_layers=2, d_model=64, n_heads=2, n_kv_heads=2, d_head=32),
        tokens=CONTEXT * BATCH * steps,
        batch_tokens=CONTEXT * BATCH,
        optim=OptimConfig(),
        schedule=ScheduleConfig(decay_tokens=CONTEXT * BATCH * DECAY),
        device=Device(),
        eval_tokens=2048,
    )
