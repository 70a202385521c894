"""POST /v1/completions: texts gone on with, and with echo also told how likely they were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from presage.serve.asked import Plan, asks
from presage.serve.policy import Case
from presage.serve.said import Said, text_logprobs
from presage.serve.served import Read
from presage.serve.wire import CompletionRequest
from presage.serve.writing import Chunk, Pieces, Writer

OBJECT = "text_completion"
USUAL = 16
"""New tokens where a request names no number, as OpenAI's."""


class Completions(Writer[CompletionRequest]):
    """What follows a text."""

    form = CompletionRequest
    prefix = "cmpl"

    def plan(self, request: CompletionRequest) -> Plan:
        """Every prompt `n` times; max_tokens 0 only reads."""
        served, most = self.house.served, USUAL if request.max_tokens is None else request.max_tokens
        reads = [self._read(prompt) for prompt in _prompts(request.prompt)]
        scored = bool(request.echo) and request.logprobs is not None
        asked = asks(served, request, reads, max(1, most), top=request.logprobs, prompt_top=scored)
        texts = [served.asking.text.decode(read.ids) for read in reads]
        count = len(asked) // len(reads)
        said = [
            Said(served, request.stops, one.ids, quiet=most == 0, echoed=texts[number // count] if request.echo else "")
            for number, one in enumerate(asked)
        ]
        return Plan(asked, said, sum(len(read.ids) for read in reads), [Case(text) for text in texts])

    def _read(self, prompt: str | Sequence[int]) -> Read:
        served = self.house.served
        return served.read(prompt, "prompt") if isinstance(prompt, str) else served.read_ids(prompt, "prompt")

    def whole(self, head: Chunk, request: CompletionRequest, plan: Plan) -> dict[str, Any]:
        """One choice a sequence."""
        choices = [_choice(number, said, request, 0, said.text) for number, said in enumerate(plan.said)]
        return {**head, "object": OBJECT, "choices": choices}

    def pieces(self, head: Chunk, request: CompletionRequest, plan: Plan) -> Pieces:
        """As texts."""
        return Texts(head, request, plan)


def _prompts(given: Any) -> Sequence[Any]:
    """One or more prompts, each a text or ids."""
    return [given] if isinstance(given, str) or isinstance(given[0], int) else given


def _choice(number: int, said: Said, request: CompletionRequest, told: int, text: str) -> dict[str, Any]:
    """told: how many tokens were told before; 0 with what is echoed, if anything is."""
    first = told == 0
    logprobs = None
    if request.logprobs is not None:
        tokens = [*(said.prompt if first else ()), *said.tokens[told:]]
        start = 0 if first else len(said.echoed) + sum(len(said.served.piece(t.id)[0]) for t in said.tokens[:told])
        logprobs = text_logprobs(said.served, tokens, start)
    whole = said.echoed + text if first else text
    return {"index": number, "text": whole, "logprobs": logprobs, "finish_reason": said.finish}


class Texts(Pieces):
    """A choice's text, piece by piece, the echo with the first."""

    object = OBJECT

    def __init__(self, head: Chunk, request: CompletionRequest, plan: Plan) -> None:
        self._head, self._request, self._plan = head, request, plan
        self._told = [0] * len(plan.said)
        self._begun: set[int] = set()

    def more(self, number: int, piece: str) -> Sequence[Chunk]:
        """A piece, and the end with the last."""
        said = self._plan.said[number]
        if not piece and not said.finish:
            return []
        told = self._told[number]
        choice = _choice(number, said, self._request, told, piece)
        if number in self._begun and told == 0:  # the echo was told with a piece that had no token yet
            choice["text"] = piece
        self._begun.add(number)
        self._told[number] = len(said.tokens)
        return [{**self._head, "object": OBJECT, "choices": [choice]}]
