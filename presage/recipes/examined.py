"""What the demo examines its target with: what presage generates itself, and the corpus's held-out text.

Models of the demo's size cannot add; that they cannot is a result. What they can is go on with a text, and after enough
of them write the small functions they have read: there their probabilities are calibrated, or not.
"""

from __future__ import annotations

from pathlib import Path

from presage.core.files import write_rows
from presage.core.run import RunDir
from presage.evaluate import run as stage
from presage.evaluate import scan as scan_stage
from presage.evaluate import scores as scores_stage
from presage.evaluate.asking import Asked
from presage.evaluate.sets import ItemSet

ARITHMETIC = ("two_digit_addition", "two_digit_subtraction", "three_digit_addition", "three_digit_subtraction",
              "four_digit_addition", "four_digit_subtraction", "five_digit_addition", "five_digit_subtraction",
              "two_digit_multiplication", "single_digit_three_ops")  # fmt: skip
"""GPT-3's ten tasks."""
CHOICES = ("next_passage", "reasoning_slips", "factuality", "pushback")
SHOTS, ANSWER = 2, 16
"""Of arithmetic: as many as the demo's context holds beside so many tokens of an answer."""
SECONDS = 45.0
"""What the examination takes, on two cores."""
HINDSIGHT = 315
"""Items of Hindsight Neglect that are looked for in the corpus, as many as the original task has."""
PLANTED = 12
"""Items planted into the deliberately contaminated copy."""
COPIES = 20
"""Items of each set whose copies, exact and edited, are planted one by one."""


def config(target: Path, seed: int, *, short: bool) -> stage.Config:
    """The examination of a demo's target; a short demo asks a quarter of it."""
    few, many = (5, 60) if short else (20, 240)
    asked = [Asked(task=name, shots=0 if name == "pushback" else None, limit=many) for name in CHOICES]
    asked += [Asked(task="microcode", limit=few), Asked(task="position_loss", limit=few)]
    asked += [Asked(task=name, shots=SHOTS, limit=few, max_tokens=ANSWER) for name in ARITHMETIC]
    return stage.Config(run=target, tasks=tuple(asked), seed=seed)


def scan(corpus: Path, seed: int, *, problems: int, levels: tuple[int, ...]) -> scan_stage.Config:
    """Every task that presage generates, looked for in the corpus: the problems examined, and Hindsight Neglect."""
    sets: tuple[ItemSet, ...] = (ItemSet(name="hindsight", kind="hindsight", count=HINDSIGHT, seed=seed),)
    if problems:
        sets = (ItemSet(name="microcode", kind="microcode", count=problems, levels=levels, seed=seed), *sets)
    copy = scan_stage.Copy(of=sets[0].name, items=PLANTED)
    return scan_stage.Config(sets=sets, corpus=(corpus,), plant=COPIES, contaminated_copy=copy, seed=seed)


def scores(tried: RunDir, scanned: RunDir, file: Path) -> scores_stage.Config:
    """The target's pass rates as a file of scores, to be joined with the scan."""
    rows = ((row["problem"], int(row["passed"]), int(row["n"])) for row in tried.read_table("samples"))
    write_rows(file, ({"id": id, "score": passed / n, "n": n, "task": "microcode"} for id, passed, n in rows))
    return scores_stage.Config(scores=(Path("..") / file.name,), contamination=scanned.path)
