"""Images among tokens: where they go, that they count up, and that decoding sees what a full forward pass sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from presage.core.errors import ConfigError
from presage.model import decode
from presage.model.config import ModelConfig, VisionConfig, qwen3
from presage.model.scoring import continuations
from presage.model.splice import Seeing, check_count, eyes, places, seeing, spliced
from presage.model.transformer import Transformer, build, with_vision

VISION = VisionConfig(patch=4, merge=2, n_layers=2, d_model=32, n_heads=2, d_ff=64, d_project=48)
SIZES = ((16, 24, 3), (8, 8, 3), (16, 24, 3), (24, 16, 3))


def config(**changes: object) -> ModelConfig:
    return qwen3(64, 96, 2, 32, **changes)


@pytest.fixture
def model() -> Transformer:
    made = build(config(vision=VISION), 0).eval()
    torch.manual_seed(0)
    with torch.no_grad():  # an untrained head says nothing
        made.head.weight.normal_()
    return made


@pytest.fixture
def images() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, size, dtype=np.uint8) for size in SIZES]


def prompts(model: Transformer, images: list[np.ndarray]) -> list[list[int]]:
    """Images at the beginning, in the middle, two together, shared, and none at all."""
    counts = [VISION.tokens(*image.shape[:2]) for image in images]
    first = [places(sum(counts[:n]), count) for n, count in enumerate(counts)]
    return [
        [1, *first[0], 2, 3],
        [1, 5, 6, *first[1], 7],
        [1, *first[2], *first[3], 8, 9, 10],
        [1, 5, *first[0], 11, *first[1], 12],
        [1, 5, 6, 7, 8],
        [1, *first[0], 2, 4],
    ]


def naive(model: Transformer, images: list[np.ndarray], ids: list[int]) -> torch.Tensor:
    """Logits [T, V], each embedding looked up or encoded by itself."""
    table = [row for image in images for row in eyes(model)([image])]
    x = torch.stack([table[-1 - i] if i < 0 else model.embed.weight[i] for i in ids])
    return model.logits(model.trunk(x[None], torch.arange(len(ids))))[0]


def test_images_go_where_their_places_are(model: Transformer, images: list[np.ndarray]) -> None:
    seen = seeing(model, images)
    for ids in prompts(model, images):
        with torch.no_grad():
            found = seen(torch.tensor([ids]))[0]
        assert torch.allclose(found, naive(model, images, ids), atol=1e-4)


def test_decoding_with_a_cache_is_the_full_forward_pass(model: Transformer, images: list[np.ndarray]) -> None:
    """Rows with images and without in one batch: each next token is the full pass's best."""
    asked = prompts(model, images)
    written = decode.generate(seeing(model, images), asked, 12, temperature=0.0, batch_size=4)
    for ids, new in zip(asked, written, strict=True):
        text = list(ids)
        for token in new:
            with torch.no_grad():
                assert int(naive(model, images, text)[-1].argmax()) == token
            text.append(token)


def test_scoring_is_the_full_forward_pass(model: Transformer, images: list[np.ndarray]) -> None:
    pairs = [(ids, [3, 9, 27]) for ids in prompts(model, images)]
    for (head, tail), (values, _) in zip(pairs, continuations(seeing(model, images), pairs), strict=True):
        with torch.no_grad():
            logs = naive(model, images, [*head, *tail])[len(head) - 1 : -1].log_softmax(-1)
        assert torch.allclose(values, logs[range(3), tail], atol=1e-4)


def test_an_image_is_the_same_alone_and_among_others(model: Transformer, images: list[np.ndarray]) -> None:
    together, alone = eyes(model)(images), torch.cat([eyes(model)([image]) for image in images])
    assert torch.allclose(together, alone, atol=1e-5)


def test_places_beyond_the_images_are_refused(model: Transformer, images: list[np.ndarray]) -> None:
    table = eyes(model)(images)
    with pytest.raises(ConfigError, match=f"image token {len(table)}"):
        spliced(model, torch.tensor([places(len(table), 1)]), table)
    with pytest.raises(ConfigError, match="not in the vocabulary"):
        decode.generate(Seeing(model, table), [places(len(table), 1)], 1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="not in the vocabulary"):
        decode.generate(model, [[1, -1]], 1)


@pytest.mark.parametrize("missing", [-1, 1])
def test_places_and_image_tokens_must_count_up(model: Transformer, images: list[np.ndarray], missing: int) -> None:
    table = eyes(model)(images)
    with pytest.raises(ConfigError, match="places for image tokens"):
        check_count(torch.tensor([places(0, len(table) + missing)]), table)


def test_without_images_it_is_the_model_of_text(model: Transformer) -> None:
    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(spliced(model, tokens, eyes(model)([])), model.embed(tokens))
    with pytest.raises(ConfigError, match="reads text alone"):
        eyes(build(config(), 0))


def test_the_trunk_is_the_same_with_and_without_vision() -> None:
    plain, seen = build(config(), 3), build(config(vision=VISION), 3)
    other = with_vision(plain, VISION, 3)
    for name, value in plain.state_dict().items():
        assert torch.equal(seen.state_dict()[name], value)
        assert torch.equal(other.state_dict()[name], value)
    assert torch.equal(other.state_dict()["vision.norm.weight"], seen.state_dict()["vision.norm.weight"])
    assert "vision" not in config().model_dump()  # seals hold digests of configs


@pytest.mark.parametrize("stem", ["conv", "linear"])
def test_counts_of_parameters_and_flops(stem: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    vision = VISION.model_copy(update={"stem": stem})
    model = build(config(vision=vision), 0)
    assert sum(p.numel() for p in model.parameters()) == model.config.n_params
    with FlopCounterMode(display=False) as counter:
        eyes(model)([np.zeros((16, 24, 3), np.uint8)])
    attention = vision.n_layers * 2 * 2 * 24 * 24 * vision.d_model  # which the counter leaves out on a CPU
    assert counter.get_total_flops() + attention == vision.flops_forward(16, 24, model.config.d_model)


def test_moving_an_image_by_a_cell_is_seen(model: Transformer) -> None:
    """Where something is, not only what: the tokens of a shifted image are not the shifted tokens."""
    image = np.full((16, 32, 3), 255, np.uint8)
    image[4:12, 4:12] = 0
    one, other = (eyes(model)([each]).view(2, 4, -1) for each in (image, np.roll(image, 8, axis=1)))
    assert not torch.allclose(one[:, 0], other[:, 1], atol=1e-3)
