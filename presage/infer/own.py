"""Our own Transformer as an engine, in fp32: for runs, and for Hugging Face directories of families we compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from presage.infer.asking import Ids, Pair
from presage.infer.engine.asks import Ask, Draw
from presage.infer.engine.batcher import Batcher, written
from presage.model import decode, scoring
from presage.model.beam import Cached, beam_search
from presage.model.sampling import Sampling
from presage.model.transformer import Transformer


@dataclass(frozen=True)
class OwnEngine:
    """batch_rows: prompts (with their continuations) or completions computed together; batch_tokens bounds tokens."""

    model: Transformer
    batch_rows: int
    batch_tokens: int

    @property
    def context(self) -> int:
        return self.model.config.context_length

    def score(self, pairs: Sequence[Pair]) -> list[scoring.Scored]:
        return scoring.continuations(self.model, pairs, batch_rows=self.batch_rows, batch_tokens=self.batch_tokens)

    def write(
        self,
        prompts: Sequence[Ids],
        most: int,
        sampling: Sampling,
        seeds: Sequence[int],
        stops: frozenset[int],
        ends: decode.Ends,
    ) -> list[decode.Written]:
        """Every prompt continued, `batch_rows` of them at once."""
        kept = None if len(prompts) > self.batch_rows else 0  # all at work at once: none comes later
        batcher = Batcher(self.model, rows=self.batch_rows, chunk=self.batch_tokens, kept=kept)
        shape = Draw(sampling.temperature, sampling.top_p, sampling.top_k, sampling.min_p)
        asks = [
            Ask(ids, most, replace(shape, seed=seed), stops, partial(ends, row))
            for row, (ids, seed) in enumerate(zip(prompts, seeds, strict=True))
        ]
        with decode.evaluating(self.model):
            return written(batcher, asks)

    def beam(
        self, prompt: Ids, most: int, width: int, penalty: float, stops: frozenset[int], ends: Callable[[Ids], bool]
    ) -> decode.Written:
        """The continuation that beam search finds."""
        with decode.evaluating(self.model):
            steps = Cached(self.model, most)
            return beam_search(steps, prompt, most, width=width, penalty=penalty, stop_ids=stops, ends=ends)
