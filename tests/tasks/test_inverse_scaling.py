"""The Inverse Scaling Prize's format: items come back as written, bad files are named by line."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.tasks.inverse_scaling import Item, read, save
from tests.imports import ROOT

PILOT = ROOT.parent / "shared" / "data" / "eval" / "inverse_scaling_pilot"

# Items (as ../shared/data/README.md and the folder's PROVENANCE.txt have it), classes of the first, two prompts or one.
SETS = {
    "snli-1k.csv": (1000, (" True", " False", " Neither"), False),
    "scope-neglect-0shot.csv": (1320, (" Andrew", " Ben"), False),
    "conjunction_fallacy-0shot.csv": (1008, (" 1", " 2"), False),
    "dice-0shot.csv.xz": (1560, (" Yes", " No"), False),
    "syllogism-0shot.csv": (1000, (" Yes", " No"), False),
    "QA_bias-v2.csv": (40, (" Yes", " No"), True),
}


@pytest.mark.skipif(
    not PILOT.is_dir(), reason="the pilot sets (../shared/data/eval/inverse_scaling_pilot) are not here"
)
@pytest.mark.parametrize("name", SETS)
def test_the_pilot_sets(name: str) -> None:
    count, classes, compares = SETS[name]
    items = read(PILOT / name)
    assert len(items) == count
    assert items[0].classes == classes
    assert all((item.other_prompt is not None) == compares for item in items)
    assert all(item.answer in item.classes for item in items)


@pytest.mark.skipif(
    not PILOT.is_dir(), reason="the pilot sets (../shared/data/eval/inverse_scaling_pilot) are not here"
)
def test_every_table_of_the_pilot_folder_is_known() -> None:
    assert {path.name for path in PILOT.glob("*.csv*")} == SETS.keys()


ITEMS = [
    Item('Is "it", as they say,\nso?\nAnswer:', (" Yes", " No"), 1),
    Item("Ünïcode ✓", (" a", " b", " c"), 2, other_prompt="another"),
]
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(str.strip)


@pytest.mark.parametrize("name", ["i.csv", "i.jsonl"])
def test_items_come_back_as_written(tmp_path: Path, name: str) -> None:
    save(tmp_path / name, ITEMS)
    assert read(tmp_path / name) == ITEMS
    content = (tmp_path / name).read_bytes()
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    (tmp_path / f"{name}.xz").write_bytes(lzma.compress(content))
    assert read(tmp_path / f"{name}.gz") == read(tmp_path / f"{name}.xz") == ITEMS


@given(prompt=words, classes=st.lists(words, min_size=2, max_size=4, unique=True), data=st.data())
def test_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, prompt: str, classes: list[str], data: st.DataObject
) -> None:
    item = Item(prompt, tuple(classes), data.draw(st.integers(0, len(classes) - 1)))
    folder = tmp_path_factory.mktemp("items")
    for name in ("i.csv", "i.jsonl"):
        save(folder / name, [item])
        assert read(folder / name) == [item]


def test_the_prize_writes_an_index_column_and_python_lists(tmp_path: Path) -> None:
    (tmp_path / "i.csv").write_text(',prompt,classes,answer_index\n7,"Two\nlines:","["" it\'s"", \' N\']",0\n')
    assert read(tmp_path / "i.csv") == [Item("Two\nlines:", (" it's", " N"), 0)]


HEAD = "prompt,classes,answer_index\n"
CLASSES = "\"[' Y', ' N']\""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"i\.csv:1: no column 'prompt' \(columns: none\)"),
        ("prompt,classes\n", r"i\.csv:1: no column 'answer_index' \(columns: prompt, classes\)"),
        (HEAD, r"i\.csv: no items"),
        (HEAD + "q\n", r"i\.csv:2: not 3 cells"),
        (HEAD + f"q,{CLASSES},0,1\n", r"i\.csv:2: not 3 cells"),
        (HEAD + f" ,{CLASSES},0\n", r"i\.csv:2: prompt: no text"),
        (HEAD + f'"two\nlines",{CLASSES},1\nq,{CLASSES},2\n', r"i\.csv:4: answer_index: 2 is not from 0 to 1"),
        (HEAD + f"q,{CLASSES},-1\n", r"i\.csv:2: answer_index: -1 is not"),
        (HEAD + f"q,{CLASSES},Y\n", r"i\.csv:2: answer_index: 'Y' is not a number"),
        (HEAD + "q,Y N,0\n", r"i\.csv:2: classes: 'Y N' is not a list"),
        (HEAD + "q,\"[' Y']\",0\n", r"i\.csv:2: classes: .* is not a list of two"),
        (HEAD + "q,\"[' Y', ' Y']\",0\n", r"i\.csv:2: classes: .* a text twice"),
        (HEAD + 'q,"[1, 2]",0\n', r"i\.csv:2: classes: \[1, 2\] is not"),
        (HEAD + 'q,"__import__(""os"")",0\n', r"i\.csv:2: classes: .* is not a list"),
        (HEAD + f'q,"{"[" * 5000}",0\n', r"i\.csv:2: classes: .* is not a list"),
        (HEAD + 'q,"open,0\n', r"i\.csv:2: not a CSV table"),
    ],
)
def test_bad_tables_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "i.csv").write_text(text)
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "i.csv")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"prompt": "q"\n', r"i\.jsonl:1: a line that is not JSON"),
        ("[1]\n", r"i\.jsonl:1: a line that is not a JSON object"),
        ('{"prompt": "q", "classes": [" Y", " N"]}\n', r"i\.jsonl:1: no key 'answer_index'"),
        ('{"prompt": "q", "classes": [" Y", " N"], "answer_index": true}\n', r"answer_index: True is not from 0 to 1"),
        ('{"prompt": 3, "classes": [" Y", " N"], "answer_index": 0}\n', r"i\.jsonl:1: prompt: no text"),
        ('{"prompt": "q", "classes": " Y", "answer_index": 0}\n', r"i\.jsonl:1: classes: ' Y' is not"),
        (
            '{"prompt": "q", "classes": ["a", "b"], "answer_index": 0, "other_prompt": 1}\n',
            r":1: other_prompt: no text",
        ),
    ],
)
def test_bad_json_lines_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "i.jsonl").write_text(text)
    with pytest.raises(DataError, match=message):
        read(tmp_path / "i.jsonl")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("i.csv", b"\xff\xfe", r"i\.csv: damaged"),
        ("i.csv.xz", b"not xz", r"i\.csv\.xz: damaged"),
        ("i.csv.gz", b"not gz", r"i\.csv\.gz: damaged"),
        ("i.csv.xz", lzma.compress(b"prompt,classes,answer_index\n")[:-9], r"i\.csv\.xz: damaged"),
        ("i.txt", b"", r"i\.txt: not a table of items"),
        ("i", b"", r"i: not a table of items"),
    ],
)
def test_damaged_and_foreign_files(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read(tmp_path / name)


def test_a_missing_file_and_a_taken_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read(tmp_path / "none.csv")
    save(tmp_path / "i.csv", ITEMS)
    with pytest.raises(DataError, match="there is something of this name"):
        save(tmp_path / "i.csv", ITEMS[:1])
    assert read(tmp_path / "i.csv") == ITEMS
    with pytest.raises(DataError, match="not a name for items"):
        save(tmp_path / "i.txt", ITEMS)
