"""Programs of a small part of Python, run by our own evaluator: nothing of a program ever reaches exec or eval.

A program is `def`s with plain positional arguments. Inside: return, assignment (also augmented, to several names, to an
item), if/elif/else, while, for, break, continue, pass; numbers, text, lists, tuples, None; arithmetic, comparisons,
boolean operators, ternaries, indices, slices, list comprehensions; calls of BUILTINS, of METHODS and of the program's
own functions. Anything else in the source, reached or not, is refused.

A source is parsed once and turned into closures (closures.py), whose operations have limits (guarded.py).
"""

from __future__ import annotations

import ast
import functools
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

from presage.tasks.closures import Function, Node, refusal
from presage.tasks.guarded import (
    MAX_DEPTH,
    ProgramError,
    ProgramLimit,
    ProgramRefused,
    ProgramRuntimeError,
    ProgramSyntaxError,
    Run,
)

__all__ = ["ProgramError", "ProgramLimit", "ProgramRefused", "ProgramRuntimeError", "ProgramSyntaxError"]
__all__ += ["passes", "run_function"]

MAX_SOURCE = 4_000  # characters


def run_function(source: str, entry: str, args: Sequence[Any], *, max_steps: int = 2000) -> Any:
    """What `entry(*args)` returns. A step is a statement, a turn of a loop, a call, an item looked at.

    Arguments are copied; a program cannot change the caller's. Raises ProgramSyntaxError, ProgramRefused,
    ProgramRuntimeError or ProgramLimit.
    """
    try:
        program = _program(source)
        return program.call(entry, [_copied(arg) for arg in args], Run(max_steps))
    except (RecursionError, MemoryError):
        raise ProgramLimit("nested too deeply") from None
    except (ArithmeticError, AttributeError, LookupError, NameError, TypeError, ValueError) as error:
        raise ProgramRuntimeError(f"{type(error).__name__}: {error}") from None


def passes(source: str, entry: str, tests: Iterable[tuple[Sequence[Any], Any]], *, max_steps: int = 2000) -> bool:
    """Whether every (args, expected) holds, types included: True is not 1. No tests prove nothing: False."""
    tested = False
    try:
        for args, expected in tests:
            tested = True
            if not same(run_function(source, entry, args, max_steps=max_steps), expected):
                return False
    except ProgramError:
        return False
    return tested


def same(value: Any, expected: Any) -> bool:
    """Equal in type and value, items of lists and tuples too."""
    if type(value) is not type(expected):
        return False
    if isinstance(expected, list | tuple):
        return len(value) == len(expected) and all(map(same, value, expected))
    return bool(value == expected)


def _copied(value: Any) -> Any:
    return type(value)(map(_copied, value)) if isinstance(value, list | tuple) else value


# ---- programs --------------------------------------------------------------------------------------------------------


class _Program:
    """The functions of one source."""

    def __init__(self, tree: ast.Module) -> None:
        self.names: dict[str, list[str]] = {}
        self.bodies: dict[str, Node] = {}
        functions = [statement for statement in tree.body if not _is_text(statement)]
        known = frozenset(statement.name for statement in functions if isinstance(statement, ast.FunctionDef))
        for statement in functions:
            if not isinstance(statement, ast.FunctionDef):
                raise refusal(statement, "outside a function")
            self.names[statement.name] = names = _arguments(statement)
            self.bodies[statement.name] = Function(self.call, known, names, statement.body).body

    def call(self, name: str, args: list[Any], run: Run) -> Any:
        """The value of a call. NameError and TypeError as Python raises them."""
        if name not in self.bodies:
            raise NameError(f"name '{name}' is not defined")
        names = self.names[name]
        if len(args) != len(names):
            raise TypeError(f"{name}() takes {len(names)} arguments but {len(args)} were given")
        run.spend(1)
        run.depth += 1
        if run.depth > MAX_DEPTH:
            raise ProgramLimit("calls too deep")
        outcome = self.bodies[name](dict(zip(names, args, strict=True)), run)
        run.depth -= 1
        return outcome[0] if outcome else None


@functools.lru_cache(maxsize=256)
def _program(source: str) -> _Program:
    if len(source) > MAX_SOURCE:
        raise ProgramLimit(f"a source of {len(source)} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes and the like are no matter of ours
            tree = ast.parse(source)
    except (SyntaxError, ValueError, OverflowError) as error:
        raise ProgramSyntaxError(str(error)) from None
    return _Program(tree)


def _arguments(function: ast.FunctionDef) -> list[str]:
    a = function.args
    other = [a.posonlyargs, a.vararg, a.kwonlyargs, a.kwarg, a.defaults, function.decorator_list, function.returns]
    if any([*other, getattr(function, "type_params", None), *(arg.annotation for arg in a.args)]):
        raise refusal(function, "with more than plain arguments")
    names = [arg.arg for arg in a.args]
    if len(set(names)) < len(names):
        raise ProgramSyntaxError(f"duplicate argument in the definition of {function.name}")
    return names


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
