"""Readers of the public forms of choice and pairs: what they make of a file, and of a bad one."""

from __future__ import annotations

import gzip
import lzma
from dataclasses import replace
from pathlib import Path

import pytest

from presage.core.errors import DataError
from presage.tasks.library import find, tasks
from presage.tasks.readers.choices import unlabelled
from presage.tasks.readers.rows import shuffled
from presage.tasks.readers.stories import clean
from presage.tasks.shots import Shots
from presage.tasks.task import Example
from tests.tasks import public_forms as forms
from tests.tasks.bad_forms import BAD, Bad
from tests.tasks.public_forms import FORMS, Form, jsonl, sheet, write


def _id(form: Form) -> str:
    return f"{form.task}-{FORMS.index(form)}"


@pytest.mark.parametrize("form", FORMS, ids=_id)
def test_the_whole_prompt_and_the_answer_of_a_file_in_the_public_form(form: Form, tmp_path: Path) -> None:
    task = replace(find(form.task), shots=form.shots)
    folder = write(tmp_path, form.files)
    examples = task.data.examples(folder, 0)
    pool = task.data.pool(folder, 0)
    assert Shots(task, pool or examples, form.shots, 0).context(examples[0]) == form.prompt
    assert task.template.answer(examples[0]) == form.answer
    assert {path.name for path in task.data.files(folder)} >= {
        path.name for path in folder.rglob("*") if path.suffix == ".zip"
    }
    assert examples[0].question.strip()


def test_every_kind_of_declaration_has_a_form() -> None:
    alike = ("_full", "_harness", "xcopa_", "xwinograd_", "agieval_", "gaokao_", "inverse_", "arc_", "cola_")
    seen = {form.task for form in FORMS} | {"pdp", "strategyqa", "tracking_three_objects", "dpr"}
    modules = ("knowledge", "commonsense", "reading", "pairs", "bias", "truthful", "multilingual", "exams_choice")
    mine = [name for name, task in tasks().items() if _module(name) in modules]
    assert [name for name in mine if name not in seen and not any(part in name for part in alike)] == []


def _module(name: str) -> str:
    import importlib

    from presage.tasks.library import MODULES

    found = (m for m in MODULES for t in importlib.import_module(f"presage.tasks.library.{m}").TASKS if t.name == name)
    return next(found)


def test_compressed_files_are_read_alike(tmp_path: Path) -> None:
    plain = find("rte").data.examples(write(tmp_path / "a", {"rte/val.jsonl": forms.RTE}), 0)
    for suffix, module in ((".gz", gzip), (".xz", lzma)):
        path = tmp_path / suffix / "rte" / f"val.jsonl{suffix}"
        path.parent.mkdir(parents=True)
        path.write_bytes(module.compress(forms.RTE.encode()))
        assert find("rte").data.examples(tmp_path / suffix, 0) == plain


def test_an_answer_of_mmlu_is_a_letter_or_an_index(tmp_path: Path) -> None:
    rows = jsonl(forms.MMLU_ROW, forms.MMLU_ROW | {"answer": 3})
    letter, index = find("mmlu").data.examples(write(tmp_path, {"mmlu_test.jsonl": rows}), 0)
    assert (letter.answer, index.answer) == (3, 3)


def test_translated_questions_are_the_same_under_the_whole_name_of_their_file(tmp_path: Path) -> None:
    path = tmp_path / "mmlu_test.jsonl.gz"
    path.write_bytes(gzip.compress(jsonl(forms.MMLU_ROW).encode()))
    (plain,), (translated,) = (find(name).data.examples(tmp_path, 0) for name in ("mmlu", "mmlu_translated:en"))
    assert (plain.id, translated.id) == ("mmlu_test.jsonl:1", "mmlu_test.jsonl.gz:1")
    assert (plain.category, translated.category) == ("high_school_art", "high school art")
    assert (translated.question, translated.options, translated.answer) == (plain.question, plain.options, plain.answer)


def test_fields_that_methods_and_exams_need(tmp_path: Path) -> None:
    def first(name: str) -> tuple[object, object, dict[str, object]]:
        form = next(form for form in FORMS if form.task == name)
        example = find(name).data.examples(write(tmp_path / name, form.files), 0)[0]
        return example.category, example.group, dict(example.fields)

    assert first("blimp") == ("plural_1", "", {"field": "morphology", "term": "agreement"})
    assert first("crows_pairs") == ("age", "", {"direction": "antistereo"})
    assert first("bbq")[2] | {} == {
        "context": "A man and a boy met. The man won.",
        "question": "Who won?",
        "tells": True,
        "unknown": 2,
        "biased": 1,  # the question is not negative: the stereotype picks the other one
    }
    assert first("winogender")[1:] == (
        "baker.guest.1",
        {
            "sentence": "The baker told the guest that she could pay.",
            "pronoun": "she",
            "gender": "female",
            "women": 61.5,
        },
    )
    assert first("winobias")[:2] == ("pro_type1", "type1:1")
    assert first("gap")[0] == "male"
    assert first("truthfulqa_mc2")[2] == {"true": [0, 1]}
    assert first("winogrande")[1] == "ab"
    category, group, fields = first("gaokao_english_reading")
    assert (category, group) == ("", "2010-2022_English_Reading_Comp:0")
    assert (fields["points"], fields["number"], fields["count"], fields["year"]) == (1.5, 1, 2, "2010")


def test_questions_of_one_passage_are_a_group(tmp_path: Path) -> None:
    rows = [forms.PAPER, forms.PAPER | {"question": "How?"}, forms.PAPER | {"passage": "Another."}]
    examples = find("agieval_lsat_rc").data.examples(write(tmp_path, {"lsat-rc.jsonl": jsonl(*rows)}), 0)
    first, second, third = (example.group for example in examples)
    assert first == second != third


@pytest.mark.parametrize(
    ("options", "plain"),
    [
        (("A)5", "B)6"), ("5", "6")),
        (("(A)5", "(B)(A) or 6"), ("5", "(A) or 6")),
        (("A. yes", "B．no"), ("yes", "no")),
        (("A No one", "B Some"), ("No one", "Some")),
        (("A dog", "Two cats"), ("A dog", "Two cats")),
        (("(A)", "(B)x"), ("(A)", "x")),
        (("B)5", "A)6"), ("B)5", "A)6")),
    ],
)
def test_labels_of_options_are_taken_off_and_words_are_not(options: tuple[str, ...], plain: tuple[str, ...]) -> None:
    assert unlabelled(options) == plain


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("[header] How to swim [title] Go in. [step] Kick.", "How to swim. Go in. Kick."),
        ("[title] Go in.", "Go in."),
        ("Wait... what? [title] Go", "Wait... what? Go"),
        ("plain  text ", "plain text"),
        ("[step]", "[step]"),
    ],
)
def test_marks_of_wikihow_are_taken_out(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_shuffled_options_keep_the_right_one() -> None:
    options = tuple("abcdef")
    found = [shuffled(Example(str(place), "q", options, 2)) for place in range(50)]
    assert {one.options[one.answer or 0] for one in found} == {"c"}
    assert {tuple(sorted(one.options)) for one in found} == {options}
    assert len({one.options for one in found}) > 40
    assert found == [shuffled(Example(str(place), "q", options, 2)) for place in range(50)]


# ---- bad files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", BAD, ids=[f"{place}-{bad.task}" for place, bad in enumerate(BAD)])
def test_a_bad_file_is_named_with_its_line(bad: Bad, tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        find(bad.task).data.examples(write(tmp_path, bad.files), 0)
    assert bad.where in str(error.value.where)
    assert bad.what in str(error.value)


def test_a_bad_solved_example_is_named(tmp_path: Path) -> None:
    files = {"sat-en.jsonl": jsonl(forms.PAPER), "few_shot_prompts.csv": sheet(["", "sat-en"], ["sample 1", "{oops"])}
    with pytest.raises(DataError, match="no value") as error:
        find("agieval_sat_en").data.pool(write(tmp_path, files), 0)
    assert str(error.value.where).endswith("few_shot_prompts.csv:2")


def test_bytes_that_are_no_text_are_named_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "rte" / "val.jsonl"
    path.parent.mkdir()
    path.write_bytes(forms.RTE.encode() + b"\xff\n")
    with pytest.raises(DataError, match="not UTF-8") as error:
        find("rte").data.examples(tmp_path, 0)
    assert str(error.value.where).endswith("val.jsonl:2")
