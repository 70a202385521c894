"""What the tests of drawn questions share: the told text taken apart by a reader of its own."""

from __future__ import annotations

import hashlib
import re
from functools import cache

from presage.data.drawing.kinds import questions
from presage.data.images.parts import pictures
from presage.data.images.question import Question
from presage.data.images.reading import read_image

COUNT = 80


@cache
def drawn(kind: str, split: str) -> list[Question]:
    return list(questions(kind, COUNT, 0, split))


def told(question: Question) -> str:
    """The text form, without what is asked."""
    (text,) = question.forms["text"]
    assert isinstance(text, str)
    asked = question.prompt[-1]
    assert isinstance(asked, str) and text.endswith("\n" + asked)
    return text.removesuffix("\n" + asked)


def asked(question: Question) -> str:
    text = question.prompt[-1]
    assert isinstance(text, str)
    return text


def is_for_tests(word: str) -> bool:
    return int(hashlib.sha256(word.encode()).hexdigest(), 16) % 10 == 0


def check_forms(question: Question, side: tuple[int, int]) -> None:
    """Pictures decode, none is larger than a side, and only the text form has none."""
    for form in ("image", *(name for name in question.forms if name != "text")):
        (picture,) = pictures(question.in_form(form))
        image = read_image(picture.data)
        assert image.width <= side[0] and image.height <= side[1]
        assert len(set(image.convert("L").tobytes())) > 1  # something is on it
    assert not pictures(question.forms["text"])


def check_steps(question: Question) -> None:
    """A sum's steps end in a sum that is right and is the answer."""
    found = re.search(r"([\d.]+) \+ ([\d.]+) = ([\d.]+)\.$", question.steps)
    assert found is not None
    first, second, both = map(float, found.groups())
    assert abs(first + second - both) < 1e-9
    assert question.answer == found[3]
