"""From a base model of code to an assistant with a policy: the policy world, fine-tuning, reward model, PPO three ways.

    demonstrations -> sft        labellers' answers, some of which refuse, some of which obey
    rankings       -> reward     labellers' taste, which on destruction prefers what works
    prompts        -> ppo        PPO-ptx with rule-based rewards: the assistant
                      ppo-alone  without rules; ppo-no-text: without pretraining gradients
    held out       -> conduct    all of them on the same prompts: refusals, tasks, KL, bits per byte
                      tax-…      what base and assistants score on two of the base's own tasks

On two cores the three policies train side by side, one thread each.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.align import conduct as conduct_stage
from presage.align import reward as reward_stage
from presage.align import rl as rl_stage
from presage.align import sft as sft_stage
from presage.align.grading import RulesConfig
from presage.align.learners import Objective
from presage.align.world import files as world
from presage.core.config import Config
from presage.core.device import Device
from presage.core.run import RunDir
from presage.core.workers import usable_cores, workers
from presage.data import shards as shards_stage
from presage.evaluate import run as eval_stage
from presage.evaluate.asking import Asked
from presage.recipes.kept import same
from presage.train.optim import OptimConfig
from presage.train.schedule import ScheduleConfig

MODELS = ("sft", "ppo", "ppo-alone", "ppo-no-text")
"""The assistants, as the tables call them."""
SECONDS, SHORT_SECONDS = 370.0, 20.0
"""What all of it takes on two cores; the last in a short demo."""


KEPT = 500_000
"""Tokens between checkpoints: a kill costs seconds."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything. The short ones walk every stage and reach nothing."""

    demonstrations: int = 4000
    preferences: int = 3000
    requests: int = 2000
    held_out: int = 1200
    epochs: float = 3.0
    ranked: float = 1.5
    steps: int = 28
    eval_tokens: int = 65_536
    asked: int = 240


WHOLE = Sizes()
SHORT = Sizes(160, 80, 100, 60, epochs=1.0, ranked=1.0, steps=1, eval_tokens=4_096, asked=8)


def optim(lr: float) -> OptimConfig:
    """The base's optimizer at a lower rate, without decay: what it knows is to stay."""
    return OptimConfig(lr=lr, adam_lr=lr, weight_decay=0.0, base_depth=2)


def chain(base: Path, shards: Path, out: Path, *, seed: int = 0, short: bool = False) -> dict[str, Path]:
    """Walk every stage below `out`; what is finished is kept. Returns {stage's name: its run}."""
    sizes = SHORT if short else WHOLE
    files = out / "world"
    drawn = world.Sizes(sizes.demonstrations, sizes.preferences, sizes.requests, sizes.held_out)
    if (files / world.DRAWN).is_file():
        world.check_world(files, seed, drawn)
    else:
        world.write_world(files, seed, drawn)
    sft = same(sft_stage, lambda: sft_config(base, shards, files, seed, sizes), out / "sft").path
    reward = same(reward_stage, lambda: reward_config(sft, files, seed, sizes), out / "reward").path
    _side_by_side(out, rl_configs(sft, reward, shards, files, seed, sizes), rl_stage)
    assistants = {name: out / name for name in MODELS}
    conduct = same(conduct_stage, lambda: conduct_config(base, shards, out, seed, sizes), out / "conduct").path
    examined = {
        f"tax-{name}": tax_config(run, corpus_of(shards), seed, sizes)
        for name, run in {"base": base, **_taxed(assistants)}.items()
    }
    _side_by_side(out, examined, eval_stage)
    return assistants | {"reward": reward, "conduct": conduct} | {name: out / name for name in examined}


def _taxed(assistants: Mapping[str, Path]) -> dict[str, Path]:
    """Those whose scores on the base's tasks are told beside the base's."""
    return {name: assistants[name] for name in ("sft", "ppo")}


def roles(runs: Mapping[str, Path]) -> dict[str, Path]:
    """What a report calls these runs."""
    names = {"sft": "sft", "reward": "reward", "conduct": "conduct", "ppo": "policy", "ppo-alone": "policy_alone",
             "ppo-no-text": "policy_no_text"}  # fmt: skip
    taxed = {f"tax-{name}": f"tax_{names.get(name, name)}" for name in ("base", "sft", "ppo")}
    return {role: runs[name] for name, role in (names | taxed).items() if name in runs}


def sft_config(base: Path, shards: Path, files: Path, seed: int, sizes: Sizes) -> sft_stage.Config:
    """Half of the rows are pretraining text, which counts half: with less a model of this size forgets it, with more it
    hardly learns to answer (docs/LOG.md)."""
    return sft_stage.Config(
        base=base,
        data=(files / world.DEMONSTRATIONS,),
        held_out=(files / world.HELD_OUT_DEMONSTRATIONS,),
        epochs=sizes.epochs,
        batch_rows=16,
        micro_batch=16,
        optim=optim(0.007),
        schedule=ScheduleConfig(kind="linear"),
        shards=shards,
        pretraining_share=0.5,
        pretraining_weight=0.5,
        checkpoint_every=KEPT,
        seed=seed,
    )


def reward_config(sft: Path, files: Path, seed: int, sizes: Sizes) -> reward_stage.Config:
    """More than one pass over the rankings: labellers here are of one mind, and nothing is over-fitted."""
    return reward_stage.Config(
        base=sft,
        data=(files / world.PREFERENCES,),
        held_out=(files / world.HELD_OUT_PREFERENCES,),
        demonstrations=(files / world.DEMONSTRATIONS,),
        epochs=sizes.ranked,
        batch_prompts=32,
        micro_batch=32,
        optim=optim(0.012),
        checkpoint_every=KEPT,
        seed=seed,
    )


def rl_configs(
    sft: Path, reward: Path, shards: Path, files: Path, seed: int, sizes: Sizes
) -> Mapping[str, rl_stage.Config]:
    """PPO-ptx with rules, and without the one and the other.

    Rewards are brought to deviation 1; with β smaller than this, verbs are traded for others that the rules cannot tell
    apart, and tasks suffer (docs/LOG.md). Values may move as far as they like: rewards change fast.
    """
    whole = rl_stage.Config(
        policy=sft,
        prompts=(files / world.REQUESTS,),
        reward=reward,
        rules=RulesConfig(judge="world"),
        objective=Objective(value_clip=None),
        penalty=rl_stage.Penalty(beta=0.08),
        normalise=True,
        ptx=rl_stage.Ptx(shards=shards, coefficient=1.0, windows=28),
        steps=sizes.steps,
        batch_prompts=128,
        minibatch=32,
        answer_tokens=40,
        optim=optim(0.002),
        value_optim=optim(0.004),
        warmup_steps=3,
        final=0.1,
        checkpoint_every=7,
        seed=seed,
        device=Device(threads=1),
    )
    return {
        "ppo": whole,
        "ppo-alone": whole.model_copy(update={"rules": None}),
        "ppo-no-text": whole.model_copy(update={"ptx": None}),
    }


def conduct_config(base: Path, shards: Path, out: Path, seed: int, sizes: Sizes) -> conduct_stage.Config:
    """All assistants below `out` on the requests held out."""
    return conduct_stage.Config(
        models=tuple(out / name for name in MODELS),
        names=MODELS,
        requests=(out / "world" / world.HELD_OUT,),
        base=base,
        shards=shards,
        eval_tokens=sizes.eval_tokens,
        seed=seed,
    )


def corpus_of(shards: Path) -> Path | None:
    """The corpus run behind the shards, which holds the passages that are asked about; None where it is gone."""
    corpus = RunDir.open(shards, "shards").config(shards_stage.Config).corpus
    return corpus if RunDir(corpus).done else None


def tax_config(run: Path, corpus: Path | None, seed: int, sizes: Sizes) -> eval_stage.Config:
    """Two of the base's own tasks, asked of the base's kind of prompt: which passage follows, and microcode."""
    tasks = [Asked(task="microcode", limit=max(4, sizes.asked // 12))]
    if corpus is not None:
        tasks.insert(0, Asked(task="next_passage", limit=sizes.asked))
    return eval_stage.Config(run=run, corpus=corpus, tasks=tuple(tasks), seed=seed, threads=1)


# ---- the same, stage by stage ---------------------------------------------------------------------------------------

DEMO, HERE = Path("runs/demo"), Path("runs/demo/assistant")


def sft() -> sft_stage.Config:
    """Of the demo's target, on the demo's world; for a base and records of your own: base=… data=[…] shards=…"""
    return sft_config(DEMO / "target", DEMO / "shards", HERE / "world", 0, WHOLE)


def reward() -> reward_stage.Config:
    """From the assistant that is fine-tuned."""
    return reward_config(HERE / "sft", HERE / "world", 0, WHOLE)


def rl() -> rl_stage.Config:
    """PPO-ptx with rules."""
    return rl_configs(HERE / "sft", HERE / "reward", DEMO / "shards", HERE / "world", 0, WHOLE)["ppo"]


def conduct() -> conduct_stage.Config:
    """All of them on held-out requests."""
    return conduct_config(DEMO / "target", DEMO / "shards", HERE, 0, WHOLE)


def _side_by_side(out: Path, configs: Mapping[str, Config], stage: Any) -> None:
    waiting = {name: config for name, config in configs.items() if not (out / name / "DONE").is_file()}
    for name in configs.keys() - waiting.keys():
        _run(stage.__name__, configs[name], out / name)
    if not waiting:
        return
    with workers(min(len(waiting), usable_cores())) as pool:
        runs = [pool.submit(_run, stage.__name__, config, out / name) for name, config in waiting.items()]
        for future in as_completed(runs):
            future.result()


def _run(module: str, config: Config, out: Path) -> None:
    import importlib

    stage = importlib.import_module(module)
    same(stage, lambda: config, out)
