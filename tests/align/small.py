"""A base model of 48 positions, demonstrations and preferences for it: seconds from nothing to a policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from presage.align import reward, rl, sft
from presage.model.config import qwen3
from presage.train import pretrain
from presage.train.optim import OptimConfig
from tests.tiny import make_shards, tiny_run

CONTEXT = 48
ANSWERS = {"one": "a ladder", "two": "of runs", "three": "the law"}
FAST = OptimConfig(lr=0.02, adam_lr=0.01, weight_decay=0.0).model_dump()
THREAD = {"threads": 1}


def make_base(folder: Path, context: int = CONTEXT) -> Path:
    """folder/base, a model after a few steps, with folder/shards beside it."""
    shards = make_shards(folder)
    shape = qwen3(300, context, 1, 32, n_heads=2, n_kv_heads=2, d_head=16)
    return pretrain.run(tiny_run(shards.path, 24, model=shape), folder / "base").path


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def demonstrations(path: Path, answers: dict[str, str] = ANSWERS, copies: int = 8) -> Path:
    turns = [[("user", f"Say {key}"), ("assistant", answer)] for key, answer in answers.items()]
    rows = [{"messages": [{"role": role, "content": said} for role, said in turn]} for turn in turns * copies]
    return write_rows(path, rows)


def preferences(path: Path, copies: int = 8) -> Path:
    """Of every prompt the right answer, the other two in a tie, and nonsense last."""
    rows = []
    for key, answer in ANSWERS.items():
        others = [other for other in ANSWERS.values() if other != answer]
        rows += [
            {"prompt": f"Say {key}", "completions": [answer, *others, "runs runs"], "ranks": [1, 2, 2, 3]}
        ] * copies
    return write_rows(path, rows)


def prompts(path: Path) -> Path:
    return write_rows(path, [{"id": key, "prompt": f"Say {key}"} for key in ANSWERS])


def sft_config(base: Path, folder: Path, **changes: object) -> sft.Config:
    data = demonstrations(folder / "demonstrations.jsonl")
    values = {"base": base, "data": (data,), "held_out": (data,), "epochs": 40.0, "batch_rows": 4, "micro_batch": 4}
    return sft.Config.parse(values | {"optim": FAST, "device": THREAD} | changes)


def reward_config(base: Path, folder: Path, **changes: object) -> reward.Config:
    data = preferences(folder / "preferences.jsonl")
    values = {"base": base, "data": (data,), "held_out": (data,), "epochs": 20.0, "batch_prompts": 8, "micro_batch": 4}
    return reward.Config.parse(values | {"optim": FAST, "device": THREAD} | changes)


def rl_config(policy: Path, folder: Path, **changes: object) -> rl.Config:
    slow = FAST | {"lr": 0.002, "adam_lr": 0.002}
    values: dict[str, object] = {"policy": policy, "prompts": (prompts(folder / "prompts.jsonl"),), "steps": 4}
    values |= {"batch_prompts": 6, "minibatch": 3, "epochs": 2, "answer_tokens": 8, "warmup_steps": 2}
    return rl.Config.parse(values | {"optim": slow, "value_optim": slow, "device": THREAD} | changes)
