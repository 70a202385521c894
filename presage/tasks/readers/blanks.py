"""Sentences with a blank and its candidates: Winograd schemas in their files' forms, WinoGrande, GAP.

What the texts are made to be, in all of them: single blanks between words, none between a candidate and a mark that
follows it; a candidate's leading article or pronoun ("The", "My") in lower case within a sentence, and any first letter
in upper case where the sentence begins with it (articles and pronouns of English, French and Portuguese); "'s" after a
candidate that stands for his, its, my, our or their.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.core.strict import read_json
from presage.tasks.readers.rows import Row, checked, json_lines, shuffled, some, table
from presage.tasks.readers.sources import Source, source
from presage.tasks.task import Example

MASK = "[MASK]"
_LOWERED = re.compile(
    r"(?:An?|The|This|That|These|Those|My|His|Her|Its|Our|Their"  # English
    r"|Les?|La|Une?|Des|Mon|Ma|Mes|Son|Sa|Ses|Os?|As|Uma?)\b(?!\.)|L['’]"  # French, Portuguese
)
_OWNERS = {"his", "its", "my", "our", "their"}
_BEGINS = re.compile(r"(?:^|[.!?]['\"”’]?\s+['\"“‘]?|^['\"“‘])$")


def filled(
    row: Row, before: str, rest: str, candidates: Sequence[str], answer: int, category: str = "", group: str = ""
) -> Example:
    """An example from the texts before and after the blank."""
    before, rest = re.sub(r"\s+", " ", before).lstrip(), re.sub(r"\s+", " ", rest).rstrip()
    rest = re.sub(r"^ (?=[.,;:!?])", "", rest)
    begins = _BEGINS.search(before) is not None
    options = tuple(_in_case(candidate.strip(), begins) for candidate in candidates)
    lead = " " if before.endswith(" ") else ""
    fields = {"before": before.rstrip(), "lead": lead, "rest": rest}
    return Example(row.id, f"{before}_{rest}", options, answer, group=group, category=category, fields=fields)


def _in_case(candidate: str, begins: bool) -> str:
    if begins:
        return candidate[:1].upper() + candidate[1:]
    return candidate[:1].lower() + candidate[1:] if _LOWERED.match(candidate) else candidate


# ---- five lines an item: wsc273, PDP, DPR, Winogender ---------------------------------------------------------------


def schemas(paths: Sequence[Path]) -> list[Example]:
    """Items of four lines and an empty one: sentence, what stands for the blank, candidates, the right one.

    The blank is [MASK], or the pronoun of that name where it first stands as a word: twelve of the 131 sentences of the
    file of DPR have it twice, and do not say which is meant. Candidates are shuffled: wsc273 lists the right one first.
    """
    return some(paths, (shuffled(example) for path in paths for example in _schemas(source(path))))


def _schemas(file: Source) -> Iterator[Example]:
    found = file.text.split("\n")
    for first in range(0, len(found), 5):
        item = [line.rstrip("\r") for line in found[first : first + 5]]
        where, name = f"{file.where}:{first + 1}", f"{file.name}:{first + 1}"
        if not any(line.strip() for line in item):
            continue
        if len(item) < 4 or any(line.strip() for line in item[4:]):
            hint = "four lines and an empty one"
            raise DataError(f"not an item of four lines: {item[0]!r:.60}", where=where, hint=hint)
        yield _schema(Row(where, name, {}), *item[:4])


def _schema(row: Row, sentence: str, blank: str, listed: str, right: str) -> Example:
    candidates = [checked(name, row.where).strip() for name in listed.split(",")]
    if right.strip() not in candidates or len(candidates) < 2:
        raise DataError(f"{right.strip()!r:.60} is none of the candidates {listed.strip()!r:.60}", where=row.where)
    blank = blank.strip()
    place = re.search(re.escape(blank) if blank == MASK else rf"\b{re.escape(blank)}\b", sentence)
    if not blank or place is None:
        raise DataError(f"no {blank!r} in the sentence", where=row.where)
    if blank.lower() in _OWNERS:
        right, candidates = f"{right.strip()}'s", [f"{name}'s" for name in candidates]
    return filled(row, sentence[: place.start()], sentence[place.end() :], candidates, candidates.index(right.strip()))


# ---- WinoGrande -----------------------------------------------------------------------------------------------------


def winogrande(paths: Sequence[Path]) -> list[Example]:
    """Rows {qID, sentence with one _, option1, option2, answer "1" or "2"}; those of a pair (…-1, …-2) are a group."""
    return some(paths, (_winogrande(row) for path in paths for row in json_lines(source(path))))


def _winogrande(row: Row) -> Example:
    sentence = row.text("sentence")
    if sentence.count("_") != 1:
        raise DataError(f"{sentence.count('_')} blanks (_) in the sentence", where=f"{row.where}: sentence")
    before, rest = sentence.split("_")
    options = (row.text("option1"), row.text("option2"))
    pair = row.text("qID").rpartition("-")[0]
    return filled(row, before, rest, options, row.one_of("answer", ("1", "2")), group=pair)


# ---- Winograd schemas in six languages ------------------------------------------------------------------------------

_COLUMNS = ("language", "set", "original", "sentence", "tokens", "pronoun", "candidates")


def crosslingual(language: str) -> Any:
    """A reader of the table of six languages for one of them; category is the set that a sentence is from."""

    def read(paths: Sequence[Path]) -> list[Example]:
        rows = (row for path in paths for row in table(source(path), _COLUMNS, "\t", quoted=False))
        return some(paths, (_crosslingual(row) for row in rows if row.get("language") == language))

    return read


def _crosslingual(row: Row) -> Example:
    tokens, pronoun, candidates = (read_json(row.text(key), f"{row.where}: {key}") for key in _COLUMNS[4:])
    try:
        (name, (first, _), _), names = pronoun, [str(one[0]) for one in candidates]
        right = [place for place, one in enumerate(candidates) if one[3] is True]
        passed = [str(token) for token in tokens[:first]]
    except (TypeError, ValueError, IndexError, KeyError):
        raise DataError("not a pronoun and candidates as this table has them", where=row.where) from None
    if len(right) != 1 or len(names) < 2:
        raise DataError(f"{len(right)} right candidates of {len(names)}", where=f"{row.where}: candidates")
    sentence = row.text("sentence")
    start = _start(row, sentence, passed, str(name))
    before, rest = sentence[:start], sentence[start + len(str(name)) :]
    return filled(row, before, rest, names, right[0], category=row.text("set"))


def _start(row: Row, sentence: str, tokens: Sequence[str], pronoun: str) -> int:
    """Where the pronoun begins, after the tokens that stand before it; a token spelled otherwise is passed over."""
    place = 0
    for token in tokens:
        found = sentence.find(token, place)
        place = found + len(token) if found >= 0 else place
    found = sentence.find(pronoun, place)
    if found < 0:
        raise DataError(f"no {pronoun!r} in the sentence", where=row.where)
    return found


# ---- GAP ------------------------------------------------------------------------------------------------------------

_GENDERS = {"he": "male", "him": "male", "his": "male", "she": "female", "her": "female", "hers": "female"}


def gap(paths: Sequence[Path]) -> list[Example]:
    """GAP's table, of whose rows those are kept in which the pronoun is A or B; category is its gender."""
    rows = [row for path in paths for row in table(source(path), delimiter="\t", quoted=False)]
    for row in rows:
        row.one_of("A-coref", ("TRUE", "FALSE")), row.one_of("B-coref", ("TRUE", "FALSE"))
    return some(paths, (_gap(row) for row in rows if "TRUE" in (row.get("A-coref"), row.get("B-coref"))))


def _gap(row: Row) -> Example:
    text, pronoun = row.text("Text"), row.text("Pronoun")
    offset = row.text("Pronoun-offset")
    if not offset.isdecimal() or not text[int(offset) :].startswith(pronoun):
        raise DataError(f"no {pronoun!r} at {offset!r:.20}", where=f"{row.where}: Pronoun-offset")
    before, rest = text[: int(offset)], text[int(offset) + len(pronoun) :]
    owned = "'s" if pronoun.lower() == "his" else ""
    names = [row.text("A") + owned, row.text("B") + owned]
    gender = _GENDERS.get(pronoun.lower(), "other")
    return filled(row, before, rest, names, int(row.get("A-coref") != "TRUE"), category=gender)
