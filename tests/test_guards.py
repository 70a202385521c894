"""tools/guards.py finds guards and removes what it says; the count itself takes minutes and is run by hand."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.imports import ROOT
from tools import guards


def test_files_and_their_tests_are_there() -> None:
    for file, tests in guards.GUARDED.items():
        assert all((ROOT / name).is_file() for name in (file, *tests)), file
    assert sum(len(list(guards.guards(file))) for file in guards.GUARDED) > 60


def test_a_guard_is_off_while_its_tests_run_and_back_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = "presage/data/loader.py"
    guard = next(g for g in guards.guards(file) if "sha256" in g.condition)
    place = tmp_path / file
    place.parent.mkdir(parents=True)
    whole = (ROOT / file).read_text(encoding="utf-8")
    place.write_text(whole, encoding="utf-8")
    seen = []

    def passes(name: str, tree: Path) -> bool:
        ast.parse((tree / name).read_bytes())
        seen.append((tree / name).read_text(encoding="utf-8"))
        return False

    monkeypatch.setattr(guards, "passes", passes)
    assert guards.missed(guard, tmp_path)
    assert seen == [whole.replace(f"if {guard.condition}:", f"if False and ({guard.condition}):")]
    assert seen[0] != whole == place.read_text(encoding="utf-8")
