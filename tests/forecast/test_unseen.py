"""Verifying says what was not there to be checked."""

from __future__ import annotations

import shutil
from pathlib import Path

from presage.forecast.verify import unseen
from tests.forecast.conftest import Chain


def test_what_is_missing_is_said(chain: Chain, tmp_path: Path) -> None:
    copy = chain.copy(tmp_path / "demo")
    assert unseen(copy.root) == []
    assert unseen(copy.root / "forecast") == []
    shutil.rmtree(copy.root / "score")
    assert unseen(copy.root) == ["no score in this folder"]
    shutil.rmtree(copy.root / "target")
    (said,) = unseen(copy.root)
    assert said.startswith("no target at ")
