"""`presage make hallucinations`: comparisons against what answers make up, by a judge and without people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from presage.cli.grammar import Place, Whole, emit
from presage.cli.make import make
from presage.core.errors import DataError

Spec = Annotated[str, Parameter(help="a run, hf:DIR, or an endpoint's https://HOST/v1#NAME")]


@make.command
def hallucinations(
    questions: Annotated[Path, Parameter(help='JSON lines {"id"?, "text", "question"}')],
    /,
    *,
    model: Spec,
    judge: Spec,
    out: Place,
    rounds: Whole = 5,
    seed: Whole = 0,
    key_file: Path | None = None,
    judge_key_file: Path | None = None,
) -> None:
    """The GPT-4 system card's loop: answer, list what is made up, rewrite without it, list again; preferences result.

    Replies are kept in OUT.replies as they come: after an interruption the same command asks only for the rest. How
    every question went is in OUT.traces, pairs or not.

    Parameters
    ----------
    model
        Who answers.
    judge
        Who lists and rewrites; it may be the same model.
    out
        The file of preferences to write (.jsonl), for `presage reward`.
    rounds
        Rewritings of an answer, at most.
    seed
        Draws answers, where the temperature is above 0.
    key_file
        A file with the key of the model's endpoint.
    judge_key_file
        The same of the judge's.
    """
    from presage.align.hallucination import Loop, comparisons, read_questions, tally, traces
    from presage.core.files import atomic_write, prepare_new
    from presage.infer.kept import Kept
    from presage.infer.opening import opened

    if not out.name.endswith(".jsonl"):
        raise DataError("not a name for JSON lines", where=out, hint="end it in .jsonl, as readers expect")
    asked = read_questions(questions)
    prepare_new(out)
    replies = Path(f"{out}.replies")
    answering, judging = opened(model, str(key_file or "")), opened(judge, str(judge_key_file or ""))
    loop = Loop(Kept(answering, replies), Kept(judging, replies), rounds, seed=seed)
    found = loop.run(asked)
    pairs = comparisons(found, judging.name)
    for place, rows in ((Path(f"{out}.traces"), traces(found)), (out, pairs)):
        with atomic_write(place) as file:
            file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n".encode() for row in rows)
    emit(f"{outcome}: {number} of {len(found)}" for outcome, number in tally(found).items())
    emit([str(out)])
