"""A file that labels go to: what is not ours is not touched, what is torn is mended, what was written is taken back."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.align.label_log import Log
from presage.align.records import Preference, line_of
from presage.core.errors import DataError, RunError
from presage.data.verbs import Message

LINE = b'{"id": "a"}\n'
RECORD = Preference((Message("user", "q"),), ("a", "b"), (1, 2), id="a")


@pytest.mark.parametrize(
    "content",
    [
        b"My notes, without an end",
        b"one\ntwo\n",
        b'{\n "a": 1\n}',
        b"{}\nnotes",
        b"\xff\xfe",
        b"# notes\n{",
        b"id,text\n",
    ],
)
def test_a_file_of_something_else_stays_as_it_was(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a file of labels"):
        Log.open(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("torn", [b"", b"{", b'{"', b'{"id": "b', b'{"id": "\xc3'])
def test_a_torn_line_goes_and_whole_ones_stay(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(LINE * 2 + torn)
    log = Log.open(path)
    assert [one.start for one in log.marks()] == [0, len(LINE)]
    log.close()
    assert path.read_bytes() == LINE * 2


def test_a_whole_line_without_its_newline_stays(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    path.write_bytes(LINE[:-1])
    Log.open(path).close()
    assert path.read_bytes() == LINE


def test_what_was_added_is_cut_off_again(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    log = Log.open(path)
    first, second = log.add(LINE), log.add(LINE)
    with pytest.raises(DataError, match="changed from elsewhere"):
        log.cut(first)
    log.cut(second)
    assert path.read_bytes() == LINE
    log.cut(first)
    log.close()
    assert not path.exists(), "a file that nothing was written to is removed"


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="cannot write"):
        Log.open(tmp_path)
    with pytest.raises(RunError, match=r"cannot write: No such file or directory$"):
        Log.open(tmp_path / "none" / "l.jsonl")


def test_keys_beside_a_record_are_none_of_its_own() -> None:
    assert b'"sources": ["x", "y"]' in line_of(RECORD, {"sources": ["x", "y"]})
    assert line_of(RECORD, {"id": "other"}) == line_of(RECORD)
    with pytest.raises(DataError, match="not be the same when read again"):
        line_of(RECORD, {"category": "slipped in"})
