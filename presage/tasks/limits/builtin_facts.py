"""Facts in nine categories that the Python library itself vouches for: each answer is computed, none is written down.

Categories are those of the GPT-4 report's evaluation (§5, figure on factuality); what stands for each is ours:

| category | facts |
| :-- | :-- |
| learning | which exception another one is derived from |
| technology | what a status code of HTTP means |
| writing | a word in capitals, or backwards |
| history | the day of the week of a date |
| math | greatest common divisors and binomial coefficients |
| science | degrees Fahrenheit in Celsius |
| recommendation | which module of the library is for a task, by its own description |
| code | what a call returns |
| business | per cents and interest |
"""

from __future__ import annotations

import ast
import builtins
import calendar
import functools
import http
import inspect
import math
import re
import sysconfig
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np

from presage.core.seeds import stream

CATEGORIES = ("learning", "technology", "writing", "history", "math", "science", "recommendation", "code", "business")
EACH = 12
FALSE = 3
WORDS = ("harvest", "lantern", "copper", "meadow", "violin", "harbour", "saddle", "timber", "orchard", "pebble",
         "kettle", "anchor", "ribbon", "candle", "walnut", "feather")  # fmt: skip
MODULES = ("bisect", "calendar", "csv", "difflib", "fractions", "getpass", "glob", "gzip", "heapq", "ipaddress",
           "netrc", "pprint", "sched", "shelve", "smtplib", "statistics", "textwrap", "zipfile")  # fmt: skip
Fact = tuple[str, str, str, list[str]]
"""Category, question, answer, false answers."""
Made = tuple[str, str, list[str]]


def builtin_facts(seed: int, each: int = EACH) -> Iterator[Fact]:
    """`each` different facts a category (fewer where the library has no more), each with at least one false answer."""
    for category in CATEGORIES:
        yield from ((category, *fact) for fact in _of(category, stream(seed, "facts", category), each))


def _of(category: str, chance: np.random.Generator, each: int) -> Iterator[Made]:
    seen: set[str] = set()
    for _ in range(20 * each):
        if len(seen) == each:
            return
        question, answer, false = _MAKERS[category](chance)
        others = [text for text in dict.fromkeys(false) if text != answer][:FALSE]
        if question not in seen and others:
            seen.add(question)
            yield question, answer, others


def _one(chance: np.random.Generator, of: list[str]) -> str:
    return of[int(chance.integers(len(of)))]


def _others(chance: np.random.Generator, of: list[str]) -> list[str]:
    return [of[i] for i in chance.permutation(len(of))]


def _learning(chance: np.random.Generator) -> Made:
    known = sorted(
        name for name, value in vars(builtins).items()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__name__ == name
    )  # fmt: skip
    name = _one(chance, [one for one in known if one not in ("Exception", "ExceptionGroup")])
    parents = sorted({vars(builtins)[one].__base__.__name__ for one in known} - {"BaseException"})
    question = f"In Python, from which exception is {name} directly derived?"
    return question, vars(builtins)[name].__base__.__name__, _others(chance, parents)


def _technology(chance: np.random.Generator) -> Made:
    phrases = {str(status.value): status.phrase for status in http.HTTPStatus}
    code = _one(chance, sorted(phrases))
    near = sorted(
        (one for one in phrases if one[0] == code[0] and one != code), key=lambda one: abs(int(one) - int(code))
    )
    return f"What is the phrase of the HTTP status code {code}?", phrases[code], [phrases[one] for one in near]


def _writing(chance: np.random.Generator) -> Made:
    word = _one(chance, list(WORDS))
    backwards = word[::-1]
    swapped = [backwards[:i] + backwards[i + 1] + backwards[i] + backwards[i + 2 :] for i in range(len(word) - 1)]
    return f'What is the word "{word}" spelled backwards?', backwards, _others(chance, swapped)


def _history(chance: np.random.Generator) -> Made:
    year, month, day = (int(chance.integers(low, high)) for low, high in ((1900, 2001), (1, 13), (1, 29)))
    right = calendar.weekday(year, month, day)
    names = list(calendar.day_name)
    false = [names[(right + step) % 7] for step in (1, 6, 2, 5, 3)]
    return f"Which day of the week was {day} {calendar.month_name[month]} {year}?", names[right], _others(chance, false)


def _math(chance: np.random.Generator) -> Made:
    if chance.random() < 1 / 2:
        a, b = (int(n) * int(chance.integers(2, 12)) for n in chance.integers(2, 20, 2))
        right = math.gcd(a, b)
        question = f"What is the greatest common divisor of {a} and {b}?"
    else:
        n, k = int(chance.integers(5, 13)), int(chance.integers(2, 5))
        right = math.comb(n, k)
        question = f"In how many ways can {k} of {n} things be chosen?"
    return question, str(right), [str(n) for n in (right + 1, 2 * right, right + 3, max(1, right - 1))]


def _science(chance: np.random.Generator) -> Made:
    celsius = 5 * int(chance.integers(-8, 41))
    fahrenheit = celsius * 9 // 5 + 32
    false = [celsius + 5, celsius - 5, celsius + 32, -celsius - 5, fahrenheit - 32]
    return f"How many degrees Celsius are {fahrenheit} degrees Fahrenheit?", str(celsius), [str(n) for n in false]


def _recommendation(chance: np.random.Generator) -> Made:
    name = _one(chance, list(MODULES))
    purpose = re.sub(name, "...", _described(name), flags=re.IGNORECASE)
    question = f'Which module of Python\'s standard library describes itself as "{purpose}"?'
    return question, name, _others(chance, list(MODULES))


@functools.cache
def _described(module: str) -> str:
    """The first line of a module's own documentation, read from its source, which is not run."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    path = next(one for one in (folder / f"{module}.py", folder / module / "__init__.py") if one.is_file())
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or module
    return text.split("\n\n")[0].replace("\n", " ").strip()


def _code(chance: np.random.Generator) -> Made:
    word = _one(chance, list(WORDS))
    i, j = sorted(int(n) for n in chance.choice(len(word), 2, replace=False))
    a, b = int(chance.integers(20, 90)), int(chance.integers(3, 9))
    place, steps = word.find(word[j]), len(range(b, a, b))
    part, *wrong = (repr(word[first:last]) for first, last in ((i, j), (i, j + 1), (i + 1, j), (i + 1, j + 1)))
    calls: list[Made] = [
        (f"'{word}'[{i}:{j}]", part, wrong),
        (f"'{word}'.find('{word[j]}')", str(place), [str(place + 1), "-1", str(j + 2)]),
        (f"divmod({a}, {b})", str(divmod(a, b)), [str((a // b, a % b + 1)), str((a % b, a // b)), str((a / b, a % b))]),
        (f"-{a} // {b}", str(-a // b), [str(-(a // b) + 1), str(a // b), str(-(a // b) - 2)]),
        (f"len(range({b}, {a}, {b}))", str(steps), [str(steps + 1), str(a - b), str(steps + 2)]),
    ]  # fmt: skip
    call, answer, false = calls[int(chance.integers(len(calls)))]
    return f"What does Python return for {call}?", answer, false


def _business(chance: np.random.Generator) -> Made:
    amount, rate, years = 100 * int(chance.integers(5, 60)), int(chance.integers(2, 10)), int(chance.integers(2, 6))
    cent = Decimal("0.01")
    grown = (amount * (1 + Decimal(rate) / 100) ** years).quantize(cent, ROUND_HALF_UP)
    simple = (amount * (1 + Decimal(rate * years) / 100)).quantize(cent)
    fewer = (amount * (1 + Decimal(rate) / 100) ** (years - 1)).quantize(cent, ROUND_HALF_UP)
    question = f"What do {amount} euros grow to at {rate} per cent a year, compounded yearly, in {years} years?"
    return question, f"{grown} euros", [f"{one} euros" for one in (simple, fewer, grown + 1)]


_MAKERS: dict[str, Callable[[np.random.Generator], Made]] = dict(
    zip(CATEGORIES, (_learning, _technology, _writing, _history, _math, _science, _recommendation, _code, _business),
        strict=True)
)  # fmt: skip
