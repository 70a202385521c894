"""The generator: what it draws, what it holds out, tests that tell functions apart, and the search for leaks."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.data import microcode_families as families
from presage.data.microcode import (
    FUNCTIONS,
    NAMES,
    SHARES,
    Problem,
    contamination,
    documents,
    function,
    problem_of,
    problems,
)
from presage.data.microcode_families import ARGUMENTS, HELD_OUT, LEVELS, Combination, combinations, frozen
from presage.data.near import band_keys, digest_columns, leaders
from presage.data.rules.texts import Texts
from presage.tasks.interpreter import passes, run_function


@cache
def every_problem() -> list[tuple[Combination, Problem]]:
    return [(combination, problem_of(combination)) for combination in combinations()]


def held_out() -> list[Problem]:
    return [problem for combination, problem in every_problem() if combination.held_out]


# ---- the functions ---------------------------------------------------------------------------------------------------


def test_every_reference_solution_computes_what_its_family_says() -> None:
    """Two ways to the same values: the body run by the interpreter, the family's own function."""
    for combination, problem in every_problem():
        source = f"{problem.prompt}{problem.solution}\n"
        assert passes(source, problem.entry, problem.tests), problem.id
        value = families.probes(combination.family.kind)[-1]
        assert frozen(run_function(source, "f", [value])) == combination.outputs[-1], problem.id


def test_no_two_combinations_compute_the_same_or_read_the_same() -> None:
    made = combinations()
    assert len({(c.family.kind, str(c.outputs)) for c in made}) == len(made)
    assert len({c.key for c in made}) == len(made)
    texts = [c.family.text("_", c.constants) for c in made]  # numbers, texts and lists alike
    assert len({sentence for sentence, _ in texts}) == len({body for _, body in texts}) == len(texts)


def test_every_function_is_as_short_as_it_should_be() -> None:
    for combination in combinations():
        lines = function(combination, "f").splitlines()
        assert 3 <= len(lines) <= 6
        assert max(map(len, lines)) < 70


WORDS, NUMBERS = (1, 2), (3, 4, 5, 6, 7)


@pytest.mark.parametrize("levels", [WORDS, NUMBERS])
def test_the_levels_are_graded(levels: tuple[int, ...]) -> None:
    """Who knows the form and draws functions as documents do is right ever less often."""
    sizes = Counter((c.family.level, c.family.name) for c in combinations() if not c.family.taught)
    chances = []
    for level in levels:
        of_level = [size for (at, _), size in sizes.items() if at == level]
        families_there = len({c.family.name for c in combinations() if c.family.level == level})
        chances.append(np.mean([SHARES[level - 1] / families_there / size for size in of_level]))
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.001


def test_levels_differ_in_what_has_to_be_read() -> None:
    """Words: one (taught), two, three. Numbers: one to copy, at last two."""
    constants = {(c.family.level, len(c.constants)) for c in combinations()}
    assert constants == {(1, 1), (1, 2), (2, 3), (3, 1), (4, 1), (5, 1), (6, 1), (7, 2)}
    worded = [c for c in combinations() if c.family.level in WORDS]
    assert all(isinstance(constant, str) for c in worded for constant in c.constants)


def test_the_name_of_a_function_says_nothing() -> None:
    """Every name meets every combination alike: f of one is g of another."""
    drawn = Counter((p.family, p.entry) for seed in range(8) for p in problems(seed, 24, (1,)))
    for family in {family for family, _ in drawn}:
        assert all(drawn[family, name] > 0 for name in NAMES), family


# ---- held out --------------------------------------------------------------------------------------------------------


def test_a_fifth_of_each_family_is_held_out() -> None:
    """But nothing of what is taught, and of three words just what follows."""
    ours = [c for c in combinations() if not c.family.parts]
    sizes = Counter(c.family.name for c in ours if not c.family.taught)
    chosen = Counter(c.family.name for c in ours if c.held_out)
    assert chosen == {name: round(HELD_OUT * size) for name, size in sizes.items() if round(HELD_OUT * size)}
    for level in NUMBERS:
        of_level = [c.held_out for c in combinations() if c.family.level == level]
        assert sum(of_level) / len(of_level) == pytest.approx(HELD_OUT, abs=0.05)


def test_three_words_are_trained_on_only_where_both_pairs_are() -> None:
    """By what pairs compute, not by their words: doubled, then negated is negated, then doubled."""
    pairs = {(c.family.kind, c.outputs) for c in combinations() if len(c.constants) == 2 and c.held_out}
    held: Counter[bool] = Counter()
    for combination in combinations():
        if combination.family.level != 2:
            continue
        family = combination.family
        made = [
            tuple(frozen(family.value(value, *names)) for value in families.probes(family.kind))
            for names in (combination.constants[:2], combination.constants[1:])
        ]
        assert combination.held_out == any((family.kind, outputs) in pairs for outputs in made), combination.key
        held[combination.held_out] += 1
    assert held[True] > 50 and held[False] > 100


def test_what_is_held_out_is_fixed() -> None:
    """A change here makes every earlier training text a leak: it may only happen on purpose."""
    chosen = [c.key for c in combinations() if c.held_out]
    assert [key for key in chosen if key.split(":")[0] in ("plus", "minus", "times", "number")] == HELD_OUT_AT_LEVEL_3
    assert hashlib.sha256("\n".join(chosen).encode()).hexdigest() == HELD_OUT_DIGEST


HELD_OUT_AT_LEVEL_3 = ["plus:6", "plus:7", "minus:5", "minus:6", "times:9", "number:1", "number:3"]
HELD_OUT_DIGEST = "6cc877f6f949e10cb3077c9ac5c0a11240efa95b31a8c0392778e5b8ffe2aca3"


def test_nothing_that_can_be_trained_on_holds_a_problem() -> None:
    """Every function that documents can hold against every problem there can be, and some documents."""
    trained = [function(c, name) for c in combinations() if not c.held_out for name in NAMES]
    assert contamination(trained, held_out()) == []
    texts = [document.text for document in documents(0, 300)]
    assert contamination(texts, held_out()) == []
    assert len(contamination(texts, [p for c, p in every_problem() if not c.held_out])) > 300  # the search does find


def test_problems_are_held_out() -> None:
    known = {c.key for c in combinations() if c.held_out}
    assert all(problem.id.split(":", 1)[1].rsplit(":", 1)[0] in known for problem in problems(5, 100))


def test_planted_copies_are_found() -> None:
    planted = held_out()[::25]
    texts = [document.text for document in documents(0, len(planted))]
    assert contamination(texts, planted) == []
    leaky = [f"{text}\n{p.prompt}{p.solution}\n" for text, p in zip(texts, planted, strict=True)]
    hits = contamination(leaky, planted)
    assert {(hit.text, hit.problem, hit.what) for hit in hits} == {
        (place, problem.id, what) for place, problem in enumerate(planted) for what in ("prompt", "solution")
    }
    lines = [leaky[hit.text].splitlines()[hit.line - 1] for hit in hits]
    assert all(line.lstrip().startswith(("def ", '"""Return', '"""If')) for line in lines)


DISGUISES = {
    "other names": ("def add_it(value):\n    return value + 3\n", ["solution"]),
    "other names and the docstring": ('def g(n):\n    """Return n plus 3."""\n    return n + 3\n', ["solution"]),
    "the docstring alone": ('def g(x):\n    """Return x plus 3."""\n    return 3+x\n', ["prompt"]),
    "in a class": ("class A:\n    def f(x):\n\n        return  x + 3\n", ["solution"]),
    "on one line": ("def f(x): return x + 3\n", ["solution"]),
    "in a console": (">>> def f(x):\n...     return x + 3\n...\n", ["solution"]),
    "a sentence in prose": ("We say it shortly. Return x plus 3. Then we go on.\n", ["prompt"]),
    "annotated": ("def f(x: int) -> int:\n    '''Adds.'''\n    return x + 3\n", ["solution"]),
    "one of several functions": ("def g(x):\n    return 1\n\ndef f(x):\n    return x + 3\ny = 2\n", ["solution"]),
    "another constant": ('def f(x):\n    """Return x plus 30."""\n    return x + 30\n', []),
    "within a longer body": ("def f(x):\n    if x:\n        return x + 3\n    return 0\n", []),
    "a call with more words": ("Return x plus 3 or more.\n", []),
}


@pytest.mark.parametrize("text, found", DISGUISES.values(), ids=DISGUISES.keys())
def test_a_copy_is_found_in_disguise(text: str, found: list[str]) -> None:
    plus = next(p for c, p in every_problem() if c.key == "plus:3")
    assert [hit.what for hit in contamination([text], [plus])] == found


@given(st.text(alphabet="def f(x):\n Return.>\"'+3", max_size=80))
def test_any_text_can_be_searched(text: str) -> None:
    assert isinstance(contamination([text], held_out()[:3]), list)


# ---- tests that discriminate -----------------------------------------------------------------------------------------


def test_tests_tell_a_function_from_all_others_of_its_family() -> None:
    """Every wrong constant fails at least one test. Bodies are run, not looked up."""
    by_family: dict[str, list[Problem]] = {}
    for combination, problem in every_problem():
        by_family.setdefault(combination.family.name, []).append(problem)
    compared = 0
    for of_family in by_family.values():
        for problem in of_family[::9]:
            for other in of_family:
                source = f"{problem.prompt}{other.solution}\n"
                assert passes(source, problem.entry, problem.tests) is (other is problem), (problem.id, other.id)
                compared += 1
    assert compared > 10_000


def test_tests_tell_a_function_from_all_others_of_its_kind() -> None:
    for combination, problem in every_problem()[::75]:
        others = [p for c, p in every_problem() if c.family.kind == combination.family.kind and p is not problem]
        for other in others[::3]:
            source = f"{problem.prompt}{other.solution}\n"
            assert not passes(source, problem.entry, problem.tests), (problem.id, other.id)


LAZY = ("return", "pass", "return 0", "return 1", "return True", "return False", "return ''", "return []", "return 'a'")
LAZY_WITH_ARGUMENT = (
    "return {v}",
    "return {v} + 0",
    "return [{v}]",
    "return str({v})",
    "return {v} == {v}",
    "return len({v})",
)


def _does_nothing(combination: Combination) -> bool:
    """Doubled, then halved: there the lazy answer is right."""
    return combination.outputs == tuple(frozen(value) for value in families.probes(combination.family.kind))


@pytest.mark.parametrize("body", [*LAZY, *LAZY_WITH_ARGUMENT])
def test_no_lazy_answer_passes(body: str) -> None:
    for combination, problem in every_problem()[::3]:
        answer = body.format(v=ARGUMENTS[combination.family.kind])
        if answer != problem.solution and not _does_nothing(combination):
            assert not passes(f"{problem.prompt}{answer}\n", problem.entry, problem.tests), problem.id


def test_comparisons_are_tested_at_their_bounds() -> None:
    for combination, problem in every_problem():
        for sign in (" > ", " < "):
            if sign in problem.solution:
                off = problem.solution.replace(sign, f"{sign[:2]}= ")
                assert not passes(f"{problem.prompt}{off}\n", problem.entry, problem.tests), combination.key


def test_tests_are_few() -> None:
    assert {len(problem.tests) for _, problem in every_problem()} <= {4, 5, 6}


# ---- drawing ---------------------------------------------------------------------------------------------------------


def test_same_seed_same_documents_and_a_longer_supply_begins_with_a_shorter() -> None:
    assert list(documents(3, 20)) == list(documents(3, 40))[:20]
    assert list(documents(3, 20)) != list(documents(4, 20))
    assert len({document.path for seed in (3, 4) for document in documents(seed, 20)}) == 40


def test_documents_are_whole_functions_in_the_stated_shares() -> None:
    made = list(documents(1, 400))
    level_of = {c.family.text(ARGUMENTS[c.family.kind], c.constants)[1]: c.family.level for c in combinations()}
    levels: Counter[int] = Counter()
    for document in made:
        functions = ast.parse(document.text).body
        assert len(functions) == FUNCTIONS
        assert all(isinstance(node, ast.FunctionDef) and node.name in NAMES for node in functions)
        levels.update(level_of[text.split('"""\n    ')[1].rstrip("\n")] for text in document.text.split("\ndef "))
    total = sum(levels.values())
    assert [levels[level] / total for level in LEVELS] == pytest.approx(SHARES, abs=0.03)


def test_hardly_any_document_is_a_near_copy() -> None:
    """A corpus merges near copies: a supply that repeats itself would shrink there."""
    texts = [document.text for document in documents(0, 1500)]
    leader, _ = leaders(digest_columns(texts), band_keys(Texts(texts)), lambda wanted: [texts[i] for i in wanted])
    assert sum(of != place for place, of in enumerate(leader.tolist())) <= 3


def test_same_seed_same_problems() -> None:
    assert problems(3, 60) == problems(3, 60)
    assert problems(3, 60) != problems(4, 60)
    assert len({problem.id for problem in problems(3, 110)}) == 110


def test_problems_are_spread_over_levels_and_functions() -> None:
    assert Counter(p.level for p in problems(0, 52)) == {1: 8, 2: 8, 3: 8, 4: 7, 5: 7, 6: 7, 7: 7}
    assert {p.level for p in problems(0, 30, (2, 4))} == {2, 4}
    functions = [p.id.rsplit(":", 1)[0] for p in problems(0, 8, (1,))]
    assert len(set(functions)) == 8  # no function again while there are others


@pytest.mark.parametrize(
    "count, levels, message",
    [(5, (8,), "no level 8"), (5, (), "no levels"), (0, (1,), "0 problems"), (9999, (1,), "9999 problems of level 1")],
)
def test_impossible_wishes_are_refused(count: int, levels: tuple[int, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        problems(0, count, levels)
