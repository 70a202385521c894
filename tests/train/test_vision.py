"""Training on text and images: packed documents are what they are alone, runs are exact, and a model learns to see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from presage.core.config import Config
from presage.core.errors import ConfigError, DataError
from presage.core.run import RunDir
from presage.data.images.grid import Grid
from presage.data.images.loader import Images
from presage.model.splice import eyes
from presage.model.transformer import Transformer, build, with_context
from presage.model.weights import load_run
from presage.train import pretrain, vision
from presage.train.sight import Album, Batch, sight_loss
from tests.seeing import (
    BYTES,
    CONTEXT,
    GRID,
    VISION,
    Row,
    colour_rows,
    learn_colours,
    make_images,
    model,
    noise,
    part,
    said,
    talk,
    training,
)
from tests.stage import check_stage
from tests.tiny import rows as metrics
from tests.tiny import tiny_model

MIXED: list[Row] = [
    talk([part(noise(1)), said("A?")], "one"),
    talk([said("B"), part(noise(2, 8, 24)), part(noise(3, 8, 8)), said("?")], "two"),
    talk("C?", "three"),
    {"content": [said("D "), part(noise(4, 24, 8)), said(" e")]},
    talk([part(noise(1)), part(noise(1)), said("F?")], "four"),
    {"content": "only words"},
]
LENGTH = 100


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_images(tmp_path_factory.mktemp("images"), MIXED).path


@pytest.fixture
def seeing() -> Transformer:
    made = build(model(context_length=LENGTH), 0)
    torch.manual_seed(0)
    with torch.no_grad():
        made.head.weight.normal_(0, 0.3)
    return made


def alone(one: Transformer, images: Images) -> list[torch.Tensor]:
    """The loss of each document by itself, word by word from the full forward pass."""
    found = []
    for document in images.documents("train"):
        table = iter(torch.cat([eyes(one)([images.pixels(n)]) for n in document.pictures] or [torch.zeros(0, 16)]))
        x = torch.stack([one.embed.weight[i] if i >= 0 else next(table) for i in document.ids[:-1].tolist()])
        logs = one.logits(one.trunk(x[None], torch.arange(len(x))))[0].log_softmax(-1)
        wanted = [(place, i) for place, i in enumerate(document.ids[1:].tolist()) if document.learned[place + 1]]
        found.append(-torch.stack([logs[place, i] for place, i in wanted]).sum())
    return found


def gradients(one: Transformer) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in one.named_parameters() if p.grad is not None}


def test_packed_documents_are_what_they_are_alone(run: Path, seeing: Transformer) -> None:
    images = Images(run)
    album = Album([images], "train", LENGTH, VISION)
    count = len(album.packing.rows.read)
    assert 1 < count < len(MIXED) and album.documents == len(MIXED)
    loss, counted = sight_loss(seeing, album.batch(range(count)))
    loss.backward()
    packed = gradients(seeing)
    seeing.zero_grad()
    naive = torch.stack(alone(seeing, images)).sum()
    naive.backward()
    assert counted == sum(int(document.learned.sum()) for document in images.documents("train"))
    torch.testing.assert_close(loss, naive, rtol=1e-5, atol=1e-4)
    for name, value in gradients(seeing).items():
        torch.testing.assert_close(packed[name], value, rtol=1e-3, atol=1e-3)


def test_two_runs_of_images_are_read_as_one(run: Path, seeing: Transformer, tmp_path: Path) -> None:
    other = make_images(tmp_path, [talk([part(noise(9, 16, 8)), said("G?")], "five"), *MIXED[:2]]).path
    both = Album([Images(run), Images(other)], "train", LENGTH, VISION)
    loss, _ = sight_loss(seeing, both.batch(range(len(both.packing.rows.read))))
    naive = [one for path in (run, other) for one in alone(seeing, Images(path))]
    torch.testing.assert_close(loss, torch.stack(naive).sum(), rtol=1e-5, atol=1e-4)


def test_micro_batches_have_the_gradient_of_the_whole(run: Path, seeing: Transformer) -> None:
    album = Album([Images(run)], "train", LENGTH, VISION)
    rows = range(len(album.packing.rows.read))
    sight_loss(seeing, album.batch(rows))[0].backward()
    whole = gradients(seeing)
    seeing.zero_grad()
    for row in rows:
        sight_loss(seeing, album.batch([row]))[0].backward()
    for name, value in gradients(seeing).items():
        torch.testing.assert_close(whole[name], value, rtol=1e-3, atol=1e-4)


def test_packed_documents_do_not_see_each_others_images(run: Path, seeing: Transformer) -> None:
    """Of the first row, the first image is changed: only what is behind it in its own document moves."""
    album = Album([Images(run)], "train", LENGTH, VISION)
    rows, images = album.batch([0])
    assert int(rows.text.max()) > 1 and len(images) > 1

    def losses(shown: Sequence[np.ndarray]) -> torch.Tensor:
        """Of each document of the row."""
        parts = []
        for number in range(1, int(rows.text.max()) + 1):
            only = rows._replace(counted=rows.counted * (rows.text == number))
            parts.append(sight_loss(seeing, Batch(only, shown))[0])
        return torch.stack(parts)

    with torch.no_grad():
        before, after = losses(images), losses([255 - images[0], *images[1:]])
    assert abs(float(before[0] - after[0])) > 1e-3
    assert torch.equal(before[1:], after[1:])


@pytest.mark.parametrize(
    "wrong", [Grid(patch=8, merge=2), Grid(patch=4, merge=1), GRID.model_copy(update={"most_tokens": 3})]
)
def test_images_on_another_grid_are_refused(wrong: Grid, tmp_path: Path) -> None:
    images = make_images(tmp_path, MIXED, grid=wrong).path
    with pytest.raises(ConfigError, match=r"images on another grid: .*the model's"):
        vision.run(training(images), tmp_path / "out")
    assert not (tmp_path / "out").exists()


# ---- the stage ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colours, some of them held out, and words between."""
    rows = [*colour_rows(), talk("Hello?", "hi"), *colour_rows(), {"content": "only words"}, *colour_rows()]
    return make_images(tmp_path_factory.mktemp("short"), rows, held_out=0.2).path


@pytest.fixture(scope="module")
def chain(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small model of text, and images in the ids of its tokenizer."""
    folder = tmp_path_factory.mktemp("chain")
    config = pretrain.Config.model_validate(
        {"shards": tokens, "model": tiny_model().model_copy(update={"context_length": CONTEXT}), "tokens": CONTEXT * 16}
        | {"batch_tokens": CONTEXT * 4, "eval_tokens": 256, "device": training(folder).device, "samples": 0}
    )
    base = pretrain.run(config, folder / "base").path
    images = make_images(folder, [*colour_rows() * 2, *MIXED[:3]], tokenizer=tokens, held_out=0.2).path
    return {"base": base, "images": images, "shards": tokens}


def second(chain: dict[str, Path], **changes: Any) -> vision.Config:
    values = {"images": (chain["images"],), "base": chain["base"], "model": None, "vision": VISION}
    return training(**(values | changes))


def test_vision_from_scratch(short: Path, tmp_path: Path) -> None:
    run = check_stage(vision, training(short), tmp_path)
    images = Images(short)
    documents = images.documents("train")
    rows, tokens = int(run.value("rows")), int(run.value("tokens"))
    assert run.value("documents") == len(documents) and tokens == 2 * rows * CONTEXT
    encoder = sum(VISION.flops_forward(8, 16, 16) for one in documents for _ in one.pictures)
    trunk = rows * CONTEXT * 3 * model().flops_forward(CONTEXT)
    assert run.value("flops") == pytest.approx(2 * (trunk + 3 * encoder), rel=1e-6)
    assert run.value("n_params") == model().n_params
    held_out = Album([images], "val", CONTEXT, VISION)
    with torch.no_grad():
        loss, count = sight_loss(load_run(run.path)[0], held_out.batch(range(len(held_out.packing.rows.read))))
    assert run.value("val/loss") == pytest.approx(float(loss) / count, rel=1e-5)


def test_vision_on_a_base_with_text_beside_it(chain: dict[str, Path], tmp_path: Path) -> None:
    config = second(chain, shards=chain["shards"], text_share=0.5, text_weight=0.5, eval_tokens=256)
    run = check_stage(vision, config, tmp_path)
    assert 0 < run.value("text/bpb") < 20
    assert run.value("tokens") == pytest.approx(2 * 2 * run.value("rows") * CONTEXT)


def test_augmented_runs_are_exact(short: Path, tmp_path: Path) -> None:
    config = training(short, augment={"shift": 2, "contrast": 0.3}, samples=0)
    run = check_stage(vision, config, tmp_path, kills=2)
    plain = vision.run(training(short, samples=0), tmp_path / "plain")
    assert metrics(run.path)[-1]["train/loss"] != metrics(plain.path)[-1]["train/loss"]


def test_augmentation_does_not_depend_on_micro_batches(short: Path, tmp_path: Path) -> None:
    losses = []
    for size in (1, 3):
        config = training(short, augment={"shift": 3, "contrast": 0.5}, samples=0, batch_rows=3, micro_batch=size)
        losses.append([row["train/loss"] for row in metrics(vision.run(config, tmp_path / str(size)).path)])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def state(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_run(run)[0].state_dict()
    return found


def test_a_frozen_trunk_is_left_to_the_bit(chain: dict[str, Path], tmp_path: Path) -> None:
    """Though some rows have no image at all, from which nothing then is learned."""
    run = vision.run(second(chain, freeze=True, micro_batch=1), tmp_path / "frozen")
    free = vision.run(second(chain), tmp_path / "free")
    base, found, other = state(chain["base"]), state(run.path), state(free.path)
    assert all(torch.equal(found[name], value) for name, value in base.items())
    assert not all(torch.equal(other[name], value) for name, value in base.items())
    moved = [name for name in found if name not in base and not torch.equal(found[name], other[name])]
    assert "vision.project_out.weight" in moved and "vision.norm.weight" in moved
    album = Album([Images(chain["images"])], "train", CONTEXT, VISION)
    rows = len(album.packing.rows.read)
    trunk = rows * CONTEXT * 2 * load_run(chain["base"])[0].config.flops_forward(CONTEXT)
    shown = [album.pixels(one) for ids in album.packing.rows.read.numpy() for one in album.pictures(ids)]
    encoder = sum(VISION.flops_forward(*pixels.shape[:2], 16) for pixels in shown)
    assert run.value("flops") == pytest.approx(2 * (trunk + 3 * encoder), rel=1e-6)


def test_a_frozen_trunk_with_rows_of_words_alone(tokens: Path, chain: dict[str, Path], tmp_path: Path) -> None:
    rows = [talk("A long question about nothing that is shown, is it?", "no"), *colour_rows()]
    images = make_images(tmp_path, rows, tokenizer=tokens).path
    config = second(chain, images=(images,), freeze=True, batch_rows=1, context_length=40)
    run = vision.run(config, tmp_path / "frozen")
    base = state(chain["base"])
    assert all(torch.equal(state(run.path)[name], value) for name, value in base.items())


def test_it_goes_on_from_a_model_that_sees(chain: dict[str, Path], tmp_path: Path) -> None:
    first = vision.run(second(chain), tmp_path / "first")
    again = vision.run(second(chain, base=first.path, vision=None), tmp_path / "again")
    assert again.config(vision.Config).model == first.config(vision.Config).model
    assert metrics(again.path)[0]["train/loss"] < metrics(first.path)[0]["train/loss"]


def test_a_curriculum_takes_one_run_after_another(tokens: Path, chain: dict[str, Path], tmp_path: Path) -> None:
    """As long as the first lasts, a training on two is that on the first alone."""
    first, other = (make_images(tmp_path, colour_rows(), name, tokenizer=tokens).path for name in ("one", "two"))
    alone = vision.run(second(chain, images=(first,), astray=0.0, epochs=1.0), tmp_path / "alone")
    both = second(chain, images=(first, other), astray=0.0, epochs=0.5)
    found = state(vision.run(both, tmp_path / "both").path)
    assert all(torch.equal(found[name], value) for name, value in state(alone.path).items())
    long = make_images(tmp_path, [talk([part(noise(1, 8, 24)), said("A?")], "a" * 40)] * 3, "long", tokenizer=tokens)
    rows = Album([Images(long.path), Images(first)], "train", CONTEXT, VISION, apart=True).packing.rows
    begins = [int(row[row < 0].max()) for row in rows.read]  # of the pictures that are shown, the first
    assert begins == sorted(begins, reverse=True)
    mixed = state(vision.run(both.model_copy(update={"astray": 1.0}), tmp_path / "mixed").path)
    assert not all(torch.equal(mixed[name], value) for name, value in state(alone.path).items())


def test_a_longer_context_than_the_base_has(chain: dict[str, Path], tmp_path: Path) -> None:
    run = vision.run(second(chain, context_length=2 * CONTEXT), tmp_path / "longer")
    longer, _ = load_run(run.path)
    assert longer.config.context_length == 2 * CONTEXT
    base, _ = load_run(chain["base"])
    ids = torch.arange(CONTEXT)[None] % 50
    with torch.no_grad():
        same = with_context(base, 2 * CONTEXT)
        assert torch.equal(base(ids), same(ids))
        assert same(torch.zeros(1, 2 * CONTEXT, dtype=torch.long)).isfinite().all()
    learned = build(base.config.model_copy(update={"position": "learned"}), 0)
    with pytest.raises(ConfigError, match=f"positions are learned, and end at {CONTEXT}"):
        with_context(learned, 2 * CONTEXT)


def test_a_model_from_scratch_has_the_context_it_was_made_with(short: Path, tmp_path: Path) -> None:
    refused(training(short, context_length=CONTEXT + 1), f"made for {CONTEXT} at most", tmp_path)


def test_a_model_learns_what_it_sees(tmp_path: Path) -> None:
    run = learn_colours(tmp_path)
    assert metrics(run.path)[-1]["train/loss"] < 0.05
    one, _ = load_run(run.path)
    album = Album([Images(tmp_path / "images")], "train", 96, VISION)
    rows, images = album.batch([0])
    with torch.no_grad():
        loss, count = sight_loss(one, Batch(rows, images))
        wrong, _ = sight_loss(one, Batch(rows, [images[-1], *images[:-1]]))
    assert float(loss) / count < 0.05 < 1 < float(wrong) / count


# ---- what is refused ------------------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no eyes": ({"vision": None}, "this base reads text alone"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, chain: dict[str, Path], tmp_path: Path) -> None:
    changes, words = REFUSED[name]
    refused(second(chain, **changes), words, tmp_path)


def refused(config: vision.Config, words: str, tmp_path: Path) -> None:
    with pytest.raises((ConfigError, DataError), match=words) as caught:
        vision.run(config, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_images_of_another_tokenizer_are_refused(short: Path, chain: dict[str, Path], tmp_path: Path) -> None:
    refused(second(chain, images=(short,)), "tokenizer", tmp_path)
    refused(second(chain, images=(chain["images"], short)), "tokenizer", tmp_path)


def test_a_vocabulary_too_small_is_refused(short: Path, tmp_path: Path) -> None:
    refused(training(short, model=model(vocab_size=BYTES - 1)), "fewer than the tokenizer's 257", tmp_path)


def test_documents_too_long_are_told(short: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    refused(training(short, context_length=4), "no document fits 4 tokens", tmp_path)
    with pytest.raises(DataError, match="no document fits 4 tokens"):
        training(short, context_length=4).plan()
    refused(training(short, epochs=0.001), "epochs of . rows are none", tmp_path)
    images = make_images(tmp_path, [*colour_rows(), talk("long " * 30, "yes")]).path
    run = vision.run(training(images), tmp_path / "some")
    assert run.value("too_long") == 1 and run.value("documents") == 5
    assert "1 of 5 documents do not fit 64 tokens" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": None}, "neither a base nor a model with vision"),
        ({"model": model(vision=None)}, "neither a base nor a model with vision"),
        ({"freeze": True}, "without a base it has learned nothing"),
        ({"text_share": 0.5}, "no shards to take it from"),
        ({"images": ()}, "at least 1"),
        ({"base": Path("b"), "freeze": True, "shards": Path("s"), "text_share": 0.5}, "teaches the encoder nothing"),
    ],
)
def test_configs_that_cannot_be(changes: dict[str, Any], words: str) -> None:
    values = {"images": (Path("some"),), "model": model()} | changes
    with pytest.raises(ConfigError, match=words):
        vision.Config.parse({name: plain(value) for name, value in values.items()}, where="vision")


def plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, Config) else value


def test_what_a_run_will_be_is_what_it_is(short: Path, tmp_path: Path) -> None:
    config = training(short)
    run, plan = vision.run(config, tmp_path / "run"), config.plan()
    told = {"parameters": "n_params", "documents": "documents", "tokens": "tokens", "steps": "steps", "FLOPs": "flops"}
    assert {name: plan[name] for name in told} == {name: run.value(key) for name, key in told.items()}
    assert isinstance(RunDir.open(run.path, "vision").read_json("result.json"), dict)
    assert plan["parameters trained"] == plan["parameters"] and GRID.cell == VISION.cell


def test_the_trunk_may_learn_more_slowly(seeing: Transformer, tmp_path: Path) -> None:
    """An update moves every trunk tensor by that share of what the full rate moves it, and the encoder as far."""
    before = {name: value.clone() for name, value in seeing.state_dict().items()}
    moved = {}
    for rate in (1.0, 0.25):
        model = build(seeing.config, 0)
        model.load_state_dict(before)
        settings = {"images": (tmp_path,), "model": seeing.config, "trunk_rate": rate, "optim": {"weight_decay": 0.0}}
        optimizer = vision._optimizer(vision.Config.model_validate(settings), model)
        torch.manual_seed(0)
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step(1.0, 1)
        moved[rate] = {name: value - before[name] for name, value in model.state_dict().items()}
    for name, full in moved[1.0].items():
        share = 1.0 if name.startswith("vision.") else 0.25
        assert torch.allclose(moved[0.25][name], share * full, atol=1e-6), name
