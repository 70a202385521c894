"""What the demo examines its target with: what presage generates itself, and the corpus's held-out text.

Models of the demo's size cannot add; that they cannot is a result. What they can is go on with a text, and after enough
of them write the small functions they have read: there their probabilities are calibrated, or not.
"""

from __future__ import annotations

from pathlib import Path

from presage.evaluate import run as stage
from presage.evaluate.asking import Asked

ARITHMETIC = ("two_digit_addition", "two_digit_subtraction", "three_digit_addition", "three_digit_subtraction",
              "four_digit_addition", "four_digit_subtraction", "five_digit_addition", "five_digit_subtraction",
              "two_digit_multiplication", "single_digit_three_ops")  # fmt: skip
"""GPT-3's ten tasks."""
CHOICES = ("next_passage", "reasoning_slips", "factuality", "pushback")
SHOTS = 3
"""Of arithmetic: as many as the demo's context holds."""
SECONDS = 45.0
"""What the examination takes, on two cores."""


def config(target: Path, seed: int, *, short: bool) -> stage.Config:
    """The examination of a demo's target; a short demo asks a quarter of it."""
    few, many = (5, 60) if short else (20, 240)
    asked = [Asked(task=name, shots=0 if name == "pushback" else None, limit=many) for name in CHOICES]
    asked += [Asked(task="microcode", limit=few), Asked(task="position_loss", limit=few)]
    asked += [Asked(task=name, shots=SHOTS, limit=few) for name in ARITHMETIC]
    return stage.Config(run=target, tasks=tuple(asked), seed=seed)
