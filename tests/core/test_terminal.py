"""What reaches a terminal from files, names and models is text and nothing else."""

from __future__ import annotations

import pytest

from presage import cli
from presage.cli.grammar import in_columns
from presage.core.terminal import visible


def test_what_is_not_seen_spells_itself() -> None:
    assert visible("a\x1b[2Jb\r\nc\td\x9b\u202e\ud800") == r"a\x1b[2Jb\r\nc\td\x9b\u202e\ud800"
    assert visible("a\x1b\r\nc\td", kept="\n\t") == "a\\x1b\\r\nc\td"
    assert visible("é 漢字\u3000字 \N{NO-BREAK SPACE}🙂 C:\\x1b") == "é 漢字\u3000字 \N{NO-BREAK SPACE}🙂 C:\\x1b"


def test_an_error_is_one_line_whatever_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["agreement", "no\nsuch\x1b[2J.jsonl"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert r"no\nsuch\x1b[2J.jsonl" in err


def test_a_cell_is_one_line_of_a_table() -> None:
    assert list(in_columns([["who", "n"], ["A\nda\x1b", "1"]])) == [r"who        n", r"A\nda\x1b  1"]
