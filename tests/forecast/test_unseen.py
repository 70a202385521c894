"""Verifying says what was not there to be checked, and looks at each file once."""

from __future__ import annotations

import collections
import shutil
from pathlib import Path
from typing import Any

import pytest

from presage import cli
from presage.core import run as runs
from presage.core.run import RunDir
from presage.forecast.verify import Verdict, examine
from tests.forecast.conftest import Chain


def test_what_is_missing_is_said(chain: Chain, tmp_path: Path) -> None:
    copy = chain.copy(tmp_path / "demo")
    assert examine(copy.root) == examine(copy.root / "forecast") == Verdict([])
    shutil.rmtree(copy.root / "score")
    assert examine(copy.root).unseen == ("no score in this folder",)
    shutil.rmtree(copy.root / "target")
    (said,) = examine(copy.root).unseen
    assert said.startswith("no target at ")


def test_every_file_is_hashed_and_the_forecast_read_once(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: collections.Counter[str] = collections.Counter()
    sha256, read_json = runs.sha256, RunDir.read_json

    def hashing(path: Path) -> str:
        seen[f"hash {path}"] += 1
        return sha256(path)

    def reading(self: RunDir, name: str) -> Any:
        seen[f"read {self.path / name}"] += name == "forecast.json"
        return read_json(self, name)

    monkeypatch.setattr(runs, "sha256", hashing)
    monkeypatch.setattr(RunDir, "read_json", reading)
    assert cli.main(["forecast", "verify", str(chain.root)]) == 0
    assert seen[f"hash {chain.root / 'score' / 'result.json'}"] == 1
    assert {name: count for name, count in seen.items() if count > 1} == {}
    assert seen[f"read {chain.root / 'forecast' / 'forecast.json'}"] == 1
