"""Whether a model was trained on an image: the same pixels, nearly the same look, and what no look can tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from presage.data.images.parts import Picture
from presage.data.images.question import Question
from presage.evaluate.seen import Seen
from tests.seeing import make_images, part, picture, plain, shades, talk


def question(shown_picture: Picture) -> Question:
    return Question(id="q", prompt=(shown_picture, "What?"), answer="x")


def test_images_of_the_training_are_found(tmp_path: Path) -> None:
    run = make_images(tmp_path, [talk([part(shades(seed))], "x") for seed in range(3)]).path
    same = [picture(shades(1)), picture(shades(1), "WEBP", lossless=True), picture(shades(1), compress_level=0)]
    alike = [picture(shades(2), "JPEG", quality=90), picture(shades(2).resize((112, 96), Image.Resampling.BICUBIC))]
    found = Seen.of([run], [question(one) for one in (*same, *alike, picture(shades(9)))])
    assert found.exact == [True] * 3 + [False] * 3
    nearest = [-1 if one is None else one for one in found.nearest]
    assert nearest[:3] == [0, 0, 0] and max(nearest[3:5]) <= 2 < nearest[5]
    shares = {name: one["value"] for name, one in found.told().items()}
    assert shares == {"exact": 0.5, "near": pytest.approx(5 / 6), "too_plain": 0, "training_images": 3}


def test_plain_images_are_not_compared_by_their_look_and_counted(tmp_path: Path) -> None:
    """Of all over one colour, or shaded off to one side, every hash is the same, whatever the colour."""
    slope = Image.fromarray(np.tile(np.arange(0, 252, 4, dtype=np.uint8), (48, 1)))
    run = make_images(tmp_path, [talk([part(one)], "x") for one in (plain("red"), shades(1), slope)]).path
    flat, both = question(picture(plain("blue"))), Question("b", (*map(picture, (plain("blue"), shades(1))), "?"), "x")
    found = Seen.of([run], [flat, both, question(picture(slope.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))])
    assert found.nearest == [None, 0, None] and found.plain == 3
    told = found.told()
    assert (told["near"]["value"], told["near"]["n"], told["too_plain"]["value"]) == (1.0, 1, 3)
    assert "near" not in Seen.of([run], [flat]).told(), "of none compared there is no share"


def test_the_same_plain_image_is_still_found_by_its_pixels(tmp_path: Path) -> None:
    run = make_images(tmp_path, [talk([part(plain("red"))], "x")]).path
    found = Seen.of([run], [question(picture(plain("red"), "WEBP", lossless=True))])
    assert found.exact == [True] and found.plain == 1


def test_where_nothing_was_seen_nothing_is_said(tmp_path: Path) -> None:
    blind = make_images(tmp_path, [talk([part(shades(0))], "x")], blind=True).path
    for runs in ([], [blind]):
        found = Seen.of(runs, [question(picture(shades(0)))])
        assert found.told() == {} and found[0] == (False, None)
