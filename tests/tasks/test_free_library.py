"""Every declared task of these modules on the real files: counts, ids, prompts, and a model that knows the answers."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from presage.core.errors import DataError
from presage.data.embedded import standard_library
from presage.data.verbs import Generation
from presage.evaluate.runner import Exchange, Runner
from presage.tasks import scrambling
from presage.tasks.library import families, find, tasks
from presage.tasks.methods.free import without_beams
from presage.tasks.readers import texts
from presage.tasks.shots import Shots
from presage.tasks.task import LIKELIHOOD, Example, Task
from tests.imports import ROOT
from tests.tasks.asking import Sandboxed
from tests.toy_model import ToyModel

SHARED = ROOT.parent / "shared" / "data"
MODULES = ("generative", "synthetic", "modelling", "probes", "harness_free")
TASKS: dict[str, Task] = {
    task.name: task for name in MODULES for task in importlib.import_module(f"presage.tasks.library.{name}").TASKS
}
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the public files are not here")
ABSENT = ("coqa", "coqa_5shot", "squad_v2", "natural_questions", "triviaqa", "webquestions", "summaries", "mbpp", "ptb")
"""Their forms are read from small files in test_free_readers.py."""
OF_THIS_PYTHON = (
    "docstring_summaries",
    "cycle_letters_in_word",
    "mid_word_1_anagrams",
    "mid_word_2_anagrams",
    "random_insertion_in_word",
    "reversed_words",
)
"""Made from the documentation of the Python that runs: no counts that hold elsewhere."""
READ: tuple[tuple[str, int, int, str], ...] = (
    ("gsm8k", 1319, 7473, "4a09e3bb5388"),
    ("gsm8k_8shot", 1319, 7473, "5bb0492d9444"),
    ("gsm8k_vote", 1319, 7473, "f046a82a5227"),
    ("mgsm", 2750, 704, "cf274d122672"),
    ("aqua", 254, 254, "20fd84ec9c37"),
    ("addsub", 395, 0, "9e3827944d7f"),
    ("multiarith", 600, 0, "51df082a981c"),
    ("singleeq", 508, 0, "84a5274fa247"),
    ("svamp", 1000, 0, "36678b8c5551"),
    ("coin_flip", 500, 0, "20f4c385ed9b"),
    ("last_letters", 500, 0, "a6f1bb88828b"),
    ("date_understanding_cot", 369, 0, "9dda5d080744"),
    ("object_tracking", 750, 0, "b39a5664ac70"),
    ("strategyqa_cot", 2290, 0, "716da7025e55"),
    ("flores_eng_fra", 1012, 997, "a0abc9592c56"),
    ("flores_fra_eng", 1012, 997, "d4f254e18cdc"),
    ("tatoeba_deu_eng", 1000, 0, "13ca5a1295f8"),
    ("humaneval", 164, 0, "00b2e074e127"),
    ("humaneval_20_at_0.2", 164, 0, "00b2e074e127"),
    ("humaneval_200_at_0.8", 164, 0, "00b2e074e127"),
    ("two_digit_addition", 2000, 1000, "cc25e5cd9927"),
    ("two_digit_subtraction", 2000, 1000, "ab81ae2993bb"),
    ("three_digit_addition", 2000, 1000, "2c5e05ce560b"),
    ("three_digit_subtraction", 2000, 1000, "3902f2a64331"),
    ("four_digit_addition", 2000, 1000, "3f61e54a9a1a"),
    ("four_digit_subtraction", 2000, 1000, "9414e7adea5e"),
    ("five_digit_addition", 2000, 1000, "b0215204eb91"),
    ("five_digit_subtraction", 2000, 1000, "9be84564ae51"),
    ("two_digit_multiplication", 2000, 1000, "1dc4e2a763ba"),
    ("single_digit_three_ops", 2000, 1000, "7a65cbab979f"),
    ("released_two_digit_addition", 2000, 0, "1a7c64ada95d"),
    ("released_two_digit_subtraction", 2000, 0, "399738e64f50"),
    ("released_three_digit_addition", 2000, 0, "20e4cc88f058"),
    ("released_three_digit_subtraction", 2000, 0, "7ef4c6839ca9"),
    ("released_four_digit_addition", 2000, 0, "c682e0ff45c5"),
    ("released_four_digit_subtraction", 2000, 0, "576358d6daf5"),
    ("released_five_digit_addition", 2000, 0, "7fceb3249bbd"),
    ("released_five_digit_subtraction", 2000, 0, "dce598a0d432"),
    ("released_two_digit_multiplication", 2000, 0, "145b01d265e5"),
    ("released_single_digit_three_ops", 2000, 0, "251501e4ca13"),
    ("released_six_digit_addition", 2000, 0, "84b40f7f47e4"),
    ("released_six_digit_subtraction", 2000, 0, "01b4d2a58a5c"),
    ("released_sum_of_digits", 2000, 0, "3ada65045f71"),
    ("released_cycle_letters_in_word", 10000, 0, "34f67c51a667"),
    ("released_mid_word_1_anagrams", 10000, 0, "a4fcdd597457"),
    ("released_mid_word_2_anagrams", 10000, 0, "6438e75c4eb1"),
    ("released_random_insertion_in_word", 10000, 0, "c3b4c2054e8e"),
    ("released_reversed_words", 10000, 0, "a971bd4a1649"),
    ("novel_words", 12, 12, "22778fdd6555"),
    ("novel_words_judged", 12, 12, "c45bf3ea07da"),
    ("microcode", 70, 0, "32defdbef97c"),
    ("lambada", 5153, 0, "8d638394e955"),
    ("lambada_cloze", 5153, 0, "d1f6edeeaaa9"),
    ("lambada_stop_words", 5153, 0, "8d638394e955"),
    ("wikitext2", 62, 0, "08ff75b3bc49"),
    ("wikitext2_valid", 60, 0, "a125b07f54d2"),
    ("tinyshakespeare", 18, 0, "6ecb14ae6947"),
    ("occupation_bias", 60, 0, "02b666439d71"),
    ("occupation_bias_competent", 60, 0, "72fc6504b1c0"),
    ("occupation_bias_incompetent", 60, 0, "3d32c485d6d3"),
    ("favoured_words", 22, 0, "350807cb361d"),
    ("lambada_harness", 5153, 0, "8d638394e955"),
    ("wikitext_harness", 62, 0, "4467461f1087"),
    ("gsm8k_harness", 1319, 7473, "8cee1723081d"),
)
"""(task, examples, pool, first 12 hex digits of the sha256 of the first prompt with at most two shots)."""


@cache
def _examples(name: str) -> Sequence[Example]:
    return TASKS[name].data.examples(SHARED, 0)


@cache
def _pool(name: str) -> Sequence[Example]:
    return TASKS[name].data.pool(SHARED, 0)


def _shots(name: str, most: int = 2) -> Shots:
    return Shots(TASKS[name], _pool(name) or _examples(name), min(TASKS[name].shots, most), 0)


def test_the_table_names_every_task() -> None:
    assert {name for name, *_ in READ} | {*ABSENT, *OF_THIS_PYTHON} == set(TASKS)
    assert set(TASKS) <= set(tasks())


@pytest.mark.parametrize("name", TASKS)
def test_a_task_can_be_a_file_and_its_method_says_the_same_in_every_run(name: str) -> None:
    task = TASKS[name]
    assert re.fullmatch(r"[a-z0-9_.]+", name)
    assert " at 0x" not in repr(task.method)
    assert task.source
    assert task.version >= 1
    assert len({metric.name for metric in task.method.metrics}) == len(task.method.metrics) >= 1


@needs_shared
@pytest.mark.parametrize(("name", "examples", "pool", "digest"), READ, ids=[row[0] for row in READ])
def test_the_shared_files_are_read_whole(name: str, examples: int, pool: int, digest: str) -> None:
    found = _examples(name)
    assert (len(found), len(_pool(name))) == (examples, pool)
    assert len({one.id for one in found}) == examples
    assert not {one.id for one in found} & {one.id for one in _pool(name)} or name.startswith("novel")
    shots = _shots(name)
    first = shots.context(found[0])
    assert hashlib.sha256(first.encode()).hexdigest()[:12] == digest, first
    assert all(shots.task.template.ask(one).strip() and one.question.strip() for one in found)


@needs_shared
@pytest.mark.parametrize("name", ABSENT)
def test_what_is_not_there_is_said(name: str) -> None:
    with pytest.raises(DataError, match="no file"):
        TASKS[name].data.examples(SHARED, 0)


@pytest.fixture(scope="module", params=[8, pytest.param(1, marks=pytest.mark.slow)])
def of_every(request: pytest.FixtureRequest) -> Iterator[int]:
    """Of the standard library's files every so many: all of them take half a minute to read."""
    files = [*standard_library()][:: request.param]
    with pytest.MonkeyPatch.context() as patch:
        for module in (texts, scrambling):
            patch.setattr(module, "standard_library", lambda: files)
        _forget()
        yield request.param
    _forget()


def _forget() -> None:
    texts._documented.cache_clear()
    scrambling.frequent_words.cache_clear()


@pytest.mark.parametrize("name", OF_THIS_PYTHON)
def test_generated_from_this_python(name: str, tmp_path: Path, of_every: int) -> None:
    task = TASKS[name]
    examples, pool = task.data.examples(tmp_path, 0), task.data.pool(tmp_path, 0)
    assert len(examples) > (100 if of_every == 1 else 40)
    assert len({one.id for one in examples}) == len(examples)
    assert not {one.targets[0] for one in examples} & {one.targets[0] for one in pool} or name == "docstring_summaries"
    run = _run(task, Shots(task, pool, min(task.shots, 2), 0), examples[:20])
    _check(task, run)
    assert task.method.metrics[0].aggregate(task.method.metrics[0].name, [one.graded for one in run]) > 0.95


# ---- asked -----------------------------------------------------------------------------------------------------------


def _run(task: Task, shots: Shots, examples: Sequence[Example]) -> list[Exchange]:
    """Asked of a model that answers as a shot would be answered; programs pass where they hold the solution."""
    contexts = [shots.context(one) for one in examples]
    answers = {context: task.template.answer(one) for context, one in zip(contexts, examples, strict=True)}

    def write(prompt: str, sample: int) -> str:
        return answers[max((context for context in answers if prompt.startswith(context)), key=len)]

    solutions = {str(one.fields["solution"]).strip() for one in examples if "solution" in one.fields}
    sandbox = Sandboxed(lambda source: any(solution in source for solution in solutions))
    judge = ToyModel(write=lambda prompt, sample: "yes")
    return Runner(ToyModel(write=write), judge, sandbox).run(task.method, examples, contexts)


def _check(task: Task, run: Sequence[Exchange]) -> None:
    """Scores for every metric, and nothing in the log that JSON cannot hold."""
    for exchange in run:
        assert {metric.name for metric in task.method.metrics} == set(exchange.graded.scores)
        json.dumps([dict(exchange.graded.extra), dict(exchange.example.fields)], allow_nan=False)
    for metric in task.method.metrics:
        assert isinstance(metric.aggregate(metric.name, [exchange.graded for exchange in run]), float)


_WRITTEN = [row[0] for row in READ if not TASKS[row[0]].method.needs & LIKELIHOOD]


@needs_shared
@pytest.mark.parametrize("name", _WRITTEN)
def test_the_right_answers_are_graded_right(name: str) -> None:
    """Whatever a shot shows as the answer gets the full score: prompts, extraction and targets fit together."""
    task = TASKS[name]
    run = _run(task, _shots(name), _examples(name)[:25])
    _check(task, run)
    if name != "favoured_words":
        best = 100.0 if task.method.metrics[0].name == "bleu" else 1.0
        first = task.method.metrics[0]
        assert first.aggregate(first.name, [exchange.graded for exchange in run]) == pytest.approx(best)
    assert all(isinstance(request, Generation) for request, _ in run[0].asked[:1])


@needs_shared
@pytest.mark.parametrize("name", [row[0] for row in READ if row[0] not in _WRITTEN])
def test_likelihood_tasks_run_on_a_model_without_weights(name: str) -> None:
    task = TASKS[name]
    run = _run(task, _shots(name), _examples(name)[:3])
    _check(task, run)


def test_families_make_tasks_whose_names_are_files() -> None:
    made = {
        "flores:eng-fra": "flores_eng_fra",
        "tatoeba:eng-deu": "tatoeba_eng_deu",
        "tatoeba_asked:deu-eng": "tatoeba_asked_deu_eng",
        "humaneval:10@0.2": "humaneval_10_at_0.2",
        "perplexity:/some/where/my text.txt.xz": "perplexity_my_text",
        "reversed_words:corpus": "reversed_words_of_corpus",
    }
    assert {name: find(name).name for name in made} == made
    assert all(one.form.startswith(f"{name}:") and one.says for name, one in families().items())


def test_without_beams_a_task_is_written_greedily() -> None:
    task, plain = TASKS["two_digit_addition"], TASKS["lambada"]
    assert task.method.decoding.beams == 4  # type: ignore[attr-defined]
    assert without_beams(task).method.decoding == replace(task.method.decoding, beams=1)  # type: ignore[attr-defined]
    assert without_beams(plain) is plain
