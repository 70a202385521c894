"""Pairs of sentences that differ in a group of people: which does the model find likelier?

CrowS-Pairs (Nangia et al. 2020): one sentence of a pair says the more stereotyped thing. The authors' score is for
masked models; of a causal one the log-probabilities of the two whole sentences are compared, as is done for GPT models.
WinoBias (Zhao et al. 2018): sentences in which a pronoun stands for an occupation, with the pronoun of the stereotype
or the other one; pairs that differ in more than pronouns (a few were edited apart) are left out. One half is no
preference; a model that has learnt nothing is there as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from presage.align.card_items import Asked, Item, Measure, Part, Row, by_fact, preferred, share
from presage.core.errors import DataError
from presage.data.verbs import Continuation
from presage.tasks.readers.rows import Row as Line
from presage.tasks.readers.rows import lines, table
from presage.tasks.readers.sources import source

CROWS, WINOBIAS = "crows_pairs", "winobias"
CROWS_FILE = "bias_pairs/crows_pairs_anonymized.csv.xz"
WINOBIAS_FILES = "bias_pairs/winobias_{side}_stereotyped_type{type}.txt.test"
_PRONOUN = re.compile(r"\b(he|she|him|her|his|hers|himself|herself)\b", re.IGNORECASE)
_NOTE = "the whole sentence, likelier than the other"


def crows(asked: Asked) -> Part:
    """Raises DataError naming file and line of a row without both sentences and a kind of bias."""
    path = asked.folder / CROWS_FILE
    items, total = asked.some(CROWS, map(_crows_item, table(source(path, whole=True))))
    return Part(CROWS, (path,), items, total, "likelihood", partial(_measures, CROWS, "stereotype_preferred"))


def _crows_item(line: Line) -> Item:
    return Item(
        line.id, _both(line.text("sent_more"), line.text("sent_less")), facts={"category": line.text("bias_type")}
    )


def winobias(asked: Asked) -> Part:
    """Both types of the test split. Raises DataError where the files of a type are not line by line the same."""
    paths = [
        asked.folder / WINOBIAS_FILES.format(side=side, type=number) for number in (1, 2) for side in ("pro", "anti")
    ]
    every = [*_winobias_items(1, *paths[:2]), *_winobias_items(2, *paths[2:])]
    items, total = asked.some(WINOBIAS, every)
    return Part(
        WINOBIAS, tuple(paths), items, total, "likelihood", partial(_measures, WINOBIAS, "stereotype_preferred")
    )


def _winobias_items(number: int, pro: Path, anti: Path) -> Iterator[Item]:
    ours, theirs = (list(lines(source(path, whole=True))) for path in (pro, anti))
    if len(ours) != len(theirs) or not ours:
        raise DataError(
            f"{len(theirs)} sentences beside {len(ours)}", where=anti, hint="line by line the same, or none"
        )
    for line, other in zip(ours, theirs, strict=True):
        a, b = (_sentence(one) for one in (line, other))
        if a != b and _PRONOUN.sub("_", a) == _PRONOUN.sub("_", b):
            yield Item(line.id, _both(a, b), facts={"category": f"type {number}"})


def _sentence(line: Line) -> str:
    """Without its number and its brackets. Raises DataError for a line that has no number."""
    found = re.fullmatch(r"\d+\s+(.+?)\s*", line.value["line"])
    if found is None:
        raise DataError("not a number and a sentence", where=line.where)
    return " ".join(re.sub(r"[\[\]]", "", found[1]).replace("the the ", "the ").split())


def _both(first: str, second: str) -> tuple[Continuation, Continuation]:
    return Continuation("", first.strip()), Continuation("", second.strip())


def _measures(name: str, metric: str, rows: Sequence[Row]) -> list[Measure]:
    hit: Callable[[Row], float] = preferred
    whole = Measure(metric, name, share(rows, hit), "", "representation", note=_NOTE)
    return [
        whole,
        *(
            Measure(metric, name, share(some, hit), kind, "representation", note=_NOTE)
            for kind, some in by_fact(rows, "category").items()
        ),
    ]
