"""lm-evaluation-harness asks a model of ours: `--model presage --model_args run=DIR` (extra lm-eval).

Its versions with plugins find this class by the entry point "lm_eval.models"; earlier ones (0.4.13 is one) know no
models but their own, and are started as `presage-lm-eval`, the same command line with this class made known first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from lm_eval.api.model import LM
from lm_eval.api.registry import register_model

from presage.core.errors import ConfigError, did_you_mean
from presage.data.verbs import Continuation, Decoding, Generation, LanguageModel
from presage.infer.opening import open_model

_LENGTHS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
_KNOWN = (*_LENGTHS, "until", "do_sample", "temperature", "top_p", "top_k")
_MAX_TOKENS = 256


@register_model("presage")
class PresageLM(LM):  # type: ignore[misc]  # lm_eval has no types
    """A model of ours behind lm_eval's three requests.

    run: what presage opens as a model (DIR, DIR@STEP, hf:DIR). seed: of the generations that are drawn; repeats of one
    prompt are drawn from the seeds that follow it. Other arguments are settings of open_model (begin, stride,
    batch_tokens, engine). device, batch_size and max_batch_size are passed over, since lm_eval sends cuda:0 and 1 where
    nobody asked for them: a model is where open_model puts it, and forms its batches by tokens. Raises ConfigError for
    a setting that is none.
    """

    def __init__(
        self,
        run: str | int | LanguageModel,
        seed: int = 0,
        device: str | None = None,
        batch_size: int | str | None = None,
        max_batch_size: int | str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__()
        self.model: LanguageModel = open_model(str(run), **settings) if isinstance(run, str | int) else run
        self.seed = seed

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """(log P(continuation | context) in nats, whether it is what greedy decoding writes) of each request."""
        answers = self.model.loglikelihood([Continuation(*request.args) for request in requests])
        return [(answer.logprob, answer.greedy) for answer in answers]

    def loglikelihood_rolling(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[float]:
        """log P of each whole document, in nats."""
        answers = self.model.rolling_loglikelihood([request.args[0] for request in requests])
        return [answer.logprob for answer in answers]

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """The text written after each context, without the stop. Raises ConfigError for a key of gen_kwargs that we
        do not have: to pass over it would change the score."""
        asked, seen = [], Counter[str]()
        for prompt, options in (request.args for request in requests):
            asked.append(Generation(prompt, decoding(options), self.seed + seen[prompt]))
            seen[prompt] += 1
        return [completions[0].text for completions in self.model.generate(asked)]

    @property
    def tokenizer_name(self) -> str:
        """What lm_eval's cache of built requests distinguishes models by."""
        return self.model.name

    def get_model_info(self) -> dict[str, Any]:
        """What lm_eval writes beside its results."""
        return {"presage": self.model.identity()}


def decoding(options: Mapping[str, Any]) -> Decoding:
    """lm_eval's gen_kwargs as our Decoding by its own rules: greedy unless do_sample or a temperature says otherwise.

    Raises ConfigError for an unknown key.
    """
    for name in options:
        if name not in _KNOWN:
            raise ConfigError(f"'{name}' is not supported", where="gen_kwargs", hint=did_you_mean(name, _KNOWN))
    until = options.get("until") or []
    sampled = options.get("do_sample")
    if sampled is None:
        sampled = (options.get("temperature") or 0.0) > 0
    return Decoding(
        max_tokens=int(next((options[name] for name in _LENGTHS if options.get(name) is not None), _MAX_TOKENS)),
        stops=tuple(stop for stop in ([until] if isinstance(until, str) else until) if stop),
        temperature=float(options.get("temperature", 1.0)) if sampled else 0.0,
        top_p=options.get("top_p") if sampled else None,
        top_k=options.get("top_k") if sampled else None,
    )
