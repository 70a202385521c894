"""The three verbs of a model on this machine, whatever engine computes it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch

from presage.core.errors import ConfigError, RunError
from presage.data.chat import NEXT_TURN
from presage.data.verbs import Completion, Continuation, Decoding, Generation, Likelihood, Reply
from presage.infer.asking import Asking, Fitted, Ids, Pair
from presage.infer.looking import Look, Looks, NoLook
from presage.infer.own import OwnEngine
from presage.infer.stops import Stops
from presage.model.decode import Ends, Written
from presage.model.sampling import DAMAGED, NOT_FINITE, Sampling, row_seeds
from presage.model.scoring import Scored

Facts = dict[str, str | int | float | bool | None]


class Engine(Protocol):
    """What computes: ids in, log-probabilities and ids out."""

    @property
    def context(self) -> int:
        """Tokens that the model reads at once."""
        ...

    def score(self, pairs: Sequence[Pair]) -> list[Scored]:
        """log P of the second half of every pair after its first, token by token."""
        ...

    def write(
        self,
        prompts: Sequence[Ids],
        most: int,
        sampling: Sampling,
        seeds: Sequence[int],
        stops: frozenset[int],
        ends: Ends,
    ) -> list[Written]:
        """Every prompt continued by at most `most` ids, until one of `stops` or until `ends` says so."""
        ...

    def beam(
        self, prompt: Ids, most: int, width: int, penalty: float, stops: frozenset[int], ends: Callable[[Ids], bool]
    ) -> Written:
        """The continuation of a prompt that beam search finds."""
        ...


@dataclass(frozen=True)
class LocalModel:
    """A LanguageModel of an engine and a tokenizer. `facts` are what it is besides what `asking` says."""

    name: str
    engine: Engine
    asking: Asking
    facts: Facts

    has_likelihood = True
    has_beams = True

    def identity(self) -> Facts:
        """backend, engine, name, digests of weights, config and tokenizer, dtype, begin, stride, context_length."""
        asking: Facts = {
            "begin": self.asking.begin,
            "stride": self.asking.stride,
            "context_length": self.asking.context,
        }
        foreign: Facts = {"template": self.asking.foreign.digest} if self.asking.foreign else {}
        template: Facts = foreign if self.asking.chat is None else {"template": "chat"}
        return self.facts | {"name": self.name, "tokenizer": self.asking.text.digest} | asking | template

    def loglikelihood(self, requests: Sequence[Continuation]) -> list[Likelihood]:
        """log P(text | prompt) of every request; that of an empty text is 0."""
        return self._likelihoods(self.asking.continuations(requests))

    def reply_loglikelihood(self, requests: Sequence[Reply]) -> list[Likelihood]:
        """log P that the assistant says just this, of every request."""
        look = self._look()
        asked = self.asking.replies(requests, look.see)
        return self._likelihoods(asked, look.seen())

    def rolling_loglikelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        """log P of every text, from the beginning of a document."""
        return self._likelihoods(self.asking.documents(texts))

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        """The completions of every request. tokens and logprob count all that was written, the end or stop included.

        A conversation is shown as its template or as a transcript, and its answer also ends where the next turn begins.
        """
        found: list[list[Completion]] = [[] for _ in requests]
        groups: dict[tuple[Decoding, bool], list[int]] = {}
        for number, request in enumerate(requests):
            groups.setdefault((request.decoding, not isinstance(request.prompt, str)), []).append(number)
        for (decoding, chat), numbers in groups.items():
            wanted = replace(decoding, stops=(*decoding.stops, NEXT_TURN)) if chat else decoding
            for number, texts in zip(numbers, self._write([requests[i] for i in numbers], wanted), strict=True):
                found[number] = [self._said(text) for text in texts] if chat else texts
        return found

    def _look(self) -> Looks[Engine]:
        return Look(self.engine) if isinstance(self.engine, OwnEngine) else NoLook(self.engine)

    def _said(self, answer: Completion) -> Completion:
        """Without the blank that the template puts between a speaker and what is said."""
        return replace(answer, text=answer.text.removeprefix(" ")) if self.asking.chat else answer

    def _likelihoods(self, asked: Sequence[Fitted], engine: Engine | None = None) -> list[Likelihood]:
        scored = iter((engine or self.engine).score([pair for one in asked for pair in one.pairs]))
        return [_likelihood(self.name, [next(scored) for _ in one.pairs], one.truncated) for one in asked]

    def _write(self, requests: Sequence[Generation], decoding: Decoding) -> list[list[Completion]]:
        _check(decoding)
        look = self._look()
        prompts = self.asking.prompts([one.prompt for one in requests], decoding.max_tokens, look.see)
        engine = look.seen()
        stops = Stops(decoding.stops, self.asking.text.decode)
        starts = [ids for ids, _ in prompts]
        writing = self._beams if decoding.beams > 1 else self._samples
        written = writing(engine, starts, decoding, [one.seed for one in requests], stops)
        return [
            [self._completion(one, stops, truncated) for one in some]
            for some, (_, truncated) in zip(written, prompts, strict=True)
        ]

    def _samples(
        self, engine: Engine, starts: Sequence[Ids], decoding: Decoding, seeds: Sequence[int], stops: Stops
    ) -> list[list[Written]]:
        sampling = Sampling(temperature=decoding.temperature, top_k=decoding.top_k, top_p=decoding.top_p)
        drawn = decoding.samples if decoding.temperature > 0 else 1  # greedy ones are all the same
        rows = [start for start in starts for _ in range(drawn)]
        chances = [one for seed in seeds for one in row_seeds(seed, drawn)]
        ends = self.asking.text.ends
        new = iter(engine.write(rows, decoding.max_tokens, sampling, chances, ends, lambda _, ids: stops.over(ids)))
        return [[next(new) for _ in range(drawn)] * (decoding.samples // drawn) for _ in starts]

    def _beams(
        self, engine: Engine, starts: Sequence[Ids], decoding: Decoding, seeds: Sequence[int], stops: Stops
    ) -> list[list[Written]]:
        most, width, penalty = decoding.max_tokens, decoding.beams, decoding.length_penalty
        unique = {tuple(start): start for start in starts}
        found = {
            key: engine.beam(start, most, width, penalty, self.asking.text.ends, stops.over)
            for key, start in unique.items()
        }
        return [[found[tuple(start)]] * decoding.samples for start in starts]

    def _completion(self, written: Written, stops: Stops, truncated: int) -> Completion:
        ids = written.ids
        if not math.isfinite(written.logprob):
            raise RunError(NOT_FINITE, where=self.name, hint=DAMAGED)
        ended = bool(ids) and ids[-1] in self.asking.text.ends
        text, stopped = stops.cut(ids[:-1] if ended else ids)
        return Completion(text, written.logprob, len(ids), "stop" if ended or stopped else "length", truncated)


def _likelihood(name: str, parts: Sequence[Scored], truncated: int) -> Likelihood:
    values = torch.cat([values.double() for values, _ in parts]) if parts else torch.empty(0)
    if not bool(values.isfinite().all()):
        raise RunError(NOT_FINITE, where=name, hint=DAMAGED)
    greedy = all(bool(best.all()) for _, best in parts)
    return Likelihood(float(values.sum()), len(values), greedy, truncated)


def _check(decoding: Decoding) -> None:
    if decoding.max_tokens < 1 or decoding.samples < 1 or decoding.beams < 1:
        what = (
            f"max_tokens {decoding.max_tokens}, samples {decoding.samples} and beams {decoding.beams} must be positive"
        )
        raise ConfigError(what, where="decoding")
    if decoding.beams > 1 and (decoding.temperature > 0 or decoding.top_k or decoding.top_p):
        raise ConfigError("beam search draws nothing: no temperature, top_k or top_p", where="decoding")
    limits = {"temperature": decoding.temperature, "top_k": decoding.top_k, "top_p": decoding.top_p}
    Sampling.parse(limits, where="decoding")
