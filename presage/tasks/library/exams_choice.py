"""Exam papers by choice: the multiple-choice files of AGIEval, the objective questions of GAOKAO-Bench.

Against lm-evaluation-harness 0.4.13: AGIEval there has a prompt of its own ("Among A through E, the answer is") and,
where several letters are right, counts any one of them. Here the answer to such a question is the whole set, as in the
exam: all sets of letters are options. GAOKAO-Bench is not there.
"""

from __future__ import annotations

from presage.tasks.files import Files
from presage.tasks.methods.choice import LETTERS, Choice, lettered, plain
from presage.tasks.methods.letters import LetterSets
from presage.tasks.readers.papers import agieval, gaokao
from presage.tasks.task import Example, Task

AGIEVAL = (
    *("aqua-rat", "gaokao-biology", "gaokao-chemistry", "gaokao-chinese", "gaokao-english", "gaokao-geography"),
    *("gaokao-history", "logiqa-en", "logiqa-zh", "lsat-ar", "lsat-lr", "lsat-rc"),
    *("sat-en", "sat-en-without-passage", "sat-math"),
)
SEVERAL = ("gaokao-mathqa", "gaokao-physics", "jec-qa-ca", "jec-qa-kd")
"""Exams of AGIEval in which several letters may be right."""

GAOKAO = {
    "biology": "2010-2022_Biology_MCQs.json",
    "chemistry": "2010-2022_Chemistry_MCQs.json",
    "chinese_literature": "2010-2022_Chinese_Modern_Lit.json",
    "chinese_usage": "2010-2022_Chinese_Lang_and_Usage_MCQs.json",
    "english_blanks": "2010-2022_English_Fill_in_Blanks.json",
    "english_cloze": "2012-2022_English_Cloze_Test.json",
    "english_choice": "2010-2013_English_MCQs.json",
    "english_reading": "2010-2022_English_Reading_Comp.json",
    "geography": "2010-2022_Geography_MCQs.json",
    "history": "2010-2022_History_MCQs.json",
    "mathematics_1": "2010-2022_Math_I_MCQs.json",
    "mathematics_2": "2010-2022_Math_II_MCQs.json",
    "physics": "2010-2022_Physics_MCQs.json",
    "politics": "2010-2022_Political_Science_MCQs.json",
}


def _shown(example: Example) -> str:
    """The question with its choices; the options are sets of their letters."""
    options = (f"{letter}. {text}" for letter, text in zip(LETTERS, example.fields["shown"], strict=False))
    return "\n".join([example.question, *options, "Answer:"])


def _numbered(example: Example) -> str:
    """The text, which shows the choices, and which of its questions is meant."""
    number, count = example.fields["number"], example.fields["count"]
    which = f"Question {number} of {count}\n" if count != 1 else ""
    return f"{example.fields['text']}\n{which}Answer:"


def _agieval(name: str) -> Task:
    several = name in SEVERAL
    return Task(
        f"agieval_{name.replace('-', '_')}",
        1,
        Files(agieval(name, several=several), ((f"{name}.jsonl*",),), (("few_shot_prompts.csv*",),)),
        plain(_shown) if several else lettered(),
        LetterSets() if several else Choice("letter"),
        "Zhong et al. 2023; the letter, as the GPT-4 report asks (§4, Table 2); their solved examples as shots",
        draw="first",
    )


def _gaokao(name: str, file: str) -> Task:
    return Task(
        f"gaokao_{name}",
        1,
        Files(gaokao(file, several=name == "physics"), (("gaokao_bench.zip",), (f"Objective_Questions/{file}*",))),
        plain(_numbered),
        LetterSets(),
        "Zhang et al. 2023: objective questions and their points; the letter, without an explanation",
    )


TASKS: tuple[Task, ...] = (
    *map(_agieval, sorted((*AGIEVAL, *SEVERAL))),
    *(_gaokao(name, file) for name, file in GAOKAO.items()),
)
