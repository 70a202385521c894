"""What the tests of drawn questions share."""

from collections.abc import Callable

import numpy as np

from presage.core.seeds import stream
from presage.data.images.parts import pictures
from presage.data.images.question import Question
from presage.data.images.reading import pixels, read_image

Kind = Callable[[np.random.Generator, str], Question]


def many(kind: Kind, split: str, count: int) -> list[Question]:
    return [kind(stream(5, split, number), split) for number in range(count)]


def told(question: Question) -> str:
    (text,) = question.forms["text"]
    assert isinstance(text, str)
    return text


def shown(question: Question) -> np.ndarray:
    (picture,) = pictures(question.prompt)
    return pixels(read_image(picture.data))


def asked(question: Question) -> str:
    return next(part for part in question.prompt if isinstance(part, str))
