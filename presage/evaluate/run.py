"""Stage: a model examined by tasks; every answer kept, every score with its error and its contamination.

What it writes is in docs/examination.md. Answers are kept part by part as they come: an interrupted run goes on
without asking again what was answered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from presage.core.config import Parent
from presage.core.errors import ConfigError, DataError, PresageError, Unavailable
from presage.core.files import sha256
from presage.core.progress import Progress
from presage.core.run import RunDir, load_config, note
from presage.data.verbs import LanguageModel
from presage.evaluate import extras, kept
from presage.evaluate.asking import Asked, Plan, distinct, exams_of, plans_of
from presage.evaluate.checked import ARITHMETIC, arithmetic_rows, corpus_of, scanned
from presage.evaluate.contamination import Report
from presage.evaluate.executing import Executing
from presage.evaluate.logged import row
from presage.evaluate.runner import Runner, parts
from presage.evaluate.spending import Spending
from presage.evaluate.summary import Summary
from presage.infer.opening import Examined, is_url, opened
from presage.tasks.methods.asked import asked_by
from presage.tasks.methods.free import without_beams
from presage.tasks.methods.letters import by_generation
from presage.tasks.task import Task

__all__ = ["Config", "run"]

STAGE = "eval"


class Config(Examined):
    judge_key_file: str = ""
    """The same of the judge's endpoint, which is never given the examined one's."""
    tasks: tuple[Asked, ...] = Field(min_length=1)
    data: str = ""
    """The folder below which the public files lie; by default the corpus run, whose held-out text is asked about."""
    method: Literal["", "letter", "sum", "per_token", "per_byte", "unconditional"] = ""
    """How multiple choice is asked where not as declared: letter, sum, per_token, per_byte, unconditional."""
    corpus: Parent | None = None
    """The training text that questions are looked up in; by default that of the run, where it stands beside it."""
    corpus_end: date | None = None
    """The day of the training text's last document, for questions about what came after it."""
    judge: str = ""
    """A model that grades free text."""
    accept_unsandboxed: bool = False
    skip_missing: bool = False
    """A task whose files are missing, or that the model cannot be asked, is listed as skipped and not an error."""
    part: int = Field(default=256, ge=1)
    """Examples asked together, and kept together."""
    seed: int = 0
    threads: int | None = Field(default=None, ge=1)
    """Of a model that is computed here: with others the last digits differ. None: as many as there are, recorded."""

    @field_validator("corpus_end", mode="before")
    @classmethod
    def _day(cls, value: object) -> date | None:
        """As it is written and in no other way: a bare number would be taken for seconds since 1970."""
        if value is None or type(value) is date:
            return value
        try:
            if isinstance(value, str) and len(value) == len("2026-01-31"):
                return date.fromisoformat(value)
        except ValueError:
            pass
        raise ValueError("not a day, as 2026-01-31")

    @model_validator(mode="after")
    def _tasks_differ(self) -> Config:
        labels = [asked.label for asked in self.tasks]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(f"the task '{twice}' twice")
        return self

    def plan(self) -> dict[str, object]:
        """What --dry-run prints: examples by task."""
        plans, skipped = planned(self)
        sizes: dict[str, object] = {one.label: f"{len(one.questions)} of {one.total} examples" for one in plans}
        return sizes | dict(skipped)


def run(config: Config, out: Path, *, resume: bool = False, model: LanguageModel | None = None) -> RunDir:
    """samples.jsonl, result.json, tables/{tasks,categories,shown,files,skipped,...}.csv, artifacts/scores/*.jsonl.

    `model` stands in for the one the config names. Raises DataError and ConfigError for tasks that cannot be asked,
    Unavailable where programs cannot be run safely.
    """
    config = _with_threads(config, out if resume else None)
    examined = model or opened(config.spec, config.key_file, config.settings)
    plans, skipped = planned(config, examined)
    judge = opened(config.judge, config.judge_key_file) if config.judge else None
    with contextlib.ExitStack() as stack:
        sandbox, plans = _executor(stack, config, plans, skipped)
        if not plans:
            raise ConfigError(f"nothing can be asked: {skipped[0][1]}", where=skipped[0][0])
        facts = kept.facts(examined, judge, sandbox, plans)
        directory = stack.enter_context(RunDir.create(out, STAGE, config, seed=config.seed, resume=resume, **facts))
        kept.check_facts(directory, facts)
        spending = Spending(directory, {"examined": examined, "judge": judge})
        try:
            _ask(directory, plans, Runner(examined, judge, sandbox), config.part, spending)
        finally:
            spending.keep()
        summary = Summary(plans, list(directory.rows("samples.jsonl")), _reports(config, plans), config.seed)
        _write(directory, config, summary, skipped, examined)
        if sandbox:
            directory.result("isolation", sandbox.sandbox.isolation)
            directory.result("kernel", sandbox.sandbox.kernel)
        directory.finish()
    return directory


def _with_threads(config: Config, begun: Path | None) -> Config:
    """The config with the threads that are used from now on: those given, those it began with, or those there are."""
    if is_url(config.spec):
        return config
    import torch

    written = begun / "config.json" if begun else None
    recorded = load_config(Config, written).threads if written and written.is_file() else None
    threads = config.threads or recorded or torch.get_num_threads()
    torch.set_num_threads(threads)
    return config.model_copy(update={"threads": threads})


def planned(config: Config, model: LanguageModel | None = None) -> tuple[list[Plan], list[tuple[str, str]]]:
    """The questions of every task as `model` can be asked them (one of ours can everything), and [(label, why)] of
    those that are skipped."""
    plans, skipped, folders = [], [], _folders(config)
    for asked in config.tasks:
        try:
            plans += _plans(config, asked, folders, model)
        except PresageError as error:
            if not config.skip_missing:
                raise
            skipped.append((asked.label, str(error)))
    distinct(plans)
    return plans, skipped


def _plans(config: Config, asked: Asked, folders: Sequence[Path], model: LanguageModel | None) -> list[Plan]:
    """From the first folder that has it all; what is wrong in the very first of them is what is said."""
    faults = []
    for folder in folders:
        try:
            return plans_of(asked, folder, config.seed, lambda task: _changed(task, config, model, asked.task))
        except DataError as error:
            faults.append(error)
    raise faults[0]


def _folders(config: Config) -> list[Path]:
    """The folder named, and the corpus run."""
    corpus = _corpus(config)
    named = [Path(config.data)] if config.data else []
    return [*named, *([corpus] if corpus else [])] or [Path()]


def _corpus(config: Config) -> Path | None:
    """The training text to look in: the one given, or that of the run examined."""
    return config.corpus or (corpus_of(config.run) if config.run is not None else None)


def _changed(task: Task, config: Config, model: LanguageModel | None, typed: str) -> Task:
    """The task as this model can be asked it. Raises ConfigError naming what was typed."""
    if config.method:
        task = asked_by(task, config.method)
    if "judge" in task.method.needs and not config.judge:
        raise ConfigError("answers are graded by a judge, and none is given", where=typed, hint="--judge MODEL")
    if model is not None and not model.has_beams:
        task = without_beams(task)
    unlikely = model is not None and not model.has_likelihood
    return by_generation(task) if unlikely and "likelihood" in task.method.needs else task


def _executor(
    stack: contextlib.ExitStack, config: Config, plans: list[Plan], skipped: list[tuple[str, str]]
) -> tuple[Executing | None, list[Plan]]:
    """The sandbox, open only where a task needs one, and the plans that can be asked: where there is no sandbox and
    what is missing is skipped, those without programs."""
    needing = [one for one in plans if "sandbox" in one.task.method.needs]
    if not needing:
        return None, plans
    from presage.tasks.sandbox import Sandbox

    try:
        sandbox = stack.enter_context(Sandbox.open(accept_unsandboxed=config.accept_unsandboxed))
    except Unavailable as error:
        if not config.skip_missing:
            raise
        skipped += [(one.label, str(error)) for one in needing]
        return None, [one for one in plans if one not in needing]
    return Executing(sandbox), plans


# ---- asking ----------------------------------------------------------------------------------------------------------


def _ask(directory: RunDir, plans: Sequence[Plan], runner: Runner, size: int, spending: Spending) -> None:
    """Every question that has no row yet, in the order of the plans; whole parts are kept, and what they took."""
    done = kept.kept(directory, plans, size)
    with Progress("examples", sum(len(one.questions) for one in plans), unit="examples") as bar:
        bar.begin(len(done))
        count = len(done)
        for one in plans:
            for part in parts(one.questions, size):
                if (one.label, part[0].example.id) in done:
                    continue
                exchanges = runner.run(one.task.method, [q.example for q in part], [q.context for q in part])
                rows = [row(one, *pair) for pair in zip(part, exchanges, strict=True)]
                kept.append(directory.path / kept.SAMPLES, rows)
                spending.keep()
                count += len(rows)
                bar.update(count, task=one.label)


# ---- what is written -------------------------------------------------------------------------------------------------


def _reports(config: Config, plans: Sequence[Plan]) -> dict[str, Report]:
    """Contamination by task; empty where there is no training text to look in."""
    corpus = _corpus(config)
    if corpus is None:
        note("no training text to look the questions up in: scores are shown as not checked (give --corpus)")
        return {}
    return scanned(plans, corpus, config.seed)


def _write(
    directory: RunDir, config: Config, summary: Summary, skipped: Sequence[tuple[str, str]], model: LanguageModel
) -> None:
    exams = exams_of(asked.task for asked in config.tasks)
    calibrated, results = extras.calibrated(summary)
    tables = summary.tables() | calibrated | dict(extras.tables(summary, exams, _folders(config)[0], config.corpus_end))
    corpus = _corpus(config)
    if corpus is not None and (arithmetic := arithmetic_rows(summary.plans, corpus)):
        tables["arithmetic"] = arithmetic, list(ARITHMETIC)
    for name, (rows, columns) in tables.items():
        directory.table(name, rows, list(columns))
    directory.table("files", _files(summary.plans), ["task", "file", "sha256"])
    directory.table("skipped", [{"task": label, "reason": why} for label, why in skipped], ["task", "reason"])
    for name, text in summary.artifacts():
        directory.write_text(f"artifacts/{name}", text)
    facts = {"model": {"value": model.name}, "has_likelihood": {"value": model.has_likelihood}}
    directory.write_json("result.json", facts | dict(summary.results()) | extras.exam_results(tables) | results)


def _files(plans: Sequence[Plan]) -> list[dict[str, str]]:
    return [{"task": one.label, "file": file.name, "sha256": sha256(file)} for one in plans for file in one.files]
