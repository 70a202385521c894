"""Published scaling laws: loss, and where the paper gives one, the best size, for a compute budget.

Each holds for its own text and its own tokenizer. What another lab's law says about a run of yours is therefore
uncertain in more than its exponent, and the interval here says so: see `expect`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import mean, stdev

from presage.core.errors import ConfigError, did_you_mean
from presage.forecast import surface
from presage.forecast.points import Estimate
from presage.forecast.surface import SurfaceLaw

PF_DAY = 8.64e19  # FLOPs of a petaflop-day, 1e15 x 86,400
TOKENS_PER_PARAM = 20.0  # Hoffmann et al. 2022, approaches 1 and 2, about; the rule that Cerebras-GPT trained by
WIDEST = 20.0  # an interval reaches at most e^20 either way, so that extreme levels stay finite
# fp32 weights 4, gradients 4, AdamW's two moments 8 bytes a parameter; the usual mixed-precision recipe comes to the
# same 16 with two more copies in 16 bits (Rajbhandari et al. 2020, §3.1). Muon keeps one moment for matrices.
ADAMW_BYTES, MUON_BYTES, GRADIENT_BYTES = 16, 12, 4


@dataclass(frozen=True)
class Size:
    """A model and how long to train it."""

    n_params: float
    tokens: float
    train_bytes: float
    """Weights, gradients and the optimizer's moments; activations come on top."""
    shape: str = ""


@dataclass(frozen=True)
class Published:
    """One law as printed. Compute in FLOPs, loss in nats per token of `text`."""

    name: str
    source: str
    text: str
    data: str
    """Laws fitted to the same runs share this."""
    largest: float
    """FLOPs of the largest run it was fitted to."""
    loss: Callable[[float], float]
    optimum: Callable[[float], tuple[float, float]]
    """FLOPs -> (parameters, tokens), with 6 · parameters · tokens = FLOPs."""
    sizing: str
    """What `optimum` follows."""
    note: str = ""
    unit: str = "nats/token"
    beyond: float = 0.0
    """A plan from such a law may be for any compute."""
    outlook: None = None
    """Nothing here tells what more runs of somebody else's are worth."""

    @property
    def title(self) -> str:
        return f"{self.name}: {self.source}"

    @property
    def about(self) -> str:
        """What the loss and its interval are about."""
        return f"value for {self.text}; interval from the {RULE}"

    def size(self, compute: float) -> Size:
        """The best model for this many FLOPs, under AdamW."""
        return sized(*self.optimum(compute))

    def expect(self, compute: float, level: float) -> Estimate:
        """The law's loss, and an interval wide enough for a run on another text with another tokenizer.

        Nobody trains on that law's own tokens. The interval is exp(m ± t s sqrt(1 + 1/n)), widened to hold the law's
        own value: m and s are mean and standard deviation of the logarithms of what n independent laws say at this
        compute (laws fitted to the same runs count once, by their mean), t Student's quantile for n - 1 degrees of
        freedom. With three it is very wide, and so it should be: published losses at 1e21 FLOPs, from code to web
        text, lie between 1.3 and 3.1 nats per token.
        """
        from scipy.special import stdtrit

        families: dict[str, list[float]] = {}
        for other in LAWS:
            families.setdefault(other.data, []).append(math.log(other.loss(compute)))
        logs = [mean(family) for family in families.values()]
        t = float(stdtrit(len(logs) - 1, (1 + level) / 2))
        reach = min(t * stdev(logs) * math.sqrt(1 + 1 / len(logs)), WIDEST)
        value, lo, hi = self.loss(compute), math.exp(mean(logs) - reach), math.exp(mean(logs) + reach)
        return Estimate(value, min(lo, value), max(hi, value), level)

    def warnings(self, compute: float) -> list[str]:
        """What a reader should know before trusting this law here, in words."""
        beyond = f"the target is {compute / self.largest:.3g} times the largest run that this law was fitted to"
        tiny = f"{compute:.3g} FLOPs are far below any run behind published laws (from about 1e18)"
        said = ["a published law is about its own text and tokenizer; a ladder of your own narrows the interval"]
        said += [self.note] if self.note else []
        said += [beyond] if compute > self.largest else []
        said += [tiny] if compute < 1e17 else []
        return said


def sized(n_params: float, tokens: float) -> Size:
    """A size of which no more is known than its parameters: all of them under AdamW."""
    return Size(n_params, tokens, ADAMW_BYTES * n_params)


def optimum(law: SurfaceLaw) -> Callable[[float], tuple[float, float]]:
    """FLOPs -> the (N, D) of lowest loss under 6 N D = C: N = G (C/6)^(beta/(alpha+beta)), Hoffmann et al., eq. 4."""
    both = law.alpha + law.beta
    g = (law.alpha * law.a / (law.beta * law.b)) ** (1 / both)

    def size(compute: float) -> tuple[float, float]:
        n = g * (compute / 6) ** (law.beta / both)
        return n, compute / 6 / n

    return size


def by_ratio(tokens_per_param: float) -> Callable[[float], tuple[float, float]]:
    """FLOPs -> (parameters, tokens) at a fixed ratio, from 6 N D = C."""

    def size(compute: float) -> tuple[float, float]:
        n = math.sqrt(compute / (6 * tokens_per_param))
        return n, tokens_per_param * n

    return size


def _kaplan_size(compute: float) -> tuple[float, float]:
    n = 1.3e9 * (compute / PF_DAY) ** 0.73  # Kaplan et al. 2020, appendix A; without embeddings
    return n, compute / 6 / n


HOFFMANN = surface.PUBLISHED["Hoffmann et al. 2022, approach 3"]
BESIROGLU = surface.PUBLISHED["Besiroglu et al. 2024"]

LAWS = (
    Published(
        "chinchilla",
        "Hoffmann et al. 2022, approach 3",
        "MassiveText, its own tokenizer",
        "chinchilla",
        3e21,
        lambda compute: HOFFMANN.loss(*optimum(HOFFMANN)(compute)),
        optimum(HOFFMANN),
        "the optimum of L(N, D)",
        "approach 3 as printed asks for more tokens a parameter than the 20 of approaches 1 and 2, by which the paper "
        "trained its own model; --law besiroglu is the corrected fit",
    ),
    Published(
        "besiroglu",
        "Besiroglu et al. 2024, a re-fit of Hoffmann et al. 2022",
        "MassiveText, its own tokenizer",
        "chinchilla",
        3e21,
        lambda compute: BESIROGLU.loss(*optimum(BESIROGLU)(compute)),
        optimum(BESIROGLU),
        "the optimum of L(N, D)",
    ),
    Published(
        "kaplan",
        "Kaplan et al. 2020 as drawn in the GPT-3 paper, figure 3.1",
        "GPT-3's training mix, GPT-2's tokenizer",
        "gpt3",
        3.14e23,
        lambda compute: 2.57 * (compute / PF_DAY) ** -0.048,
        _kaplan_size,
        "Kaplan et al. 2020, appendix A, parameters without embeddings",
        "this law has no floor, and its sizes are larger on fewer tokens than later work found best",
    ),
    Published(
        "cerebras",
        "Cerebras-GPT, Dey et al. 2023, equation 1",
        "the Pile's test set, GPT-2's tokenizer",
        "cerebras",
        2.3e22,
        lambda compute: (compute / 5.984e22) ** -0.0737 + 0.5066,
        by_ratio(TOKENS_PER_PARAM),
        "the ratio that the law's own models were trained at",
    ),
)
ALIASES = {"hoffmann": "chinchilla", "gpt3": "kaplan", "cerebrasgpt": "cerebras", "chinchillarefit": "besiroglu"}
RULE = "spread of the published laws, whose texts and tokenizers differ"


def find(name: str) -> Published:
    """The law of that name. ConfigError with a suggestion when there is none."""
    known = {law.name: law for law in LAWS}
    key = "".join(c for c in name.lower() if c.isalnum())
    key = ALIASES.get(key, key)
    if key not in known:
        raise ConfigError(f"no published law '{name}'", where="--law", hint=did_you_mean(name, known))
    return known[key]
