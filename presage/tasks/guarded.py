"""The operations of the interpreter: Python's own, each refused before it could take much time or memory.

Values are int, float, bool, str, None, list, tuple and range, and the iterators of enumerate, zip and reversed. A
number may have MAX_BITS bits, a text or list MAX_LENGTH items; looking at every item of a list costs a step each.
"""

from __future__ import annotations

import ast
import itertools
import operator
from collections.abc import Callable, Sequence
from typing import Any

MAX_BITS = 4096  # below the 4,300 digits at which int and str refuse each other
MAX_LENGTH = 10_000
MAX_DEPTH = 40  # calls within calls; each takes about ten frames of Python

SEQUENCES = (str, list, tuple)


class ProgramError(Exception):
    """Why a program did not return a value. A verdict on the program, no fault of whoever runs it.

    ProgramError
    ├── ProgramSyntaxError    not Python
    ├── ProgramRefused        Python, but not of the part that is interpreted
    ├── ProgramRuntimeError   an exception of Python's, named
    └── ProgramLimit          too many steps, too large a value, calls too deep
    """


class ProgramSyntaxError(ProgramError):
    """Not Python."""


class ProgramRefused(ProgramError):
    """Python, but not of the part that is interpreted."""


class ProgramRuntimeError(ProgramError):
    """An exception of Python's, named."""


class ProgramLimit(ProgramError):
    """Too many steps, too large a value, calls too deep."""


class Run:
    """What one call of a program has left to spend."""

    __slots__ = ("depth", "steps")

    def __init__(self, steps: int) -> None:
        self.steps, self.depth = steps, 0

    def spend(self, steps: int) -> None:
        """Raises ProgramLimit when nothing is left."""
        self.steps -= steps
        if self.steps < 0:
            raise ProgramLimit("too many steps")


Operation = Callable[[Run, Any, Any], Any]


def fitting(value: Any) -> Any:
    """The value itself. Raises ProgramLimit for one that is too large."""
    kind = type(value)
    if kind is int:
        if value.bit_length() > MAX_BITS:
            raise ProgramLimit(f"a number of {value.bit_length()} bits")
    elif kind in SEQUENCES and len(value) > MAX_LENGTH:
        raise ProgramLimit(f"{kind.__name__} of {len(value)} items")
    return value


def weigh(run: Run, *values: Any) -> None:
    """Spend a step for every item in lists and tuples, and in those within them, however often one is met."""
    waiting = [value for value in values if type(value) is list or type(value) is tuple]
    while waiting:
        value = waiting.pop()
        run.spend(len(value))
        waiting += [item for item in value if type(item) is list or type(item) is tuple]


def items(run: Run, value: Any) -> Any:
    """Something to iterate over whose items are paid for: the value, or a list of what an iterator has left."""
    if isinstance(value, str | range):
        run.spend(_length(value))
        return value
    if not isinstance(value, list | tuple):
        value = list(itertools.islice(iter(value), run.steps + 1))
    weigh(run, value)
    return value


def _length(value: str | range) -> int:
    try:
        return len(value)
    except OverflowError:
        raise ProgramLimit("a range too long") from None


# ---- operators -------------------------------------------------------------------------------------------------------


def multiply(run: Run, a: Any, b: Any) -> Any:
    """a * b; a sequence is not repeated beyond MAX_LENGTH."""
    for one, times in ((a, b), (b, a)):
        if isinstance(one, SEQUENCES) and isinstance(times, int) and len(one) * times > MAX_LENGTH:
            raise ProgramLimit(f"{type(one).__name__} of {len(one)} items {times} times")
    return fitting(a * b)


def power(run: Run, a: Any, b: Any) -> Any:
    """a ** b."""
    if isinstance(a, int) and isinstance(b, int) and abs(a) > 1 and a.bit_length() * b > 2 * MAX_BITS:
        raise ProgramLimit(f"a power of {b}")
    result = a**b
    if isinstance(result, complex):
        raise ProgramRefused("a complex number")
    return fitting(result)


def modulo(run: Run, a: Any, b: Any) -> Any:
    """a % b of numbers; % on text is formatting, whose width no limit would see."""
    if isinstance(a, str):
        raise ProgramRefused("formatting with %")
    return a % b


def contains(run: Run, a: Any, b: Any) -> bool:
    """a in b. Only a whole number is found in a range without looking at every item."""
    weigh(run, a, b)
    at_once = isinstance(b, str | list | tuple) or (isinstance(b, range) and isinstance(a, int))
    return operator.contains(b if at_once else items(run, b), a)


def _plain(function: Callable[[Any, Any], Any]) -> Operation:
    return lambda run, a, b: fitting(function(a, b))


def _comparing(function: Callable[[Any, Any], Any]) -> Operation:
    def compare(run: Run, a: Any, b: Any) -> Any:
        if type(a) is list or type(a) is tuple:
            weigh(run, a, b)
        return function(a, b)

    return compare


OPERATORS: dict[type[ast.operator], Operation] = {
    ast.Add: _plain(operator.add),
    ast.Sub: _plain(operator.sub),
    ast.Mult: multiply,
    ast.Div: _plain(operator.truediv),
    ast.FloorDiv: _plain(operator.floordiv),
    ast.Mod: modulo,
    ast.Pow: power,
}
COMPARISONS: dict[type[ast.cmpop], Operation] = {
    ast.Eq: _comparing(operator.eq),
    ast.NotEq: _comparing(operator.ne),
    ast.Lt: _comparing(operator.lt),
    ast.LtE: _comparing(operator.le),
    ast.Gt: _comparing(operator.gt),
    ast.GtE: _comparing(operator.ge),
    ast.In: contains,
    ast.NotIn: lambda run, a, b: not contains(run, a, b),
    ast.Is: lambda run, a, b: a is b,
    ast.IsNot: lambda run, a, b: a is not b,
}


def augmented(operation: type[ast.operator], run: Run, a: Any, b: Any) -> Any:
    """a += b and its like: a list grows in place, as every name for it shows."""
    if type(a) is list and operation in (ast.Add, ast.Mult):
        grown = a + list(items(run, b)) if operation is ast.Add else multiply(run, a, b)
        a[:] = fitting(grown)
        return a
    return OPERATORS[operation](run, a, b)


# ---- functions -------------------------------------------------------------------------------------------------------


def _sum(run: Run, values: Any, start: Any = 0) -> Any:
    values = items(run, values)
    if isinstance(start, str) or all(isinstance(value, int | float) for value in values):
        return fitting(sum(values, start))  # Python's own: its rounding, its errors
    for value in values:
        start = OPERATORS[ast.Add](run, start, value)
    return start


def _over_items(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one iterable, which is paid for."""
    return lambda run, *values: fitting(function(*(items(run, value) for value in values)))


def _extreme(function: Callable[..., Any]) -> Callable[..., Any]:
    def choose(run: Run, *values: Any) -> Any:
        if len(values) == 1:
            return function(items(run, values[0]))
        weigh(run, *values)
        return function(*values)

    return choose


def _plainly(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda run, *values: fitting(function(*values))


def _looking(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that looks into its arguments, however deep."""

    def call(run: Run, *values: Any) -> Any:
        weigh(run, *values)
        return fitting(function(*values))

    return call


def _join(run: Run, separator: str, values: Any) -> str:
    parts = list(items(run, values))
    if sum(len(part) + len(separator) for part in parts if isinstance(part, str)) > 2 * MAX_LENGTH:
        raise ProgramLimit("a text too long")
    return str(fitting(separator.join(parts)))


def _replace(run: Run, text: str, *values: Any) -> str:
    if len(values) >= 2 and isinstance(values[0], str) and isinstance(values[1], str):
        grown = len(text) + text.count(values[0]) * (len(values[1]) - len(values[0]))
        if grown > MAX_LENGTH:
            raise ProgramLimit(f"str of {grown} items")
    return text.replace(*values)


def _extend(run: Run, into: list[Any], values: Any) -> None:
    added = list(items(run, values))
    fitting(into + added)
    into.extend(added)


BUILTINS: dict[str, Callable[..., Any]] = {
    **{name: _plainly(kind) for name, kind in (("abs", abs), ("bool", bool), ("float", float), ("int", int))},
    **{name: _plainly(kind) for name, kind in (("len", len), ("range", range), ("reversed", reversed))},
    **{name: _over_items(kind) for name, kind in (("all", all), ("any", any), ("list", list), ("tuple", tuple))},
    "enumerate": _plainly(enumerate),
    "max": _extreme(max),
    "min": _extreme(min),
    "sorted": _over_items(sorted),
    "str": _looking(str),
    "sum": _sum,
    "zip": _plainly(zip),
}
_STR = "upper lower strip lstrip rstrip split count find index startswith endswith title capitalize swapcase isdigit"
_STR += " isalpha isupper islower isspace isalnum removeprefix removesuffix"
METHODS: dict[type, dict[str, Callable[..., Any]]] = {
    str: {name: _plainly(getattr(str, name)) for name in _STR.split()} | {"join": _join, "replace": _replace},
    list: {name: _plainly(getattr(list, name)) for name in ("append", "clear", "copy", "insert", "pop", "reverse")}
    | {name: _looking(getattr(list, name)) for name in ("count", "index", "remove", "sort")}
    | {"extend": _extend},
    tuple: {name: _looking(getattr(tuple, name)) for name in ("count", "index")},
}
METHOD_NAMES = frozenset(itertools.chain.from_iterable(METHODS.values()))


def call_method(run: Run, name: str, receiver: Any, values: Sequence[Any]) -> Any:
    """receiver.name(*values). Raises ProgramRefused for a method outside METHODS that Python has."""
    method = METHODS.get(type(receiver), {}).get(name)
    if method is None:
        if hasattr(receiver, name):
            raise ProgramRefused(f"the method {type(receiver).__name__}.{name}")
        raise AttributeError(f"'{type(receiver).__name__}' object has no attribute '{name}'")
    result = method(run, receiver, *values)
    if type(receiver) is list:
        fitting(receiver)
    return result
