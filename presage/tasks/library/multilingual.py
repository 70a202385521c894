"""Common sense in other languages: XCOPA in eleven, Winograd schemas in six.

Against lm-evaluation-harness 0.4.13: XCOPA there has other connecting words in Haitian, Quechua and Tamil, a blank also
where a language writes none (Thai, Chinese), and log P rather than log P per token; xwinograd there has a selection of
the English schemas (2,325 rows, as here), and the same partial scoring.
"""

from __future__ import annotations

from presage.tasks.files import Files
from presage.tasks.methods.choice import Choice
from presage.tasks.methods.partial import Partial, blank
from presage.tasks.readers.blanks import crosslingual
from presage.tasks.readers.stories import CONNECTORS, copa
from presage.tasks.task import Task, Template

_SCHEMAS = ("en", "fr", "jp", "pt", "ru", "zh")
_XCOPA = tuple(language for language in CONNECTORS if language != "en")


def _xcopa(language: str) -> Task:
    lead = CONNECTORS[language][2]
    return Task(
        f"xcopa_{language}",
        1,
        Files(copa, ((f"test.{language}.jsonl*",),), ((f"val.{language}.jsonl*",),)),
        Template(lambda example: example.question, lambda example: lead + example.options[example.answer or 0]),
        Choice("per_token", lead=lead),
        "Ponti et al. 2020; asked as the GPT-3 report asks COPA (Table H.1)",
    )


def _xwinograd(language: str) -> Task:
    return Task(
        f"xwinograd_{language}",
        1,
        Files(crosslingual(language), (("crosslingual_winograd.tsv*",), ("crosslingual_winograd/dataset.tsv*",))),
        blank(),
        Partial(),
        "Tikhonov and Ryabinin 2021; partial scoring as in the GPT-3 report (§2.4)",
    )


TASKS: tuple[Task, ...] = (*map(_xcopa, _XCOPA), *map(_xwinograd, _SCHEMAS))
