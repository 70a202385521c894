"""`presage make pictures`: questions about images, drawn from a seed or read from a public set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from presage.cli.grammar import PLACE, Flag, Place, Whole, emit
from presage.cli.make import make


@make.command
def pictures(
    kinds: Annotated[str, Parameter(help="kinds of drawings with commas between, or with --data a public set")],
    /,
    *,
    out: Place,
    count: Whole = 1000,
    seed: Whole = 0,
    split: Literal["train", "test"] = "train",
    form: Literal["image", "text", "interleaved"] = "image",
    steps: Flag = False,
    more: Flag = False,
    data: Annotated[Path | None, PLACE] = None,
) -> None:
    """Images with questions and answers as JSON lines: conversations to learn from, and questions to be examined on.

    Kinds: words, labels, glyphs, code, digits; bars, lines, pies; letters, tables, receipts; counting, relations,
    captions; diagrams; odd, panels; statements (as NLVR's). Sets: mnist_test, noto_emoji, country_flags, nlvr,
    omniglot_small, vqav2_sample. docs/vision.md.

    Parameters
    ----------
    out
        The file to write, .jsonl; images are in it as data URLs.
    count
        Questions of each kind; of a set at most so many, and 0 is all.
    seed
        Same seed, same file. No seed's training questions hold what any seed's test questions do.
    split
        What to write.
    form
        Of the prompts: with the image, told in words, or some of both, for kinds that have it.
    steps
        The answers say how they are come by, where the kind has steps.
    more
        Further turns about the same image, where the kind has them: more to learn from each.
    data
        The folder of a public set, or the one that has it by its name.
    """
    from presage.core.errors import DataError
    from presage.core.files import prepare_new
    from presage.data.images.question import write_questions
    from presage.recipes.pictures import drawn, of_set

    if not out.name.endswith(".jsonl"):
        raise DataError("not a name for JSON lines", where=out, hint="end it in .jsonl, as readers expect")
    if count < (data is None):
        raise DataError(f"--count {count}", where="make pictures", hint="at least 1")
    names = [name.strip() for name in kinds.split(",") if name.strip()]
    questions = of_set(names, data, split, seed, count) if data else drawn(names, split, seed, count)
    prepare_new(out)
    try:
        write_questions(out, questions, form=form, steps=steps, more=more)
    except BaseException:
        out.unlink(missing_ok=True)
        raise
    emit([str(out)])
