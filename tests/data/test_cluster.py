"""The corpus stage through datatrove's executors: the same documents, the same digest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import DataError
from presage.data import corpus
from presage.data.build import parts
from presage.data.cluster import executors, run_local
from presage.data.records import SPLITS
from tests.data.build.made import artifacts, kept
from tests.data.build.planted import everything
from tests.data.conftest import essay


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> corpus.Config:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(30):
        (folder / f"{n}.txt").write_text(essay(n % 25) if n < 28 else essay(3, 31))
    monkeypatch.setattr(parts, "PART", 4096)
    return corpus.Config(sources=(corpus.Source(name="mine", paths=(str(folder),)),), val_fraction=0.3)


@pytest.mark.parametrize("at_once", [1, 2])
def test_datatrove_keeps_the_same_documents(
    config: corpus.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    pytest.importorskip("datatrove")
    monkeypatch.setattr(corpus, "usable_cores", lambda: at_once)
    alone = corpus.run(config, tmp_path / "alone")
    spread = run_local(config, tmp_path / "spread", tmp_path / "logs", at_once=at_once)
    assert alone.value("removed/exact_copies") > 0
    for split in ("train", "val"):
        assert alone.value(f"{split}/content") == spread.value(f"{split}/content") != "0" * 16
        name = f"artifacts/{split}.jsonl.zst"
        assert (alone.path / name).read_bytes() == (spread.path / name).read_bytes()
    files = [{n: d for n, d in run.read_json("DONE")["files"].items() if n != "origin.json"} for run in (alone, spread)]
    assert files[0] == files[1]


def test_with_every_rule_on_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datatrove")
    monkeypatch.setattr(parts, "PART", 1 << 15)
    monkeypatch.setattr(corpus, "usable_cores", lambda: 1)
    config = everything(tmp_path)
    assert len(parts.Plan.of(config).parts) > 10
    alone = corpus.run(config, tmp_path / "alone")
    spread = run_local(config, tmp_path / "spread", tmp_path / "logs")
    assert kept(alone) == kept(spread)
    assert artifacts(alone) == artifacts(spread)
    assert [alone.value(f"{split}/content") == spread.value(f"{split}/content") for split in SPLITS] == [True, True]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"decontaminate": {"items": ["none.jsonl"]}}, "none.jsonl: cannot be read: No such file or directory"),
        ({"rules": {"toxicity": {"words": "none.txt"}}}, "none.txt: cannot be read: No such file or directory"),
    ],
)
def test_a_missing_file_of_a_rule_is_named_before_anything_starts(
    config: corpus.Config, tmp_path: Path, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        run_local(corpus.Config.parse(config.model_dump() | keys), tmp_path / "out", tmp_path / "logs")
    assert not (tmp_path / "out").exists()


def test_one_task_a_part_each_after_the_one_before(config: corpus.Config, tmp_path: Path) -> None:
    made = executors(config, tmp_path / "out", lambda name, pipeline, tasks, after: (name, tasks, after))
    count = len(parts.Plan.of(config).parts)
    assert count > 3
    assert [(name, tasks) for name, tasks, _ in made] == [
        ("corpus-begin", 1),
        ("corpus-judge", count),
        ("corpus-decide", 1),
        ("corpus-finish", count),
        ("corpus-end", 1),
    ]
    assert [after for _, _, after in made] == [None, *made[:-1]]


def test_a_missing_source_is_named_before_anything_starts(tmp_path: Path) -> None:
    config = corpus.Config(sources=(corpus.Source(name="mine", paths=(str(tmp_path / "none"),)),))
    with pytest.raises(DataError, match="none: no such file or folder"):
        run_local(config, tmp_path / "out", tmp_path / "logs")
    assert not (tmp_path / "out").exists()
