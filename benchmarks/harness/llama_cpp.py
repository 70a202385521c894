"""llama.cpp, by the package xllamacpp: a GGUF file asked over the address of its own server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener


class LlamaCpp:
    """One file, with keys and values in fp32: what else differs from us is the file or the program.

    context: of one request, of which `parallel` are answered at once. printable: an id whose text is whole; the server
    says nothing of the place of a token that is part of a character.
    """

    def __init__(
        self, file: Path, context: int, printable: int = 32, *, threads: int = 1, parallel: int = 1, flash: bool = False
    ) -> None:
        import xllamacpp

        whole = xllamacpp.ggml_type.GGML_TYPE_F32
        given = xllamacpp.CommonParams()
        given.model.path = str(file)
        given.n_ctx = given.n_batch = context * parallel
        given.n_parallel = parallel
        given.cpuparams.n_threads = given.cpuparams_batch.n_threads = threads
        given.cache_type_k = given.cache_type_v = whole
        if not flash:
            given.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
        given.warmup = given.fit_params = False
        given.use_jinja = True
        given.verbosity = 0
        self.server = xllamacpp.Server(given)
        self.printable = printable

    def ids(self, text: str, *, special: bool = False) -> list[int]:
        """A text as ids."""
        return list(self._ask("tokenize", content=text, parse_special=special, add_special=False)["tokens"])

    def greedy(self, prompt: Sequence[int], new: int) -> list[int]:
        """So many likeliest ids, ends of texts left out."""
        said = self._complete(prompt, n_predict=new, ignore_eos=True, return_tokens=True)
        return list(said["tokens"])

    def logprobs(self, prompt: Sequence[int], vocab_size: int) -> dict[int, float]:
        """log p of every id in the next place: the server says them of what was drawn, which is made printable."""
        said = self._complete(prompt, n_predict=1, n_probs=vocab_size, logit_bias=[[self.printable, 1e4]])
        return {one["id"]: one["logprob"] for one in said["completion_probabilities"][0]["top_logprobs"]}

    def templated(self, messages: list[dict[str, str]]) -> str:
        """A conversation by the template in the file."""
        return str(self._ask("apply-template", messages=messages)["prompt"])

    def _complete(self, prompt: Sequence[int], **given: Any) -> dict[str, Any]:
        return self._ask("completion", prompt=list(prompt), temperature=0, cache_prompt=False, **given)

    def _ask(self, what: str, **given: Any) -> dict[str, Any]:
        request = Request(f"{self.server.listening_address}/{what}", json.dumps(given).encode())
        request.add_header("Content-Type", "application/json")
        with build_opener(ProxyHandler({})).open(request) as answer:
            return dict(json.loads(answer.read()))
