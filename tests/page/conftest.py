"""A browser for each file of tests: while it is open, its loop runs in this thread, and no other can."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from presage.align.label_votes import Votes
from tests.page.browser import launched


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with launched() as found:
        yield found


@pytest.fixture
def votes(tmp_path: Path) -> Iterator[Votes]:
    found = Votes.open(tmp_path / "votes.jsonl")
    yield found
    found.close()
