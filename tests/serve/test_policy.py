"""The usage policy: what is warned of, blocked, and who is suspended; keys and their limits."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from presage.core.errors import ConfigError, CorruptError, PresageError
from presage.serve import answers
from presage.serve.errors import ApiError
from presage.serve.keys import add_key, match, read_keys, remove_key
from presage.serve.policy import Thresholds, Usage, lift
from presage.serve.quota import Quotas
from tests.serve.house import NAME, SECRET, WordJudge, house, http, key

CHAT = "/v1/chat/completions"


def usage(audit: Path | None = None, contents: bool = False, **limits: float) -> Usage:
    return Usage(WordJudge(), Thresholds.model_validate(limits), audit, contents)


def asked(rules: Usage, *texts: str, stream: bool = False, path: str = CHAT, **changes: Any) -> list[httpx.Response]:
    async def all_of(one: Any) -> list[httpx.Response]:
        async with http(one, authorization=f"Bearer {SECRET}") as plain:
            return [await plain.post(path, json=body(text)) for text in texts]

    def body(text: str) -> dict[str, Any]:
        turn = {"role": "user", "content": text}
        return {"model": NAME, "messages": [turn], "max_tokens": 3, "stream": stream} | changes

    with house(keys=[key()], usage=rules) as one:
        return asyncio.run(all_of(one))


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_request_passes_is_warned_of_or_blocked(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    fine, warned, blocked = asked(usage(audit), "hello", "a hint", "harm, harm")
    assert fine.status_code == 200 and "x-presage-policy" not in fine.headers
    assert warned.status_code == 200 and warned.headers["x-presage-policy"] == "warned; category=harm"
    assert blocked.status_code == 403 and blocked.json()["error"]["code"] == "content_policy"
    assert [row["action"] for row in rows(audit)] == ["warned", "blocked"]
    assert all(row["key"] == "ada" and row["side"] == "input" and "content" not in row for row in rows(audit))
    assert SECRET not in audit.read_text() and "harm, harm" not in audit.read_text()


def test_what_was_said_is_kept_only_where_asked(tmp_path: Path) -> None:
    asked(usage(tmp_path / "a", contents=True), "harm, harm")
    assert rows(tmp_path / "a")[0]["content"] == "harm, harm"


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_is_judged_before_it_is_told(stream: bool, tmp_path: Path) -> None:
    class Strict(WordJudge):
        def scores(self, cases: Any) -> Any:
            return [{"harm": float(case.answer is not None)} for case in cases]

    rules = Usage(Strict(), audit=tmp_path / "a")
    [answer] = asked(rules, "hello", stream=stream, max_tokens=9)
    assert answer.status_code == 200 and '"content_filter"' in answer.text
    said = answer.json()["choices"][0]["message"]["content"] if not stream else "".join(
        choice["delta"].get("content", "") for line in answer.text.splitlines() if line.startswith("data: {")
        for choice in json.loads(line[6:])["choices"])  # fmt: skip
    assert said == "" and rows(tmp_path / "a")[0]["side"] == "output"


def test_a_passed_answer_is_streamed_whole() -> None:
    [answer] = asked(usage(), "hello", stream=True, stream_options={"include_usage": True})
    assert answer.text.rstrip().endswith("[DONE]") and '"completion_tokens":3' in answer.text.replace(" ", "")


def test_a_key_is_suspended_and_stays_so_until_lifted(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    found = asked(usage(audit, suspend=2), "harm", "harm", "hello")
    assert [one.json()["error"]["code"] for one in found] == ["content_policy", "content_policy", "key_suspended"]
    [again] = asked(usage(audit, suspend=2), "hello")
    assert again.status_code == 403
    lift(audit, "ada")
    [lifted] = asked(usage(audit, suspend=2), "hello")
    assert lifted.status_code == 200


def test_who_is_not_suspended_is_not_lifted(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    with pytest.raises(PresageError, match="no such file"):
        lift(audit, "ada")
    assert not audit.exists()
    asked(usage(audit, suspend=1), "harm")
    with pytest.raises(ConfigError, match="'adda' is not suspended"):
        lift(audit, "adda")
    lift(audit, "ada")
    with pytest.raises(ConfigError, match="is not suspended"):
        lift(audit, "ada")


def test_thresholds_are_in_order() -> None:
    with pytest.raises(ConfigError, match="block must not be less"):
        Thresholds.parse({"warn": 0.9, "block": 0.1})


def test_moderation_tells_and_does_nothing(tmp_path: Path) -> None:
    audit = tmp_path / "audit.jsonl"
    [answer] = asked(usage(audit), "", path="/v1/moderations", messages=None)
    assert answer.status_code == 400

    async def posted(one: Any, body: Any) -> httpx.Response:
        async with http(one) as plain:
            return await plain.post("/v1/moderations", json=body)

    with house(usage=usage(audit)) as one:
        told = asyncio.run(posted(one, {"input": ["hello", "harm"]}))
        other = asyncio.run(posted(one, {"input": "x", "model": "other"}))
    found = answers.Moderation.model_validate(told.json())
    assert [result.flagged for result in found.results] == [False, True] and found.model == "words"
    assert other.status_code == 404 and not audit.exists()
    with house() as one:
        assert asyncio.run(posted(one, {"input": "x"})).status_code == 404


# ---- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_is_kept_as_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret, other = add_key(path, "ada", 60, None), add_key(path, "bob", None, None)
    keys = read_keys(path)
    assert [one.name for one in keys] == ["ada", "bob"] and keys[0].requests_per_minute == 60
    assert secret not in path.read_text() and path.stat().st_mode & 0o077 == 0
    assert match(keys, secret) == keys[0] and match(keys, other) == keys[1]
    assert match(keys, secret[:-1]) is None and match(keys, "ä" * 50) is None and match(keys, keys[0].sha256) is None
    remove_key(path, "ada")
    assert match(read_keys(path), secret) is None
    for name in ("bob", "", "a b", "../x"):
        with pytest.raises(ConfigError):
            add_key(path, name, None, None)
    with pytest.raises(ConfigError, match="no key 'ada'"):
        remove_key(path, "ada")


@pytest.mark.parametrize("text", ["", "[]", '{"keys": {}}', '{"keys": [{"name": "a"}]}', '{"keys": [1]}'])
def test_a_file_that_holds_no_keys_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    with pytest.raises((PresageError, CorruptError)):
        read_keys(path)
    with pytest.raises(PresageError, match="presage keys add"):
        read_keys(tmp_path / "none")


def test_a_minute_s_worth_comes_back_steadily() -> None:
    now = [0.0]
    quotas, one = Quotas(lambda: now[0]), key(requests_per_minute=2, tokens_per_minute=100)
    quotas.ask(one)
    quotas.ask(one)
    with pytest.raises(ApiError, match="2 requests a minute") as refused:
        quotas.ask(one)
    assert refused.value.retry_after == pytest.approx(30)
    now[0] = 30.1
    quotas.ask(one)
    quotas.spend(one, 250)
    now[0] = 90.0
    with pytest.raises(ApiError, match="100 tokens a minute"):
        quotas.ask(one)
    now[0] = 200.0
    quotas.ask(one)
