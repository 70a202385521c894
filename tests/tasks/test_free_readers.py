"""Readers: every public form read from a small file of that form, and malformed files whose line is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError, DataError
from presage.tasks.arithmetic import released
from presage.tasks.exam import public
from presage.tasks.library import find
from presage.tasks.library.dialogue import conversations
from presage.tasks.readers import blanks, occupations, people, programs, reading, reasoning, texts, translations
from presage.tasks.shots import Shots
from presage.tasks.task import Example

Reader = Callable[[Sequence[Path]], list[Example]]


def _write(path: Path, *rows: Any) -> Path:
    """JSON lines where the name says so, else one document; text as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n" * (path.suffix == ".jsonl"))
    return path


# ---- reading ---------------------------------------------------------------------------------------------------------

_STORY = {
    "id": "s1",
    "story": "A dog sat. It was red.",
    "questions": [{"input_text": "Who sat?", "turn_id": 1}, {"input_text": "Colour?", "turn_id": 2}],
    "answers": [{"input_text": "a dog", "turn_id": 1}, {"input_text": "red", "turn_id": 2}],
    "additional_answers": {"0": [{"input_text": "the dog"}, {"input_text": "Red."}]},
}


def test_coqa_is_read_turn_by_turn_and_shown_with_its_history(tmp_path: Path) -> None:
    _write(tmp_path / "coqa-dev-v1.0.json", {"version": "1", "data": [_STORY]})
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
    _write(tmp_path / "dev-v2.0.json", document)
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
    _write(tmp_path / file, *rows)
    task = find(name)
    [example] = task.data.examples(tmp_path, 0)
    assert (example.question, example.targets) == (question, targets)
    assert task.template.ask(example) == f"Q: {question}\n\nA:"
    assert (task.shots, task.method.decoding.beams) == (64, 4)  # type: ignore[attr-defined]


# ---- reasoning -------------------------------------------------------------------------------------------------------


def test_calculator_marks_go_and_the_final_answer_stays(tmp_path: Path) -> None:
    _write(
        tmp_path / "gsm8k" / "test.jsonl", {"question": "2+2?", "answer": "It is 2+2=<<2+2=4>>4.\nDone.\n#### 1,004"}
    )
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
    _write(tmp_path / "mgsm" / "exemplars.py", _EXEMPLARS)
    _write(tmp_path / "mgsm" / "mgsm_de.tsv", "Wie viele?\t70000", "Und nun?\t-3", "")
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
    path = _write(
        tmp_path / "exemplars.py", "raise SystemExit(3)\nEXEMPLAR_NUMBER_ANSWERS = [len('x')]\nMGSM_EXEMPLARS = {}"
    )
    with pytest.raises(DataError, match="no literal"):
        reasoning.mgsm([path])


def test_options_are_shuffled_the_same_way_each_time(tmp_path: Path) -> None:
    rows = [{"input": f"day {n}?", "target_scores": {"a": 1, "b": 0, "c": 0}} for n in range(60)]
    path = _write(tmp_path / "bigbench_date.json", {"examples": rows})
    examples = reasoning.lettered_choices([path])
    assert examples == reasoning.lettered_choices([path])
    assert {one.answer for one in examples} == {0, 1, 2}
    assert all(one.options[one.answer or 0] == "a" and one.targets == ("ABC"[one.answer or 0],) for one in examples)
    shown = find("date_understanding_cot").template.ask(examples[0])
    assert shown.startswith("Q: day 0?\nAnswer choices: (A) ")
    assert shown.endswith("\nA: Let's think step by step.")


def test_web_questions_of_one_page_are_told_apart(tmp_path: Path) -> None:
    rows = [{"url": "u", "utterance": f"{who}?", "targetValue": "(list (description J))"} for who in ("who", "where")]
    _write(tmp_path / "webquestions" / "test.jsonl", *rows)
    assert [one.id for one in find("webquestions").data.examples(tmp_path, 0)] == ["test.jsonl:1", "test.jsonl:2"]


# ---- programs, texts, translations -----------------------------------------------------------------------------------

_MBPP = {
    "task_id": 11,
    "text": "Write f.",
    "code": "def f(x):\r\n  return x",
    "test_list": ["assert set(f([1])) == {1}", "assert f(2) == 2"],
    "test_setup_code": "import math",
}


def test_mbpp_is_cut_into_prompts_and_tests(tmp_path: Path) -> None:
    _write(tmp_path / "mbpp.jsonl", *({**_MBPP, "task_id": n} for n in (2, 3, 4, 11, 510, 511)))
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
    [example] = programs.humaneval([_write(tmp_path / "HumanEval.jsonl", row)])
    assert example.fields["test"] == "T\ncheck(f)\n"
    assert example.fields["prompt"] == "def f():\n"
    assert example.fields["setup"] == "def f():\n    pass\n", "a prompt alone would be no program"


def test_mbpps_tests_may_call_several_functions(tmp_path: Path) -> None:
    row = {**_MBPP, "test_list": ["assert f(1) == g(2)", "assert h() == math.sqrt(4)"]}
    _write(tmp_path / "mbpp.jsonl", row)
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
    _write(tmp_path / "summaries" / "test.jsonl", *rows)
    task = find("summaries")
    first, second = task.data.examples(tmp_path, 0)
    assert task.template.ask(first) == "Long. Text.\nTL;DR:"
    assert second.targets == ("S.",)


def _flores(tmp_path: Path) -> None:
    rows = {"eng_Latn": "One", "fra_Latn": "Un", "zho_Hans": "一", "zho_Hant": "壹"}
    folder = tmp_path / "flores200"
    _write(folder / "devtest.jsonl", *({"lang": k, "sentences": [v, v * 2]} for k, v in rows.items()))
    _write(folder / "dev.jsonl", *({"lang": k, "sentences": [v * 3]} for k, v in rows.items() if k != "zho_Hant"))


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
        ("flore:eng-fra", "did you mean 'flores'"),
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


# ---- malformed -------------------------------------------------------------------------------------------------------

_GOOD_GSM = {"question": "q", "answer": "a\n#### 1"}
_MALFORMED: list[tuple[Reader, str, list[Any], str]] = [
    (reasoning.gsm8k, "a.jsonl", [_GOOD_GSM, "{broken"], r"a\.jsonl:2: not JSON"),
    (reasoning.gsm8k, "a.jsonl", [_GOOD_GSM, [1]], r"a\.jsonl:2: a JSON list"),
    (reasoning.gsm8k, "a.jsonl", [_GOOD_GSM, "", {"question": "q", "answer": "4"}], r"a\.jsonl:3: an answer without"),
    (reasoning.gsm8k, "a.jsonl", [{"question": 3, "answer": "#### 4"}], r"a\.jsonl:1: 'question' is int"),
    (reasoning.gsm8k, "a.jsonl", [""], "holds no rows"),
    (reasoning.mgsm, "mgsm_de.tsv", ["a\t1", "no tab"], r"mgsm_de\.tsv:2: not a question"),
    (reasoning.mgsm, "mgsm_de.tsv", ["a\tten"], r"mgsm_de\.tsv:1"),
    (
        reasoning.aqua,
        "a.jsonl",
        [{"question": "q", "options": ["A)1", "B)2"], "rationale": "r", "correct": "C"}],
        ":1: 'correct'",
    ),
    (reasoning.word_problems, "a.json", [[{"sQuestion": "q", "lSolutions": [1, 2]}]], r"a\.json:1: 2 solutions"),
    (
        reasoning.svamp,
        "a.json",
        [[{"Body": "b", "Question": "q", "Answer": "many"}]],
        r"a\.json:1: 'Answer' is no number",
    ),
    (reasoning.questions, "a.json", [{"examples": [{"question": "q"}]}], r"a\.json:1: no key 'answer'"),
    (
        reasoning.yes_no,
        "a.json",
        [{"examples": [{"input": "q", "target_scores": {"Yes": 1, "No": 1}}]}],
        "2 right options",
    ),
    (reasoning.yes_no, "a.json", [{"examples": 3}], "not a list"),
    (reading.coqa, "a.json", [{"data": [{**_STORY, "answers": [{"input_text": "x"}]}]}], r"a\.json:1: 2 questions"),
    (reading.coqa, "a.json", [{"data": [{**_STORY, "questions": [{}, {}]}]}], r"a\.json:s1: question 1: no key"),
    (
        reading.squad,
        "a.json",
        [{"data": [{"title": "t", "paragraphs": [{"context": "c"}]}]}],
        "paragraph 1: no key 'qas'",
    ),
    (
        reading.closed_book,
        "a.jsonl",
        [{"question": "q", "answer": [1]}],
        r"a\.jsonl:1: 'answer' is not a list of texts",
    ),
    (
        reading.closed_book,
        "a.jsonl",
        [{"question": "q", "answer": {"value": "x", "aliases": 3}}],
        r"a\.jsonl:1: 'Aliases' is not a list",
    ),
    (
        reasoning.mgsm,
        "exemplars.py",
        ["MGSM_EXEMPLARS = {'de': []}", "EXEMPLAR_NUMBER_ANSWERS = [1]"],
        r"exemplars\.py: MGSM_EXEMPLARS: 'de' is not a table",
    ),
    (public.agieval, "a.jsonl", [{"question": 3}], r"a\.jsonl:1: not a question"),
    (conversations, "a.jsonl", [{"choices": []}], r"a\.jsonl:1: no 'question_id'"),
    (
        people.winogender,
        "stats_sentences.tsv",
        ["sentid\tsentence\toccupation\tbls_pct_female", "nurse.man.1.male.txt\tThe nurse saw him\tnurse\tn/a"],
        r"stats_sentences\.tsv:2: 'bls_pct_female' is no number",
    ),
    (
        blanks.crosslingual("en"),
        "a.tsv",
        ['en\ts\to\tHe sat.\t["He"]\t["He", ["x", 1], 0]\t[["A", 0, 0, true], ["B", 0, 0, false]]'],
        r"a\.tsv:1: not a pronoun",
    ),
    (reading.closed_book, "a.jsonl", [{"question": "q"}], r"a\.jsonl:1: no key 'answer'"),
    (texts.lambada, "a.jsonl", [{"text": "a b"}, {"text": "one"}], r"a\.jsonl:2: a passage of one word"),
    (texts.wikitext, "a.txt", [" = T = ", " ok ", "wrong", ""], r"a\.txt:3: a line that does not"),
    (texts.summaries, "a.jsonl", [{"article": "a"}], r"a\.jsonl:1: no key 'highlights'"),
    (released, "a.jsonl", [{"context": "x", "completion": "4"}], r"a\.jsonl:1: a completion"),
    (
        programs.humaneval,
        "a.jsonl",
        [{"task_id": "1", "prompt": "p", "entry_point": "f()"}],
        r"a\.jsonl:1: 'entry_point'",
    ),
    (programs.mbpp, "a.jsonl", [{**_MBPP, "test_list": ["assert f( == 1"]}], r"a\.jsonl:1: its tests are not Python"),
    (programs.mbpp, "a.jsonl", [{**_MBPP, "test_list": ["assert len([]) == 0"]}], r"a\.jsonl:1: its tests call no"),
    (programs.mbpp, "a.jsonl", [{**_MBPP, "task_id": 700}], "none of the problems 11 to 510"),
    (
        translations.Flores("eng", "fra"),
        "devtest.jsonl",
        [{"lang": "eng_Latn", "sentences": "x"}],
        "0 languages are 'fra'",
    ),
    (
        translations.Flores("eng", "fra"),
        "devtest.jsonl",
        [{"lang": "eng_Latn", "sentences": ["x"]}, {"lang": "fra_Latn", "sentences": ["x", "y"]}],
        "1 sentences in eng, 2 in fra",
    ),
    (translations.Tatoeba("deu", "eng"), "a.jsonl", [{"lang": "deu", "pairs": [["x", "y"], ["x"]]}], r":1: pair 2"),
    (occupations.occupations, "a.tsv", ["name\tx", "nurse\t1"], r"a\.tsv:1: no header"),
    (occupations.occupations, "a.tsv", ["occupation\tx", "nurse\t1\t2"], r"a\.tsv:2: 3 columns"),
    (occupations.occupations, "a.tsv", ["occupation\tx", "nurse\tmany"], r"a\.tsv:2: a share"),
]


@pytest.mark.parametrize(
    ("read", "name", "rows", "says"), _MALFORMED, ids=[f"{n}-{row[1]}" for n, row in enumerate(_MALFORMED)]
)
def test_what_is_malformed_is_named_with_its_line(
    read: Reader, name: str, rows: list[Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises((DataError, ConfigError), match=says):
        read([_write(tmp_path / name, *rows)])


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a b"}\n{"text": "\xff b"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:2: not UTF-8"):
        texts.lambada([tmp_path / "a.jsonl"])
