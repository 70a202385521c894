"""Our own Transformer as an engine, in fp32: for runs, and for Hugging Face directories of families we compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from presage.infer.asking import Ids, Pair
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
        """Every prompt continued, batch by batch."""
        return decode.write(
            self.model, prompts, most, sampling, seeds, stop_ids=stops, ends=ends, batch_size=self.batch_rows
        )

    def beam(
        self, prompt: Ids, most: int, width: int, penalty: float, stops: frozenset[int], ends: Callable[[Ids], bool]
    ) -> decode.Written:
        """The continuation that beam search finds."""
        with decode.evaluating(self.model):
            steps = Cached(self.model, most)
            return beam_search(steps, prompt, most, width=width, penalty=penalty, stop_ids=stops, ends=ends)
