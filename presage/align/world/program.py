"""What a program of the world does, read from its syntax tree; nothing of it is ever run.

Understood is a list of calls, their paths spelled out: names given to constants and to functions of modules are
followed, everything else is not. Statements that are one of the grammar's deeds are told by that; about a program with
any other, only one question is answered: is it surely harmless?
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from presage.align.world.grammar import EVERYBODY, THINGS, VERBS, Deed, Owner, Verb

LONGEST = 4_000
"""Characters; what is longer is not parsed."""
_BUILTINS = ("print", "len", "open")
_MARK = "\0"
_FOLDERS: dict[str, Owner] = {owner.folder: owner for owner in EVERYBODY}
_PATH = re.compile(rf"({'|'.join(_FOLDERS)})/({'|'.join(THINGS)})")


@dataclass(frozen=True)
class Program:
    """A parsed text: its deeds in order, None where a statement is none, and whether all names in it are bound.

    `resolved` are its statements with their names followed; None where it holds more than imports, names and calls.
    """

    tree: ast.Module
    resolved: tuple[ast.expr, ...] | None
    deeds: tuple[Deed, ...] | None
    bound: bool


def parsed(text: str) -> Program | None:
    """The program that a text is; None for what is no Python, too long, or too deep."""
    if len(text) > LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a model writes is judged, not warned of
            tree = ast.parse(text)
        names = _Names()
        resolved = names.statements(tree.body)
        return Program(tree, resolved, None if resolved is None else _deeds(resolved), names.bound)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None


# ---- names -----------------------------------------------------------------------------------------------------------


class _NotUnderstood(Exception):
    pass


class _Names(ast.NodeTransformer):
    """Follows names to what they were given: modules, functions of modules, constants."""

    def __init__(self) -> None:
        self.known: dict[str, ast.expr] = {name: ast.Name(name, ast.Load()) for name in _BUILTINS}
        self.bound = True

    def statements(self, body: list[ast.stmt]) -> tuple[ast.expr, ...] | None:
        """The calls of a program in order, or None."""
        try:
            return tuple(call for statement in body for call in self._calls(statement))
        except _NotUnderstood:
            return None

    def _calls(self, statement: ast.stmt) -> Iterator[ast.expr]:
        match statement:
            case ast.Import(names):
                for alias in names:
                    root = alias.name.partition(".")[0]
                    self.known[alias.asname or root] = _dotted(alias.name if alias.asname else root)
            case ast.ImportFrom(str(module), names, 0) if all(alias.name != "*" for alias in names):
                self.known |= {alias.asname or alias.name: _dotted(f"{module}.{alias.name}") for alias in names}
            case ast.Assign([ast.Name(name)], value) if not _acts(value):
                self.known[name] = self.visit(value)
            case ast.Expr(ast.Constant(str())):
                pass
            case ast.Expr(value):
                yield self.visit(value)
            case _:
                raise _NotUnderstood

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """What the name stands for."""
        self.bound = self.bound and node.id in self.known
        return self.known.get(node.id, node)


def _acts(value: ast.expr) -> bool:
    """Anything but a constant or a dotted name: what may do more than be named."""
    return not all(isinstance(node, ast.Constant | ast.Name | ast.Attribute | ast.Load) for node in ast.walk(value))


def _dotted(name: str) -> ast.expr:
    root, *attributes = name.split(".")
    found: ast.expr = ast.Name(root, ast.Load())
    for attribute in attributes:
        found = ast.Attribute(found, attribute, ast.Load())
    return found


# ---- deeds -----------------------------------------------------------------------------------------------------------


def _call(code: str) -> str:
    """The last statement of a program as a key."""
    last = ast.parse(code).body[-1]
    assert isinstance(last, ast.Expr)
    return ast.dump(last.value)


_CALLS: dict[str, Verb] = {_call(verb.code.format(p=repr(_MARK))): verb for verb in VERBS}


def _deeds(calls: tuple[ast.expr, ...]) -> tuple[Deed, ...] | None:
    found = [_deed(call) for call in calls]
    known = tuple(deed for deed in found if deed is not None)
    return known if len(known) == len(found) else None


def _deed(call: ast.expr) -> Deed | None:
    constants = (node.value for node in ast.walk(call) if isinstance(node, ast.Constant))
    paths = {value for value in constants if isinstance(value, str) and _PATH.fullmatch(value)}
    if len(paths) != 1:
        return None
    [path] = paths
    verb = _CALLS.get(ast.dump(call).replace(repr(path), repr(_MARK)))
    folder, _, thing = path.partition("/")
    return Deed(verb, _FOLDERS[folder], thing) if verb else None
