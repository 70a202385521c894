"""Kept completions: asked once, whatever is interrupted, and never another model's, prompt's, decoding's or seed's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from presage.core.errors import CorruptError
from presage.data.verbs import Completion, Decoding, Generation, Message
from presage.infer.kept import Kept
from tests.toy_model import ToyModel

ASKED = [Generation(f"p{n}", Decoding(max_tokens=8), n) for n in range(7)]


def _toy(name: str = "toy") -> ToyModel:
    return ToyModel(write=lambda prompt, sample: f"{name} says {prompt} ü", name=name)


@dataclass
class Breaking(ToyModel):
    """Breaks down after so many batches."""

    batches: int = 1

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        if self.batches == 0:
            raise KeyboardInterrupt
        self.batches -= 1
        return super().generate(requests)


@dataclass
class Another(ToyModel):
    def identity(self) -> dict[str, str | int | float | bool | None]:
        return {"backend": "another"}


def test_what_is_kept_is_what_would_be_said(tmp_path: Path) -> None:
    fresh, inner = _toy().generate(ASKED), _toy()
    assert Kept(inner, tmp_path / "r", batch=2).generate(ASKED) == fresh
    assert inner.asked == ASKED
    again = _toy()
    assert Kept(again, tmp_path / "r").generate(list(reversed(ASKED))) == list(reversed(fresh))
    assert again.asked == []


def test_a_request_that_comes_twice_is_asked_once(tmp_path: Path) -> None:
    inner = _toy()
    said = Kept(inner, tmp_path / "r").generate([ASKED[0], ASKED[1], ASKED[0]])
    assert inner.asked == ASKED[:2] and said[0] == said[2] != said[1]


def test_an_interruption_loses_the_batch_it_came_in(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        Kept(Breaking(batches=2), tmp_path / "r", batch=2).generate(ASKED)
    inner = ToyModel()
    kept = Kept(inner, tmp_path / "r", batch=2)
    assert kept.generate(ASKED) == ToyModel().generate(ASKED)
    assert (inner.asked, kept.asked) == (ASKED[4:], 3)


def test_a_torn_line_is_asked_again(tmp_path: Path) -> None:
    place = tmp_path / "r"
    Kept(_toy(), place).generate(ASKED)
    place.write_bytes(place.read_bytes()[:-9])
    inner = _toy()
    assert Kept(inner, place).generate(ASKED) == _toy().generate(ASKED)
    assert inner.asked == ASKED[-1:]
    # The torn end was cut off before more was added.
    assert Kept(inner, place).generate(ASKED) == _toy().generate(ASKED)
    assert inner.asked == ASKED[-1:]


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED[0], prompt="p0 "),
        replace(ASKED[0], prompt=(Message("user", "p0"),)),
        replace(ASKED[0], decoding=Decoding(max_tokens=9)),
        replace(ASKED[0], seed=1),
    ],
)
def test_another_request_is_asked(tmp_path: Path, other: Generation) -> None:
    Kept(_toy(), tmp_path / "r").generate(ASKED[:1])
    inner = _toy()
    Kept(inner, tmp_path / "r").generate([other])
    assert inner.asked == [other]


def test_another_model_is_asked(tmp_path: Path) -> None:
    Kept(_toy(), tmp_path / "r").generate(ASKED)
    other = Another(write=lambda prompt, sample: "else")
    assert Kept(other, tmp_path / "r").generate(ASKED[:1])[0][0].text == "else"


@pytest.mark.parametrize(
    "line", ["[]", "no JSON", '{"key": "k"}', '{"key": 1, "said": []}', '{"key": "k", "said": [{}]}']
)
def test_a_line_that_is_no_reply_is_named(tmp_path: Path, line: str) -> None:
    Kept(_toy(), tmp_path / "r").generate(ASKED[:1])
    whole = (tmp_path / "r").read_text()
    (tmp_path / "r").write_text(f"{line}\n{whole}")
    with pytest.raises(CorruptError, match=r"r:1: "):
        Kept(_toy(), tmp_path / "r")
    assert (tmp_path / "r").read_text() == f"{line}\n{whole}"
