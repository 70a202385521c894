"""Any other causal model of a Hugging Face directory, computed by transformers in fp32, behind the same interface.

Plain where ours is fast: every request is a row of its own, every text is decoded by itself. No code of the directory
is run, nothing is fetched, and only safetensors are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from presage.core.errors import ConfigError, PresageError
from presage.infer.asking import Ids, Pair
from presage.infer.checked import one_line, open_checked, quiet
from presage.model.beam import beam_search
from presage.model.decode import Ends, Written, pad
from presage.model.losses import CHUNK_ELEMENTS
from presage.model.sampling import Draws, Sampling, pick
from presage.model.scoring import Scored

LENGTHS = ("n_positions", "max_position_embeddings", "n_ctx", "max_seq_len", "seq_length")
"""Where a config.json says how much the model reads at once."""


class ForeignEngine:
    """AutoModelForCausalLM of a directory."""

    def __init__(self, model: Any, version: str, folder: Path, batch_rows: int, batch_tokens: int) -> None:
        self.model, self.version, self.folder = model, version, folder
        self.batch_rows, self.batch_tokens = batch_rows, batch_tokens
        self.context = _context(model.config)

    @classmethod
    def load(
        cls,
        folder: Path,
        files: Sequence[Path],
        batch_rows: int,
        batch_tokens: int,
        why: PresageError | None = None,
    ) -> ForeignEngine:
        """The model of a directory with its weights in `files`, tried on one token.

        Raises ConfigError where transformers is missing or cannot compute the model, saying `why` ours cannot, and
        where the weights are not the model's.
        """
        reason = f"; presage's own engine: {why.what}" if why else ""
        try:
            import transformers
        except ImportError:
            what = f"this model needs transformers{reason}"
            raise ConfigError(what, where=folder, hint="pip install 'presage[hf]'") from None
        model = open_checked(folder, files, reason)
        engine = cls(model, transformers.__version__, folder, batch_rows, batch_tokens)
        with quiet(), one_line("compute this model", folder, reason):
            _Steps(model, engine.context).begin([0])
        return engine

    @contextmanager
    def _computing(self, rows: Iterable[Ids]) -> Iterator[None]:
        """Refuses ids that the model does not have, which a tokenizer.json may, and says in a line what goes wrong."""
        with quiet(), one_line("compute this model", self.folder):
            known = len(self.model.get_input_embeddings().weight)
            wrong = next((i for row in rows for i in row if not 0 <= i < known), None)
            if wrong is not None:
                what = f"id {wrong} is not in the vocabulary of {known}"
                raise ConfigError(what, where=self.folder, hint="its tokenizer has tokens that the model does not")
            yield

    def score(self, pairs: Sequence[Pair]) -> list[Scored]:
        """Rows of about one length together, filled up on the right, which a causal model does not see."""
        with self._computing(ids for pair in pairs for ids in pair):
            return self._scored(pairs)

    def _scored(self, pairs: Sequence[Pair]) -> list[Scored]:
        asked = (i for i, (_, tail) in enumerate(pairs) if tail)
        order = sorted(asked, key=lambda i: sum(map(len, pairs[i])), reverse=True)
        found: list[Scored] = [(torch.empty(0), torch.empty(0, dtype=torch.bool))] * len(pairs)
        while order:
            width = sum(map(len, pairs[order[0]]))
            rows = max(1, min(self.batch_rows, self.batch_tokens // width))
            for i, scored in zip(order[:rows], self._score([pairs[i] for i in order[:rows]]), strict=True):
                found[i] = scored
            order = order[rows:]
        return found

    @torch.no_grad()
    def _score(self, pairs: Sequence[Pair]) -> Iterator[Scored]:
        tokens, _ = pad([[*head, *tail[:-1]] for head, tail in pairs], self.model.device)
        logits = self.model(input_ids=tokens, use_cache=False).logits
        rows = max(1, CHUNK_ELEMENTS // logits.shape[-1])
        for row, (head, tail) in zip(logits, pairs, strict=True):
            wanted = torch.tensor(tail, device=logits.device)
            asked = row[len(head) - 1 : len(head) + len(tail) - 1]
            chunks = zip(torch.split(asked, rows), torch.split(wanted, rows), strict=True)
            parts = [(part.float().log_softmax(-1), ids) for part, ids in chunks]
            values = [values.gather(1, ids[:, None])[:, 0] for values, ids in parts]
            yield torch.cat(values).cpu(), torch.cat([values.argmax(-1) == ids for values, ids in parts]).cpu()

    def write(
        self,
        prompts: Sequence[Ids],
        most: int,
        sampling: Sampling,
        seeds: Sequence[int],
        stops: frozenset[int],
        ends: Ends,
    ) -> list[Written]:
        """Every prompt by itself, token by token."""

        def one(number: int, prompt: Ids, seed: int) -> Written:
            draws, steps, ids, total = Draws([seed]), _Steps(self.model, self.context), list[int](), 0.0
            logits = steps.begin(prompt)
            while True:
                token = int(pick(logits, draws.at(len(ids), [0]).to(logits.device), sampling))
                total += float(logits.double().log_softmax(-1)[0, token])
                ids.append(token)
                ended = token in stops or ends(number, ids)
                if ended or len(ids) == most:
                    return Written(ids, total, ended)
                logits = steps.go_on([0], [[*prompt, *ids]])

        with self._computing(prompts):
            return [one(number, *asked) for number, asked in enumerate(zip(prompts, seeds, strict=True))]

    def beam(
        self, prompt: Ids, most: int, width: int, penalty: float, stops: frozenset[int], ends: Callable[[Ids], bool]
    ) -> Written:
        """The continuation that beam search finds."""
        steps = _Steps(self.model, self.context)
        with self._computing([prompt]):
            return beam_search(steps, prompt, most, width=width, penalty=penalty, stop_ids=stops, ends=ends)


class _Steps:
    """A model's own cache where it keeps one that rows can be picked from; else, and past the context, texts anew."""

    def __init__(self, model: Any, context: int) -> None:
        self.model, self.context = model, context
        self.cache: Any = None
        self.held = 0
        """Tokens of each text that the model sees."""

    def begin(self, prompt: Sequence[int]) -> Tensor:
        """As beam.Steps says."""
        self.held = min(len(prompt), self.context)
        return self._read([list(prompt)[-self.held :]])

    def go_on(self, parents: Sequence[int], texts: Sequence[Sequence[int]]) -> Tensor:
        """As beam.Steps says; a window that is full goes on from half a context, as in decode."""
        full = self.held == self.context
        self.held = max(1, self.context // 2) if full else self.held + 1
        if full or not hasattr(self.cache, "reorder_cache"):
            return self._read([list(text)[-self.held :] for text in texts])
        self.cache.reorder_cache(torch.tensor(parents, device=self.model.device))
        return self._read([[text[-1]] for text in texts], self.cache)

    @torch.no_grad()
    def _read(self, rows: list[list[int]], cache: Any = None) -> Tensor:
        out = self.model(input_ids=torch.tensor(rows, device=self.model.device), past_key_values=cache, use_cache=True)
        self.cache = getattr(out, "past_key_values", None)
        logits: Tensor = out.logits[:, -1].float()
        return logits


def _context(config: Any) -> int:
    lengths = (getattr(config, name, None) for name in LENGTHS)
    found = next((length for length in lengths if isinstance(length, int) and length > 0), None)
    return found or 2048
