"""A question about images, with its answer: what generators draw and readers of real sets give, as JSON lines.

The line is a demonstration in OpenAI's form that training reads, with what examining needs beside it:

    {"id", "messages": [{"role": "user", "content": [parts]}, {"role": "assistant", "content": "…"}],
     "answer", "metric", "steps", "options", "answers", "scale", "category", "group", "forms": {"text": [parts], …}}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from presage.core.errors import DataError
from presage.core.files import write_rows
from presage.core.strict import half_surrogate
from presage.data.documents import json_lines
from presage.data.images.parts import Mixed, Picture, read_content, written
from presage.data.images.reading import read_image

Metric = Literal["exact", "within", "choice", "vqa"]
METRICS: tuple[Metric, ...] = get_args(Metric)
ANSWER_IS = "The answer is"
"""What stands between steps and the answer."""


class Turn(NamedTuple):
    """What else is asked about the same images, and its answer; steps as a question's, from what was said before.

    A file has one text of the two: read again, steps are part of the answer.
    """

    asked: str
    answer: str
    steps: str = ""


@dataclass(frozen=True)
class Question:
    """One question.

    prompt: text and images as they are asked. answer: the text that is right; answers: others that are, too, or for vqa
    those of the annotators. metric: exact (the text), within (a number, off by at most 5 % of `scale`), choice (among
    `options`), vqa (VQAv2's accuracy). steps: how to come to the answer, in words (chain of thought).
    forms: the same question in other forms: "text", all that the image shows in words; "interleaved", some of it.
    category: for breakdowns; group: questions that share an image or the like. more: what else could be asked about the
    same images, with the answers: further turns to learn from, never examined.
    """

    id: str
    prompt: Mixed
    answer: str
    metric: Metric = "exact"
    steps: str = ""
    options: tuple[str, ...] = ()
    answers: tuple[str, ...] = ()
    scale: float | None = None
    category: str = ""
    group: str = ""
    forms: Mapping[str, Mixed] = field(default_factory=dict)
    more: tuple[Turn, ...] = ()

    def said(self, *, steps: bool = False) -> str:
        """What the assistant is to say: the answer, or how it is come by and then the answer."""
        return _said(self.answer, self.steps, steps)

    def apart(self, most: int | None = None) -> list[Question]:
        """Itself and what else there is to learn from its images (the last `most`), each a question of its own: where
        a context has no room for all of them as turns."""
        seen = tuple(part for part in self.prompt if isinstance(part, Picture))
        further = self.more[len(self.more) - min(len(self.more), most or len(self.more)) :]
        others = [
            Question(f"{self.id}/{number}", (*seen, turn.asked), turn.answer, group=self.group or self.id)
            for number, turn in enumerate(further, 1)
        ]
        return [replace(self, more=()), *others]

    def in_form(self, form: str) -> Mixed:
        """The prompt in a form: "image" as it is, or one of `forms`. Raises DataError where there is none."""
        if form == "image":
            return self.prompt
        if form not in self.forms:
            raise DataError(f"no form '{form}'", where=self.id, hint=f"has {', '.join(['image', *self.forms])}")
        return self.forms[form]


def _said(answer: str, how: str, steps: bool) -> str:
    return f"{how} {ANSWER_IS} {answer}." if steps and how else answer


def write_questions(
    path: Path, questions: Iterable[Question], *, form: str = "image", steps: bool = False, more: bool = False
) -> int:
    """One line each, in a file that appears when it is whole; returns how many. form, steps, more: of the messages."""
    return write_rows(path, (_row(question, form, steps, more) for question in questions))


def read_questions(path: Path) -> Iterator[Question]:
    """The questions of a file. Raises DataError naming the line of the first fault, a damaged image among them."""
    for where, row in json_lines(path, MOST_BYTES):
        yield _question(row, where, path)


MOST_BYTES = 8 << 30
MOST_SCALE = 1e300
FORMS = frozenset(["text", "interleaved"])
FEWEST_ANSWERS = 2
"""Of annotators, for any to count."""


def _row(question: Question, form: str, steps: bool, more: bool) -> dict[str, Any]:
    messages = [
        {"role": "user", "content": written(question.in_form(form))},
        {"role": "assistant", "content": question.said(steps=steps)},
    ]
    for turn in question.more if more else ():
        said = _said(turn.answer, turn.steps, steps)
        messages += [{"role": "user", "content": turn.asked}, {"role": "assistant", "content": said}]
    row: dict[str, Any] = {"id": question.id, "messages": messages, "answer": question.answer}
    row["metric"] = question.metric
    further = {
        "steps": question.steps,
        "options": list(question.options),
        "answers": list(question.answers),
        "scale": question.scale,
        "category": question.category,
        "group": question.group,
        "forms": {name: written(parts) for name, parts in question.forms.items()},
    }
    return row | {name: value for name, value in further.items() if value}


def _question(row: Any, where: str, path: Path) -> Question:
    if not isinstance(row, dict):
        raise DataError(f"a JSON {type(row).__name__}, not an object", where=where)
    messages = row.get("messages")
    if not isinstance(messages, list) or len(messages) < 2 or not _take_turns(messages):
        raise DataError("a question has messages of the user and the assistant in turn", where=where)
    prompt = _whole(messages[0].get("content"), where, path.parent)
    forms = row.get("forms", {})
    if not isinstance(forms, dict):
        raise DataError("'forms' is not an object", where=where)
    unknown = sorted(forms.keys() - FORMS)
    if unknown:
        raise DataError(f"no form {unknown[0][:40]!a}", where=where, hint=f"known: {', '.join(sorted(FORMS))}")
    metric = row.get("metric", "exact")
    if metric not in METRICS:
        raise DataError(f"no metric {metric!r:.40}", where=where, hint=f"known: {', '.join(METRICS)}")
    answer = row.get("answer", messages[1].get("content"))
    answers, scale = _texts(row.get("answers", []), "answers", where), _number(row.get("scale"), "scale", where)
    if metric == "vqa" and len(answers) < FEWEST_ANSWERS:
        raise DataError(f"vqa leaves one of 'answers' out, and there are {len(answers)}", where=where)
    if scale is not None and scale < 0:
        raise DataError("'scale' is below zero", where=where)
    return Question(
        id=_text(row.get("id", ""), "id", where) or where,
        prompt=prompt,
        answer=_text(answer, "answer", where),
        metric=metric,
        steps=_text(row.get("steps", ""), "steps", where),
        options=_texts(row.get("options", []), "options", where),
        answers=answers,
        scale=scale,
        category=_text(row.get("category", ""), "category", where),
        group=_text(row.get("group", ""), "group", where),
        forms={name: _whole(parts, f"{where}: form {name[:40]!a}", path.parent) for name, parts in forms.items()},
        more=tuple(
            Turn(*one) for one in zip(_contents(messages[2::2], where), _contents(messages[3::2], where), strict=True)
        ),
    )


def _whole(content: Any, where: str, folder: Path) -> Mixed:
    """Parts whose images can be decoded, every one."""
    parts = read_content(content, where, folder)
    for number, part in enumerate(parts, 1):
        if isinstance(part, Picture):
            read_image(part.data, f"{where}: part {number}")
    return parts


def _take_turns(messages: list[Any]) -> bool:
    roles = [message.get("role") if isinstance(message, dict) else None for message in messages]
    return roles == ["user", "assistant"] * (len(messages) // 2)


def _contents(messages: list[Any], where: str) -> list[str]:
    return [_text(message.get("content"), "content", where) for message in messages]


def _text(value: Any, name: str, where: str) -> str:
    if not isinstance(value, str) or half_surrogate(value):
        raise DataError(f"'{name}' is not a text", where=where)
    return value


def _texts(value: Any, name: str, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise DataError(f"'{name}' is not a list of texts", where=where)
    return tuple(_text(one, name, where) for one in value)


def _number(value: Any, name: str, where: str) -> float | None:
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < MOST_SCALE:
        raise DataError(f"'{name}' is not a number", where=where)
    return float(value)
