"""Nine tasks with the prompts and scores of lm-evaluation-harness 0.4.13, without shots, to compare item by item.

What must differ, since the files do: HellaSwag's sample of 2,000 has lost the activity and where its last sentence
begins, so that its text is the context alone (the original file gives the harness' text exactly); MMLU is one task of
57 categories; RTE is read from SuperGLUE's file, whose validation set is GLUE's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from presage.tasks.files import Files
from presage.tasks.library.knowledge import ARC_CHALLENGE, ARC_EASY, MMLU, about
from presage.tasks.library.pairs import BLIMP
from presage.tasks.library.reading import BOOLQ, RTE
from presage.tasks.library.truthful import MC2, PATTERNS, prompted
from presage.tasks.methods.choice import lettered, plain
from presage.tasks.methods.harness import HarnessChoice
from presage.tasks.methods.multiple_true import MultipleTrue
from presage.tasks.readers.choices import truthful_listed
from presage.tasks.readers.stories import hellaswag
from presage.tasks.task import Data, Example, Method, Task, Template

_SOURCE = "lm-evaluation-harness 0.4.13"


def _boolq(example: Example) -> str:
    return f"{example.fields['passage']}\nQuestion: {example.fields['question']}?\nAnswer:"


def _rte(example: Example) -> str:
    return f"{example.fields['premise']}\nQuestion: {example.fields['hypothesis']} True or False?\nAnswer:"


def _cleaned(text: str) -> str:
    """Marks of WikiHow as the harness takes them out: [title] to a full stop, others away, double blanks once."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def _hellaswag(paths: Sequence[Path]) -> list[Example]:
    return [_recapitalised(example) for example in hellaswag(paths)]


def _recapitalised(example: Example) -> Example:
    fields = example.fields
    text = f"{fields['activity']}: {fields['a']} {str(fields['b']).capitalize()}" if fields["activity"] else fields["a"]
    options = tuple(_cleaned(str(ending)) for ending in fields["endings"])
    return replace(example, question=_cleaned(str(text)), options=options)


def _task(name: str, data: Data, template: Template, method: Method) -> Task:
    return Task(f"{name}_harness", 1, data, template, method, _SOURCE)


_HELLASWAG = Files(_hellaswag, (("hellaswag_val.jsonl*",), ("hellaswag_2000.jsonl*",)), (("hellaswag_train.jsonl*",),))

TASKS: tuple[Task, ...] = (
    _task("arc_challenge", ARC_CHALLENGE, plain(), HarnessChoice(norm=True)),
    _task("arc_easy", ARC_EASY, plain(), HarnessChoice(norm=True)),
    _task("hellaswag", _HELLASWAG, plain(lambda example: example.question), HarnessChoice(norm=True)),
    replace(
        _task("mmlu", MMLU, lettered(header=about), HarnessChoice(letters=True)),
        draw="first",
        by_category=True,
    ),
    _task("boolq", BOOLQ, plain(_boolq), HarnessChoice()),
    _task("rte", RTE, plain(_rte), HarnessChoice()),
    _task("blimp", BLIMP, plain(lambda example: ""), HarnessChoice(whole=True)),
    _task("truthfulqa_mc1", Files(truthful_listed, PATTERNS), prompted(), HarnessChoice()),
    _task("truthfulqa_mc2", MC2, prompted(), MultipleTrue(metric="acc")),
)
