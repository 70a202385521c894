"""Reading: BoolQ, RTE, CB, and the GLUE sets of the GPT-1 report, MRPC and SST-2.

Against lm-evaluation-harness 0.4.13 (its BoolQ and RTE are in `harness`): BoolQ and CB differ in the case of "question"
and "answer"; RTE stands on one line here (GPT-3 report, App. G) and on three there; SST-2 there asks a question where
the GPT-1 report appends "very"; MRPC there asks "Do both sentences mean the same thing?".
"""

from __future__ import annotations

from presage.tasks.files import Files
from presage.tasks.methods.choice import Choice, plain
from presage.tasks.methods.noted import F1
from presage.tasks.readers.choices import boolq, entailment, paraphrases, sentiments
from presage.tasks.task import Example, Task

BOOLQ = Files(
    boolq,
    (("boolq/dev.jsonl*",), ("boolq/val.jsonl*",), ("BoolQ/val.jsonl*",)),
    (("boolq/train.jsonl*",), ("BoolQ/train.jsonl*",)),
)
RTE = Files(
    entailment(("entailment", "not_entailment"), ("True", "False")),
    (("rte/val.jsonl*",), ("RTE/val.jsonl*",)),
    (("rte/train.jsonl*",), ("RTE/train.jsonl*",)),
)
CB = Files(
    entailment(("entailment", "contradiction", "neutral"), ("true", "false", "neither")),
    (("cb/val.jsonl*",), ("CB/val.jsonl*",)),
    (("cb/train.jsonl*",), ("CB/train.jsonl*",)),
)


def _boolq(example: Example) -> str:
    return f"{example.fields['passage']}\nquestion: {example.fields['question']}?\nanswer:"


def _rte(example: Example) -> str:
    return f"{example.fields['premise']}\nquestion: {example.fields['hypothesis']} True or False?\nanswer:"


def _cb(example: Example) -> str:
    premise, hypothesis = example.fields["premise"], example.fields["hypothesis"]
    return f"{premise}\nquestion: {hypothesis}. true, false, or neither?\nanswer:"


def _mrpc(example: Example) -> str:
    first, second = example.fields["first"], example.fields["second"]
    return f"First sentence: {first}\nSecond sentence: {second}\nDo the two say the same? yes or no?\nAnswer:"


TASKS: tuple[Task, ...] = (
    Task("boolq", 1, BOOLQ, plain(_boolq), Choice("sum"), "GPT-3 report, Table H.1 and App. G: K = 32"),
    Task("rte", 1, RTE, plain(_rte), Choice("sum"), "GPT-3 report, Table H.1 and App. G: K = 32"),
    Task("cb", 1, CB, plain(_cb), Choice("sum"), "GPT-3 report, Table H.1 and App. G: K = 32"),
    Task(
        "sst2",
        1,
        Files(sentiments, (("SST2_test.tsv*",),), (("SST2_train.tsv*",),)),
        plain(lambda example: f"{example.question} very"),
        Choice("sum"),
        'GPT-1 report, §5: append "very", then positive or negative',
    ),
    Task(
        "mrpc",
        1,
        Files(paraphrases, (("msr_paraphrase_test.txt*",),), (("msr_paraphrase_train.txt*",),)),
        plain(_mrpc),
        F1(Choice("sum")),
        "GPT-1 report, Table 4 (there fine-tuned, here asked; our words): F1 and accuracy",
    ),
)
