"""Common sense: HellaSwag, PIQA, COPA, and the pronouns of WinoGrande, Winograd, PDP, DPR and GAP.

Against lm-evaluation-harness 0.4.13 (its HellaSwag is in `harness`):

| task | here | there |
| :-- | :-- | :-- |
| hellaswag | "activity: context" as in the file, per token | the last sentence begins with a capital, per character |
| piqa | the goal alone (GPT-3 report, Table H.1), per token | "Question: goal Answer:", log P and per character |
| winogrande | partial | partial, the same texts |
| wsc273 | partial | partial; it does not add "'s", since its files mark the pronoun |
| copa | "therefore" for effects, per token | the same words, log P |
"""

from __future__ import annotations

from presage.tasks.files import Files
from presage.tasks.methods.choice import Choice, by_letter, plain
from presage.tasks.methods.partial import Partial, blank
from presage.tasks.readers.blanks import gap, schemas, winogrande
from presage.tasks.readers.stories import copa, hellaswag, piqa
from presage.tasks.task import Task, Template

_PARTIAL = "GPT-2 report, §3.5 (Trinh and Le 2018); GPT-3 report, §2.4: partial scoring"
_QUESTION: Template = plain(lambda example: example.question)

HELLASWAG = Files(
    hellaswag,
    (("hellaswag_val.jsonl*",), ("hellaswag_2000.jsonl*",)),
    (("hellaswag_train.jsonl*",),),
)
_HELLASWAG = Task(
    "hellaswag", 1, HELLASWAG, _QUESTION, Choice("per_token"), "GPT-3 report, Table H.1: activity and context, K = 20"
)


_FULL = "as {}, but by full scoring: the whole sentence (Trinh and Le 2018)"


def _blanks(name: str, data: Files, source: str = _PARTIAL) -> tuple[Task, Task]:
    """A task by partial scoring, and the same by full scoring."""
    return (
        Task(name, 1, data, blank(), Partial("partial"), source),
        Task(f"{name}_full", 1, data, blank(), Partial("full"), _FULL.format(name)),
    )


TASKS: tuple[Task, ...] = (
    _HELLASWAG,
    by_letter(_HELLASWAG, "Zellers et al. 2019; the letter, as the GPT-4 report asks (§4, Table 2)"),
    Task(
        "piqa",
        1,
        Files(
            piqa,
            (
                ("piqa*/valid.jsonl*", "piqa*/valid-labels.lst*"),
                ("physicaliqa*/dev.jsonl*", "physicaliqa*/dev-labels.lst*"),
            ),
            (
                ("piqa*/train.jsonl*", "piqa*/train-labels.lst*"),
                ("physicaliqa*/train.jsonl*", "physicaliqa*/train-labels.lst*"),
            ),
        ),
        _QUESTION,
        Choice("per_token"),
        "GPT-3 report, Table H.1: goal, then solution, K = 50",
    ),
    Task(
        "copa",
        1,
        Files(copa, (("COPA/val.jsonl*",), ("copa/val.jsonl*",)), (("COPA/train.jsonl*",), ("copa/train.jsonl*",))),
        _QUESTION,
        Choice("per_token"),
        "GPT-3 report, Table H.1: premise and because or therefore, K = 32",
    ),
    *_blanks(
        "winogrande",
        Files(winogrande, (("winogrande*/dev.jsonl*",),), (("winogrande*/train_xl.jsonl*",),)),
        "GPT-3 report, Table H.1: partial, K = 50; GPT-4 report: 5",
    ),
    *_blanks("wsc273", Files(schemas, (("wsc273.txt*",),))),
    *_blanks("pdp", Files(schemas, (("PDP.txt*",),)), "Davis et al. 2016; partial scoring as for wsc273"),
    *_blanks("dpr", Files(schemas, (("dpr_dev_small.txt*",),)), "GPT-1 report, §5: DPRD, by the rest of the sentence"),
    *_blanks("gap", Files(gap, (("gap-validation.tsv*",),)), "Webster et al. 2018; partial scoring as for wsc273"),
)
