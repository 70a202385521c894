"""Programs to try an interpreter on: correct ones, the same with something changed, and ones written by chance."""

from __future__ import annotations

import random
import re

from presage.data.microcode import Problem, problem_of
from presage.data.microcode_families import combinations

_TOKEN = re.compile(r"\w+|'[^']*'|\n *|//|\*\*|[<>=!]=|[^\w\s]| +")
_TOKENS = "x n s a k i 0 1 2 3 7 9 'a' 'b' + - * // % ** < > == <= != ( ) [ ] : , . return if else for in not and or"
TOKENS = [*_TOKENS.split(), " ", "\n    ", "\n        ", "max", "min", "len", "abs", "sum", "str", "upper()", "True"]
SIMPLE = {
    "int": ("0", "1", "2", "3", "9", "-1", "True", "x", "x", "k", "k"),
    "text": ("''", "'a'", "'ab'", "'b a'", "'12'", "s", "s"),
    "list": ("[]", "[1]", "[3, 1, 2]", "[x, k]", "a", "a", "list(range(3))", "[2] * 3"),
    "bool": ("True", "False", "x > 1", "s == 'ab'", "not a"),
}
WRONG_SORT = 0.03
ARGS = ([3, "ab", [2, 5, 1]], [-4, "", []], [0, "Ab b", [1, 1]])


def problems(count: int, seed: int) -> list[Problem]:
    """Any combinations, held out or not."""
    return [problem_of(combination) for combination in random.Random(seed).sample(combinations(), count)]


def changed(solution: str, chance: random.Random) -> str:
    """One or two tokens of a body replaced, dropped, doubled or added."""
    tokens = _TOKEN.findall(solution)
    for _ in range(chance.choice((1, 1, 2))):
        place = chance.randrange(len(tokens))
        new = {
            "replace": [chance.choice(TOKENS)],
            "drop": [],
            "double": [tokens[place], tokens[place]],
            "add": [tokens[place], " ", chance.choice(TOKENS)],
            "digit": [re.sub(r"\d+", lambda _: str(chance.randrange(10)), tokens[place])],
        }
        tokens[place : place + 1] = new[chance.choice(["replace", "drop", "double", "add", "digit", "digit"])]
        tokens = tokens or ["pass"]
    return "".join(tokens)


def by_chance(seed: int) -> str:
    """A program `f(x, s, a)` of valid syntax; most raise something or return something odd. It always ends."""
    return _Writer(random.Random(seed)).program()


class _Writer:
    """Expressions of a sort (int, text, list, bool), now and then with an operand of another."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance

    def program(self) -> str:
        body = "".join(self.statement("    ", 2) for _ in range(self.chance.randint(0, 3)))
        helper = "def g(x, k):\n    return x if k > 2 else g(x, k + 1)\n\n"
        start = "    k = 2\n" if self.chance.random() < 0.95 else ""
        return f"{helper}def f(x, s, a):\n{start}{body}    return {self.any(3)}\n"

    def statement(self, indent: str, depth: int) -> str:
        inner = self.statement(f"{indent}    ", depth - 1) if depth else f"{indent}    pass\n"
        i, t, v, b = (self.of(sort, 2) for sort in SIMPLE)
        return self.chance.choice(
            [
                f"{indent}k = {i}\n",
                f"{indent}s = {t}\n",
                f"{indent}a = x = {v}\n",
                f"{indent}k, x = {i}, {self.of('int', 1)}\n",
                f"{indent}x {self.op()}= {i}\n",
                f"{indent}s += {t}\n",
                f"{indent}a += {v}\n{indent}a *= 2\n",
                f"{indent}a.append({i})\n{indent}a[0] += {self.of('int', 1)}\n",
                f"{indent}if {b}:\n{inner}{indent}else:\n{indent}    k = {i}\n",
                f"{indent}if {b}:\n{inner}{indent}elif {self.of('bool', 1)}:\n{indent}    return {self.any(2)}\n",
                f"{indent}for i in {v}:\n{inner}",
                f"{indent}for i, k in enumerate({t}):\n{inner}{indent}    if {b}:\n{indent}        break\n",
                f"{indent}k = 0\n{indent}while k < {i}:\n{indent}    k += 1\n{indent}    if k == 2:\n"
                f"{indent}        {self.chance.choice(('continue', 'break', 'pass'))}\n",
                f"{indent}a.{self.chance.choice(('extend(a)', 'sort()', 'reverse()', 'insert(1, 5)', 'pop()'))}\n",
                f"{indent}return {self.any(2)}\n",
            ]
        )

    def op(self) -> str:
        return self.chance.choice(("+", "+", "-", "*", "//", "%", "/"))

    def any(self, depth: int) -> str:
        """An expression of any sort."""
        return self.of(self.chance.choice(list(SIMPLE)), depth)

    def of(self, sort: str, depth: int) -> str:
        """An expression of a sort."""
        if self.chance.random() < WRONG_SORT:
            sort = self.chance.choice(list(SIMPLE))
        if depth <= 0:
            return self.chance.choice(SIMPLE[sort])
        i, t, v, b = (self.of(sort, depth - 1) for sort in SIMPLE)
        j, u, w, c = (self.of(sort, depth - 2) for sort in SIMPLE)
        compare = self.chance.choice(("<", ">", "==", "!=", "<=", ">="))
        forms = {
            "int": [
                *(
                    f"({i} {self.op()} {j})",
                    f"(-{i})",
                    f"abs({i})",
                    f"len({t})",
                    f"sum({v})",
                    f"{v}[{j}]",
                    f"{t}.count({u})",
                ),
                *(
                    f"max({i}, {j})",
                    f"min({v})",
                    f"int('1{j}')",
                    f"int({i} / 2)",
                    f"({i} if {c} else {j})",
                    f"g({i}, {j})",
                ),
                *(f"({i} and {j})", f"({i} or {j})", f"{t}.find({u})", f"({i} ** 2)", f"{v}.index({j})", f"max({v})"),
            ],
            "text": [
                *(f"({t} + {u})", f"({t} * {j})", f"{t}[{j}:]", f"{t}[:{j}]", f"{t}[::-1]", f"str({v})", f"str({i})"),
                *(f"{t}.upper()", f"{t}.replace({u}, 'x')", f"{u}.join({t})", f"','.join([str(i) for i in {v}])"),
                *(f"{t}.strip()", f"({t} if {c} else {u})", f"{t}[{j}]", f"max({t}, {u})", f"str({i} / 2)"),
            ],
            "list": [
                *(
                    f"({v} + {w})",
                    f"({v} * 2)",
                    f"{v}[{j}:]",
                    f"{v}[::{j}]",
                    f"sorted({v})",
                    f"[i {self.op()} {j} for i in {v}]",
                ),
                *(f"[k for k in {v} if k {compare} {j}]", f"[i * k for i in {v} for k in {w}]", f"list(range({j}))"),
                *(f"[x for x in {v}]", f"list(reversed({v}))", f"[i + k for i, k in zip({v}, {w})]", f"{t}.split()"),
                *(
                    f"[i for i, k in enumerate({t})]",
                    f"list({t})",
                    f"[{i}, {j}]",
                    f"[len(k) for k in {t}]",
                    f"list(({i}, {t}))",
                ),
            ],
            "bool": [
                *(f"({i} {compare} {j})", f"({t} {compare} {u})", f"({v} == {w})", f"(0 < {i} <= {j})", f"(not {b})"),
                *(f"({b} and {c})", f"({b} or {c})", f"({j} in {v})", f"({u} not in {t})", f"{t}.startswith({u})"),
                *(f"({i} is None)", f"any({v})", f"all({v})", f"bool({v})", f"({j} in range({i}))", f"({v} < {w})"),
            ],
        }
        return self.chance.choice(forms[sort])
