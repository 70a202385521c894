"""Whoever answers in the terminal: our engine, word by word as it writes, or any other model, all at once."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from presage.core.errors import ConfigError, DataError, RunError
from presage.core.strict import half_surrogate
from presage.data.chat import NEXT_TURN
from presage.data.images.parts import Picture
from presage.data.verbs import Decoding, Generation, LanguageModel, Prompt
from presage.infer.engine.asks import Ask, Draw, Event
from presage.infer.engine.batcher import Batcher
from presage.infer.engine.runner import Runner
from presage.infer.engine.spoken import Spoken
from presage.infer.local import LocalModel
from presage.infer.looking import Look
from presage.infer.own import OwnEngine


@dataclass(frozen=True)
class How:
    """How an answer is drawn."""

    temperature: float = 0.7
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int = 256
    stop: tuple[str, ...] = ()


@dataclass
class Took:
    """What an answer took: tokens, where they are known, and seconds in all and until its first word.

    cut: tokens of the prompt for which the context had no room."""

    tokens: int | None = None
    seconds: float = 0.0
    first: float = 0.0
    cut: int = 0


class Speaker(Protocol):
    """name: for people; chat: was it trained on conversations? sees: does it read images?"""

    name: str
    chat: bool
    sees: bool

    def speak(self, prompt: Prompt, how: How, seed: int, took: Took) -> Iterator[str]:
        """An answer piece by piece. Whoever stops listening (`close`) stops it. Raises PresageError."""
        ...

    def close(self) -> None:
        """Nothing is asked any more."""
        ...


def speaker_of(model: LanguageModel) -> Speaker:
    """The one that fits the model."""
    if isinstance(model, LocalModel) and isinstance(model.engine, OwnEngine):
        return Engine(model, model.engine)
    return Whole(model)


class Engine:
    """Ours: what it writes is said as it comes."""

    def __init__(self, model: LocalModel, engine: OwnEngine) -> None:
        self.name, self._asking, self._engine = model.name, model.asking, engine
        self.chat = model.asking.talks
        self.sees = model.asking.chat is not None and engine.model.config.vision is not None
        self._runner = Runner(Batcher(engine.model, rows=1)).start()

    def speak(self, prompt: Prompt, how: How, seed: int, took: Took) -> Iterator[str]:
        """As `Speaker` says; the blank that the template puts before an answer is not said."""
        _check(prompt, how)
        talk = not isinstance(prompt, str)
        look = Look(self._engine)
        [(ids, took.cut)] = self._asking.prompts([prompt], how.max_tokens, look.see)
        draw = Draw(temperature=how.temperature, top_p=how.top_p, top_k=how.top_k, seed=seed)
        ask = Ask(ids, how.max_tokens, draw, stop_ids=self._asking.text.ends, images=look.images)
        spoken = Spoken(self._asking.text.decode, (*how.stop, NEXT_TURN) if talk else how.stop)
        yield from _without_blank(self._said(ask, spoken, took)) if talk else self._said(ask, spoken, took)

    def _said(self, ask: Ask, spoken: Spoken, took: Took) -> Iterator[str]:
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        begun, took.tokens = time.perf_counter(), 0
        key = self._runner.submit(ask, events.put)
        over = False
        try:
            while not over and not spoken.stopped:
                event = events.get()
                over = event.finish is not None
                if event.finish == "error":
                    raise RunError(event.trouble, where=self.name)
                piece = self._piece(event, ask, spoken)
                if event.id is not None:
                    took.tokens += 1
                    took.seconds = time.perf_counter() - begun
                    took.first = took.first or took.seconds
                if piece:
                    yield piece
            rest = spoken.end()
            if rest:
                yield rest
        finally:
            if not over:
                self._runner.cancel(key)

    def _piece(self, event: Event, ask: Ask, spoken: Spoken) -> str:
        return "" if event.id is None or event.id in ask.stop_ids else spoken.feed(event.id)

    def close(self) -> None:
        """Ends the engine's thread."""
        self._runner.stop(1.0)


class Whole:
    """Any other model: an endpoint, or what only transformers computes. Its answer comes at once."""

    def __init__(self, model: LanguageModel) -> None:
        self.name, self._model = model.name, model
        self.chat = self.sees = bool(getattr(model, "chat", False))

    def speak(self, prompt: Prompt, how: How, seed: int, took: Took) -> Iterator[str]:
        """As `Speaker` says, in one piece."""
        _check(prompt, how)
        decoding = Decoding(how.max_tokens, how.stop, how.temperature, how.top_p, how.top_k)
        begun = time.perf_counter()
        [[found]] = self._model.generate([Generation(prompt, decoding, seed)])
        took.tokens, took.cut, took.seconds = found.tokens, found.truncated, time.perf_counter() - begun
        took.first = took.seconds
        yield found.text

    def close(self) -> None:
        """Nothing is held."""


def _without_blank(pieces: Iterator[str]) -> Iterator[str]:
    first = next(pieces, "")
    yield first.removeprefix(" ")
    yield from pieces


def _check(prompt: Prompt, how: How) -> None:
    if how.max_tokens < 1:
        raise ConfigError(f"max_tokens {how.max_tokens}", hint="1 at least")
    texts = [prompt] if isinstance(prompt, str) else [turn.content for turn in prompt]
    if any(map(half_surrogate, texts)):
        raise DataError("what was written is no UTF-8")


def picture(data: bytes) -> Picture:
    """An image that a model may be shown. Raises DataError for bytes that are none, or too many."""
    from presage.data.images.reading import read_image

    read_image(data, where="the image")
    return Picture(data)
