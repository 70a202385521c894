"""How something goes on: HellaSwag, PIQA, COPA and XCOPA."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from presage.core.errors import DataError
from presage.tasks.readers.rows import Row, json_lines, lines, some
from presage.tasks.readers.sources import Source, source
from presage.tasks.task import Example

# ---- HellaSwag ------------------------------------------------------------------------------------------------------


def hellaswag(paths: Sequence[Path]) -> list[Example]:
    """The original rows {ind, activity_label, ctx_a, ctx_b, ctx, endings, label}, or {context, choices, answer}.

    The second form (a carrier's sample) has lost the activity, so that its text is the context alone. Fields keep the
    texts as they were: `activity`, `a`, `b` (the beginning of the sentence to be ended), and `endings`.
    """
    return some(paths, (_hellaswag(row) for path in paths for row in json_lines(source(path))))


def _hellaswag(row: Row) -> Example:
    if "ctx" not in row.value:
        endings, context = row.texts("choices"), row.text("context")
        answer = row.one_of("answer", "ABCDEFGH"[: len(endings)])
        fields = {"activity": "", "a": context, "b": "", "endings": list(endings)}
        name = f"{row.text('split')}:{row.id}"
    else:
        endings, context = row.texts("endings"), row.text("ctx")
        value = row.value.get("label")
        answer = _label(row, str(value), len(endings))
        fields = {
            "activity": row.text("activity_label"),
            "a": row.text("ctx_a"),
            "b": str(row.value.get("ctx_b") or ""),
            "endings": list(endings),
        }
        name = row.id
    activity = f"{fields['activity']}: " if fields["activity"] else ""
    options = tuple(clean(ending) for ending in endings)
    return Example(name, clean(f"{activity}{context}"), options, answer, fields=fields)


def _label(row: Row, text: str, count: int) -> int:
    if text not in map(str, range(count)):
        raise DataError(f"{text!r:.60} is not from 0 to {count - 1}", where=f"{row.where}: label")
    return int(text)


def clean(text: str) -> str:
    """Without the marks that pages of WikiHow left: [title] ends a sentence, others are dropped; single blanks."""
    ended = re.sub(r"(?<=[.!?])\s*\[title\]", " ", text.strip())
    titled = re.sub(r"\s*\[title\]\s*", ". ", ended).removeprefix(". ")
    return re.sub(r"\s+", " ", re.sub(r"\[[^\[\]]*\]", " ", titled)).strip() or text


# ---- PIQA -----------------------------------------------------------------------------------------------------------


def piqa(paths: Sequence[Path]) -> list[Example]:
    """Rows {goal, sol1, sol2} and a file of labels (.lst), 0 or 1 a line, in the same order."""
    files = [source(path) for path in paths]
    labels = [row for file in files if file.name.endswith(".lst") for row in lines(file)]
    rows = [row for file in files if not file.name.endswith(".lst") for row in json_lines(file)]
    if len(rows) != len(labels):
        raise DataError(f"{len(rows)} questions and {len(labels)} labels", where=paths[0])
    return some(paths, (_piqa(row, label) for row, label in zip(rows, labels, strict=True)))


def _piqa(row: Row, label: Row) -> Example:
    return Example(row.id, row.text("goal"), (row.text("sol1"), row.text("sol2")), label.one_of("line", "01"))


# ---- COPA, XCOPA ----------------------------------------------------------------------------------------------------

# language: (because, therefore, what stands between words). Languages written without blanks have none.
CONNECTORS: dict[str, tuple[str, str, str]] = {
    "en": ("because", "therefore", " "),
    "et": ("sest", "seetõttu", " "),
    "ht": ("paske", "kidonk", " "),
    "id": ("karena", "maka", " "),
    "it": ("perché", "quindi", " "),
    "qu": ("imaraykuchus", "chayrayku", " "),
    "sw": ("kwa sababu", "kwa hiyo", " "),
    "ta": ("ஏனெனில்", "எனவே", " "),
    "th": ("เพราะ", "ดังนั้น", ""),
    "tr": ("çünkü", "bu yüzden", " "),
    "vi": ("bởi vì", "vì vậy", " "),
    "zh": ("因为", "所以", ""),
}


def copa(paths: Sequence[Path]) -> list[Example]:
    """Rows {premise, choice1, choice2, question: cause or effect, label}; the language is the file's, test.et.jsonl.

    The question is the premise without its full stop and the language's "because" or "therefore"; the choices begin in
    lower case, as the second half of a sentence does.
    """
    return some(paths, (example for path in paths for example in _copa(source(path))))


def _copa(file: Source) -> Iterator[Example]:
    parts = file.name.split(".")
    language = parts[1] if len(parts) > 2 and parts[1] in CONNECTORS else "en"
    for row in json_lines(file):
        word = CONNECTORS[language][row.one_of("question", ("cause", "effect"))]
        premise = row.text("premise").strip().rstrip(".。")
        options = tuple(_lower(row.text(key).strip()) for key in ("choice1", "choice2"))
        text = f"{premise}{CONNECTORS[language][2]}{word}"
        answer = row.one_of("label", (0, 1))
        yield Example(row.id, text, options, answer, category=language, fields={"premise": premise})


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
