"""Seed streams: fixed for ever, and independent of each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from presage.core.seeds import derive, in_epochs, stream

names = st.lists(st.text(st.characters(exclude_characters="\x1f", exclude_categories=["Cs"])), max_size=3)


def test_streams_never_change() -> None:
    """Every run ever made depends on these."""
    assert derive(0) == 2033344993903900207
    assert derive(7, "loader", 3) == 5280039891447558156
    assert stream(0, "split").integers(1 << 30, size=3).tolist() == [258768301, 809469740, 1029765569]


@given(st.integers(), names, st.integers(), names)
def test_another_seed_or_name_is_another_stream(a: int, left: list[str], b: int, right: list[str]) -> None:
    assert (derive(a, *left) == derive(b, *right)) == ((a, left) == (b, right))
    assert 0 <= derive(a, *left) < 1 << 63


def test_drawing_from_one_leaves_the_other() -> None:
    alone = stream(1, "b").random(5).tolist()
    stream(1, "a").random(1000)
    assert stream(1, "b").random(5).tolist() == alone


@given(st.integers(1, 30), st.integers(0, 100), st.integers(1, 70))
def test_an_epoch_visits_each_once_however_it_is_asked_for(size: int, first: int, count: int) -> None:
    places = in_epochs(0, first + count, size, 5)
    assert in_epochs(first, count, size, 5) == places[first:]
    assert all(sorted(places[e : e + size]) == list(range(size)) for e in range(0, first + count - size + 1, size))


@given(st.integers(1, 60), st.floats(0, 0.99), st.integers(0, 100), st.integers(1, 70))
def test_none_is_further_astray_than_it_may_be(size: int, astray: float, first: int, count: int) -> None:
    places = in_epochs(0, first + count, size, 5, astray)
    assert in_epochs(first, count, size, 5, astray) == places[first:]
    for epoch in range(0, first + count - size + 1, size):
        order = places[epoch : epoch + size]
        assert sorted(order) == list(range(size))
        assert all(abs(place - number) <= astray * size + 1 for number, place in enumerate(order))


def test_another_epoch_or_seed_is_another_order() -> None:
    places = in_epochs(0, 30, 10, 3)
    assert len({tuple(places[start : start + 10]) for start in (0, 10, 20)}) == 3
    assert in_epochs(0, 30, 10, 4) != places
