"""Forecasting models that exist: the largest of a family from its small members."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from presage.cli.grammar import PLACE, AsJson, Whole, dumps, emit, forecast, percent
from presage.core.errors import PresageError

Several = Parameter(consume_multiple=True)


@forecast.command
def family(
    directory: Path,
    /,
    *more: Path,
    text: Annotated[tuple[Path, ...], Several],
    hold_out: Path | None = None,
    tokens: Annotated[tuple[float, ...], Several] = (),
    level: float = 0.9,
    context: Whole = 2048,
    out: Annotated[Path | None, PLACE] = None,
    json: AsJson = False,
) -> None:
    """Examine the small members of a family of models, forecast the largest without opening it, then score that.

    A forecast that missed is a result: the exit code is 0.

    Parameters
    ----------
    directory
        Local Hugging Face directories, four or more: config.json, tokenizer.json, model.safetensors.
    text
        Files to measure bits per byte on, which none of the models was trained on.
    hold_out
        The one to forecast, if not the largest; those that are not smaller stay unused.
    tokens
        What each model was trained on: one number for all, or one a model. Then the axis is compute, 6ND; else it is
        parameters without embeddings.
    level
        The probability that the interval should hold the outcome with.
    context
        Longest window in tokens; windows are of the shortest context of all members, at most this.
    out
        A CSV file for the members' results.
    """
    from presage.forecast import family as families

    if not 0 < level < 1 or context < 1:
        raise PresageError("--level must be between 0 and 1, and --context positive", where="forecast family")
    if out and not out.parent.is_dir():
        raise PresageError("no such directory", where=out.parent)
    directories = [directory, *more]
    found = families.forecast(
        directories, families.read_texts(text), hold_out=hold_out, tokens=tokens, level=level, context=context
    )
    emit([dumps(found)] if json else _lines(found))
    if out:
        families.write_table(found["members"], out)


def _lines(found: dict[str, Any]) -> Iterator[str]:
    promise, score = found["forecast"], found["score"]
    size = found["text"]["bytes"]
    yield f"{size:,} bytes of text, windows of {found['window']} tokens, axis: {found['axis']}"
    for row in found["members"]:
        role = "fitted" if row["fitted"] else "held out"
        yield f"  {row['bpb']:.4f} bits/byte  {row['n_params_non_embedding']:>15,} N  {role:8}  {row['model']}"
    interval = f"[{promise['lo']:.4f}, {promise['hi']:.4f}], {percent(promise['level'])} interval"
    yield f"promised {promise['point']:.4f} {interval}"
    verdict = "inside" if score["inside"] else "MISSED"
    yield f"came out at {score['actual']:.4f}: {score['error_percent']:+.2f} %, {verdict}"
    yield from (f"warning: {warning}" for warning in promise["warnings"])
