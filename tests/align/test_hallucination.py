"""The loop of closed-domain hallucinations, with scripted judges: every branch, every count, whatever the batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import hypothesis.strategies as st
import pytest
from hypothesis import given

from presage.align.hallucination import OUTCOMES, ROUNDS, Loop, Question, Traced, comparisons, read_list, tally
from presage.core.errors import ConfigError, DataError
from presage.data.verbs import Completion, Decoding, Generation
from tests.toy_model import ToyModel


@dataclass
class Script(ToyModel):
    """Says its lines in order to each question, whose id stands in its text; `cut` tokens fall off each time."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    cut: int = 0
    name: str = "scripted"

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        self.asked += requests
        return [[Completion(self._line(one), None, None, "stop", self.cut)] for one in requests]

    def _line(self, request: Generation) -> str:
        assert not isinstance(request.prompt, str)
        text = request.prompt[-1].content
        key = next(name for name in sorted(self.lines, key=len, reverse=True) if f"text of {name}." in text)
        return self.lines[key].pop(0)

    def prompts(self) -> list[str]:
        return [one.prompt[-1].content for one in self.asked if isinstance(one, Generation) and one.prompt]  # type: ignore[union-attr]


def _question(name: str = "q") -> Question:
    return Question(name, f"The text of {name}.", "Who was it?")


def _run(*judged: str, answer: str = "Ada, in 1843.", rounds: int = ROUNDS) -> tuple[Traced, Script, Script]:
    model, judge = Script(lines={"q": [answer]}), Script(lines={"q": list(judged)})
    [found] = Loop(model, judge, rounds).run([_question()])
    assert judge.lines["q"] == [], "the judge was not asked for all of its lines"
    return found, model, judge


def test_nothing_made_up_makes_no_pair() -> None:
    found, model, judge = _run("NONE")
    assert (found.outcome, found.answers, found.lists, found.rewritings) == ("clean", ("Ada, in 1843.",), ((),), 0)
    assert comparisons([found], "judge") == []
    assert (len(model.asked), len(judge.asked)) == (1, 1)


def test_a_rewritten_answer_is_preferred_to_the_first() -> None:
    found, _, judge = _run("- in 1843\n- twice", "Ada.", "none.")
    assert (found.outcome, found.rewritings, found.lists) == ("pair", 1, (("in 1843", "twice"), ()))
    [record] = comparisons([found], "judge")
    assert record["prompt"] == _question().prompt
    assert record["completions"] == ["Ada.", "Ada, in 1843."]
    assert (record["ranks"], record["who"], record["id"]) == ([1, 2], "judge", "q")
    first, second, third = judge.prompts()
    assert "> Ada, in 1843." in first
    assert "> - in 1843\n> - twice" in second
    assert "> Ada.\n" in third
    assert "1843" not in third


@pytest.mark.parametrize("rewritings", range(1, ROUNDS + 1))
def test_again_from_the_latest_answer_and_its_list(rewritings: int) -> None:
    said = ["- 0"]
    for n in range(1, rewritings + 1):
        said += [f"Version {n}.", f"- {n}" if n < rewritings else "NONE"]
    found, _, judge = _run(*said)
    assert (found.outcome, found.rewritings) == ("pair", rewritings)
    assert comparisons([found], "j")[0]["completions"] == [f"Version {rewritings}.", "Ada, in 1843."]
    last = judge.prompts()[-2]
    assert f"> - {rewritings - 1}" in last
    assert (f"> Version {rewritings - 1}." in last) == (rewritings > 1)


@pytest.mark.parametrize("rounds", [1, 3, ROUNDS])
def test_what_stays_made_up_is_given_up(rounds: int) -> None:
    said = ["- 0"]
    for n in range(1, rounds + 1):
        said += [f"Version {n}.", f"- {n}"]
    found, _, judge = _run(*said, rounds=rounds)
    assert (found.outcome, found.rewritings) == ("persistent", rounds)
    assert len(judge.asked) == 2 * rounds + 1
    assert comparisons([found], "j") == []


@pytest.mark.parametrize(
    ("said", "answer", "outcome"),
    [
        ([], " ", "empty"),
        (["- year", ""], "Ada.", "empty"),
        (["I see nothing."], "Ada.", "invalid"),
        (["- year", "Ada!", "all is well"], "Ada.", "invalid"),
        (["- year", "Ada.", "NONE"], "Ada.", "unchanged"),
        (["- year", "Bob.", "- Bob", " Ada. ", "NONE"], "Ada.", "unchanged"),
    ],
    ids=["no answer", "nothing left", "no list", "no second list", "the same", "the first again"],
)
def test_ends_without_a_pair(said: list[str], answer: str, outcome: str) -> None:
    found, _, _ = _run(*said, answer=answer)
    assert found.outcome == outcome
    assert comparisons([found], "j") == []


@pytest.mark.parametrize("who", ["model", "judge"])
def test_a_prompt_that_was_cut_ends_it(who: str) -> None:
    model = Script(lines={"q": ["Ada."]}, cut=3 * (who == "model"))
    judge = Script(lines={"q": ["NONE"]}, cut=3 * (who == "judge"))
    [found] = Loop(model, judge).run([_question()])
    assert found.outcome == "cut"
    assert len(judge.asked) == (who == "judge")


LINES = {
    "clean": ["NONE"],
    "pair": ["- year", "Ada.", "NONE"],
    "late": ["- year", "Ada in a year.", "- a year", "Ada.", "NONE"],
    "same": ["- year", "Ada, in 1843.", "NONE"],
    "bad": ["?"],
    "empty": ["- year", ""],
    "never": ["- year", *["Ada.", "- Ada"] * ROUNDS],
}


def _all(batch: int, seed: int = 0) -> tuple[list[Traced], list[Generation]]:
    model = Script(lines={name: ["Ada, in 1843."] for name in LINES})
    judge = Script(lines={name: list(lines) for name, lines in LINES.items()})
    found = Loop(model, judge, seed=seed, batch=batch).run([_question(name) for name in LINES])
    return found, [one for one in [*model.asked, *judge.asked] if isinstance(one, Generation)]


def test_every_outcome_is_counted() -> None:
    found, _ = _all(64)
    counts = tally(found)
    assert counts == {"clean": 1, "pair": 2, "unchanged": 1, "persistent": 1, "invalid": 1, "empty": 1, "cut": 0}
    assert tuple(counts) == OUTCOMES
    assert [record["id"] for record in comparisons(found, "j")] == ["pair", "late"]
    assert tally([]) == dict.fromkeys(OUTCOMES, 0)


def test_batches_change_nothing_and_every_question_has_seeds_of_its_own() -> None:
    whole, asked = _all(64)
    for batch in (1, 2, 3):
        found, again = _all(batch)
        assert found == whole
        assert sorted(map(repr, again)) == sorted(map(repr, asked))
    assert len({one.seed for one in asked}) == len(asked)
    assert not {one.seed for one in asked} & {one.seed for one in _all(64, seed=1)[1]}


def test_one_model_may_do_it_all() -> None:
    both = Script(lines={"q": ["Ada, in 1843.", "- year", "Ada.", "NONE"]})
    [found] = Loop(both, both).run([_question()])
    assert found.outcome == "pair"


def test_no_questions_ask_nobody() -> None:
    model = ToyModel()
    assert Loop(model, model).run([]) == []
    assert model.asked == []


@pytest.mark.parametrize(
    "questions",
    [[_question(), _question()], [replace(_question(), question=" ")], [replace(_question(), text="")]],
    ids=["twice", "no question", "no text"],
)
def test_questions_that_are_none(questions: list[Question]) -> None:
    with pytest.raises(DataError, match="q: "):
        Loop(ToyModel(), ToyModel()).run(questions)


@pytest.mark.parametrize("change", [{"rounds": 0}, {"batch": 0}, {"listing": Decoding(samples=2)}], ids=str)
def test_loops_that_are_none(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        Loop(ToyModel(), ToyModel(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("NONE", ()),
        (" none. ", ()),
        ("- a\n\n - b ", ("a", "b")),
        ("None of it", None),
        ("- a\nand b", None),
        ("-a", None),
        ("- ", None),
        ("", None),
    ],
)
def test_lists_in_and_out_of_contract(text: str, items: tuple[str, ...] | None) -> None:
    assert read_list(text) == items


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), min_size=1), min_size=1))
def test_any_items_are_read_back(items: list[str]) -> None:
    assert read_list("\n".join(f"- {item}" for item in items)) == tuple(items)
