"""Contamination of what is asked: the questions of every task against the training text, in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from presage.core.errors import PresageError
from presage.evaluate.asking import Plan
from presage.evaluate.contamination import Report, Scanner, scan_together
from presage.evaluate.memorisation import training_text
from presage.evaluate.reading import watched
from presage.tasks.arithmetic import KINDS, in_corpus

ARITHMETIC = ("task", "problems", "signs", "words", "either")
"""Of tables/arithmetic.csv: problems asked, and how many stand in the text as "a + b =", as "a plus b", either way."""


def scanned(plans: Sequence[Plan], corpus: Path, seed: int) -> dict[str, Report]:
    """{label: report} of every task's questions against the training split of a corpus run."""
    scanners = [Scanner(plan.items, seed=seed) for plan in plans]
    reports = scan_together(scanners, watched(corpus, "train", "questions in the training text"))
    return dict(zip((plan.label for plan in plans), reports, strict=True))


def arithmetic_rows(plans: Sequence[Plan], corpus: Path) -> list[dict[str, Any]]:
    """A row (ARITHMETIC) for every task of sums or differences, from the training split (GPT-3 report, §3.9.1)."""
    asked = {one.label: [q.example for q in one.questions] for one in plans if one.declared in KINDS}
    found = in_corpus(asked, (document.text for document in watched(corpus, "train", "sums in the training text")))
    return [{"task": label} | vars(one) for label, one in found.items()]


def corpus_of(run: Path) -> Path | None:
    """The corpus that a run was trained on, where it stands beside it; None where it does not (an import, a copy)."""
    try:
        return training_text(run).path
    except PresageError:
        return None
