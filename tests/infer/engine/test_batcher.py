"""Continuous batching against its slow twin, and a request alone against the same in any company."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import Any

import pytest
import torch

from presage.core.errors import ConfigError
from presage.infer.engine.asks import Ask, Draw, Event
from presage.infer.engine.batcher import Batcher
from presage.model import decode
from presage.model.config import ModelConfig, gpt3, qwen3
from presage.model.sampling import Sampling
from presage.model.transformer import Transformer, build

VOCAB, CONTEXT = 211, 96
SHAPES: dict[str, ModelConfig] = {
    "rope, grouped": qwen3(VOCAB, CONTEXT, 3, 64, n_heads=4, n_kv_heads=2, d_head=16),
    "tied": qwen3(VOCAB, CONTEXT, 2, 48, n_heads=3, n_kv_heads=3, d_head=16, tie_embeddings=True),
    "learned, banded": gpt3(vocab_size=VOCAB, context_length=CONTEXT, band=20).model_copy(
        update={"n_layers": 3, "d_model": 48, "n_heads": 4, "n_kv_heads": 4, "d_head": 12, "d_ff": 96}
    ),
    "post-norm": gpt3(vocab_size=VOCAB, context_length=CONTEXT).model_copy(
        update={"n_layers": 2, "d_model": 32, "n_heads": 2, "n_kv_heads": 2, "d_head": 16, "d_ff": 64, "block": "post"}
        | {"band": None, "init": "gpt1"}
    ),
}


def model(name: str = "rope, grouped") -> Transformer:
    made = build(SHAPES[name], 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        made.head.weight.normal_(0, 0.5, generator=generator)
    return made.eval()


def prompts(count: int, seed: int = 0, longest: int = 90) -> list[list[int]]:
    """Some of which begin alike."""
    chance = random.Random(seed)
    heads = [[chance.randrange(VOCAB) for _ in range(70)] for _ in range(3)]
    found = []
    for _ in range(count):
        own = [chance.randrange(VOCAB) for _ in range(chance.randint(1, 20))]
        head = chance.choice(heads)[: chance.choice((0, 0, 33, 64, 70))]
        found.append((head + own)[:longest])
    return found


def answers(batcher: Batcher, asks: list[Ask], chance: random.Random | None = None) -> list[list[Event]]:
    """All asked, some later than others where `chance` is given; the events of each."""
    found: dict[int, list[Event]] = defaultdict(list)
    keys, left = [], list(asks)
    while left or not batcher.idle:
        while left and (chance is None or chance.random() < 0.5):
            keys.append(batcher.submit(left.pop(0)))
        for event in batcher.step():
            found[event.key].append(event)
    return [found[key] for key in keys]


def ids(events: list[Event]) -> list[int]:
    return [event.id for event in events if event.id is not None]


@pytest.mark.parametrize("name", SHAPES)
def test_it_writes_what_its_slow_twin_writes(name: str) -> None:
    one, asked = model(name), prompts(12)
    twin = decode.write(one, asked, 40, Sampling(temperature=0.0), [0] * 12, stop_ids={7})
    found = answers(Batcher(one, rows=5, chunk=64), [Ask(p, 40, Draw(0.0), frozenset({7})) for p in asked])
    assert [ids(events) for events in found] == [written.ids for written in twin]
    for events, written in zip(found, twin, strict=True):
        assert sum(event.logprob for event in events) == pytest.approx(written.logprob, abs=2e-3)
        assert events[-1].finish == ("stop" if written.ended else "length")
        assert all(event.finish is None for event in events[:-1])


def test_draws_are_those_of_its_slow_twin() -> None:
    one, asked = model(), prompts(8, seed=3)
    sampling = Sampling(temperature=0.8, top_k=30, top_p=0.9)
    twin = decode.write(one, asked, 20, sampling, list(range(8)))
    asks = [Ask(p, 20, Draw(0.8, top_k=30, top_p=0.9, seed=n)) for n, p in enumerate(asked)]
    assert [ids(events) for events in answers(Batcher(one, rows=3), asks)] == [written.ids for written in twin]


@pytest.mark.parametrize("name", SHAPES)
def test_a_request_gets_the_same_bits_alone_and_in_any_company(name: str) -> None:
    """Token by token the same log P, not nearly: whatever else is read, shared, moved or kept."""
    one, asked = model(name), prompts(30, seed=5)
    asks = [Ask(p, 25, Draw(0.0), top=2) for p in asked]
    alone = [answers(Batcher(one, rows=1, kept=0, steady=True), [ask])[0] for ask in asks]
    for seed, changes in enumerate(({"rows": 7, "chunk": 32}, {"rows": 16, "chunk": 96}, {"rows": 3, "kept": 0})):
        together = answers(Batcher(one, steady=True, **changes), asks, random.Random(seed))
        for mine, other in zip(alone, together, strict=True):
            assert [(e.id, e.logprob, e.top) for e in mine] == [(e.id, e.logprob, e.top) for e in other]


def test_where_rounding_could_decide_a_steady_reading_does() -> None:
    """A head whose rows come in pairs that differ in their last bits alone: the same ids alone and in company."""
    one, asked = model(), prompts(40, seed=6)
    with torch.no_grad():
        one.head.weight[1::2] = one.head.weight[:-1:2] * (1 + 2e-7)
    asks = [Ask(p, 12, Draw(0.0)) for p in asked]
    alone = Batcher(one, rows=1, kept=0)
    whole = [ids(answers(alone, [ask])[0]) for ask in asks]
    assert alone.settled > 100
    for seed, rows in enumerate((2, 5, 16)):
        assert [ids(events) for events in answers(Batcher(one, rows=rows), asks, random.Random(seed))] == whole
    hurried = Batcher(one, rows=5)
    hurried._settle = lambda rows, logits: None  # type: ignore[method-assign]
    assert [ids(events) for events in answers(hurried, asks, random.Random(1))] != whole, "without it they would differ"


def test_beginnings_that_are_shared_are_read_once() -> None:
    one = model()
    head = list(range(70))
    batcher = Batcher(one, rows=4)
    answers(batcher, [Ask([*head, n], 3, Draw(0.0)) for n in range(4)])
    assert batcher.tokens_shared == 3 * 64 and batcher.tokens_read == 71 + 3 * 7 + 4 * 2
    answers(batcher, [Ask([*head, 9, 9], 1, Draw(0.0))])
    assert batcher.tokens_shared == 4 * 64, "kept after its rows are gone"
    answers(batcher, [Ask([5, *head], 1, Draw(0.0))])
    assert batcher.tokens_shared == 4 * 64


def test_what_is_kept_has_a_bound() -> None:
    batcher = Batcher(model(), rows=2, kept=64)
    for seed in range(5):
        answers(batcher, [Ask(p, 1, Draw(0.0)) for p in prompts(4, seed=seed)])
    assert batcher.kept.tokens <= 64


def test_who_cancels_is_told_and_others_go_on() -> None:
    one, asked = model(), prompts(5, seed=2)
    whole = [ids(events) for events in answers(Batcher(one, rows=2), [Ask(p, 12, Draw(0.0)) for p in asked])]
    batcher, found = Batcher(one, rows=2), defaultdict[int, list[Event]](list)
    keys = [batcher.submit(Ask(p, 12, Draw(0.0))) for p in asked]
    for number in range(100):
        if number == 3:
            batcher.cancel(keys[0])
            batcher.cancel(keys[4])
        for event in batcher.step():
            found[event.key].append(event)
    assert batcher.idle
    assert [found[key][-1].finish for key in keys] == ["cancelled", "length", "length", "length", "cancelled"]
    assert [ids(found[key]) for key in keys[1:4]] == whole[1:4]
    assert ids(found[keys[0]]) == whole[0][:3] and not ids(found[keys[4]])


def test_log_probabilities_of_prompt_and_answer() -> None:
    one, prompt = model(), prompts(1, seed=8, longest=50)[0] + [3, 4, 5]
    (events,) = answers(Batcher(one, chunk=32), [Ask(prompt, 4, Draw(0.0), top=3, prompt_top=True)])
    values, _ = decode.score(one, [[*prompt, *ids(events)]])[0]
    told = [value for value, _ in events[0].prompt or ()] + [event.logprob for event in events]
    assert told == pytest.approx(values.tolist(), abs=1e-4)
    for event in events:
        assert event.top[0] == (event.id, event.logprob) and len(event.top) == 3
        assert [value for _, value in event.top] == sorted((v for _, v in event.top), reverse=True)


def test_biases_and_penalties() -> None:
    one, prompt = model(), [1, 2, 3]

    def first(**changes: Any) -> list[int]:
        return ids(answers(Batcher(one), [Ask(prompt, 12, Draw(0.0, **changes))])[0])

    assert set(first(logit_bias={17: 100.0})) == {17}
    plain = first()
    assert plain[0] not in first(logit_bias={plain[0]: -100.0})
    free = first(presence_penalty=100.0)
    assert len(set(free)) == len(free)
    assert first(frequency_penalty=1000.0) == first(presence_penalty=1000.0)
    assert first(min_p=1.0) == plain


def test_only_what_is_allowed_is_written() -> None:
    def even(written: Any) -> torch.Tensor | None:
        return None if len(written) > 5 else torch.arange(VOCAB) % 2 == len(written) % 2

    def nothing(written: Any) -> torch.Tensor:
        return torch.full((VOCAB,), len(written) < 2)

    asks = [Ask([1, 2], 8, Draw(1.0), allowed=even), Ask([1, 2], 8, Draw(1.0), allowed=nothing), Ask([1], 2)]
    found = answers(Batcher(model()), asks)
    assert [one % 2 for one in ids(found[0])[:6]] == [0, 1, 0, 1, 0, 1]
    assert found[1][-1].finish == "error" and "no id is allowed" in found[1][-1].trouble and len(ids(found[1])) == 2
    assert found[2][-1].finish == "length"


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (Ask([], 3), "empty prompt"),
        (Ask([1], 0), "0 new ids"),
        (Ask([VOCAB], 1), f"id {VOCAB} is not in the vocabulary"),
        (Ask([-1], 1), "id -1 is not"),
        (Ask([1], 1, Draw(-1.0)), "temperature"),
        (Ask([1], 1, Draw(logit_bias={VOCAB: 1.0})), f"id {VOCAB}"),
        (Ask([1], 1, Draw(presence_penalty=float("nan"))), "finite"),
    ],
)
def test_refused(ask: Ask, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Batcher(model()).submit(ask)


@pytest.mark.slow
def test_two_thousand_prompts_alone_and_among_others() -> None:
    """At temperature 0 and as fast as it goes, beside neighbours that draw, are bound, cancelled, or ask for much."""
    one, asked = model(), prompts(2000, seed=11)
    asks = [Ask(p, 8, Draw(0.0)) for p in asked]
    single = Batcher(one, rows=1)
    alone = [ids(answers(single, [ask])[0]) for ask in asks]
    chance, batcher = random.Random(0), Batcher(one, rows=16, chunk=64)
    found: dict[int, list[int]] = defaultdict(list)
    keys, hostile, left = [], [], list(asks)
    while left or not batcher.idle:
        if left and batcher.waiting < 8:
            keys.append(batcher.submit(left.pop(0)))
            if chance.random() < 0.3:
                draw = Draw(1.5, logit_bias={3: 50.0}, presence_penalty=2.0, seed=len(keys))
                hostile.append(
                    batcher.submit(Ask(chance.choice(asked), chance.randint(1, 60), draw, top=5, prompt_top=True))
                )
            if hostile and chance.random() < 0.1:
                batcher.cancel(chance.choice(hostile))
        for event in batcher.step():
            if event.id is not None:
                found[event.key].append(event.id)
    assert [found[key] for key in keys] == alone
