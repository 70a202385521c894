"""`presage contamination`: which evaluation items stand in a corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from presage.cli import twin
from presage.cli.grammar import PLACE, AsJson, Flag, Quiet, Resume, Whole, app, be_quiet, dumps, emit, in_columns, warn
from presage.core.errors import CheckFailed, PresageError

SCORES = Group("What a score is worth", sort_key=5)
Several = Parameter(consume_multiple=True, negative="")
SHOWN = 10  # hits printed as text; --json has them all
WIDTH = 160  # characters of an excerpt shown


@app.command(group=SCORES)
def contamination(
    *,
    items: Annotated[tuple[Path, ...], Several],
    corpus: Annotated[tuple[Path, ...], Several] = (),
    retrain_clean: Path | None = None,
    method: Annotated[tuple[str, ...], Several] = (),
    plant: Whole = 0,
    copy: Whole = 0,
    seed: Whole = 0,
    fail: Flag = False,
    skip_unreadable: Flag = False,
    out: Annotated[Path | None, PLACE] = None,
    resume: Resume = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Tell which evaluation items stand in a corpus, by the methods of the GPT-4, GPT-3 and GPT-2 reports.

    Every item is flagged, clean or untestable (too short for every method: nothing is known about it). Each flag comes
    with the document, the byte where it begins and an excerpt of both sides: look at them, a shared phrase is no copy.
    `presage scores` puts scores beside what was found.

    With --retrain-clean it is asked what contamination was worth: a twin of a model is trained without the documents
    that hold items, and bits per byte (lower is better) of all, clean and flagged items under both are printed, with
    standard errors and the paired difference.

    Parameters
    ----------
    items
        The evaluation items: JSON lines with id and text, or a file of MMLU, ARC, TruthfulQA, GSM8K or HumanEval.
        Answers and choices are left out. Several files are sets of their own, looked for in one pass.
    corpus
        What the model was trained on: files, folders, globs or finished corpus runs; may be given several times.
    retrain_clean
        A finished pretrain run beside its shards and corpus, which is the one looked in: its twin has its config,
        seed, tokenizer and number of tokens. The same command goes on where it stopped.
    method
        gpt4 (three random substrings of 50 letters and digits), gpt3 (runs of 8 to 13 words), gpt2 (runs of 8 words);
        all of them unless some are named.
    plant
        Also plant copies of so many items into the corpus's documents, exact and lightly edited, and print how many
        are found.
    copy
        Also contaminate a copy of some of the corpus's documents with so many items of the first set, all at once, and
        scan it: the training text stays as it is. Needs --out, where the results are; --json has nothing of it.
    seed
        Draws the substrings and what is planted.
    fail
        Exit with 1 when any item is flagged.
    skip_unreadable
        Go on past files and lines of the corpus that cannot be read, and count them.
    out
        Also write a run directory, for `presage scores` and for a report; with --retrain-clean the folder for the run
        directories corpus, shards, twin and worth.
    """
    from presage.evaluate import scan
    from presage.evaluate.contamination import METHODS
    from presage.evaluate.sets import set_of

    be_quiet(quiet)
    if not items:
        raise PresageError("--items names no file", where="contamination", hint="give a file of evaluation items")
    methods = method or tuple(METHODS)
    if retrain_clean is not None:
        others = {"--corpus": corpus, "--plant": plant, "--copy": copy, "--skip-unreadable": skip_unreadable}
        one, folder = twin.check_combination(items, out, others)
        twin.retrain_clean(one, retrain_clean, folder, methods, seed, fail=fail, json=json)
        return
    if not corpus:
        raise PresageError("--corpus is missing", where="contamination", hint="or --retrain-clean, for a run's own")
    if out is None and (copy or resume):
        raise PresageError("--copy and --resume need --out", where="contamination", hint="name a run directory")
    sets = [set_of(path) for path in items]
    runs = [path for path in corpus if (path / "origin.json").is_file()]
    settings = {
        "sets": [one.model_dump() for one in sets],
        "corpus": runs,
        "files": [str(path) for path in corpus if path not in runs],
        "methods": methods,
        "plant": plant,
        "contaminated_copy": {"of": sets[0].name, "items": copy} if copy else None,
        "seed": seed,
        "skip_unreadable": skip_unreadable,
    }
    config = scan.Config.parse(settings, where="contamination")
    reports, results = _kept(config, out, resume) if out else (_looked(config), {})
    emit([dumps(reports if len(reports) > 1 else next(iter(reports.values())))] if json else _all(reports, results))
    flagged = [(one.label, reports[one.name]) for one in sets if reports[one.name]["flagged"]]
    if fail and flagged:
        where, report = flagged[0]
        raise CheckFailed(f"{report['flagged']} of {report['items']} items are in the corpus", where=where)


def _looked(config: Any) -> dict[str, dict[str, Any]]:
    """{set: report as plain data}."""
    from presage.evaluate.scan import looked

    found = looked(config)
    warn(f"{label}: {text}" if label else text for label, text in found.warnings)
    return {name: found.as_json(name) for name in found.reports}


def _kept(config: Any, out: Path, resume: bool) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    """The same from the run directory that the stage writes, and its results."""
    from presage.evaluate import scan

    run = scan.run(config, out, resume=resume)
    labels = {one.name: one.label for one in config.sets}
    rows = run.read_table("warnings")
    warn(f"{labels[row['set']]}: {row['warning']}" if row["set"] else row["warning"] for row in rows)
    return {one.name: run.read_json(f"artifacts/{one.name}.report.json") for one in config.sets}, run.results()


def _all(reports: dict[str, dict[str, Any]], results: dict[str, Any]) -> Iterator[str]:
    for number, (name, report) in enumerate(reports.items()):
        yield from [*([""] if number else []), *([name] if len(reports) > 1 else []), *_lines(report)]
    if "copy/planted" in results:
        found, planted = (results[f"copy/{name}"]["value"] for name in ("found", "planted"))
        yield from ["", f"contaminated copy: {found} of {planted} items found"]


def _lines(report: dict[str, Any]) -> Iterator[str]:
    size = f"{report['documents']:,} documents, {report['bytes'] / 1e6:,.1f} MB"
    clean = report["items"] - report["flagged"] - report["untestable"]
    yield (
        f"{report['items']} items: {report['flagged']} flagged, {clean} clean, {report['untestable']} untestable "
        f"(too short for every method); {size}"
    )
    yield ""
    yield from in_columns([["method", "testable", "flagged", "of testable", "n-grams met"], *_methods(report)])
    for title, table in _planted(report):
        yield from ["", title, *in_columns(table)]
    hits = report["hits"]
    for hit in hits[:SHOWN]:
        yield from ["", *_hit(hit)]
    if len(hits) > SHOWN:
        yield from ["", f"and {len(hits) - SHOWN} more: --json prints all"]


def _methods(report: dict[str, Any]) -> Iterator[list[str]]:
    for name, facts in report["methods"].items():
        testable, flagged = facts["testable"], facts["flagged"]
        met = f"{100 * facts['overlap']:.2f} % of {facts['n']}-grams" if "overlap" in facts else "-"
        yield [name, str(testable), str(flagged), _percent(flagged / testable if testable else None), met]


def _planted(report: dict[str, Any]) -> Iterator[tuple[str, list[list[str]]]]:
    if "planted_recall" in report:
        recall: dict[str, dict[str, float | None]] = report["planted_recall"]
        methods = list(next(iter(recall.values())))
        changed = report["planted"]["changed"]
        rows = [[edit, str(changed.get(edit, "")), *map(_percent, by.values())] for edit, by in recall.items()]
        title = f"found of {report['planted']['copies']} planted copies, among those that a method can test"
        yield title, [["edit", "changed", *methods], *rows]


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _hit(hit: dict[str, Any]) -> Iterator[str]:
    yield f"{hit['item']}  {hit['method']}  {hit['document']} at byte {hit['offset']}"
    yield f"  item      {_short(hit['item_excerpt'])}"
    yield f"  document  {_short(hit['document_excerpt'])}"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else line[:WIDTH] + "…"
