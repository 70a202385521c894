"""What learning from rewards minimises: pure functions on tensors, none of which knows a model.

Rows are completions, columns their tokens: [B, T], padded on the right, with `mask` [B, T] True where a token is one of
the completion's own. What is masked out never reaches a result, whatever stands there. Log-probabilities are in nats.
Every function has a twin in plain Python in the tests.

Sources: PPO (Schulman et al. 2017), GAE (Schulman et al. 2016), learning from preferences (Ziegler et al. 2019,
InstructGPT), GRPO (Shao et al. 2024), DPO (Rafailov et al. 2023), the k3 estimate of KL (Schulman 2020).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

Stats = dict[str, float]


# ---- over tokens -----------------------------------------------------------------------------------------------------


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over the tokens that count, each the same; 0 where there are none."""
    return _kept(values, mask).sum() / mask.sum().clamp(min=1)


def whiten(values: Tensor, mask: Tensor, *, shift: bool = True) -> Tensor:
    """To variance 1 over the tokens that count, and mean 0 unless `shift` is off (Ziegler et al. 2019)."""
    mean = masked_mean(values, mask)
    variance = masked_mean((_kept(values, mask) - mean) ** 2, mask)
    white = (values - mean) * torch.rsqrt(variance + 1e-8)
    return _kept(white if shift else white + mean, mask)


def entropy(logits: Tensor) -> Tensor:
    """Of the next token's distribution: logits [..., V] -> nats [...]."""
    logp = F.log_softmax(logits.float(), dim=-1)
    return -(logp.exp() * logp).sum(-1)


def logprobs_of(logits: Tensor, tokens: Tensor) -> Tensor:
    """log P of tokens [...] under logits [..., V]."""
    picked = logits.float().gather(-1, tokens[..., None]).squeeze(-1)
    return picked - logits.float().logsumexp(-1)


def _kept(values: Tensor, mask: Tensor) -> Tensor:
    """Zero where masked out, gradients and all: what stands there may be no number."""
    return torch.where(mask, values, torch.zeros((), dtype=values.dtype, device=values.device))


# ---- rewards and advantages ------------------------------------------------------------------------------------------


def token_rewards(scores: Tensor, logprobs: Tensor, reference: Tensor, mask: Tensor, beta: float) -> Tensor:
    """−β (log π − log π_ref) on every token, and the completion's score [B] on its last one: [B, T].

    InstructGPT, section 3.5, with the placing of Ziegler et al. 2019. A row without tokens gets nothing.
    """
    rewards = _kept(-beta * (logprobs - reference), mask)
    last = mask & (mask.flip(1).cumsum(1).flip(1) == 1)
    return rewards + _kept(scores[:, None].expand_as(rewards), last)


def advantages_of(rewards: Tensor, values: Tensor, mask: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    """Generalised advantage estimates [B, T]: Σ_k (γλ)^k (r + γ V' − V), the value after the last token being 0."""
    kept, worth = _kept(rewards, mask), _kept(values, mask)
    out, following, after = torch.zeros_like(kept), kept.new_zeros(len(kept)), kept.new_zeros(len(kept))
    for t in reversed(range(kept.shape[1])):
        delta = kept[:, t] + gamma * after - worth[:, t]
        following = torch.where(mask[:, t], delta + gamma * lam * following, following)
        after = torch.where(mask[:, t], worth[:, t], after)
        out[:, t] = following
    return _kept(out, mask)


def group_advantages(scores: Tensor, size: int, *, scale: bool = True) -> Tensor:
    """Scores [B] of groups of `size` completions of one prompt, standing together -> each less its group's mean, and
    unless `scale` is off over its group's deviation (GRPO). A group in which all are alike teaches nothing: zeros."""
    groups = scores.view(-1, size)
    centred = groups - groups.mean(1, keepdim=True)
    spread = groups.std(1, keepdim=True, unbiased=False) if scale else torch.ones_like(groups[:, :1])
    alike = (groups == groups[:, :1]).all(1, keepdim=True)
    return torch.where(alike, torch.zeros_like(centred), centred / spread.clamp(min=1e-8)).flatten()


# ---- PPO -------------------------------------------------------------------------------------------------------------


def policy_loss(new: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float = 0.2) -> tuple[Tensor, Stats]:
    """PPO's clipped surrogate, the mean over tokens of max(−A ρ, −A clip(ρ, 1 ± ε)), ρ = exp(new − old).

    With it: how many tokens were clipped, k3's estimate of KL(old, new), and the ratio's mean.
    """
    surrogate, stats = _clipped(new, old, advantages, mask, clip)
    return masked_mean(surrogate, mask), stats


def _clipped(new: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: float) -> tuple[Tensor, Stats]:
    """The surrogate of every token, [B, T]; advantages [B, T], or [B, 1] where all tokens of a completion share one."""
    log_ratio = _kept(new - old, mask)
    ratio = log_ratio.exp()
    plain, clipped = -advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip)
    with torch.no_grad():
        stats = {
            "clip_fraction": masked_mean((clipped > plain).float(), mask).item(),
            "approx_kl": masked_mean(_k3(log_ratio), mask).item(),
            "ratio": masked_mean(ratio, mask).item(),
        }
    return torch.maximum(plain, clipped), stats


def _k3(log_ratio: Tensor) -> Tensor:
    """ρ − 1 − log ρ: over draws of q with ρ = p/q, the mean is KL(q, p), and no draw is negative."""
    return log_ratio.exp() - 1 - log_ratio


def value_loss(
    new: Tensor, old: Tensor, returns: Tensor, mask: Tensor, clip: float | None = 0.2
) -> tuple[Tensor, Stats]:
    """Half the mean squared error of the value; with `clip` the worse of it and of the value kept within ± clip of
    what it was (Ziegler et al. 2019)."""
    new, old, returns = (_kept(one, mask) for one in (new, old, returns))
    error = (new - returns) ** 2
    if clip is not None:
        kept = old + (new - old).clamp(-clip, clip)
        error = torch.maximum(error, (kept - returns) ** 2)
    with torch.no_grad():
        stats = {"explained_variance": explained_variance(new, returns, mask)}
    return 0.5 * masked_mean(error, mask), stats


def explained_variance(values: Tensor, returns: Tensor, mask: Tensor) -> float:
    """1 − Var(return − value) / Var(return); 0 where the returns do not vary."""
    total = _variance(returns, mask)
    return 0.0 if total == 0 else 1 - _variance(returns - values, mask) / total


def _variance(values: Tensor, mask: Tensor) -> float:
    some = values[mask].double()
    return float(some.var(unbiased=False)) if len(some) else 0.0


def adapted(beta: float, kl: float, target: float, count: int, horizon: int) -> float:
    """The next β after `count` completions with KL `kl` a completion: a proportional controller in log space whose
    error is cut at ± 0.2 (Ziegler et al. 2019, section 2.2). target: nats a completion."""
    error = min(max(kl / target - 1, -0.2), 0.2)
    return beta * (1 + error * count / horizon)


# ---- GRPO ------------------------------------------------------------------------------------------------------------


def group_loss(
    new: Tensor, old: Tensor, reference: Tensor, advantages: Tensor, mask: Tensor, clip: float = 0.2, beta: float = 0.0
) -> tuple[Tensor, Stats]:
    """GRPO (Shao et al. 2024, equation 3): PPO's surrogate with one advantage [B] a completion, plus β KL(π, π_ref) by
    k3; the mean over a completion's tokens first, then over completions."""
    surrogate, stats = _clipped(new, old, advantages[:, None], mask, clip)
    tokens = _kept(surrogate + beta * _k3(_kept(reference - new, mask)), mask)
    return (tokens.sum(1) / mask.sum(1).clamp(min=1)).mean(), stats


# ---- preferences -----------------------------------------------------------------------------------------------------


def preference_loss(
    chosen: Tensor, rejected: Tensor, reference_chosen: Tensor, reference_rejected: Tensor, beta: float = 0.1
) -> tuple[Tensor, Stats]:
    """DPO: −log σ(β [(log π − log π_ref)(chosen) − (log π − log π_ref)(rejected)]), all [B], summed over a completion's
    tokens. With it: how often the chosen one is ahead, and by how much."""
    margin = beta * ((chosen - reference_chosen) - (rejected - reference_rejected))
    stats = {"accuracy": float((margin > 0).float().mean()), "margin": float(margin.detach().mean())}
    return -F.logsigmoid(margin).mean(), stats


def ranking_pairs(ranks: Sequence[int]) -> list[tuple[int, int]]:
    """(better, worse) places of every pair of completions whose ranks differ, rank 1 the best. Ties are dropped."""
    pairs = combinations(range(len(ranks)), 2)
    return [(a, b) if ranks[a] < ranks[b] else (b, a) for a, b in pairs if ranks[a] != ranks[b]]


def ranking_loss(scores: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """−mean of log σ(r_better − r_worse) over the pairs of one prompt, scores [K] of its completions: one element of a
    batch, however many pairs (InstructGPT, section 3.5). Zero, with gradients of zero, where there is no pair."""
    if not pairs:
        return 0.0 * scores.sum()
    better, worse = torch.tensor(pairs, device=scores.device).T
    return -F.logsigmoid(scores[better] - scores[worse]).mean()
