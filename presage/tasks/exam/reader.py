"""An exam in a file: JSON, checked key by key; every error names the line and the keys that lead to the fault.

    {"name": "driving", "title": "Driving test", "version": 1, "source": "...",
     "scale": {"rule": "linear", "low": 0, "high": 100, "step": 1},
     "percentiles": [{"file": "driving.csv", "score": "score", "value": "percentile"}],
     "sections": [
       {"name": "signs", "kind": "choice", "points": 2, "weight": 50,
        "shots": [{"question": "...", "options": ["...", "..."], "answer": "B", "explanation": "..."}],
        "questions": [{"id": "1", "question": "...", "options": ["...", "..."], "answer": "A", "image": "sign.png"}]},
       {"name": "essay", "kind": "free", "points": 6, "rubric": "...",
        "shots": [{"question": "...", "essay": "..."}], "questions": [{"id": "2", "question": "..."}]}]}

Scales: linear (low, high, step), points (total), knots (pairs, step), chart (file, score, value). Files of tables lie
beside the exam's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from presage.core.strict import half_surrogate
from presage.tasks.exam.model import (
    Chart,
    Exam,
    Fixed,
    Knots,
    Linear,
    Points,
    Scale,
    Section,
    TableFile,
)
from presage.tasks.exam.places import Node, read_nodes
from presage.tasks.methods.choice import LETTERS
from presage.tasks.task import Example

_FEWEST = 2
_NAME = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


def read_exam(path: Path) -> Exam:
    """The exam of a file. Raises DataError naming line and keys."""
    root = read_nodes(path).only("name", "title", "version", "source", "scale", "percentiles", "sections")
    sections = tuple(_section(node) for node in root.at("sections").items())
    if not sections:
        raise root.at("sections").error("no section")
    _different([node.at("name") for node in root.at("sections").items()])
    version = int(root.at("version").number(1)) if "version" in root else 1
    tables = root.at("percentiles").items() if "percentiles" in root else []
    name = _name(root.at("name"))
    return Exam(
        name,
        version,
        root.at("title").text() if "title" in root else name,
        root.at("source").text() if "source" in root else path.name,
        sections,
        _scale(root.at("scale")) if "scale" in root else Points(),
        tuple(_table(node) for node in tables),
        path.parent,
    )


def _name(node: Node) -> str:
    name = node.text()
    if set(name) - _NAME:
        raise node.error(f"'{name}' is no name", "letters, digits, and . _ -")
    return name


def _different(names: list[Node]) -> None:
    seen: set[str] = set()
    for node in names:
        if str(node.value) in seen:
            raise node.error(f"'{node.value}' appears twice")
        seen.add(str(node.value))


def _named_apart(nodes: list[Node], questions: list[Example]) -> None:
    """A question without an id is called by its number, which must then be nobody's id."""
    ids = {str(node.value["id"]) for node in nodes if "id" in node.value}
    for node, one in zip(nodes, questions, strict=True):
        if "id" not in node.value and one.id in ids:
            raise node.error(f"no id, and its number '{one.id}' is another question's id", "give it an id")


# ---- scales and tables -----------------------------------------------------------------------------------------------


def _linear(node: Node) -> Scale:
    node.only("rule", "low", "high", "step")
    low, high = node.at("low").number(), node.at("high").number()
    if low >= high:
        raise node.error(f"low {low:g} is not below high {high:g}")
    return Linear(low, high, _step(node))


def _points(node: Node) -> Scale:
    node.only("rule", "total")
    return Points(_positive(node.at("total")) if "total" in node else None)


def _knots(node: Node) -> Scale:
    node.only("rule", "pairs", "step")
    pairs = tuple(_pair(pair) for pair in node.at("pairs").items())
    if len(pairs) < _FEWEST or any(a[0] >= b[0] or a[1] > b[1] for a, b in itertools.pairwise(pairs)):
        raise node.at("pairs").error("raw scores must rise, and scaled scores must not fall", "two pairs or more")
    return Knots(pairs, _step(node))


def _pair(node: Node) -> tuple[float, float]:
    numbers = [one.number() for one in node.items()]
    if len(numbers) != _FEWEST:
        raise node.error(f"{len(numbers)} numbers, not a raw and a scaled score")
    return numbers[0], numbers[1]


def _chart(node: Node) -> Scale:
    node.only("rule", "file", "score", "value")
    return Chart(_columns(node))


def _step(node: Node) -> float:
    return _positive(node.at("step")) if "step" in node else 1.0


def _positive(node: Node) -> float:
    if node.number() <= 0:
        raise node.error(f"{node.value:g} is not positive")
    return float(node.value)


_SCALES: dict[str, Callable[[Node], Scale]] = {
    "linear": _linear, "points": _points, "knots": _knots, "chart": _chart,
}  # fmt: skip


def _scale(node: Node) -> Scale:
    node.only(*(node.value if isinstance(node.value, dict) else ()))
    rule = node.at("rule").text()
    if rule not in _SCALES:
        raise node.at("rule").error(f"unknown rule '{rule}'", f"known: {', '.join(_SCALES)}")
    return _SCALES[rule](node)


def _table(node: Node) -> TableFile:
    node.only("file", "score", "value", "form", "only")
    form = node.at("form").text() if "form" in node else "columns"
    if form not in ("columns", "shares"):
        raise node.at("form").error(f"unknown form '{form}'", "columns or shares")
    if form == "columns":
        return _columns(node)
    wanted = node.at("only")
    wanted.only(*(wanted.value if isinstance(wanted.value, dict) else ()))
    pairs = tuple((key, wanted.at(key).text()) for key in wanted.value)
    return TableFile(node.at("file").text(), form="shares", only=pairs)


def _columns(node: Node) -> TableFile:
    return TableFile(
        node.at("file").text(),
        node.at("score").text() if "score" in node else "score",
        node.at("value").text() if "value" in node else "percentile",
    )


# ---- sections --------------------------------------------------------------------------------------------------------


def _section(node: Node) -> Section:
    node.only("name", "kind", "points", "weight", "wrong", "blank", "rubric", "letter", "shots", "questions")
    kind = _one_of(node.at("kind"), "choice", "free")
    ask: Callable[[Node, str], Example] = _choice if kind == "choice" else _free
    solve: Callable[[Node, str], Example] = _worked if kind == "choice" else _essay
    asked = node.at("questions").items()
    questions = [ask(one, f"{i}") for i, one in enumerate(asked, 1)]
    if not questions:
        raise node.at("questions").error("no question")
    _different([one.at("id") for one in asked if "id" in one.value])
    _named_apart(asked, questions)
    given = node.at("shots").items() if "shots" in node else []
    shots = [solve(one, f"shot {i}") for i, one in enumerate(given, 1)]
    rubric = node.at("rubric").text() if "rubric" in node else ""
    bare = [i for i, one in enumerate(questions) if kind == "free" and not (rubric or one.fields.get("rubric"))]
    if bare:
        raise asked[bare[0]].error("no rubric, here or in the section")
    return Section(
        _name(node.at("name")),
        "choice" if kind == "choice" else "free",
        Fixed(tuple(questions), tuple(shots)),
        _positive(node.at("points")) if "points" in node else 1.0,
        _positive(node.at("weight")) if "weight" in node else None,
        len(shots),
        node.at("wrong").number() if "wrong" in node else 0.0,
        node.at("blank").number() if "blank" in node else None,
        rubric,
        _letter(node),
    )


def _letter(node: Node) -> Literal["sampled", "explanation"]:
    chosen = _one_of(node.at("letter"), "sampled", "explanation") if "letter" in node else "sampled"
    return "explanation" if chosen == "explanation" else "sampled"


def _one_of(node: Node, *known: str) -> str:
    if node.value not in known:
        raise node.error(f"'{node.value}' is unknown", f"known: {', '.join(known)}")
    return str(node.value)


_ASKED = ("id", "question", "points", "image", "group", "category")


def _choice(node: Node, number: str) -> Example:
    node.only(*_ASKED, "options", "answer")
    return _with_options(node, number, {})


def _worked(node: Node, number: str) -> Example:
    node.only("question", "options", "answer", "explanation", "image")
    return _with_options(node, number, {"explanation": node.at("explanation").text()})


def _with_options(node: Node, number: str, more: dict[str, Any]) -> Example:
    options = tuple(one.text() for one in node.at("options").items())
    if not _FEWEST <= len(options) <= len(LETTERS):
        raise node.at("options").error(f"{len(options)} options", f"{_FEWEST} to {len(LETTERS)}")
    letter = node.at("answer").text()
    known = LETTERS[: len(options)]
    if len(letter) != 1 or letter not in known:
        raise node.at("answer").error(f"'{letter}' is no letter of an option", f"one of {known}")
    return _example(node, number, options, known.index(letter), (), more)


def _free(node: Node, number: str) -> Example:
    node.only(*_ASKED, "answer", "rubric", "transcript")
    texts = {key: node.at(key).text() for key in ("rubric", "transcript") if key in node}
    return _example(node, number, (), None, (node.at("answer").text(),) if "answer" in node else (), texts)


def _essay(node: Node, number: str) -> Example:
    node.only("question", "essay")
    return _example(node, number, (), None, (node.at("essay").text(),), {})


def _example(
    node: Node,
    number: str,
    options: tuple[str, ...],
    answer: int | None,
    targets: tuple[str, ...],
    more: dict[str, Any],
) -> Example:
    fields = dict(more)
    fields |= {"points": _positive(node.at("points"))} if "points" in node else {}
    fields |= {"image": node.at("image").text()} if "image" in node else {}
    name = node.at("id").text() if "id" in node else number
    question = node.at("question").text()
    group, category = (node.at(key).text() if key in node else "" for key in ("group", "category"))
    if any(half_surrogate(text) for text in (name, question, group, category, *options, *targets)):
        raise node.error("half a surrogate pair in a text")
    return Example(name, question, options, answer, targets, group, category, MappingProxyType(fields))
