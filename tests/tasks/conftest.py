"""What the tests of programs share: HumanEval as released, and a sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import Unavailable
from presage.tasks.sandbox import Sandbox
from tests.imports import ROOT

HUMANEVAL = ROOT.parent / "shared" / "data" / "eval" / "humaneval"


@pytest.fixture
def humaneval() -> Path:
    if not HUMANEVAL.is_dir():
        pytest.skip("the public data folder ../shared/data is not on this machine")
    return HUMANEVAL


@pytest.fixture
def box() -> Any:
    try:
        opened = Sandbox.open()
    except Unavailable as error:
        pytest.skip(str(error))
    with opened:
        yield opened
