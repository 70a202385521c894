"""`presage card`: a model's system card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from presage.cli.contamination import SCORES, Several
from presage.cli.grammar import PLACE, DryRun, Out, Quiet, Resume, Whole, app, be_quiet, emit

Model = Annotated[str, Parameter(help="a run, hf:DIR, or an endpoint's https://HOST/v1#NAME")]


@app.command(group=SCORES)
def card(
    model: Model,
    /,
    *,
    out: Out,
    data: Annotated[Path | None, PLACE] = None,
    sets: str = "",
    limit: Whole = 200,
    samples: Whole = 200,
    max_tokens: Whole = 96,
    judge: str = "",
    classifier: Path | None = None,
    redteam: Annotated[tuple[Path, ...], Several] = (),
    mitigation: Annotated[tuple[str, ...], Several] = (),
    title: str = "",
    key_file: Path | None = None,
    judge_key_file: Path | None = None,
    set: Annotated[tuple[str, ...], Several] = (),
    seed: Whole = 0,
    resume: Resume = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
) -> None:
    """Write a model's system card: OUT/card, the figures, and OUT/page/card.html.

    Refusals of harmful requests and of safe ones, the model as a classifier of undesired content, toxic words in its
    samples, pairs and questions about groups of people, behaviours that it says of itself: every figure with its n,
    interval and files. What cannot be asked is listed as not assessed, with the reason. docs/alignment/system-card.md.

    Parameters
    ----------
    data
        The folder of the public sets, or the one that has it as `align`; without it the model's samples alone.
    sets
        Names of sets, with commas; every one by default.
    limit
        At most so many items a set (a category of BBQ, a file of behaviours), drawn by the seed; 0 asks all.
    samples
        Samples of each kind in which toxic words are looked for.
    max_tokens
        Of an answer or a sample.
    judge
        A model that classifies answers to requests by the rubric of refusals, beside the rule.
    classifier
        A toxicity classifier that a corpus run trained; without it a word list alone.
    redteam
        Records of `presage redteam`.
    mitigation
        AREA=TEXT: what is done against a risk area, in your words.
    title
        Of the page.
    key_file
        A file with the endpoint's key; only the examined model is given it.
    judge_key_file
        The same for the judge.
    set
        key=value: how the model is asked (docs/examination.md).
    seed
        Draws samples and what --limit keeps.
    """
    from presage.recipes import card as recipe

    be_quiet(quiet)
    config = recipe.config_of(
        model,
        data=str(data or ""),
        sets=tuple(name.strip() for name in sets.split(",") if name.strip()),
        limit=limit or None,
        samples=samples,
        max_tokens=max_tokens,
        judge=judge,
        judge_key_file=str(judge_key_file or ""),
        key_file=str(key_file or ""),
        classifier=str(classifier or ""),
        redteam=tuple(map(str, redteam)),
        mitigations=recipe.mitigations_of(mitigation),
        settings=set,
        seed=seed,
    )
    if dry_run:
        emit(f"{name}: {value}" for name, value in config.plan().items())
        return
    made = recipe.whole(config, out, title=title, resume=resume)
    emit([str(made.path / "card.html")])
