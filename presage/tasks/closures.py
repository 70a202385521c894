"""Syntax nodes as Python closures: each statement and expression becomes one function of (names, run).

What a statement's closure returns says how its block goes on: None, _BREAK, _CONTINUE, or (returned value,).
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from presage.tasks.guarded import (
    BUILTINS,
    COMPARISONS,
    METHOD_NAMES,
    OPERATORS,
    ProgramLimit,
    ProgramRefused,
    ProgramSyntaxError,
    Run,
    augmented,
    call_method,
    fitting,
    items,
)

Names = dict[str, Any]
Node = Callable[[Names, Run], Any]
Call = Callable[[str, list[Any], Run], Any]
_BREAK, _CONTINUE = ("break",), ("continue",)  # told from a returned value by identity
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: lambda value: -value,
    ast.UAdd: lambda value: +value,
    ast.Not: lambda value: not value,
}
_REFUSED_NAMES = frozenset(dir(builtins)) - BUILTINS.keys()


def refusal(node: ast.AST, where: str = "") -> ProgramRefused:
    """The error for a node that is not interpreted: its line, its kind and what about it."""
    return ProgramRefused(f"line {getattr(node, 'lineno', '?')}: {type(node).__name__} {where}".rstrip())


class Function:
    """The closures of one function: `_If` makes that of an ast.If, and so on by name; nodes that have none are refused.

    `call(name, args, run)` calls a function of the program, of which there are those in `known`.
    """

    def __init__(self, call: Call, known: frozenset[str], arguments: list[str], body: list[ast.stmt]) -> None:
        self.call, self.known = call, known
        self.locals = {*arguments, *_assigned(body)}
        self.loops = 0
        self.body = self.block(body)

    def block(self, statements: list[ast.stmt]) -> Node:
        """Statements one after another, a step each."""
        nodes = [self.node(statement) for statement in statements]

        def run_block(names: Names, run: Run) -> Any:
            for node in nodes:
                run.steps -= 1
                if run.steps < 0:
                    raise ProgramLimit("too many steps")
                outcome = node(names, run)
                if outcome is not None:
                    return outcome
            return None

        return run_block

    def node(self, node: ast.AST) -> Node:
        """The closure of a statement or expression."""
        make = getattr(self, f"_{type(node).__name__}", None)
        if make is None:
            raise refusal(node)
        made: Node = make(node)
        return made

    def nodes(self, nodes: Iterable[ast.AST]) -> list[Node]:
        """The closures of several."""
        return [self.node(node) for node in nodes]

    # ---- statements

    def _Return(self, node: ast.Return) -> Node:
        if node.value is None:
            return lambda names, run: (None,)
        value = self.node(node.value)
        return lambda names, run: (value(names, run),)

    def _Expr(self, node: ast.Expr) -> Node:
        value = self.node(node.value)

        def evaluate(names: Names, run: Run) -> None:
            value(names, run)

        return evaluate

    def _Pass(self, node: ast.Pass) -> Node:
        return lambda names, run: None

    def _Break(self, node: ast.Break) -> Node:
        return self._jump("break", _BREAK)

    def _Continue(self, node: ast.Continue) -> Node:
        return self._jump("continue", _CONTINUE)

    def _jump(self, word: str, outcome: tuple[str]) -> Node:
        if not self.loops:
            raise ProgramSyntaxError(f"'{word}' outside loop")
        return lambda names, run: outcome

    def _Assign(self, node: ast.Assign) -> Node:
        value = self.node(node.value)
        targets = [self.target(target) for target in node.targets]

        def assign(names: Names, run: Run) -> None:
            result = value(names, run)
            for target in targets:
                target(names, run, result)

        return assign

    def _AugAssign(self, node: ast.AugAssign) -> Node:
        if type(node.op) not in OPERATORS:
            raise refusal(node.op)
        operation, value = type(node.op), self.node(node.value)
        if isinstance(node.target, ast.Name):
            old, target = self._Name(node.target), self.target(node.target)

            def change(names: Names, run: Run) -> None:
                target(names, run, augmented(operation, run, old(names, run), value(names, run)))

            return change
        if not isinstance(node.target, ast.Subscript) or isinstance(node.target.slice, ast.Slice):
            raise refusal(node.target)
        owner, index = self.nodes([node.target.value, node.target.slice])

        def change_item(names: Names, run: Run) -> None:
            of, at = owner(names, run), index(names, run)
            of[at] = augmented(operation, run, of[at], value(names, run))

        return change_item

    def target(self, node: ast.expr) -> Callable[[Names, Run, Any], None]:
        """What stores a value: in a name, in an item, or one each in several."""
        if isinstance(node, ast.Name):
            return lambda names, run, value, name=node.id: names.__setitem__(name, value)  # type: ignore[misc]
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Slice):
            owner, index = self.nodes([node.value, node.slice])
            return lambda names, run, value: owner(names, run).__setitem__(index(names, run), value)
        if not isinstance(node, ast.Tuple | ast.List):
            raise refusal(node)
        targets = [self.target(inner) for inner in node.elts]

        def unpack(names: Names, run: Run, value: Any) -> None:
            values = list(items(run, value))
            if len(values) != len(targets):
                raise ValueError(f"{len(values)} values to unpack into {len(targets)}")
            for inner, part in zip(targets, values, strict=True):
                inner(names, run, part)

        return unpack

    def _If(self, node: ast.If) -> Node:
        test, body, orelse = self.node(node.test), self.block(node.body), self.block(node.orelse)
        return lambda names, run: (body if test(names, run) else orelse)(names, run)

    def _While(self, node: ast.While) -> Node:
        test = self.node(node.test)
        # Over the True of its test, until that is False: so one loop does for both statements.
        return self._loop(node, lambda names, run: iter(lambda: bool(test(names, run)), False), _nowhere)

    def _For(self, node: ast.For) -> Node:
        return self._loop(node, self.node(node.iter), self.target(node.target))

    def _loop(self, node: ast.While | ast.For, over: Node, target: Callable[[Names, Run, Any], None]) -> Node:
        """The body, once for each value of `over`, which `target` stores."""
        if node.orelse:
            raise refusal(node, "with else")
        self.loops += 1
        body = self.block(node.body)
        self.loops -= 1

        def repeat(names: Names, run: Run) -> Any:
            for value in over(names, run):
                run.spend(1)
                target(names, run, value)
                outcome = body(names, run)
                if outcome is _BREAK:
                    break
                if outcome is not None and outcome is not _CONTINUE:
                    return outcome
            return None

        return repeat

    # ---- expressions

    def _Constant(self, node: ast.Constant) -> Node:
        value = node.value
        if not (value is None or isinstance(value, bool | int | float | str)):
            raise refusal(node, type(value).__name__)
        fitting(value)
        return lambda names, run: value

    def _Name(self, node: ast.Name) -> Node:
        name = node.id
        if name not in self.locals:
            if name in self.known or name in BUILTINS or name in _REFUSED_NAMES:
                raise refusal(node, name)
            return _undefined(name)

        def look_up(names: Names, run: Run) -> Any:
            try:
                return names[name]
            except KeyError:
                raise NameError(f"name '{name}' has no value yet") from None

        return look_up

    def _List(self, node: ast.List) -> Node:
        parts = self.nodes(node.elts)
        return lambda names, run: [part(names, run) for part in parts]

    def _Tuple(self, node: ast.Tuple) -> Node:
        parts = self.nodes(node.elts)
        return lambda names, run: tuple([part(names, run) for part in parts])

    def _BinOp(self, node: ast.BinOp) -> Node:
        if type(node.op) not in OPERATORS:
            raise refusal(node.op)
        operation, (left, right) = OPERATORS[type(node.op)], self.nodes([node.left, node.right])
        return lambda names, run: operation(run, left(names, run), right(names, run))

    def _UnaryOp(self, node: ast.UnaryOp) -> Node:
        if type(node.op) not in _UNARY:
            raise refusal(node.op)
        operation, operand = _UNARY[type(node.op)], self.node(node.operand)
        return lambda names, run: operation(operand(names, run))

    def _BoolOp(self, node: ast.BoolOp) -> Node:
        stops_at = isinstance(node.op, ast.Or)
        *first, last = self.nodes(node.values)

        def decide(names: Names, run: Run) -> Any:
            for part in first:
                value = part(names, run)
                if bool(value) is stops_at:
                    return value
            return last(names, run)

        return decide

    def _Compare(self, node: ast.Compare) -> Node:
        for op, right in zip(node.ops, node.comparators, strict=True):
            constant = isinstance(right, ast.Constant) and (right.value is None or isinstance(right.value, bool))
            if isinstance(op, ast.Is | ast.IsNot) and not constant:
                raise refusal(op, "but for None, True and False")
        left = self.node(node.left)
        rest = [(COMPARISONS[type(op)], self.node(n)) for op, n in zip(node.ops, node.comparators, strict=True)]

        def compare(names: Names, run: Run) -> Any:
            one, result = left(names, run), True
            for comparison, right in rest:
                other = right(names, run)
                result = comparison(run, one, other)
                if not result:
                    break
                one = other
            return result

        return compare

    def _IfExp(self, node: ast.IfExp) -> Node:
        test, body, orelse = self.nodes([node.test, node.body, node.orelse])
        return lambda names, run: (body if test(names, run) else orelse)(names, run)

    def _Subscript(self, node: ast.Subscript) -> Node:
        owner, index = self.nodes([node.value, node.slice])
        return lambda names, run: owner(names, run)[index(names, run)]

    def _Slice(self, node: ast.Slice) -> Node:
        bounds = [self.node(bound) if bound else _nothing for bound in (node.lower, node.upper, node.step)]
        return lambda names, run: slice(*[bound(names, run) for bound in bounds])

    def _Call(self, node: ast.Call) -> Node:
        if node.keywords:
            raise refusal(node, "with keywords")
        args = self.nodes(node.args)
        if isinstance(node.func, ast.Attribute):
            return self._method(node.func, args)
        if not isinstance(node.func, ast.Name):
            raise refusal(node.func, "called")
        name = node.func.id
        if name in self.locals or not (name in self.known or name in BUILTINS):
            value = self._Name(node.func)
            return lambda names, run: _uncallable(value(names, run))
        if name in self.known:
            call = self.call
            return lambda names, run: call(name, [arg(names, run) for arg in args], run)
        function = BUILTINS[name]
        return lambda names, run: function(run, *[arg(names, run) for arg in args])

    def _method(self, node: ast.Attribute, args: list[Node]) -> Node:
        name, owner = node.attr, self.node(node.value)
        if name not in METHOD_NAMES:
            raise refusal(node, name)
        return lambda names, run: call_method(run, name, owner(names, run), [arg(names, run) for arg in args])

    def _ListComp(self, node: ast.ListComp) -> Node:
        outside = self.locals
        hidden = set(_assigned([generator.target for generator in node.generators]))
        first = self.node(node.generators[0].iter)  # in Python too evaluated outside
        self.locals = outside | hidden
        levels = [self._generator(g, self.node(g.iter) if place else first) for place, g in enumerate(node.generators)]
        element = self.node(node.elt)
        self.locals = outside

        def fill(into: list[Any], depth: int, values: Any, names: Names, run: Run) -> None:
            _, target, tests = levels[depth]
            for value in values:
                run.spend(1)
                target(names, run, value)
                if not all(test(names, run) for test in tests):
                    continue
                if depth + 1 < len(levels):
                    fill(into, depth + 1, levels[depth + 1][0](names, run), names, run)
                else:
                    into.append(element(names, run))

        def comprehend(names: Names, run: Run) -> list[Any]:
            made: list[Any] = []
            own = {name: value for name, value in names.items() if name not in hidden}
            fill(made, 0, first(names, run), own, run)
            return made

        return comprehend

    def _generator(self, node: ast.comprehension, over: Node) -> tuple[Node, Callable[..., None], list[Node]]:
        if node.is_async:
            raise refusal(node, "async")
        return over, self.target(node.target), self.nodes(node.ifs)


def _assigned(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Names that are local because they are assigned to; those of a comprehension are its own."""
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, ast.ListComp):
            yield from _assigned(ast.iter_child_nodes(node))


def _undefined(name: str) -> Node:
    def look_up(names: Names, run: Run) -> Any:
        raise NameError(f"name '{name}' is not defined")

    return look_up


def _nothing(names: Names, run: Run) -> None:
    """A bound of a slice that is left out."""


def _nowhere(names: Names, run: Run, value: Any) -> None:
    """Where a while loop stores that it goes on."""


def _uncallable(value: Any) -> Any:
    raise TypeError(f"'{type(value).__name__}' object is not callable")
