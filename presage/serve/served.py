"""The model that is served: its ids, what a conversation or a text becomes in them, and how its tokens are spelled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from presage.core.errors import ConfigError
from presage.data.bpe import Tokenizer, spelled
from presage.data.chat import NEXT_TURN
from presage.data.verbs import Prompt
from presage.infer.asking import Asking, Ids
from presage.infer.engine.lighter import Weights, lighter
from presage.infer.local import LocalModel
from presage.infer.looking import Look
from presage.infer.opening import is_url, opened
from presage.infer.own import OwnEngine
from presage.infer.text import ForeignText, OwnText
from presage.model.transformer import Transformer
from presage.serve.errors import invalid
from presage.serve.masks import Spelling

SHORTEST = 4
"""Characters that composing a text (NFC) makes one of, at most; each is at least one byte."""


@dataclass(frozen=True)
class Read:
    """A prompt as the engine takes it."""

    ids: Ids
    images: Sequence[np.ndarray] = ()


@dataclass(frozen=True)
class Served:
    """id: what clients call it."""

    id: str
    engine: OwnEngine
    asking: Asking
    created: int = field(default_factory=lambda: int(time.time()))

    @classmethod
    def open(cls, spec: str, settings: Sequence[str] = (), name: str = "", weights: Weights = "f32") -> Served:
        """A run or hf:DIR, laid out for decoding. Raises what opening it raises, ConfigError for what our engine does
        not compute."""
        if is_url(spec):
            raise ConfigError("an endpoint serves itself", where=spec, hint="give a run or hf:DIR")
        model = opened(spec, settings=settings)
        if not isinstance(model, LocalModel) or not isinstance(model.engine, OwnEngine):
            hint = "it is one that only transformers computes; `presage import` says why"
            raise ConfigError("our engine does not compute this model", where=spec, hint=hint)
        return cls(name or model.name, replace(model.engine, model=lighter(model.engine.model, weights)), model.asking)

    @property
    def model(self) -> Transformer:
        return self.engine.model

    @property
    def context(self) -> int:
        return self.engine.context

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""
        return self.model.config.vocab_size

    @property
    def sees(self) -> bool:
        """Does it read images?"""
        return self.asking.chat is not None and self.model.config.vision is not None

    @property
    def chat_stops(self) -> tuple[str, ...]:
        """Texts that end an answer in a conversation."""
        return (NEXT_TURN,)

    def read(self, prompt: Prompt, param: str) -> Read:
        """A prompt in ids. Raises ApiError for one that leaves the context no room, PresageError as `Asking` does."""
        self._check_size(prompt, param)
        look = Look(self.engine)
        [(ids, cut)] = self.asking.prompts([prompt], 1, look.see)
        self._check_length(len(ids) + cut, param)
        return Read(ids, look.images)

    def read_ids(self, ids: Sequence[int], param: str) -> Read:
        """A prompt that came in ids. Raises ApiError for ids that the model does not have."""
        wrong = next((one for one in ids if one >= self.vocabulary), None)
        if wrong is not None:
            raise invalid(f"{wrong} is no token id of this model, which has {self.vocabulary}.", param)
        self._check_length(len(ids), param)
        return Read(list(ids))

    def _check_size(self, prompt: Prompt, param: str) -> None:
        """Refuse what cannot fit before it is read in tokens, which takes a second for two megabytes."""
        texts = [prompt] if isinstance(prompt, str) else [turn.content for turn in prompt]
        size = sum(map(len, texts)) // SHORTEST
        if size > self.context * self._longest:
            said = f"The context is {self.context} tokens, and your prompt has more than {size // self._longest}."
            raise invalid(said, param, "context_length_exceeded")

    def _check_length(self, count: int, param: str) -> None:
        if count >= self.context:
            said = f"The context is {self.context} tokens, and your prompt has {count}; one must be left to write."
            raise invalid(said, param, "context_length_exceeded")

    @cached_property
    def token_bytes(self) -> list[bytes | None]:
        """What each id is spelled as; None where it has no text of its own."""
        found: list[bytes | None] = [None] * self.vocabulary
        for number, text in _spellings(self.asking):
            if number < len(found):
                found[number] = text
        return found

    @cached_property
    def _longest(self) -> int:
        """Bytes of a token; as good as without end where tokens are no bytes."""
        return max((len(one) for one in self.token_bytes if one), default=1 << 40)

    @cached_property
    def spelling(self) -> Spelling | None:
        """The same for answers that are bound to a form; None where tokens are no bytes."""
        if not any(self.token_bytes):
            return None
        return Spelling(self.token_bytes, self.asking.text.ends, self.vocabulary)

    def piece(self, number: int) -> tuple[str, bytes]:
        """A token as text for people, and its bytes."""
        known = self.token_bytes[number] if 0 <= number < self.vocabulary else None
        data = known if known is not None else self.asking.text.decode([number]).encode()
        return data.decode("utf-8", "replace"), data


def _spellings(asking: Asking) -> list[tuple[int, bytes]]:
    text = asking.text
    if isinstance(text, OwnText):
        return _own(text.tokenizer)
    if isinstance(text, ForeignText):
        special = set(text.tokenizer.get_added_tokens_decoder())
        known = [(number, spelled(token)) for token, number in text.tokenizer.get_vocab().items()]
        plain = [(number, data) for number, data in known if number not in special]
        return [] if any(data is None for _, data in plain) else [(n, data) for n, data in plain if data is not None]
    return []


def _own(tokenizer: Tokenizer) -> list[tuple[int, bytes]]:
    return [(number, data) for data, number in tokenizer.ranks.items()]
