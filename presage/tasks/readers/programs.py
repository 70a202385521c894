"""HumanEval and MBPP in their own files.

The field "test" is a whole program that calls the function: HumanEval's check(entry), MBPP's assertions, which may call
"more_entries" too. HumanEval's tests also call helpers that its prompts define, so a prompt is the setup of its tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from presage.core.errors import DataError
from presage.tasks import code
from presage.tasks.readers.rows import Row, json_rows
from presage.tasks.task import Example

MBPP_SHOTS = frozenset(range(1, 11))
MBPP_TEST = frozenset(range(11, 511))


def humaneval(paths: Sequence[Path]) -> list[Example]:
    """task_id, prompt, entry_point, canonical_solution, test; one JSON object a line."""
    return [_humaneval(row) for path in paths for row in json_rows(path)]


def _humaneval(row: Row) -> Example:
    problem, solution = code.humaneval(row), row.of(str, "canonical_solution")
    fields = {
        "prompt": problem.prompt,
        "entry": problem.entries[0],
        "test": problem.test,
        "setup": problem.setup,
        "solution": solution,
    }
    return Example(problem.id, problem.prompt, targets=(solution,), fields=fields)


def mbpp(paths: Sequence[Path]) -> list[Example]:
    """Problems 11 to 510, the test split of the 974 in mbpp.jsonl."""
    return _mbpp(paths, MBPP_TEST)


def mbpp_shots(paths: Sequence[Path]) -> list[Example]:
    """Problems 1 to 10, which the paper keeps for prompts."""
    return _mbpp(paths, MBPP_SHOTS)


def _mbpp(paths: Sequence[Path], wanted: frozenset[int]) -> list[Example]:
    rows = [row for path in paths for row in json_rows(path)]
    found = [_problem(row) for row in rows if row.of(int, "task_id") in wanted]
    if not found:
        where = f"{min(wanted)} to {max(wanted)}"
        raise DataError(f"none of the problems {where}", where=paths[0])
    return found


def _problem(row: Row) -> Example:
    problem = code.mbpp(row)
    entry, *more = problem.entries
    solution = row.text("code").replace("\r\n", "\n")
    fields = {
        "prompt": "",
        "entry": entry,
        "more_entries": more,
        "tests": list(row.texts("test_list", 1)),
        "test": problem.test,
        "solution": solution,
    }
    return Example(f"MBPP/{problem.id}", row.text("text", "prompt"), targets=(solution,), fields=fields)
