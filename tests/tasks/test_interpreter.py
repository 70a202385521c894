"""The interpreter: equal to real Python, and closed to everything else."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.tasks.interpreter import (
    ProgramError,
    ProgramLimit,
    ProgramRefused,
    ProgramRuntimeError,
    ProgramSyntaxError,
    passes,
    run_function,
)
from tests.imports import sources
from tests.tasks import programs
from tests.tasks.real_python import shown

RUNNER = Path(__file__).with_name("real_python.py")
Tests = list[tuple[list[Any], Any]]


def real(cases: list[tuple[str, str, Tests]], folder: Path) -> list[tuple[bool, list[str]]]:
    """Real Python's verdicts and outcomes, from one process of its own."""
    rows = [{"source": source, "entry": entry, "tests": tests} for source, entry, tests in cases]
    command = [sys.executable, "-I", str(RUNNER)]
    done = subprocess.run(
        command, input=json.dumps(rows), cwd=folder, env={}, capture_output=True, text=True, timeout=300, check=True
    )
    return [(verdict, outcomes) for verdict, outcomes in json.loads(done.stdout)]


def ours(source: str, entry: str, args: list[Any]) -> str:
    try:
        return shown(run_function(source, entry, args))
    except ProgramError as error:
        return "error" if isinstance(error, ProgramSyntaxError | ProgramRuntimeError) else type(error).__name__


BEYOND = ("ProgramRefused", "ProgramLimit")  # where real Python may go on; the verdict has to be the same


def body(text: str) -> str:
    return f"def f(x):\n    {text}\n"


def differences(cases: list[tuple[str, str, Tests]], folder: Path) -> list[str]:
    found = []
    for (source, entry, tests), (verdict, outcomes) in zip(cases, real(cases, folder), strict=True):
        mine = [ours(source, entry, args) for args, _ in tests]
        agree = all(one in (other, *BEYOND) for one, other in zip(mine, outcomes, strict=True))
        if passes(source, entry, tests) is not verdict or not agree:
            found.append(f"{source}\nours {passes(source, entry, tests)} {mine}\nreal {verdict} {outcomes}\n")
    return found


# ---- equal to real Python --------------------------------------------------------------------------------------------


def correct_and_changed(count: int) -> list[tuple[str, str, Tests]]:
    chance = random.Random(1)
    cases: list[tuple[str, str, Tests]] = []
    for problem in programs.problems(count, 0):
        tests: Tests = [(list(args), expected) for args, expected in problem.tests]
        bodies = (problem.solution, programs.changed(problem.solution, chance))
        cases += [(f"{problem.prompt}{text}\n", problem.entry, tests) for text in bodies]
    return cases


def by_chance(count: int) -> list[tuple[str, str, Tests]]:
    """What we return is what is expected, so that real Python has to agree; an error of ours expects None."""
    cases: list[tuple[str, str, Tests]] = []
    for seed in range(count):
        source, tests = programs.by_chance(seed), []
        for args in programs.ARGS:
            try:
                value = run_function(source, "f", args)
                tests.append((args, json.loads(json.dumps(value))))
            except (ProgramError, TypeError):  # TypeError: an iterator, which JSON does not know
                tests.append((args, None))
        cases.append((source, "f", tests))
    return cases


def test_verdicts_and_values_are_real_pythons_on_1000_programs(tmp_path: Path) -> None:
    cases = [*correct_and_changed(330), *by_chance(340)]
    assert len(cases) == 1000
    assert differences(cases, tmp_path) == []
    assert 400 < sum(passes(*case) for case in cases) < 800  # neither verdict comes for nothing
    outcomes = [ours(source, entry, args) for source, entry, tests in cases for args, _ in tests]
    assert sum(outcome in BEYOND for outcome in outcomes) < 0.02 * len(outcomes)


STATEMENTS = {
    "floor division": "return (-7 // 2, -7 % 3, 7 / 2, 2 ** -1, 2 ** 10, 0 ** 0)",
    "chain": "return (1 < 2 < 3, 1 < 3 < 2, 3 > 2 == 2, 1 in [1] in [[1]])",
    "boolean values": "return (0 or 'a', 'a' and 0, not [], None or [] or 0)",
    "bool is a number": "return (True + True, True == 1, [1] == [True], -True, 'a' * True)",
    "swap": "a, b = 1, 2\n    a, b = b, a\n    return [a, b]",
    "nested unpacking": "(a, [b, c]) = 1, 'xy'\n    return [a, b, c]",
    "several targets": "a = b = [1]\n    a.append(2)\n    return b",
    "alias grows": "a = [1]\n    b = a\n    b += 'ab'\n    return a",
    "alias of text does not": "a = 'a'\n    b = a\n    b += 'b'\n    return a",
    "item changes": "a = [1, 2]\n    a[0] += 5\n    a[-1] *= 3\n    return a",
    "item of a text": "a = 'ab'\n    a[0] = 'c'\n    return a",
    "list times list": "a = [1]\n    a *= 3\n    return a",
    "used before assignment": "y = sum\n    sum = 1\n    return y",
    "own name hides a builtin": "sum = 3\n    return sum",
    "builtin hidden too late": "y = sum([1])\n    sum = 3\n    return y",
    "comprehension keeps its names": "i = 7\n    a = [i for i in range(3)]\n    return (i, a)",
    "comprehension sees outer names": "k = 2\n    return [[k * j for j in range(i)] for i in range(3)]",
    "comprehension name before it is bound": "return [j for i in [1] if j for j in [2]]",
    "first iterable is outside": "x = [1, 2]\n    return [x for x in x]",
    "loop variable stays": "for i in range(4):\n        if i == 2:\n            break\n    return i",
    "loop that never runs": "for i in []:\n        pass\n    return i",
    "continue": "t = 0\n    for i in range(5):\n        if i % 2:\n            continue\n        t += i\n    return t",
    "while": "while x > 2:\n        x -= 2\n    return x",
    "growing in a loop": "a = [1, 2]\n    for i in a:\n        if len(a) < 5:\n            a.append(i)\n    return a",
    "no return": "x + 1",
    "bare return": "return",
    "slices": "a = [0, 1, 2, 3, 4]\n    return (a[1:], a[:-1], a[::-1], a[4:1:-2], 'abc'[5:], (1, 2)[:1], a[None:2])",
    "slice step zero": "return 'abc'[::0]",
    "tuple index": "return [1][0, 0]",
    "iterators": "return (list(enumerate('ab', 1)), list(zip([1, 2], 'abc')), list(reversed([1, 2])), sum([], 5))",
    "iterator used up": "z = zip([1], [2])\n    a = list(z)\n    return (a, list(z))",
    "len of an iterator": "return len(enumerate([1]))",
    "conversions": "return (int('12'), int(-3.7), int('ff', 16), str([1, 'a']), str(None), bool('0'), float('1.5'))",
    "bad conversion": "return int('x')",
    "sorting": "a = [3, 1, 2]\n    a.sort()\n    return (a, sorted('ba'), min(3, 1), max([2, 7]), min('b', 'a'))",
    "mixed sorting": "return sorted([1, 'a'])",
    "sums": "return (sum([0.1] * 10), sum([[1], [2]], []), sum([True, True]), sum([1], 0.5))",
    "sum of texts": "return sum(['a'], '')",
    "text methods": "return (' aB '.strip().upper(), 'a,b'.split(','), 'aXa'.replace('a', ''), 'x'.join(['a', 'b']))",
    "more text methods": "return ('abc'.find('c'), 'abc'.startswith(('b', 'a')), 'a b'.title(), '12'.isdigit())",
    "method of another type": "return [1].upper()",
    "membership": "return ('a' in 'cab', 3 in range(5), 2.0 in range(3), [1] in [[1]], 1 not in (1,))",
    "membership in a number": "return 1 in 2",
    "is": "return (None is None, 1 is not None, [] is None, x is True)",
    "number that is called": "return x(1)",
    "too many arguments": "return len([1], [2])",
    "division by zero": "return 1 // 0",
    "undefined but never reached": "return 1\n    return nothing",
    "undefined": "return nothing",
    "break outside a loop": "return 1\n    break",
    "texts in a row": "return 'a' 'b'",
    "numbers of other bases": "return (0x10, 1_000, 1e3, 0b11)",
    "negative power": "return 0 ** -1",
    "ternary": "return 1 if x > 2 else 2 if x else 3",
}


def test_statements_do_what_real_python_does(tmp_path: Path) -> None:
    cases: list[tuple[str, str, Tests]] = [(body(text), "f", [([3], 3), ([0], None)]) for text in STATEMENTS.values()]
    assert differences(cases, tmp_path) == []


WHOLE = {
    "recursion": "def f(x):\n    return 1 if x < 2 else x * f(x - 1)\n",
    "two functions": "def g(y):\n    y.append(1)\n    return y\n\ndef f(x):\n    return g([x])\n",
    "the last definition counts": "def f(x):\n    return 1\n\ndef f(x):\n    return 2\n",
    "own function with a builtin's name": "def f(x):\n    return sum(x)\n\ndef sum(a):\n    return a\n",
    "wrong number of arguments": "def f(x, y):\n    return x\n",
    "no such function": "def g(x):\n    return x\n",
    "the same argument twice": "def f(x, x):\n    return x\n",
    "text around functions": '"""About f."""\n\ndef f(x):\n    """Doc."""\n    return x\n',
    "a comment": "# f\ndef f(x):  # doc\n    # body\n    return x\n",
    "nothing": "",
    "wrong indentation": 'def f(x):\n    """Doc."""\n     return x\n',
    "tabs and spaces": "def f(x):\n\tif x:\n            return 1\n\treturn 2\n",
    "windows lines": "def f(x):\r\n    return x\r\n",
}


def test_whole_programs_do_what_real_python_does(tmp_path: Path) -> None:
    cases: list[tuple[str, str, Tests]] = [(source, "f", [([3], 3), ([5], 120)]) for source in WHOLE.values()]
    assert differences(cases, tmp_path) == []


# ---- types, arguments ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value, expected, equal",
    [
        *(("1", 1, True), ("True", 1, False), ("1", True, False), ("1.0", 1, False), ("[1]", [True], False)),
        *(("(1,)", [1], False), ("[[1, 'a']]", [[1, "a"]], True), ("[1]", [1, 2], False), ("None", None, True)),
    ],
)
def test_types_count(value: str, expected: object, equal: bool) -> None:
    assert passes(body(f"return {value}"), "f", [([0], expected)]) is equal


def test_every_test_counts_and_none_proves_nothing() -> None:
    source = body("return x")
    assert passes(source, "f", [([1], 1), ([2], 2)])
    assert not passes(source, "f", [([1], 1), ([2], 3)])
    assert not passes(source, "f", [])


def test_a_program_cannot_change_its_callers_arguments() -> None:
    inner = [1]
    argument = [inner, 2]
    assert run_function("def f(a):\n    a[0].append(5)\n    a.append(3)\n    return a\n", "f", [argument]) == [
        [1, 5],
        2,
        3,
    ]
    assert argument == [[1], 2]
    assert inner == [1]


# ---- refused, limited ------------------------------------------------------------------------------------------------

REFUSED = (
    *("import os", "from os import path", "print(x)", "open('a')", "eval('1')", "exec('1')", "__import__('os')"),
    *("x.__class__", "return ().__class__.__bases__", "return 'a'.format(1)", "return f'{x}'", "return '%d' % x"),
    *("return lambda: 1", "def g():\n        pass", "class A:\n        pass", "global x", "del x", "raise ValueError"),
    *("try:\n        pass\n    except ValueError:\n        pass", "with x:\n        pass", "assert x", "yield x"),
    *("return {}", "return {1}", "return {i for i in x}", "return (i for i in x)", "return b'a'", "return 1j", "..."),
    *(
        "return [*x]",
        "return max(*x)",
        "return sorted(x, reverse=True)",
        "return (y := 1)",
        "return ~x",
        "return x @ x",
    ),
    *("return x << 3", "x: int = 1", "a[0:1] = x", "return sum", "return f", "return x is 3", "return getattr(x, 'a')"),
    *(
        "return 'a'.encode()",
        "while x:\n        pass\n    else:\n        pass",
        "return (-8) ** 0.5",
        "return __name__",
    ),
    *("return globals()", "return 'a'.center(9)", "match x:\n        case 1:\n            pass", "return type(x)"),
)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_interpreted_is_refused(text: str) -> None:
    with pytest.raises(ProgramRefused):
        run_function(body(text), "f", [3])


@pytest.mark.parametrize(
    "source",
    [
        *("x = 1\n", "print(1)\n", "import os\n", "def f(x=1):\n    return x\n", "def f(*x):\n    return x\n"),
        *("def f(x, /):\n    return x\n", "def f(x: int):\n    return x\n", "def f(x) -> int:\n    return x\n"),
        *("@g\ndef f(x):\n    return x\n", "async def f(x):\n    return x\n"),
        "if True:\n    def f(x):\n        return x\n",
    ],
)
def test_only_plain_functions_stand_in_a_program(source: str) -> None:
    with pytest.raises(ProgramRefused):
        run_function(source, "f", [3])


def test_what_is_refused_is_refused_where_it_is_never_reached() -> None:
    with pytest.raises(ProgramRefused, match=r"line 3: Import"):
        run_function("def f(x):\n    return 1\n    import os\n", "f", [3])


DOUBLING = "a = [1]\n    b = [1]\n    for i in range(99):\n        a = [a, a]\n        b = [b, b]\n    return "
LIMITED = (
    *(
        "while True:\n        pass",
        "return f(x)",
        "return 'a' * 10 ** 9",
        "return [0] * 10 ** 9",
        "return 10 ** 9 * (0,)",
    ),
    *("return 2 ** 10 ** 9", "return 9 ** 9 ** 9", "while True:\n        x = x * x", "return sum(range(10 ** 9))"),
    *("return list(range(10 ** 30))", "return 0.5 in range(10 ** 9)", "return [0 for i in range(10 ** 9)]"),
    *("return list(enumerate(range(10 ** 9)))", "return sorted(zip(range(10 ** 9), range(10 ** 9)))"),
    *("s = 'ab'\n    while True:\n        s += s", "a = [1]\n    while True:\n        a += a"),
    *("a = [1]\n    for i in a:\n        a.append(i)", "return ('a' * 9999).replace('a', 'a' * 9999)"),
    *("return ('a' * 9999).join(['b'] * 99)", "return int('9' * 4000)", "a = [0] * 9999\n    a.extend(a)"),
    *(f"{DOUBLING}str(a)", f"{DOUBLING}a == b", f"{DOUBLING}[a].index(b)", f"{DOUBLING}sorted([a, b])"),
    *("a = [1]\n    a.append(a)\n    return str(a)", "return sum([[0] * 9999] * 1500, [])"),
    *("a = 'a' * 9999\n    return [a for i in range(10 ** 4)]", "return " + "(" * 900 + "x" + ")" * 900),
)


@pytest.mark.parametrize("text", LIMITED)
def test_what_would_take_long_or_much_is_stopped(text: str) -> None:
    with pytest.raises((ProgramLimit, ProgramSyntaxError)):
        run_function(body(text), "f", [3])


NESTED = {"not ": "", "-": "", "[": "]", "x if x else ": "", "len(": ")", "x[": "]", "1 < ": "", "x ** ": ""}


def test_nesting_does_what_real_python_does(tmp_path: Path) -> None:
    texts = [f"return {begin * 12}x{end * 12}" for begin, end in NESTED.items()]
    assert differences([(body(text), "f", [([2], -2), ([[]], [])]) for text in texts], tmp_path) == []


@pytest.mark.parametrize("nested", NESTED)
def test_deep_nesting_is_an_error_of_the_program(nested: str) -> None:
    source = body(f"return {nested * 1900}"[:3900] + "x" + NESTED[nested] * 1900)[:4000]
    with pytest.raises((ProgramLimit, ProgramSyntaxError)):
        run_function(source, "f", [[]])


def test_a_long_source_is_stopped() -> None:
    with pytest.raises(ProgramLimit, match="a source of"):
        run_function(body("return x  # " + "a" * 5000), "f", [3])


@pytest.mark.parametrize("steps, ok", [(20, False), (200, True)])
def test_steps_are_counted(steps: int, ok: bool) -> None:
    source = body("for i in range(30):\n        x += 1\n    return x")
    assert passes(source, "f", [([0], 30)], max_steps=steps) is ok


def test_a_limit_met_once_is_not_remembered() -> None:
    source = body("for i in range(x):\n        pass\n    return x")
    with pytest.raises(ProgramLimit):
        run_function(source, "f", [10**6])
    assert run_function(source, "f", [5]) == 5


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, kind, message",
    [
        ("return x +", ProgramSyntaxError, "invalid syntax"),
        ("return x + 'a'", ProgramRuntimeError, "TypeError: unsupported operand"),
        ("return [1][5]", ProgramRuntimeError, "IndexError: list index out of range"),
        ("return y", ProgramRuntimeError, "NameError: name 'y' is not defined"),
        ("return 1 % 0", ProgramRuntimeError, "ZeroDivisionError"),
        ("return 'a'.append(1)", ProgramRuntimeError, "AttributeError: 'str' object has no attribute 'append'"),
        ("return f(1, 2)", ProgramRuntimeError, r"TypeError: f\(\) takes 1 arguments but 2 were given"),
    ],
)
def test_errors_say_what_python_would(text: str, kind: type[ProgramError], message: str) -> None:
    with pytest.raises(kind, match=message):
        run_function(body(text), "f", [3])


@given(st.text(max_size=60))
def test_any_text_is_survived(text: str) -> None:
    assert passes(body(text), "f", [([3], object())]) is False
    assert passes(text, "f", [([3], 3)]) is False


@given(st.lists(st.sampled_from(programs.TOKENS), max_size=14), st.sampled_from([3, "ab", [1, 2]]))
def test_any_tokens_are_survived(tokens: list[str], argument: object) -> None:
    text = "return " + " ".join(tokens)
    assert passes(body(text), "f", [([argument], object())]) is False


def test_nothing_of_a_program_can_reach_python_itself() -> None:
    """No call of exec, eval, compile, __import__ or open anywhere in it, and getattr only by names of our own."""
    for module, (_, tree) in sources().items():
        if module in ("presage.tasks.interpreter", "presage.tasks.closures", "presage.tasks.guarded"):
            calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
            named = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
            assert not named & {"exec", "eval", "compile", "__import__", "open", "globals", "vars"}, module
