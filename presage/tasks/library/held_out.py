"""Which passage goes on? Four options of a corpus's own held-out text: a skill that the smallest models begin to show.

The form is that of StoryCloze and HellaSwag, made of the text at hand: the next words of a document, or words from the
same place of three others. Its scores rise smoothly with compute, and its probabilities can be calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.documents import Document
from presage.data.records import read_documents
from presage.tasks.files import Files
from presage.tasks.methods.choice import Choice, plain
from presage.tasks.task import Example, Task

CONTEXT, PASSAGE = 160, 60  # characters before the gap, and of an option
OPTIONS = 4
MOST = 2_000  # examples


def passages(paths: Sequence[Path]) -> list[Example]:
    """One example of every document that is long enough, its place and its wrong options drawn by the document's name.

    Raises DataError where fewer than four documents are.
    """
    documents = [one for path in paths for one in read_documents(path) if len(one.text) >= 2 * (CONTEXT + PASSAGE)]
    documents = documents[:MOST]
    if len(documents) < OPTIONS:
        what = f"{len(documents)} held-out documents are long enough"
        raise DataError(what, where=paths[0], hint=f"{OPTIONS} are needed, of {2 * (CONTEXT + PASSAGE)} characters")
    cut = [_cut(document) for document in documents]
    return [_example(place, documents, cut) for place in range(len(documents))]


def _cut(document: Document) -> tuple[str, str]:
    """Some text and what goes on after it, both beginning and ending between words as far as there are blanks."""
    room = len(document.text) - CONTEXT - PASSAGE
    first = int(stream(0, "passage", document.path).integers(room))
    middle = _after_blank(document.text, first + CONTEXT)
    text = document.text[_after_blank(document.text, first) : middle].rstrip()
    return text, " ".join(document.text[middle : middle + PASSAGE].split()[:-1])


def _after_blank(text: str, place: int) -> int:
    found = next((at for at in range(place, min(place + PASSAGE // 2, len(text))) if text[at].isspace()), place - 1)
    return found + 1


def _example(place: int, documents: Sequence[Document], cut: Sequence[tuple[str, str]]) -> Example:
    chance = stream(0, "options", documents[place].path)
    text, right = cut[place]
    others = [at for at in range(len(cut)) if at != place]
    wrong = [cut[at][1] or "." for at in chance.choice(others, OPTIONS - 1, replace=False)]
    answer = int(chance.integers(OPTIONS))
    options = [*wrong[:answer], right or ".", *wrong[answer:]]
    name = f"{documents[place].source}:{documents[place].path}"
    return Example(name, text, tuple(options), answer, category=documents[place].source)


TASKS: tuple[Task, ...] = (
    Task(
        "next_passage",
        1,
        Files(passages, (("artifacts/val.jsonl.zst",),)),
        plain(lambda example: example.question),
        Choice("per_byte"),
        "presage, after StoryCloze and HellaSwag: the held-out text of a corpus run (--data RUN, or the model's own)",
    ),
)
