"""Few-shot contexts: who is drawn, from where, and what the text looks like."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from presage.core.errors import ConfigError
from presage.evaluate import asking
from presage.evaluate.asking import Asked, Plan, plans_of
from presage.tasks.shots import Shots
from presage.tasks.task import Example, Template
from tests.toy_tasks import CAPITALS, Given, capitals


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


def _reading(sizes: tuple[int, ...]) -> list[Example]:
    """Passages with so many questions each."""
    return [
        Example(f"p{number}q{i}", f"{number}, {i}?", ("yes", "no"), 0, group=f"passage {number}")
        for number, size in enumerate(sizes)
        for i in range(size)
    ]


def _planned(monkeypatch: pytest.MonkeyPatch, k: int, found: list[Example], pool: list[Example] | None = None) -> Plan:
    task = capitals(data=Given(tuple(found), tuple(pool or ())), draw="first")
    monkeypatch.setattr(asking, "find_task", lambda name: task)
    (plan,) = plans_of(Asked(task="capitals", shots=k), Path(), 0)
    return plan


@pytest.mark.parametrize(
    ("sizes", "most"), [((1, 4, 2), 3), ((2, 2, 2), 4), ((5,), 0), ((1, 1), 1)], ids=["uneven", "even", "one", "alone"]
)
def test_as_many_shots_as_every_question_can_be_shown(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], most: int
) -> None:
    """The number said is one that can be had: by the largest passage's questions too, whichever comes first."""
    found = _reading(sizes)
    plan = _planned(monkeypatch, most, found)
    groups = {one.id: one.group for one in found}
    for one in plan.questions:
        assert len(one.shots) == most
        assert all(groups[shot] != one.example.group for shot in one.shots)
    for k in (most + 1, len(found)):
        with pytest.raises(ConfigError, match=rf"capitals: {k} shots of .*\(at most {most} shots\)"):
            _planned(monkeypatch, k, found)


def test_solved_examples_of_the_same_passage_are_left_out_of_what_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in AGIEval's English: solved examples on passages of which the exam itself has some."""
    pool = [replace(one, id=f"solved-{one.id}", question=f"Solved {one.question}") for one in _reading((2, 3, 1))]
    found = _reading((1, 1)) + [replace(one, group="another") for one in _reading((0, 0, 0, 2))]
    plan = _planned(monkeypatch, 3, found, pool)
    shown = {one.example.id: set(one.shots) for one in plan.questions}
    assert shown["p0q0"] == {"solved-p1q0", "solved-p1q1", "solved-p1q2"}
    assert shown["p1q0"] == {"solved-p0q0", "solved-p0q1", "solved-p2q0"}
    assert shown["p3q0"] == {"solved-p0q0", "solved-p0q1", "solved-p1q0"}
    with pytest.raises(ConfigError, match=r"6 shots of .*\(at most 3 shots\)"):
        _planned(monkeypatch, 6, found, pool)


def test_agieval_knows_a_passage_again_whatever_its_blanks(tmp_path: Path) -> None:
    """The file of solved examples breaks lines elsewhere."""
    passage = "A lake froze.\nNobody crossed it."
    options = ["(A)one", "(B)two", "(C)three", "(D)four"]
    asked = {"passage": passage, "question": "Who?", "options": options, "label": "A"}
    (tmp_path / "sat-en.jsonl").write_text(json.dumps(asked) + "\n")
    rows = [{"passage": text, "question": f"{i}?", "options": options, "label": "B"}
            for i, text in enumerate(["A lake  froze. \r\nNobody crossed it. ", "Another."])]  # fmt: skip
    with open(tmp_path / "few_shot_prompts.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", "sat-en"])
        writer.writerows([f"sample {i}", repr(row)] for i, row in enumerate(rows))
    (plan,) = plans_of(Asked(task="agieval_sat_en", shots=1), tmp_path, 0)
    assert "Another." in plan.questions[0].context
    assert plan.questions[0].context.count("Nobody crossed it.") == 1
    with pytest.raises(ConfigError, match=r"agieval_sat_en: 2 shots of .*\(at most 1 shots\)"):
        plans_of(Asked(task="agieval_sat_en", shots=2), tmp_path, 0)
