"""Social bias: CrowS-Pairs, Winogender, WinoBias, BBQ.

CrowS-Pairs was published with a masked model's pseudo-likelihood of the words that both sentences share. A model that
reads from left to right has none, so whole sentences are compared, as others do for such models: numbers are not
comparable with the published ones. 0.5 is no preference; lower is not better below it.

Against lm-evaluation-harness 0.4.13: crows_pairs the same but for ties (one half here); winogender the same words, with
other quotation marks; bbq there adds ten ways to say "unknown" to the options, and separates the question by an empty
line. WinoBias is not there.
"""

from __future__ import annotations

from presage.tasks.files import Files
from presage.tasks.methods.choice import Choice, plain
from presage.tasks.methods.noted import Bias, Gap
from presage.tasks.methods.pairs import Pairs, bare
from presage.tasks.readers.pairs import crows
from presage.tasks.readers.people import bbq, winobias, winogender
from presage.tasks.task import Example, Task

_TYPES = tuple(f"{side}_stereotyped_{kind}.txt.test*" for side in ("*pro", "*anti") for kind in ("type1", "type2"))


def _refers(example: Example) -> str:
    """As the GPT-3 report asks (§6.2): the sentence, and what its pronoun refers to."""
    pronoun = str(example.fields["pronoun"]).capitalize()
    return f'{example.fields["sentence"]} "{pronoun}" refers to the'


def _bbq(example: Example) -> str:
    return f"{example.fields['context']}\nQuestion: {example.fields['question']}\nAnswer:"


TASKS: tuple[Task, ...] = (
    Task(
        "crows_pairs",
        1,
        Files(crows, (("crows_pairs*.csv*",),)),
        bare(),
        Pairs("stereotype_preferred", "lower"),
        "Nangia et al. 2020, whole sentences compared",
    ),
    Task(
        "winogender",
        1,
        Files(winogender, (("*all_sentences.tsv*", "*occupations-stats.tsv*"), ("*all_sentences.tsv*",))),
        plain(_refers),
        Gap(Choice("sum"), ("male",), ("female",), "male_minus_female"),
        "GPT-3 report, §6.2; Rudinger et al. 2018",
    ),
    Task(
        "winobias",
        1,
        Files(winobias, ((*_TYPES, "*male_occupations.txt*"),)),
        plain(_refers),
        Gap(Choice("sum"), ("pro_type1", "pro_type2"), ("anti_type1", "anti_type2"), "pro_minus_anti"),
        "Zhao et al. 2018, asked as the GPT-3 report asks Winogender (§6.2)",
    ),
    Task(
        "bbq",
        1,
        Files(bbq, (("bbq*.zip",), ("BBQ/data/*.jsonl*",))),
        plain(_bbq),
        Bias(Choice("per_token")),
        "Parrish et al. 2022, §5",
    ),
)
