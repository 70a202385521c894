"""`presage sight`: what a model sees."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from presage.cli.contamination import SCORES, Several
from presage.cli.grammar import PLACE, AsJson, Flag, Out, Quiet, Resume, Whole, app, be_quiet, dumps, emit, in_columns

Model = Annotated[str, Parameter(help="a run of `presage vision`, or an endpoint's https://HOST/v1#NAME")]


@app.command(group=SCORES)
def sight(
    model: Model,
    questions: Annotated[Path, PLACE],
    /,
    *,
    out: Out,
    shots: Whole = 0,
    pool: Annotated[Path | None, PLACE] = None,
    steps: Flag = False,
    conditions: str = "vision,no-vision,interleaved,text",
    limit: Whole = 0,
    max_tokens: Whole = 32,
    key_file: Path | None = None,
    set: Annotated[tuple[str, ...], Several] = (),
    seed: Whole = 0,
    json: AsJson = False,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Ask questions about images with the images, without, and in words; print the scores side by side.

    Without: "IMAGE:" stands in the place of each image. In words: where the questions have such a form, as charts do.
    Beside the scores stand what is right by chance, and how many of the images the model was trained on.

    Parameters
    ----------
    questions
        JSON lines of `presage make pictures`, or in its form.
    shots
        Answered questions before each, images and all.
    pool
        Where shots are drawn from; by default the questions themselves, never the one asked.
    steps
        Shots show the steps to their answers; refused where they have none, and without shots.
    conditions
        How to ask, with commas; what the questions have no form for is left out.
    limit
        The first so many questions; 0 asks all.
    max_tokens
        Of an answer.
    key_file
        A file with the endpoint's key.
    set
        key=value: how the model is asked (docs/examination.md).
    seed
        Draws the shots.
    """
    from presage.core.run import RunDir
    from presage.evaluate import sight as stage
    from presage.infer.opening import is_url

    be_quiet(quiet)
    named: dict[str, object] = {"model": model} if is_url(model) or model.startswith("hf:") else {"run": model}
    given = {"questions": questions, "pool": pool, "shots": shots, "steps": steps, "limit": limit or None, "seed": seed}
    named |= {"conditions": [one.strip() for one in conditions.split(",") if one.strip()]}
    asked = {"max_tokens": max_tokens, "key_file": str(key_file or ""), "settings": set}
    config = stage.Config.parse(named | given | asked, where="sight")
    run: RunDir = stage.run(config, out, resume=resume)
    results = run.results()
    if json:
        emit([dumps(results)])
        return
    emit(in_columns([_line(name, one) for name, one in results.items()]))


def _line(name: str, one: dict[str, object]) -> list[str]:
    value, lo, hi = (one.get(key) for key in ("value", "lo", "hi"))
    shown = f"{value:.3f}" if isinstance(value, float) else str(value)
    interval = f"{lo:.3f} to {hi:.3f}" if isinstance(lo, float) and isinstance(hi, float) else ""
    return [name, shown, interval, str(one.get("n", ""))]
