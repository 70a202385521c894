"""Pairs of sentences of which one counts, and single sentences: BLiMP, CrowS-Pairs, CoLA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from presage.tasks.readers.rows import Row, json_lines, some, table
from presage.tasks.readers.sources import source, sources
from presage.tasks.task import Example


def blimp(paths: Sequence[Path]) -> list[Example]:
    """BLiMP.zip or its files {sentence_good, sentence_bad, UID, field, pairID}; category is the paradigm (UID)."""
    files = (file for path in paths for file in sources(path, "*.jsonl"))
    return some(paths, (_blimp(row) for file in files for row in json_lines(file)))


def _blimp(row: Row) -> Example:
    good, bad, paradigm = row.text("sentence_good"), row.text("sentence_bad"), row.text("UID")
    fields = {"field": row.text("field"), "term": row.text("linguistics_term")}
    name = f"{paradigm}:{row.get('pairID')}"
    return Example(name, f"{good}\n{bad}", (good, bad), 0, category=paradigm, fields=fields)


def crows(paths: Sequence[Path]) -> list[Example]:
    """CrowS-Pairs' table: the sentence that is more stereotyping first; category is the type of bias."""
    return some(paths, (_crows(row) for path in paths for row in table(source(path))))


def _crows(row: Row) -> Example:
    more, less = row.text("sent_more"), row.text("sent_less")
    direction = ("stereo", "antistereo")[row.one_of("stereo_antistereo", ("stereo", "antistereo"))]
    fields = {"direction": direction}
    return Example(row.id, f"{more}\n{less}", (more, less), 0, category=row.text("bias_type"), fields=fields)


_COLA = ("source", "acceptable", "mark", "sentence")


def cola(split: str) -> Callable[[Sequence[Path]], list[Example]]:
    """A reader of one of CoLA's tables, from the archive or beside it: source, 1 or 0, the author's mark, sentence."""

    def read(paths: Sequence[Path]) -> list[Example]:
        files = (file for path in paths for file in sources(path, f"*raw/{split}.tsv"))
        return some(paths, (_cola(row) for file in files for row in table(file, _COLA, "\t", quoted=False)))

    return read


def _cola(row: Row) -> Example:
    sentence = row.text("sentence").strip()
    answer = row.one_of("acceptable", "01")
    options, fields = ("unacceptable", "acceptable"), {"sentence": sentence}
    return Example(row.id, sentence, options, answer, category=row.text("source"), fields=fields)
