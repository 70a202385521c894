"""Exams of public files, asked by GPT-4's procedure; `exam_named` and `exam_tasks` also take an exam's own file.

Scales. GRE: the rule of the GPT-4 report. LSAT: knots of the conversion chart that LSAC printed for form 6LSN68 (99
questions), one in ten. SAT: charts are not among the public files, so even steps from 200 to 800 stand in, named so in
`source`; the questions are of several papers. GAOKAO: the points of the national papers' parts; what is not among the
files (listening, essays) is left out of the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from presage.core.errors import ConfigError, did_you_mean
from presage.tasks.exam.model import PREFIX, Exam, Knots, Linear, Points, Section, TableFile, exam_tasks
from presage.tasks.exam.public import Public, aqua, gaokao
from presage.tasks.exam.reader import read_exam
from presage.tasks.files import Files
from presage.tasks.readers.papers import agieval, agieval_worked
from presage.tasks.task import Task

_WORKED = (("few_shot_prompts.csv",),)


def _agieval(name: str, file: str, shots: int) -> Section:
    data = Public(Files(agieval(file, whole=True), ((f"{file}.jsonl*",),)), Files(agieval_worked(file), _WORKED))
    return Section(name, "choice", data, shots=shots)


LSAT = Exam(
    "lsat", 1, "LSAT",
    "AGIEval's LSAT questions; three worked examples, all that AGIEval has; scale: LSAC's chart of form 6LSN68, knots",
    (_agieval("games", "lsat-ar", 3), _agieval("reasoning", "lsat-lr", 3), _agieval("reading", "lsat-rc", 3)),
    Knots(((0, 120), (14, 121), (28, 130), (44, 140), (61, 150), (77, 160), (90, 170), (98, 180), (99, 180))),
    (TableFile("lsat.csv", "scaled_score", "percentile_2016_2019"),),
)  # fmt: skip

SAT_MATHS = Exam(
    "sat_maths", 1, "SAT Math", "AGIEval's SAT questions; even steps from 200 to 800 in place of a chart",
    (_agieval("maths", "sat-math", 5),),
    Linear(200, 800, 10),
    (TableFile("sat_math_2015.csv", "score", "percentile_strictly_below"),),
)  # fmt: skip

SAT_ENGLISH = Exam(
    "sat_english", 1, "SAT Reading & Writing",
    "AGIEval's SAT questions; three worked examples, all that AGIEval has; even steps in place of a chart",
    (_agieval("reading", "sat-en", 3),),
    Linear(200, 800, 10),
)  # fmt: skip

GRE = Exam(
    "gre", 1, "GRE-like quantitative",
    "AQuA's test questions, of the kind of the GRE; accuracy * 40 + 130 (GPT-4 report, appendix A.6)",
    (Section("quantitative", "choice", Public(Files(aqua, (("aqua_rat/test.json",),)),
                                              Files(lambda paths: aqua(paths)[:5], (("aqua_rat/dev.json",),)))),),
    Linear(130, 170),
    (TableFile("gre_verbal_quant_2020_2023.csv", "Scaled Score", "Quantitative Reasoning"),),
)  # fmt: skip


# ---- the Gaokao ------------------------------------------------------------------------------------------------------

RUBRIC = (
    "Compare the response with the reference answer, part by part. Every part that is right earns its share of the "
    "points; in calculations and proofs, steps that are right earn theirs also where the end is wrong. What is missing "
    "or wrong earns nothing."
)


@dataclass(frozen=True)
class _Part:
    """Of a national paper: its file, its points there, and how many of its questions are worked examples."""

    name: str
    file: str
    weight: float
    shots: int = 5
    free: bool = False


def _free(name: str, file: str, weight: float) -> _Part:
    return _Part(name, file, weight, 0, True)


_PAPERS: dict[str, tuple[str, tuple[_Part, ...]]] = {
    "maths_science": ("Gaokao Mathematics (science)", (
        _Part("choice", "2010-2022_Math_I_MCQs", 60),
        _free("blanks", "2010-2022_Math_I_Fill-in-the-Blank", 20),
        _free("open", "2010-2022_Math_I_Open-ended_Questions", 70))),
    "maths_arts": ("Gaokao Mathematics (arts)", (
        _Part("choice", "2010-2022_Math_II_MCQs", 60),
        _free("blanks", "2010-2022_Math_II_Fill-in-the-Blank", 20),
        _free("open", "2010-2022_Math_II_Open-ended_Questions", 70))),
    "english": ("Gaokao English", (
        _Part("reading", "2010-2022_English_Reading_Comp", 30, 1),
        _Part("gaps", "2010-2022_English_Fill_in_Blanks", 30, 1),
        _Part("cloze", "2012-2022_English_Cloze_Test", 10, 1),
        _free("errors", "2012-2022_English_Language_Error_Correction", 10),
        _free("words", "2014-2022_English_Language_Cloze_Passage", 15))),
    "physics": ("Gaokao Physics", (
        _Part("choice", "2010-2022_Physics_MCQs", 48),
        _free("open", "2010-2022_Physics_Open-ended_Questions", 62))),
    "chemistry": ("Gaokao Chemistry", (
        _Part("choice", "2010-2022_Chemistry_MCQs", 42),
        _free("open", "2010-2022_Chemistry_Open-ended_Questions", 58))),
    "biology": ("Gaokao Biology", (
        _Part("choice", "2010-2022_Biology_MCQs", 36),
        _free("open", "2010-2022_Biology_Open-ended_Questions", 54))),
    "history": ("Gaokao History", (
        _Part("choice", "2010-2022_History_MCQs", 48),
        _free("open", "2010-2022_History_Open-ended_Questions", 52))),
    "geography": ("Gaokao Geography", (
        _Part("choice", "2010-2022_Geography_MCQs", 44, 2),
        _free("open", "2010-2022_Geography_Open-ended_Questions", 56))),
    "politics": ("Gaokao Politics", (
        _Part("choice", "2010-2022_Political_Science_MCQs", 48),
        _free("open", "2010-2022_Political_Science_Open-ended_Questions", 52))),
}  # fmt: skip
_GAOKAO = "GAOKAO-Bench, all years of the national papers together, parts weighted as in one paper"


def _gaokao_exam(name: str, title: str, parts: tuple[_Part, ...], source: str) -> Exam:
    sections = tuple(
        Section(part.name, "free" if part.free else "choice",
                Public(gaokao(part.file, free=part.free), None, part.shots),
                weight=part.weight, shots=part.shots, rubric=RUBRIC if part.free else "")
        for part in parts
    )  # fmt: skip
    return Exam(f"gaokao_{name}", 1, title, source, sections, Points())


def _gaokao_exams() -> list[Exam]:
    """Every paper whole, and its multiple choice alone, which needs no judge."""
    whole = [_gaokao_exam(name, title, parts, _GAOKAO) for name, (title, parts) in _PAPERS.items()]
    return whole + [
        _gaokao_exam(f"{name}_choice", f"{title}, multiple choice", tuple(part for part in parts if not part.free),
                     f"{_GAOKAO}; multiple choice alone")
        for name, (title, parts) in _PAPERS.items()
    ]  # fmt: skip


EXAMS: tuple[Exam, ...] = (LSAT, SAT_MATHS, SAT_ENGLISH, GRE, *_gaokao_exams())
TASKS: tuple[Task, ...] = tuple(task for exam in EXAMS for task in exam_tasks(exam))


def exam_named(name: str) -> Exam:
    """The exam of "exam:lsat" or "lsat", or of a file, "exam:driving.json". Raises ConfigError, DataError."""
    short = name.removeprefix(PREFIX)
    known = {exam.name: exam for exam in EXAMS}
    if short.endswith(".json"):
        return read_exam(Path(short))
    if short not in known:
        raise ConfigError(f"unknown exam '{short}'", where="tasks", hint=did_you_mean(short, known))
    return known[short]
