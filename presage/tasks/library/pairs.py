"""Grammar: BLiMP's minimal pairs, and CoLA as the GPT-1 report judges it without training.

Against lm-evaluation-harness 0.4.13: BLiMP there puts a blank before each sentence, is 67 tasks, and counts a tie as
right (`harness` has it so); CoLA there asks a question and compares yes with no.
"""

from __future__ import annotations

from presage.tasks.files import Files
from presage.tasks.methods.classify import Acceptability
from presage.tasks.methods.pairs import Pairs, bare
from presage.tasks.readers.pairs import blimp, cola
from presage.tasks.task import Task

BLIMP = Files(blimp, (("BLiMP.zip",), ("blimp/data/*.jsonl*",)))
_COLA = "GPT-1 report, §5: mean token log-probability and a threshold"


def _cola(name: str, split: str) -> Task:
    data = Files(cola(split), (("cola_public*.zip",), (f"raw/{split}.tsv*",)))
    return Task(name, 1, data, bare(), Acceptability(), _COLA)


TASKS: tuple[Task, ...] = (
    Task("blimp", 1, BLIMP, bare(), Pairs(), "Warstadt et al. 2020: the likelier of two whole sentences"),
    _cola("cola", "in_domain_dev"),
    _cola("cola_out_of_domain", "out_of_domain_dev"),
)
