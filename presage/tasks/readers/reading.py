"""Passages with questions (CoQA, SQuAD 2.0) and questions without any (Natural Questions, TriviaQA, WebQuestions)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from presage.core.errors import DataError
from presage.tasks.readers.rows import Row, json_rows, rows_in
from presage.tasks.task import Example

NO_ANSWER = "N/A"
"""What counts as saying that the passage does not answer (SQuAD 2.0). Our choice: no paper names the text."""


# ---- CoQA ------------------------------------------------------------------------------------------------------------


def coqa(paths: Sequence[Path]) -> list[Example]:
    """CoQA's own JSON: {"data": [{id, story, questions, answers, additional_answers}]}. One example a turn.

    The fields are the story, the turn's question and the turns before it, with the answers that were given there, not
    the model's own.
    """
    return [example for path in paths for row in json_rows(path, "data") for example in _turns(path, row)]


def _turns(path: Path, row: Row) -> Iterator[Example]:
    name, story = row.text("id"), row.text("story")
    asked = [one.text("input_text") for one in rows_in(path, row.of(list, "questions"), f"{name}: question ")]
    answered = [_answers(path, f"{name}: answer ", row.value.get("answers"))]
    more = row.value.get("additional_answers", {})
    if not isinstance(more, dict):
        raise DataError("'additional_answers' is not a table", where=row.where)
    answered += [_answers(path, f"{name}: answer ", some) for some in more.values()]
    if any(len(some) != len(asked) for some in answered):
        raise DataError(f"{len(asked)} questions, another number of answers", where=row.where)
    history: list[list[str]] = []
    for turn, question in enumerate(asked):
        targets = tuple(some[turn] for some in answered)
        fields = {"story": story, "question": question, "history": [list(one) for one in history]}
        yield Example(f"{name}/{turn + 1}", f"{story}\n\n{question}", targets=targets, group=name, fields=fields)
        history.append([question, targets[0]])


def _answers(path: Path, name: str, found: object) -> list[str]:
    return [one.of(str, "input_text") for one in rows_in(path, found, name)]


# ---- SQuAD 2.0 -------------------------------------------------------------------------------------------------------


def squad(paths: Sequence[Path]) -> list[Example]:
    """{"data": [{title, paragraphs: [{context, qas: [{id, question, answers, is_impossible}]}]}]}."""
    return [example for path in paths for row in json_rows(path, "data") for example in _article(path, row)]


def _article(path: Path, row: Row) -> Iterator[Example]:
    title = row.text("title").replace("_", " ")
    for paragraph in rows_in(path, row.of(list, "paragraphs"), f"{title}: paragraph "):
        context = paragraph.text("context")
        for asked in rows_in(path, paragraph.of(list, "qas"), f"{paragraph.id}: question "):
            answers = asked.of(list, "answers")
            texts = [one.of(str, "text") for one in rows_in(path, answers, f"{asked.id}: answer ")] if answers else []
            fields = {"title": title, "context": context, "question": asked.text("question")}
            targets = tuple(dict.fromkeys(texts)) or (NO_ANSWER, "")
            category = "answerable" if texts else "unanswerable"
            name = asked.text("id")
            text = f"{context}\n\n{fields['question']}"
            yield Example(name, text, targets=targets, group=paragraph.id, category=category, fields=fields)


# ---- closed book -----------------------------------------------------------------------------------------------------


def closed_book(paths: Sequence[Path]) -> list[Example]:
    """A question and everything that counts as its answer, in any of the forms in which the sets are published.

    Natural Questions {question, answer: [...]}, WebQuestions {utterance | question, targetValue "(list (description
    ...))" | answers}, TriviaQA {"Data": [{QuestionId, Question, Answer: {Value, Aliases}}]}; JSON lines or one
    document.
    """
    return [_closed(row) for path in paths for row in json_rows(path, "Data", "data")]


def _closed(row: Row) -> Example:
    question = row.text("question", "Question", "utterance", "questionText")
    name = next((row.name(key) for key in ("id", "QuestionId", "question_id") if key in row.value), row.id)
    return Example(name, question, targets=_aliases(row))


def _aliases(row: Row) -> tuple[str, ...]:
    if "targetValue" in row.value:
        return _descriptions(row)
    holder = next((row.value[key] for key in ("Answer", "answer") if isinstance(row.value.get(key), dict)), None)
    if holder is None:
        return tuple(dict.fromkeys(row.one_or_more("answer", "answers")))
    inner = Row(row.id, row.where, holder)
    value = inner.text("Value", "value")
    aliases = holder.get("Aliases", holder.get("aliases")) or []
    if not isinstance(aliases, list):
        raise DataError("'Aliases' is not a list", where=row.where)
    return tuple(dict.fromkeys([value, *(one for one in aliases if isinstance(one, str))]))


def _descriptions(row: Row) -> tuple[str, ...]:
    """WebQuestions: (list (description "Jazmyn Bieber") (description Jaxon))."""
    parts = row.text("targetValue").split("(description ")[1:]
    found = tuple(part.rstrip(") ").strip().strip('"') for part in parts)
    if not found:
        raise DataError("'targetValue' has no description", where=row.where)
    return found
