"""Beam search beside two definitions: every text there is, and the search without cache or early end."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.model.beam import Cached, beam_search, score
from presage.model.config import qwen3
from presage.model.decode import write
from presage.model.sampling import Sampling
from presage.model.transformer import Transformer
from tests.model.shapes import CONFIGS, CONTEXT, lively, random_tokens

SMALL = qwen3(5, 12, 2, 16, n_heads=2, n_kv_heads=1, d_head=8)
END = 2


def logprobs(model: Transformer, prompt: Sequence[int], ids: Sequence[int]) -> list[float]:
    with torch.no_grad():
        values = model(torch.tensor([[*prompt, *ids]]))[0].double().log_softmax(-1)
    return [float(values[len(prompt) - 1 + place, token]) for place, token in enumerate(ids)]


def every_text(model: Transformer, prompt: list[int], most: int, penalty: float) -> list[tuple[float, tuple[int, ...]]]:
    """All texts that end with END or have `most` tokens, the best first."""
    found: list[tuple[float, tuple[int, ...]]] = []
    for length in range(1, most + 1):
        texts = (ids for ids in itertools.product(range(5), repeat=length) if END not in ids[:-1])
        ended = (ids for ids in texts if length == most or ids[-1] == END)
        found += [(score(sum(logprobs(model, prompt, ids)), length, penalty), ids) for ids in ended]
    return sorted(found, reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_beam_as_wide_as_all_texts_finds_the_best(penalty: float, seed: int) -> None:
    model, prompt, most = lively(SMALL, seed), [1, 3], 4
    expected = every_text(model, prompt, most, penalty)[0]
    found = beam_search(Cached(model, most), prompt, most, width=5**most, penalty=penalty, stop_ids=(END,))
    assert tuple(found.ids) == expected[1]
    assert score(found.logprob, len(found.ids), penalty) == pytest.approx(expected[0], abs=1e-4)
    assert found.ended == (found.ids[-1] == END)


class Plain:
    """Steps without a cache."""

    def __init__(self, model: Transformer) -> None:
        self.model, self.windows = model, list[list[int]]()

    def begin(self, prompt: Sequence[int]) -> Tensor:
        return self._read([list(prompt)[-self.model.config.context_length :]])

    def go_on(self, parents: Sequence[int], texts: Sequence[Sequence[int]]) -> Tensor:
        context = self.model.config.context_length
        rows = [[*self.windows[parent], text[-1]] for parent, text in zip(parents, texts, strict=True)]
        return self._read([row[-(context // 2) :] if len(row) > context else row for row in rows])

    def _read(self, rows: list[list[int]]) -> Tensor:
        self.windows = rows
        with torch.no_grad():
            return self.model(torch.tensor(rows))[:, -1]


def naive_beam(steps: Plain, prompt: list[int], most: int, width: int, penalty: float, end: int) -> list[int]:
    """The search to its last step, by sorting all that there is."""
    open_texts: list[tuple[float, list[int]]] = [(0.0, [])]
    logits, closed = steps.begin(prompt), []
    for number in range(1, most + 1):
        values = logits.double().log_softmax(-1).tolist()
        found = [
            (total + value, row, [*ids, token])
            for row, ((total, ids), of_row) in enumerate(zip(open_texts, values, strict=True))
            for token, value in enumerate(of_row)
        ]
        found.sort(key=lambda one: -one[0])
        left = []
        for total, row, ids in found:
            if ids[-1] == end or number == most:
                closed.append((score(total, number, penalty), ids))
            if ids[-1] != end:
                left.append((total, row, ids))
            if len(left) == width:
                break
        open_texts = [(total, ids) for total, _, ids in left]
        if number < most:
            logits = steps.go_on([row for _, row, _ in left], [[*prompt, *ids] for _, ids in open_texts])
    return max(closed, key=lambda one: one[0])[1]


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("width", [1, 4])
def test_the_cache_and_the_early_end_change_nothing(name: str, width: int) -> None:
    model = lively(CONFIGS[name])
    for seed, most in ((0, 6), (1, CONTEXT + 9)):  # the second goes on past the context
        prompt = random_tokens(1, 5, seed)[0].tolist()
        free = beam_search(Cached(model, most), prompt, most, width=width)
        assert free.ids == naive_beam(Plain(model), prompt, most, width, 0.6, -1) and len(free.ids) == most
        end = free.ids[2]
        ended = beam_search(Cached(model, most), prompt, most, width=width, stop_ids=(end,))
        assert ended.ids == naive_beam(Plain(model), prompt, most, width, 0.6, end)


def test_one_beam_without_an_end_is_greedy_and_its_logprob_is_the_models() -> None:
    model, prompt = lively(CONFIGS["qwen3"]), [4, 8, 15]
    (greedy,) = write(model, [prompt], 10, Sampling(temperature=0), [0])
    found = beam_search(Cached(model, 10), prompt, 10, width=1)
    assert found.ids == greedy.ids
    assert found.logprob == pytest.approx(greedy.logprob, abs=1e-4)
    assert found.logprob == pytest.approx(sum(logprobs(model, prompt, found.ids)), abs=1e-4)
    assert beam_search(Cached(model, 10), prompt, 10, width=6).logprob >= found.logprob


def test_a_text_ends_where_it_is_told() -> None:
    model = lively(CONFIGS["gpt2"])
    found = beam_search(Cached(model, 8), [1], 8, width=3, ends=lambda ids: len(ids) == 3)
    assert found.ended and len(found.ids) == 3


@pytest.mark.parametrize(("width", "penalty"), [(0, 0.6), (4, -1.0)])
def test_bad_widths_and_penalties(width: int, penalty: float) -> None:
    with pytest.raises(ConfigError, match="must be at least"):
        beam_search(Cached(lively(SMALL), 3), [1], 3, width=width, penalty=penalty)
