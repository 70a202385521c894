"""Examinations: `presage eval` and `presage examine`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from presage.cli.compare import show_comparison
from presage.cli.contamination import SCORES, Several
from presage.cli.examined_words import check_alone, check_together, names_of, numbers_of
from presage.cli.grammar import (
    FOLDER,
    PLACE,
    WHOLE,
    AsJson,
    Flag,
    Out,
    Quiet,
    Resume,
    Whole,
    app,
    be_quiet,
    dumps,
    emit,
)
from presage.cli.results import against_compute, scores, unasked
from presage.core.errors import PresageError

Model = Annotated[str, Parameter(help="a run, hf:DIR, or an endpoint's https://HOST/v1#NAME")]
Names = Annotated[str, Parameter(help="tasks by name, with commas; NAME@K asks with K shots")]


@app.command(name="eval", group=SCORES)
def evaluate(
    model: Model = "",
    /,
    *,
    tasks: Names = "",
    out: Annotated[Path | None, FOLDER] = None,
    data: Path | None = None,
    shots: str = "",
    limit: Annotated[int | None, WHOLE] = None,
    method: str = "",
    samples: Annotated[int | None, WHOLE] = None,
    temperature: float | None = None,
    max_tokens: Annotated[int | None, WHOLE] = None,
    corpus: Path | None = None,
    corpus_end: str = "",
    judge: str = "",
    key_file: Path | None = None,
    judge_key_file: Path | None = None,
    ladder: Path | None = None,
    runs_per_budget: Whole = 1,
    compare: Annotated[tuple[Path, Path] | None, Parameter(negative="")] = None,
    page: Annotated[Path | None, PLACE] = None,
    set: Annotated[tuple[str, ...], Several] = (),
    i_accept_unsandboxed_execution: Flag = False,
    seed: Whole = 0,
    resume: Resume = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Examine a model by tasks: every score with its error, and beside it what of it is clean.

    `presage tasks` lists what is known. Answers are kept as they come: --resume asks nothing twice. docs/examination.md
    has the forms of the questions, and what is written.

    Parameters
    ----------
    out
        The run directory to write.
    data
        The folder below which the public files lie; by default the model's own corpus run, where there is one.
    shots
        Solved examples shown before a question, where not as the task declares; with commas each number in turn.
    limit
        At most so many examples a task, drawn by the seed; a smaller number is part of a larger one's.
    method
        How multiple choice is asked, where not as declared: letter, sum, per_token, per_byte or unconditional.
    samples
        Completions an example, where the model writes.
    temperature
        Of what the model writes.
    max_tokens
        Most tokens that it writes.
    corpus
        A corpus run to look the questions up in; by default the one the run was trained on, where it stands beside it.
    corpus_end
        The day of the training text's last document, as 2026-01-31: facts are told apart that are later than it.
    judge
        A model that grades free text.
    key_file
        A file with the endpoint's key; only the examined model is given it.
    judge_key_file
        The same for the judge.
    ladder
        Instead of a model: a ladder, every budget of which is examined; OUT/scaling has scores against compute.
    runs_per_budget
        Of a ladder.
    compare
        Instead of a model: two finished examinations, compared item by item.
    page
        Also write every example with its answer as one HTML file to browse; with --compare both models' side by side.
    set
        key=value: how the model is asked: batch_tokens=8192, requests_per_minute=60 (docs/examination.md).
    i_accept_unsandboxed_execution
        Run programs that a model wrote without isolation, where there is none. Recorded with the result.
    seed
        Draws shots, samples and what --limit keeps.
    """
    given = dict(locals())
    from presage.core.files import prepare_new
    from presage.recipes import examination as recipe
    from presage.report import examples

    be_quiet(quiet)
    if compare is not None:
        check_alone(given, inspect.signature(evaluate))
        show_comparison(*compare, page=page, json=json)
        return
    if out is None or not tasks or bool(model) == (ladder is not None):
        hint = "presage eval MODEL --tasks NAME,NAME --out DIR, --ladder LADDER, or --compare A B"
        raise PresageError("needs a model or a ladder, tasks and --out", where="eval", hint=hint)
    check_together(ladder, runs_per_budget, page)
    settings = {"limit": limit, "samples": samples, "temperature": temperature, "max_tokens": max_tokens}
    asked = recipe.asked_of(names_of(tasks), numbers_of(shots), **settings)
    recipe.check_known(asked)
    if page is not None:
        prepare_new(page, "--page")
    common = {
        "tasks": asked,
        "data": str(data or ""),
        "method": method,
        "corpus": corpus,
        "corpus_end": corpus_end or None,
        "judge": judge,
        "key_file": str(key_file or ""),
        "judge_key_file": str(judge_key_file or ""),
        "settings": set,
        "accept_unsandboxed": i_accept_unsandboxed_execution,
        "seed": seed,
    }
    if ladder is not None:
        made = recipe.over_ladder(ladder, out, runs_per_budget=runs_per_budget, resume=resume, **common)
        emit([dumps(made.read_table("ladder"))] if json else against_compute(made))
        return
    made = recipe.examined(model, out, resume=resume, **common)
    if page is not None:
        examples.write(made.path, page)
    emit([dumps(made.results())] if json else scores(made))


@app.command(group=SCORES)
def examine(
    model: Model,
    /,
    *,
    out: Out,
    data: Path | None = None,
    limit: Whole = 200,
    corpus: Path | None = None,
    corpus_end: str = "",
    judge: str = "",
    key_file: Path | None = None,
    judge_key_file: Path | None = None,
    set: Annotated[tuple[str, ...], Several] = (),
    i_accept_unsandboxed_execution: Flag = False,
    seed: Whole = 0,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """The whole examination of a model you already have: OUT/eval, OUT/report/report.html, OUT/examples.html.

    What presage generates itself is always asked; public sets are, where their files lie below --data. What cannot be
    asked is listed with the reason. An endpoint without log-probabilities is asked to write its answers, and the
    report says so.

    Parameters
    ----------
    data
        The folder below which the public files lie; by default the model's own corpus run, where there is one.
    limit
        At most so many examples a task, drawn by the seed; 0 asks all.
    corpus
        A corpus run to look the questions up in; by default the one the run was trained on, where it stands beside it.
    corpus_end
        The day of the training text's last document, as 2026-01-31: facts are told apart that are later than it.
    judge
        A model that grades free text; without one such tasks are skipped.
    key_file
        A file with the endpoint's key; only the examined model is given it.
    judge_key_file
        The same for the judge.
    set
        key=value: how the model is asked (docs/examination.md).
    i_accept_unsandboxed_execution
        Run programs that a model wrote without isolation, where there is none. Recorded with the result.
    seed
        Draws shots, samples and what --limit keeps.
    """
    from presage.recipes import examination as recipe

    be_quiet(quiet)
    report = recipe.whole(
        model,
        out,
        resume=resume,
        tasks=recipe.suite(limit or None),
        data=str(data or ""),
        corpus=corpus,
        corpus_end=corpus_end or None,
        judge=judge,
        key_file=str(key_file or ""),
        judge_key_file=str(judge_key_file or ""),
        settings=set,
        accept_unsandboxed=i_accept_unsandboxed_execution,
        seed=seed,
    )
    emit([*unasked(report.path.parent / "eval"), str(report.path / "report.html")])
