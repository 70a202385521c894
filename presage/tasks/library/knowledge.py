"""Examinations of knowledge and reasoning: MMLU, ARC, CommonsenseQA, AQuA-RAT, choices of BIG-bench.

Against lm-evaluation-harness 0.4.13 (its own prompts are in `harness`):

| task | here | there |
| :-- | :-- | :-- |
| mmlu | the same prompt, 5 shots from dev, one task with 57 categories | 0 shots unless asked for; 57 tasks |
| arc_* | the same prompt; log P less log P after "Answer:" (GPT-3 report) | log P, and the same per character |
| commonsense_qa | "Question: " before the question | the same |
"""

from __future__ import annotations

from presage.tasks.files import Files
from presage.tasks.methods.choice import Choice, by_letter, lettered, plain
from presage.tasks.readers.choices import aqua, big_bench, items, mmlu, subject
from presage.tasks.task import Example, Task

_ARC = "GPT-3 report, §2.4 and Table H.1: unconditional normalisation, K = 50"
_BY_LETTER = "Clark et al. 2018; the letter, as the GPT-4 report asks (§4, Table 2)"
_KOJIMA = "Kojima et al. 2022, dataset; the letter, as the GPT-4 report asks (§4, Table 2)"


def about(example: Example) -> str:
    """The first line of MMLU's prompt."""
    return f"The following are multiple choice questions (with answers) about {subject(example)}."


MMLU = Files(
    mmlu,
    (("mmlu_test.jsonl*",), ("test/*_test.csv*",)),
    (("mmlu_dev.jsonl*",), ("dev/*_dev.csv*",)),
)
ARC_CHALLENGE = Files(items, (("ARC-Challenge-Test*",),), (("ARC-Challenge-Train*",),))
ARC_EASY = Files(items, (("ARC-Easy-Test*",),), (("ARC-Easy-Train*",),))

_CHALLENGE = Task("arc_challenge", 1, ARC_CHALLENGE, plain(), Choice("unconditional"), _ARC)
_EASY = Task("arc_easy", 1, ARC_EASY, plain(), Choice("unconditional"), _ARC)
_QUESTION = lettered(lambda example: f"Question: {example.question}")


def _chosen(name: str, pattern: str) -> Task:
    return Task(name, 1, Files(big_bench, ((pattern,),)), _QUESTION, Choice("letter"), _KOJIMA)


TASKS: tuple[Task, ...] = (
    Task(
        "mmlu",
        1,
        MMLU,
        lettered(header=about),
        Choice("letter"),
        "Hendrycks et al. 2021; GPT-4 report, §4, Table 2: five shots, the letter",
        shots=5,
        draw="first",
        by_category=True,
    ),
    _CHALLENGE,
    _EASY,
    by_letter(_CHALLENGE, _BY_LETTER),
    by_letter(_EASY, _BY_LETTER),
    Task(
        "commonsense_qa",
        1,
        Files(items, (("CommonsenseQA_dev.jsonl*",), ("dev_rand_split.jsonl*",)), (("train_rand_split.jsonl*",),)),
        _QUESTION,
        Choice("letter"),
        _KOJIMA,
    ),
    Task(
        "aqua_rat",
        1,
        Files(aqua, (("aqua_rat/test.json*",), ("AQuA/test.json*",)), (("aqua_rat/dev.json*",), ("AQuA/dev.json*",))),
        _QUESTION,
        Choice("letter"),
        "Ling et al. 2017; the letter, as the GPT-4 report asks (§4, Table 2)",
    ),
    _chosen("date_understanding", "bigbench_date.json*"),
    _chosen("tracking_three_objects", "bigbench_object_tracking.json*"),
    _chosen("strategyqa", "StrategyQA_bigbench.json*"),
)
