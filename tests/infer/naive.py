"""The verbs in plain transformers, one request at a time: no batch, no cache, no padding, every logit computed."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import torch

from presage.data.verbs import Completion, Continuation, Generation, Likelihood

EOT = "<|endoftext|>"


class NaiveModel:
    """A Hugging Face directory as a LanguageModel. Windows over long documents stand a whole context apart."""

    name = "naive"
    has_likelihood = True
    has_beams = True

    def __init__(self, folder: Path) -> None:
        auto = importlib.import_module("transformers")
        self.model = auto.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
        self.tokenizer = auto.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.context = self.model.config.max_position_embeddings

    def identity(self) -> dict[str, str | int | float | bool | None]:
        return {"backend": "naive"}

    def loglikelihood(self, requests: Sequence[Continuation]) -> list[Likelihood]:
        return [self._scored(*self._pair(one.prompt, one.text)) for one in requests]

    def rolling_loglikelihood(self, texts: Sequence[str]) -> list[Likelihood]:
        found = []
        for text in texts:
            ids = [self.tokenizer.bos_token_id, *self.tokenizer.encode(text)]
            ends = [*range(self.context + 1, len(ids), self.context), len(ids)]
            starts = [1, *ends]
            parts = [
                self._scored(ids[max(0, end - self.context - 1) : start], ids[start:end])
                for start, end in zip(starts, ends, strict=False)
            ]
            greedy = all(part.greedy for part in parts)
            found.append(Likelihood(sum(part.logprob for part in parts), len(ids) - 1, greedy))
        return found

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        return [[self._written(one)] for one in requests]

    def _pair(self, prompt: str, text: str) -> tuple[list[int], list[int]]:
        """Blanks at the end of a prompt belong to the text. The text's ids are those of both after as many as the
        prompt has alone, which may be other ids where words meet; its own where none is left."""
        head = prompt.rstrip()
        seen, whole = self.tokenizer.encode(head), self.tokenizer.encode(prompt + text)
        if not head:
            return [self.tokenizer.bos_token_id], whole
        return seen, whole[len(seen) :] or self.tokenizer.encode(prompt[len(head) :] + text)

    @torch.no_grad()
    def _scored(self, seen: list[int], scored: list[int]) -> Likelihood:
        ids = [*seen, *scored][-(self.context + 1) :]
        logits = self.model(torch.tensor([ids[:-1]])).logits[0, -len(scored) :].log_softmax(-1)
        total = sum(float(logits[place, token]) for place, token in enumerate(scored))
        greedy = logits.argmax(-1).tolist() == scored
        return Likelihood(total, len(scored), greedy, max(0, len(seen) + len(scored) - len(ids)))

    @torch.no_grad()
    def _written(self, request: Generation) -> Completion:
        """Greedy alone."""
        assert isinstance(request.prompt, str) and request.decoding.temperature == 0
        room = self.context - request.decoding.max_tokens
        ids = (self.tokenizer.encode(request.prompt) or [self.tokenizer.bos_token_id])[-room:]
        written: list[int] = []
        text = ""
        while len(written) < request.decoding.max_tokens:
            token = int(self.model(torch.tensor([[*ids, *written]])).logits[0, -1].argmax())
            if token == self.tokenizer.eos_token_id:
                return Completion(text, None, len(written), "stop")
            written.append(token)
            text = self.tokenizer.decode(written)
            if found := [place for stop in request.decoding.stops if (place := text.find(stop)) >= 0]:
                return Completion(text[: min(found)], None, len(written), "stop")
        return Completion(text, None, len(written), "length")


def small_model(folder: Path, context: int = 128, vocab: int = 600) -> Path:
    """A random GPT-2 with a byte-level tokenizer trained on Python's documentation, as transformers writes them."""
    transformers = importlib.import_module("transformers")
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"n_positions": context, "n_embd": 32, "n_layer": 2, "n_head": 2}
    config = transformers.GPT2Config(vocab_size=vocab, bos_token_id=0, eos_token_id=0, initializer_range=0.3, **sizes)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=_tokenizer(vocab), bos_token=EOT, eos_token=EOT)
    fast.save_pretrained(folder)
    return folder


def _tokenizer(vocab: int) -> Any:
    library = importlib.import_module("tokenizers")
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    alphabet = library.pre_tokenizers.ByteLevel.alphabet()
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocab, special_tokens=[EOT], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([text[:2000] for text in topics.values()], trainer)
    return tokenizer
