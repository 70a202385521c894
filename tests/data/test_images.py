"""Images on the grid, alike or not, and changed at random; records of text and images as ids and pixels."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from presage.core.errors import CorruptError, DataError, PresageError
from presage.data.bpe import Tokenizer
from presage.data.images import shards
from presage.data.images.augment import Augment
from presage.data.images.grid import Grid
from presage.data.images.hashing import distance, look, pixel_digest
from presage.data.images.loader import Images
from presage.data.images.parts import TAG
from presage.data.images.reading import read_image
from presage.data.images.records import read_documents
from tests.seeing import GRID, Row, make_images, noise, part, picture, plain, said, shades, talk, write_rows
from tests.stage import check_stage

grids = st.builds(Grid, patch=st.sampled_from([1, 4, 7, 8]), merge=st.integers(1, 3), most_tokens=st.integers(1, 300))
lengths = st.integers(1, 70_000) | st.integers(1, 300)

# ---- the grid -------------------------------------------------------------------------------------------------------


@given(grids, lengths, lengths)
def test_an_image_is_shrunk_to_its_budget_and_never_enlarged(grid: Grid, height: int, width: int) -> None:
    high, wide = grid.size(height, width)
    assert 1 <= high <= height and 1 <= wide <= width
    assert grid.tokens(high, wide) <= grid.most_tokens
    if grid.tokens(height, width) <= grid.most_tokens and height * width <= grid.most_tokens * grid.cell**2:
        assert (high, wide) == (height, width)


@given(grids, lengths, lengths)
def test_its_shape_is_kept(grid: Grid, height: int, width: int) -> None:
    """Up to rounding to whole pixels, and a side cannot be less than one."""
    high, wide = grid.size(height, width)
    assume(high > 1 and wide > 1)
    assert max((high - 0.5) / height, (wide - 0.5) / width) <= min((high + 0.5) / height, (wide + 0.5) / width)


@given(grids, st.integers(1, 300), st.integers(1, 300))
@settings(max_examples=50)
def test_fitted_sides_are_multiples_of_the_cell(grid: Grid, height: int, width: int) -> None:
    image = grid.fitted(noise(0, height, width))
    high, wide = grid.size(height, width)
    assert image.shape[0] % grid.cell == image.shape[1] % grid.cell == 0
    assert image.shape == (math.ceil(high / grid.cell) * grid.cell, math.ceil(wide / grid.cell) * grid.cell, 3)
    assert grid.tokens(*image.shape[:2]) == grid.tokens(high, wide) <= grid.most_tokens


@pytest.mark.parametrize("size", [(65_535, 1), (1, 65_535)])
def test_the_longest_lines_fit(size: tuple[int, int]) -> None:
    grid = Grid(patch=8, merge=2, most_tokens=64)
    image = grid.fitted(Image.new("RGB", size, (9, 8, 7)))
    assert sorted(image.shape) == [3, 16, 64 * 16]
    assert (image == (9, 8, 7)).all()


def test_what_fits_is_left_as_it_is_and_filled_up_with_its_edge() -> None:
    image = noise(1, 10, 13)
    fitted = Grid(patch=8, most_tokens=4).fitted(image)
    assert fitted.shape == (16, 16, 3)
    assert (fitted[:10, :13] == np.asarray(image)).all()
    assert (fitted[10:] == fitted[9]).all() and (fitted[:, 13:] == fitted[:, 12:13]).all()


# ---- alike or not ---------------------------------------------------------------------------------------------------


def bits(one: Image.Image, other: Image.Image) -> int:
    return (look(one) ^ look(other)).bit_count()


def test_the_same_pixels_in_another_format_have_the_same_digest() -> None:
    image = noise(2, 31, 17)
    files = [picture(image), picture(image, compress_level=1), picture(image, "WEBP", lossless=True)]
    assert len({one.digest for one in files}) == 3
    assert {pixel_digest(read_image(one.data)) for one in files} == {pixel_digest(image)}
    assert pixel_digest(image) != pixel_digest(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert pixel_digest(noise(0, 2, 8)) != pixel_digest(Image.frombytes("RGB", (4, 4), noise(0, 2, 8).tobytes()))


@pytest.mark.parametrize("seed", range(10))
def test_a_look_survives_noise_and_size_and_tells_images_apart(seed: int) -> None:
    image = shades(seed, 180, 210)
    rough = np.asarray(image).astype(int) + np.random.default_rng(seed).integers(-3, 4, (180, 210, 3))
    assert bits(image, Image.fromarray(np.clip(rough, 0, 255).astype(np.uint8))) <= 3
    assert bits(image, image.resize((97, 83), Image.Resampling.BOX)) <= 3
    assert bits(image, read_image(picture(image, "JPEG", quality=80).data)) <= 3
    assert bits(image, shades(seed + 100, 180, 210)) >= 12


words = st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5)


@given(words, words)
def test_distance_is_the_number_of_differing_bits(one: list[int], other: list[int]) -> None:
    naive = [[(a ^ b).bit_count() for b in other] for a in one]
    assert distance(np.array(one, np.uint64), np.array(other, np.uint64)).tolist() == naive


# ---- changed at random ----------------------------------------------------------------------------------------------

IMAGE = np.asarray(noise(3, 12, 20))
EVERYTHING = Augment(shift=2, turn=10, scale=0.1, shear=0.1, contrast=0.3)


class Drawn:
    """A generator that draws what it is told."""

    def __init__(self, *values: float) -> None:
        self.values = values

    def uniform(self, low: float, high: float, count: int) -> np.ndarray:
        return np.array([*self.values, *[0.0] * count][:count])


def test_the_same_seed_gives_the_same_image() -> None:
    one, same, other = (EVERYTHING.applied(IMAGE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.shape == IMAGE.shape and one.dtype == np.uint8
    assert (one == same).all()
    assert (one != other).any() and (one != IMAGE).any()


def test_nothing_to_change_leaves_the_image() -> None:
    assert (Augment().applied(IMAGE, np.random.default_rng(0)) == IMAGE).all()
    assert (EVERYTHING.applied(IMAGE, Drawn()) == IMAGE).all()  # type: ignore[arg-type]


@pytest.mark.parametrize(("x", "y"), [(3, 0), (0, 2), (-3, 2), (1, -3)])
def test_a_shift_by_whole_pixels_moves_them(x: int, y: int) -> None:
    moved = Augment(shift=4).applied(IMAGE, Drawn(x / 4, y / 4))  # type: ignore[arg-type]
    inside = (slice(max(y, 0), 12 + min(y, 0)), slice(max(x, 0), 20 + min(x, 0)))
    assert (moved[inside] == np.roll(IMAGE, (y, x), axis=(0, 1))[inside]).all()
    outside = np.ones((12, 20), bool)
    outside[inside] = False
    assert (moved[outside] == IMAGE[0, 0]).all()


def test_a_quarter_turn_of_a_square_turns_it() -> None:
    square = np.asarray(noise(4, 16, 16))
    turned = Augment(turn=90).applied(square, Drawn(0, 0, 1))  # type: ignore[arg-type]
    off = [np.abs(turned.astype(int) - np.rot90(square, times))[1:-1, 1:-1].max() for times in (1, 3)]
    assert min(off) <= 1 < max(off)


def test_contrast_is_a_share_of_the_distance_from_grey() -> None:
    lit = Augment(contrast=0.5).applied(IMAGE, Drawn(0, 0, 0, 0, 0, 1, 0))  # type: ignore[arg-type]
    assert (lit == np.clip((IMAGE.astype(float) - 128) * 1.5 + 128, 0, 255).astype(np.uint8)).all()


# ---- the stage ------------------------------------------------------------------------------------------------------

SMALL, WIDE = noise(5, 8, 8), noise(6, 9, 20)
"""Of one token, and of six."""
ROWS: list[Row] = [
    talk([part(SMALL), said("What?")], "noise"),
    talk([said("First "), part(WIDE), said(" then "), part(SMALL), part(SMALL), said(".")], "more"),
    talk("No image at all?", "none"),
    {"content": [said("Look: "), part(WIDE), said(" It was wide.")]},
    {"content": "only words"},
]
EOT = Tokenizer.of_bytes().eot


def spelt(text: str) -> list[int]:
    return Tokenizer.of_bytes().encode(text)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    return Images(make_images(tmp_path_factory.mktemp("images"), ROWS).path)


def test_images_stage(tmp_path: Path) -> None:
    records = write_rows(tmp_path / "some.jsonl", ROWS)
    config = shards.Config(records=(records,), grid=GRID, held_out=0.4, shard_bytes=300)
    run = check_stage(shards, config, tmp_path / "runs")
    assert run.value("train/documents") + run.value("val/documents") == len(ROWS)
    assert run.value("pictures") == 2


def test_ids_of_documents(images: Images) -> None:
    found = images.documents("train")
    small, wide = [-1], [-2] * 6
    asked = [EOT, *spelt("User: First "), *wide, *spelt(" then "), *small, *small, *spelt("."), EOT]
    reply = [*spelt(" more"), EOT]
    assert [document.pictures for document in found] == [(0,), (1, 0, 0), (), (1,), ()]
    assert found[1].ids.tolist() == [*asked, *spelt("Assistant:"), *reply]
    assert found[1].learned.tolist() == [False] * (len(asked) + 10) + [True] * len(reply)
    assert found[0].ids.tolist()[: len("User:") + 2] == [EOT, *spelt("User:"), -1]
    assert found[2].ids.tolist() == [EOT, *spelt("User: No image at all?"), EOT, *spelt("Assistant: none"), EOT]
    assert found[3].ids.tolist() == [EOT, *spelt("Look: "), *wide, *spelt(" It was wide."), EOT]
    assert found[3].learned.tolist() == [number > 0 and i >= 0 for number, i in enumerate(found[3].ids)]
    assert [images.tokens(number) for number in range(2)] == [1, 6]


def test_pixels_come_back_and_equal_files_are_kept_once(images: Images) -> None:
    assert len(images.table) == 2
    for number, image in enumerate((SMALL, WIDE)):
        assert (images.pixels(number) == GRID.fitted(read_image(picture(image).data))).all()
        assert bytes(images.table["pixels"][number]) == pixel_digest(image)
        assert int(images.table["look"][number]) == look(image)


def test_pixels_in_many_shards_are_those_in_one(images: Images, tmp_path: Path) -> None:
    split = Images(make_images(tmp_path, ROWS, shard_bytes=1).path)
    assert sorted(set(split.table["shard"].tolist())) == [0, 1]
    assert all((split.pixels(number) == images.pixels(number)).all() for number in range(2))


def test_blind_is_the_same_text_with_a_tag(tmp_path: Path) -> None:
    blind = Images(make_images(tmp_path, ROWS, blind=True).path)
    texts = [Tokenizer.of_bytes().decode(i for i in one.ids if i != EOT) for one in blind.documents("train")]
    assert len(blind.table) == 0
    assert texts[1] == f"User: First {TAG} then {TAG}{TAG}.Assistant: more"
    assert texts[0].startswith(f"User: {TAG}What?")
    assert texts[3] == f"Look: {TAG} It was wide."


def test_held_out_documents_are_the_share_asked_for(tmp_path: Path) -> None:
    rows = [talk(f"What is {number}?", str(number)) for number in range(200)]
    run = Images(make_images(tmp_path, rows, held_out=0.25).path)
    train, val = ([bytes(one.ids) for one in run.documents(split)] for split in ("train", "val"))
    assert 30 <= len(val) <= 70 and len(train) + len(val) == 200
    assert not set(train) & set(val)


ARTIFACTS = ("pictures.bin", "pictures-00000.bin", *(f"train-{one}.bin" for one in ("ids", "learned", "starts")))


@pytest.mark.parametrize("name", [*ARTIFACTS, "index.json", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["cut", "changed", "missing"])
def test_damaged_files_are_named(images: Images, tmp_path: Path, name: str, damage: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(images.path.parent, run)
    file = run / "artifacts" / name
    data = file.read_bytes()
    changes = {"cut": data[:-1], "changed": bytes([data[0] ^ 1]) + data[1:]}
    file.unlink() if damage == "missing" else file.write_bytes(changes[damage])
    with pytest.raises(CorruptError, match=rf"{name}") as caught:
        Images(run)
    assert "\n" not in str(caught.value)


FAULTS: dict[str, tuple[Any, str]] = {
    "no image": (talk([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}], "x"), "not a PNG"),
    "an address": (talk([{"type": "image_url", "image_url": {"url": "http://a.b/c.png"}}], "x"), "no address"),
    "a file elsewhere": (talk([{"type": "image", "image": "../x.png"}], "x"), "leads out"),
    "a missing file": (talk([{"type": "image", "image": "x.png"}], "x"), "missing"),
    "the assistant's": (talk("hello", [part(SMALL)]), "image in the assistant's words"),  # type: ignore[arg-type]
    "no answer": ({"messages": [{"role": "user", "content": "x"}]}, "the last message is not the assistant's"),
    "a role": ({"messages": [{"role": "wizard", "content": "x"}]}, "not a message"),
    "a list": ([1], "a JSON list"),
    "nothing": ({}, "neither 'messages' nor 'content'"),
    "no messages": ({"messages": []}, "not a list of them"),
    "no parts": ({"content": []}, "neither a text nor a list"),
    "two kinds": ({**talk("one", "two"), "content": "three"}, "both 'messages' and 'content'"),
    "silence": (talk([said("one"), part(SMALL)], " "), "the assistant says nothing"),
    "a path that is none": (talk([{"type": "image", "image": 5}], "x"), "without its path, a text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_record_is_named_and_nothing_is_left(fault: str, tmp_path: Path) -> None:
    row, words = FAULTS[fault]
    with pytest.raises(DataError, match=words) as caught:
        make_images(tmp_path, [*ROWS, row])
    assert f"images.jsonl:{len(ROWS) + 1}" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "images").exists()


def test_a_damaged_image_is_named_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes(picture(WIDE).data[:-200])
    half = [part(SMALL), {"type": "image", "image": "half.png"}]
    with pytest.raises(DataError, match=r"images\.jsonl:2: image 2: a damaged PNG") as caught:
        make_images(tmp_path, [ROWS[0], talk(half, "x")])
    assert "\n" not in str(caught.value)
    (tmp_path / "half.png").write_bytes(b"words")
    with pytest.raises(DataError, match=r"images\.jsonl:2: .*part 2: 'half\.png': not a PNG"):
        make_images(tmp_path, [ROWS[0], talk(half, "x")])
    assert not (tmp_path / "images").exists()


@pytest.mark.parametrize("data", [b"", b"\n \n", b"{", b"\xff\n", b'{"content": "\\ud800"}\n', b"nan\n"])
def test_files_of_anything_are_refused_in_one_line(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "some.jsonl"
    path.write_bytes(data)
    with pytest.raises(PresageError, match=r"some\.jsonl(:1)?: ") as caught:
        list(read_documents(path))
    assert "\n" not in str(caught.value)


def test_nothing_to_train_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no documents to train on"):
        make_images(tmp_path, [talk("one", "two")], held_out=0.999999)
    assert not (tmp_path / "images").exists()


def test_images_in_files_are_read_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    plain("red").save(tmp_path / "below" / "red.webp", lossless=True)
    run = Images(make_images(tmp_path, [talk([{"type": "image", "image": "below/red.webp"}], "red")]).path)
    assert (run.pixels(0) == np.asarray(plain("red"))).all()
