"""What labels come to: `presage agreement`, `presage winrate`, `presage detect`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from presage.cli.contamination import Several
from presage.cli.grammar import AsJson, Flag, app, check_level, dumps, emit, in_columns, percent
from presage.cli.label import PEOPLE

if TYPE_CHECKING:
    from presage.align.detection import Against, Detection
    from presage.align.label_results import Agreement
    from presage.align.winrate import WinRate
    from presage.core.estimates import Estimate

NONE = "-"


@app.command(group=PEOPLE)
def agreement(
    first: Path,
    /,
    *more: Path,
    ignore_ties: Flag = False,
    json: AsJson = False,
) -> None:
    """Tell how far people who labelled the same things agree: plainly, by Cohen's kappa, by Krippendorff's alpha.

    On which of two completions of a prompt is better: first, second, or a tie; in all and by category. Intervals are of
    95% and over prompts, of alpha and kappa from 1,000 draws of whole prompts.

    Parameters
    ----------
    first
        A file of labels.
    more
        Further ones, as of other people.
    ignore_ties
        A tie counts as not seen.
    """
    from presage.align import label_results as results

    labels = results.read_labels(first, *more)
    whole = results.agreement(labels, ties=not ignore_ties)
    parts = results.agreement_by_category(labels, ties=not ignore_ties)
    if json:
        emit([dumps({"all": _agreed(whole), "categories": {name: _agreed(one) for name, one in parts.items()}})])
    else:
        emit(_agreement_lines(whole, parts))


def _agreed(found: Agreement) -> dict[str, Any]:
    return asdict(found) | {"kappas": [{"people": pair, **asdict(one)} for pair, one in found.kappas.items()]}


def _agreement_lines(whole: Agreement, parts: Mapping[str, Agreement]) -> Iterator[str]:
    yield f"{_count(whole.prompts, 'prompt')}, {_count(len(whole.people), 'person', 'people')}"
    yield ""
    rows = [["", "value", "95% interval", "n", "prompts"]]
    for name, found in {"": whole, **parts}.items():
        rows += [[name, "", "", "", ""]] if name else []
        rows += [[f"{'  ' * bool(name)}{what}", *_cells(one)] for what, one in _measures(found)]
    yield from (line.rstrip() for line in in_columns(rows))
    if not whole.plain.n:
        yield "nothing was labelled by two people"


def _measures(found: Agreement) -> Iterator[tuple[str, Estimate]]:
    yield "agreement", found.plain
    yield "alpha", found.alpha
    for (one, other), kappa in found.kappas.items():
        yield f"kappa of {one}, {other}", kappa
    if found.rating.n:
        yield "alpha of ratings", found.rating


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _cells(found: Estimate) -> list[str]:
    """Value, interval, how many they are from, in how many groups."""
    value = NONE if found.value is None else f"{found.value:.3f}"
    interval = NONE if found.lo is None or found.hi is None else f"{found.lo:.3f} to {found.hi:.3f}"
    return [value, interval, str(found.n), str(found.groups)]


@app.command(group=PEOPLE)
def winrate(first: Path, /, *more: Path, a: str, b: str, level: float = 0.95, json: AsJson = False) -> None:
    """Tell how often people who did not know which is which preferred one run's answers to another's.

    A tie is half a win for each. Intervals are clustered by prompt.

    Parameters
    ----------
    first
        A file of labels with sources, as `presage label` writes of what `presage pairs` made.
    more
        Further ones, as of other people.
    a
        The run whose rate it is, as sources have it.
    b
        The run that it is set against.
    level
        Of the intervals.
    """
    from presage.align import label_results as results

    check_level(level, "winrate")
    found = results.wins(results.read_labels(first, *more), a, b, level)
    if json:
        emit([dumps({"a": a, "b": b, "level": level} | asdict(found))])
        return
    rows = [[f"{a} against {b}", "win rate", f"{percent(level)} interval", "won", "tied", "lost", "prompts"]]
    rows += [["all", *_wins(found.rate)]]
    for title, parts in {"by person": found.people, "by category": found.categories}.items():
        rows += [[title, *[""] * (len(rows[0]) - 1)]] if parts else []
        rows += [[f"  {name}", *_wins(one)] for name, one in parts.items()]
    emit([*(line.rstrip() for line in in_columns(rows)), "", _first(found.rate)])


def _wins(found: WinRate) -> list[str]:
    value, interval, _, prompts = _cells(found.rate)
    return [value, interval, str(found.wins), str(found.ties), str(found.losses), prompts]


def _first(found: WinRate) -> str:
    value, interval, _, _ = _cells(found.first)
    return f"what was shown first won {value} ({interval}): 0.5 if place means nothing"


@app.command(group=PEOPLE)
def detect(
    first: Path,
    /,
    *more: Path,
    exclude: Annotated[tuple[str, ...], Several] = (),
    level: float = 0.95,
    json: AsJson = False,
) -> None:
    """Tell whether people could tell a model's texts from people's, as GPT-3's study of news articles does.

    A person's accuracy is what they got right of what they did not answer with "I don't know"; the study's is the mean
    over people, set beside that of people who were shown a bad model's texts by Student's t test.

    Parameters
    ----------
    first
        A file of answers, as `presage label --study` writes.
    more
        Further ones, as of other people.
    exclude
        Somebody whose answers do not count, who looked a text up, say.
    level
        Of the intervals.
    """
    from presage.align.label_study import read_answers, study

    check_level(level, "detect")
    found = study(read_answers(first, *more), exclude, level)
    if json:
        emit([dumps({"level": level} | asdict(found))])
        return
    groups = {name: one for name, one in {"model": found.model, "control": found.control}.items() if one.people}
    rows = [["", "accuracy", f"{percent(level)} interval", "right", "wrong", "unsure"]]
    for name, one in groups.items():
        rows += [[f"{name}, {_count(len(one.people), 'person', 'people')}", *_cells(one.accuracy)[:2], *_sums(one)]]
        rows += _people(one, level)
    emit([*in_columns(rows), *(_against(found.against, level) if len(groups) > 1 else ())])


def _sums(found: Detection) -> list[str]:
    return [str(sum(getattr(one, key) for one in found.people)) for key in ("right", "wrong", "unsure")]


def _people(found: Detection, level: float) -> list[list[str]]:
    """Each person's accuracy, with Wilson's interval over texts."""
    from presage.core.estimates import of_mean

    rows = []
    for one in found.people:
        own = of_mean([1.0] * one.right + [0.0] * one.wrong, level=level)
        rows.append([f"  {one.who}", *_cells(own)[:2], str(one.right), str(one.wrong), str(one.unsure)])
    return rows


def _against(found: Against, level: float) -> Iterator[str]:
    if found.difference is None:
        return
    spread = "" if found.lo is None else f" ({percent(level)}: {found.lo:.3f} to {found.hi:.3f})"
    test = (
        "too few people, or all alike, for a test"
        if found.t is None
        else f"t({found.df}) = {found.t:.2f}, p = {found.p:.2g}"
    )
    yield ""
    yield f"control less model: {found.difference:.3f}{spread}, {test}"
