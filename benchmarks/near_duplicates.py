"""Near duplicates: precision and recall on edited real passages beside rensa and datasketch, speed, memory.

Passages of 100 to 1,500 words are cut from documents (made ones by default; --corpus takes JSON lines with a "text" or
with "pairs" of translations, whose first half counts) and edited: words dropped, exchanged, moved, paragraphs added, so
that similarities spread over 0.5 to 1, half of them within 0.05 of the threshold. The label is exact Jaccard similarity
of sets of folded 5-word shingles, in plain Python. Speed is in processor time of one process, texts in memory.
"""

from __future__ import annotations

import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from harness.copies import SIMILAR, Labelled, Leaders, documents, edited, megabytes, passages
from harness.report import entry, options, publish, table

from presage.data import near, shingles
from presage.data.near import band_keys, digest_columns, leaders
from presage.data.rules.texts import Texts

PERMUTATIONS = 128  # of the peers, as their own pages set them
RENSA_BANDS = 16
BATCH = 512  # texts
T = TypeVar("T")


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--corpus", type=Path, nargs="*", default=[], help="files of JSON lines")
    parser.add_argument("--passages", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many counts")
    parser.add_argument("--rows", type=int, default=50_000, help="documents whose columns the memory is measured with")
    parser.add_argument("--memory-rows", type=int, default=1 << 16)
    args = parser.parse_args()
    memory = _memory(args.rows, args.memory_rows)  # first: a process starts with the peak of the one that starts it
    originals = passages(documents(args.corpus), args.passages)
    labelled = Labelled.of(originals)
    parts = [
        table(
            ["system", "precision", "recall", "shingles, MB/s", "the rest, MB/s", "all, MB/s"],
            _quality(labelled, args.rounds),
        ),
        f"{labelled.said()} Ours makes keys and decides by exact similarity; the peers ({PERMUTATIONS} permutations) "
        "get ready-made shingles of a plain Python loop, and their own estimate decides.",
        table(
            ["texts", "MB", "removed", "digests", "keys", "pairs", "decisions", "all, MB/s"],
            _speeds(originals, args.rounds),
        ),
        table(["sketch", "shingles", "found at 0.8", "proposed at 0.5", "million shingles/s"], _sketches()),
        memory,
    ]
    publish("near-duplicates", "Near duplicates", parts, write=args.write)


# ---- quality --------------------------------------------------------------------------------------------------------


def _quality(labelled: Labelled, rounds: int) -> list[list[str]]:
    size = megabytes(labelled.texts)
    rows = []
    for name, system in {"presage": _ours, "rensa": _rensa, "datasketch": _datasketch}.items():
        try:
            found, seconds = _best(rounds, system, labelled)
        except ImportError:
            rows.append([name, *["not installed"] * 5])
            continue
        precision, recall = labelled.score(found)
        before = 0.0 if system is _ours else labelled.shingle_seconds
        rates = [f"{size / before:.1f}" if before else "-", f"{size / seconds:.1f}", f"{size / (before + seconds):.1f}"]
        rows.append([name, f"{precision:.4f}", f"{recall:.4f}", *rates])
    return rows


def _ours(labelled: Labelled) -> Leaders:
    return _leaders(_digests(labelled.texts), _keys(labelled.texts), labelled.texts)


def _rensa(labelled: Labelled) -> Leaders:
    from rensa import RMinHash, RMinHashLSH

    def hashed(one: set[str]) -> Any:
        minhash = RMinHash(PERMUTATIONS, 42)
        minhash.update(list(one))
        return minhash

    return _one_by_one(RMinHashLSH(SIMILAR, PERMUTATIONS, RENSA_BANDS), map(hashed, labelled.sets))


def _datasketch(labelled: Labelled) -> Leaders:
    from datasketch import MinHash, MinHashLSH

    def hashed(one: set[str]) -> Any:
        minhash = MinHash(num_perm=PERMUTATIONS)
        minhash.update_batch([shingle.encode() for shingle in one])
        return minhash

    return _one_by_one(MinHashLSH(threshold=SIMILAR, num_perm=PERMUTATIONS), map(hashed, labelled.sets))


def _one_by_one(index: Any, minhashes: Iterable[Any]) -> Leaders:
    """The first candidate of each text that the peer itself estimates to be similar enough."""
    seen: list[Any] = []
    found: Leaders = {}
    for i, minhash in enumerate(minhashes):
        alike = [j for j in sorted(index.query(minhash)) if seen[j].jaccard(minhash) >= SIMILAR]
        if alike:
            found[i] = alike[0]
        index.insert(i, minhash)
        seen.append(minhash)
    return found


# ---- speed ----------------------------------------------------------------------------------------------------------


def _speeds(originals: Sequence[str], rounds: int) -> Iterator[list[str]]:
    """Stage by stage: MB of text a second, each."""
    for name, versions in {"passages alone": 0, "with one version each": 1, "with nine": 9}.items():
        chance = random.Random(3)
        some = originals[:: 1 + versions]
        texts = [*some, *(edited(text, chance.choice(originals), chance) for _ in range(versions) for text in some)]
        digests, digesting = _best(rounds, _digests, texts)
        keys, keying = _best(rounds, _keys, texts)
        found, deciding = _best(rounds, _leaders, digests, keys, texts)
        _, pairing = _best(rounds, _pairs, keys)
        size = megabytes(texts)
        stages = (digesting, keying, pairing, deciding - pairing, digesting + keying + deciding)
        rates = [f"{size / seconds:,.1f}" for seconds in stages]
        yield [name, f"{size:.1f}", f"{len(found):,} of {len(texts):,}", *rates]


def _digests(texts: Sequence[str]) -> np.ndarray:
    return np.concatenate([digest_columns(batch) for batch in _batches(texts)])


def _keys(texts: Sequence[str]) -> np.ndarray:
    return np.concatenate([band_keys(Texts(batch)) for batch in _batches(texts)])


def _pairs(keys: np.ndarray) -> None:
    with tempfile.TemporaryFile() as file:
        near._candidates(keys, np.ones(len(keys), bool), 1 << 20, file)


def _leaders(digests: np.ndarray, keys: np.ndarray, texts: Sequence[str]) -> Leaders:
    leader, _ = leaders(digests, keys, lambda rows: (texts[i] for i in rows), similar=SIMILAR)
    return {i: first for i, first in enumerate(leader.tolist()) if first != i}


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[first : first + BATCH] for first in range(0, len(texts), BATCH))


# ---- sketches -------------------------------------------------------------------------------------------------------


def _sketches() -> Iterator[list[str]]:
    """Pairs that share a key, by three ways to fill as many bins."""
    for name, sketch in {"ours": _thrown, "permutations": _permutations, "next full bin": _next_full}.items():
        for size in (5, 50, 500):
            pairs = 200_000 // size
            found, seconds = _timed(_proposed, sketch, size, SIMILAR, pairs)
            vain, _ = _timed(_proposed, sketch, size, 0.5, pairs)
            throughput = 1.8 * size * pairs / 1e6 / seconds
            yield [name, f"{size}", f"{found:.4f}", f"{vain:.4f}" if size > 5 else "-", f"{throughput:.1f}"]


def _proposed(sketch: Callable[[np.ndarray], np.ndarray], size: int, similarity: float, pairs: int) -> float:
    chance = np.random.default_rng(0)
    found = 0
    for first in range(0, pairs, 500):
        sets = chance.integers(0, 1 << 64, size=(min(500, pairs - first), size), dtype=np.uint64)
        keys = [shingles._keys_of(sketch(side)) for side in (sets, sets[:, : round(similarity * size)])]
        found += int((keys[0] == keys[1]).any(axis=1).sum())
    return found / pairs


def _thrown(sets: np.ndarray) -> np.ndarray:
    return shingles._sketch(sets.ravel(), np.repeat(np.arange(len(sets)), sets.shape[1]), len(sets))


def _permutations(sets: np.ndarray) -> np.ndarray:
    return np.stack([(sets * factor).min(axis=1) for factor in _factors()], axis=1)


def _next_full(sets: np.ndarray) -> np.ndarray:
    """One-permutation hashing; an empty bin takes the value of the next full one. Bands take bins from all over."""
    bins = shingles.BANDS * shingles.ROWS
    sketch = np.full((len(sets), bins), shingles._EMPTY)
    place = (sets >> np.uint64(40)) * np.uint64(bins) >> np.uint64(24)
    np.minimum.at(sketch, (np.arange(len(sets))[:, None], place.astype(np.int64)), sets)
    full = np.where(sketch != shingles._EMPTY, np.arange(bins), 2 * bins)
    around = np.concatenate((full, full + bins), axis=1)
    following = np.minimum.accumulate(around[:, ::-1], axis=1)[:, ::-1][:, :bins] % bins
    return np.take_along_axis(sketch, following, axis=1)[:, np.random.default_rng(1).permutation(bins)]


def _factors() -> np.ndarray:
    return shingles._FACTORS[-shingles.BANDS * shingles.ROWS :]


# ---- memory ---------------------------------------------------------------------------------------------------------


def _memory(rows: int, memory_rows: int) -> str:
    """In processes of their own: columns in files, every tenth document a copy of an earlier one but for its case."""
    with tempfile.TemporaryDirectory() as folder:
        _alone(_write_columns, Path(folder), rows)
        before, after, seconds, removed = _alone(_measured, Path(folder), rows, memory_rows)
    written = rows * (16 + 4 * shingles.BANDS) / 1e6
    return (
        f"Columns of {rows:,} documents ({written:.0f} MB in files), {memory_rows:,} sorted at once: {seconds:.1f} s, "
        f"{removed:,} removed. Greatest resident memory {after:.0f} MB, of it {before:.0f} MB before it began; "
        "pages of the files count while they are mapped."
    )


def _alone(work: Callable[..., T], *args: Any) -> T:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *args).result()


def _made(row: int) -> str:
    """Document `row`; from 10 on every tenth repeats one that is no copy itself, in capitals."""
    if row % 10 or not row:
        return " ".join(f"w{row}x{place}" for place in range(60))
    return _made(row // 10 * 9 // 10 * 10 + 1).upper()


def _columns(folder: Path, rows: int, mode: str) -> tuple[np.ndarray, np.ndarray]:
    digests = np.memmap(folder / "digests", np.uint64, mode, shape=(rows, 2), order="F")  # type: ignore[call-overload]
    keys = np.memmap(folder / "keys", np.uint32, mode, shape=(rows, shingles.BANDS), order="F")  # type: ignore[call-overload]
    return digests, keys


def _write_columns(folder: Path, rows: int) -> None:
    digests, keys = _columns(folder, rows, "w+")
    for first in range(0, rows, BATCH):
        texts = [_made(row) for row in range(first, min(first + BATCH, rows))]
        digests[first : first + BATCH] = digest_columns(texts)
        keys[first : first + BATCH] = band_keys(Texts(texts))


def _measured(folder: Path, rows: int, memory_rows: int) -> tuple[float, float, float, int]:
    before = _peak_mb()
    digests, keys = _columns(folder, rows, "r")
    start = time.process_time()
    leader, _ = leaders(digests, keys, lambda some: map(_made, some.tolist()), memory_rows=memory_rows)
    seconds = time.process_time() - start
    return before, _peak_mb(), seconds, int((leader != np.arange(rows)).sum())


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _timed(work: Callable[..., T], *args: Any) -> tuple[T, float]:
    start = time.process_time()
    return work(*args), time.process_time() - start


def _best(rounds: int, work: Callable[..., T], *args: Any) -> tuple[T, float]:
    done = [_timed(work, *args) for _ in range(rounds)]
    return done[0][0], min(seconds for _, seconds in done)


if __name__ == "__main__":
    entry(main)
