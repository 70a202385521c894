"""One answer as it is written: what of it can be said, its tokens with their log-probabilities, and why it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from presage.infer.engine.asks import Event, Ranked
from presage.infer.engine.spoken import Spoken
from presage.serve.served import Served


@dataclass
class Token:
    """An id that was written, or one of a prompt; logprob None of the first of all."""

    id: int
    logprob: float | None
    top: Ranked


@dataclass
class Said:
    """leading: is a blank at the beginning the template's, and not said? quiet: nothing is to be said but the echo.

    echoed: the prompt, where it is told with the answer."""

    served: Served
    stops: Sequence[str]
    ids: Sequence[int]
    leading: bool = False
    quiet: bool = False
    echoed: str = ""
    text: str = ""
    finish: str | None = None
    written: int = 0
    tokens: list[Token] = field(default_factory=list)
    prompt: list[Token] = field(default_factory=list)
    _spoken: Spoken = field(init=False)
    _unsaid: int = 0
    """Bytes at the beginning that the template wrote."""

    def __post_init__(self) -> None:
        self._spoken = Spoken(self.served.asking.text.decode, self.stops)

    def take(self, event: Event) -> str:
        """What can be said now."""
        if event.prompt is not None:
            self.prompt = self._read(event.prompt)
        piece = "" if event.id is None else self._word(event)
        if self._spoken.stopped:
            self.finish = "stop"
        elif event.finish:
            piece += self._spoken.end()
            self.finish = "stop" if self._spoken.stopped else event.finish
        if self.leading and piece and not self.text:
            self._unsaid = len(piece) - len(piece.removeprefix(" "))
            piece, self.leading = piece.removeprefix(" "), False
        self.text += piece
        if self._spoken.stopped:
            self._drop()
        return piece

    def _word(self, event: Event) -> str:
        self.written += not self.quiet
        ended = event.id in self.served.asking.text.ends and event.finish == "stop"
        if ended or self.quiet or event.id is None:
            return ""
        self.tokens.append(Token(event.id, event.logprob, event.top))
        return self._spoken.feed(event.id)

    def withhold(self) -> None:
        """Say nothing of it: the policy forbids it."""
        self.text, self.finish, self.tokens = "", "content_filter", []

    def _read(self, prompt: Sequence[tuple[float, Ranked]]) -> list[Token]:
        """Tokens of a prompt; a beginning that its text does not show is none of them."""
        first, *rest = self.ids
        begun = self.served.token_bytes[first] is None
        opening = [] if begun else [Token(first, None, ())]
        return opening + [Token(one, value, top) for one, (value, top) in zip(rest, prompt, strict=True)]

    def _drop(self) -> None:
        """Leave out tokens that lie wholly behind what is said: they are of the text that ended it."""
        size, kept = -self._unsaid, 0
        most = len(self.text.encode())
        while kept < len(self.tokens) and size < most:
            size += len(self.served.piece(self.tokens[kept].id)[1])
            kept += 1
        del self.tokens[kept:]


# ---- as the API writes log-probabilities -----------------------------------------------------------------------------


def chat_logprobs(served: Served, tokens: Sequence[Token]) -> dict[str, Any]:
    """Of a chat's choice."""
    rows = []
    for token in tokens:
        top = [_entry(served, number, value) for number, value in token.top]
        rows.append(_entry(served, token.id, token.logprob) | {"top_logprobs": top})
    return {"content": rows, "refusal": None}


def _entry(served: Served, number: int, logprob: float | None) -> dict[str, Any]:
    text, data = served.piece(number)
    return {"token": text, "logprob": _finite(logprob), "bytes": list(data)}


def text_logprobs(served: Served, tokens: Sequence[Token], start: int) -> dict[str, Any]:
    """Of a completion's choice; start: where its first token stands in the text."""
    pieces = [served.piece(token.id)[0] for token in tokens]
    offsets = [start + sum(map(len, pieces[:place])) for place in range(len(pieces))]
    top = [
        None if token.logprob is None else {served.piece(n)[0]: _finite(value) for n, value in token.top}
        for token in tokens
    ]
    values = [_finite(token.logprob) for token in tokens]
    return {"tokens": pieces, "token_logprobs": values, "top_logprobs": top, "text_offset": offsets}


def _finite(value: float | None) -> float | None:
    """JSON has no infinity: what cannot be said at all is OpenAI's -9999."""
    return None if value is None else max(value, -9999.0)
