"""Readers: every public form read from a small file of that form, and shown as it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError, DataError
from presage.tasks.library import find
from presage.tasks.readers import programs, reasoning
from presage.tasks.shots import Shots


def write(path: Path, *rows: Any) -> Path:
    """JSON lines where the name says so, else one document; text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n" * (path.suffix == ".jsonl"))
    return path


# ---- reading ---------------------------------------------------------------------------------------------------------

STORY = {
    "id": "s1",
    "story": "A dog sat. It was red.",
    "questions": [{"input_text": "Who sat?", "turn_id": 1}, {"input_text": "Colour?", "turn_id": 2}],
    "answers": [{"input_text": "a dog", "turn_id": 1}, {"input_text": "red", "turn_id": 2}],
    "additional_answers": {"0": [{"input_text": "the dog"}, {"input_text": "Red."}]},
}


def test_coqa_is_read_turn_by_turn_and_shown_with_its_history(tmp_path: Path) -> None:
    write(tmp_path / "coqa-dev-v1.0.json", {"version": "1", "data": [STORY]})
    task = find("coqa")
    first, second = task.data.examples(tmp_path, 0)
    assert (first.id, first.group, first.targets) == ("s1/1", "s1", ("a dog", "the dog"))
    assert second.question == "A dog sat. It was red.\n\nColour?", "contamination is looked for in both"
    assert task.template.ask(second) == "A dog sat. It was red.\n\nQ: Who sat?\nA: a dog\nQ: Colour?\nA:"
    assert task.template.answer(second) == " red"


def test_squad_is_shown_as_in_the_report(tmp_path: Path) -> None:
    asked = [
        {"id": "q1", "question": "What?", "answers": [{"text": "ice"}, {"text": "ice"}, {"text": "the ice"}]},
        {"id": "q2", "question": "Who?", "answers": [], "is_impossible": True},
    ]
    document = {"data": [{"title": "Cold_water", "paragraphs": [{"context": "It is ice.", "qas": asked}]}]}
    write(tmp_path / "dev-v2.0.json", document)
    task = find("squad_v2")
    first, second = task.data.examples(tmp_path, 0)
    assert task.template.ask(first) == "Title: Cold water\n\nBackground: It is ice.\n\nQ: What?\n\nA:"
    assert first.targets == ("ice", "the ice")
    assert first.question == "It is ice.\n\nWhat?", "contamination is looked for in both"
    assert (second.targets, second.category) == (("N/A", ""), "unanswerable")
    assert first.group == second.group


@pytest.mark.parametrize(
    ("name", "file", "rows", "question", "targets"),
    [
        (
            "natural_questions",
            "NQ-open.dev.jsonl",
            [{"question": "who?", "answer": ["A", "B", "A"]}],
            "who?",
            ("A", "B"),
        ),
        (
            "triviaqa",
            "unfiltered-web-dev.json",
            [{"Data": [{"QuestionId": "t1", "Question": "Who?", "Answer": {"Value": "X", "Aliases": ["Y", "X"]}}]}],
            "Who?",
            ("X", "Y"),
        ),
        (
            "webquestions",
            "webquestions.examples.test.json",
            [[{"url": "u", "utterance": "who?", "targetValue": '(list (description "J. B") (description Jaxon))'}]],
            "who?",
            ("J. B", "Jaxon"),
        ),
        ("webquestions", "webquestions/test.jsonl", [{"question": "who?", "answers": ["J"]}], "who?", ("J",)),
    ],
)
def test_closed_book_questions(
    name: str, file: str, rows: list[Any], question: str, targets: tuple[str, ...], tmp_path: Path
) -> None:
    write(tmp_path / file, *rows)
    task = find(name)
    [example] = task.data.examples(tmp_path, 0)
    assert (example.question, example.targets) == (question, targets)
    assert task.template.ask(example) == f"Q: {question}\n\nA:"
    assert (task.shots, task.method.decoding.beams) == (64, 4)  # type: ignore[attr-defined]


# ---- reasoning -------------------------------------------------------------------------------------------------------


def test_calculator_marks_go_and_the_final_answer_stays(tmp_path: Path) -> None:
    write(tmp_path / "gsm8k" / "test.jsonl", {"question": "2+2?", "answer": "It is 2+2=<<2+2=4>>4.\nDone.\n#### 1,004"})
    [example] = find("gsm8k").data.examples(tmp_path, 0)
    assert example.fields["rationale"] == "It is 2+2=4.\nDone."
    assert example.targets == ("1,004",)
    assert find("gsm8k").template.answer(example) == " It is 2+2=4.\nDone.\nThe answer is 1,004."


_EXEMPLARS = '''"""Prompts."""
EXEMPLAR_NUMBER_ANSWERS = [11, 29]
OTHER = print
MGSM_EXEMPLARS = {
    "de": {"1": {"q": "Frage: Roger hat "
                 "5 Bälle: wie viele?", "a": "Schritt-für-Schritt-Antwort: 5 + 6 = 11. Die Antwort ist 11."}},
    "ja": {"1": {"q": "問題：ロジャーは5個", "a": "ステップごとの答え：5 + 6 = 11。"}, "2": {"q": "x", "a": "y"}},
}
'''


def test_mgsms_exemplars_are_read_as_literals(tmp_path: Path) -> None:
    write(tmp_path / "mgsm" / "exemplars.py", _EXEMPLARS)
    write(tmp_path / "mgsm" / "mgsm_de.tsv", "Wie viele?\t70000", "Und nun?\t-3", "")
    task = find("mgsm")
    examples, pool = task.data.examples(tmp_path, 0), task.data.pool(tmp_path, 0)
    assert [(one.category, one.question, one.targets) for one in examples] == [
        ("de", "Wie viele?", ("70000",)),
        ("de", "Und nun?", ("-3",)),
    ]
    assert [(one.category, one.targets) for one in pool] == [("de", ("11",)), ("ja", ("11",)), ("ja", ("29",))]
    assert pool[0].question == "Roger hat 5 Bälle: wie viele?"
    assert pool[1].fields["rationale"] == "5 + 6 = 11。"
    shots = Shots(task, pool, 1, 0)
    assert shots.context(examples[0]) == (
        "Question: Roger hat 5 Bälle: wie viele?\nStep-by-Step Answer: 5 + 6 = 11. Die Antwort ist 11.\n"
        "The answer is 11.\n\nQuestion: Wie viele?\nStep-by-Step Answer:"
    )


def test_an_exemplars_file_is_never_run(tmp_path: Path) -> None:
    path = write(
        tmp_path / "exemplars.py", "raise SystemExit(3)\nEXEMPLAR_NUMBER_ANSWERS = [len('x')]\nMGSM_EXEMPLARS = {}"
    )
    with pytest.raises(DataError, match="no literal"):
        reasoning.mgsm([path])


def test_options_are_shuffled_the_same_way_each_time(tmp_path: Path) -> None:
    rows = [{"input": f"day {n}?", "target_scores": {"a": 1, "b": 0, "c": 0}} for n in range(60)]
    path = write(tmp_path / "bigbench_date.json", {"examples": rows})
    examples = reasoning.lettered_choices([path])
    assert examples == reasoning.lettered_choices([path])
    assert {one.answer for one in examples} == {0, 1, 2}
    assert all(one.options[one.answer or 0] == "a" and one.targets == ("ABC"[one.answer or 0],) for one in examples)
    shown = find("date_understanding_cot").template.ask(examples[0])
    assert shown.startswith("Q: day 0?\nAnswer choices: (A) ")
    assert shown.endswith("\nA: Let's think step by step.")


def test_web_questions_of_one_page_are_told_apart(tmp_path: Path) -> None:
    rows = [{"url": "u", "utterance": f"{who}?", "targetValue": "(list (description J))"} for who in ("who", "where")]
    write(tmp_path / "webquestions" / "test.jsonl", *rows)
    assert [one.id for one in find("webquestions").data.examples(tmp_path, 0)] == ["test.jsonl:1", "test.jsonl:2"]


# ---- programs, texts, translations -----------------------------------------------------------------------------------

MBPP = {
    "task_id": 11,
    "text": "Write f.",
    "code": "def f(x):\r\n  return x",
    "test_list": ["assert set(f([1])) == {1}", "assert f(2) == 2"],
    "test_setup_code": "import math",
}


def test_mbpp_is_cut_into_prompts_and_tests(tmp_path: Path) -> None:
    write(tmp_path / "mbpp.jsonl", *({**MBPP, "task_id": n} for n in (2, 3, 4, 11, 510, 511)))
    task = find("mbpp")
    examples, pool = task.data.examples(tmp_path, 0), task.data.pool(tmp_path, 0)
    assert [one.id for one in examples] == ["MBPP/11", "MBPP/510"]
    assert [one.id for one in pool] == ["MBPP/2", "MBPP/3", "MBPP/4"]
    fields = examples[0].fields
    assert fields["entry"] == "f"
    assert fields["test"] == "import math\nassert set(f([1])) == {1}\nassert f(2) == 2\n"
    context = Shots(task, pool, 1, 0).context(examples[0])
    asked = (
        "You are an expert Python programmer, and here is your task: Write f. Your code should pass these tests:\n\n"
        "assert set(f([1])) == {1}\nassert f(2) == 2\n[BEGIN]"
    )
    assert context == f"{asked}\ndef f(x):\n  return x\n[DONE]\n\n{asked}"


def test_humanevals_tests_call_the_function(tmp_path: Path) -> None:
    row = {
        "task_id": "H/0",
        "prompt": "def f():\n",
        "entry_point": "f",
        "canonical_solution": "    pass\n",
        "test": "T",
    }
    [example] = programs.humaneval([write(tmp_path / "HumanEval.jsonl", row)])
    assert example.fields["test"] == "T\ncheck(f)\n"
    assert example.fields["prompt"] == "def f():\n"
    assert example.fields["setup"] == "def f():\n    pass\n", "a prompt alone would be no program"


def test_mbpps_tests_may_call_several_functions(tmp_path: Path) -> None:
    row = {**MBPP, "test_list": ["assert f(1) == g(2)", "assert h() == math.sqrt(4)"]}
    write(tmp_path / "mbpp.jsonl", row)
    [example] = find("mbpp").data.examples(tmp_path, 0)
    assert (example.fields["entry"], example.fields["more_entries"]) == ("f", ["g", "h"])


def test_treebank_and_plain_text_are_pieces_that_join_to_the_whole(tmp_path: Path) -> None:
    lines = [f" line {n} was n't long \n" for n in range(9000)]
    (tmp_path / "ptb.test.txt").write_text("".join(lines))
    examples = find("ptb").data.examples(tmp_path, 0)
    assert len(examples) > 2
    assert examples[0].question.startswith("line 0 wasn't long\nline 1 wasn't")
    assert sum(one.fields["words"] for one in examples) == 9000 * 6
    (tmp_path / "any.txt").write_text("x\u2028y\x85 z " * 30_000 + "\nend")
    plain = find("perplexity:any.txt")
    assert "".join(one.question for one in plain.data.examples(tmp_path, 0)) == (tmp_path / "any.txt").read_text()
    assert plain.name == "perplexity_any"


def test_summaries_of_both_forms(tmp_path: Path) -> None:
    rows = {"article": "Long. Text.", "highlights": "Short."}, {"document": "D.", "summary": "S."}
    write(tmp_path / "summaries" / "test.jsonl", *rows)
    task = find("summaries")
    first, second = task.data.examples(tmp_path, 0)
    assert task.template.ask(first) == "Long. Text.\nTL;DR:"
    assert second.targets == ("S.",)


def _flores(tmp_path: Path) -> None:
    rows = {"eng_Latn": "One", "fra_Latn": "Un", "zho_Hans": "一", "zho_Hant": "壹"}
    folder = tmp_path / "flores200"
    write(folder / "devtest.jsonl", *({"lang": k, "sentences": [v, v * 2]} for k, v in rows.items()))
    write(folder / "dev.jsonl", *({"lang": k, "sentences": [v * 3]} for k, v in rows.items() if k != "zho_Hant"))


def test_flores_pairs_in_either_form(tmp_path: Path) -> None:
    _flores(tmp_path)
    task = find("flores:eng-fra")
    examples, pool = task.data.examples(tmp_path, 0), task.data.pool(tmp_path, 0)
    assert Shots(task, pool, 1, 0).context(examples[1]) == "OneOneOne = UnUnUn\nOneOne ="
    asked = find("flores_asked:eng-fra")
    assert asked.template.ask(examples[0]) == "Q: What is the French translation of One\nA:"
    assert (asked.name, asked.shots) == ("flores_asked_eng_fra", 0)
    chinese = find("flores:fra-zho_Hant")
    assert chinese.data.pool(tmp_path, 0) == [], "the dev split lacks it"
    assert chinese.method.tokenize == "zh"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("flores:eng", "not two languages"),
        ("flores:eng-eng", "one language twice"),
        ("flores:eng-fr", "not two languages"),
        ("flores:eng-zho", "write zho_Hans or zho_Hant"),
        ("flores:eng-frb", "did you mean"),
        ("tatoeba:deu-fra", "without English"),
        ("humaneval:20", "samples@temperature"),
        ("humaneval:20@0", "all the same"),
        ("humaneval:0@1", "samples@temperature"),
        ("perplexity:", "no file"),
        ("reversed_words:", "no corpus"),
        ("flore:eng-fra", "did you mean 'flores:SOURCE-TARGET'"),
        ("gsm8", "did you mean 'gsm8k'"),
    ],
)
def test_a_family_says_what_it_cannot_make(name: str, says: str, tmp_path: Path) -> None:
    _flores(tmp_path)
    with pytest.raises(ConfigError, match=says):
        find(name).data.examples(tmp_path, 0)


def test_samples_and_temperature_are_a_familys(tmp_path: Path) -> None:
    task = find("humaneval:50@0.6")
    assert task.name == "humaneval_50_at_0.6"
    assert (task.method.samples, task.method.ks) == (50, (1, 10))  # type: ignore[attr-defined]
    assert (task.method.decoding.temperature, task.method.decoding.top_p) == (0.6, 0.95)  # type: ignore[attr-defined]
