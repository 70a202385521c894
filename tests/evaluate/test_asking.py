"""What is asked: decodings that a command sets, labels, shots, and what cannot be asked so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError, DataError
from presage.evaluate import asking
from presage.evaluate.asking import Asked, Plan, distinct, plans_of
from presage.tasks.methods.chain_of_thought import ChainOfThought
from presage.tasks.methods.choice import by_letter
from presage.tasks.methods.free import Free
from presage.tasks.methods.match import Match
from presage.tasks.methods.microcode import Microcode
from presage.tasks.methods.program import Program
from presage.tasks.methods.sway import Sway
from presage.tasks.task import Method, Task
from tests.toy_tasks import CAPITALS, Given, capitals


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The method that is asked with where the task is declared with another."""

    def plan(method: Method, **changes: Any) -> Any:
        monkeypatch.setattr(asking, "find_task", lambda name: capitals(method=method))
        (one,) = plans_of(Asked(task="capitals", **changes), Path(), 0)
        return one.task.method

    return plan


@pytest.mark.parametrize("method", [Microcode(), ChainOfThought(), Program()], ids=lambda one: type(one).__name__)
def test_samples_reach_methods_with_a_number_of_their_own(planned: Any, method: Method) -> None:
    found = planned(method, samples=12, temperature=0.8)
    assert (found.samples, found.decoding.samples, found.decoding.temperature) == (12, 1, 0.8)
    with pytest.raises(ConfigError, match="at temperature 0"):
        planned(method, samples=2, temperature=0.0)


def test_pass_at_k_follows_the_samples(planned: Any) -> None:
    assert planned(Microcode(), samples=12).ks == (1, 10)
    assert planned(Microcode(), max_tokens=9).ks == Microcode().ks


def test_a_temperature_brings_the_papers_nucleus_and_leaves_beams(planned: Any) -> None:
    assert planned(Program(), temperature=0.8).decoding.top_p == 0.95
    assert planned(Program(), temperature=0.0).decoding.top_p is None
    assert Free().decoding.beams == 4
    assert planned(Free(), temperature=0.8).decoding.beams == 1
    assert planned(Free(), max_tokens=9).decoding.beams == 4


def test_methods_that_read_one_sample_refuse_several(planned: Any) -> None:
    with pytest.raises(ConfigError, match="reads one sample an example"):
        planned(Free(), samples=4, temperature=0.8)
    assert planned(Match(), samples=4, temperature=0.8).decoding.samples == 4
    with pytest.raises(ConfigError, match="at temperature 0"):
        planned(Match(), samples=4)
    free = planned(Free(), samples=1)
    assert free == replace(Free(), decoding=replace(Free().decoding, samples=1))


def _plans(monkeypatch: pytest.MonkeyPatch, task: Task, **changes: Any) -> list[Plan]:
    monkeypatch.setattr(asking, "find_task", lambda name: task)
    return plans_of(Asked(task="capitals", **changes), Path(), 0)


def test_an_id_twice_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="capitals: the id 'c0' appears twice"):
        _plans(monkeypatch, capitals(data=Given((*CAPITALS, CAPITALS[0]))))


def test_a_label_twice_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = _plans(monkeypatch, capitals())
    with pytest.raises(ConfigError, match="the task 'capitals' twice"):
        distinct([*plans, *plans])


def test_methods_that_show_no_context_take_no_shots(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="shows no solved examples"):
        _plans(monkeypatch, capitals(method=Sway()), shots=2)
    assert _plans(monkeypatch, capitals(method=Sway()), shots=0)


def test_a_task_asked_in_another_way_shows_the_same_shots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "find_task", lambda name: capitals())
    asked = Asked(task="capitals", shots=2)
    (plain,) = plans_of(asked, Path(), 0)
    (lettered,) = plans_of(asked, Path(), 0, by_letter)
    assert lettered.task.name == "capitals_letter"
    assert [one.shots for one in lettered.questions] == [one.shots for one in plain.questions]
    assert lettered.declared == plain.declared == "capitals"


def test_shots_of_another_pool_are_kept_apart_by_what_they_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    others = [replace(one, id=f"c{7 - i}", group="") for i, one in enumerate(CAPITALS)]
    task = capitals(data=Given(tuple(CAPITALS), tuple(others)))
    (plan,) = _plans(monkeypatch, task, shots=7)
    for one in plan.questions:
        same = next(other.id for other in others if other.question == one.example.question)
        assert set(one.shots) == {other.id for other in others} - {same}


def test_chance_is_only_where_options_are_weighed_or_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _plans(monkeypatch, capitals())[0].chance == 0.5
    assert _plans(monkeypatch, capitals(method=Match()))[0].chance is None
    written = replace(by_letter(capitals()), method=Match())
    assert _plans(monkeypatch, written)[0].chance == 0.5


@pytest.mark.parametrize("seed", [0, 1])
def test_a_smaller_limit_is_part_of_a_larger_one(monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    many = tuple(replace(CAPITALS[0], id=f"c{i}") for i in range(100))
    monkeypatch.setattr(asking, "find_task", lambda name: capitals(data=Given(many)))

    def drawn(limit: int) -> set[str]:
        (plan,) = plans_of(Asked(task="capitals", limit=limit), Path(), seed)
        assert len(plan.questions) == limit
        return {one.example.id for one in plan.questions}

    assert drawn(1) < drawn(40) < drawn(50) < drawn(99)
