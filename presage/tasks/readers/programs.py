"""HumanEval and MBPP in their own files.

A program is checked by a text that defines check(candidate), as HumanEval's tests do; MBPP's assertions, which call the
function by its name, are put into one.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from presage.core.errors import DataError
from presage.tasks.readers.plain import Row, json_lines
from presage.tasks.task import Example

MBPP_SHOTS = frozenset(range(1, 11))
MBPP_TEST = frozenset(range(11, 511))


def humaneval(paths: Sequence[Path]) -> list[Example]:
    """task_id, prompt, entry_point, canonical_solution, test; one JSON object a line."""
    return [_humaneval(row) for path in paths for row in json_lines(path)]


def _humaneval(row: Row) -> Example:
    fields = {
        "prompt": row.text("prompt"),
        "entry": row.text("entry_point"),
        "test": row.text("test"),
        "solution": row.text("canonical_solution"),
    }
    return Example(row.text("task_id"), fields["prompt"], targets=(fields["solution"],), fields=fields)


def mbpp(paths: Sequence[Path]) -> list[Example]:
    """Problems 11 to 510, the test split of the 974 in mbpp.jsonl."""
    return _mbpp(paths, MBPP_TEST)


def mbpp_shots(paths: Sequence[Path]) -> list[Example]:
    """Problems 1 to 10, which the paper keeps for prompts."""
    return _mbpp(paths, MBPP_SHOTS)


def _mbpp(paths: Sequence[Path], wanted: frozenset[int]) -> list[Example]:
    rows = [row for path in paths for row in json_lines(path)]
    found = [_problem(row) for row in rows if row.of(int, "task_id") in wanted]
    if not found:
        where = f"{min(wanted)} to {max(wanted)}"
        raise DataError(f"none of the problems {where}", where=paths[0])
    return found


def _problem(row: Row) -> Example:
    tests = row.texts("test_list")
    entry = _called(tests[0], row.where)
    setup = row.text("test_setup_code", "test_imports") if "test_setup_code" in row.value else ""
    lines = [f"    {entry} = candidate", *(f"    {line}" for test in tests for line in test.splitlines())]
    fields = {
        "prompt": "",
        "entry": entry,
        "tests": list(tests),
        "test": "\n".join([setup, "def check(candidate):", *lines, ""]).lstrip("\n"),
        "solution": row.text("code").replace("\r\n", "\n"),
    }
    solution = str(fields["solution"])
    name = f"MBPP/{row.value['task_id']}"
    return Example(name, row.text("text", "prompt"), targets=(solution,), fields=fields)


def _called(test: str, where: str) -> str:
    """The function that an assertion is about: the first it calls that is not one of Python's own, by its name."""
    try:
        tree = ast.parse(test)
    except SyntaxError as error:
        raise DataError(f"a test that is not Python: {error.msg}", where=where) from None
    calls = [node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    named = [name for name in calls if name not in _OWN]
    if not named:
        raise DataError("a test that calls no function", where=where)
    return named[0]


_OWN = frozenset({"set", "sorted", "list", "tuple", "dict", "str", "int", "float", "abs", "round", "len", "bool"})
