"""What a model makes of items: `presage likelihood`, and `presage perturb` of their variants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from presage.cli.contamination import SCORES, Several
from presage.cli.grammar import PLACE, AsJson, Out, Quiet, Resume, Whole, app, be_quiet, dumps, emit, in_columns

if TYPE_CHECKING:
    from presage.core.run import RunDir
    from presage.evaluate.perturb import Changed, Gap


@app.command(group=SCORES)
def likelihood(*, items: Path, run: Path, out: Annotated[Path | None, PLACE] = None, quiet: Quiet = False) -> None:
    """Score every item by how likely a model finds its text, in bits per byte: JSON lines for `presage scores`.

    One object an item, {id, score, better}; lower is better. Texts longer than the model's context are rolled over,
    half a context at a time.

    Parameters
    ----------
    items
        The evaluation items, as `presage contamination` reads them; scored without answers and choices.
    run
        A pretrain or import run.
    out
        A file to write the scores to; by default standard output.
    """
    from presage.core.files import prepare_new
    from presage.data.items import read_items
    from presage.evaluate.likelihood import score_items, score_lines, write_scores

    be_quiet(quiet)
    if out:
        prepare_new(out)
    scores = score_items(run, read_items(items))
    if out:
        write_scores(out, scores)
    emit([str(out)] if out else score_lines(scores))


@app.command(group=SCORES)
def perturb(
    *,
    items: Path,
    run: Path,
    kind: Annotated[tuple[str, ...], Several] = (),
    report: Path | None = None,
    seed: Whole = 0,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Score variants of items that should mean the same: how much of a score rests on the exact words?

    Prints for each kind how many items it changes, their bits per byte before and after, and the paired gap; for
    options also the accuracy. With a contamination report the gaps of flagged and clean items stand apart: a larger
    one on flagged items is evidence that they were memorised.

    Parameters
    ----------
    items
        The evaluation items; `options` needs rows with options (or choices) and an answer.
    run
        A pretrain or import run.
    kind
        case (of first letters), spaces (doubled), letters (swapped inside words), names (renamed; keeps the meaning
        only where any name would do), options (in another order); all of them unless some are named.
    report
        What `presage contamination --json` printed for the same items.
    seed
        Draws the variants.
    """
    from presage.data.items import read_items
    from presage.evaluate.likelihood import Judge
    from presage.evaluate.perturb import as_json, measure, states_of
    from presage.evaluate.variants import KINDS

    be_quiet(quiet)
    kinds, found = kind or tuple(KINDS), read_items(items)
    state = states_of(report, found) if report else None
    changed = measure(Judge.of_run(run), found, kinds, seed, state)
    emit([dumps(as_json(changed, kinds))] if json else _gaps(changed, kinds, len(found)))


def _gaps(changed: list[Changed], kinds: tuple[str, ...], count: int) -> Iterator[str]:
    from presage.evaluate.perturb import excess, gaps

    rows, notes = [["bits per byte", "items", "changed", "original", "variant", "gap", "accuracy before, after"]], []
    for kind in dict.fromkeys(kinds):
        found = gaps([one for one in changed if one.kind == kind])
        total = str(count)
        for group, gap in found.items():
            rows.append([kind if group == "all" else f"  {group}", total if group == "all" else "", *_gap(gap)])
        more = excess(found)
        notes += [f"{kind}: gap on flagged items minus gap on clean ones: {more.text}"] if more else []
    yield from in_columns(rows)
    yield from ["", *notes] if notes else []


def _gap(gap: Gap) -> list[str]:
    accuracy = "-" if gap.accuracy is None else ", ".join(one.text for one in gap.accuracy[:2])
    return [str(gap.items), gap.original.text, gap.variant.text, gap.gap.text, accuracy]


# ---- memorisation ---------------------------------------------------------------------------------------------------


@app.command(group=SCORES)
def memorisation(
    *,
    run: Path,
    out: Out,
    prompts: Whole = 256,
    prompt_tokens: Whole = 32,
    new_tokens: Whole = 96,
    top_k: Whole = 40,
    seed: Whole = 0,
    resume: Resume = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Tell how much of what a model writes stands word for word in its training text, as GPT-2's Figure 5 does.

    Openings of held-out documents are continued by the model. Of each continuation, and of the document's own, the
    share of its runs of 8 words that stand in the training split is told, and the longest run of words that does.
    The prompts do not count.

    Parameters
    ----------
    run
        A finished pretrain run beside its shards and corpus.
    prompts
        Held-out documents to continue; all that are long enough where there are fewer.
    prompt_tokens
        Tokens of the opening that the model is given.
    new_tokens
        Tokens that it writes, and that are taken of the document itself.
    top_k
        Each token is drawn from so many, the most probable ones.
    seed
        Draws the documents and the samples.
    """
    from presage.evaluate import memorisation as stage

    be_quiet(quiet)
    settings = {"run": run, "prompts": prompts, "prompt_tokens": prompt_tokens, "new_tokens": new_tokens}
    config = stage.Config.parse(settings | {"top_k": top_k, "seed": seed}, where="memorisation")
    made = stage.run(config, out, resume=resume)
    emit([dumps(made.results())] if json else _memorised(made))


def _memorised(run: RunDir) -> Iterator[str]:
    from presage.evaluate.memorisation import KINDS

    yield f"{run.value('documents'):,} training documents, {run.value('bytes') / 1e6:,.1f} MB"
    yield ""
    lines = {"mean": "mean", "median": "median", "none": "texts with none"}
    lines |= {f"above_{n}": f"texts above {n} %" for n in (1, 10, 50)}
    found = run.results()
    yield from in_columns(
        [
            ["runs of 8 words in the training text", "samples", "held-out text"],
            *([says, *(_in_percent(found[f"{kind}/{name}"]) for kind in KINDS)] for name, says in lines.items()),
            ["texts", *(str(found[f"{kind}/texts"]["value"]) for kind in KINDS)],
            ["longest run, words", *(str(found[f"{kind}/longest"]["value"] or "<8") for kind in KINDS)],
        ]
    )
    first = {row["kind"]: row for row in reversed(run.read_table("longest"))}
    for kind in (kind for kind in KINDS if kind in first):
        row = first[kind]
        yield from ["", f"{kind.replace('_', '-')} {row['id']}: {row['words']} words"]
        yield f"  in {row['document']} at byte {row['offset']}"
        yield f"  {' '.join(row['item_match'].split())}"
    yield from ["", str(run.path)]


def _in_percent(entry: dict[str, Any]) -> str:
    value, stderr = entry["value"], entry.get("stderr")
    spread = f" ± {100 * stderr:.1f}" if stderr is not None else ""
    return "-" if value is None else f"{100 * value:.1f}{spread} %"
