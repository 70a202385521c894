"""Does a score survive variants that mean the same? A gap that is larger on contaminated items is a sign of memory.

Text kinds are scored by bits per byte of the item's text; `options` by bits per byte of the right option's text after
the question with its options (presage.evaluate.variants.question), and by accuracy: the option of the fewest bits per
byte is the model's answer. A gap is the variant's score minus the original's, item by item: above 0, the variant is
harder. Any model finds typing errors harder; what tells is the difference between flagged and clean items.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import DataError, did_you_mean
from presage.data.items import Item
from presage.evaluate.likelihood import Judge
from presage.evaluate.paired import Mean, mean, paired
from presage.evaluate.variants import KINDS, question, variant
from presage.evaluate.worth import states

GROUPS = ("all", "flagged", "clean", "untestable")


@dataclass(frozen=True)
class Score:
    """Of one item: bits per byte, and for `options` whether the model's answer is right."""

    bpb: float
    right: bool | None = None


@dataclass(frozen=True)
class Changed:
    """An item that a kind changes, with both scores. `state` is empty without a contamination report."""

    item: str
    kind: str
    state: str
    text: str
    original: Score
    variant: Score


@dataclass(frozen=True)
class Gap:
    """Over the changed items of one kind and group. Bits per byte; accuracies are shares, of `options` only."""

    items: int
    original: Mean
    variant: Mean
    gap: Mean
    accuracy: tuple[Mean, Mean, Mean] | None
    """Before, after, and paired difference."""


def measure(
    judge: Judge, items: Sequence[Item], kinds: Sequence[str], seed: int = 0, state: dict[str, str] | None = None
) -> list[Changed]:
    """Both scores of every item that each kind changes. `state` is what `states_of` read from a report.

    Raises DataError for an unknown kind.
    """
    unknown = next((kind for kind in kinds if kind not in KINDS), None)
    if unknown is not None:
        raise DataError(f"no kind '{unknown}'", hint=did_you_mean(unknown, KINDS))
    found: list[Changed] = []
    for kind in dict.fromkeys(kinds):
        pairs = [(item, other) for item in items if (other := variant(kind, item, seed)) != item]
        scores = SCORES.get(kind, _texts)(judge, [item for pair in pairs for item in pair])
        found += [
            Changed(item.id, kind, "" if state is None else state.get(item.id, "clean"), shown(kind, other), *both)
            for (item, other), *both in zip(pairs, scores[::2], scores[1::2], strict=True)
        ]
    return found


def shown(kind: str, item: Item) -> str:
    """What the model is given of a variant."""
    return question(item) if kind in SCORES else item.text


def _texts(judge: Judge, items: Sequence[Item]) -> list[Score]:
    return [Score(bpb) for bpb in judge.bits_per_byte([item.text for item in items])]


def _right_options(judge: Judge, items: Sequence[Item]) -> list[Score]:
    bits = iter(judge.continuations([(question(item), f" {option}") for item in items for option in item.options]))
    found = []
    for item in items:
        each = [next(bits) for _ in item.options]
        assert item.answer is not None  # such an item has no variant
        found.append(Score(each[item.answer], each.index(min(each)) == item.answer))
    return found


SCORES: dict[str, Callable[[Judge, Sequence[Item]], list[Score]]] = {"options": _right_options}
"""Kinds that are not scored by the item's text."""


# ---- gaps -----------------------------------------------------------------------------------------------------------


def gaps(changed: Sequence[Changed]) -> dict[str, Gap]:
    """{group: gap} for items of one kind: all of them, and with a report those of each state."""
    groups = {group: [one for one in changed if group in ("all", one.state)] for group in GROUPS}
    return {group: _gap(some) for group, some in groups.items() if some or group == "all"}


def excess(by_group: dict[str, Gap]) -> Mean | None:
    """The gap of flagged items minus that of clean ones; None where either has no items."""
    both = [by_group[group].gap for group in ("flagged", "clean") if group in by_group]
    return both[0].minus(both[1]) if len(both) == 2 else None


def _gap(some: Sequence[Changed]) -> Gap:
    before, after = [one.original.bpb for one in some], [one.variant.bpb for one in some]
    return Gap(len(some), mean(before), mean(after), paired(before, after), _accuracy(some))


def _accuracy(some: Sequence[Changed]) -> tuple[Mean, Mean, Mean] | None:
    before = [float(one.original.right) for one in some if one.original.right is not None]
    after = [float(one.variant.right) for one in some if one.variant.right is not None]
    return (mean(before), mean(after), paired(before, after)) if before else None


def as_json(changed: Sequence[Changed], kinds: Sequence[str]) -> dict[str, Any]:
    """{"kinds": {kind: {"groups": gaps by group, "excess": flagged minus clean}}, "items": every changed item}."""
    return {"kinds": dict(_kinds(changed, kinds)), "items": [asdict(one) for one in changed]}


def _kinds(changed: Sequence[Changed], kinds: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in dict.fromkeys(kinds):
        found = gaps([one for one in changed if one.kind == kind])
        more = excess(found)
        groups = {group: asdict(gap) for group, gap in found.items()}
        yield kind, {"groups": groups, "excess": None if more is None else asdict(more)}


def states_of(report: Path, items: Sequence[Item]) -> dict[str, str]:
    """{item: state} of a file that `presage contamination --json` wrote; items that it does not name are clean.

    Raises DataError when it is no such report, or one on other items.
    """
    try:
        found = json.loads(report.read_text(encoding="utf-8"))
        state, count = states(found), int(found["items"])
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=report) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        hint = "what presage contamination --json prints for one set, or RUN/artifacts/SET.report.json"
        raise DataError("not a contamination report", where=report, hint=hint) from None
    stranger = next(iter(state.keys() - {item.id for item in items}), None)
    if stranger is not None or count != len(items):
        said = f"it has {count} items" if stranger is None else f"it names '{stranger}'"
        raise DataError(f"a report on other items: {said}", where=report)
    return state
