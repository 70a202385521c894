"""Who is meant, where occupations, groups and genders meet: Winogender, WinoBias, BBQ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.tasks.readers.rows import Row, json_lines, lines, some, table
from presage.tasks.readers.sources import Source, source, sources
from presage.tasks.task import Example

_PRONOUNS = {
    "male": ("he", "him", "his"),
    "female": ("she", "her", "hers"),
    "neutral": ("they", "them", "their", "theirs"),
}

# ---- Winogender -----------------------------------------------------------------------------------------------------


def winogender(paths: Sequence[Path]) -> list[Example]:
    """all_sentences.tsv {sentid, sentence}, sentid being OCCUPATION.PARTICIPANT.ANSWER.GENDER.txt; category: gender.

    Options are the two, the answer 0 the occupation. A group is the sentence in its three genders. With the table of
    occupations' statistics beside it, field `women` is the percentage of women in the occupation (BLS, 2015).
    """
    files = [source(path) for path in paths]
    women = {row.text("occupation"): row for file in files for row in _tabs(file, "stats")}
    rows = [row for file in files for row in _tabs(file, "sentences")]
    return some(paths, (_winogender(row, women) for row in rows))


def _tabs(file: Source, kind: str) -> Iterator[Row]:
    if kind in file.name:
        yield from table(file, delimiter="\t", quoted=False)


def _winogender(row: Row, women: dict[str, Row]) -> Example:
    parts = row.text("sentid").split(".")
    if len(parts) != 5 or parts[2] not in "01" or parts[3] not in _PRONOUNS:
        hint = "technician.customer.1.male.txt"
        raise DataError(f"{row.text('sentid')!r:.60} is no id of a sentence", where=f"{row.where}: sentid", hint=hint)
    occupation, participant, answer, gender = parts[:4]
    sentence = row.text("sentence").strip()
    pronoun = _pronoun(row, sentence, _PRONOUNS[gender])
    fields: dict[str, Any] = {"sentence": sentence, "pronoun": pronoun, "gender": gender}
    if occupation in women:
        fields["women"] = women[occupation].number("bls_pct_female")
    group = f"{occupation}.{participant}.{answer}"
    options = (occupation, participant)
    return Example(row.text("sentid"), sentence, options, int(answer), group=group, category=gender, fields=fields)


def _pronoun(row: Row, sentence: str, pronouns: Sequence[str]) -> str:
    found = re.search(rf"\b({'|'.join(pronouns)})\b", sentence, re.IGNORECASE)
    if found is None:
        raise DataError(f"none of {', '.join(pronouns)} in the sentence", where=row.where)
    return found[1].lower()


# ---- WinoBias -------------------------------------------------------------------------------------------------------

_ANY = (*_PRONOUNS["male"], *_PRONOUNS["female"], "himself", "herself")


def winobias(paths: Sequence[Path]) -> list[Example]:
    """{pro,anti}_stereotyped_type{1,2}: numbered sentences with [the one meant] and [pronoun]; and the occupations.

    Options are the two occupations in the order of the sentence; category is pro_type1 … anti_type2, and a group the
    sentence of one number and type, pro and anti.
    """
    files = [source(path) for path in paths]
    known = [row.value["line"].strip() for file in files if "occupations" in file.name for row in lines(file)]
    rows = [(file, row) for file in files if "stereotyped" in file.name for row in lines(file)]
    return some(paths, (_winobias(row, file.name, known) for file, row in rows))


def _winobias(row: Row, name: str, known: Sequence[str]) -> Example:
    number, _, text = row.value["line"].strip().partition(" ")
    marked = re.findall(r"\[([^\[\]]*)\]", text)
    sentence = re.sub(r"\b(the) the\b", r"\1", text.replace("[", "").replace("]", ""))
    places = {one: found.start() for one in known if (found := _word(one).search(sentence))}
    options = sorted(places, key=places.__getitem__)
    meant = [place for place, one in enumerate(options) if any(_word(one).search(text) for text in marked)]
    pronouns = [text.lower() for text in marked if text.lower() in _ANY]
    if not number.isdecimal() or len(options) != 2 or len(meant) != 1 or not pronouns:
        hint = "1 The janitor reprimanded [the accountant] because [he] made a mistake."
        raise DataError("not a sentence of two occupations, one marked, and a pronoun", where=row.where, hint=hint)
    side = "anti" if "anti" in name else "pro"
    kind = "type1" if "type1" in name else "type2"
    fields = {"sentence": sentence, "pronoun": pronouns[0]}
    category, group = f"{side}_{kind}", f"{kind}:{number}"
    return Example(f"{side}:{group}", sentence, tuple(options), meant[0], group=group, category=category, fields=fields)


def _word(word: str) -> re.Pattern[str]:
    return re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)


# ---- BBQ ------------------------------------------------------------------------------------------------------------


def bbq(paths: Sequence[Path]) -> list[Example]:
    """BBQ's files {context, question, ans0 to ans2, label, …} or an archive of them; category as they have it.

    Field `tells` is whether the context settles the question, `unknown` the option that says it cannot be known, and
    `biased` the one that follows the stereotype: the stereotyped group where the question is negative, the other one
    where it is not. A group is all that one template made.
    """
    files = (file for path in paths for file in sources(path, "*.jsonl"))
    return some(paths, (_bbq(row) for file in files for row in json_lines(file)))


def _bbq(row: Row) -> Example:
    context, question, category = row.text("context"), row.text("question"), row.text("category")
    options = tuple(row.text(f"ans{place}").strip() for place in range(3))
    told, stereotyped = row.get("answer_info"), row.get("additional_metadata")
    try:
        groups = [[str(name).lower() for name in told[f"ans{place}"]] for place in range(3)]
        names = {str(name).lower() for name in stereotyped["stereotyped_groups"]}
    except (TypeError, KeyError):
        raise DataError("no answer_info and stereotyped_groups", where=row.where) from None
    unknown = [place for place in range(3) if "unknown" in groups[place]]
    target = [place for place in range(3) if names & set(groups[place]) and place not in unknown]
    if len(unknown) != 1 or len(target) != 1:
        raise DataError(f"{len(unknown)} options unknown, {len(target)} stereotyped, not one each", where=row.where)
    other = ({0, 1, 2} - {unknown[0], target[0]}).pop()
    fields = {
        "context": context,
        "question": question,
        "tells": row.one_of("context_condition", ("ambig", "disambig")) == 1,
        "unknown": unknown[0],
        "biased": (target[0], other)[row.one_of("question_polarity", ("neg", "nonneg"))],
    }
    name, group = f"{category}:{row.get('example_id')}", f"{category}:{row.get('question_index')}"
    answer = row.one_of("label", (0, 1, 2))
    return Example(name, f"{context}\n{question}", options, answer, group=group, category=category, fields=fields)
