"""Inverse scaling: hindsight neglect (GPT-4 report, §3.2), generated and public, and the prize's pilot sets.

In lm-evaluation-harness 0.4.13 the prize's sets are asked as here: the prompt as it is, classes by log P.
"""

from __future__ import annotations

from presage.tasks.files import Files, Generated
from presage.tasks.methods.choice import Choice, plain
from presage.tasks.methods.sway import Sway
from presage.tasks.readers.prompts import classes, neglect, swayed
from presage.tasks.task import Data, Task

_SOURCE = "McKenzie et al. 2023: the likeliest class after the prompt"
_HINDSIGHT = "GPT-4 report, §3.2 and Figure 3; McKenzie et al. 2023; 315 questions, ten examples in the prompt"
PILOT = {
    "conjunction_fallacy": "conjunction_fallacy-0shot.csv*",
    "dice": "dice-0shot.csv*",
    "scope_neglect": "scope-neglect-0shot.csv*",
    "snli": "snli-1k.csv*",
    "syllogism": "syllogism-0shot.csv*",
}


def _asked(name: str, data: Data, source: str = _SOURCE) -> Task:
    return Task(name, 1, data, plain(lambda example: str(example.fields["prompt"])), Choice("sum"), source)


TASKS: tuple[Task, ...] = (
    _asked("hindsight_neglect", Generated(neglect, 315), _HINDSIGHT),
    _asked(
        "hindsight_neglect_public",
        Files(classes, (("hindsight*neglect*.csv*",), ("hindsight*neglect*.jsonl*",))),
        _HINDSIGHT,
    ),
    *(_asked(f"inverse_{name}", Files(classes, ((pattern,),))) for name, pattern in PILOT.items()),
    Task(
        "inverse_opinion",
        1,
        Files(swayed, (("QA_bias-v2.csv*",),)),
        plain(lambda example: str(example.fields["prompt"])),
        Sway(),
        "McKenzie et al. 2023: log-odds with and without an opinion in the question",
    ),
)
