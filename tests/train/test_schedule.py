"""Learning rates and batch sizes as functions of tokens."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.train.schedule import BatchRamp, ScheduleConfig

TOTAL = 1_000_000
tokens = st.integers(min_value=0, max_value=TOTAL)


def test_gpt3() -> None:
    """Warm-up over 375 million tokens, cosine down to 10 % at 260 billion, then level (GPT-3 app. B)."""
    gpt3 = ScheduleConfig(kind="cosine", warmup_tokens=375_000_000, decay_tokens=260_000_000_000, final=0.1)
    total = 300_000_000_000
    assert gpt3.factor(0, total) == 0
    assert gpt3.factor(187_500_000, total) == pytest.approx(0.5, rel=1e-5)
    assert gpt3.factor(375_000_000, total) == pytest.approx(1, rel=1e-5)
    assert gpt3.factor(130_000_000_000, total) == pytest.approx(0.55)
    assert gpt3.factor(260_000_000_000, total) == pytest.approx(0.1)
    assert gpt3.factor(total, total) == pytest.approx(0.1)


def test_gpt3_batch_ramp() -> None:
    """From 32 thousand tokens to the full batch over the first 4 to 12 billion (GPT-3 app. B)."""
    ramp = BatchRamp(start_tokens=32_768, ramp_tokens=4_000_000_000)
    full = 1600  # x 2048 tokens = 3.2 million
    assert ramp.sequences(0, full, 2048) == 16
    assert ramp.sequences(2_000_000_000, full, 2048) == 808
    assert [ramp.sequences(t, full, 2048) for t in (4_000_000_000, 10**12)] == [full, full]


@given(tokens)
def test_gpt1_linear(seen: int) -> None:
    """The fine-tuning schedule of GPT-1: (1 - x), x the share of training done."""
    assert ScheduleConfig(kind="linear").factor(seen, TOTAL) == pytest.approx(1 - seen / TOTAL)


@given(tokens)
def test_wsd(seen: int) -> None:
    schedule = ScheduleConfig(warmup_tokens=100_000, decay_tokens=400_000, final=0.05)
    expected = min(1.0, seen / 100_000)
    if seen > 600_000:
        expected = 1 - 0.95 * (seen - 600_000) / 400_000
    assert schedule.factor(seen, TOTAL) == pytest.approx(expected)


@given(tokens)
def test_cosine(seen: int) -> None:
    expected = 0.2 + 0.8 * (1 + math.cos(math.pi * seen / TOTAL)) / 2
    assert ScheduleConfig(kind="cosine", final=0.2).factor(seen, TOTAL) == pytest.approx(expected)


schedules = st.builds(
    ScheduleConfig,
    kind=st.sampled_from(["wsd", "cosine", "linear"]),
    warmup_tokens=st.integers(0, TOTAL // 4),
    decay_tokens=st.integers(0, TOTAL),
    final=st.floats(0, 1),
)


@given(schedules, st.lists(tokens, min_size=2))
def test_every_schedule_rises_while_warming_up_and_falls_after(schedule: ScheduleConfig, moments: list[int]) -> None:
    factors = [schedule.factor(t, TOTAL) for t in sorted(moments)]
    assert all(0 <= f <= 1 for f in factors)
    after = [schedule.factor(t, TOTAL) for t in sorted(moments) if t >= schedule.warmup_tokens]
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(after))
    assert schedule.factor(TOTAL, TOTAL) >= schedule.final * (1 - 1e-12)


@given(st.integers(1, 10**6), st.integers(1, 10**9), st.integers(1, 4096), st.lists(st.integers(0, 10**10), min_size=2))
def test_a_ramp_grows_to_the_full_batch(start: int, over: int, full: int, moments: list[int]) -> None:
    ramp = BatchRamp(start_tokens=start, ramp_tokens=over)
    counts = [ramp.sequences(t, full, 16) for t in sorted(moments)]
    assert all(count >= 1 for count in counts)
    assert ramp.sequences(over, full, 16) == full
    if start // 16 <= full:
        assert counts == sorted(counts)
        assert counts[-1] <= full
