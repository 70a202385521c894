"""Hindsight Neglect: every item is what the recipe says, told from its text alone."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage import cli
from presage.cli import make_hindsight  # noqa: F401 - adds the verb
from presage.core.errors import CheckFailed, DataError
from presage.tasks.hindsight import CLASSES, SHOTS, Bet, check, expected_value, generate, read_bet
from presage.tasks.inverse_scaling import Item, read

ITEMS = generate(40, seed=1)


def questions(item: Item) -> list[str]:
    return [f"Question: {text}" for text in item.prompt.removeprefix("Question: ").split("\n\nQuestion: ")]


def sign(text: str) -> tuple[bool, bool]:
    """(a positive expected value, the outcome was a gain), by another way than the generator's own."""
    loss = re.search(r"(\d+) percent that it costs \w+ (\d+) dollars", text)
    gain = re.search(r"(\d+) percent that it brings \w+ (\d+) dollars", text)
    assert loss and gain
    assert int(loss[1]) + int(gain[1]) == 100
    won = re.search(r"in the end it brought \w+ (\d+) dollars", text)
    assert won is None or won[1] == gain[2]
    lost = re.search(r"in the end it cost \w+ (\d+) dollars", text)
    assert lost is None or lost[1] == loss[2]
    assert (won is None) != (lost is None)
    return int(gain[1]) * int(gain[2]) > int(loss[1]) * int(loss[2]), won is not None


def test_the_expected_value_of_the_literature() -> None:
    assert expected_value(91, 900, 5) == -818.55
    assert Bet(91, 900, 5, lost=False).cents == -81855
    assert not Bet(91, 900, 5, lost=False).right
    assert Bet(91, 900, 5, lost=False).misleads
    assert not Bet(91, 900, 5, lost=True).misleads


def test_examples_agree_with_the_expected_value_and_the_question_does_not() -> None:
    for item in ITEMS:
        *shots, last = questions(item)
        assert len(shots) == SHOTS
        for text in shots:
            right, won = sign(text)
            assert right == won
            assert text.endswith(f"Answer:{CLASSES[not right]}")
        right, won = sign(last)
        assert right != won
        assert last.endswith("\n\nAnswer:")
        assert item.answer == CLASSES[not right]


def test_answers_orders_and_examples_are_balanced() -> None:
    items = generate(200, seed=3)
    assert Counter(item.answer for item in items) == {" Y": 100, " N": 100}
    first = Counter((item.answer, "costs" in questions(item)[-1].split(", and there")[0]) for item in items)
    assert set(first.values()) == {50}
    for item in items:
        assert Counter(text[-1] for text in questions(item)[:-1]) == {"Y": 5, "N": 5}
    last_example = Counter((questions(item)[-2][-1], item.answer) for item in items)
    assert min(last_example.values()) > 30  # the last example does not give the answer away
    assert abs(Counter(item.answer for item in generate(315))[" Y"] - 157.5) < 1


def test_the_seed_decides_and_no_question_comes_twice() -> None:
    assert generate(20, seed=5) == generate(20, seed=5)
    assert generate(20, seed=5) != generate(20, seed=6)
    asked = [questions(item)[-1] for item in generate(500)]
    assert len(set(asked)) == 500


def test_the_sentences_are_not_those_of_the_original() -> None:
    for phrase in ("has the option to play a game", "Did", "make the right decision", "Choose Y or N"):
        assert not [item for item in ITEMS if phrase in item.prompt]


@given(st.integers(1, 99), st.integers(1, 10**6), st.integers(1, 10**6), st.booleans())
def test_a_bet_is_right_when_it_pays_on_average(percent: int, loss: int, gain: int, lost: bool) -> None:
    bet = Bet(percent, loss, gain, lost)
    assert bet.right == (expected_value(percent, loss, gain) > 0)
    assert bet.misleads == (bet.right == lost)


def damaged(item: Item, old: str, new: str) -> Item:
    head, found, tail = item.prompt.rpartition(old)
    assert found
    return replace(item, prompt=head + new + tail)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda item: replace(item, answer_index=1 - item.answer_index), "a wrong answer"),
        (lambda item: damaged(item, "Answer: Y\n", "Answer: N\n"), "an example with a wrong answer"),
        (lambda item: replace(item, prompt=item.prompt.partition("\n\nQuestion: ")[2]), "9 examples"),
        (lambda item: damaged(item, " percent", "0 percent"), "not a question about a bet"),
        (lambda item: replace(item, prompt="What now?"), "not a question about a bet"),
    ],
)
def test_a_wrong_item_fails_its_check(change, message: str) -> None:  # type: ignore[no-untyped-def]
    check(ITEMS[0])
    with pytest.raises(CheckFailed, match=message):
        check(change(ITEMS[0]))


def test_a_turned_outcome_fails_its_check() -> None:
    text = questions(ITEMS[0])[-1]
    bet = read_bet(text)
    now, other = ("cost", "brought") if bet.lost else ("brought", "cost")
    with pytest.raises(CheckFailed, match="does not mislead"):
        check(damaged(ITEMS[0], f"in the end it {now}", f"in the end it {other}"))


@pytest.mark.parametrize("count", [0, -1, 100_001])
def test_counts_that_cannot_be(count: int) -> None:
    with pytest.raises(DataError, match=f"a count of {count}"):
        generate(count)


# ---- the verb -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["items.jsonl", "deep/items.csv"])
def test_the_verb_writes_what_the_reader_reads(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / name
    assert cli.main(["make", "hindsight", "--out", str(out), "--count", "12", "--seed", "4"]) == 0
    assert capsys.readouterr().out == f"{out}\n"
    assert read(out) == generate(12, 4)
    before = out.read_bytes()
    assert cli.main(["make", "hindsight", "--out", str(out)]) == 2
    assert "there is something of this name" in capsys.readouterr().err
    assert out.read_bytes() == before


@pytest.mark.parametrize(("name", "extra"), [("items.txt", []), ("items.csv", ["--count", "0"])])
def test_the_verb_refuses_and_leaves_nothing(
    tmp_path: Path, name: str, extra: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["make", "hindsight", "--out", str(tmp_path / name), *extra]) == 2
    assert capsys.readouterr().err.startswith("presage: ")
    assert list(tmp_path.iterdir()) == []
