"""Translated MMLU: what is translated and what stays, translators and their cache."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.data.verbs import Completion, Continuation, Generation
from presage.evaluate.runner import Runner
from presage.tasks.library import find
from presage.tasks.shots import Shots
from presage.tasks.translated import Translated, instruction, mmlu, texts_of, translated_task, write_translations
from presage.tasks.translation import LANGUAGES, Cached, Prompted, Table, Unchanged, write_table
from tests.toy_model import ToyModel

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "eval"


class Shouting:
    """Translates into capitals; `asked` keeps every text it was asked for."""

    name = "shouting"

    def __init__(self, fails_at: int = 10**9) -> None:
        self.asked: list[str] = []
        self.fails_at = fails_at

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        for text in texts:
            if len(self.asked) == self.fails_at:
                raise DataError("the line is cut")
            self.asked.append(text)
        return [f"{target}:{text.upper()}" for text in texts]


def folder_with(folder: Path, questions: int = 1) -> Path:
    """MMLU of one subject, as the public files are."""
    for split, count in (("dev", 5), ("test", questions)):
        rows = [
            {"subject": "high_school_physics", "question": f"{split} {i}?", "choices": [f"a{i}", "b", "c", "d"],
             "answer": "ABCD"[i % 4]} for i in range(count)
        ]  # fmt: skip
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"mmlu_{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


SHOWN = """fr:A HIGHLY KNOWLEDGEABLE AND INTELLIGENT AI MODEL ANSWERS MULTIPLE-CHOICE QUESTIONS ABOUT \
HIGH SCHOOL PHYSICS.

fr:DEV 0?
A) fr:A0
B) fr:B
C) fr:C
D) fr:D
Answer: A

fr:DEV 1?
A) fr:A1
B) fr:B
C) fr:C
D) fr:D
Answer: B

fr:DEV 2?
A) fr:A2
B) fr:B
C) fr:C
D) fr:D
Answer: C

fr:TEST 0?
A) fr:A0
B) fr:B
C) fr:C
D) fr:D
Answer:"""


def test_all_is_translated_but_answer_and_letters(tmp_path: Path) -> None:
    folder = folder_with(tmp_path)
    task = translated_task("fr", Shouting())
    examples, pool = task.data.examples(folder, 0), task.data.pool(folder, 0)
    context = Shots(task, pool, task.shots, 0).context(examples[0])
    assert context == SHOWN
    model = ToyModel(logprob=lambda prompt, text: {" A": -1.0}.get(text, -2.0))
    [exchange] = Runner(model).run(task.method, examples, [context])
    assert model.asked == [Continuation(SHOWN, f" {letter}") for letter in "ABCD"]
    assert exchange.graded.scores == {"accuracy": 1.0}


def test_a_table_made_once_is_the_tasks_data(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, 3)
    (folder / "translations").mkdir()
    table = folder / "translations" / "fr.jsonl"
    count = write_translations(folder, "fr", Shouting(), table)
    assert count == len(table.read_text().splitlines()) == 1 + 8 + 5 + 3  # instruction; questions; a0 to a4; b c d
    task = find("mmlu_translated:fr")
    assert task.data.examples(folder, 0)[0].question == "fr:TEST 0?"
    assert table in task.data.files(folder)
    assert task.version == 1


def test_a_text_that_is_not_in_the_table_is_named(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, 1)
    (folder / "translations").mkdir()
    write_translations(folder, "fr", Shouting(), folder / "translations" / "fr.jsonl")
    folder_with(folder, 2)
    with pytest.raises(DataError, match=r"fr\.jsonl: no translation from en to fr of 'test 1\?'"):
        find("mmlu_translated:fr").data.examples(folder, 0)


def test_without_a_table_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file translations/cy\.jsonl"):
        find("mmlu_translated:cy").data.examples(folder_with(tmp_path), 0)


def test_english_needs_no_translation(tmp_path: Path) -> None:
    task = find("mmlu_translated:en")
    assert task.data.examples(folder_with(tmp_path), 0)[0].question == "test 0?"
    with pytest.raises(DataError, match="nobody translates from en to fr"):
        Unchanged().translate(["a"], "en", "fr")


def test_every_language_of_the_report_and_english() -> None:
    assert len(LANGUAGES) == 27
    assert len({find(f"mmlu_translated:{code}").name for code in LANGUAGES}) == 27


def test_subjects_of_csv_files_are_their_names(tmp_path: Path) -> None:
    path = tmp_path / "abstract_algebra_test.csv"
    path.write_text('"1 + 1?",1,2,3,4,B\n')
    [one] = mmlu([path])
    assert (one.category, one.answer) == ("abstract algebra", 1)
    assert "about abstract algebra." in instruction(one)


# ---- translators -----------------------------------------------------------------------------------------------------

TABLES = {
    '{"source": "en", "target": "fr", "text": "a"}': "t.jsonl:1: no text 'translation'",
    '{"source": "en", "target": "fr", "text": "a", "translation": " "}': "t.jsonl:1: no text 'translation'",
    '\n["en"]': "t.jsonl:2: not an object",
    "{": "t.jsonl:1: not JSON",
    '{"source":"en","target":"fr","text":"a","translation":"b"}\n'
    '{"source":"en","target":"fr","text":"a","translation":"c"}': "t.jsonl:2: a second translation of 'a'",
    '{"source":"en","target":"fr","text":"a","translation":"\\ud800"}': "t.jsonl:1: half a surrogate pair",
}


@pytest.mark.parametrize("text", TABLES, ids=range(len(TABLES)))
def test_bad_tables_are_refused_by_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.jsonl").write_text(text)
    with pytest.raises(DataError) as error:
        Table.read(tmp_path / "t.jsonl")
    assert TABLES[text] in str(error.value)


def test_what_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(b"\xff")
    with pytest.raises(DataError, match="not UTF-8"):
        Table.read(tmp_path / "t.jsonl")


@given(st.lists(st.text(min_size=1, max_size=9).filter(str.strip), max_size=5))
def test_a_table_written_is_the_table_read(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    path = tmp_path_factory.mktemp("tables") / "t.jsonl"
    write_table(path, texts, Shouting(), "en", "fr")
    assert Table.read(path).translate(texts, "en", "fr") == Shouting().translate(texts, "en", "fr")


def test_a_model_is_asked_to_translate() -> None:
    asked: list[Generation] = []

    def generate(requests: Sequence[Generation]) -> list[list[Completion]]:
        asked.extend(requests)
        return [[Completion(" Le chat. \n", None, None, "stop")] for _ in requests]

    assert Prompted(generate, "m").translate(["The cat."], "en", "fr") == ["Le chat."]
    assert "from English to French" in str(asked[0].prompt)
    assert "\nThe cat.\n" in str(asked[0].prompt)
    assert asked[0].decoding.temperature == 0


def test_an_empty_reply_is_an_error_that_names_the_text() -> None:
    empty = Prompted(lambda requests: [[Completion(" ", None, None, "stop")] for _ in requests], "m")
    with pytest.raises(DataError, match=r"prompted:m: no translation of 'The cat\.'"):
        empty.translate(["The cat."], "en", "fr")


def test_each_text_is_asked_once(tmp_path: Path) -> None:
    inner = Shouting()
    cached = Cached(inner, tmp_path, 2)
    assert cached.translate(["a", "b", "a"], "en", "fr") == ["fr:A", "fr:B", "fr:A"]
    assert cached.translate(["b", "c"], "en", "fr") == ["fr:B", "fr:C"]
    assert inner.asked == ["a", "b", "c"]
    assert cached.translate(["a"], "en", "de") == ["de:A"]


def test_what_was_translated_before_a_failure_is_kept(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the line is cut"):
        Cached(Shouting(fails_at=5), tmp_path, 2).translate(list("abcdefg"), "en", "fr")
    again = Shouting()
    assert Cached(again, tmp_path, 2).translate(list("abcdefg"), "en", "fr") == [f"fr:{x}" for x in "ABCDEFG"]
    assert again.asked == ["e", "f", "g"]


@pytest.mark.parametrize("damage", ["", "{", '{"source":"en","target":"fr","text":"z","translation":"y"}', "\xff"])
def test_a_damaged_file_of_the_cache_is_made_again(tmp_path: Path, damage: str) -> None:
    Cached(Shouting(), tmp_path).translate(["a"], "en", "fr")
    [file] = tmp_path.rglob("*.json")
    file.write_bytes(damage.encode("latin-1"))
    again = Shouting()
    assert Cached(again, tmp_path).translate(["a"], "en", "fr") == ["fr:A"]
    assert again.asked == ["a"]
    assert json.loads(file.read_text())["translation"] == "fr:A"


def test_the_public_files_are_read() -> None:
    if not SHARED.is_dir():
        pytest.skip("the public data folder ../shared/data is not on this machine")
    data = find("mmlu_translated:en").data
    assert isinstance(data, Translated)
    examples = data.examples(SHARED / "mmlu", 0)
    assert (len(examples), len({one.category for one in examples})) == (14042, 57)
    assert len(data.pool(SHARED / "mmlu", 0)) == 285
    assert len(texts_of(examples[0])) == 6
