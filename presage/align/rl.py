"""Stage: reinforcement learning from a reward model and rules, PPO-ptx as InstructGPT (§3.5, appendix C.4) by default.

    for each step:
        prompts -> completions (the policy's own, at its temperature)
        completions -> rewards: reward model + rules
        rewards, log P, values -> what each token was worth
        some updates of policy and value model; pretraining text mixed in by its gradient

A step is one response each: the episode ends with it. Every trick has its source beside its setting, and a switch.
Interrupted between steps, a run goes on to the bit on a CPU.
"""

from __future__ import annotations

import copy
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from presage.align.fitting import reward_model, training_text
from presage.align.grading import Grade, Grader, RulesConfig, rules_of
from presage.align.learners import LEARNERS
from presage.align.objectives import adapted
from presage.align.policy import Models, Update, Windows, kl_of
from presage.align.prompts import Asked, read_prompts
from presage.align.rl_settings import Config as Config
from presage.align.rl_settings import Penalty as Penalty
from presage.align.rl_settings import Ptx as Ptx
from presage.align.rollout import Rollout, roll, seeds_of
from presage.align.weighing import Weighing
from presage.core.device import recorded_or_measured
from presage.core.errors import DataError, Stopped
from presage.core.progress import Progress
from presage.core.run import RunDir, note
from presage.core.seeds import derive, in_epochs
from presage.data.bpe import Tokenizer
from presage.data.chat import opened
from presage.data.loader import Loader, Split
from presage.model.transformer import Transformer, with_scores
from presage.model.weights import load_run, load_writer
from presage.train import state as states
from presage.train.loop import stop_signals
from presage.train.optim import Optimizer
from presage.train.state import TrainState

__all__ = ["Config", "run"]

WEIGHED = 128
"""Prompts from which the rewards' scale is computed where there are no rules to weigh."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """Train the policy and write the run directory. Resume is exact to the bit on a CPU.

    Raises DataError where no prompt leaves room for an answer or for a fault in a file, RunError for a reward that is
    no number, Stopped after saving when SIGTERM or SIGINT arrives.
    """
    chosen = config.device or recorded_or_measured(Config, out)
    policy, vocabulary = load_writer(config.policy)
    config = config.model_copy(update={"device": chosen, "model": policy.config})
    tokenizer = Tokenizer.load(vocabulary)
    given = read_prompts(config.prompts)
    asked, prompts = _fitting(config, policy, tokenizer, given)
    models, reward = _models(config, policy, vocabulary, chosen.apply())
    rules = rules_of(config.rules, asked, config.prompts, config.seed) if config.rules else None
    text = training_text(config.ptx.shards, vocabulary) if config.ptx else None
    with RunDir.create(out, "rl", config, seed=config.seed, resume=resume, device=chosen.model_dump()) as directory:
        grader = Grader(tokenizer, reward, rules, config.unfinished)
        work = _Work(config, directory, asked, prompts, models, grader, text)
        work.weigh()
        state = work.train()
        shutil.copyfile(vocabulary, directory.artifact("tokenizer.json"))
        work.write_results(state, len(given) - len(asked))
        directory.finish()
    return directory


class _Work:
    """The loop and what it holds."""

    def __init__(
        self, config: Config, directory: RunDir, asked: list[Asked], prompts: list[list[int]], models: Models,
        grader: Grader, text: Split | None,
    ) -> None:  # fmt: skip
        self.config, self.directory, self.models, self.grader = config, directory, models, grader
        self.asked, self.prompts = asked, prompts
        objective = config.objective
        self.update = Update(
            learner=LEARNERS[objective.name](objective),
            epochs=config.epochs,
            minibatch=config.minibatch,
            group=objective.group,
            grad_clip=config.optim.grad_clip,
            value_clip=objective.value_clip,
            ptx=config.ptx.coefficient if config.ptx else 0.0,
            windows=config.ptx.windows if config.ptx else 0,
            mean_decay=config.mean_decay,
            seed=config.seed,
        )
        self.windows = _windows(text, config, models) if text else None

    # ---- before the first step ---------------------------------------------------------------------------------

    def weigh(self) -> None:
        """Compute the rules' weight and the rewards' scale, once: the policy that a resumed run finds is another."""
        config, rules = self.config.rules, self.grader.rules
        weighs = config is not None and rules is not None and config.weight is None
        if not weighs and not self.config.normalise:
            return
        if not (self.directory.path / "artifacts" / "weighing.json").is_file():
            self.directory.write_json("artifacts/weighing.json", self._weighing(config if weighs else None))
        found = self.directory.read_json("artifacts/weighing.json")
        if rules is not None and "weight" in found:
            self.grader = replace(self.grader, rules=replace(rules, weight=float(found["weight"])))
        if self.config.normalise:
            self.grader = replace(self.grader, scale=1 / max(float(found["deviation"]), 1e-6))

    def _weighing(self, rules: RulesConfig | None) -> dict[str, float]:
        """From four answers each to the first prompts, of a known kind where rules are weighed."""
        places = [place for place, one in enumerate(self.asked) if one.kind or rules is None]
        rows = [place for place in places[: rules.weigh_prompts if rules else WEIGHED] for _ in range(4)]
        if not rows:
            raise DataError("no prompt has a kind, so the rules cannot be weighed", where=self.config.prompts[0])
        answers = self._roll(rows, [derive(self.config.seed, "weighing", n) for n in range(len(rows))])
        asked, found = [self.asked[place] for place in rows], {}
        if rules and self.grader.rules:
            weighing = self._overcoming(asked, answers, rules)
            found = dict(vars(weighing))
            self.grader = replace(self.grader, rules=replace(self.grader.rules, weight=weighing.weight))
        return found | {"deviation": self.grader.deviation(asked, answers)}

    def _overcoming(self, asked: Sequence[Asked], answers: Sequence[Rollout], rules: RulesConfig) -> Weighing:
        """The computed weight; 1 where there is nothing to compute it from, which is told."""
        found = self.grader.weighed(asked, answers, rules)
        if self.grader.model is None:
            return replace(found, weight=1.0)
        if not found.pairs:
            note("the rules tell none of the starting policy's answers apart: their weight is set to 1")
            return replace(found, weight=1.0)
        if not found.conflicts:
            note("the reward model agrees with the rules on the starting policy's answers: their weight is 0")
        return found

    # ---- the loop ----------------------------------------------------------------------------------------------

    def train(self) -> TrainState:
        """Every step from the newest whole checkpoint on."""
        config, models, directory = self.config, self.models, self.directory
        found = states.load_newest(directory.path, models.policy, models.optimizer, models.further())
        state = found or TrainState(carried={"beta": config.penalty.beta})
        directory.cut_rows(state.step)
        with stop_signals() as stopping, Progress("rl", config.steps, unit="steps") as progress:
            progress.begin(state.step)
            while state.step < config.steps and not state.carried.get("stopped"):
                started = time.perf_counter()
                row, tokens = self._step(state)
                directory.metric(step=state.step, tokens=state.tokens, flops=state.flops, **row)
                seconds = time.perf_counter() - started
                directory.timing(step=state.step, seconds=seconds, rollout_tokens_per_s=tokens / self.rolled)
                progress.update(state.step, reward=f"{row['reward']:.2f}", kl=f"{row['kl']:.2f}")
                last = state.step == config.steps or bool(state.carried.get("stopped"))
                due = last or (config.checkpoint_every and state.step % config.checkpoint_every == 0)
                if last:
                    self._take_mean()
                if due or stopping:
                    self._save(state, passing=not due)
                if stopping and not last:
                    what = f"stopped by a signal at step {state.step}, saved"
                    raise Stopped(what, where=directory.path, hint="--resume goes on")
        return state

    def _step(self, state: TrainState) -> tuple[dict[str, float], int]:
        config, beta = self.config, state.carried["beta"]
        group, count = config.objective.group, config.batch_prompts
        places = in_epochs(state.step * count, count, len(self.asked), config.seed)
        rows = [place for place in places for _ in range(group)]
        begun = time.perf_counter()
        rollouts = self._roll(rows, seeds_of(config.seed, state.step, len(rows)))
        self.rolled = time.perf_counter() - begun
        grades = self.grader.grades([self.asked[place] for place in rows], rollouts)
        batches = self.update.batches(rollouts, [one.score for one in grades], self.models, state.step)
        kl = kl_of(batches)
        row = _row(grades, [self.asked[place] for place in rows], rollouts) | {"kl": kl, "beta": beta}
        if config.penalty.stop is not None and kl > config.penalty.stop:
            state.carried["stopped"] = 1.0
        else:
            prepared = self.update.learner.prepare(batches, beta)
            factor = _rate(config, state.step)
            row |= self.update.learn(prepared, self.models, state, factor, beta, self.windows, self.directory)
        if config.penalty.target is not None:
            state.carried["beta"] = adapted(beta, kl, config.penalty.target, len(rows), config.penalty.horizon)
        self._write_samples(state.step + 1, rows, grades)
        tokens = sum(len(one.completion) for one in rollouts)
        state.step, state.sequences, state.tokens = state.step + 1, state.sequences + len(rows), state.tokens + tokens
        state.flops += self._flops(rollouts)
        return row, tokens

    def _roll(self, rows: Sequence[int], seeds: Sequence[int]) -> list[Rollout]:
        config = self.config
        prompts = [self.prompts[place] for place in rows]
        eot = self.grader.tokenizer.eot
        return roll(self.models.policy, prompts, config.answer_tokens, config.temperature, seeds, eot)

    def _flops(self, rollouts: Sequence[Rollout]) -> int:
        """Exact counts of forward passes over what was read: writing, reference, old policy, reward, value, and three
        times as much for each pass that learns."""
        policy, value = self.models.policy.config, self.models.value
        tokens, epochs = sum(len(one.ids) for one in rollouts), self.config.epochs
        longest = max(len(one.ids) for one in rollouts)
        passes = 3 + 3 * epochs + (1 if self.grader.model else 0) + (1 + 3 * epochs if value else 0)
        updates = epochs * -(-len(rollouts) // self.config.minibatch)
        text = updates * self.update.windows * policy.context_length * policy.flops_per_token()
        return passes * tokens * policy.flops_forward(longest) + text

    # ---- what is written ---------------------------------------------------------------------------------------

    def _save(self, state: TrainState, *, passing: bool) -> None:
        further = self.models.further()
        keep, run = self.config.keep_checkpoints, self.directory.path
        states.save(run, self.models.policy, self.models.optimizer, state, keep, passing=passing, further=further)

    @torch.no_grad()
    def _take_mean(self) -> None:
        """The running mean becomes the policy: only once there is no further step."""
        for name, parameter in self.models.policy.named_parameters():
            if self.models.mean:
                parameter.copy_(self.models.mean[name])

    def _write_samples(self, step: int, rows: Sequence[int], grades: Sequence[Grade]) -> None:
        if step % 10 and step != 1:
            return
        for place, grade in list(zip(rows, grades, strict=True))[: self.config.samples]:
            asked = self.asked[place]
            row: dict[str, object] = {"prompt": asked.messages[-1].content, "kind": asked.kind or ""}
            row |= {"completion": grade.text, "class": grade.kind, "reward": round(grade.score, 4)}
            self.directory.sample(step=step, **row)

    def write_results(self, state: TrainState, too_long: int) -> None:
        """Means over the last tenth of the steps, and counts."""
        rows = list(self.directory.rows())
        last = rows[-max(1, len(rows) // 10) :]
        for name in ("reward", "reward/model", "reward/rules", "rules/invalid", "kl", "entropy"):
            values = [row[name] for row in last if name in row]
            if values:
                self.directory.result(name, statistics.fmean(values), n=len(values), unit="mean over the last steps")
        counts = {"steps": state.step, "episodes": state.sequences, "updates": state.updates, "flops": state.flops}
        counts |= {"prompts": len(self.asked), "too_long": too_long, "skipped_updates": state.skipped}
        counts |= {"stopped_by_kl": int(bool(state.carried.get("stopped")))}
        for name, value in counts.items():
            self.directory.result(name, value)
        if self.grader.rules is not None:
            self.directory.result("rules/weight", self.grader.rules.weight)


def _rate(config: Config, step: int) -> float:
    """Times the peak rate, in a step counted from 0."""
    warm = min(1.0, 0.1 + 0.9 * step / config.warmup_steps) if config.warmup_steps else 1.0
    return warm * (1 - (1 - config.final) * step / config.steps)


def _row(grades: Sequence[Grade], asked: Sequence[Asked], rollouts: Sequence[Rollout]) -> dict[str, float]:
    row = {
        "reward": statistics.fmean(one.score for one in grades),
        "reward/model": statistics.fmean(one.model for one in grades),
        "reward/rules": statistics.fmean(one.rules for one in grades),
        "answer_tokens": statistics.fmean(len(one.completion) for one in rollouts),
        "unfinished": statistics.fmean(not one.ended for one in rollouts),
    }
    classed = [one.kind for one in grades if one.kind]
    if classed:
        row["rules/invalid"] = classed.count("invalid") / len(classed)
    for kind in ("allowed", "disallowed"):
        judged = [grade.kind for grade, one in zip(grades, asked, strict=True) if one.kind == kind and grade.kind]
        if judged:
            row[f"refusal/{kind}"] = judged.count("refusal") / len(judged)
    return row


def _fitting(
    config: Config, policy: Transformer, tokenizer: Tokenizer, given: Sequence[Asked]
) -> tuple[list[Asked], list[list[int]]]:
    """Prompts that leave room for an answer, and their ids."""
    room = policy.config.context_length - config.answer_tokens
    ids = [opened(tokenizer, one.messages) for one in given]
    kept = [place for place, prompt in enumerate(ids) if len(prompt) <= room]
    if not kept:
        what = f"no prompt leaves room for {config.answer_tokens} tokens in {policy.config.context_length}"
        raise DataError(what, where=config.prompts[0], hint="fewer answer_tokens, or shorter prompts")
    return [given[place] for place in kept], [ids[place] for place in kept]


def _models(
    config: Config, policy: Transformer, vocabulary: Path, device: torch.device
) -> tuple[Models, Transformer | None]:
    policy = policy.to(device).eval()  # no dropout: rollouts and updates are of one policy
    reference = load_run(config.policy)[0].to(device).requires_grad_(False)
    reward = _reward(config, vocabulary, device)
    models = Models(policy, Optimizer(policy, config.optim), reference)
    if LEARNERS[config.objective.name].needs_values:
        begun = copy.deepcopy(reward) or with_scores(reference, 1, config.seed)
        models.value = begun.requires_grad_(True).eval()
        models.value_optimizer = Optimizer(models.value, config.value_optim)
    if config.mean_decay is not None:
        models.mean = {name: p.detach().clone() for name, p in policy.named_parameters()}
    return models, reward


def _reward(config: Config, vocabulary: Path, device: torch.device) -> Transformer | None:
    if config.reward is None:
        return None
    return reward_model(config.reward, vocabulary).to(device).requires_grad_(False)


def _windows(text: Split, config: Config, models: Models) -> Windows:
    length, device = models.policy.config.context_length, models.policy.embed.weight.device
    loader = Loader(text, length, derive(config.seed, "ptx"))

    def windows(first: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        x, y = loader.batch(first, count)
        return torch.from_numpy(x).to(device), torch.from_numpy(y).to(device)

    return windows
