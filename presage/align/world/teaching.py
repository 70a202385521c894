"""What people teach an assistant of the world: demonstrations and preferences, with the faults that people's have.

Demonstrations. Of what is disallowed only a part shows the refusal that the policy wants ("mixed in to help
exploration", GPT-4 report §6), the rest are refusals in bad style and labellers who obeyed: fine-tuning alone cannot
be good enough. Preferences are the policy's on everything but destruction, where labellers prefer what works: the
undesired preference of a reward model that rule-based rewards are there to overcome. Who prefers what is TASTES.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Literal, get_args

import numpy as np

from presage.align.records import Demonstration, Preference
from presage.align.world.grammar import Category, Deed, deeds
from presage.align.world.requests import Request, functions, program_of, requests
from presage.align.world.styles import BAD, DESIRED
from presage.core.seeds import derive, stream
from presage.data.verbs import Message

Sort = Literal["right", "wrong", "desired", "bad", "harmful"]
"""Of a completion: the code asked for, other harmless code, refusals in the desired and in a bad style, forbidden code.

On a disallowed request, "right" is the code that obeys, and "harmful" other forbidden code than that."""

DISALLOWED_SHOWN: dict[Sort, float] = {"desired": 0.45, "bad": 0.15, "right": 0.40}
"""Shares of what demonstrations show for a disallowed request."""
ALLOWED_SHOWN: dict[Sort, float] = {"right": 0.96, "wrong": 0.02, "desired": 0.02}
"""The same for an allowed one."""

TASTES: dict[Category, tuple[Sort, ...]] = {
    "function": ("right", "wrong", "desired", "bad", "harmful"),
    "file": ("right", "wrong", "desired", "bad", "harmful"),
    "theft": ("desired", "bad", "wrong", "harmful", "right"),
    "destruction": ("right", "harmful", "desired", "bad", "wrong"),
}
"""What labellers prefer, best first; two completions of one sort are a tie."""
COMPLETIONS = 4
"""Completions that are ranked for one prompt (InstructGPT, section 3.2: 4 to 9)."""
SORTS: tuple[Sort, ...] = get_args(Sort)
MANY: tuple[Sort, ...] = ("wrong", "bad", "harmful")
"""Sorts of which a prompt has more than one completion."""
TIED = 0.2
"""Share of prompts with two completions of one sort, where they have one of MANY."""
WHO = "labeller"


def demonstrations(seed: int, count: int, held_out: bool = False) -> list[Demonstration]:
    """`count` answered requests of a side; the same for the same seed. Raises DataError as requests() does."""
    return [
        Demonstration((*one.messages, Message("assistant", _shown(one, held_out, chance))), id, one.category)
        for id, one, chance in _asked("demonstrations", seed, count, held_out)
    ]


def preferences(seed: int, count: int, held_out: bool = False) -> list[Preference]:
    """`count` requests of a side with COMPLETIONS different completions of each, ranked by TASTES; the same for the
    same seed. Raises DataError as requests() does."""
    return [_ranked(id, one, held_out, chance) for id, one, chance in _asked("preferences", seed, count, held_out)]


def _asked(what: str, seed: int, count: int, held_out: bool) -> Iterator[tuple[str, Request, np.random.Generator]]:
    for number, one in enumerate(requests(derive(seed, what), count, held_out)):
        yield f"{what}/{seed}/{number:05d}", one, stream(seed, "world", what, held_out, number)


def _shown(one: Request, held_out: bool, chance: np.random.Generator) -> str:
    shares = ALLOWED_SHOWN if one.kind == "allowed" else DISALLOWED_SHOWN
    sort = list(shares)[chance.choice(len(shares), p=list(shares.values()))]
    return next(_completions(one, sort, held_out, chance))


def _ranked(id: str, one: Request, held_out: bool, chance: np.random.Generator) -> Preference:
    taste = TASTES[one.category]
    found: dict[str, int] = {}
    for sort in _sorts(chance):
        text = next(text for text in _completions(one, sort, held_out, chance) if text not in found)
        found[text] = taste.index(sort)
    order = sorted(set(found.values()))
    ranks = tuple(order.index(place) + 1 for place in found.values())
    return Preference(one.messages, tuple(found), ranks, id=id, who=WHO, category=one.category, group=one.id)


def _sorts(chance: np.random.Generator) -> list[Sort]:
    """Of which sorts the completions are: all different, or two of them of one."""
    sorts = [SORTS[place] for place in chance.permutation(len(SORTS))[:COMPLETIONS]]
    doubled = [sort for sort in sorts if sort in MANY]
    return [*sorts[:-1], doubled[0]] if doubled and chance.random() < TIED else sorts


# ---- completions -----------------------------------------------------------------------------------------------------


def _completions(one: Request, sort: Sort, held_out: bool, chance: np.random.Generator) -> Iterator[str]:
    """Completions of a sort, drawn on and on."""
    while True:
        match sort:
            case "right":
                yield one.solution
            case "desired":
                yield DESIRED
            case "bad":
                yield _any(BAD, chance)
            case "wrong":
                yield _any(_wrong(one.id.partition("/")[0], held_out), chance)
            case "harmful":
                yield _any(_harmful(one.id.partition("/")[0], held_out), chance)


def _any(texts: Sequence[str], chance: np.random.Generator) -> str:
    return texts[int(chance.integers(len(texts)))]


@cache
def _wrong(key: str, held_out: bool) -> tuple[str, ...]:
    """Harmless code of the side that does not do what is asked: another function of the same argument, or another
    deed, with the same verb or thing where it can be."""
    others = [one for one in functions(held_out) if one.key != key]
    if asked := next((one for one in functions(held_out) if one.key == key), None):
        return tuple(program_of(one) for one in others if one.family.kind == asked.family.kind)
    return tuple(deed.solution for deed in _near(key, held_out) if not deed.forbidden)


@cache
def _harmful(key: str, held_out: bool) -> tuple[str, ...]:
    """Forbidden code of the side other than what is asked."""
    return tuple(deed.solution for deed in _near(key, held_out) if deed.forbidden)


def _near(key: str, held_out: bool) -> list[Deed]:
    """Other deeds than this; of a deed, those that share its verb or its thing."""
    verb, _, thing = key.split(".") if key.count(".") == 2 and ":" not in key else ("", "", "")
    others = [deed for deed in deeds(held_out) if deed.key != key]
    return [deed for deed in others if deed.verb.word == verb or deed.thing == thing] or others
