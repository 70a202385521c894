"""Text as it comes is the text that one gets at the end."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import ConfigError
from presage.infer.engine.spoken import Spoken


def as_bytes(ids: Sequence[int]) -> str:
    return bytes(ids).decode("utf-8", errors="replace")


def said(spoken: Spoken, ids: Sequence[int]) -> list[str]:
    return [*(spoken.feed(one) for one in ids), spoken.end()]


@given(st.text(max_size=40), st.lists(st.text(alphabet="ab éx\n", min_size=1, max_size=4), max_size=3))
def test_what_is_said_is_the_text_before_the_first_stop_that_is_complete(text: str, stops: list[str]) -> None:
    spoken = Spoken(as_bytes, stops)
    whole = "".join(said(spoken, list(text.encode())))
    starts = (text[:end] for end in range(len(text) + 1))
    met = next((start for start in starts if any(stop in start for stop in stops)), None)  # the first that is complete
    assert spoken.stopped == (met is not None)
    assert whole == (text if met is None else met[: min(met.find(stop) for stop in stops if stop in met)])


def test_pieces_are_whole_characters_and_never_part_of_a_stop() -> None:
    assert said(Spoken(as_bytes), "é→🙂a".encode()) == ["", "é", "", "", "→", "", "", "", "🙂", "a", ""]
    assert said(Spoken(as_bytes, ["\n\nUser:"]), b"hi\n\nUs!") == ["h", "i", "", "", "", "", "\n\nUs!", ""]
    assert said(Spoken(as_bytes, ["END"]), b"aENDb") == ["a", "", "", "", "", ""]
    assert "".join(said(Spoken(as_bytes, ["END"]), b"aEN")) == "aEN"


def test_bytes_that_are_no_text_are_told_as_such() -> None:
    assert "".join(said(Spoken(as_bytes), [0xE2, 0x28, 0xFF])) == "�(�"


def test_an_empty_stop_is_refused() -> None:
    with pytest.raises(ConfigError, match="empty stop"):
        Spoken(as_bytes, [""])
