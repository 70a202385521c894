"""The section on the examination: scores by task, raw, clean and contaminated, with errors. Only where it is given.

Calibration, code and score against compute have sections of their own: presage.report.{calibration,code,scaling}.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from presage.report import contamination
from presage.report.blocks import Block, Cell, Code, Items, Section, Table, Text
from presage.report.facts import Fact, Sources

ROLE = "examination"
TASKS, SHOWN = (ROLE, "tables/tasks.csv"), (ROLE, "tables/shown.csv")
CATEGORIES, WARNINGS = (ROLE, "tables/categories.csv"), (ROLE, "tables/warnings.csv")
NAMED = (("result.json", "model.value"), ("config.json", "config.model"))
"""Where a run says which model was examined; else its role stands for it."""
SKIPPED = (ROLE, "tables/skipped.csv")
ARITHMETIC = (ROLE, "tables/arithmetic.csv")
IN_DOCS = Text("see {page}", page=Code("docs/contamination.md"))
HEADLINE = 3  # tasks in the headline
SPACE = "\N{NO-BREAK SPACE}"
NONE = "–"
MARKS = {"lower": "↓", "nearer 0": "↔"}
"""Of metrics of which more is not better."""


def given(s: Sources) -> bool:
    """Whether a model was examined: else there is no such section."""
    return s.runs.get(ROLE) is not None


def section(s: Sources) -> Section:
    """Scores, other metrics and categories, and what they do not say."""
    blocks: list[Block] = [Text("Examined: {model}.", model=model(s))]
    if not likelihoods(s):
        blocks.append(
            Text(
                "Asked by generation: the model gives no log-probabilities, so it wrote its answers, which were read. "
                "Tasks that need likelihoods were not asked, and there is no calibration. Such scores are not those "
                "of a model that is asked for its likeliest option."
            )
        )
    blocks += [
        _scores(s),
        *_others(s),
        *_categories(s),
        *_arithmetic(s),
        *warnings(s, WARNINGS),
        *_unasked(s),
        _limits(s),
    ]
    return Section(ROLE, "Examination", blocks)


def headline(s: Sources) -> Text:
    """One sentence: the model and its first scores."""
    rows = first_metrics(s)[:HEADLINE]
    told = [
        Text(
            "{task} {value} ({metric})",
            task=s.fact(*TASKS, f"{i}.task"),
            metric=s.fact(*TASKS, f"{i}.metric"),
            value=score(s, i),
        )
        for i in rows
    ]
    scores = {f"score{number}": one for number, one in enumerate(told)}
    slots = ", ".join(f"{{{name}}}" for name in scores)
    return Text(f"{{model}} was examined: {slots}." if told else "{model} was examined.", model=model(s), **scores)


def model(s: Sources, role: str = ROLE) -> Cell:
    """The examined model's name, from where its run says it."""
    for file, key in NAMED:
        if isinstance(s.get(role, file, key), str):
            return s.fact(role, file, key)
    return role.replace("_", " ")


def likelihoods(s: Sources) -> bool:
    """False where the run says that the model only generates."""
    return s.get(ROLE, "result.json", "has_likelihood.value") is not False


def first_metrics(s: Sources) -> list[int]:
    """Places in the table of tasks of each task's first metric: the one to quote."""
    first: dict[str, int] = {}
    for i, row in enumerate(s.rows(*TASKS)):
        first.setdefault(str(row["task"]), i)
    return list(first.values())


def estimate(s: Sources, place: tuple[str, str], value: str, stderr: str = "", form: str = "auto") -> Cell:
    """A value and its standard error, as far as there is one above zero; `value` and `stderr` are keys."""
    if s.get(*place, value) is None:
        return NONE
    shown = s.fact(*place, value, form)
    if not stderr or not s.get(*place, stderr):  # examples that came out alike do not make a score certain
        return shown
    of_error = "stderr" if form == "auto" else form.removeprefix("signed_")
    return Text("{v}" + f"{SPACE}±{SPACE}" + "{e}", v=shown, e=s.fact(*place, stderr, of_error))


def finite(value: object) -> bool:
    """Whether a cell of a table is a number that can be drawn."""
    return isinstance(value, int | float) and math.isfinite(value)


def score(s: Sources, i: int) -> Cell:
    """The value in a row of the table of tasks with its error; where all came out alike, with the interval's end."""
    shown, value = estimate(s, TASKS, f"{i}.value", f"{i}.stderr"), s.get(*TASKS, f"{i}.value")
    words, end = ("at most", "hi") if value == 0 else ("at least", "lo")
    bounded = s.get(*TASKS, f"{i}.stderr") == 0 and value in (0, 1) and s.get(*TASKS, f"{i}.{end}") is not None
    return Text(f"{{v}} ({words} {{e}})", v=shown, e=s.fact(*TASKS, f"{i}.{end}")) if bounded else shown


def _unasked(s: Sources) -> Iterator[Block]:
    """Tasks that were skipped, by the reason; reasons with one remedy, which they end with, stand together."""
    by: dict[str, list[int]] = {}
    for i, row in enumerate(s.rows(*SKIPPED)):
        by.setdefault(str(row["reason"]), []).append(i)
    rows: list[list[Cell]] = [
        [_listed([s.fact(*SKIPPED, f"{i}.task") for i in places]), s.fact(*SKIPPED, f"{places[0]}.reason")]
        for _, places in sorted(by.items(), key=lambda one: one[0].rpartition("(")[2])
    ]
    if rows:
        yield Table("Not asked, and why", ["tasks", "reason"], rows, fold=True)


def _listed(facts: list[Fact]) -> Text:
    slots = ", ".join(f"{{f{number}}}" for number in range(len(facts)))
    return Text(slots, **{f"f{number}": fact for number, fact in enumerate(facts)})


def warnings(s: Sources, place: tuple[str, str]) -> Iterator[Block]:
    """What an examination itself warns of."""
    count = len(s.rows(*place))
    if count:
        yield Items([Text("The examination itself warns: {w}", w=s.fact(*place, f"{i}.warning")) for i in range(count)])


def counts(s: Sources, place: tuple[str, str], i: int) -> Text:
    """Answers that could not be read and prompts that were cut, of a row of tasks; the judge's where some were."""

    def count(name: str) -> Cell:
        known = s.get(*place, f"{i}.{name}") is not None
        return s.fact(*place, f"{i}.{name}", "count") if known else NONE

    judge = Text("; of the judge {n}", n=count("judge_truncated")) if s.get(*place, f"{i}.judge_truncated") else ""
    return Text("{invalid}, {cut}{judge}", invalid=count("invalid"), cut=count("truncated"), judge=judge)


# ---- tables ---------------------------------------------------------------------------------------------------------


def _scores(s: Sources) -> Table:
    shown = {str(row["task"]): i for i, row in enumerate(s.rows(*SHOWN))}
    rows = [_row(s, i, shown.get(str(s.get(*TASKS, f"{i}.task")))) for i in first_metrics(s)]
    columns = ["task", "shots", "metric", "n", "raw", "clean", "contaminated", "change", "invalid, cut"]
    return Table("Scores", columns, rows, SCORES_NOTE)


SCORES_NOTE = Text(
    "± is a standard error, over groups where examples share a passage; where all examples came out alike there is "
    "none, and the end of the interval stands in its place. Raw: all examples; clean: those that were looked for in "
    "the training text and not found; contaminated: those found, so many. Change: clean minus raw over raw, the "
    "degradation in the tables of the GPT-4 report. Invalid answers could not be read and count as wrong; cut "
    "prompts, ours and the judge’s, were too long for the context and lost their beginning. ↓: lower is better; ↔: "
    "nearer zero is."
)


def _row(s: Sources, i: int, shown: int | None) -> list[Cell]:
    def cell(column: str, form: str = "auto") -> Fact:
        return s.fact(*TASKS, f"{i}.{column}", form)

    mark = MARKS.get(str(cell("better").value))
    quoted = Text(f"{{m}}{SPACE}{mark}", m=cell("metric")) if mark else cell("metric")
    raw = score(s, i)
    return [cell("task"), cell("shots"), quoted, cell("n", "count"), raw, *_checked(s, shown), counts(s, TASKS, i)]


def _checked(s: Sources, i: int | None) -> list[Cell]:
    """Clean, contaminated and degradation."""
    if i is None or s.get(*SHOWN, f"{i}.contaminated") is None:
        return ["not checked", NONE, NONE]
    dirty, count = estimate(s, SHOWN, f"{i}.dirty", f"{i}.dirty_stderr"), s.fact(*SHOWN, f"{i}.contaminated", "count")
    return [
        estimate(s, SHOWN, f"{i}.clean", f"{i}.clean_stderr"),
        untestable_beside(s, SHOWN, i, Text("{dirty} ({count})", dirty=dirty if count.value else "none", count=count)),
        estimate(s, SHOWN, f"{i}.degradation_percent", form="signed_percent"),
    ]


def untestable_beside(s: Sources, place: tuple[str, str], i: int, cell: Cell) -> Cell:
    """The cell of what was found, and after it how many examples could not be looked for, if any."""
    if not s.get(*place, f"{i}.untestable"):
        return cell
    return Text("{cell}; {n} not testable", cell=cell, n=s.fact(*place, f"{i}.untestable", "count"))


def _others(s: Sources) -> Iterator[Block]:
    """Every metric with its interval."""
    rows: list[list[Cell]] = [
        [s.fact(*TASKS, f"{i}.task"), s.fact(*TASKS, f"{i}.metric"), s.fact(*TASKS, f"{i}.better"),
         estimate(s, TASKS, f"{i}.value", f"{i}.stderr"), _ends(s, TASKS, i), s.fact(*TASKS, f"{i}.method"),
         s.fact(*TASKS, f"{i}.version", "whole")]
        for i in range(len(s.rows(*TASKS)))
    ]  # fmt: skip
    columns = ["task", "metric", "better is", "value", "interval", "asked by", "version"]
    if rows:
        yield Table("Every metric", columns, rows, fold=True)


def _ends(s: Sources, place: tuple[str, str], i: int) -> Cell:
    if s.get(*place, f"{i}.lo") is None or s.get(*place, f"{i}.hi") is None:
        return NONE
    return Text("{lo} to {hi}", lo=s.fact(*place, f"{i}.lo"), hi=s.fact(*place, f"{i}.hi"))


def _categories(s: Sources) -> Iterator[Block]:
    rows: list[list[Cell]] = [
        [s.fact(*CATEGORIES, f"{i}.task"), s.fact(*CATEGORIES, f"{i}.category"), s.fact(*CATEGORIES, f"{i}.metric"),
         s.fact(*CATEGORIES, f"{i}.n", "count"), estimate(s, CATEGORIES, f"{i}.value", f"{i}.stderr"),
         _ends(s, CATEGORIES, i), counts(s, CATEGORIES, i)]
        for i in range(len(s.rows(*CATEGORIES)))
    ]  # fmt: skip
    if rows:
        columns = ["task", "category", "metric", "n", "value", "interval", "invalid, cut"]
        yield Table("By category", columns, rows, fold=True)


def _arithmetic(s: Sources) -> Iterator[Block]:
    counts = ("problems", "signs", "words", "either")
    rows: list[list[Cell]] = [
        [s.fact(*ARITHMETIC, f"{i}.task"), *(s.fact(*ARITHMETIC, f"{i}.{name}", "count") for name in counts)]
        for i in range(len(s.rows(*ARITHMETIC)))
    ]
    note = Text(
        "Of the sums and differences asked, those that stand in the training text, as the GPT-3 report counted."
    )
    if rows:
        columns = ["task", "problems", "as a + b =", "as a plus b", "either way"]
        yield Table("Arithmetic in the training text", columns, rows, note)


def _limits(s: Sources) -> Items:
    return Items(
        [
            Text(
                "The error says how far other examples of this kind would move a score. It does not say what another "
                "prompt, other shots or another way to ask would; compare only what was asked alike."
            ),
            Text(
                "Clean means not found by letters or by runs of words; {where} for what that misses. Every prompt and "
                "answer is in {samples}; `presage eval --compare` sets two models side by side, example by example.",
                where="see the section on contamination" if contamination.given(s) else IN_DOCS,
                samples=Code("examination/samples.jsonl"),
            ),
        ]
    )
