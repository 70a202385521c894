"""Texts gone on with: prompts in text and ids, echo, log-probabilities against the model's own, streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from presage.serve import answers
from presage.serve.house import House
from tests.serve.house import NAME, client, house, http


@pytest.fixture(scope="module")
def home() -> Iterator[House]:
    with house() as one:
        yield one


async def ask(one: House, **changes: Any) -> Any:
    values: dict[str, Any] = {"model": NAME, "prompt": "a ladder", "max_tokens": 8, "seed": 3}
    async with client(one) as api:
        return await api.completions.create(**(values | changes))


def test_text_and_its_ids_are_gone_on_with_alike(home: House) -> None:
    text = home.served.asking.text
    [ids] = text.bare(["a ladder"])
    begun = [text.begin, *ids]
    answers_ = [asyncio.run(ask(home, prompt=prompt)) for prompt in ("a ladder", begun, [begun], ["a ladder"])]
    assert len({one.choices[0].text for one in answers_}) == 1
    assert all(one.usage.prompt_tokens == len(begun) for one in answers_)


def test_many_prompts_and_choices_come_in_order(home: House) -> None:
    answer = asyncio.run(ask(home, prompt=["a law", "one", ""], n=2, temperature=0, max_tokens=4))
    alone = [asyncio.run(ask(home, prompt=one, temperature=0, max_tokens=4)) for one in ("a law", "one", "")]
    assert [one.index for one in answer.choices] == list(range(6))
    assert [one.text for one in answer.choices] == [one.choices[0].text for one in alone for _ in range(2)]


def test_an_echo_tells_how_likely_the_prompt_was(home: House) -> None:
    answer = asyncio.run(ask(home, echo=True, logprobs=2, max_tokens=0)).choices[0]
    assert answer.text == "a ladder" == "".join(answer.logprobs.tokens)
    text = home.served.asking.text
    ids = [text.begin, *text.bare(["a ladder"])[0]]
    with torch.inference_mode():
        model = home.served.model
        logits = model(torch.tensor([ids])).log_softmax(-1)[0]
    wanted = [float(logits[place, one]) for place, one in enumerate(ids[1:])]
    assert answer.logprobs.token_logprobs == pytest.approx(wanted, abs=1e-4)
    assert answer.logprobs.text_offset[0] == 0 and len(answer.logprobs.top_logprobs[0]) == 2
    assert asyncio.run(ask(home, echo=True, max_tokens=0)).usage.completion_tokens == 0


def test_ids_from_nothing_have_no_first_probability(home: House) -> None:
    [ids] = home.served.asking.text.bare(["a ladder"])
    told = asyncio.run(ask(home, prompt=ids, echo=True, logprobs=0, max_tokens=2)).choices[0]
    assert told.logprobs.token_logprobs[0] is None and len(told.logprobs.tokens) == len(ids) + 2
    assert told.text.startswith("a ladder")


def test_a_stream_says_the_same(home: House) -> None:
    async def streamed() -> list[Any]:
        options = {"stream": True, "echo": True, "logprobs": 1, "stream_options": {"include_usage": True}}
        return [chunk async for chunk in await ask(home, **options)]

    whole = asyncio.run(ask(home, echo=True, logprobs=1))
    chunks = asyncio.run(streamed())
    told = [choice for chunk in chunks for choice in chunk.choices]
    assert "".join(one.text for one in told) == whole.choices[0].text
    assert [t for one in told if one.logprobs for t in one.logprobs.tokens] == whole.choices[0].logprobs.tokens
    assert chunks[-1].usage == whole.usage


def test_special_tokens_spelled_in_text_are_text(home: House) -> None:
    answer = asyncio.run(ask(home, prompt="<|endoftext|>", echo=True, logprobs=0, max_tokens=0))
    assert answer.choices[0].text == "<|endoftext|>" and answer.usage.prompt_tokens > 2


def test_a_prompt_just_fits_or_does_not(home: House) -> None:
    context = home.served.context
    fits = asyncio.run(ask(home, prompt=[5] * (context - 1), max_tokens=50)).choices[0]
    assert fits.finish_reason in ("length", "stop")

    async def posted(count: int) -> Any:
        async with http(home) as plain:
            return (await plain.post("/v1/completions", json={"model": NAME, "prompt": [5] * count})).json()

    assert asyncio.run(posted(context))["error"]["code"] == "context_length_exceeded"


def test_an_answer_is_as_the_schema_says(home: House) -> None:
    async def posted() -> Any:
        async with http(home) as plain:
            body = {"model": NAME, "prompt": "a", "logprobs": 2, "echo": True}
            return (await plain.post("/v1/completions", json=body)).json()

    answers.Completion.model_validate(asyncio.run(posted()))


def test_others_do_not_change_an_answer(home: House) -> None:
    prompts = [f"a law {number}" for number in range(12)]

    async def together() -> list[str]:
        found = await asyncio.gather(*(ask(home, prompt=one, temperature=0) for one in prompts))
        return [one.choices[0].text for one in found]

    alone = [asyncio.run(ask(home, prompt=one, temperature=0)).choices[0].text for one in prompts]
    assert asyncio.run(together()) == alone
