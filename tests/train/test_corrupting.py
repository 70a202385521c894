"""No damage goes unnoticed, and no checkpoint runs code or ends in a traceback; the long figures: `corrupting.py`."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from tests.train import corrupting


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corrupting.prepared(tmp_path_factory.mktemp("corrupting"))


def test_no_damage_of_checkpoints_or_shards_goes_unnoticed(root: Path) -> None:
    found = corrupting.damaged(root, 60) | corrupting.misplaced(root, 12)
    assert {kind: missed for kind, (_, missed) in found.items() if missed} == {}
    assert len(found) == 5 and all(count for count, _ in found.values())


def test_hostile_checkpoints_are_refused_in_one_line(root: Path) -> None:
    assert len(corrupting.hostile(root)) == 20
    assert corrupting.attacked(root) == {}


def test_the_attacks_would_work_on_a_careless_reader(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    pickles = [content for name, (_, content) in corrupting.hostile(canary).items() if name.startswith("pickle")]
    assert len(pickles) == 4
    for content in pickles:
        pickle.loads(content)
        assert canary.exists()
        canary.unlink()
