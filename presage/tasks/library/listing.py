"""The library as a list for people: what is asked, how answers become scores, and where that is from."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from presage.tasks.library import MODULES, families
from presage.tasks.library.exams import EXAMS
from presage.tasks.task import Method, Task

SCORINGS = {
    "letter": "choice: the likeliest letter, all options shown",
    "sum": "choice: the option of the highest log P",
    "per_token": "choice: the option of the highest log P per token",
    "per_byte": "choice: the option of the highest log P per byte",
    "unconditional": "choice: the option of the highest log P less its log P without the question",
    "partial": "choice: the candidate after which the rest of the sentence is likeliest",
    "full": "choice: the candidate with which the whole sentence is likeliest",
}
METHODS = {
    "Choice": "",
    "Partial": "",
    "LetterSets": "",
    "F1": "accuracy, and F1 of one option",
    "Gap": "accuracy on one kind of example less that on another",
    "Bias": "accuracy where the text tells and where it does not, and the bias scores",
    "Sway": "likelihood: asked with a remark and without, and how far the answer moves",
    "MultipleTrue": "likelihood: the share of the true answers among all",
    "Pairs": "likelihood: log P of two whole sentences compared",
    "Acceptability": "likelihood: mean log P per token of the sentence, and a threshold",
    "Gendered": "likelihood: log P of female words less that of male ones after the text",
    "Insisted": "likelihood: the right answer before and after the person insists on another",
    "LastWord": "likelihood: whether the last word is the likeliest, and its perplexity",
    "LastContentWord": "likelihood: whether the last word is the likeliest that is no stop-word",
    "Perplexity": "likelihood: perplexity of the text, by word and by byte",
    "Position": "likelihood: bits per byte by how much text stands before",
    "AnswerKey": "written: explained, then answered; the answer against the key",
    "ChainOfThought": "written: reasoned, then answered; the answer against the right one",
    "Free": "written: the answer compared with those that are right",
    "Bleu": "written: BLEU against the reference",
    "Rouge": "written: ROUGE against the reference",
    "Program": "written: programs, run against their tests; pass@k",
    "Microcode": "written: programs, run by an interpreter of our own; pass@k",
    "NovelWord": "written: a sentence that uses the word",
    "Favoured": "written: the words that follow a beginning most often",
    "Conversed": "written: the answer in a conversation before and after the person insists on another",
    "FreeResponse": "judged: points by a rubric",
    "Rated": "judged: two turns, each rated",
    "Paired": "judged: two turns against those of another model",
    "HarnessChoice": "choice: accuracy by log P and by log P per character, as lm-evaluation-harness counts",
    "HarnessNumbers": "written: the number compared, strictly and not, as lm-evaluation-harness counts",
}
"""By a method's class, besides its scoring."""

FILES = {
    "FILE.jsonl, FILE.jsonl:GRADER, FILE.py:NAME": "tasks of your own (docs/tasks.md)",
    "exam:FILE.json": "an exam of your own, asked by GPT-4's procedure",
}
"""What `--tasks` takes besides the library: form and what it is."""


@dataclass(frozen=True)
class Area:
    """A module of the library: what its tasks are about, in a sentence."""

    asks: str
    tasks: tuple[Task, ...]


def areas() -> list[Area]:
    """The tasks of the library, kind by kind."""
    modules = [importlib.import_module(f"presage.tasks.library.{name}") for name in MODULES]
    return [Area((module.__doc__ or "").split("\n")[0], tuple(module.TASKS)) for module in modules if module.TASKS]


def forms() -> dict[str, str]:
    """{form: what it is} of everything that `--tasks` takes besides names: families and files."""
    exams = ", ".join(exam.name for exam in EXAMS)
    return {one.form: one.says for one in families().values()} | {"exam:NAME": f"a whole exam: {exams}"} | FILES


def how(method: Method) -> str:
    """How answers become scores; of a method that is not the library's, what it says of itself."""
    scoring = getattr(getattr(method, "choice", method), "scoring", None)
    kind = type(method).__name__
    parts = [SCORINGS[scoring]] if scoring in SCORINGS else []
    parts += [METHODS[kind]] if METHODS.get(kind) else []
    return "; ".join(parts) or (type(method).__doc__ or kind).split("\n")[0]
