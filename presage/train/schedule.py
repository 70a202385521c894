"""Learning rate and batch size as functions of tokens seen. Everything is in tokens, so that batches may ramp."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field

from presage.core.config import Config


class ScheduleConfig(Config):
    """Warm-up, then WSD (stable, then linear decay to `final`) or cosine; factors multiply every group's rate."""

    kind: Literal["wsd", "cosine", "linear"] = "wsd"
    warmup_tokens: int = Field(default=0, ge=0)
    decay_tokens: int = Field(default=0, ge=0)
    """WSD: length of the final decay. Cosine: tokens until the floor (0: the whole run)."""
    final: float = Field(default=0.0, ge=0, le=1)
    """Share of the peak at the end; GPT-3 used 0.1 with cosine."""

    def factor(self, tokens: int, total: int) -> float:
        """Multiplier of the peak rate for the step that begins after `tokens` of `total`."""
        warm = min(1.0, tokens / self.warmup_tokens) if self.warmup_tokens else 1.0
        return warm * _SHAPES[self.kind](self, tokens, total)


def _wsd(schedule: ScheduleConfig, tokens: int, total: int) -> float:
    left = (total - tokens) / schedule.decay_tokens if schedule.decay_tokens else 1.0
    return schedule.final + (1 - schedule.final) * min(1.0, max(0.0, left))


def _cosine(schedule: ScheduleConfig, tokens: int, total: int) -> float:
    progress = min(1.0, tokens / (schedule.decay_tokens or total))
    return schedule.final + (1 - schedule.final) * 0.5 * (1 + math.cos(math.pi * progress))


def _linear(schedule: ScheduleConfig, tokens: int, total: int) -> float:
    """GPT-1's fine-tuning shape: straight down to the end, the warm-up multiplied in."""
    return max(schedule.final, 1 - tokens / total)


_SHAPES = {"wsd": _wsd, "cosine": _cosine, "linear": _linear}


class BatchRamp(Config):
    """GPT-3's batch ramp: linear from `start_tokens` to the full batch over `ramp_tokens` (GPT-3 app. B)."""

    start_tokens: int = Field(gt=0)
    ramp_tokens: int = Field(gt=0)

    def sequences(self, tokens: int, full: int, sequence_tokens: int) -> int:
        """Sequences in the batch that begins after `tokens`; `full` is the final count."""
        start = max(1, self.start_tokens // sequence_tokens)
        share = min(1.0, tokens / self.ramp_tokens)
        return max(1, round(start + (full - start) * share))
