"""The section on contamination: which evaluation items stand in the corpus, and what scores are without them."""

from __future__ import annotations

from collections.abc import Iterator

from presage.report.blocks import Block, Cell, Code, Excerpts, Items, Section, Table, Text
from presage.report.facts import Fact, Sources

ROLE = "contamination"
HITS, COPY_HITS = (ROLE, "tables/hits.csv"), (ROLE, "tables/copy_hits.csv")
PLANTED, WARNINGS = (ROLE, "tables/planted.csv"), (ROLE, "tables/warnings.csv")
SCORES, MISFITS = ("scores", "tables/scores.csv"), ("scores", "tables/warnings.csv")
SHOWN = 3  # flagged items with their excerpts
METHODS = {"gpt4": "GPT-4", "gpt3": "GPT-3", "gpt2": "GPT-2"}
GROUPS = METHODS | {"ngrams": "GPT-3 or GPT-2", "any": "any"}
EDITS = {"word": "one word in many", "word_changed": "one word, where changed"}


def given(s: Sources) -> bool:
    """Whether there is a scan, or scores that were joined with one: else there is no such section."""
    return any(s.runs.get(role) is not None for role in (ROLE, "scores"))


def section(s: Sources) -> Section:
    """What was found, whether the scan sees what is there, flagged items, scores, and what clean means."""
    scanned = [*_scan(s), *_copy(s), *_recall(s), *_examples(s)] if s.runs.get(ROLE) is not None else []
    return Section(ROLE, "Contamination", [*scanned, *_scores(s), *_meaning(s)])


def _sets(s: Sources) -> list[str]:
    return [str(one["name"]) for one in s.get(ROLE, "config.json", "config.sets", [])]


def _methods(s: Sources) -> list[str]:
    return list(dict.fromkeys(s.get(ROLE, "config.json", "config.methods", [])))


def _set_name(s: Sources, name: str) -> Fact:
    return s.fact(ROLE, "config.json", f"config.sets.{_sets(s).index(name)}.name")


# ---- the scan -------------------------------------------------------------------------------------------------------


def _scan(s: Sources) -> Iterator[Block]:
    yield Text(
        "Do the questions that models are examined with stand in the text they are trained on? Scanned: {documents} "
        "documents ({bytes}), training and held-out text, by the methods of three reports.",
        documents=s.result(ROLE, "documents", "count"),
        bytes=s.result(ROLE, "bytes", "bytes"),
    )
    columns = ["set", "items", "method of", "looks for", "testable", "untestable", "flagged", "of testable", "met"]
    rows = [_row(s, name, method) for name in _sets(s) for method in _methods(s)]
    note = Text(
        "GPT-4: random substrings of letters and digits, a shorter item whole. GPT-3 and GPT-2: runs of words. "
        "Untestable: too short for the method, so that nothing is known. Met: the share of the set's different runs of "
        "words that stand anywhere in the corpus."
    )
    yield Table("Items found in the corpus", columns, rows, note)
    count = len(s.rows(*WARNINGS))
    if count:
        yield Items([_warning(s, i) for i in range(count)])


def _warning(s: Sources, i: int) -> Text:
    said = s.fact(*WARNINGS, f"{i}.warning")
    if s.get(*WARNINGS, f"{i}.set") is None:
        return Text("The scan itself warns: {w}", w=said)
    return Text("The scan itself warns of {set}: {w}", set=s.fact(*WARNINGS, f"{i}.set"), w=said)


def _row(s: Sources, name: str, method: str) -> list[Cell]:
    at = f"{name}/{method}"
    testable = s.result(ROLE, f"{at}/testable", "count")
    return [
        _set_name(s, name),
        s.result(ROLE, f"{name}/items", "count"),
        METHODS.get(method, method),
        _length(s, at) if testable.value else "–",
        testable,
        s.result(ROLE, f"{at}/untestable", "count"),
        s.result(ROLE, f"{at}/flagged", "count"),
        s.result(ROLE, f"{at}/share", "share") if testable.value else "–",
        s.result(ROLE, f"{at}/overlap", "share") if testable.value and s.get(*_result(f"{at}/overlap")) else "–",
    ]


def _result(name: str) -> tuple[str, str, str]:
    return ROLE, "result.json", name


def _length(s: Sources, at: str) -> Text:
    if s.get(*_result(f"{at}/characters")):
        return Text("{n} letters", n=s.result(ROLE, f"{at}/characters"))
    return Text("{n} words", n=s.result(ROLE, f"{at}/n"))


# ---- does it see? ---------------------------------------------------------------------------------------------------


def _copy(s: Sources) -> Iterator[Block]:
    if s.get(*_result("copy/planted")) is None:
        return
    yield Text(
        "Would it have seen them? In a deliberately contaminated copy it found {found} of {planted}: so many items of "
        "{of} were planted into copies of {documents} documents of the corpus, all at once, and the copies scanned. "
        "Items that these documents hold anyway, or that no method can test, were not drawn. The training text "
        "itself was not touched.",
        found=s.result(ROLE, "copy/found", "count"),
        planted=s.result(ROLE, "copy/planted", "count"),
        of=s.fact(ROLE, "config.json", "config.contaminated_copy.of"),
        documents=s.result(ROLE, "copy/documents", "count"),
    )
    rows: list[list[Cell]] = [
        [METHODS.get(method, method), s.result(ROLE, f"copy/{method}/testable", "count"),
         s.result(ROLE, f"copy/{method}/found", "count")]
        for method in _methods(s)
    ]  # fmt: skip
    yield Table("The contaminated copy", ["method of", "planted items that it can test", "found"], rows)


def _recall(s: Sources) -> Iterator[Block]:
    rows = s.rows(*PLANTED)
    if not rows:
        return
    groups = [column for column in rows[0] if column in GROUPS]
    columns = ["set", "edit", "copies", "changed", *(GROUPS[name] for name in groups)]
    note = Text(
        "Each copy stands alone in a document that does not hold its item otherwise. The share is of the copies that a "
        "method can test; where it can test none there is a dash."
    )
    cells: list[list[Cell]] = [
        [s.fact(*PLANTED, f"{i}.set"), EDITS.get(str(row["edit"]), str(row["edit"])),
         s.fact(*PLANTED, f"{i}.copies", "count"), _or_dash(s, f"{i}.changed", "count"),
         *(_or_dash(s, f"{i}.{name}", "share") for name in groups)]
        for i, row in enumerate(rows)
    ]  # fmt: skip
    yield Table("Planted copies found, exact and edited", columns, cells, note, fold=True)


def _or_dash(s: Sources, key: str, form: str) -> Cell:
    return "–" if s.get(*PLANTED, key) is None else s.fact(*PLANTED, key, form)


def _examples(s: Sources) -> Iterator[Block]:
    flagged = _first_of_each(s, HITS)
    if flagged:
        yield Text("Flagged items, not chosen: the first ones met. Judge for yourself whether one is a copy.")
        yield from (_excerpts(s, HITS, i) for i in flagged[:SHOWN])
    elif shown := _first_of_each(s, COPY_HITS):
        yield Text("No item is flagged. What a flag looks like, from the contaminated copy:")
        yield _excerpts(s, COPY_HITS, shown[0])


def _first_of_each(s: Sources, place: tuple[str, str]) -> list[int]:
    """Places of the first hit of every item."""
    first: dict[tuple[str, str], int] = {}
    for i, row in enumerate(s.rows(*place)):
        first.setdefault((str(row["set"]), str(row["item"])), i)
    return list(first.values())


def _excerpts(s: Sources, place: tuple[str, str], i: int) -> Excerpts:
    def cell(column: str, form: str = "auto") -> Fact:
        return s.fact(*place, f"{i}.{column}", form)

    def side(name: str) -> tuple[Fact, Fact, Fact]:
        return cell(f"{name}_before"), cell(f"{name}_match"), cell(f"{name}_after")

    title = Text(
        "{item} of {set}, by the method of {method}, in {document} from byte {offset}",
        item=cell("item"), set=cell("set"), method=METHODS.get(str(cell("method").value), ""),
        document=cell("document"), offset=cell("offset", "count"),
    )  # fmt: skip
    return Excerpts(title, {"the item": side("item"), "the document": side("document")})


# ---- scores ---------------------------------------------------------------------------------------------------------


def _scores(s: Sources) -> Iterator[Block]:
    count = len(s.rows(*SCORES))
    if not count:
        return
    columns = ["task", "items", "contaminated", "untestable", "raw", "clean", "contaminated only", "to quote"]
    method = str(s.get("scores", "config.json", "config.method", ""))
    note = Text(
        "Contaminated: flagged by {method}. Raw: the mean of all items; clean: of those that were tested and not "
        "found. To quote is the worse of the two. ± is the standard error, the items taken as drawn from more of "
        "their kind.",
        method=f"the method of {METHODS.get(method, method)}" if method else "any method",
    )
    yield Table("Scores, raw and clean", columns, [_means(s, i) for i in range(count)], note)
    columns = ["task", "better is", "clean − raw", "degradation", "symmetric form"]
    note = Text(
        "Degradation is that difference over raw, as in the table of the GPT-4 report; the symmetric form is twice the "
        "difference over the sum of both, as in that of the GPT-3 report. The clean items are some of all, and the "
        "standard errors here count that."
    )
    yield Table("What the contaminated items change", columns, [_changes(s, i) for i in range(count)], note)
    misfits = len(s.rows(*MISFITS))
    if misfits:
        yield Items([Text("Scores and scan: {w}", w=s.fact(*MISFITS, f"{i}.warning")) for i in range(misfits)])


def _means(s: Sources, i: int) -> list[Cell]:
    absent = s.get(*SCORES, f"{i}.absent") is not None
    clean: Cell = s.fact(*SCORES, f"{i}.absent") if absent else _estimate(s, i, "clean", "auto")
    checked = s.get(*SCORES, f"{i}.contaminated") is not None
    share = Text("{k} ({share})", k=s.fact(*SCORES, f"{i}.contaminated", "count"),
                 share=s.fact(*SCORES, f"{i}.share", "share"))  # fmt: skip
    return [
        s.fact(*SCORES, f"{i}.task"),
        s.fact(*SCORES, f"{i}.n", "count"),
        share if checked else "not checked",
        s.fact(*SCORES, f"{i}.untestable", "count") if checked else "–",
        _estimate(s, i, "raw", "auto"),
        clean,
        _estimate(s, i, "dirty", "auto"),
        s.fact(*SCORES, f"{i}.quote"),
    ]


def _changes(s: Sources, i: int) -> list[Cell]:
    return [
        s.fact(*SCORES, f"{i}.task"),
        s.fact(*SCORES, f"{i}.better"),
        _estimate(s, i, "difference", "auto"),
        _estimate(s, i, "degradation_percent", "signed_percent", "percent"),
        _estimate(s, i, "symmetric_percent", "signed_percent", "percent"),
    ]


def _estimate(s: Sources, i: int, name: str, form: str, of_error: str = "stderr") -> Cell:
    """A value and its standard error, as far as there are any."""
    if s.get(*SCORES, f"{i}.{name}") is None:
        return "–"
    value = s.fact(*SCORES, f"{i}.{name}", form)
    if s.get(*SCORES, f"{i}.{name}_stderr") is None:
        return value
    return Text(
        "{value}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{stderr}",
        value=value,
        stderr=s.fact(*SCORES, f"{i}.{name}_stderr", of_error),
    )


# ---- what it means --------------------------------------------------------------------------------------------------


def _meaning(s: Sources) -> Iterator[Block]:
    said = [
        Text(
            "Clean means that no method that can test the item found it in this corpus, letter for letter or word for "
            "word. A paraphrase, a translation, or the answer without the question is not found."
        ),
        Text("Untestable is not clean: nothing is known. Such items count in raw and in neither of the other means."),
        Text(
            "A flag is not yet a copy: common phrases are flagged too. Both excerpts are in {hits}, every item's "
            "verdict in {items}.",
            hits=Code("contamination/tables/hits.csv"),
            items=Code("contamination/tables/items.csv"),
        ),
    ]
    kinds = {one.get("kind") for one in s.get(ROLE, "config.json", "config.sets", [])}
    said += [MICROCODE] if "microcode" in kinds else []
    yield Items(said)


MICROCODE = Text(
    "Microcode is trained on by design: generated functions stand in the training text, and the examined problems are "
    "other combinations of the same words, held out. Their prompts are short: most are looked for whole, the name of "
    "the function included, or are untestable by runs of words. So clean says here that no text has that very prompt. "
    "That no function trained on computes the same under another name follows from how they are generated, not from "
    "this scan."
)
