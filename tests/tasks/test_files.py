"""Where a task's files are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from presage.core.errors import DataError
from presage.tasks.files import Files
from presage.tasks.task import Example


def _names(paths: object) -> list[Example]:
    return [Example(path.name, "?") for path in paths]  # type: ignore[attr-defined]


DATA = Files(_names, (("set/test.jsonl", "set/more.jsonl"), ("set/all.csv*",)), (("set/train.*",),))


def _make(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")


@pytest.mark.parametrize("inside", ["deep/down/", ""], ids=["below", "at the top"])
def test_a_folder_is_found_from_above(tmp_path: Path, inside: str) -> None:
    _make(tmp_path, f"{inside}set/all.csv.xz", f"{inside}set/train.json", f"{inside}other/all.csv")
    assert [one.id for one in DATA.examples(tmp_path, 0)] == ["all.csv.xz"]
    assert [one.id for one in DATA.pool(tmp_path, 0)] == ["train.json"]
    assert [path.name for path in DATA.files(tmp_path)] == ["all.csv.xz", "train.json"]


def test_a_folder_is_found_from_inside(tmp_path: Path) -> None:
    _make(tmp_path, "set/all.csv")
    assert [one.id for one in DATA.examples(tmp_path / "set", 0)] == ["all.csv"]


def test_an_alternative_counts_when_every_file_of_it_is_there(tmp_path: Path) -> None:
    _make(tmp_path, "set/test.jsonl", "set/all.csv")
    assert [one.id for one in DATA.examples(tmp_path, 0)] == ["all.csv"]
    _make(tmp_path, "set/more.jsonl")
    assert [one.id for one in DATA.examples(tmp_path, 0)] == ["test.jsonl", "more.jsonl"]


def test_without_shots_the_pool_is_empty_and_without_files_the_names_are_said(tmp_path: Path) -> None:
    _make(tmp_path, "set/test.jsonl")
    assert DATA.pool(tmp_path, 0) == []
    with pytest.raises(DataError, match=r"no file set/test.jsonl \+ set/more.jsonl or set/all.csv\* .*--data"):
        DATA.examples(tmp_path, 0)


def test_hidden_folders_are_not_searched_unless_named_themselves(tmp_path: Path) -> None:
    _make(tmp_path, ".venv/set/all.csv")
    with pytest.raises(DataError, match="no file"):
        DATA.examples(tmp_path, 0)
    assert [one.id for one in DATA.examples(tmp_path / ".venv", 0)] == ["all.csv"]
