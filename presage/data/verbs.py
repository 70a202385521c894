"""Three verbs between a model and everything that examines it: loglikelihood, rolling_loglikelihood, generate.

Whoever asks writes requests in text; whoever answers (a run of ours, a Hugging Face directory, an endpoint) turns them
into tokens, batches and sorts them. Log-probabilities are in nats, summed over the tokens of the text asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from presage.data.images.parts import Mixed, Part, pictures, without_pictures


@dataclass(frozen=True)
class Message:
    """One turn of a conversation; role is system, user or assistant."""

    role: str
    content: str
    parts: Mixed = ()
    """The same with its images, where it has some; `content` then has IMAGE: in their places."""


def shown(role: str, parts: Sequence[Part]) -> Message:
    """A turn of text and images."""
    return Message(role, "".join(map(str, without_pictures(parts))), tuple(parts) if pictures(parts) else ())


Prompt = str | tuple[Message, ...]


@dataclass(frozen=True)
class Continuation:
    """How likely is `text` after `prompt`? An empty prompt stands for the beginning of a document."""

    prompt: str
    text: str


@dataclass(frozen=True)
class Reply:
    """How likely does the assistant say `text` next in a conversation, and nothing after it?"""

    prompt: tuple[Message, ...]
    text: str


@dataclass(frozen=True)
class Rolling:
    """How likely is a whole document, however long? Rolled over in windows where it is longer than the context."""

    text: str


@dataclass(frozen=True)
class Likelihood:
    """log P of a text in nats, over `tokens` of the model's tokens.

    greedy: every one of them was the most probable. truncated: tokens of the prompt that were dropped from the left,
    because prompt and text together do not fit the context.
    """

    logprob: float
    tokens: int
    greedy: bool
    truncated: int = 0


@dataclass(frozen=True)
class Decoding:
    """How a completion is written.

    Ends before the first of `stops`, at the end of text, or after max_tokens. temperature 0 is greedy. More than one
    beam is beam search, scored by log P over ((5 + tokens) / 6) ** length_penalty (Wu et al. 2016; width 4 and 0.6 in
    the GPT-3 report, §2.4), and takes no temperature. `samples` completions are drawn for one prompt.
    """

    max_tokens: int = 256
    stops: tuple[str, ...] = ()
    temperature: float = 0.0
    top_p: float | None = None
    top_k: int | None = None
    beams: int = 1
    length_penalty: float = 0.6
    samples: int = 1


@dataclass(frozen=True)
class Generation:
    """What does the model write after `prompt`? Samples are drawn from `seed`, alone or in any batch."""

    prompt: Prompt
    decoding: Decoding = Decoding()
    seed: int = 0


@dataclass(frozen=True)
class Completion:
    """One text written. logprob in nats under the model as it is (temperature 1, nothing cut off); None if unknown.

    finish: "stop" (a stop text or the end of text), or "length". The text ends before the stop.
    """

    text: str
    logprob: float | None
    tokens: int | None
    finish: Literal["stop", "length"]
    truncated: int = 0


class Writer(Protocol):
    """Anything that writes completions. Answers come in the order of the requests."""

    @property
    def name(self) -> str:
        """For tables and logs: no path, no key."""
        ...

    def identity(self) -> dict[str, str | int | float | bool | None]:
        """What the answers depend on, recorded beside every result: backend, digests, dtype, revision."""
        ...

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        """The completions of every request, `decoding.samples` each."""
        ...


class LanguageModel(Writer, Protocol):
    """Anything that answers the three verbs."""

    @property
    def has_likelihood(self) -> bool:
        """False for an endpoint without log-probabilities, which can only generate."""
        ...

    @property
    def has_beams(self) -> bool:
        """False for an endpoint, which knows no beam search."""
        ...

    def loglikelihood(self, requests: Sequence[Continuation]) -> list[Likelihood]:
        """log P(text | prompt) of every request."""
        ...

    def rolling_loglikelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        """log P of every text, from the beginning of a document."""
        ...
