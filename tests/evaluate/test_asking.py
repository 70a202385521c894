"""What is asked: decodings that a command sets, labels, shots, and what cannot be asked so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError
from presage.evaluate import asking
from presage.evaluate.asking import Asked, plans_of
from presage.tasks.methods.chain_of_thought import ChainOfThought
from presage.tasks.methods.free import Free
from presage.tasks.methods.match import Match
from presage.tasks.methods.microcode import Microcode
from presage.tasks.methods.program import Program
from presage.tasks.task import Method
from tests.toy_tasks import capitals


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
