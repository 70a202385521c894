"""The endpoint backend: what it asks, and what it makes of the answers."""

from __future__ import annotations

import pytest

from presage.core.errors import ConfigError, EndpointError
from presage.data.verbs import Completion, Continuation, Decoding, Generation, LanguageModel, Message
from presage.infer.url import UrlModel
from tests.infer.endpoint import (
    REST,
    VOWEL,
    Body,
    Endpoint,
    Reply,
    Rule,
    Time,
    error,
    honest,
    logprob,
    no_chat,
    serving,
)


def opened(endpoint: Endpoint, model: str = "#toy", **settings: object) -> UrlModel:
    return UrlModel.open(endpoint.url + model, clock=Time(), **settings)


def generations(endpoint: Endpoint) -> list[Body]:
    """The bodies of generations, without those at opening."""
    return [body for _, body in endpoint.asked if not body.get("echo") and body.get("max_tokens") != 1]


# ---- opening ---------------------------------------------------------------------------------------------------------


def test_it_is_a_language_model_and_says_what_its_answers_depend_on() -> None:
    with serving(honest) as endpoint:
        model: LanguageModel = opened(endpoint)
        host = endpoint.url.removeprefix("http://").removesuffix("/v1")
        assert model.name == "toy"
        assert model.identity() == {
            "backend": "url",
            "host": host,
            "model": "toy",
            "served": "toy-1",
            "chat": True,
            "likelihood": True,
            "beginning": "",
            "unsent": "",
        }


def test_without_a_name_the_only_model_is_taken() -> None:
    with serving(honest) as endpoint:
        assert opened(endpoint, "").name == "toy"
        assert opened(endpoint, "", model_name="other").name == "other"


@pytest.mark.parametrize(("found", "says"), [([], "#MODEL"), (["a", "b"], "#MODEL: a, b")], ids=["none", "two"])
def test_without_a_name_none_or_several_models_are_an_error(found: list[str], says: str) -> None:
    with (
        serving(lambda path, body: Reply({"data": [{"id": one} for one in found]})) as endpoint,
        pytest.raises(ConfigError, match=f"serves {len(found)} models.*{says}"),
    ):
        opened(endpoint, "")


def silent_on_echo(path: str, body: Body) -> Reply:
    """Takes `echo` and ignores it, as some servers do."""
    return honest(path, {name: value for name, value in body.items() if name not in ("echo", "logprobs")})


def refuses_echo(path: str, body: Body) -> Reply:
    return error(400, "echo is not supported") if body.get("echo") else honest(path, body)


def chat_only(path: str, body: Body) -> Reply:
    return honest(path, body) if path.startswith("chat") else error(404, "no such path")


@pytest.mark.parametrize(
    ("rule", "chat", "likelihood"),
    [
        (honest, True, True),
        (no_chat, False, True),
        (silent_on_echo, True, False),
        (refuses_echo, True, False),
        (chat_only, True, False),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_what_it_can_do_is_found_out(rule: Rule, chat: bool, likelihood: bool) -> None:
    with serving(rule) as endpoint:
        model = opened(endpoint)
        assert (model.chat, model.has_likelihood) == (chat, likelihood)
        if not likelihood:
            with pytest.raises(ConfigError, match="no log-probabilities"):
                model.loglikelihood([Continuation("a", "b")])


@pytest.mark.parametrize("status", [400, 403, 404, 405, 422, 501])
def test_a_refused_echo_is_no_likelihood(status: int) -> None:
    with serving(lambda path, body: error(status, "no") if body.get("echo") else honest(path, body)) as endpoint:
        assert not opened(endpoint).has_likelihood


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_busy_endpoint_is_not_taken_for_one_that_cannot(status: int) -> None:
    for busy in ("echo", "messages"):
        with (
            serving(lambda path, body: error(status, "busy") if busy in body else honest(path, body)) as endpoint,  # noqa: B023
            pytest.raises(EndpointError, match=f"answers {status}: busy, 3 times"),
        ):
            opened(endpoint)


def test_what_is_said_is_not_asked() -> None:
    with serving(honest) as endpoint:
        model = opened(endpoint, chat=False, likelihood=False)
        assert (model.chat, model.has_likelihood) == (False, False)
        assert endpoint.paths() == ["completions"]


# ---- likelihood ------------------------------------------------------------------------------------------------------


def test_likelihood_is_that_of_the_texts_tokens() -> None:
    with serving(honest) as endpoint:
        model = opened(endpoint)
        requests = [Continuation("The sky is", " blue"), Continuation("Yes", "eau"), Continuation("x", "y" * 40)]
        answers = model.loglikelihood(requests)
    assert [one.logprob for one in answers] == [sum(map(logprob, one.text)) for one in requests]
    assert [(one.tokens, one.greedy, one.truncated) for one in answers] == [(5, False, 0), (3, True, 0), (40, False, 0)]


def test_a_prompt_that_is_too_long_loses_its_left_end_and_that_is_counted() -> None:
    with serving(lambda path, body: honest(path, body, context=100)) as endpoint:
        model = opened(endpoint)
        [fits, cut] = model.loglikelihood([Continuation("b" * 90, "eee"), Continuation("a" * 300, "eee")])
        sent = [body["prompt"] for _, body in endpoint.asked if body.get("prompt", "").startswith("a")]
    assert (fits.logprob, fits.truncated) == (3 * VOWEL, 0)
    assert (cut.logprob, cut.tokens) == (3 * VOWEL, 3)
    assert cut.truncated == 303 - len(sent[-1])  # tokens are characters here
    assert sent[-1].endswith("aeee")
    assert 80 <= len(sent[-1]) <= 99


def test_a_document_is_rolled_over_and_every_character_counts_once() -> None:
    text = " ".join(["one", "bird", "sings", "at", "dawn"] * 40)
    with serving(lambda path, body: honest(path, body, context=120)) as endpoint:
        model = opened(endpoint, beginning="<s>")
        [short, long] = model.rolling_loglikelihood(["a bird", text])
    assert (short.logprob, short.tokens) == (sum(map(logprob, "a bird")), 6)
    assert (long.logprob, long.tokens) == (pytest.approx(sum(map(logprob, text))), len(text))


def test_a_first_token_without_probability_is_left_out_and_counted() -> None:
    with serving(honest) as endpoint:
        model = opened(endpoint)
        [found] = model.rolling_loglikelihood(["abc"])
        assert (found.logprob, found.tokens, model.usage.unscored) == (2 * REST, 2, 1)
        [empty] = model.rolling_loglikelihood([""])
        assert (empty.logprob, empty.tokens) == (0.0, 0)


# ---- generation ------------------------------------------------------------------------------------------------------


def test_a_chat_is_asked_as_turns_and_a_text_as_the_users_turn() -> None:
    turns = (Message("system", "Be brief."), Message("user", "Which days?"))
    with serving(honest) as endpoint:
        model = opened(endpoint)
        [[text], [chat]] = model.generate([Generation("Which days?"), Generation(turns)])
        bodies = generations(endpoint)
    assert text == chat == Completion(" Wednesday, Thursday", pytest.approx(sum(map(logprob, chat.text))), 20, "stop")
    roles = sorted([one["role"] for one in body["messages"]] for body in bodies)
    assert roles == [["system", "user"], ["user"]]


def test_completions_are_asked_with_a_transcript_of_a_conversation() -> None:
    turns = (Message("user", "Which days?"), Message("assistant", "Monday"), Message("user", "And?"))
    with serving(no_chat) as endpoint:
        opened(endpoint).generate([Generation(turns)])
        [body] = generations(endpoint)
    assert body["prompt"] == "User: Which days?\n\nAssistant: Monday\n\nUser: And?\n\nAssistant:"


def test_every_setting_is_sent() -> None:
    decoding = Decoding(7, ("a", "b", "c", "d", "T"), temperature=0.5, top_p=0.9, top_k=5, samples=3)
    with serving(honest) as endpoint:
        [found] = opened(endpoint).generate([Generation("Go on", decoding, seed=2**40 + 3)])
        [body] = generations(endpoint)
    assert body == {
        "model": "toy",
        "max_tokens": 7,
        "seed": 3,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "n": 3,
        "stop": ["a", "b", "c", "d"],
        "logprobs": True,
        "messages": [{"role": "user", "content": "Go on"}],
    }
    assert [one.text for one in found] == [" We"] * 3


def test_stops_beyond_the_fourth_are_applied_here() -> None:
    with serving(honest) as endpoint:
        decoding = Decoding(40, ("1", "2", "3", "4", ", T"))
        [[found]] = opened(endpoint).generate([Generation("Go on", decoding)])
    assert found == Completion(" Wednesday", pytest.approx(sum(map(logprob, " Wednesday"))), 10, "stop")


def test_a_completion_that_was_cut_off_says_so() -> None:
    with serving(honest) as endpoint:
        [[found]] = opened(endpoint).generate([Generation("Go on", Decoding(5))])
    assert (found.text, found.finish, found.tokens) == (" Wedn", "length", 5)


def test_beams_are_refused() -> None:
    with serving(honest) as endpoint, pytest.raises(ConfigError, match="no beam search"):
        opened(endpoint).generate([Generation("Go on", Decoding(5, beams=4))])


def test_an_endpoint_that_gives_one_sample_is_asked_again_with_other_seeds() -> None:
    with serving(lambda path, body: honest(path, {**body, "n": 1})) as endpoint:
        [found] = opened(endpoint).generate([Generation("Go on", Decoding(5, temperature=1.0, samples=3), seed=9)])
        bodies = generations(endpoint)
    assert len(found) == 3
    assert [body["n"] for body in bodies] == [3, 2, 1]
    assert len({body["seed"] for body in bodies}) == 3
    assert bodies[0]["seed"] == 9


def picky(path: str, body: Body) -> Reply:
    """A newer model: another name for max_tokens, neither log-probabilities nor seeds nor stops."""
    if "max_tokens" in body:
        return error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
    for name in ("logprobs", "seed", "stop"):
        if name in body:
            return error(400, "Unsupported parameter", param=name)
    return honest(path, {**body, "max_tokens": body["max_completion_tokens"]})


def test_settings_that_are_refused_are_left_out_and_recorded() -> None:
    with serving(picky) as endpoint:
        model = opened(endpoint)
        before = len(endpoint.asked)
        [[found]] = model.generate([Generation("Go on", Decoding(40, (", T",)))])
        assert len(endpoint.asked) == before + 1, "learnt at opening"
    assert found == Completion(" Wednesday", None, None, "stop")
    assert model.identity()["unsent"] == "logprobs,max_tokens,seed,stop"


def test_a_conversation_that_is_too_long_loses_its_oldest_words() -> None:
    turns = (Message("system", "S" * 10), Message("user", "a" * 200), Message("user", "b" * 20))
    with serving(lambda path, body: honest(path, body, context=150)) as endpoint:
        [[found]] = opened(endpoint).generate([Generation(turns, Decoding(30))])
        last = generations(endpoint)[-1]["messages"]
    assert last[0]["content"] == "S" * 10
    assert last[2]["content"] == "b" * 20
    assert set(last[1]["content"]) == {"a"}
    assert found.truncated == 200 - len(last[1]["content"])


def test_a_refusal_for_another_reason_is_an_error_in_one_line() -> None:
    def rule(path: str, body: Body) -> Reply:
        return error(400, "temperature must\nbe 1") if body.get("temperature") == 0.0 else honest(path, body)

    with serving(rule) as endpoint, pytest.raises(EndpointError, match="temperature must be 1"):
        opened(endpoint).generate([Generation("Go on")])


def test_requests_are_asked_side_by_side_and_answered_in_order() -> None:
    with serving(lambda path, body: honest(path, body, words=_said(body))) as endpoint:
        model = opened(endpoint, concurrency=4)
        found = model.generate([Generation(f"number {i}", Decoding(40)) for i in range(25)])
        assert endpoint.most <= 4
    assert [one.text for [one] in found] == [f"you said number {i}" for i in range(25)]


def _said(body: Body) -> str:
    return "you said " + body["messages"][-1]["content"] if "messages" in body else "x"


def test_nothing_is_asked_of_nobody() -> None:
    with serving(honest) as endpoint:
        model = opened(endpoint)
        before = len(endpoint.asked)
        assert (model.generate([]), model.loglikelihood([]), model.rolling_loglikelihood([])) == ([], [], [])
        assert len(endpoint.asked) == before


# ---- refusals that must not be misread -------------------------------------------------------------------------------

VLLM = (
    "'max_tokens' or 'max_completion_tokens' is too large: {wanted}. This model's maximum context length is {context} "
    "tokens and your request has {have} input tokens ({wanted} > {context} - {have})."
)


def as_vllm(path: str, body: Body, context: int = 100) -> Reply:
    """Only continues texts, and says so when they are too long; /completions knows no max_completion_tokens."""
    if path.startswith("chat"):
        return error(404, "no chat")
    wanted, have = body.get("max_tokens", 16), len(body["prompt"])
    if wanted + have > context:
        return error(400, VLLM.format(wanted=wanted, context=context, have=have))
    return honest(path, {**body, "max_tokens": wanted}, words="w" * 90)


def test_a_limit_that_names_both_settings_renames_none() -> None:
    with serving(as_vllm) as endpoint:
        model = opened(endpoint)
        [[found]] = model.generate([Generation("a" * 90, Decoding(40))])
        assert len(found.text) == 40
        assert found.truncated > 0
        assert model.identity()["unsent"] == ""


def test_completions_have_no_newer_name_for_max_tokens() -> None:
    def rule(path: str, body: Body) -> Reply:
        if body.get("max_tokens") == 7:
            return error(400, "'max_tokens' or 'max_completion_tokens' must not be 7")
        return no_chat(path, body)

    with serving(rule) as endpoint:
        model = opened(endpoint)
        with pytest.raises(EndpointError, match="must not be 7"):
            model.generate([Generation("Go on", Decoding(7))])
        assert model.identity()["unsent"] == ""


def reasoning(path: str, body: Body) -> Reply:
    """A model that only chats and has its temperature fixed."""
    if not path.startswith("chat"):
        return error(404, "no such path")
    for name in ("temperature", "top_p"):
        if name in body:
            return error(400, f"Unsupported parameter: '{name}' is not supported with this model.", param=name)
    return honest(path, body)


def test_a_temperature_that_a_model_has_fixed_is_left_out_and_recorded() -> None:
    with serving(reasoning) as endpoint:
        model = opened(endpoint)
        [[found]] = model.generate([Generation("Go on", Decoding(40, top_p=0.9))])
        assert found.text == " Wednesday, Thursday"
        assert model.identity()["unsent"] == "temperature,top_p"


def test_why_a_chat_refused_is_said_where_there_is_nothing_else() -> None:
    def rule(path: str, body: Body) -> Reply:
        return error(400, "tools are needed") if path.startswith("chat") else error(404, "no such path")

    with serving(rule) as endpoint, pytest.raises(EndpointError, match=r"refuses the request.*tools are needed"):
        opened(endpoint)


def test_an_endpoint_that_breaks_over_a_question_need_not_be_asked_it() -> None:
    with serving(lambda path, body: error(500, "oh") if body.get("echo") else honest(path, body)) as endpoint:
        with pytest.raises(EndpointError, match="--set likelihood=false"):
            opened(endpoint)
        assert not opened(endpoint, likelihood=False).has_likelihood


def test_a_likelihood_of_no_token_is_an_error() -> None:
    def whole(path: str, body: Body) -> Reply:
        if not body.get("echo") or len(body["prompt"]) > 1:
            return honest(path, body)
        given = {"tokens": ["A"], "token_logprobs": [None], "text_offset": [0], "top_logprobs": [None]}
        return Reply({"choices": [{"text": "A", "logprobs": given}]})

    with serving(whole) as endpoint, pytest.raises(EndpointError, match=r"first token.*--set beginning=TEXT"):
        opened(endpoint).loglikelihood([Continuation("", "A")])
