"""Stage: models attempt microcode problems; how often each passes, by sampling, and how likely the solutions are.

Of a ladder every model at its fitted budgets, or the larger of them, is sampled twice over: once to sort the problems
by difficulty, once to fit (sorting by the samples one fits makes the easy look easier than they are). A single run,
the target, is sampled to score. Both use the same problems, drawn from the seed; none is in the training texts
(presage.data.microcode).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import ConfigError
from presage.core.progress import Progress
from presage.core.run import RunDir
from presage.core.seeds import derive
from presage.core.workers import usable_cores, workers
from presage.data.microcode import Problem, problems
from presage.data.microcode_families import LEVELS
from presage.forecast.ladder import fitted_rungs

__all__ = ["Config", "run"]

COLUMNS = ["problem", "difficulty", "compute", "run", "split", "n", "passed", "nll"]
MAX_NEW_TOKENS = 48
BATCH = 1024


class Config(BaseConfig):
    ladder: Parent | None = None
    run: Parent | None = None
    """A ladder or a single run, not both."""
    problems: int = Field(default=60, ge=5)
    levels: tuple[int, ...] = LEVELS
    samples: int = Field(default=200, ge=1)
    """Per problem and model, for the fit."""
    bucket_samples: int | None = Field(default=None, ge=1)
    """Per problem and model of a ladder, to sort the problems by difficulty; by default as many as for the fit."""
    runs_per_budget: int = Field(default=2, ge=1)
    """How many of a ladder's repeats are sampled."""
    from_compute: float = Field(default=0.0, ge=0)
    """Smallest of a ladder's budgets whose models are sampled, FLOPs."""
    temperature: float = Field(default=1.0, gt=0)
    seed: int = 0
    """Of the problems; samples are drawn from it and the model's name."""

    @model_validator(mode="after")
    def _one_parent(self) -> Config:
        if (self.ladder is None) == (self.run is None):
            raise ValueError("either a ladder or a run must be given")
        return self

    def plan(self) -> dict[str, object]:
        """What --dry-run prints."""
        models = _models(self)
        return {"models": len(models), "samples": len(models) * self.problems * sum(self.splits.values())}

    @property
    def splits(self) -> dict[str, int]:
        """Samples of each split, per problem and model."""
        sorting = {} if self.ladder is None else {"bucket": self.bucket_samples or self.samples}
        return sorting | {"fit": self.samples}


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """tables/samples.csv (as `presage forecast capability` reads it), tables/attempts.csv, artifacts/problems.jsonl."""
    from presage.tasks import microcode

    models = _models(config)
    drawn = problems(config.seed, config.problems, config.levels)
    directory = RunDir.create(out, "attempts", config, seed=config.seed, resume=resume)
    with directory:
        microcode.save(directory.artifact("problems.jsonl"), drawn)
        rows, shown = _attempt_all(config, models)
        directory.table("samples", rows, COLUMNS)
        directory.table("attempts", shown, ["model", "problem", "passed", "completion"])
        fitted = [row for row in rows if row["split"] == "fit"]
        directory.result("models", len(models), unit="models")
        directory.result("problems", len(drawn), unit="problems")
        directory.result("samples", sum(row["n"] for row in rows), unit="samples")
        rate = sum(row["passed"] for row in fitted) / sum(row["n"] for row in fitted)
        directory.result("pass_rate", rate, stderr=math.sqrt(rate * (1 - rate) / sum(row["n"] for row in fitted)))
        directory.finish()
    return directory


def _models(config: Config) -> list[tuple[str, float, Path]]:
    """(name, budget in FLOPs, run) of every model to be sampled, largest first."""
    if config.run is not None:
        run = RunDir.open(config.run, "pretrain")
        return [(run.path.name, float(run.value("flops")), run.path)]
    assert config.ladder is not None
    rows = fitted_rungs(config.ladder, config.runs_per_budget)
    wanted = [row for row in rows if float(row["budget"]) >= config.from_compute]
    if not wanted:
        raise ConfigError(
            f"no fitted run of {config.from_compute:g} FLOPs or more",
            where=str(config.ladder),
            hint="lower from_compute",
        )
    rungs = RunDir.open(config.ladder, "ladder").path / "rungs"
    found = [(row["name"], float(row["budget"]), rungs / row["name"]) for row in wanted]
    return sorted(found, key=lambda one: -one[1])


def _attempt_all(config: Config, models: list[tuple[str, float, Path]]) -> tuple[list[dict[str, Any]], list[Any]]:
    jobs = min(usable_cores(), len(models))
    rows: list[dict[str, Any]] = []
    shown: list[Any] = []
    with Progress("attempts", len(models), unit="models") as bar, workers(jobs) as pool:
        bar.begin(0)
        threads = max(1, usable_cores() // jobs)
        futures = [pool.submit(_attempt, config, *model, threads) for model in models]
        for done, future in enumerate(futures, 1):
            made, examples = future.result()
            rows += made
            shown += examples
            bar.update(done, left=len(models) - done)
    return rows, shown


def _attempt(config: Config, name: str, budget: float, path: Path, threads: int) -> tuple[list[Any], list[Any]]:
    """One model: its rows of the table, and one sample a problem to look at."""
    import torch

    from presage.data.bpe import Tokenizer
    from presage.model.weights import load_run
    from presage.tasks.microcode import count_passed, grade, stem

    torch.set_num_threads(threads)
    model, vocabulary = load_run(path)
    tokenizer = Tokenizer.load(vocabulary)
    drawn = problems(config.seed, config.problems, config.levels)
    likelihood = _solutions(model, tokenizer, drawn)
    rows, shown = [], []
    for split, count in config.splits.items():
        seed = derive(config.seed, "attempts", name, split)
        texts = _samples(model, tokenizer, drawn, count, config.temperature, seed)
        for problem, nll, completions in zip(drawn, likelihood, texts, strict=True):
            passed = count_passed(problem, completions, prompt=stem(problem))
            facts = {"problem": problem.id, "difficulty": problem.level, "compute": budget, "run": name}
            rows.append(facts | {"split": split, "n": len(completions), "passed": passed, "nll": nll})
            if split == "fit":
                right = grade(problem, completions[0], prompt=stem(problem))
                shown.append({"model": name, "problem": problem.id, "completion": completions[0], "passed": right})
    return rows, shown


def _samples(
    model: Any, tokenizer: Any, drawn: list[Problem], count: int, temperature: float, seed: int
) -> Iterator[list[str]]:
    """`count` completions of every problem. A bare newline ends one: in the middle of a body none is bare.

    Several problems share a batch; what a row becomes depends on its own prompt and seed only.
    """
    from presage.model.decode import generate
    from presage.model.sampling import row_seeds
    from presage.tasks.microcode import stem

    stops = {ids[0] for text in ("\n", "\n\n") if len(ids := tokenizer.encode(text)) == 1}
    seeds = [row_seeds(derive(seed, number) % 2**31, count) for number in range(len(drawn))]
    together = max(1, BATCH // count)
    for first in range(0, len(drawn), together):
        part = range(first, min(first + together, len(drawn)))
        prompts = [tokenizer.encode(stem(drawn[number])) for number in part]
        ids = generate(
            model,
            [prompt for prompt in prompts for _ in range(count)],
            MAX_NEW_TOKENS,
            temperature=temperature,
            seed=[row for number in part for row in seeds[number]],
            stop_ids=stops,
            eot=tokenizer.eot,
            batch_size=BATCH,
        )
        texts = [tokenizer.decode(row) for row in ids]
        yield from (texts[place : place + count] for place in range(0, len(texts), count))


def _solutions(model: Any, tokenizer: Any, drawn: list[Problem]) -> list[float]:
    """-log p of every reference solution given its prompt, in nats."""
    from presage.model.decode import logprobs
    from presage.tasks.microcode import reference, stem

    prompts = [tokenizer.encode(stem(p)) for p in drawn]
    whole = [prompt + tokenizer.encode(reference(p)) for prompt, p in zip(prompts, drawn, strict=True)]
    longest, context = max(map(len, whole)), model.config.context_length
    if longest > context:
        raise ConfigError(
            f"a problem with its solution has {longest} tokens, the models' context is {context}",
            where="attempts",
            hint="examine models of a longer context, or lower levels",
        )
    values = logprobs(model, whole)
    return [-float(v[len(prompt) - 1 :].sum()) for v, prompt in zip(values, prompts, strict=True)]
