"""Readers: malformed files, whose line is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError, DataError
from presage.tasks.arithmetic import released
from presage.tasks.library.dialogue import conversations
from presage.tasks.readers import blanks, occupations, papers, people, programs, reading, reasoning, texts, translations
from presage.tasks.task import Example
from tests.tasks.test_free_readers import MBPP, STORY, write

Reader = Callable[[Sequence[Path]], list[Example]]

_GOOD_GSM = {"question": "q", "answer": "a\n#### 1"}
_MALFORMED: list[tuple[Reader, str, list[Any], str]] = [
    (reasoning.gsm8k, "a.jsonl", [_GOOD_GSM, "{broken"], r"a\.jsonl:2: not JSON"),
    (reasoning.gsm8k, "a.jsonl", [_GOOD_GSM, [1]], r"a\.jsonl:2: a JSON list"),
    (reasoning.gsm8k, "a.jsonl", [_GOOD_GSM, "", {"question": "q", "answer": "4"}], r"a\.jsonl:3: an answer without"),
    (reasoning.gsm8k, "a.jsonl", [{"question": 3, "answer": "#### 4"}], r"a\.jsonl:1: question: 3 is no text"),
    (reasoning.gsm8k, "a.jsonl", [""], "holds no rows"),
    (reasoning.mgsm, "mgsm_de.tsv", ["a\t1", "no tab"], r"mgsm_de\.tsv:2: not a question"),
    (reasoning.mgsm, "mgsm_de.tsv", ["a\tten"], r"mgsm_de\.tsv:1"),
    (
        reasoning.aqua,
        "a.jsonl",
        [{"question": "q", "options": ["A)1", "B)2"], "rationale": "r", "correct": "C"}],
        ":1: correct: 'C' is none of 'A', 'B'",
    ),
    (reasoning.word_problems, "a.json", [[{"sQuestion": "q", "lSolutions": [1, 2]}]], r"a\.json:1: 2 solutions"),
    (
        reasoning.svamp,
        "a.json",
        [[{"Body": "b", "Question": "q", "Answer": "many"}]],
        r"a\.json:1: Answer: 'many' is no number",
    ),
    (reasoning.questions, "a.json", [{"examples": [{"question": "q"}]}], r"a\.json:1: no 'answer'"),
    (
        reasoning.yes_no,
        "a.json",
        [{"examples": [{"input": "q", "target_scores": {"Yes": 1, "No": 1}}]}],
        "2 right options",
    ),
    (reasoning.yes_no, "a.json", [{"examples": 3}], "not a list"),
    (reading.coqa, "a.json", [{"data": [{**STORY, "answers": [{"input_text": "x"}]}]}], r"a\.json:1: 2 questions"),
    (
        reading.coqa,
        "a.json",
        [{"data": [{**STORY, "questions": [{}, {}]}]}],
        r"a\.json:s1: question 1: no 'input",
    ),
    (
        reading.squad,
        "a.json",
        [{"data": [{"title": "t", "paragraphs": [{"context": "c"}]}]}],
        "paragraph 1: no 'qas'",
    ),
    (
        reading.closed_book,
        "a.jsonl",
        [{"question": "q", "answer": [1]}],
        r"a\.jsonl:1: answer: 1 is no text",
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
    (papers.agieval("a"), "a.jsonl", [{"question": 3}], r"a\.jsonl:1: no 'label'"),
    (conversations, "a.jsonl", [{"choices": []}], r"a\.jsonl:1: no 'question_id'"),
    (
        people.winogender,
        "stats_sentences.tsv",
        ["sentid\tsentence\toccupation\tbls_pct_female", "nurse.man.1.male.txt\tThe nurse saw him\tnurse\tn/a"],
        r"stats_sentences\.tsv:2: bls_pct_female: 'n/a' is no number",
    ),
    (
        blanks.crosslingual("en"),
        "a.tsv",
        ['en\ts\to\tHe sat.\t["He"]\t["He", ["x", 1], 0]\t[["A", 0, 0, true], ["B", 0, 0, false]]'],
        r"a\.tsv:1: not a pronoun",
    ),
    (reading.closed_book, "a.jsonl", [{"question": "q"}], r"a\.jsonl:1: no 'answer'"),
    (texts.lambada, "a.jsonl", [{"text": "a b"}, {"text": "one"}], r"a\.jsonl:2: a passage of one word"),
    (texts.wikitext, "a.txt", [" = T = ", " ok ", "wrong", ""], r"a\.txt:3: a line that does not"),
    (texts.summaries, "a.jsonl", [{"article": "a"}], r"a\.jsonl:1: no 'highlights'"),
    (released, "a.jsonl", [{"context": "x", "completion": "4"}], r"a\.jsonl:1: a completion"),
    (
        programs.humaneval,
        "a.jsonl",
        [{"task_id": "1", "prompt": "p", "entry_point": "f()"}],
        r"a\.jsonl:1: 'entry_point'",
    ),
    (programs.mbpp, "a.jsonl", [{**MBPP, "test_list": ["assert f( == 1"]}], r"a\.jsonl:1: its tests are not Python"),
    (programs.mbpp, "a.jsonl", [{**MBPP, "test_list": ["assert len([]) == 0"]}], r"a\.jsonl:1: its tests call no"),
    (programs.mbpp, "a.jsonl", [{**MBPP, "task_id": 700}], "none of the problems 11 to 510"),
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
    (occupations.occupations, "a.tsv", ["name\tx", "nurse\t1"], r"a\.tsv:2: no 'occupation'"),
    (occupations.occupations, "a.tsv", ["occupation\tx", "nurse\t1\t2"], r"a\.tsv:2: 3 cells, not 2"),
    (occupations.occupations, "a.tsv", ["occupation\tx", "nurse\tmany"], r"a\.tsv:2: x: 'many' is no number"),
]


@pytest.mark.parametrize(
    ("read", "name", "rows", "says"), _MALFORMED, ids=[f"{n}-{row[1]}" for n, row in enumerate(_MALFORMED)]
)
def test_what_is_malformed_is_named_with_its_line(
    read: Reader, name: str, rows: list[Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises((DataError, ConfigError), match=says):
        read([write(tmp_path / name, *rows)])


def test_a_line_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"text": "a b"}\n{"text": "\xff b"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl:2: not UTF-8"):
        texts.lambada([tmp_path / "a.jsonl"])
