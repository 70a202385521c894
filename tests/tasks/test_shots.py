"""Few-shot contexts: who is drawn, from where, and what the text looks like."""

from __future__ import annotations

import pytest

from presage.core.errors import ConfigError
from presage.tasks.shots import Shots
from presage.tasks.task import Template
from tests.toy_tasks import CAPITALS, capitals


def test_a_draw_depends_on_the_example_and_not_on_the_order() -> None:
    forward = {one.id: Shots(capitals(), CAPITALS, 3, 5).of(one) for one in CAPITALS}
    shots = Shots(capitals(), CAPITALS, 3, 5)
    assert {one.id: shots.of(one) for one in reversed(CAPITALS)} == forward
    assert len({tuple(shot.id for shot in some) for some in forward.values()}) > 1
    assert forward != {one.id: Shots(capitals(), CAPITALS, 3, 6).of(one) for one in CAPITALS}


def test_neither_the_example_nor_its_group_is_shown_to_it() -> None:
    for one in CAPITALS:
        assert all(shot.group != one.group for shot in Shots(capitals(), CAPITALS, 6, 0).of(one))


def test_fixed_draws_once_and_first_does_not_draw() -> None:
    pool, asked = CAPITALS[:4], CAPITALS[4:]
    fixed = Shots(capitals(draw="fixed"), pool, 3, 1)
    assert len({tuple(shot.id for shot in fixed.of(one)) for one in asked}) == 1
    assert [shot.id for shot in Shots(capitals(draw="first"), pool, 3, 1).of(asked[0])] == ["c0", "c1", "c2"]


def test_a_category_keeps_to_itself() -> None:
    shots = Shots(capitals(by_category=True, draw="first"), CAPITALS, 2, 0)
    assert [shot.category for shot in shots.of(CAPITALS[5])] == ["S", "S"]


def test_too_small_a_pool_is_named() -> None:
    with pytest.raises(ConfigError, match=r"capitals: 7 shots of a pool of 6 \(at most 6 shots\)"):
        Shots(capitals(), CAPITALS, 7, 0).of(CAPITALS[0])


def test_the_context_is_header_shots_and_question() -> None:
    template = Template(
        lambda one: f"Q: {one.question}\nA:", lambda one: f" {one.options[0]}", lambda one: f"About {one.category}."
    )
    shots = Shots(capitals(template=template, draw="first"), CAPITALS[2:], 1, 0)
    expected = "About N.\n\nQ: Capital of Italy?\nA: Rome\n\nQ: Capital of France?\nA:"
    assert shots.context(CAPITALS[0]) == expected
