"""Chat through OpenAI's own client: answers, streams, choices, stops, seeds, log-probabilities, images."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from presage.serve import answers
from presage.serve.house import House
from tests.serve.house import NAME, client, house, http, image_url, served

HELLO: list[Any] = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "a ladder"}]


@pytest.fixture(scope="module", params=["transcript", "template"])
def home(request: pytest.FixtureRequest) -> Iterator[House]:
    with house(model=served(chat=request.param == "template")) as one:
        yield one


@pytest.fixture(scope="module")
def seeing() -> Iterator[House]:
    with house(model=served(eyes=True)) as one:
        yield one


async def ask(one: House, **changes: Any) -> Any:
    values: dict[str, Any] = {"model": NAME, "messages": HELLO, "max_tokens": 12, "seed": 1}
    async with client(one) as api:
        return await api.chat.completions.create(**(values | changes))


async def streamed(one: House, **changes: Any) -> list[Any]:
    values: dict[str, Any] = {"model": NAME, "messages": HELLO, "max_tokens": 12, "seed": 1, "stream": True}
    async with client(one) as api:
        return [chunk async for chunk in await api.chat.completions.create(**(values | changes))]


def text_of(chunks: list[Any], index: int = 0) -> str:
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(choice.delta.content or "" for choice in choices)


def test_an_answer_and_what_it_took(home: House) -> None:
    answer = asyncio.run(ask(home))
    [choice] = answer.choices
    assert choice.message.role == "assistant" and choice.message.content
    assert choice.finish_reason == "length" and answer.usage.completion_tokens == 12
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 12


def test_a_stream_says_the_same(home: House) -> None:
    whole = asyncio.run(ask(home))
    chunks = asyncio.run(streamed(home, stream_options={"include_usage": True}))
    assert text_of(chunks) == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage == whole.usage and chunks[-1].choices == []
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["length"]


def test_choices_differ_and_a_seed_draws_them_again(home: House) -> None:
    first, again = (asyncio.run(ask(home, n=3)) for _ in range(2))
    texts = [choice.message.content for choice in first.choices]
    assert len(set(texts)) == 3 and texts == [choice.message.content for choice in again.choices]
    chunks = asyncio.run(streamed(home, n=3))
    assert [text_of(chunks, number) for number in range(3)] == texts


def test_without_a_temperature_nothing_is_drawn(home: House) -> None:
    texts = {asyncio.run(ask(home, temperature=0, seed=seed)).choices[0].message.content for seed in (1, 2)}
    assert len(texts) == 1


def test_a_stop_ends_it_and_is_not_said(home: House) -> None:
    whole = asyncio.run(ask(home, max_tokens=30)).choices[0].message.content
    stop = whole[8:10]
    place = whole.index(stop)
    answer = asyncio.run(ask(home, max_tokens=30, stop=[stop, "not there"], logprobs=True))
    assert answer.choices[0].message.content == whole[:place]
    assert answer.choices[0].finish_reason == "stop"
    assert text_of(asyncio.run(streamed(home, max_tokens=30, stop=stop))) == whole[:place]
    said = b"".join(bytes(token.bytes) for token in answer.choices[0].logprobs.content)
    assert said.decode(errors="replace").strip().startswith(whole[:place].strip()[:4])


def test_log_probabilities_are_of_what_is_said(home: House) -> None:
    answer = asyncio.run(ask(home, logprobs=True, top_logprobs=3, temperature=0))
    content = answer.choices[0].logprobs.content
    assert len(content) == 12
    said = b"".join(bytes(token.bytes) for token in content).decode("utf-8", "replace")
    assert said.removeprefix(" ") == answer.choices[0].message.content
    for token in content:
        best = [one.logprob for one in token.top_logprobs]
        assert len(best) == 3 and best == sorted(best, reverse=True) and sum(map(math.exp, best)) <= 1
        assert token.logprob == pytest.approx(best[0])
    chunks = asyncio.run(streamed(home, logprobs=True, temperature=0))
    told = [token for chunk in chunks for c in chunk.choices if c.logprobs for token in c.logprobs.content]
    assert [token.token for token in told] == [token.token for token in content]


def test_a_bias_decides(home: House) -> None:
    answer = asyncio.run(ask(home, temperature=0, logit_bias={"65": 100}, max_tokens=5, logprobs=True))
    assert len({token.token for token in answer.choices[0].logprobs.content}) == 1
    mixed = asyncio.run(
        ask(home, temperature=0, logit_bias={"65": 30}, frequency_penalty=2, presence_penalty=2, max_tokens=40)
    )
    assert len(set(mixed.choices[0].message.content)) > 1


def test_parts_of_text_are_the_text(home: House) -> None:
    parts = [{"type": "text", "text": "a la"}, {"type": "text", "text": "dder"}]
    split = asyncio.run(ask(home, messages=[HELLO[0], {"role": "user", "content": parts}]))
    assert split.choices[0].message.content == asyncio.run(ask(home)).choices[0].message.content


def test_images_are_read(seeing: House) -> None:
    def turn(*urls: str) -> list[Any]:
        parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return [{"role": "user", "content": [*parts, {"type": "text", "text": "Colour?"}]}]

    one, two = (asyncio.run(ask(seeing, messages=turn(*urls))) for urls in ([image_url()], [image_url("JPEG")] * 2))
    assert two.usage.prompt_tokens > one.usage.prompt_tokens
    with pytest.raises(openai.BadRequestError, match="no address is fetched"):
        asyncio.run(ask(seeing, messages=turn("http://127.0.0.1:1/a.png")))
    with pytest.raises(openai.BadRequestError, match="More than 8 images"):
        asyncio.run(ask(seeing, messages=turn(*[image_url()] * 9)))


def test_a_model_of_text_sees_no_image(home: House) -> None:
    parts = [{"type": "image_url", "image_url": {"url": image_url()}}]
    with pytest.raises(openai.BadRequestError, match="reads text alone"):
        asyncio.run(ask(home, messages=[{"role": "user", "content": parts}]))


def test_the_model_is_listed(home: House) -> None:
    async def names() -> Any:
        async with client(home) as api:
            return [one.id async for one in api.models.list()], await api.models.retrieve(NAME)

    listed, one = asyncio.run(names())
    assert listed == [NAME] and one.id == NAME


def test_an_answer_is_as_the_schema_says(home: House) -> None:
    async def posted() -> Any:
        async with http(home) as plain:
            body = {"model": NAME, "messages": HELLO, "max_tokens": 4, "logprobs": True, "top_logprobs": 2}
            return (await plain.post("/v1/chat/completions", json=body)).json()

    answers.ChatCompletion.model_validate(asyncio.run(posted()))


def test_a_prompt_beyond_the_context_is_refused_by_its_length(home: House) -> None:
    with pytest.raises(openai.BadRequestError, match="one must be left") as refused:
        asyncio.run(ask(home, messages=[{"role": "user", "content": "law " * 3000}]))
    assert refused.value.code == "context_length_exceeded" and refused.value.param == "messages"


def test_a_prompt_far_beyond_the_context_is_not_even_read(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(home.served.asking), "prompts", pytest.fail)
    with pytest.raises(openai.BadRequestError, match="more than") as refused:
        asyncio.run(ask(home, messages=[{"role": "user", "content": "law " * 300_000}]))
    assert refused.value.code == "context_length_exceeded" and refused.value.param == "messages"


def test_what_is_counted_is_told() -> None:
    async def metrics() -> str:
        async with http(one) as plain:
            return (await plain.get("/metrics")).text

    with house() as one:
        asyncio.run(ask(one, max_tokens=7))
        text = asyncio.run(metrics())
    assert "presage_completion_tokens_total 7" in text
    assert 'presage_requests_total{path="/v1/chat/completions",status="200"} 1' in text
    assert "presage_time_to_first_token_seconds_count 1" in text
    assert "presage_sequences_active 0" in text
