"""Stage corpus: what is kept, what is counted, where it falls, and what a person reads when nothing is left."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError, CorruptError, DataError
from presage.core.run import RunDir
from presage.data import corpus
from presage.data.records import read_split
from tests.data.conftest import essay


def build(folder: Path, files: Mapping[str, str | bytes], **keys: Any) -> RunDir:
    return corpus.run(config_of(folder, files, **keys), folder / "out")


def config_of(folder: Path, files: Mapping[str, str | bytes], **keys: Any) -> corpus.Config:
    root = folder / "in"
    root.mkdir()
    for name, data in files.items():
        (root / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return corpus.Config(sources=(corpus.Source(name="mine", paths=(str(root),)),), **keys)


def table(run: RunDir, name: str) -> list[dict[str, str]]:
    with open(run.path / "tables" / f"{name}.csv", newline="") as file:
        return list(csv.DictReader(file))


def paths(run: RunDir, split: str) -> list[str]:
    return [document.path for document in read_split(run.path, split)]


def test_good_documents_are_kept_and_bad_ones_counted(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"{n}.txt": essay(n) for n in range(20)}
    files |= {"copy.txt": essay(3), "spaced.txt": essay(3).replace("\n", "\n\n"), "near.txt": essay(4, 31)}
    files |= {"binary.txt": b"\0\1\2", "latin.md": "é".encode("latin-1") * 9, "one.txt": "x", "empty.txt": ""}
    files |= {"rows.jsonl": json.dumps({"text": essay(90)}) + "\n{}\n" + json.dumps({"text": essay(91)}) + "\n"}
    run = build(tmp_path, files)
    found = {name: entry["value"] for name, entry in run.results().items()}
    assert found["read/documents"] == 20 + 3 + 2 + 2
    assert found["bad/documents"] == 3
    assert found["removed/too_short"] == 2
    assert found["removed/exact_copies"] == 2
    assert found["removed/near_copies"] == 1
    assert found["train/documents"] + found["val/documents"] == 22
    bad = {(row["file"], row["place"], row["reason"]) for row in table(run, "bad")}
    assert bad == {
        ("in/binary.txt", "byte 0", "a NUL byte: not text"),
        ("in/latin.md", "byte 0", "not UTF-8: invalid continuation byte"),
        ("in/rows.jsonl", "line 2", "no key 'text'"),
    }
    (row,) = table(run, "sources")
    assert int(row["bad/documents"]) == 3 and int(row["train/documents"]) == found["train/documents"]
    sizes = [len(d.text.encode()) for split in ("train", "val") for d in read_split(run.path, split)]
    assert sum(sizes) == found["train/bytes"] + found["val/bytes"]


def test_no_output_names_a_folder_above_the_sources_root(tmp_path: Path) -> None:
    run = build(tmp_path, {f"{n}.txt": essay(n) for n in range(5)} | {"bad.txt": b"\0"})
    outside_config = [p for p in run.path.rglob("*") if p.is_file() and p.name not in ("config.json", "DONE")]
    assert all(str(tmp_path).encode() not in p.read_bytes() for p in outside_config)
    assert all(path.startswith("in/") for path in paths(run, "train"))


# ---- the split ------------------------------------------------------------------------------------------------------


def test_the_split_depends_on_path_and_seed_only(tmp_path: Path) -> None:
    held_out = []
    for number, seed in enumerate((0, 0, 1)):
        folder = tmp_path / str(number)
        folder.mkdir()
        files = {f"{n}.txt": essay(n + 1000 * number) for n in range(40)}
        held_out.append(paths(build(folder, files, val_fraction=0.25, seed=seed), "val"))
    assert held_out[0] == held_out[1] != held_out[2]
    assert 3 <= len(held_out[0]) <= 20


def test_pieces_of_a_file_fall_on_one_side(tmp_path: Path) -> None:
    files = {f"{n}.txt": "".join(essay(100 * n + k) for k in range(6)) for n in range(12)}
    run = build(tmp_path, files, max_document_bytes=2048, val_fraction=0.3)
    train, val = paths(run, "train"), paths(run, "val")
    assert run.value("cut/pieces") > 20
    assert len(train) + len(val) == 12 + run.value("cut/pieces")
    assert set(train).isdisjoint(val) and val


def test_near_copies_never_straddle_the_split(tmp_path: Path) -> None:
    files = {f"{copy}-{n}.txt": essay(n, 60 + copy) for n in range(30) for copy in range(3)}
    run = build(tmp_path, files, val_fraction=0.5, allowed={"near_copies": 0.7})
    assert run.value("removed/near_copies") == 60
    assert len(paths(run, "train")) + len(paths(run, "val")) == 30


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_files_still_fill_both_sides(tmp_path: Path, count: int) -> None:
    run = build(tmp_path, {f"{n}.txt": essay(n, 100) for n in range(count)}, val_fraction=0.01)
    train, val = (list(read_split(run.path, split)) for split in ("train", "val"))
    assert train and val
    joined = "".join(sorted((d.text for d in train + val), key=len, reverse=True))
    assert sorted(joined) == sorted("".join(essay(n, 100) for n in range(count)))


def test_paragraphs_are_kept_once_where_asked(tmp_path: Path) -> None:
    notice = "This notice is repeated at the head of every single file there is, word for word.\n\n"
    config = config_of(tmp_path, {f"{n}.txt": notice + essay(n) for n in range(8)})
    kept = corpus.run(config, tmp_path / "kept")
    source = config.sources[0].model_copy(update={"unique_paragraphs": True})
    once = corpus.run(config.model_copy(update={"sources": (source,)}), tmp_path / "once")
    assert kept.value("removed/paragraphs") == 0
    assert once.value("removed/paragraphs") == 7
    assert once.value("removed/paragraph_bytes") == 7 * len(notice)


# ---- nothing left ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("existed", [False, True])
def test_nothing_left_says_why_and_leaves_nothing(tmp_path: Path, existed: bool) -> None:
    config = config_of(tmp_path, {"a.txt": b"\0\0", "b.txt": "x", "c.jsonl": "[]\n"})
    out = tmp_path / "out"
    if existed:
        out.mkdir()
    with pytest.raises(DataError) as caught:
        corpus.run(config, out)
    assert str(caught.value) == (
        "no document is left (read/documents 1, read/bytes 1, bad/documents 2, "
        "removed/too_short 1; first bad one: in/a.txt byte 0: a NUL byte: not text)"
    )
    assert out.exists() == existed and not list(tmp_path.glob("out/*"))


def test_bad_configs() -> None:
    for sources, message in (
        ([], "at least one source"),
        ([{"name": "a", "paths": ["x"]}, {"name": "a", "paths": ["y"]}], "a name of its own"),
        ([{"name": "a"}], "kind 'files' needs paths"),
        ([{"name": "a", "kind": "python-docs", "paths": ["x"]}], "the other kinds take none"),
        ([{"name": "a", "kind": "python"}], "python-docs"),
    ):
        with pytest.raises(ConfigError, match=message):
            corpus.Config.parse({"sources": sources})
    for fraction in (0, 1, -0.1):
        with pytest.raises(ConfigError, match="val_fraction"):
            corpus.Config.parse({"val_fraction": fraction})


def test_a_damaged_corpus_is_named(corpus_run: RunDir, tmp_path: Path) -> None:
    copy = tmp_path / "corpus"
    shutil.copytree(corpus_run.path, copy)
    file = copy / "artifacts" / "train.jsonl.zst"
    whole = file.read_bytes()
    flipped = bytearray(whole)
    flipped[len(flipped) // 2] ^= 1
    for damaged in (bytes(flipped), whole[: len(whole) // 2], b""):
        file.write_bytes(damaged)
        with pytest.raises(CorruptError, match=r"train\.jsonl\.zst: its content is not what DONE recorded"):
            list(read_split(copy, "train"))
    file.unlink()
    with pytest.raises(CorruptError, match=r"train\.jsonl\.zst: missing"):
        list(read_split(copy, "train"))
