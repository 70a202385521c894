"""What stands in an endpoint's answers: completions, and log-probabilities of an echoed prompt.

The likelihood of a text comes from /completions with `echo`: the endpoint returns its own tokens of prompt and text,
where each begins (`text_offset`), and their log-probabilities.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from presage.data.verbs import Completion, Decoding, Likelihood

_TIE = 1e-6
_LARGEST = 1e30  # of any text's: what is beyond is damage
_HALF = re.compile("[\ud800-\udfff]")


def choices(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The answer's choices in the order of their index; [] where there are none to be read."""
    found = answer.get("choices")
    rows = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return sorted(rows, key=lambda one: one["index"] if isinstance(one.get("index"), int) else 0)


def read_completion(choice: dict[str, Any], decoding: Decoding, spent: int | None) -> Completion | None:
    """One completion, cut before the first stop; None where the choice holds no text at all.

    spent: tokens of the completion as the endpoint counts them. logprob is of the tokens that spell the text kept, and
    None where they do not spell it or nothing is kept: no choice among texts is won by none.
    """
    text = _text(choice)
    if text is None:
        return None
    ends = [place for stop in decoding.stops if stop and (place := text.find(stop)) >= 0]
    kept = text[: min(ends)] if ends else text
    tokens, logprobs = _written(choice)
    count = _spelling(tokens, kept)
    if count is None and not ends:  # tokens that are pieces of characters: all of them together are the text
        count = len(tokens)
    known = bool(tokens and kept) and count is not None and all(map(_number, logprobs[:count]))
    logprob = math.fsum(logprobs[:count]) if known else None
    finish: Literal["stop", "length"] = "length" if choice.get("finish_reason") == "length" and not ends else "stop"
    return Completion(kept, logprob, count if tokens else (None if ends else spent), finish)


def _text(choice: dict[str, Any]) -> str | None:
    """The text of either form; a chat's turn without content (refused, cut off while thinking) is an empty text."""
    if isinstance(message := choice.get("message"), dict):
        content = message.get("content")
        return whole(content) if isinstance(content, str) else ("" if content is None else None)
    return whole(text) if isinstance(text := choice.get("text"), str) else None


def whole(text: str) -> str:
    """The text with U+FFFD for halves of surrogate pairs, which JSON can spell and no file can hold."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", text)


def _written(choice: dict[str, Any]) -> tuple[list[str], list[Any]]:
    """(tokens, log-probabilities) of either form; empty where none were given."""
    given = choice.get("logprobs")
    if not isinstance(given, dict):
        return [], []
    if isinstance(rows := given.get("content"), list):
        rows = [row for row in rows if isinstance(row, dict)]
        return [str(row.get("token", "")) for row in rows], [row.get("logprob") for row in rows]
    tokens, logprobs = given.get("tokens"), given.get("token_logprobs")
    alike = isinstance(tokens, list) and isinstance(logprobs, list) and len(tokens) == len(logprobs)
    return ([str(token) for token in tokens], logprobs) if alike else ([], [])  # type: ignore[union-attr, return-value]


def _spelling(tokens: list[str], text: str) -> int | None:
    """How many of the tokens spell the text; None where they do not (pieces of characters, marks of a chat)."""
    at = 0
    for count, token in enumerate(tokens):
        if at >= len(text):
            return count
        if not (text.startswith(token, at) or token.startswith(text[at:])):
            return None
        at += len(token)
    return len(tokens) if at >= len(text) else None


def _number(value: Any) -> bool:
    """Whether it is a log-probability that can be added to others: JSON has numbers that no float holds."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


# ---- echoes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Echo:
    """straddled: the text's first token begins in the prompt. unscored: 1 where the first of all had no probability."""

    likelihood: Likelihood
    straddled: bool
    unscored: int


def read_echo(answer: dict[str, Any], prompt: str, text: str) -> Echo | None:
    """log P(text | prompt) of an echo of prompt + text; None where it is none that can be read.

    A token that straddles the boundary counts for the text. Whatever the endpoint wrote after it does not.
    """
    rows = choices(answer)
    given = rows[0].get("logprobs") if rows else None
    if not isinstance(given, dict):
        return None
    tokens, logprobs = _written(rows[0])
    starts = _starts(given.get("text_offset"), tokens, prompt + text)  # None: not what was asked about
    if starts is None:
        return None
    ends = [*starts[1:], math.inf]
    first, last = len(prompt), len(prompt) + len(text)
    inside = [i for i in range(len(tokens)) if starts[i] < last and (starts[i] >= first or ends[i] > first)]
    scored = [i for i in inside if _number(logprobs[i])]
    unscored = [i for i in inside if logprobs[i] is None and i == 0]
    if len(scored) + len(unscored) != len(inside) or (text and not inside):
        return None
    greedy = bool(scored) and all(_is_top(given.get("top_logprobs"), i, logprobs[i]) for i in scored)
    likelihood = Likelihood(math.fsum(logprobs[i] for i in scored), len(scored), greedy)
    return Echo(likelihood, bool(inside) and starts[inside[0]] < first, len(unscored))


def _starts(offsets: Any, tokens: list[str], text: str) -> list[int] | None:
    """Where each token begins in the text, in characters; None where the tokens do not spell the text to its end.

    Offsets may count bytes of UTF-8, and a mark that the endpoint puts first (<s>) may be counted in them.
    """
    if not tokens or not isinstance(offsets, list) or len(offsets) != len(tokens):
        return None
    if not all(isinstance(one, int) and one >= 0 for one in offsets) or sorted(offsets) != offsets:
        return None
    lead = len(tokens[0])
    readings = [offsets, [one - lead for one in offsets]]
    if not text.isascii():
        lead = len(tokens[0].encode("utf-8", "replace"))
        places = [place for place, c in enumerate(text) for _ in c.encode("utf-8", "replace")]
        readings += [_in_characters(offsets, places), _in_characters([one - lead for one in offsets], places)]
    return next((starts for starts in readings if _spelt(tokens, starts, text)), None)


def _in_characters(offsets: list[int], places: list[int]) -> list[int]:
    """Offsets in bytes as places of characters; what lies outside of the text stays outside of it."""
    after = places[-1] + 1 - len(places)
    return [one if one < 0 else places[one] if one < len(places) else one + after for one in offsets]


def _spelt(tokens: list[str], starts: list[int], text: str) -> bool:
    """Whether tokens at these places are the text to its end, but for marks of no width and pieces of characters."""
    ends = [*starts[1:], starts[-1] + len(tokens[-1])]
    if starts[0] > 0 or ends[-1] < len(text):
        return False
    spans = zip(tokens, starts, ends, strict=True)
    inside = (one for one in spans if one[1] < len(text) and one[2] > max(0, one[1]))
    return all(
        _is_piece(token, text[max(0, start) : end]) or (start >= 0 and text[start:end] == token[: len(text) - start])
        for token, start, end in inside
    )


def _is_piece(token: str, shown: str) -> bool:
    """Whether a token is bytes that are no characters by themselves, as endpoints show them: of what is not ASCII."""
    return token.startswith("bytes:") or ("\N{REPLACEMENT CHARACTER}" in token and not shown.isascii())


def _is_top(tops: Any, place: int, logprob: float) -> bool:
    row = tops[place] if isinstance(tops, list) and place < len(tops) else None
    values = [value for value in row.values() if _number(value)] if isinstance(row, dict) else []
    return bool(values) and logprob >= max(values) - _TIE
