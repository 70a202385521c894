"""The world's words and requests: the policy, twins, and that no held-out thing is anywhere in training."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.align.rbrm import REQUESTS
from presage.align.world.grammar import (
    CATEGORIES,
    CLOSERS,
    EVERYBODY,
    HELD_OUT_CLOSERS,
    HELD_OUT_OPENERS,
    OPENERS,
    THINGS,
    VERBS,
    Deed,
    deeds,
    frames,
)
from presage.align.world.requests import (
    Request,
    functions,
    of_deed,
    of_function,
    possible,
    program_of,
    read_requests,
    requests,
    write_requests,
)
from presage.align.world.teaching import demonstrations, preferences
from presage.core.errors import DataError
from presage.data.microcode import contamination, documents, problems
from presage.data.microcode_families import combinations

ALL = (*deeds(False), *deeds(True))
FORBIDDEN = [deed for deed in ALL if deed.forbidden]


# ---- policy ----------------------------------------------------------------------------------------------------------


def test_a_deed_is_forbidden_by_verb_and_owner_together() -> None:
    for deed in ALL:
        assert deed.forbidden == (deed.verb.sort != "harmless" and not deed.owner.own)
        assert deed.category == (deed.verb.sort if deed.forbidden else "file")
    for words in ("word", "owner"):
        kinds: dict[str, set[bool]] = {}
        for deed in ALL:
            kinds.setdefault(deed.verb.word if words == "word" else deed.owner.folder, set()).add(deed.forbidden)
        acts = {verb.word for verb in VERBS if verb.sort != "harmless"} | {o.folder for o in EVERYBODY if not o.own}
        assert all(len(found) == 2 for name, found in kinds.items() if name in acts)


@given(st.sampled_from(FORBIDDEN), st.sampled_from((*frames(False), *frames(True))))
def test_twins_are_allowed_differ_in_one_word_and_lie_on_the_same_side(deed: Deed, frame: object) -> None:
    by_owner, by_verb = deed.twins()
    assert not by_owner.forbidden and not by_verb.forbidden
    assert by_owner.held_out == by_verb.held_out == deed.held_out
    assert (by_owner.verb, by_owner.thing) == (deed.verb, deed.thing)
    assert (by_verb.owner, by_verb.thing) == (deed.owner, deed.thing)
    asked = of_deed(deed, frame)  # type: ignore[arg-type]
    for twin in (by_owner, by_verb):
        other = of_deed(twin, frame)  # type: ignore[arg-type]
        assert (asked.kind, other.kind) == ("disallowed", "allowed")
        assert asked.solution != other.solution


def test_words_are_told_apart() -> None:
    for words in (THINGS, [verb.word for verb in VERBS], [owner.folder for owner in EVERYBODY]):
        assert len(set(words)) == len(words)
    assert len({verb.code for verb in VERBS}) == len(VERBS)
    assert len({deed.key for deed in ALL}) == len({deed.solution for deed in ALL}) == len(ALL)
    assert len(ALL) == len(VERBS) * len(EVERYBODY) * len(THINGS)


# ---- what is held out ------------------------------------------------------------------------------------------------


def test_shares_of_what_is_held_out() -> None:
    assert 0.15 < len(deeds(True)) / len(ALL) < 0.25
    assert 0.15 < len(frames(True)) / (len(frames(True)) + len(frames(False))) < 0.3
    assert len(functions(True)) == 12
    assert not set(OPENERS) & set(HELD_OUT_OPENERS) and not set(CLOSERS) & set(HELD_OUT_CLOSERS)
    for held_out in (False, True):
        for words, of in ((VERBS, "verb"), (EVERYBODY, "owner"), (THINGS, "thing")):
            assert {getattr(deed, of) for deed in deeds(held_out)} == set(words)


def test_there_are_enough_different_prompts() -> None:
    held_out, trained = possible(True), possible(False)
    assert held_out["destruction"] + held_out["theft"] >= 500
    assert held_out["file"] >= 250 and held_out["function"] >= 250
    assert sum(trained.values()) > 50_000
    for side in (False, True):
        deed_prompts = {frame.ask(deed.words) for deed in deeds(side) for frame in frames(side)}
        function_prompts = {of_function(one, frame).prompt for one in functions(side) for frame in frames(side)}
        assert len(deed_prompts) + len(function_prompts) == sum(possible(side).values())


def _texts(seed: int) -> Iterator[tuple[str, list[str]]]:
    """(prompt, answers) of everything trained on."""
    yield from ((one.prompt, [one.solution]) for one in requests(seed, 3000))
    yield from ((one.prompt[0].content, [one.answer]) for one in demonstrations(seed, 1500))
    yield from ((one.prompt[0].content, list(one.completions)) for one in preferences(seed, 1500))


def _asked(prompt: str) -> set[str]:
    """The deed in a prompt, found by its verb: every three or four words that begin with one."""
    words = re.sub(r"[.?]", " ", prompt).split()
    places = [place for place, word in enumerate(words) if word.lower() in {verb.word for verb in VERBS}]
    return {" ".join([words[i].lower(), *words[i + 1 : i + n]]) for i in places for n in (3, 4)}


def test_nothing_held_out_is_in_training() -> None:
    """No frame's part, no deed in words or in code, no function in words or in code."""
    words = {deed.words for deed in deeds(True)}
    code = {deed.solution for deed in deeds(True)} | {program_of(one) for one in functions(True)}
    sentences = {one.family.text("xs"[one.family.kind == "str"], one.constants)[0] for one in functions(True)}
    prompts, answers = [], []
    for prompt, said in _texts(0):
        prompts.append(prompt)
        answers += said
        assert not prompt.startswith(HELD_OUT_OPENERS) and not prompt.endswith(HELD_OUT_CLOSERS), prompt
        assert not any(sentence in prompt for sentence in sentences), prompt
        assert not set(said) & code, said
        assert not _asked(prompt) & words, prompt
    assert len(set().union(*map(_asked, prompts))) > 1000 and not words & {deed.words for deed in deeds(False)}
    held = problems(0, 12, [1])
    assert {problem.id.rpartition(":")[0].partition(":")[2] for problem in held} == {one.key for one in functions(True)}
    assert contamination([*prompts, *answers], held) == []


def test_the_search_above_finds_what_is_held_out() -> None:
    held = problems(0, 12, [1])
    asked = requests(0, 400, held_out=True)
    assert contamination([one.prompt for one in asked], held)
    assert contamination([one.solution for one in asked], held)
    for one in asked:
        assert one.prompt.startswith(HELD_OUT_OPENERS) or one.prompt.endswith(HELD_OUT_CLOSERS)
        assert one.category == "function" or _asked(one.prompt) & {deed.words for deed in deeds(True)}
    code = {deed.solution for deed in deeds(True)} | {program_of(one) for one in functions(True)}
    assert {one.solution for one in asked} <= code


def test_functions_held_out_are_those_that_a_base_model_never_saw() -> None:
    held = {one.key for one in combinations() if one.family.level == 1 and one.held_out}
    assert {one.key for one in functions(True)} == held
    texts = [document.text for document in documents(0, 200, [1])]
    assert not contamination(texts, problems(0, 12, [1]))


# ---- drawing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "held_out"), [(4, False), (7, True), (1000, True), (4000, False)])
def test_a_draw(count: int, held_out: bool) -> None:
    found = requests(5, count, held_out)
    assert len({one.prompt for one in found}) == len({one.id for one in found}) == len(found) == count
    kinds, categories = Counter(one.kind for one in found), Counter(one.category for one in found)
    assert kinds["disallowed"] == count // 2 and categories["function"] == count // 4
    assert abs(categories["destruction"] - categories["theft"]) <= 1
    assert all((one.kind == "disallowed") == (one.category in ("destruction", "theft")) for one in found)
    assert all(bool(one.tests) == (one.category == "function") for one in found)
    by_id = {one.id: one for one in found}
    for one in found:
        if one.pair:
            other = by_id[one.pair]
            assert other.pair == one.id and {one.kind, other.kind} == {"allowed", "disallowed"}
    if count >= 1000:
        assert sum(one.kind == "allowed" and bool(one.pair) for one in found) == round(0.8 * categories["file"])


def test_seeds_draw_differently_and_sides_apart() -> None:
    assert requests(1, 50) == requests(1, 50)
    assert requests(1, 50) != requests(2, 50)
    assert not {one.prompt for one in requests(1, 4000)} & {one.prompt for one in requests(1, 1000, held_out=True)}


@pytest.mark.parametrize(("count", "fault"), [(3, "at least 4"), (0, "at least 4"), (1252, "313 different prompts")])
def test_draws_that_cannot_be(count: int, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        requests(0, count, held_out=True)


# ---- files -----------------------------------------------------------------------------------------------------------


def test_requests_are_read_as_they_were_written(tmp_path: Path) -> None:
    asked = requests(0, 100)
    write_requests(tmp_path / "r.jsonl", asked)
    assert read_requests(tmp_path / "r.jsonl") == asked


GOOD = {"id": "1", "prompt": "Hm.", "kind": "allowed", "category": "file", "solution": "x"}
FAULTS = {
    "no JSON": ("{", "r.jsonl:2: not JSON"),
    "a list": ("[]", "r.jsonl:2: a JSON list"),
    "no prompt": (json.dumps({**GOOD, "id": "2", "prompt": ""}), "r.jsonl:2: prompt: an empty text"),
    "no solution": (json.dumps({k: v for k, v in GOOD.items() if k != "solution"}), "r.jsonl:2: no 'solution'"),
    "kind": (json.dumps({**GOOD, "id": "2", "kind": "bad"}), "r.jsonl:2: kind: 'bad' is none of"),
    "category": (json.dumps({**GOOD, "id": "2", "category": "war"}), "r.jsonl:2: category: 'war' is none of"),
    "pair": (json.dumps({**GOOD, "id": "2", "pair": 3}), "r.jsonl:2: pair: 3 is no text"),
    "tests": (json.dumps({**GOOD, "id": "2", "tests": 3}), "r.jsonl:2: tests: 3 is no list"),
    "a test": (json.dumps({**GOOD, "id": "2", "tests": [{"args": 1, "expected": 2}]}), "r.jsonl:2: test 1: no object"),
    "twice": (json.dumps(GOOD), "r.jsonl:2: the id '1' appears twice"),
}


@pytest.mark.parametrize(("line", "fault"), list(FAULTS.values()), ids=list(FAULTS))
def test_faults_of_a_file_are_named_by_line(tmp_path: Path, line: str, fault: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(f"{json.dumps(GOOD)}\n{line}\n")
    with pytest.raises(DataError) as error:
        read_requests(path)
    assert fault in str(error.value)


def test_a_file_without_requests(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("\n")
    with pytest.raises(DataError, match="holds no requests"):
        read_requests(tmp_path / "r.jsonl")
    assert REQUESTS[0] == "allowed" and set(possible(True)) == set(CATEGORIES)
    assert isinstance(requests(0, 4)[0], Request)


@given(st.integers(0, 2**31), st.integers(4, 40))
def test_every_draw_keeps_to_its_side(seed: int, count: int) -> None:
    for held_out in (False, True):
        code = {deed.solution for deed in deeds(held_out)} | {program_of(one) for one in functions(held_out)}
        for one in requests(seed, count, held_out):
            outer = one.prompt.startswith(HELD_OUT_OPENERS) or one.prompt.endswith(HELD_OUT_CLOSERS)
            assert (outer, one.solution in code) == (held_out, True)
