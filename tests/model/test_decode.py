"""Decoding with the cache equals the full forward pass, alone and in any batch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from presage.core.errors import ConfigError
from presage.core.seeds import stream
from presage.model import decode, prefixes
from presage.model.config import ModelConfig
from presage.model.sampling import Draws, Sampling, pick, row_seeds
from presage.model.transformer import Transformer
from tests.model.shapes import CONFIGS, CONTEXT, VOCAB, lively, random_tokens

every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


def ragged(lengths: list[int], seed: int = 0) -> list[list[int]]:
    return [random_tokens(1, length, seed + i)[0].tolist() for i, length in enumerate(lengths)]


@torch.no_grad()
def slowly(model: Transformer, prompt: list[int], steps: int) -> list[int]:
    """The definition of greedy decoding, without a cache: the twin of `generate`."""
    context = model.config.context_length
    text, window = [], prompt[-context:]
    for _ in range(steps):
        text.append(int(model(torch.tensor([window]))[0, -1].argmax()))
        window = [*window, text[-1]]
        window = window[-max(1, context // 2) :] if len(window) > context else window
    return text


@every_config
def test_cached_logits_equal_the_full_forward(config: ModelConfig) -> None:
    model, texts = lively(config), ragged([CONTEXT, 9, 17, 12])
    starts = [6, 1, 8, 3]
    cache, logits = decode.prefill(model, [t[:n] for t, n in zip(texts, starts, strict=True)], CONTEXT)
    for offset in range(5):
        for row, (text, start) in enumerate(zip(texts, starts, strict=True)):
            expected = model(torch.tensor([text[: start + offset]]))[0, -1]
            torch.testing.assert_close(logits[row], expected, atol=1e-5, rtol=0)
        logits = decode.step(model, cache, torch.tensor([t[n + offset] for t, n in zip(texts, starts, strict=True)]))


@every_config
def test_greedy_is_the_same_alone_in_a_batch_and_without_cache(config: ModelConfig) -> None:
    model, prompts = lively(config), ragged([3, 11, 1, 7, 11, 2])
    batch = decode.generate(model, prompts, 10, temperature=0)
    assert batch == [decode.generate(model, [p], 10, temperature=0)[0] for p in prompts]
    assert batch == decode.generate(model, prompts, 10, temperature=0, batch_size=2)
    assert batch == [slowly(model, p, 10) for p in prompts]
    assert len({token for row in batch for token in row}) > 4


@every_config
def test_generation_passes_the_end_of_the_context(config: ModelConfig) -> None:
    model, prompts = lively(config), ragged([CONTEXT + 9, 5, CONTEXT, CONTEXT - 1])
    steps = 2 * CONTEXT
    assert decode.generate(model, prompts, steps, temperature=0) == [slowly(model, p, steps) for p in prompts]


@every_config
def test_beginnings_and_doubles_are_read_once(config: ModelConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    model, header = lively(config), ragged([9])[0]
    prompts = [header + tail for tail in ragged([1, 4, 4, 2], seed=3)] + [header]
    prompts += prompts[:3]
    plain = decode.generate(model, prompts, 8, temperature=0)
    monkeypatch.setattr(prefixes, "LEAST_SHARED", 3)
    monkeypatch.setattr(prefixes, "LEAST_SAVED", 3)
    read: list[tuple[int, ...]] = []
    trunk = model.trunk
    monkeypatch.setattr(model, "trunk", lambda x, *rest: read.append(tuple(x.shape[:2])) or trunk(x, *rest))
    shared = decode.generate(model, prompts, 8, temperature=0)
    assert read[:2] == [(1, 8), (5, 5)]  # of the header, all but the token that the shortest prompt goes on from
    assert shared == plain == [slowly(model, prompt, 8) for prompt in prompts]


def test_the_logprob_of_what_is_written_is_the_models() -> None:
    model, prompts = lively(CONFIGS["llama"]), ragged([4, 9, 2])
    drawn = decode.write(model, prompts, 9, Sampling(temperature=0.4, top_k=3), [1, 2, 3], stop_ids={7, 11})
    for prompt, written in zip(prompts, drawn, strict=True):
        values = decode.logprobs(model, [[*prompt, *written.ids]])[0][len(prompt) - 1 :]
        assert written.logprob == pytest.approx(float(values.sum()), abs=1e-4)
        assert written.ended == (written.ids[-1] in {7, 11})
    ended = decode.write(model, prompts, 9, Sampling(), [1, 2, 3], ends=lambda row, ids: len(ids) == row + 1)
    assert [(len(written.ids), written.ended) for written in ended] == [(1, True), (2, True), (3, True)]


def test_context_of_one_token() -> None:
    model = lively(CONFIGS["qwen3"].model_copy(update={"context_length": 1}))
    assert decode.generate(model, [[3, 4]], 5, temperature=0) == [slowly(model, [3, 4], 5)]


def test_samples_do_not_depend_on_their_neighbours() -> None:
    model, prompts = lively(CONFIGS["qwen3"]), ragged([4, 9, 2, 9])
    options: dict[str, float] = {"temperature": 1.3, "top_k": 40, "top_p": 0.95}
    batch = decode.generate(model, prompts, 30, seed=7, **options)  # type: ignore[arg-type]
    seeds = row_seeds(7, len(prompts))
    for row, prompt in enumerate(prompts):
        assert decode.generate(model, [prompt], 30, seed=[seeds[row]], **options) == [batch[row]]  # type: ignore[arg-type]
    assert batch == decode.generate(model, prompts, 30, seed=7, **options)  # type: ignore[arg-type]
    assert batch != decode.generate(model, prompts, 30, seed=8, **options)  # type: ignore[arg-type]
    shorter = decode.generate(model, prompts, 12, seed=7, **options)  # type: ignore[arg-type]
    assert shorter == [row[:12] for row in batch]


def test_the_global_generator_is_left_alone() -> None:
    model = lively(CONFIGS["gpt2"])
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first = decode.generate(model, [[1, 2]], 8)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(4)
    assert first == decode.generate(model, [[1, 2]], 8)


def test_a_row_ends_with_its_stop_id_and_the_others_go_on() -> None:
    model, prompts = lively(CONFIGS["llama"]), ragged([4, 9, 2, 5, 7])
    free = decode.generate(model, prompts, 14, temperature=0)
    stops = {free[0][4], free[3][1]}

    def cut(row: list[int]) -> list[int]:
        ends = [i for i, token in enumerate(row) if token in stops]
        return row[: ends[0] + 1] if ends else row

    stopped = decode.generate(model, prompts, 14, temperature=0, stop_ids=stops)
    assert stopped == [cut(row) for row in free]
    assert {len(row) for row in stopped} != {14}


def test_eot_stops_and_begins_an_empty_prompt() -> None:
    model = lively(CONFIGS["qwen3"])
    free = decode.generate(model, [[5]], 10, temperature=0)[0]
    assert decode.generate(model, [[]], 10, temperature=0, eot=5) == [free[: free.index(5) + 1] if 5 in free else free]
    assert decode.generate(model, [[5]], 10, temperature=0, eot=free[3]) == [free[: free.index(free[3]) + 1]]


def test_nothing_to_do() -> None:
    model = lively(CONFIGS["qwen3"])
    assert decode.generate(model, [], 5) == []
    assert decode.generate(model, [[1], [2]], 0) == [[], []]


@pytest.mark.parametrize(
    ("prompts", "options", "message"),
    [
        ([[]], {}, "prompt 0: an empty prompt"),
        ([[1], [2, VOCAB]], {}, f"prompt 1: id {VOCAB} is not in the vocabulary of {VOCAB}"),
        ([[-1]], {}, "id -1"),
        ([[1]], {"temperature": -0.5}, "temperature"),
        ([[1]], {"top_p": 0.0}, "top_p"),
        ([[1]], {"top_k": 0}, "top_k"),
        ([[1]], {"seed": [1, 2]}, "2 seeds for 1 prompts"),
    ],
)
def test_bad_requests(prompts: list[list[int]], options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        decode.generate(lively(CONFIGS["qwen3"]), prompts, 3, **options)  # type: ignore[arg-type]


@torch.no_grad()
@every_config
def test_bf16_autocast(config: ModelConfig) -> None:
    """Queries, keys and values may come in different dtypes then; the cache keeps each as it is."""
    model, texts = lively(config), ragged([9, 4])
    with torch.autocast("cpu", torch.bfloat16):
        cache, _ = decode.prefill(model, [text[:-1] for text in texts], CONTEXT)
        logits = decode.step(model, cache, torch.tensor([text[-1] for text in texts]))
        values = decode.logprobs(model, texts)
        assert all(len(row) == 4 for row in decode.generate(model, texts, 4, temperature=0))
    for row, text in enumerate(texts):
        expected = model(torch.tensor([text]))[0]
        assert (logits[row].float() - expected[-1]).norm() < 0.03 * expected[-1].norm()
        exact = expected[:-1].log_softmax(-1)[range(len(text) - 1), text[1:]]
        torch.testing.assert_close(values[row], exact, atol=0.3, rtol=0)


def test_dropout_is_off_and_the_mode_is_put_back() -> None:
    model = lively(CONFIGS["gpt2"].model_copy(update={"dropout": 0.5})).train()
    texts = ragged([9, 9])
    assert torch.equal(decode.logprobs(model, texts)[0], decode.logprobs(model, texts)[0])
    assert decode.generate(model, texts, 6, temperature=0) == decode.generate(model, texts, 6, temperature=0)
    assert model.training and model.blocks[0].training


@every_config
def test_logprobs_equal_the_full_forward(config: ModelConfig) -> None:
    model, texts = lively(config), ragged([7, CONTEXT + 1, 0, 1, 2, 15, 7])
    for limit in (1, 20, 10_000):
        scores = decode.score(model, texts, batch_tokens=limit)
        for text, (values, best) in zip(texts, scores, strict=True):
            assert values.shape == best.shape == (max(0, len(text) - 1),)
            if len(text) > 1:
                expected = model(torch.tensor([text[:-1]]))[0].log_softmax(dim=-1)
                torch.testing.assert_close(values, expected[range(len(text) - 1), text[1:]], atol=1e-5, rtol=0)
                assert best.tolist() == (expected.argmax(dim=-1) == torch.tensor(text[1:])).tolist()
    assert [v.tolist() for v in decode.logprobs(model, texts)] == [v.tolist() for v, _ in decode.score(model, texts)]


def test_logprobs_in_chunks_of_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    model, texts = lively(CONFIGS["qwen3"]), ragged([12, 9])
    whole = decode.logprobs(model, texts)
    monkeypatch.setattr(decode, "CHUNK_ELEMENTS", 3 * VOCAB)
    for a, b in zip(whole, decode.logprobs(model, texts), strict=True):
        torch.testing.assert_close(a, b)


def test_a_generated_row_scores_as_greedy() -> None:
    model, prompt = lively(CONFIGS["qwen3-gqa"]), [4, 2]
    new = decode.generate(model, [prompt], 12, temperature=0)[0]
    assert decode.score(model, [prompt + new])[0][1][1:].all()


def test_logprobs_refuse_what_does_not_fit() -> None:
    with pytest.raises(ConfigError, match=f"sequence 1: {CONTEXT + 2} tokens do not fit"):
        decode.logprobs(lively(CONFIGS["qwen3"]), ragged([3, CONTEXT + 2]))


# ---- sampling -----------------------------------------------------------------------------------------------------


def frequencies(logits: Tensor, sampling: Sampling, draws: int = 4000) -> Tensor:
    chance = (torch.arange(draws, dtype=torch.float64) + 0.5) / draws
    picked = pick(logits.expand(draws, -1), chance, sampling)
    return picked.bincount(minlength=logits.numel()) / draws


LOGITS = torch.tensor([0.5, 0.1, 0.2, 0.15, 0.05]).log()


@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        ({}, [0.5, 0.1, 0.2, 0.15, 0.05]),
        ({"temperature": 0.0}, [1.0, 0, 0, 0, 0]),
        ({"temperature": 0.5}, [0.25 / 0.325, 0.01 / 0.325, 0.04 / 0.325, 0.0225 / 0.325, 0.0025 / 0.325]),
        ({"top_k": 2}, [5 / 7, 0, 2 / 7, 0, 0]),
        ({"top_k": 9}, [0.5, 0.1, 0.2, 0.15, 0.05]),
        ({"top_p": 0.6}, [5 / 7, 0, 2 / 7, 0, 0]),  # the token that crosses 0.6 stays
        ({"top_p": 0.01}, [1.0, 0, 0, 0, 0]),
        ({"top_p": 1.0}, [0.5, 0.1, 0.2, 0.15, 0.05]),
        ({"top_k": 3, "top_p": 0.8}, [5 / 7, 0, 2 / 7, 0, 0]),  # p counts what top-k left: 0.59, 0.82, 1
    ],
)
def test_sampling_rules(sampling: dict[str, object], expected: list[float]) -> None:
    found = frequencies(LOGITS, Sampling.parse(sampling))
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-3, rtol=0)


@settings(deadline=None, max_examples=60)
@given(
    logits=st.lists(st.sampled_from([-1e30, -50.0, -1.0, 0.0, 0.5, 3.0, 80.0]), min_size=1, max_size=12),
    chance=st.sampled_from([0.0, 1e-300, 0.3, 0.999999, 1 - 2**-53]),
    top_k=st.none() | st.integers(1, 14),
    top_p=st.none() | st.floats(1e-6, 1.0),
)
def test_only_kept_tokens_are_drawn(logits: list[float], chance: float, top_k: int | None, top_p: float | None) -> None:
    values = torch.tensor([logits])
    sampling = Sampling(top_k=top_k, top_p=top_p)
    token = int(pick(values, torch.tensor([chance], dtype=torch.float64), sampling))
    larger = [x for x in logits if x > logits[token]]
    assert values.double().softmax(-1)[0, token] > 0
    assert top_k is None or len(larger) < top_k
    assert top_p is None or values.double().softmax(-1)[values > logits[token]].sum() <= top_p + 1e-9


# ---- streams of chance ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 255, 256, 257, 600])
def test_numbers_drawn_by_and_by_are_those_drawn_at_once(count: int) -> None:
    seeds, rows = [7, 8, 9], [2, 0]
    whole = torch.stack([torch.from_numpy(stream(seed, "sample").random(count)) for seed in seeds])
    draws = Draws(seeds)
    assert torch.equal(torch.stack([draws.at(number, rows) for number in range(count)], 1), whole[rows])


def test_a_limit_beyond_all_texts_costs_nothing() -> None:
    model = lively(CONFIGS["qwen3"])
    prompts = [[1, 2, 3], [4]]
    (first, *_), _ = free = decode.generate(model, prompts, 4, seed=3)
    stops = [first, free[1][0]]
    assert decode.generate(model, prompts, 10**31, seed=3, stop_ids=stops) == [row[:1] for row in free]


@pytest.mark.parametrize("temperature", [5e-324, 1e-308, 1e-30])
def test_the_smallest_temperature_takes_the_most_probable(temperature: float) -> None:
    logits = torch.tensor([[1.0, 30.0, -1e30, 29.0]])
    picked = pick(logits, torch.tensor([0.99], dtype=torch.float64), Sampling(temperature=temperature, top_p=0.9))
    assert picked.tolist() == [1]
