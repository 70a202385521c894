"""Programs: completed n times at one temperature, run against their tests, counted as pass@k.

The Codex paper's protocol (sheet, section 6): nucleus sampling with top_p 0.95, five texts that end a function, and
pass@k as the unbiased estimate from n >= k samples. 1 - (1 - c/n)^k would be biased, and samples of two temperatures in
one estimate would be of no model at all.

Choosing one of the samples without tests: by the mean log-probability of its tokens (better than chance in the paper),
by their sum (can be worse), or at random; among samples that tie, one is drawn, in expectation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import fmean
from typing import Any, Self

from presage.core.errors import ConfigError
from presage.data.verbs import Completion, Decoding, Generation
from presage.tasks.methods.free import ask, decoded
from presage.tasks.microcode import expected_pass_at_k
from presage.tasks.task import SANDBOX, Example, Execute, Graded, Metric, Steps, Verdict

STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")
CODEX = Decoding(max_tokens=512, stops=STOPS, temperature=0.2, top_p=0.95)
GREEDY = Decoding(max_tokens=512, stops=STOPS)
RERANKED = ("pass_mean_logprob", "pass_random", "pass_sum_logprob")


@dataclass(frozen=True)
class Sampled:
    """Complete `samples` times at one temperature, and count what passes: what methods that write programs have in
    common. Raises ConfigError where a k is larger than n."""

    samples: int = 1
    ks: tuple[int, ...] = (1,)
    decoding: Decoding = GREEDY

    def __post_init__(self) -> None:
        if max(self.ks) > self.samples or min(self.ks) < 1:
            raise ConfigError(f"pass@{max(self.ks)} of {self.samples} samples", hint="1 <= k <= n")

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """pass@k for every k, and where there is a choice among samples, what choosing reaches."""
        names = [f"pass@{k}" for k in self.ks] + (list(RERANKED) if self.samples > 1 else [])
        return tuple(Metric(name) for name in names)

    def decoded(self, samples: int | None = None, **changes: Any) -> Self:
        """With other settings of decoding; with other samples, every k of 1, 10 and 100 that they allow. Raises
        ConfigError for several samples at temperature 0."""
        n = samples or self.samples
        ks = tuple(k for k in (1, 10, 100) if k <= n) if samples else self.ks
        return replace(self, samples=n, ks=ks, decoding=decoded(self.decoding, n, **changes))

    def asked(self, example: Example, context: str) -> Generation:
        """The request for all samples."""
        return ask(example, context, replace(self.decoding, samples=self.samples))


@dataclass(frozen=True)
class Program(Sampled):
    """Complete `samples` times, execute, count.

    whole: the completion is the program; else it goes on where the example's field "prompt" ends. The fields "entry",
    "test" and "setup" say what is called, how it is checked, and what the check needs.
    """

    whole: bool = False
    timeout_s: float = 3.0
    needs = SANDBOX

    def decoded(self, samples: int | None = None, **changes: Any) -> Self:
        """As of every method that samples. A temperature above 0 brings the paper's nucleus, top_p 0.95."""
        nucleus = {"top_p": CODEX.top_p} if changes.get("temperature") and self.decoding.top_p is None else {}
        return super().decoded(samples, **nucleus, **changes)

    def examine(self, example: Example, context: str) -> Steps:
        """Write n times, execute all, count."""
        answers: list[list[Completion]] = yield [self.asked(example, context)]
        written = answers[0]
        start = "" if self.whole else str(example.fields["prompt"])
        entry, test, setup = (str(example.fields.get(key, "")) for key in ("entry", "test", "setup"))
        more = tuple(example.fields.get("more_entries", ()))
        verdicts: list[Verdict] = yield [
            Execute(f"{example.id}#{number}", start + one.text, entry, test, self.timeout_s, setup, more)
            for number, one in enumerate(written)
        ]
        graded = count(written, [verdict.passed for verdict in verdicts], self.ks)
        reasons = [verdict.reason for verdict in verdicts]
        return Graded(graded.scores, graded.answer, {**graded.extra, "reasons": reasons})


def count(written: Sequence[Completion], passed: Sequence[bool], ks: Sequence[int]) -> Graded:
    """n samples and what became of each, as scores; the answer shown is the first chosen by mean log-probability.

    Without log-probabilities there is nothing to choose by: all tie, the first is shown, and extra says "unranked".
    """
    n, c = len(passed), sum(passed)
    scores = {f"pass@{k}": expected_pass_at_k(n, c, k) for k in ks}
    ranked = all(one.tokens is not None and one.logprob is not None and isfinite(one.logprob) for one in written)
    mean = _best(written, lambda one: (one.logprob or 0.0) / max(1, one.tokens or 0) if ranked else 0.0)
    total = _best(written, lambda one: (one.logprob or 0.0) if ranked else 0.0)
    if n > 1:
        scores |= {
            "pass_mean_logprob": fmean(passed[place] for place in mean),
            "pass_random": c / n,
            "pass_sum_logprob": fmean(passed[place] for place in total),
        }
    extra = {
        "passed": [bool(one) for one in passed],
        "completions": [one.text for one in written],
        "unranked": not ranked,
        "truncated": max(one.truncated for one in written),
        "invalid": not any(one.text.strip() for one in written),
    }
    return Graded(scores, written[mean[0]].text, extra)


def _best(written: Sequence[Completion], score: Callable[[Completion], float]) -> list[int]:
    """The places of the samples with the highest score."""
    scores = [score(one) for one in written]
    highest = max(scores)
    return [place for place, one in enumerate(scores) if one == highest]
