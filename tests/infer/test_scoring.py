"""Packed, shared and batched scoring beside its definition: every request alone, every logit of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from presage.core.errors import ConfigError
from presage.model import prefixes, scoring
from presage.model.config import ModelConfig
from presage.model.prefixes import Branch, Prefix, plan
from presage.model.scoring import continuations, naive_continuations
from presage.model.transformer import Transformer
from presage.model.windows import pieces, windows
from tests.model.shapes import CONFIGS, CONTEXT, VOCAB, lively, random_tokens

Pairs = Sequence[tuple[Sequence[int], Sequence[int]]]
NATS = 1e-4
every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
MODELS = {name: lively(config) for name, config in CONFIGS.items()}


def tokens(count: int, seed: int) -> list[int]:
    return random_tokens(1, count, seed)[0].tolist()


def assert_same(model: Transformer, pairs: Pairs, **options: int | bool) -> None:
    slow, fast = naive_continuations(model, pairs), continuations(model, pairs, **options)  # type: ignore[arg-type]
    assert len(fast) == len(slow) == len(pairs)
    for (_, tail), (expected, first), (values, best) in zip(pairs, slow, fast, strict=True):
        assert values.shape == best.shape == expected.shape == (len(tail),)
        torch.testing.assert_close(values, expected, atol=NATS, rtol=0)
        assert best.tolist() == first.tolist()


def questions(options: int = 4) -> Pairs:
    """A header that all share, passages that some share, questions with options, doubles, and prompts to the brim."""
    header = tokens(6, 0)
    asked: list[tuple[list[int], list[int]]] = []
    for number in range(6):
        prompt = [*header, *tokens(5, 1 + number // 3), *tokens(number % 3 + 1, 10 + number)]
        asked += [(prompt, tokens(1 + (number + option) % 5, 100 + 10 * number + option)) for option in range(options)]
    brim = [(tokens(CONTEXT, 50), [3]), (tokens(1, 51), tokens(CONTEXT, 52)), (header, header[:2]), ([7], [])]
    return [*asked, *asked[:3], *brim]


@every_config
@pytest.mark.parametrize("options", [{}, {"batch_rows": 1}, {"batch_rows": 3}, {"batch_tokens": 50}, {"share": False}])
def test_questions_with_options_equal_each_alone(config: ModelConfig, options: dict[str, int]) -> None:
    assert_same(lively(config), questions(), **options)


@every_config
@pytest.mark.parametrize(("least", "saved"), [(1, 1), (3, 6), (5, 20)])
def test_beginnings_read_once(config: ModelConfig, least: int, saved: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prefixes, "LEAST_SHARED", least)
    monkeypatch.setattr(prefixes, "LEAST_SAVED", saved)
    heads = sorted({tuple(head) for head, _ in questions()})
    assert plan(heads).branches
    assert_same(lively(config), questions())
    assert_same(lively(config), questions(), batch_rows=2)


def test_continuations_of_a_short_prompt_go_on_several_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "ROW_TOKENS", 10)
    assert_same(lively(CONFIGS["gpt2"]), [([5], tokens(1 + i % 9, i)) for i in range(40)])


def test_options_of_one_token_cost_their_prompt_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    model = lively(CONFIGS["qwen3"])
    read: list[int] = []
    states = model.states
    monkeypatch.setattr(model, "states", lambda x, *rest: read.append(x.shape[:2].numel()) or states(x, *rest))
    pairs = [(tokens(9, 1), [option]) for option in range(5)] + [(tokens(9, 2), [option]) for option in range(5)]
    continuations(model, pairs)
    assert read == [18]
    assert_same(model, pairs)


def test_logits_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "CHUNK_ELEMENTS", 3 * VOCAB)
    assert_same(lively(CONFIGS["llama"]), questions())


prompts = st.lists(st.integers(0, 3), min_size=1, max_size=CONTEXT)
texts = st.lists(st.integers(0, VOCAB - 1), max_size=CONTEXT)


@settings(max_examples=60)
@given(
    name=st.sampled_from(["qwen3-gqa", "gpt2", "gpt3"]),
    pairs=st.lists(st.tuples(prompts, texts), max_size=12),
    rows=st.integers(1, 5),
    least=st.sampled_from([1, 2, 6]),
)
def test_any_requests_equal_each_alone(name: str, pairs: Pairs, rows: int, least: int) -> None:
    """Prompts of four letters only: they begin alike, contain each other and repeat."""
    fitting = [(head, tail[: CONTEXT + 1 - len(head)]) for head, tail in pairs]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefixes, "LEAST_SHARED", least)
        patch.setattr(prefixes, "LEAST_SAVED", least)
        assert_same(MODELS[name], fitting, batch_rows=rows)


def test_a_prefix_of_a_prefix_has_the_keys_of_the_whole() -> None:
    model, ids = lively(CONFIGS["gpt3"]), tokens(15, 3)
    with torch.no_grad():
        whole = Prefix().extended(model, ids)
        parts = Prefix().extended(model, ids[:4]).extended(model, ids[4:5]).extended(model, ids[5:])
    assert parts.length == whole.length == 15
    for one, other in zip(whole.layers, parts.layers, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=9), min_size=1, max_size=12), st.integers(1, 3))
def test_a_plan_reads_every_head_once_and_leaves_its_last_token(heads: list[list[int]], least: int) -> None:
    ordered = sorted({tuple(head) for head in heads})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefixes, "LEAST_SHARED", least)
        patch.setattr(prefixes, "LEAST_SAVED", least)
        root = plan(ordered)
    assert root.upto == 0
    assert sorted(_members(root, ordered, least)) == list(range(len(ordered)))


def _members(branch: Branch, heads: list[tuple[int, ...]], least: int) -> list[int]:
    inside = list(branch.direct())
    for further in branch.branches:
        assert further.upto >= branch.upto + least
        assert branch.first <= further.first < further.end <= branch.end
        inside += _members(further, heads, least)
    assert len({heads[i][: branch.upto] for i in inside}) == 1
    assert all(len(heads[i]) > branch.upto for i in inside)
    return inside


@given(st.integers(2, 120), st.integers(2, 20), st.data())
def test_windows_of_any_stride_score_each_token_once(length: int, context: int, data: st.DataObject) -> None:
    stride, known = data.draw(st.integers(1, context)), data.draw(st.integers(1, min(context, length)))
    row = list(range(length))
    scored = [token for _, tail in pieces(row, context, stride=stride, known=known) for token in tail]
    assert scored == row[known:]
    for head, tail in pieces(row, context, stride=stride, known=known):
        assert head and len(head) + len(tail) <= context + 1
        assert head[-1] + 1 == tail[0]
    assert windows(length, context, stride=stride, known=known)[0][0] == 0


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (([], [1]), "request 1: an empty prompt"),
        (([1] * 20, [2] * 6), "request 1: 20 \\+ 6 tokens do not fit the context"),
        (([1], [VOCAB]), f"request 1: id {VOCAB} is not in the vocabulary of {VOCAB}"),
        (([-1], [2]), "request 1: id -1"),
    ],
)
def test_bad_requests(pair: tuple[list[int], list[int]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        continuations(lively(CONFIGS["gpt2"]), [([1], [2]), pair])
    assert continuations(lively(CONFIGS["gpt2"]), []) == []


def test_dropout_is_off_and_the_mode_is_put_back() -> None:
    model = lively(CONFIGS["gpt2"].model_copy(update={"dropout": 0.5})).train()
    first, second = (continuations(model, questions()) for _ in range(2))
    assert all(torch.equal(a, b) for (a, _), (b, _) in zip(first, second, strict=True))
    assert model.training and model.blocks[0].training
