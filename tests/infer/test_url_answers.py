"""Echoes and completions read: where tokens begin, which of them count, and what is none."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presage.data.verbs import Decoding, Likelihood, Message
from presage.infer.url_answers import choices, read_completion, read_echo
from presage.infer.url_context import cut, is_too_long, share_to_keep

UNKNOWN = -9.0
"""Of a token whose log-probability must not count."""


def echo(tokens: list[tuple[str, float | None]], offsets: list[int] | None = None, **more: Any) -> dict[str, Any]:
    """An answer whose tokens stand side by side, unless their offsets are given."""
    texts, logprobs = [text for text, _ in tokens], [value for _, value in tokens]
    sums = [sum(map(len, texts[:i])) for i in range(len(texts))]
    given = {"tokens": texts, "token_logprobs": logprobs, "text_offset": sums if offsets is None else offsets, **more}
    return {"choices": [{"text": "".join(texts), "logprobs": given}]}


@pytest.mark.parametrize(
    ("tokens", "offsets", "logprob", "count", "straddled"),
    [
        ([("The", None), (" cat", UNKNOWN), (" sat", -1.0), ("!", UNKNOWN)], None, -1.0, 1, False),
        ([("The", None), (" c", UNKNOWN), ("at s", -0.5), ("at", -1.0), ("!", UNKNOWN)], None, -1.5, 2, True),
        ([("The cat", None), (" sat", -1.0)], None, -1.0, 1, False),
        ([("<s>", None), ("The", UNKNOWN), (" cat", UNKNOWN), (" sat", -1.0)], None, -1.0, 1, False),
        ([("<s>", None), ("The", UNKNOWN), (" cat", UNKNOWN), (" sat", -1.0)], [0, 0, 3, 7], -1.0, 1, False),
        ([("The cat", None), ("bytes:\\x20", -1.0), ("bytes:s", -2.0), ("at", -3.0)], [0, 7, 7, 9], -6.0, 3, False),
        ([("The cat", None), (" sat", -1.0), ("</s>", UNKNOWN)], None, -1.0, 1, False),
    ],
    ids=["plain", "straddling", "two", "mark-counted", "mark-not-counted", "pieces", "end"],
)
def test_the_texts_tokens_count_and_no_others(
    tokens: list[tuple[str, float | None]], offsets: list[int] | None, logprob: float, count: int, straddled: bool
) -> None:
    found = read_echo(echo(tokens, offsets), "The cat", " sat")
    assert found is not None
    assert found.likelihood == Likelihood(logprob, count, False)
    assert (found.straddled, found.unscored) == (straddled, 0)


def test_greedy_is_every_token_at_the_top() -> None:
    tokens: list[tuple[str, float | None]] = [("The cat", None), (" s", -1.0), ("at", -2.0)]
    tops = [None, {" s": -1.0, " r": -3.0}, {"at": -2.0}]
    top, below = echo(tokens, top_logprobs=tops), echo(tokens, top_logprobs=[*tops[:2], {"it": -0.1, "at": -2.0}])
    large = echo(tokens, top_logprobs=[*tops[:2], {"it": 10**400, "at": -2.0}])
    found = [read_echo(answer, "The cat", " sat") for answer in (top, below, echo(tokens, top_logprobs=[]), large)]
    assert [one.likelihood.greedy for one in found if one] == [True, False, False, True]


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"choices": [{"text": "The cat sat"}]},
        {"choices": [{"text": "", "logprobs": {}}]},
        echo([("The cat", None), (" sat", None)]),
        echo([("The cat", None), (" sat", float("nan"))]),
        echo([("The cat", None), (" sat", -(10**400))]),
        echo([("The cat", None), (" s", -1.7e308), ("at", -1.7e308)]),
        echo([("The cat", None), (" sat", -1.0)], [0]),
        echo([("The cat", None), (" sat", -1.0)], [7, 0]),
        echo([("The cat", None), (" sat", -1.0)], ["0", "7"]),  # type: ignore[list-item]
        echo([(" on", -1.0)], [11]),
    ],
    ids=["nothing", "bare", "hollow", "null", "nan", "digits", "large", "short", "backwards", "texts", "beyond"],
)
def test_what_is_no_echo_is_none(answer: dict[str, Any]) -> None:
    assert read_echo(answer, "The cat", " sat") is None


def test_choices_come_in_their_order() -> None:
    rows = [{"index": 2, "text": "c"}, {"index": 0, "text": "a"}, {"index": 1, "text": "b"}]
    assert [one["text"] for one in choices({"choices": rows})] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("tokens", "stops", "text", "logprob", "count"),
    [
        (["4", "2", "\n", "Q"], ("\n",), "42", -2.0, 2),
        (["4", "2\nQ"], ("\n",), "42", -2.0, 2),
        (["4", "2", "<|end|>"], (), "42", -2.0, 2),
        (["?", "?"], (), "42", -2.0, 2),
        (["?", "?"], ("2",), "4", None, None),
        (["<|end|>"], (), "", None, 0),
    ],
    ids=["stop", "stop-inside", "mark", "pieces", "pieces-cut", "empty"],
)
def test_the_log_probability_is_of_the_text_that_is_kept(
    tokens: list[str], stops: tuple[str, ...], text: str, logprob: float | None, count: int | None
) -> None:
    whole = "".join(tokens) if stops == ("\n",) else "42" if len(tokens) > 1 else ""
    rows = [{"token": token, "logprob": -1.0} for token in tokens]
    found = read_completion({"message": {"content": whole}, "logprobs": {"content": rows}}, Decoding(9, stops), 7)
    assert found is not None
    assert (found.text, found.logprob, found.tokens) == (text, logprob, count)


def test_a_text_that_no_file_can_hold_is_mended() -> None:
    found = read_completion({"message": {"content": "a\ud800b"}}, Decoding(), None)
    assert found is not None
    assert found.text.encode() == "a\N{REPLACEMENT CHARACTER}b".encode()


NAMES = st.sampled_from(["choices", "text", "message", "content", "logprobs", "tokens", "token_logprobs", "index"])
MORE = st.sampled_from(["text_offset", "top_logprobs", "finish_reason", "logprob", "token"])
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.just(-(10**400)) | st.floats() | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | MORE, inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=50)
@given(answer=st.dictionaries(NAMES | MORE, ANY, max_size=5), choice=st.dictionaries(NAMES | MORE, ANY, max_size=5))
def test_nothing_that_is_answered_raises(answer: dict[str, Any], choice: dict[str, Any]) -> None:
    for one in (*choices(answer), choice):
        found = read_completion(one, Decoding(9, ("b",)), None)
        assert found is None or "b" not in found.text
    for whole in (answer, {"choices": [choice]}, {"choices": [{"logprobs": choice}]}):
        echo = read_echo(whole, "a", "b")
        assert echo is None or math.isfinite(echo.likelihood.logprob)


@given(
    pieces=st.lists(st.tuples(st.text("ab ", min_size=1, max_size=3), st.floats(-20, 0)), min_size=3, max_size=12),
    cut=st.integers(1, 9),
    chance=st.randoms(use_true_random=False),
)
def test_likelihoods_are_those_of_the_harness(pieces: list[tuple[str, float]], cut: int, chance: Random) -> None:
    """lm_eval's reader of /completions counts tokens; ours, characters: equal where the prompt ends with a token."""
    reader = pytest.importorskip("lm_eval.models.openai_completions").LocalCompletionsAPI
    cut = min(cut, len(pieces) - 2)
    tops = [{text: value, f"{text}?": value - chance.choice((-1.0, 1.0))} for text, value in pieces]
    tokens: list[tuple[str, float | None]] = [(pieces[0][0], None), *pieces[1:]]
    answer = echo(tokens, top_logprobs=[None, *tops[1:]])
    [(logprob, greedy)] = reader.parse_logprobs({"choices": [{**answer["choices"][0], "index": 0}]}, ctxlens=[cut])
    texts = [text for text, _ in pieces]
    found = read_echo(answer, "".join(texts[:cut]), "".join(texts[cut:-1]))
    assert found is not None
    assert found.likelihood.logprob == pytest.approx(logprob)
    assert found.likelihood.greedy == greedy
    assert found.likelihood.tokens == len(pieces) - 1 - cut


# ---- too long --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "long"),
    [
        ("This model's maximum context length is 4097 tokens. However, you requested 5000 tokens", True),
        ("the request exceeds the available context size. try increasing it", True),
        ("The decoder prompt (length 300) is longer than the maximum model length of 128.", True),
        ("prompt is too long: 210000 tokens > 200000 maximum", True),
        ("context_length_exceeded", True),
        ("temperature is too high", False),
        ("'stop' may hold at most 4 texts", False),
    ],
)
def test_refusals_for_length_are_known(told: str, long: bool) -> None:
    assert is_too_long(told) is long


@pytest.mark.parametrize(
    ("told", "written", "share"),
    [
        ("maximum context length is 4,000 tokens. However, you requested 8000 tokens", 0, 0.97 * 0.5),
        ("maximum context length is 4000 tokens, you requested 8000 (7000 in the messages)", 1000, 0.97 * 3 / 7),
        ("maximum context length is 4000 tokens, you requested 4001", 0, 0.9),
        ("maximum context length is 10 tokens, you requested 9000000", 0, 0.1),
        ("maximum context length is 4000 tokens, you requested 8000", 5000, 0.8),
        ("too long", 0, 0.8),
    ],
)
def test_a_refusal_says_how_much_to_keep(told: str, written: int, share: float) -> None:
    assert share_to_keep(told, written) == pytest.approx(share)


def test_cutting_takes_from_the_left_and_from_the_oldest() -> None:
    turns = (Message("system", "SS"), Message("user", "abcd"), Message("assistant", "efgh"))
    assert cut("abcdefghij", 0.75) == ("defghij", 3)
    assert cut(turns, 0.5) == ((Message("system", "SS"), Message("user", ""), Message("assistant", "fgh")), 5)
    assert cut(turns, 0.1) == ((Message("system", "S"), Message("user", ""), Message("assistant", "")), 9)
    assert cut("", 0.5) == ("", 0)


# ---- an echo of something else ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "offsets"),
    [
        ([("The cat", None), (" ran", -1.0)], None),
        ([("A dog", None), (" sat", -1.0)], [0, 7]),
        ([("The cat", None), (" s", -1.0)], None),
        ([(" cat", None), (" sat", -1.0)], None),
        ([("The cat", None), (" sat", -1.0)], [0, 0]),
        ([("The cat", None), (" sat", -1.0), (" on", -2.0)], [0, 9, 11]),
        ([("cat", None), (" sat", -1.0)], [4, 7]),
    ],
    ids=["other-text", "other-prompt", "cut-right", "cut-left", "zeros", "shifted", "begins-late"],
)
def test_an_echo_of_another_text_is_none(tokens: list[tuple[str, float | None]], offsets: list[int] | None) -> None:
    assert read_echo(echo(tokens, offsets), "The cat", " sat") is None


@pytest.mark.parametrize("marked", [False, True], ids=["plain", "mark"])
def test_offsets_may_count_bytes(marked: bool) -> None:
    tokens: list[tuple[str, float | None]] = [("Größe", None), (" 中", -1.0), ("文", -0.5), ("!", UNKNOWN)]
    tokens = [("<s>", None), (tokens[0][0], UNKNOWN), *tokens[1:]] if marked else tokens
    sums = [sum(len(text.encode()) for text, _ in tokens[:i]) for i in range(len(tokens))]
    found = read_echo(echo(tokens, sums), "Größe", " 中文")
    assert found is not None
    assert found.likelihood == Likelihood(-1.5, 2, False)
    assert found == read_echo(echo(tokens), "Größe", " 中文")


def test_pieces_of_a_character_are_at_its_place() -> None:
    tokens: list[tuple[str, float | None]] = [("Go", None), ("\ufffd", -1.0), ("\ufffd", -2.0), ("a", -3.0)]
    for offsets in ([0, 2, 3, 5], [0, 2, 2, 3]):  # in bytes, in characters
        found = read_echo(echo(tokens, offsets), "Go", "中a")
        assert found is not None
        assert found.likelihood == Likelihood(-6.0, 3, False)
