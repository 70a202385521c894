"""Contamination of what is asked: the questions of every task against the training text, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from presage.core.errors import PresageError
from presage.data.records import read_split
from presage.evaluate.asking import Plan
from presage.evaluate.contamination import Report, Scanner, scan_together
from presage.evaluate.memorisation import training_text


def scanned(plans: Sequence[Plan], corpus: Path, seed: int) -> dict[str, Report]:
    """{label: report} of every task's questions against the training split of a corpus run."""
    scanners = [Scanner(plan.items, seed=seed) for plan in plans]
    reports = scan_together(scanners, read_split(corpus, "train"))
    return dict(zip((plan.label for plan in plans), reports, strict=True))


def corpus_of(run: Path) -> Path | None:
    """The corpus that a run was trained on, where it stands beside it; None where it does not (an import, a copy)."""
    try:
        return training_text(run).path
    except PresageError:
        return None
