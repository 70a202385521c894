"""Real sets: on small files of the same form everywhere, on the sets themselves where they lie beside the project."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.drawing.statements import _tower
from presage.data.images.parts import pictures
from presage.data.images.question import Question
from presage.data.images.reading import read_image
from presage.data.sights import SETS, emoji, flags, mnist, packed
from presage.data.sights.digits import FONTS, STROKES, digits
from presage.data.sights.omniglot import episodes
from presage.recipes.pictures import of_set

COUNTS = {  # of train and test
    "mnist_test": (8_000, 2_000),
    "noto_emoji": (None, 1_000),
    "country_flags": (None, 1_000),
    "nlvr": (2_950, 989),
    "omniglot_small": (10_000, 400),
    "vqav2_sample": (0, 100),
}


def drawing(colour: tuple[int, ...], side: int = 16) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "PNG")
    return file.getvalue()


def zipped(path: Path, members: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def idx(path: Path, values: np.ndarray) -> None:
    shape = b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(gzip.compress(bytes([0, 0, 8, values.ndim]) + shape + values.astype(np.uint8).tobytes()))


def lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    text = "".join(json.dumps(row) + "\n" for row in rows).encode()
    path.write_bytes(lzma.compress(text) if path.suffix == ".xz" else text)


BOXES = [_tower(["Black"]), _tower(["Yellow", "Black"]), _tower(["#0099ff"])]
GREY = {"sentence": "It is grey.", "label": "true", "structured_rep": BOXES}


def lay_out(folder: Path) -> None:
    """Each set, small."""
    for name in SETS:
        (folder / name).mkdir()
    idx(folder / "mnist_test" / mnist.IMAGES, np.arange(20 * 28 * 28).reshape(20, 28, 28) % 251)
    idx(folder / "mnist_test" / mnist.LABELS, np.arange(20) % 10)
    colours = {f"{number:02}": drawing((5 * number, 99, 7)) for number in range(40)}
    zipped(folder / "noto_emoji" / "png72.zip", {f"{name}.png": data for name, data in colours.items()})
    codes = [*emoji.TRAINED, *emoji.UNSEEN]
    named = [{"file": f"{name}.png", "label": {code: f"{name} in {code}" for code in codes}} for name in colours]
    lines(folder / "noto_emoji" / "annotations.jsonl.xz", named)
    zipped(folder / "country_flags" / "flags_64x48.zip", {f"{name}.png": data for name, data in colours.items()})
    codes = [*flags.TRAINED, *flags.UNSEEN]
    lines(
        folder / "country_flags" / "names.json.xz",
        [{name: {code: f"{name} in {code}" for code in codes} for name in colours}],
    )
    zipped(
        folder / "nlvr" / "images.zip",
        {f"{split}-1-0-{n}.png": drawing((n, len(split), 0)) for split in ("dev", "test") for n in (0, 1)},
    )
    sentences = [
        GREY | {"split": split, "files": [f"{split}-1-0-{n}.png" for n in (0, 1)]} for split in ("dev", "test")
    ]
    lines(folder / "nlvr" / "nlvr.jsonl.xz", sentences)
    run = {f"run01/{kind}{n:02}.png": drawing((9 * n,) * 3) for kind in ("test/item", "training/class") for n in (1, 2)}
    labels = b"run01/test/item01.png run01/training/class02.png\nrun01/test/item02.png run01/training/class01.png\n"
    zipped(folder / "omniglot_small" / "all_runs.zip", run | {"run01/class_labels.txt": labels})
    drawn = {
        f"small1/Greek/character{one:02}/{hand:02}.png": drawing((10 * one, 100 * hand, 0))
        for one in range(20)
        for hand in (1, 2)
    }
    zipped(folder / "omniglot_small" / "images_background_small1.zip", drawn)
    zipped(folder / "vqav2_sample" / "images.zip", {"1.jpg": drawing((1, 2, 3))})
    answer = {"answer": ["red"] * 10, "multiple_choice_answer": "red", "image_id": "1"}
    lines(
        folder / "vqav2_sample" / "questions.jsonl",
        [{"id": "1", "file": "1.jpg", "prompt": "Which?", "answer": answer}],
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vision")
    lay_out(folder)
    return folder


def splits_of(folder: Path, name: str, most: int = 200) -> tuple[list[Question], list[Question]]:
    """Training (none where there is none) and test."""
    trained = [] if name == "vqav2_sample" else list(islice(SETS[name](folder, "train", 0), most))
    return trained, list(SETS[name](folder, "test", 0))


def shown(questions: list[Question]) -> set[str]:
    return {picture.digest for question in questions for picture in pictures(question.prompt)}


def check(questions: list[Question]) -> None:
    """That each can be asked and answered, and the first ones seen."""
    assert len({question.id for question in questions}) == len(questions)
    for question in questions:
        assert question.answer
        assert not question.options or question.options.count(question.answer) == 1
        assert len(set(question.options)) == len(question.options)
    for question in questions[:5]:
        for picture in pictures(question.prompt):
            assert read_image(picture.data, question.id).mode == "RGB"


@pytest.mark.parametrize("name", SETS)
def test_a_small_set(name: str, small: Path) -> None:
    trained, asked = splits_of(small / name, name)
    check(trained)
    check(asked)
    assert asked
    assert bool(trained) == (name != "vqav2_sample")
    assert asked == list(SETS[name](small / name, "test", 7)), "asked is the same for every seed"


@pytest.mark.parametrize("name", SETS)
def test_no_such_split(name: str, small: Path) -> None:
    with pytest.raises(DataError, match="no split 'dev'"):
        list(SETS[name](small / name, "dev", 0))


def test_one_set_at_a_time() -> None:
    with pytest.raises(DataError, match="2 names, and --data is of one"):
        of_set(["mnist_test", "digits"], Path("sets"), "test", 0, 1)


@pytest.mark.parametrize("name", SETS)
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no .*(zip|gz) here") as error:
        list(SETS[name](tmp_path, "test", 0))
    assert str(tmp_path) in str(error.value)


def test_vqa_has_nothing_to_train_on(small: Path) -> None:
    with pytest.raises(DataError, match=r"no split 'train' \(has test\)"):
        list(SETS["vqav2_sample"](small / "vqav2_sample", "train", 0))


def test_digits_keep_their_pixels(small: Path) -> None:
    asked = list(SETS["mnist_test"](small / "mnist_test", "test", 0))
    assert [question.answer for question in asked] == ["6", "7", "8", "9"]
    values = np.asarray(read_image(pictures(asked[0].prompt)[0].data))[:, :, 0]
    assert np.array_equal(values, (np.arange(16 * 784, 17 * 784) % 251).reshape(28, 28))


@pytest.mark.parametrize("name", ["noto_emoji", "country_flags"])
def test_naming_holds_out_pictures_and_languages(name: str, small: Path) -> None:
    trained, asked = splits_of(small / name, name, 10**6)
    new = [question for question in asked if question.category == "held-out item"]
    foreign = [question for question in asked if question.category == "held-out language"]
    assert new
    assert foreign
    assert not shown(new) & shown(trained)
    assert shown(foreign) <= shown(trained)
    unseen = emoji.UNSEEN if name == "noto_emoji" else flags.UNSEEN
    assert {question.id.rsplit("/", 1)[1] for question in foreign} <= set(unseen)
    assert not {question.id.rsplit("/", 1)[1] for question in [*trained, *new]} & set(unseen)


def test_a_run_asks_what_its_labels_say(small: Path) -> None:
    first, second = SETS["omniglot_small"](small / "omniglot_small", "test", 0)
    assert (first.answer, second.answer) == ("2", "1")
    assert [part for part in first.prompt if isinstance(part, str)] == ["1", "2", "Which?"]
    assert {read_image(picture.data).size for picture in pictures(first.prompt)} == {(28, 28)}


def test_an_episode_asks_of_another_hand(small: Path) -> None:
    for question in episodes(small / "omniglot_small", 0, ways=(3,), count=5):
        *known, asked = pictures(question.prompt)
        assert len(known) == 3
        assert asked not in known


def test_a_picture_that_is_asked_of_is_not_trained_on(tmp_path: Path) -> None:
    zipped(
        tmp_path / "images.zip",
        {name: drawing((value,) * 3) for name, value in (("a-0.png", 1), ("b-0.png", 1), ("b-1.png", 2))},
    )
    lines(
        tmp_path / "nlvr.jsonl.xz",
        [GREY | {"split": "dev", "files": ["a-0.png"]}, GREY | {"split": "test", "files": ["b-0.png", "b-1.png"]}],
    )
    (question,) = SETS["nlvr"](tmp_path, "train", 0)
    assert question.id == "nlvr/b-1"
    assert question.steps == "Box 1: dark. Box 2: blue. Box 3: yellow, dark."


def test_boxes_that_cannot_be_are_named(tmp_path: Path) -> None:
    zipped(tmp_path / "images.zip", {"a-0.png": drawing((1,) * 3)})
    for boxes in ([], [1, 2, 3], [[{"x_loc": 40}]] * 3):
        lines(tmp_path / "nlvr.jsonl.xz", [GREY | {"split": "dev", "files": ["a-0.png"], "structured_rep": boxes}])
        with pytest.raises(DataError, match=r"a-0: its boxes are not three"):
            list(SETS["nlvr"](tmp_path, "test", 0))


def test_too_many_ways(small: Path) -> None:
    with pytest.raises(DataError, match="no alphabet of 21 characters"):
        list(episodes(small / "omniglot_small", 0, ways=(21,), count=1))


# ---- damage ---------------------------------------------------------------------------------------------------------


def test_a_large_member_is_refused(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"a.png": bytes(packed.MOST_MEMBER + 1)})
    with pytest.raises(DataError, match=r"a\.zip: a\.png: more than 10,000,000 bytes"):
        packed.Zipped(tmp_path, "a.zip").read("a.png")


def test_a_missing_member_and_no_archive(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"a.png": b"a"})
    with pytest.raises(DataError, match="not in the archive"):
        packed.Zipped(tmp_path, "a.zip").read("b.png")
    (tmp_path / "b.zip").write_bytes(b"PK no archive")
    with pytest.raises(DataError, match="not a zip archive"):
        packed.Zipped(tmp_path, "b.zip")


def test_a_damaged_member(tmp_path: Path) -> None:
    zipped(tmp_path / "a.zip", {"a.png": bytes(range(256)) * 20})
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[60] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        packed.Zipped(tmp_path, "a.zip").read("a.png")


@pytest.mark.parametrize("name", ["a.gz", "a.xz"])
def test_what_is_compressed_wrong_or_too_far(name: str, tmp_path: Path) -> None:
    whole = gzip.compress(bytes(5_000)) if name == "a.gz" else lzma.compress(bytes(5_000))
    (tmp_path / name).write_bytes(whole)
    with pytest.raises(DataError, match="more than 4,999 bytes"):
        packed.read_whole(tmp_path, name, 4_999)
    for data in (whole[:-9], b"no such thing"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=rf"{name}: .*(ends early|damaged)"):
            packed.read_whole(tmp_path, name)


def test_idx_cut_off(tmp_path: Path) -> None:
    idx(tmp_path / mnist.LABELS, np.arange(20))
    with pytest.raises(DataError, match="not idx of bytes in 3 dimensions"):
        mnist.read_idx(tmp_path, mnist.LABELS, 3)


def test_a_row_without_a_key(tmp_path: Path) -> None:
    lines(tmp_path / "a.jsonl", [{"id": "1"}, {"id": 1}])
    with pytest.raises(DataError, match=r'a\.jsonl:2: not an object with "id" \(a text\)'):
        packed.json_rows(tmp_path, "a.jsonl", {"id": str})


# ---- generated digits -----------------------------------------------------------------------------------------------


def test_generated_digits() -> None:
    random = stream(0, "digits")
    made = [digits(random, "train") for _ in range(100)]
    check(made)
    assert {question.answer for question in made} == set(mnist.DIGITS)
    values = np.stack([np.asarray(read_image(pictures(one.prompt)[0].data))[:, :, 0] for one in made])
    assert values.shape == (100, 28, 28)
    assert 20 < values.mean() < 60, "as much white as MNIST's, 33"
    assert made == [digits(again, "train") for again in [stream(0, "digits")] for _ in range(100)]


def test_every_digit_has_strokes_and_no_font_is_in_both_splits() -> None:
    assert set(STROKES) == set(mnist.DIGITS)
    assert not set(FONTS["train"]) & set(FONTS["test"])
    assert {digits(stream(seed, "digits"), "test").answer for seed in range(60)} == set(mnist.DIGITS)


# ---- the sets themselves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_a_real_set(name: str, shared: Path) -> None:
    folder = shared / "vision" / name
    if not folder.is_dir():
        pytest.skip(f"the set ../shared/data/vision/{name} is not on this machine")
    size, asked_size = COUNTS[name]
    trained, asked = splits_of(folder, name, 300)
    check(trained)
    check(asked)
    assert len(asked) == asked_size
    assert len(trained) == min(300, 300 if size is None else size)
    foreign = [question for question in asked if question.category != "held-out language"]
    assert not shown(trained) & shown(foreign)
    for question in asked[::97]:
        for picture in pictures(question.prompt):
            read_image(picture.data, question.id)


@pytest.mark.parametrize(("name", "size"), [("mnist_test", 8_000), ("nlvr", 2_950)])
def test_all_of_a_training_split(name: str, size: int, shared: Path) -> None:
    folder = shared / "vision" / name
    if not folder.is_dir():
        pytest.skip(f"the set ../shared/data/vision/{name} is not on this machine")
    trained, asked = splits_of(folder, name, 10**6)
    assert len(trained) == size
    assert not {question.id for question in trained} & {question.id for question in asked}
