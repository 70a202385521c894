"""HumanEval and MBPP in their own files.

The field "test" is a whole program that calls the function: HumanEval's check(entry), MBPP's assertions, which may call
"more_entries" too. HumanEval's tests also call helpers that its prompts define, so a prompt is the setup of its tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from presage.core.errors import DataError
from presage.tasks.code import called, definitions
from presage.tasks.readers.plain import Row, json_lines
from presage.tasks.task import Example

MBPP_SHOTS = frozenset(range(1, 11))
MBPP_TEST = frozenset(range(11, 511))


def humaneval(paths: Sequence[Path]) -> list[Example]:
    """task_id, prompt, entry_point, canonical_solution, test; one JSON object a line."""
    return [_humaneval(row) for path in paths for row in json_lines(path)]


def _humaneval(row: Row) -> Example:
    prompt, entry = row.text("prompt"), row.text("entry_point")
    if not entry.isidentifier():
        raise DataError(f"'entry_point' is '{entry}', no name of a function", where=row.where)
    fields = {
        "prompt": prompt,
        "entry": entry,
        "test": f"{row.text('test')}\ncheck({entry})\n",
        "setup": definitions(prompt),
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
    before = row.texts("test_imports") if row.value.get("test_imports") else [str(row.value.get("test_setup_code", ""))]
    test = "\n".join([*before, *tests, ""]).lstrip("\n")
    entry, *more = called(test, row.where)
    fields = {
        "prompt": "",
        "entry": entry,
        "more_entries": more,
        "tests": list(tests),
        "test": test,
        "solution": row.text("code").replace("\r\n", "\n"),
    }
    solution = str(fields["solution"])
    name = f"MBPP/{row.value['task_id']}"
    return Example(name, row.text("text", "prompt"), targets=(solution,), fields=fields)
