"""Microcode as a task: completions to verdicts, verdicts to pass@k, problems to files and back."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from presage.core.errors import DataError, did_you_mean
from presage.core.files import write_rows
from presage.core.strict import read_json
from presage.data.microcode import INDENT, Case, Problem
from presage.data.microcode_families import LEVELS
from presage.tasks.interpreter import passes

STOP = ("<|endoftext|>",)
"""Texts that end a completion wherever they stand."""


# ---- grading ---------------------------------------------------------------------------------------------------------


def stem(problem: Problem) -> str:
    """What to sample from: the prompt without its last space.

    The split patterns of GPT-2 and its heirs give that space to the word that follows: a model that was trained on
    whole functions has never seen the tokens of the whole prompt.
    """
    return problem.prompt[:-1]


def reference(problem: Problem) -> str:
    """The solution as a completion of the stem, with the newline that ends it: the text whose likelihood to take."""
    return f"{problem.prompt[-1]}{problem.solution}\n"


def grade(problem: Problem, completion: str, *, prompt: str | None = None, max_steps: int = 2000) -> bool:
    """Whether prompt + completion, cut at the end of the function, passes every test.

    `prompt` is what the completion continues where that is not the problem's own, `stem(problem)` for one.
    """
    source = f"{problem.prompt if prompt is None else prompt}{function_body(completion)}\n"
    return passes(source, problem.entry, problem.tests, max_steps=max_steps)


def count_passed(problem: Problem, completions: Iterable[str], *, prompt: str | None = None) -> int:
    """How many of many completions pass; equal ones are graded once."""
    bodies = Counter(map(function_body, completions))
    return sum(count for body, count in bodies.items() if grade(problem, body, prompt=prompt))


def function_body(completion: str) -> str:
    """A completion up to the first line (but its own first) that is neither indented nor blank, or to a STOP text."""
    for text in STOP:
        completion = completion.partition(text)[0]
    first, *rest = completion.split("\n")
    kept = [first]
    for line in rest:
        if line.strip() and line[0] not in " \t":
            break
        kept.append(line)
    return "\n".join(kept)


def expected_pass_at_k(n: int, c: int, k: int) -> float:
    """Unbiased pass@k of one problem of whose n samples c passed: 1 - C(n-c, k) / C(n, k), as a product.

    Chen et al. 2021, section 2.1; its mean over problems is pass@k. Raises DataError unless 0 <= c <= n, 1 <= k <= n.
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise DataError(f"pass@{k} of {c} passed among {n} samples", hint="needs 0 <= passed <= n and 1 <= k <= n")
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


# ---- files -----------------------------------------------------------------------------------------------------------

_KINDS: dict[str, type] = {"id": str, "family": str, "level": int, "prompt": str, "solution": str, "entry": str}
_KINDS["tests"] = list


def save(path: Path, problems: Iterable[Problem]) -> None:
    """Problems as JSON, one a line."""
    write_rows(path, map(_row, problems))


def _row(problem: Problem) -> dict[str, Any]:
    tests = [{"args": list(case.args), "expected": case.expected} for case in problem.tests]
    return asdict(problem) | {"tests": tests}


def load(path: Path) -> list[Problem]:
    """Problems of a file of one JSON object a line. Raises DataError naming file and line.

    A solution that does not pass its own tests is refused: nothing could.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=path) from None
    seen: dict[str, int] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            problem = _problem(line, where := f"{path}:{number}")
            if seen.setdefault(problem.id, number) != number:
                raise DataError(f"the id '{problem.id}' again, as on line {seen[problem.id]}", where=where)
            problems.append(problem)
    if not problems:
        raise DataError("no problem in this file", where=path)
    return problems


def _problem(line: bytes, where: str) -> Problem:
    row = _object(line, where)
    _check_keys(row, _KINDS, where)
    for key, kind in _KINDS.items():
        if type(row[key]) is not kind:
            raise DataError(f"'{key}' is {_name(row[key])}, not {kind.__name__}", where=where)
    if row["level"] not in LEVELS:
        raise DataError(f"level {row['level']}", where=where, hint=f"levels are {LEVELS[0]} to {LEVELS[-1]}")
    if not row["prompt"].endswith(f"\n{INDENT}"):
        raise DataError("the prompt does not end in a newline and four spaces", where=where)
    problem = Problem(**row | {"tests": tuple(_tests(row["tests"], where))})
    if not passes(f"{problem.prompt}{problem.solution}\n", problem.entry, problem.tests):
        raise DataError(f"the solution of '{problem.id}' does not pass its own tests", where=where)
    return problem


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8: {error.reason} at byte {error.start}", where=where) from None
    row = read_json(text, where)
    if not isinstance(row, dict):
        raise DataError(f"{_name(row)}, not an object", where=where)
    return row


def _tests(rows: list[Any], where: str) -> Iterator[Case]:
    if not rows:
        raise DataError("no tests", where=where)
    for number, row in enumerate(rows, 1):
        place = f"{where}: test {number}"
        if not isinstance(row, dict):
            raise DataError(f"{_name(row)}, not an object", where=place)
        _check_keys(row, ("args", "expected"), place)
        if not isinstance(row["args"], list):
            raise DataError(f"'args' is {_name(row['args'])}, not list", where=place)
        if not (_is_value(row["args"]) and _is_value(row["expected"])):
            raise DataError("an object among its values", where=place, hint="numbers, text, lists, true, false, null")
        yield Case(tuple(row["args"]), row["expected"])


def _check_keys(row: dict[str, Any], known: Iterable[str], where: str) -> None:
    for key in known:
        if key not in row:
            raise DataError(f"no key '{key}'", where=where)
    for key in row:
        if key not in known:
            raise DataError(f"unknown key '{key}'", where=where, hint=did_you_mean(key, known))


def _is_value(value: Any) -> bool:
    return all(map(_is_value, value)) if isinstance(value, list) else not isinstance(value, dict)


def _name(value: object) -> str:
    return "null" if value is None else type(value).__name__
