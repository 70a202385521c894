"""The tasks that presage knows by name, each declared once, in the module of its kind."""

from __future__ import annotations

import importlib
from difflib import get_close_matches

from presage.core.errors import ConfigError
from presage.tasks.family import Family
from presage.tasks.task import Task

NEAR = 3  # names that are told for an unknown one
ALL = "`presage tasks` lists all"

MODULES: tuple[str, ...] = (
    *("knowledge", "commonsense", "reading", "truthful", "pairs", "bias", "multilingual", "inverse"),
    *("exams", "exams_choice", "dialogue", "languages", "generative", "synthetic", "modelling", "probes", "limits"),
    *("held_out", "harness", "harness_free"),
)
"""Modules of this package; each has TASKS, a tuple of Task, and may have FAMILIES, a tuple of Family."""

SUITE: tuple[str, ...] = (
    *(
        "next_passage",
        "microcode",
        "docstring_summaries",
        "hindsight_neglect",
        "reasoning_slips",
        "pushback",
        "dated_facts",
    ),
    *("factuality", "position_loss", "occupation_bias", "occupation_bias_competent", "occupation_bias_incompetent"),
    *("two_digit_addition", "two_digit_subtraction", "three_digit_addition", "three_digit_subtraction"),
    *("four_digit_addition", "four_digit_subtraction", "five_digit_addition", "five_digit_subtraction"),
    *("two_digit_multiplication", "single_digit_three_ops", "novel_words", "cycle_letters_in_word"),
    *("mid_word_1_anagrams", "mid_word_2_anagrams", "random_insertion_in_word", "reversed_words"),
    *("mmlu", "arc_challenge", "arc_easy", "hellaswag", "piqa", "winogrande", "wsc273", "copa", "commonsense_qa"),
    *("boolq", "rte", "cola", "sst2", "blimp", "lambada", "wikitext2", "coqa", "triviaqa", "natural_questions"),
    *("truthfulqa_mc1", "truthfulqa_mc2", "crows_pairs", "winogender", "bbq", "xcopa_it", "xcopa_zh", "mgsm", "gsm8k"),
    *("flores_eng_fra", "flores_fra_eng", "humaneval", "mbpp", "mmlu_translated:en"),
    *("exam:lsat", "exam:sat_maths", "exam:sat_english", "exam:gre", "exam:gaokao_history_choice", "mt_bench"),
)
"""What `presage examine` asks, as far as there are files, a judge and a sandbox: something of every kind."""


def tasks() -> dict[str, Task]:
    """{name: task} of the whole library."""
    found: dict[str, Task] = {}
    for module in MODULES:
        for task in importlib.import_module(f"{__name__}.{module}").TASKS:
            assert task.name not in found, f"two tasks are called {task.name}"
            found[task.name] = task
    return found


def families() -> dict[str, Family]:
    """{name: family} of the whole library: tasks that are asked for as "name:what"."""
    modules = (importlib.import_module(f"{__name__}.{module}") for module in MODULES)
    return {family.name: family for module in modules for family in getattr(module, "FAMILIES", ())}


def find(name: str) -> Task:
    """The task of a name, or of a family's name, a colon and what it asks for. Raises ConfigError with a suggestion."""
    family, colon, what = name.partition(":")
    if colon and family in (found := families()):
        return found[family].make(what)
    known = tasks()
    if name not in known:
        forms = {one.name: one.form for one in families().values()}
        near = get_close_matches(family, [*forms] if colon else [*known, *forms], NEAR)
        meant = " or ".join(f"'{forms.get(one, one)}'" for one in near)
        hint = f"did you mean {meant}? {ALL}" if near else ALL
        raise ConfigError(f"unknown task '{name:.60}'", where="tasks", hint=hint)
    return known[name]
