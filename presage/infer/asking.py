"""Requests in text as ids: where a prompt ends and its continuation begins, and what fits the context.

A prompt and its continuation are encoded as one text, which is then divided after as many tokens as the prompt alone
has; blanks at the end of a prompt belong to the continuation, as words carry their blank in front. So does
lm-evaluation-harness, whose numbers these are meant to equal. An empty prompt is the beginning of a document.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from presage.core.errors import ConfigError, DataError
from presage.core.strict import half_surrogate
from presage.data.bpe import Tokenizer
from presage.data.chat import See, blind, opened, transcript
from presage.data.verbs import Continuation, Prompt, Reply
from presage.infer.templated import Templated
from presage.infer.text import Text
from presage.model.windows import pieces

Ids = list[int]
Pair = tuple[Ids, Ids]
"""(tokens seen, none of which is asked about; tokens asked about)."""


@dataclass(frozen=True)
class Fitted:
    """A request in pairs that fit the context, and how many tokens of its prompt were dropped from the left."""

    pairs: list[Pair]
    truncated: int = 0


@dataclass(frozen=True)
class Asking:
    """How a model is asked. begin: every prompt begins with the beginning of a document, and nothing else is put there.

    Without `begin` a prompt begins with what the tokenizer puts there itself, and only an empty one with that token.
    stride: how far a window stands after the one before it, where a text is longer than the context.
    chat: of a model that was trained on conversations in the template of presage.data.chat, the tokenizer that writes
    it. foreign: of one that came with a template of its own, that. Any other is shown a transcript.
    """

    text: Text
    begin: bool
    context: int
    stride: int
    chat: Tokenizer | None = None
    foreign: Templated | None = None

    @property
    def talks(self) -> bool:
        """Was it trained on conversations, ours or others?"""
        return self.chat is not None or self.foreign is not None

    def continuations(self, requests: Sequence[Continuation]) -> list[Fitted]:
        """Every request as pairs."""
        moved = [_moved(request) for request in requests]
        prompts = list(dict.fromkeys(prompt for prompt, _ in moved))
        heads = dict(zip(prompts, self._encode(prompts), strict=True))
        wholes = self._encode([prompt + text for prompt, text in moved])
        bare = self.text.bare([text for _, text in moved])
        found = []
        for (prompt, _), whole, alone in zip(moved, wholes, bare, strict=True):
            head, tail = heads[prompt], whole[len(heads[prompt]) :]
            if not prompt or not tail:  # a text that merged into its prompt is asked about apart from it
                tail = alone
            found.append(self._fit(*self._opened(prompt, head, tail)))
        return found

    def documents(self, texts: Sequence[str]) -> list[Fitted]:
        """Every text whole, from the beginning of a document, in windows where it is longer than the context."""
        rows = [[self._first(), *ids] for ids in self._encode(texts)]
        return [Fitted(pieces(row, self.context, stride=self.stride)) for row in rows]

    def replies(self, requests: Sequence[Reply], see: See = blind) -> list[Fitted]:
        """What the assistant might say, its end included, after conversations. Raises ConfigError for a model that was
        not trained on any."""
        if self.chat is None:
            raise ConfigError("replies are compared of models trained on conversations", hint="ask it with text")
        chat = self.chat
        heads = {request.prompt: opened(chat, request.prompt, see) for request in requests}
        return [self._fit(heads[one.prompt], [*chat.encode(f" {one.text}"), chat.eot]) for one in requests]

    def prompts(self, asked: Sequence[Prompt], new: int, see: See = blind) -> list[tuple[Ids, int]]:
        """Prompts that `new` tokens are to follow, and how many of their tokens were dropped from the left.

        They leave room for all of those, but are never cut below half a context. Raises DataError for images where
        nothing can `see` them.
        """
        if self.chat is None and any(message.parts for one in asked if not isinstance(one, str) for message in one):
            raise DataError("an image, and a model of text", hint="images are read by runs of `presage vision`")
        room = max(1, self.context - new, self.context // 2)
        texts = [one if isinstance(one, str) else transcript(one) for one in asked]
        rows = [self._beginning(ids) for ids in self._encode(texts)]
        pairs = list(zip(rows, asked, strict=True))
        if self.chat is not None:
            chat = self.chat
            rows = [row if isinstance(one, str) else opened(chat, one, see) for row, one in pairs]
        elif self.foreign is not None:
            foreign = self.foreign
            rows = [row if isinstance(one, str) else foreign.opened(one) for row, one in pairs]
        return [(row[-room:], max(0, len(row) - room)) for row in rows]

    def _encode(self, texts: Sequence[str]) -> list[Ids]:
        torn = next((number for number, text in enumerate(texts) if half_surrogate(text)), None)
        if torn is not None:
            raise DataError("half a surrogate pair is no text", where=f"{texts[torn][:40]!a}")
        return self.text.bare(texts) if self.begin else self.text.framed(texts)

    def _beginning(self, ids: Ids) -> Ids:
        return [self._first(), *ids] if self.begin or not ids else ids

    def _opened(self, prompt: str, head: Ids, tail: Ids) -> Pair:
        """An empty prompt becomes the beginning of a document, unless the text brings one itself."""
        if prompt or self.begin:
            return self._beginning(head), tail
        first = self._first()
        return (tail[:1], tail[1:]) if tail[:1] == [first] else ([first], tail)

    def _fit(self, head: Ids, tail: Ids) -> Fitted:
        room = self.context + 1 - len(tail)
        whole = room > 0
        kept = head[-(room if whole else max(1, self.context // 2)) :]
        if whole:
            return Fitted([(kept, tail)], len(head) - len(kept))
        return Fitted(pieces([*kept, *tail], self.context, stride=self.stride, known=len(kept)), len(head) - len(kept))

    def _first(self) -> int:
        if self.text.begin is None:
            raise ConfigError("this tokenizer names no token that a document begins with", hint="give a prompt")
        return self.text.begin


def _moved(request: Continuation) -> tuple[str, str]:
    """The prompt without the blanks at its end, which go to the text."""
    prompt = request.prompt.rstrip()
    return prompt, request.prompt[len(prompt) :] + request.text
