"""Questions with reasoning: GSM8K, MGSM, AQuA, and the sets of the zero-shot chain-of-thought suite.

An example's target is the final answer; its field "rationale" is the reasoning that leads there, where the file has it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.tasks.methods.choice import LETTERS
from presage.tasks.readers import choices
from presage.tasks.readers.rows import Row, json_rows, rows_in
from presage.tasks.readers.sources import text_of
from presage.tasks.task import Example

_CALCULATOR = re.compile(r"<<[^<>]*>>")


# ---- GSM8K and MGSM --------------------------------------------------------------------------------------------------


def gsm8k(paths: Sequence[Path]) -> list[Example]:
    """question, answer: lines of reasoning with <<calculator marks>>, which are taken out, and "#### N" at the end."""
    return [_gsm8k(row) for path in paths for row in json_rows(path)]


def _gsm8k(row: Row) -> Example:
    answer = row.text("answer")
    rationale, mark, final = answer.rpartition("####")
    if not mark or not final.strip():
        raise DataError("an answer without '#### N'", where=row.where)
    fields = {"rationale": _CALCULATOR.sub("", rationale).strip(), "answer": answer}
    return Example(row.id, row.text("question"), targets=(final.strip(),), fields=fields)


LANGUAGES = ("bn", "de", "en", "es", "fr", "ja", "ru", "sw", "te", "th", "zh")
_BORROWED = 64


def mgsm(paths: Sequence[Path]) -> list[Example]:
    """Problems of mgsm_LANGUAGE.tsv (question, tab, answer); as shots its own exemplars.py, or GSM8K's English ones.

    An example's category is its language. The first GSM8K problems then stand in every language's pool, in English.
    """
    return [example for path in paths for example in _of_file(path)]


def _of_file(path: Path) -> list[Example]:
    if path.name == "exemplars.py":
        return _exemplars(path)
    if ".jsonl" in path.name:
        english = gsm8k([path])[:_BORROWED]
        return [replace(one, id=f"{language}:{one.id}", category=language) for language in LANGUAGES for one in english]
    language = path.name.removeprefix("mgsm_").partition(".")[0]
    return [_problem(path, place, line, language) for place, line in enumerate(text_of(path).split("\n"), 1) if line]


def _problem(path: Path, place: int, line: str, language: str) -> Example:
    question, tab, answer = line.rstrip("\r").rpartition("\t")
    if not tab or not re.fullmatch(r"-?[\d,.]+", answer.strip()):
        raise DataError("not a question, a tab and a number", where=f"{path}:{place}")
    return Example(f"{path.name}:{place}", question, targets=(answer.strip(),), group=str(place), category=language)


def _exemplars(path: Path) -> list[Example]:
    """MGSM's exemplars.py, read as literals and never run: {language: {number: {"q": ..., "a": ...}}}."""
    table = _literal(path, "MGSM_EXEMPLARS")
    answers = _literal(path, "EXEMPLAR_NUMBER_ANSWERS")
    if not isinstance(table, dict) or not isinstance(answers, list):
        raise DataError("MGSM_EXEMPLARS is not a table", where=path)
    bad = next((language for language, some in table.items() if not isinstance(some, dict)), None)
    if bad is not None:
        raise DataError(f"MGSM_EXEMPLARS: '{bad}' is not a table", where=path)
    rows = [(language, one) for language, some in table.items() for one in rows_in(path, list(some.values()), language)]
    return [_exemplar(row, language, answers) for language, row in rows]


def _exemplar(row: Row, language: str, answers: list[Any]) -> Example:
    number = int(row.where.rpartition(language)[2])
    if number > len(answers):
        raise DataError(f"no number for exemplar {number}", where=row.where)
    fields = {"rationale": _without_label(row.text("a"))}
    target = str(answers[number - 1])
    return Example(row.id, _without_label(row.text("q")), targets=(target,), category=language, fields=fields)


def _without_label(text: str) -> str:
    """Without the "Question:" or "Step-by-Step Answer:" that a language writes before it."""
    label = re.match(r"[^.?!。？！\d]{1,40}?[:：]\s*", text)
    return text[label.end() :] if label else text


def _literal(path: Path, name: str) -> Any:
    try:
        tree = ast.parse(text_of(path))
        nodes = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name]
        return ast.literal_eval(nodes[0].value)
    except (SyntaxError, ValueError, IndexError) as error:
        raise DataError(f"no literal {name}: {error}", where=path) from None


# ---- AQuA ------------------------------------------------------------------------------------------------------------


_AGAIN = re.compile(r"(?i)\W*(?:the\s+)?(?:correct\s+)?(?:answer|option)\b.{0,12}$")


def aqua(paths: Sequence[Path]) -> list[Example]:
    """AQuA's questions, whose target is the letter; of the rationale what is not the answer again."""
    return [_aqua(one) for one in choices.aqua(paths)]


def _aqua(one: Example) -> Example:
    lines = one.fields["rationale"].strip().split("\n")
    kept = [line for line in lines if not _AGAIN.match(line)]
    return _lettered(one.id, one.question, one.options, one.answer or 0, {"rationale": "\n".join(kept)})


def _lettered(name: str, question: str, options: Sequence[str], answer: int, fields: dict[str, Any]) -> Example:
    return Example(name, question.strip(), tuple(options), answer, (LETTERS[answer],), fields=fields)


# ---- the suite -------------------------------------------------------------------------------------------------------


def word_problems(paths: Sequence[Path]) -> list[Example]:
    """AddSub, MultiArith, SingleEq: a list of {sQuestion, lSolutions}."""
    return [_solved(row) for path in paths for row in json_rows(path)]


def _solved(row: Row) -> Example:
    solutions = row.of(list, "lSolutions")
    if len(solutions) != 1:
        raise DataError(f"{len(solutions)} solutions", where=row.where)
    return Example(row.id, row.text("sQuestion").strip(), targets=(str(solutions[0]),))


def svamp(paths: Sequence[Path]) -> list[Example]:
    """A list of {Body, Question, Answer}; the body gets the full stop that it lacks."""
    return [_svamp(row) for path in paths for row in json_rows(path)]


def _svamp(row: Row) -> Example:
    body = row.text("Body").strip()
    asked = f"{body if body.endswith(('.', ',', '?', '!')) else body + '.'} {row.text('Question').strip()}"
    return Example(row.id, asked, targets=(str(row.number("Answer")),))


def questions(paths: Sequence[Path]) -> list[Example]:
    """coin_flip, last_letters: {"examples": [{question, answer}]}."""
    rows = (row for path in paths for row in json_rows(path, "examples"))
    return [Example(row.id, row.text("question"), targets=(row.text("answer"),)) for row in rows]


def yes_no(paths: Sequence[Path]) -> list[Example]:
    """StrategyQA as BIG-bench has it: {input, target_scores {"Yes", "No"}, target with an explanation}."""
    return [
        Example(row.id, row.text("input"), targets=(best.lower(),), fields={"rationale": row.text("target")})
        for row, best, _ in _scored(paths)
    ]


def lettered_choices(paths: Sequence[Path]) -> list[Example]:
    """date understanding, object tracking: {input, target_scores}. The options are put in an order of chance that
    depends on the example alone, since the files mostly name the right one first."""
    return [_shuffled(row, best, options) for row, best, options in _scored(paths)]


def _shuffled(row: Row, best: str, options: list[str]) -> Example:
    order = [options[place] for place in stream(0, "options", row.id).permutation(len(options))]
    return _lettered(row.id, row.text("input"), order, order.index(best), {})


def _scored(paths: Sequence[Path]) -> Iterator[tuple[Row, str, list[str]]]:
    for path in paths:
        for row in json_rows(path, "examples"):
            scores = row.of(dict, "target_scores")
            right = [option for option, score in scores.items() if score == 1]
            if len(right) != 1:
                raise DataError(f"{len(right)} right options", where=row.where)
            yield row, right[0], list(scores)


SUITE: dict[str, tuple[str, Callable[[Sequence[Path]], list[Example]], str]] = {
    "addsub": ("AddSub.json*", word_problems, "number"),
    "multiarith": ("MultiArith.json*", word_problems, "number"),
    "singleeq": ("SingleEq.json*", word_problems, "number"),
    "svamp": ("SVAMP.json*", svamp, "number"),
    "coin_flip": ("coin_flip.json*", questions, "yes_no"),
    "last_letters": ("last_letters.json*", questions, "letters"),
    "date_understanding_cot": ("bigbench_date.json*", lettered_choices, "letter"),
    "object_tracking": ("bigbench_object_tracking.json*", lettered_choices, "letter"),
    "strategyqa_cot": ("StrategyQA_bigbench.json*", yes_no, "yes_no"),
}
"""{task: (file, reader, kind of answer)} of the suite."""
