"""Shards and batches: whole or refused; every window once an epoch; a pure function of (seed, number)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import CorruptError, DataError, RunError
from presage.core.run import RunDir, digest_of, sha256
from presage.data import shards
from presage.data.bpe import Tokenizer
from presage.data.loader import Loader, Split, Tokens, evaluation_windows
from presage.data.records import read_split


def split_of(count: int, shard_sizes: tuple[int, ...] = ()) -> Split:
    """Tokens 0, 1, 2, … in shards of the given sizes (the last one takes the rest)."""
    arrays = np.split(np.arange(count, dtype=np.uint32), np.cumsum(shard_sizes)) if shard_sizes else [np.arange(count)]
    return Split(arrays, count, count, np.ones(count, np.int32), "train")


# ---- shards ---------------------------------------------------------------------------------------------------------


def test_shards_hold_the_documents_in_order(shards_run: RunDir, corpus_run: RunDir, trained: Tokenizer) -> None:
    tokens = Tokens(shards_run.path)
    assert len(tokens.index["splits"]["train"]["files"]) > 3
    for name in ("train", "val"):
        split = tokens.split(name)
        documents = [d.text for d in read_split(corpus_run.path, name)]
        expected = [i for text in documents for i in (*trained.encode(text), trained.eot)]
        assert split.read(0, split.n_tokens).tolist() == expected
        facts = tokens.index["splits"][name]
        assert (facts["tokens"], facts["documents"]) == (len(expected), len(documents))
        assert facts["bytes"] == split.token_bytes[expected].sum() == sum(len(t.encode()) for t in documents)
    assert (tokens.vocab_size, tokens.eot, tokens.dtype) == (300, 299, np.dtype("<u2"))
    assert Tokenizer.load(shards_run.path).ranks == trained.ranks


def test_a_large_vocabulary_takes_four_bytes(corpus_run: RunDir, tmp_path: Path, cl100k: Tokenizer) -> None:
    from presage.data import tokenizer

    run = RunDir.create(tmp_path / "tokenizer", "tokenizer", tokenizer.Config(corpus=corpus_run.path))
    run.write_text("artifacts/tokenizer.json", cl100k.to_json())
    run.finish()
    made = shards.run(shards.Config(corpus=corpus_run.path, tokenizer=run.path), tmp_path / "shards")
    tokens = Tokens(made.path)
    assert tokens.dtype == np.dtype("<u4") and tokens.eot == 100257
    text = next(read_split(corpus_run.path, "train")).text
    assert cl100k.decode(tokens.split("train").read(0, 500).tolist()).startswith(text)


@pytest.fixture
def copy(shards_run: RunDir, tmp_path: Path) -> Path:
    shutil.copytree(shards_run.path, tmp_path / "shards")
    return tmp_path / "shards"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0\0")


def swap(path: Path) -> None:
    other = path.with_name("train-00001.bin")
    first, second = path.read_bytes(), other.read_bytes()
    assert len(first) == len(second)
    path.write_bytes(second)
    other.write_bytes(first)


def flip_low_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "damage, message",
    [
        (flip_low_bit, r"train-00000\.bin: .*not what index\.json recorded"),
        (swap, r"train-00000\.bin: .*not what index\.json recorded"),
        (truncate, r"train-00000\.bin: byte 2045: truncated: 2,045 bytes instead of 2,048"),
        (lengthen, r"train-00000\.bin: byte 2048: too long"),
        (Path.unlink, r"train-00000\.bin: missing"),
    ],
)
def test_damaged_shards_are_named(copy: Path, damage: Callable[[Path], None], message: str) -> None:
    damage(copy / "artifacts" / "train-00000.bin")
    with pytest.raises(CorruptError, match=message):
        Tokens(copy)


def test_sizes_and_range_are_checked_even_without_verification(copy: Path) -> None:
    file = copy / "artifacts" / "train-00002.bin"
    data = np.fromfile(file, "<u2")
    data[17] = 300
    data.tofile(file)
    with pytest.raises(CorruptError, match=r"train-00002\.bin: byte 34: token 300 is outside the vocabulary of 300"):
        Tokens(copy, verify=False)
    truncate(file)
    with pytest.raises(CorruptError, match=r"train-00002\.bin: byte 2045: truncated"):
        Tokens(copy, verify=False)


def test_a_low_bit_passes_only_when_not_verified(copy: Path) -> None:
    flip_low_bit(copy / "artifacts" / "train-00000.bin")
    assert Tokens(copy, verify=False).split("train").n_tokens > 0


@pytest.mark.parametrize("name", ["index.json", "token_bytes.bin"])
def test_damage_beside_the_shards(copy: Path, name: str) -> None:
    file = copy / "artifacts" / name
    file.write_bytes(
        file.read_bytes().replace(b"3", b"4", 1) if name == "index.json" else b"\2" + file.read_bytes()[1:]
    )
    with pytest.raises(CorruptError, match=f"{name}: its content is not what DONE recorded"):
        Tokens(copy)
    file.unlink()
    with pytest.raises(CorruptError, match=f"{name}: missing"):
        Tokens(copy)


def test_an_out_of_range_token_with_consistent_digests(copy: Path) -> None:
    """A shard written wrongly, not damaged: its recorded digests agree, its ids do not."""
    file = copy / "artifacts" / "val-00000.bin"
    data = np.fromfile(file, "<u2")
    data[3] = 5000
    data.tofile(file)
    index_file = copy / "artifacts" / "index.json"
    index = json.loads(index_file.read_text())
    index["splits"]["val"]["files"][0]["sha256"] = sha256(file)
    index_file.write_text(json.dumps(index))
    done = json.loads((copy / "DONE").read_text())
    done["files"]["artifacts/val-00000.bin"], done["files"]["artifacts/index.json"] = sha256(file), sha256(index_file)
    (copy / "DONE").write_text(json.dumps(done | {"digest": digest_of(done["files"])}))
    with pytest.raises(CorruptError, match=r"val-00000\.bin: byte 6: token 5000"):
        Tokens(copy)


def test_what_is_not_a_shards_run(corpus_run: RunDir, shards_run: RunDir, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a 'corpus' run, but a 'shards' run is needed"):
        Tokens(corpus_run.path)
    with pytest.raises(RunError, match="not a run directory"):
        Tokens(tmp_path)
    with pytest.raises(DataError, match=r"no split 'test' \(has train, val\)"):
        Tokens(shards_run.path).split("test")


# ---- reading --------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(0, 60), st.integers(0, 60))
def test_reading_across_shard_borders(sizes: list[int], start: int, length: int) -> None:
    count = sum(sizes) + 5
    assert split_of(count, tuple(sizes)).read(start, length).tolist() == list(range(count))[start : start + length]


# ---- batches --------------------------------------------------------------------------------------------------------


@given(count=st.integers(2, 200), context=st.integers(1, 30), seed=st.integers(0, 5), epoch=st.integers(0, 6))
def test_an_epoch_visits_windows_that_do_not_overlap_once(count: int, context: int, seed: int, epoch: int) -> None:
    split = split_of(count, (count // 3, count // 3))
    if count < context + 1:
        with pytest.raises(DataError, match=f"has {count} tokens; a sequence needs {context + 1}"):
            Loader(split, context, seed)
        return
    loader = Loader(split, context, seed)
    x, y = loader.batch(epoch * loader.n_windows, loader.n_windows)
    assert x.shape == y.shape == (loader.n_windows, context) and x.dtype == y.dtype == np.int64
    assert (y == x + 1).all(), "targets are one token later"
    assert len(np.unique(x)) == x.size, "no token is an input twice in an epoch"
    assert (np.diff(x, axis=1) == 1).all()
    assert count - x.size < 2 * context + 1, "at most a window and a phase are left out"


@given(first=st.integers(0, 10_000), count=st.integers(1, 40), cut=st.integers(0, 40), seed=st.integers(0, 3))
def test_a_batch_is_a_pure_function_of_seed_and_numbers(first: int, count: int, cut: int, seed: int) -> None:
    split, cut = split_of(500), min(cut, count)
    whole, _ = Loader(split, 16, seed).batch(first, count)
    loader = Loader(split, 16, seed)
    loader.batch(0, 100)  # what was asked before does not matter
    later, _ = loader.batch(first + cut, count - cut)
    earlier, _ = loader.batch(first, cut)
    assert (np.concatenate([earlier, later]) == whole).all()


def test_epochs_and_seeds_differ() -> None:
    loader, other = Loader(split_of(5000), 16, 0), Loader(split_of(5000), 16, 1)
    epochs = [loader.batch(e * loader.n_windows, loader.n_windows)[0] for e in range(6)]
    assert all((a != b).any() for a in epochs for b in epochs if a is not b)
    assert (other.batch(0, 50)[0] != loader.batch(0, 50)[0]).any()
    assert len({int(e.min()) % 16 for e in epochs}) > 1, "the phase changes"


def test_old_numbers_are_still_right_after_many_epochs() -> None:
    loader = Loader(split_of(200), 16, 0)
    first = loader.batch(0, 5)[0].copy()
    for epoch in range(50):
        loader.batch(epoch * loader.n_windows, 1)
    assert (loader.batch(0, 5)[0] == first).all()
    assert len(loader._epochs) <= 4


def test_the_last_token_is_a_target_in_some_epoch() -> None:
    loader = Loader(split_of(100), 16, 0)
    targets = np.concatenate([loader.batch(e * loader.n_windows, loader.n_windows)[1].ravel() for e in range(60)])
    assert set(targets.tolist()) == set(range(1, 100))


def test_evaluation_windows() -> None:
    split = split_of(1001)
    x, y = evaluation_windows(split, 10, 300)
    assert x.shape == (30, 10) and (y == x + 1).all() and len(np.unique(x)) == 300
    assert (np.diff(x[:, 0]) > 0).all(), "in file order"
    again, _ = evaluation_windows(split, 10, 300)
    assert (again == x).all()
    more, _ = evaluation_windows(split, 10, 500)
    assert set(x[:, 0].tolist()) < set(more[:, 0].tolist()), "more tokens keep the windows of fewer"
    assert evaluation_windows(split, 10, 10**9)[0].shape == (100, 10)
    assert evaluation_windows(split, 10, 1)[0].shape == (1, 10)
    with pytest.raises(DataError, match="has 5 tokens; a window needs 11"):
        evaluation_windows(split_of(5), 10, 100)
