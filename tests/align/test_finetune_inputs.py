"""GPT-1's input transformations by hand, what is cut, and batches that change nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from presage.align.finetune_data import Form, Item
from presage.align.finetune_inputs import Encoded, Marks, batch, encode, grouped, shared_room
from presage.core.errors import ConfigError
from presage.data.bpe import EOT, Tokenizer

BYTES = Tokenizer({bytes([i]): i for i in range(256)}, {EOT: 256}, "gpt2")  # ids are bytes: sequences can be read
MARKS = Marks.after(257)
S, D, E = 257, 258, 259


def ids(text: str) -> tuple[int, ...]:
    return tuple(text.encode())


def one(item: Item, form: Form, context: int = 64) -> Encoded:
    return encode([item], form, BYTES, MARKS, context)[0]


def test_classification() -> None:
    assert one(Item("i", ("good",), 1), "classification") == Encoded(((S, *ids("good"), E),), 1)


def test_entailment_has_premise_delimiter_hypothesis() -> None:
    found = one(Item("i", ("It rains.", "It is wet."), 0), "entailment")
    assert found == Encoded(((S, *ids("It rains."), D, *ids(" It is wet."), E),), 0)


def test_similarity_has_both_orders() -> None:
    found = one(Item("i", ("ab", "c"), 1), "similarity")
    assert found.sequences == ((S, *ids("ab"), D, *ids(" c"), E), (S, *ids("c"), D, *ids(" ab"), E))


def test_choice_has_a_sequence_for_every_answer() -> None:
    found = one(Item("i", ("Why?",), 2, ("a", "bc", "")), "choice")
    start = (S, *ids("Why?"), D)
    assert found.sequences == ((*start, *ids(" a"), E), (*start, *ids(" bc"), E), (*start, *ids(" "), E))
    assert found.label == 2


def test_a_long_text_loses_its_end_and_says_so() -> None:
    found = one(Item("i", ("abcdefghij",), 0), "classification", 8)
    assert found == Encoded(((S, *ids("abcdef"), E),), 0, cut=4)


def test_of_two_parts_the_longer_gives_first() -> None:
    found = one(Item("i", ("abcdefgh", "xy"), 0), "entailment", 12)
    assert found == Encoded(((S, *ids("abcdef"), D, *ids(" xy"), E),), 0, cut=2)


def test_choices_share_one_context_however_long_they_are() -> None:
    found = one(Item("i", ("abcdefgh",), 0, ("u", "uvwxyz")), "choice", 12)  # room for 9: 4 of the longest answer
    assert found.sequences == ((S, *ids("abcde"), D, *ids(" u"), E), (S, *ids("abcde"), D, *ids(" uvw"), E))
    assert found.cut == 3 + 3 + 3


def test_a_context_without_room_is_refused() -> None:
    with pytest.raises(ConfigError, match="a context of 7 tokens has no room"):
        encode([], "choice", BYTES, MARKS, 7)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(2, 60))
def test_room_is_used_up_and_shared_fairly(first: int, second: int, room: int) -> None:
    a, b = shared_room(first, second, room)
    assert 0 <= a <= first
    assert 0 <= b <= second
    assert a + b == min(room, first + second)
    if a < first and b < second:
        assert abs(a - b) <= 1
    elif a < first:
        assert b <= a + 1
    elif b < second:
        assert a <= b + 1


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=20), st.integers(1, 60))
def test_groups_hold_every_item_once_and_no_more_than_allowed(lengths: list[list[int]], most: int) -> None:
    items = [Encoded(tuple((7,) * n for n in some), 0) for some in lengths]
    groups = grouped(items, most)
    assert sorted(place for group in groups for place in group) == list(range(len(items)))
    for group in groups:
        some = [items[place] for place in group]
        filled = sum(len(item.sequences) for item in some) * max(item.longest for item in some)
        assert filled <= most or len(group) == 1


def test_a_batch_as_tensors() -> None:
    made = batch([Encoded(((1, 2, 3),), 1), Encoded(((4, 5), (6, 7, 8, 9)), 0)], filling=0)
    assert made.tokens.tolist() == [[1, 2, 3, 0], [4, 5, 0, 0], [6, 7, 8, 9]]
    assert made.lengths.tolist() == [3, 2, 4]
    assert made.owner.tolist() == [0, 1, 1]
    assert made.slot.tolist() == [0, 0, 1]
    assert made.candidates.tolist() == [1, 2]
    assert made.labels.tolist() == [1, 0]
    assert made.to(torch.device("cpu")).tokens.shape == (3, 4)
