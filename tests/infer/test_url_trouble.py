"""An endpoint that is slow, down, broken, strict or hostile: nothing crashes, nothing waits for ever."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from presage.core.errors import ConfigError, EndpointError
from presage.data.verbs import Completion, Continuation, Decoding, Generation
from presage.infer.url import UrlModel
from presage.infer.url_limits import Bucket, Limits
from tests.infer.endpoint import (
    GO,
    KEY,
    Body,
    Reply,
    Rule,
    Then,
    Time,
    error,
    honest,
    message,
    one_line_without_key,
    opened,
    serving,
)

EMPTY = Completion("", None, None, "stop")


# ---- asked again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_what_may_pass_is_asked_again_after_growing_waits(status: int) -> None:
    time = Time()
    with serving(Then(*[error(status, "busy")] * 3)) as endpoint:
        model = opened(endpoint, time)
        [[found]] = model.generate(GO)
    assert found.text == " Wednesday, Thursday"
    assert model.usage.retries == 3
    assert [low <= slept <= 2 * low for low, slept in zip((0.5, 1.0, 2.0), time.slept, strict=True)] == [True] * 3


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("2.25", 2.25), ("Thu, 01 Jan 2026 00:01:30 GMT", 90.0)],
    ids=["whole", "part", "date"],
)
def test_retry_after_is_kept(value: str, seconds: float) -> None:
    time = Time()
    with serving(Then(Reply({}, 429, {"Retry-After": value}))) as endpoint:
        [[found]] = opened(endpoint, time).generate(GO)
    assert found.text == " Wednesday, Thursday"
    assert time.slept == [pytest.approx(seconds)]


@pytest.mark.parametrize("value", ["soon", "-3", "nan", "inf", ""])
def test_a_retry_after_that_says_nothing_is_left_aside(value: str) -> None:
    time = Time()
    with serving(Then(Reply({}, 503, {"Retry-After": value}))) as endpoint:
        opened(endpoint, time).generate(GO)
    assert 0.5 <= time.slept[0] <= 1.0


def test_a_retry_after_of_nothing_does_not_use_up_the_attempts() -> None:
    time = Time()
    with serving(Then(*[Reply({}, 429, {"Retry-After": "0"})] * 3)) as endpoint:
        opened(endpoint, time).generate(GO)
    assert [low <= slept <= 2 * low for low, slept in zip((0.5, 1.0, 2.0), time.slept, strict=True)] == [True] * 3


def test_a_pause_that_begins_while_one_waits_is_kept() -> None:
    class Paused(Time):
        def sleep(self, seconds: float) -> None:
            if not self.slept:
                limits.pause(30)
            super().sleep(seconds)

    time = Paused()
    limits = Limits(time, Bucket(60, time), Bucket(None, time))
    for _ in range(11):  # a burst of ten, and one that waits
        limits.wait(0)
    assert time.slept == [pytest.approx(1), pytest.approx(29)]


def test_attempts_end() -> None:
    with serving(Then(*[error(500, "out of memory")] * 9)) as endpoint:
        model = opened(endpoint, attempts=4)
        with pytest.raises(EndpointError, match=r"answers 500: out of memory, 4 times \(.*--resume"):
            model.generate(GO)
        assert model.usage.retries == 3


def test_a_deadline_ends_attempts_before_a_wait_that_would_pass_it() -> None:
    time = Time()
    with serving(Then(Reply({}, 429, {"Retry-After": "7200"}))) as endpoint:
        model = opened(endpoint, time, deadline_s=600)
        with pytest.raises(EndpointError, match="asks for a wait of 7,200 s"):
            model.generate(GO)
    assert time.slept == []


def test_an_account_with_nothing_left_is_not_asked_again() -> None:
    with serving(Then(error(429, "You exceeded your quota", code="insufficient_quota"))) as endpoint:
        model = opened(endpoint)
        with pytest.raises(EndpointError, match="nothing left"):
            model.generate(GO)
        assert model.usage.retries == 0


# ---- not asked again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "refuses the key"),
        (403, "refuses the key"),
        (404, "no /completions or no model 'toy'"),
        (302, "another address"),
    ],
)
def test_a_wrong_key_model_or_address_is_said_in_a_line(tmp_path: Path, status: int, says: str) -> None:
    (tmp_path / "key").write_text(KEY)
    reply = Reply({"error": {"message": f"wrong: {KEY}"}}, status, {"Location": f"https://elsewhere/?k={KEY}"})
    with serving(lambda path, body: reply) as endpoint:
        with pytest.raises(EndpointError, match=says) as caught:
            opened(endpoint, key_file=tmp_path / "key")
        assert len(endpoint.asked) == (2 if status == 404 else 1)
    one_line_without_key(caught.value)
    assert caught.value.exit_code == 2


def test_a_key_that_is_missing_is_asked_for() -> None:
    with (
        serving(lambda path, body: error(401, "no key")) as endpoint,
        pytest.raises(EndpointError, match="asks for a key"),
    ):
        opened(endpoint)


def test_nobody_there_names_the_host_and_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with pytest.raises(EndpointError, match=rf"^127\.0\.0\.1:{port}: cannot be reached.*is it running") as caught:
        UrlModel.open(f"http://127.0.0.1:{port}/v1#toy", clock=Time())
    one_line_without_key(caught.value)


def test_down_in_the_middle_is_an_error_that_names_the_way_on() -> None:
    with serving(honest) as endpoint:
        model = opened(endpoint, attempts=2)
    model.client._http.close()
    model.client._http = type(model.client._http)(trust_env=False)  # connections that were alive are gone
    with pytest.raises(EndpointError, match=r"cannot be reached.*--resume"):
        model.generate(GO)


# ---- slow ------------------------------------------------------------------------------------------------------------


def test_an_answer_that_never_comes_is_given_up() -> None:
    with serving(honest) as endpoint:
        model = opened(endpoint, attempts=2, timeout_s=0.05)

        def hang(path: str, body: Body) -> Reply:
            endpoint.hold.wait(60)
            return honest(path, body)

        endpoint.rule = hang
        with pytest.raises(EndpointError, match=r"does not answer within 0\.05 s, 2 times"):
            model.generate(GO)


def test_an_answer_that_comes_in_drops_is_given_up() -> None:
    """Every look at the clock is a second: each part of the body comes in time, all of it does not."""
    time = Time()
    with serving(lambda path, body: honest(path, body, words="w" * 100_000, context=10**7)) as endpoint:
        model = opened(endpoint, time, attempts=1, timeout_s=5)
        time.tick = 1.0
        with pytest.raises(EndpointError, match="does not answer within 5 s"):
            model.generate([Generation("Go on", Decoding(100_000))])


# ---- answers that are none -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"{"),
        Reply(raw=b"<html>busy</html>"),
        Reply(raw=b""),
        Reply(raw=b"\xff\xfe\x00"),
        Reply(raw=b"[" * 100_000),
        Reply([1, 2]),
        Reply(raw=b"x" * 5000),
        Reply(raw=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
    ],
    ids=["half", "html", "nothing", "bytes", "deep", "list", "huge", "compressed"],
)
def test_an_answer_that_stays_unreadable_is_an_empty_text(reply: Reply) -> None:
    with serving(Then(*[reply] * 3)) as endpoint:
        model = opened(endpoint, attempts=3, max_body_bytes=4000)
        assert model.generate(GO) == [[EMPTY]]
        assert (model.usage.invalid, model.usage.retries) == (1, 2)
        assert model.generate(GO)[0][0].text == " Wednesday, Thursday", "and the next is asked as ever"


@pytest.mark.parametrize(
    ("body", "invalid"),
    [
        ({}, 1),
        ({"choices": None}, 1),
        ({"choices": []}, 1),
        ({"choices": ["text"]}, 1),
        ({"choices": [{}]}, 1),
        ({"choices": [{"text": None}]}, 1),
        ({"choices": [{"message": {"content": ["parts"]}}]}, 1),
        ({"choices": [{"message": {"content": None}}]}, 0),
        ({"choices": [{"message": {"content": ""}}]}, 0),
        ({"choices": [{"text": ""}]}, 0),
    ],
    ids=str,
)
def test_an_answer_without_text_is_an_empty_text(body: Body, invalid: int) -> None:
    with serving(Then(Reply(body))) as endpoint:
        model = opened(endpoint)
        [[found]] = model.generate(GO)
        assert (found.text, found.finish, model.usage.invalid) == ("", "stop", invalid)


@pytest.mark.parametrize(
    "given",
    [
        {"content": "none"},
        {"content": [{"token": "Y"}]},
        {"content": [{"token": "Yes", "logprob": "low"}]},
        {"content": [{"token": "Yes", "logprob": None}]},
        {"content": [{"token": "Yes", "logprob": -(10**400)}]},
        {"content": [{"token": "Y", "logprob": -1.7e308}, {"token": "es", "logprob": -1.7e308}]},
        {"tokens": ["Yes"], "token_logprobs": []},
        [],
        "none",
    ],
    ids=lambda given: str(given)[:60],
)
def test_log_probabilities_that_cannot_be_read_are_unknown(given: object) -> None:
    choice = {"message": {"content": "Yes"}, "logprobs": given}
    with serving(Then(Reply({"choices": [choice]}))) as endpoint:
        [[found]] = opened(endpoint).generate(GO)
    assert (found.text, found.logprob) == ("Yes", None)


def test_a_connection_that_breaks_midway_is_asked_again() -> None:
    with serving(Then(Reply({"choices": []}, claim=9999))) as endpoint:
        model = opened(endpoint)
        assert model.generate(GO)[0][0].text == " Wednesday, Thursday"
        assert model.usage.retries == 1


def test_a_likelihood_that_cannot_be_read_is_an_error_not_a_number() -> None:
    with serving(Then(Reply({"choices": [{"text": "a b!"}]}))) as endpoint:
        model = opened(endpoint)
        with pytest.raises(EndpointError, match="no log-probabilities that can be read"):
            model.loglikelihood([Continuation("a", " b!")])


@pytest.mark.parametrize(
    "rule",
    [
        lambda path, body: Reply(raw=b"<html>"),
        lambda path, body: Reply({"choices": []}),
        lambda path, body: Reply({"choices": [{"text": None}]}),
    ],
    ids=["html", "empty", "null"],
)
def test_what_is_no_endpoint_is_said_when_it_is_opened(rule: Rule) -> None:
    with serving(rule) as endpoint, pytest.raises(EndpointError, match=r"no completion.*/v1"):
        opened(endpoint)


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_requests_a_minute_are_kept() -> None:
    time = Time()
    with serving(honest) as endpoint:
        model = opened(endpoint, time, requests_per_minute=60, concurrency=1)
        begun = time.seconds
        model.generate(GO * 100)
    assert model.usage.requests == 102
    assert time.seconds - begun == pytest.approx(100 - 8)  # a burst of ten, of which opening took two


def test_tokens_a_minute_are_kept_as_the_endpoint_counts_them() -> None:
    time = Time()
    with serving(honest) as endpoint:
        model = opened(endpoint, time, tokens_per_minute=600, concurrency=1)
        begun, before = time.seconds, model.usage.prompt_tokens + model.usage.completion_tokens
        model.generate([Generation("Go on", Decoding(100))] * 50)
        spent = model.usage.prompt_tokens + model.usage.completion_tokens - before
    assert spent == 50 * 25
    assert time.seconds - begun == pytest.approx(spent / 10, abs=25)  # within a burst and a reservation


def test_a_pause_that_one_is_told_is_kept_by_all() -> None:
    time = Time()
    with serving(Then(Reply({}, 429, {"Retry-After": "30"}))) as endpoint:
        model = opened(endpoint, time, concurrency=1)
        model.generate(GO * 3)
    assert time.slept == [pytest.approx(30)]


# ---- cost ------------------------------------------------------------------------------------------------------------


def test_cost_is_tokens_at_their_prices() -> None:
    with serving(honest) as endpoint:
        model = opened(endpoint, price_in=2.0, price_out=8.0)
        before = model.usage.cost
        model.generate([Generation("Go on", Decoding(5, samples=4))])
        rows = {row["what"]: row["value"] for row in model.usage.table()}
    assert model.usage.cost - before == pytest.approx((5 * 2.0 + 20 * 8.0) / 1e6)
    assert rows["requests"] == 3
    assert rows["cost"] == model.usage.cost


def test_what_no_answer_says_is_not_counted_but_said() -> None:
    with serving(Then(message("Yes"))) as endpoint:
        model = opened(endpoint)
        before = model.usage.prompt_tokens
        [[found]] = model.generate(GO)
        assert (found.tokens, model.usage.prompt_tokens, model.usage.unmetered) == (None, before, 1)
        assert "cost" not in {row["what"] for row in model.usage.table()}


@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens"])
def test_counts_that_none_can_be_are_not_counted(name: str) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2} | {name: 10**400}
    reply = message("Yes")
    with serving(Then(Reply(reply.body | {"usage": usage}))) as endpoint:
        model = opened(endpoint, price_in=1e9, price_out=1e9, tokens_per_minute=1e6)
        [[found]] = model.generate(GO)
        assert (found.text, found.tokens in (None, 2)) == ("Yes", True)
        assert 0 < model.usage.cost < 1e9


def test_a_price_beyond_all_money_is_refused_before_anything_is_asked() -> None:
    with serving(honest) as endpoint:
        with pytest.raises(ConfigError, match="price_in"):
            opened(endpoint, price_in=1e308)
        with pytest.raises(ConfigError, match="price_out"):
            opened(endpoint, price_out=1e13)
        assert endpoint.asked == []


def test_more_tokens_than_a_number_holds_can_be_allowed() -> None:
    with serving(Then(message("Yes"))) as endpoint:
        [[found]] = opened(endpoint, tokens_per_minute=1e6).generate([Generation("Go on", Decoding(10**400))])
    assert found.text == "Yes"


@pytest.mark.parametrize("name", ["toy\ud800", "toy\n", "\udc00"])
def test_the_name_of_the_only_model_is_a_text_of_one_line(name: str) -> None:
    def rule(path: str, body: Body) -> Reply:
        return Reply({"data": [{"id": name}]}) if path == "models" else honest(path, body)

    with serving(rule) as endpoint:
        model = UrlModel.open(endpoint.url, clock=Time())
    assert model.name.isprintable()
    json.dumps(model.identity(), ensure_ascii=False).encode()


def test_names_of_several_models_stay_in_one_line() -> None:
    with (
        serving(lambda path, body: Reply({"data": [{"id": "a\nb"}, {"id": "c\ud800"}]})) as endpoint,
        pytest.raises(ConfigError, match="serves 2 models") as caught,
    ):
        UrlModel.open(endpoint.url, clock=Time())
    assert "\n" not in str(caught.value)
    str(caught.value).encode()
