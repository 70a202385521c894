"""Questions with options: ARC and CommonsenseQA, MMLU, AQuA-RAT, BIG-bench, BoolQ, entailment, TruthfulQA."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.data.items import read_items
from presage.tasks.methods.choice import LETTERS
from presage.tasks.readers.rows import Row, checked, json_lines, json_list, shuffled, some, table
from presage.tasks.readers.sources import Source, source
from presage.tasks.task import Example


def items(paths: Sequence[Path]) -> list[Example]:
    """ARC in both its carriers' forms, CommonsenseQA: whatever `presage.data.items` reads with options and answer."""
    found = [(path, item) for path in paths for item in read_items(path)]
    for path, item in found:
        if item.answer is None:
            raise DataError(f"'{item.id}' has no options, or does not say which is right", where=path)
    return [Example(item.id, item.text, item.options, item.answer) for _, item in found]


# ---- MMLU -----------------------------------------------------------------------------------------------------------


def mmlu(paths: Sequence[Path]) -> list[Example]:
    """Rows {subject, question, choices, answer}, or the original tables SUBJECT_SPLIT.csv; category is the subject.

    An answer is a letter; in rows it may be an index, too.
    """
    return some(paths, (example for path in paths for example in _mmlu(source(path))))


def _mmlu(file: Source) -> Iterator[Example]:
    if file.name.endswith(".csv"):
        subject = file.stem.rpartition("_")[0]
        for row in table(file, ("question", "A", "B", "C", "D", "answer")):
            options = tuple(row.text(letter) for letter in "ABCD")
            yield Example(row.id, row.text("question"), options, row.one_of("answer", "ABCD"), category=subject)
        return
    for row in json_lines(file):
        options = row.texts("choices", least=4)
        answer = row.one_of("answer", (*LETTERS[: len(options)], *range(len(options)))) % len(options)
        yield Example(row.id, row.text("question"), options, answer, category=row.text("subject"))


def subject(example: Example) -> str:
    """abstract_algebra as people write it."""
    return example.category.replace("_", " ")


# ---- AQuA-RAT, BIG-bench ---------------------------------------------------------------------------------------------


def aqua(paths: Sequence[Path]) -> list[Example]:
    """Rows {question, options "A)…", rationale, correct}."""
    return some(paths, (_aqua(row) for path in paths for row in json_lines(source(path))))


def _aqua(row: Row) -> Example:
    options = unlabelled(row.texts("options"))
    fields = {"rationale": row.of(str, "rationale")}
    answer = row.one_of("correct", LETTERS[: len(options)])
    return Example(row.id, row.text("question"), options, answer, fields=fields)


def unlabelled(options: Sequence[str]) -> tuple[str, ...]:
    """Options without their own labels "A)", "(A)", "A. ".

    A letter that only a blank follows is a label where every option has its own; an option of nothing but a label, as
    where a picture was lost, stays as it is.
    """
    plain = [re.match(rf"\s*{letter}\s", option) for letter, option in zip(LETTERS, options, strict=False)]
    marks = r"(?:\({0}\)|{0}\)|{0}[.．、:：])" if not all(plain) else r"(?:\({0}\)|{0}\)|{0}[.．、:：]|{0}\s)"
    labels = (re.compile(r"\s*" + marks.replace("{0}", letter)) for letter in LETTERS)
    return tuple(label.sub("", text, count=1).strip() or text for label, text in zip(labels, options, strict=False))


def big_bench(paths: Sequence[Path]) -> list[Example]:
    """A BIG-bench task of JSON: examples {input, target_scores} of whose targets exactly one scores 1.

    More than two targets are shuffled: in 364 of the 369 dates the right one is the first.
    """
    rows = (row for path in paths for row in json_list(source(path), "examples"))
    found = [_scored(row, "input", "target_scores") for row in rows]
    return some(paths, (shuffled(one) if len(one.options) > 2 else one for one in found))


def _scored(row: Row, question: str, scores: str) -> Example:
    options, true = truths(row, scores)
    if len(true) != 1:
        raise DataError(f"{len(true)} right answers, not one", where=f"{row.where}: {scores}")
    return Example(row.id, row.text(question).strip(), options, true[0])


def truths(row: Row, key: str) -> tuple[tuple[str, ...], list[int]]:
    """(answers, indices of the true ones) of {answer: 1 or 0}."""
    found: Any = row.get(key)
    where = f"{row.where}: {key}"
    if not isinstance(found, dict) or len(found) < 2:
        raise DataError(f"{found!r:.60} is not two or more answers with 1 or 0", where=where)
    wrong = [value for value in found.values() if value not in (0, 1)]
    if wrong:
        raise DataError(f"{wrong[0]!r:.60} is neither 1 nor 0", where=where)
    true = [place for place, value in enumerate(found.values()) if value == 1]
    return tuple(checked(text, where).strip() for text in found), true


# ---- TruthfulQA -----------------------------------------------------------------------------------------------------


def truthful_one(paths: Sequence[Path]) -> list[Example]:
    """mc_task.json: {question, mc1_targets: {answer: 1 or 0}, …}; one is true, in the file the first: shuffled."""
    return [shuffled(example) for example in truthful_listed(paths)]


def truthful_listed(paths: Sequence[Path]) -> list[Example]:
    """The same in the file's order, the true one first."""
    return some(paths, (_scored(row, "question", "mc1_targets") for path in paths for row in json_list(source(path))))


def truthful_several(paths: Sequence[Path]) -> list[Example]:
    """The same with mc2_targets; field `true` lists the true ones, of which `answer` is the first."""
    return some(paths, (_several(row) for path in paths for row in json_list(source(path))))


def _several(row: Row) -> Example:
    options, true = truths(row, "mc2_targets")
    if not 0 < len(true) < len(options):
        raise DataError(f"{len(true)} of {len(options)} answers are true", where=f"{row.where}: mc2_targets")
    return Example(row.id, row.text("question").strip(), options, true[0], fields={"true": true})


# ---- passages and pairs of sentences --------------------------------------------------------------------------------


def boolq(paths: Sequence[Path]) -> list[Example]:
    """Rows {question, passage, answer: true or false}, or SuperGLUE's with `label`; options no and yes."""
    return some(paths, (_boolq(row) for path in paths for row in json_lines(source(path))))


def _boolq(row: Row) -> Example:
    passage, question = row.text("passage"), row.text("question")
    answer = row.one_of("answer" if "answer" in row.value else "label", (False, True))
    fields = {"passage": passage, "question": question}
    return Example(row.id, f"{passage}\n{question}", ("no", "yes"), answer, fields=fields)


def entailment(labels: Sequence[str], options: tuple[str, ...]) -> Callable[[Sequence[Path]], list[Example]]:
    """A reader of rows {premise, hypothesis, label}; the options say the labels in words."""

    def read(paths: Sequence[Path]) -> list[Example]:
        return some(paths, (one(row) for path in paths for row in json_lines(source(path))))

    def one(row: Row) -> Example:
        premise, hypothesis = row.text("premise"), row.text("hypothesis")
        fields = {"premise": premise, "hypothesis": hypothesis}
        return Example(row.id, f"{premise}\n{hypothesis}", options, row.one_of("label", labels), fields=fields)

    return read


def paraphrases(paths: Sequence[Path]) -> list[Example]:
    """MRPC's table: Quality (1: they say the same), two ids, two sentences; options no and yes."""
    rows = (row for path in paths for row in table(source(path), delimiter="\t", quoted=False))
    return some(paths, (_paraphrase(row) for row in rows))


def _paraphrase(row: Row) -> Example:
    first, second = row.text("#1 String"), row.text("#2 String")
    fields = {"first": first, "second": second}
    return Example(row.id, f"{first}\n{second}", ("no", "yes"), row.one_of("Quality", "01"), fields=fields)


def sentiments(paths: Sequence[Path]) -> list[Example]:
    """SST-2's table without a header: sentence, 1 where it is positive."""
    rows = (row for path in paths for row in table(source(path), ("sentence", "label"), "\t", quoted=False))
    return some(paths, (_sentiment(row) for row in rows))


def _sentiment(row: Row) -> Example:
    return Example(row.id, row.text("sentence").strip(), ("negative", "positive"), row.one_of("label", "01"))
