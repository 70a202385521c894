"""`presage make translations`: MMLU in another language, by any model that translates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from presage.cli.contamination import Several
from presage.cli.evaluation import Model
from presage.cli.grammar import PLACE, Quiet, Whole, be_quiet, emit
from presage.cli.make import make

if TYPE_CHECKING:
    from presage.recipes.translations import Made


@make.command
def translations(
    *,
    language: str,
    data: Path,
    model: Model,
    out: Annotated[Path | None, PLACE] = None,
    max_tokens: Whole = 1024,
    key_file: Path | None = None,
    set: Annotated[tuple[str, ...], Several] = (),
    quiet: Quiet = False,
) -> None:
    """The table that the task mmlu_translated:LANGUAGE reads: its instructions, questions and options, each asked once.

    Replies are kept as they come, in OUT.replies: after an interruption the same command asks only for the rest.

    Parameters
    ----------
    language
        The code of one of the GPT-4 report's 26 languages: fr, sw, th.
    data
        The folder below which MMLU's files lie.
    out
        The table to write; by default DATA/translations/LANGUAGE.jsonl, where the task finds it.
    max_tokens
        Most tokens of a translation; one that is longer is an error, not a part of itself.
    key_file
        A file with the endpoint's key.
    set
        key=value: how the model is asked: price_in=2.5, requests_per_minute=60 (docs/examination.md).
    """
    from presage.recipes import translations as recipe

    be_quiet(quiet)
    place = recipe.place_of(data, language)
    made = recipe.translated(model, language, data, out or place, max_tokens, str(key_file or ""), set)
    emit(_said(made, place))


def _said(made: Made, place: Path) -> Iterator[str]:
    yield f"{made.texts:,} texts: {made.asked:,} asked, {made.texts - made.asked:,} from {made.path}.replies"
    if made.usage:
        yield ", ".join(f"{row['what']} {_number(row['value'])}" for row in made.usage)
    if made.path.resolve() != place.resolve():
        yield f"the task reads it as {place}, or below any other folder given with --data"
    yield str(made.path)


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"
