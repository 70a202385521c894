"""Second pass, over all parts at once: copies, the split, paragraphs seen before, common evaluation grams.

Only columns are read (and the texts of candidates for near copies); what is decided lies in a few arrays on disk.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from presage.data.build.config import Config
from presage.data.build.parts import Work
from presage.data.build.spool import Reader, Row, whole_folder
from presage.data.build.tally import EXACT, NEAR, Sample, Tally
from presage.data.decontaminate import collisions
from presage.data.near import BANDS, leaders

REMOVED, TRAIN, VAL, CUT = 0, 1, 2, 3
"""What becomes of a document. CUT: the only file there is; its first part is for training, its last is held out."""
_CHARACTER = 4  # bytes that hold a whole character at least
_CHUNK = 1 << 22  # rows of a column copied at once


def decide(out: Path) -> None:
    """Decide for the corpus run at `out`, unless it has been."""
    work = Work(out)
    target = work.folder / "decided"
    if target.exists():
        return
    documents = Documents(work)
    with whole_folder(target) as folder:
        folder.mkdir()
        tallies = {source.name: Tally() for source in work.config.read_sources}
        leader = _without_copies(documents, work.config, folder, tallies)
        kept = leader == np.arange(len(documents))
        fate, cut_at = _split(documents, kept, work.config)
        fate.tofile(folder / "fate.bin")
        drops = _repeated(documents.gather("paragraphs", "<u8", 3, own=1), fate)
        drops.astype("<i8").tofile(folder / "drops.bin")
        flagged, common = _contaminated(documents, kept, work.config)
        flagged.astype("<i8").tofile(folder / "flagged.bin")
        common.astype("<i8").tofile(folder / "common.bin")
        facts = {
            "firsts": documents.firsts.tolist(),
            "cut_at": cut_at,
            "tallies": {name: tally.as_json() for name, tally in tallies.items()},
        }
        (folder / "decided.json").write_text(json.dumps(facts), encoding="utf-8")
        for file in folder.glob("*.column"):
            file.unlink()


class Documents:
    """All judged documents in order, numbered through all parts."""

    def __init__(self, work: Work) -> None:
        parts = work.plan.parts
        self.sources = [part.source for part in parts]
        self.parts = [Reader(work.part("judged", index)) for index in range(len(parts))]
        self.firsts = np.concatenate([[0], np.cumsum([len(part) for part in self.parts])]).astype(np.int64)

    def __len__(self) -> int:
        return int(self.firsts[-1])

    def gather(self, name: str, dtype: str, width: int, own: int | None = None) -> np.ndarray:
        """A column of all parts in memory; `own`: which entry is the number of a document within its part."""
        columns = []
        for part, first in zip(self.parts, self.firsts.tolist(), strict=False):
            column = np.array(part.column(name, dtype, width))
            if own is not None:
                column[:, own] += np.array(first, dtype)
            columns.append(column)
        return np.concatenate(columns) if columns else np.zeros((0, width), dtype)

    def mapped(self, name: str, dtype: str, width: int, folder: Path) -> np.ndarray:
        """A column of all parts as one file below `folder`, mapped: for columns too large for memory."""
        if not len(self):
            return np.zeros((0, width), dtype)
        # Column by column, as they are read.
        whole = np.memmap(folder / f"{name}.column", dtype, "w+", shape=(len(self), width), order="F")
        for part, first in zip(self.parts, self.firsts.tolist(), strict=False):
            column = part.column(name, dtype, width)
            for start in range(0, len(column), _CHUNK):
                rows = column[start : start + _CHUNK]
                whole[first + start : first + start + len(rows)] = rows
        return whole

    def rows(self, wanted: np.ndarray) -> Iterator[Row]:
        """Documents of these numbers, which are in order."""
        cuts = np.searchsorted(wanted, self.firsts)
        for part, first, a, b in zip(self.parts, self.firsts.tolist(), cuts[:-1], cuts[1:], strict=False):
            yield from part.rows(wanted[a:b] - first)

    def of_source(self, name: str, numbers: np.ndarray) -> np.ndarray:
        """Those of the numbers whose documents come from a source."""
        part = np.searchsorted(self.firsts, numbers, side="right") - 1
        own = np.array([source == name for source in self.sources])
        chosen: np.ndarray = numbers[own[part]] if len(numbers) else numbers
        return chosen


# ---- copies ---------------------------------------------------------------------------------------------------------


def _without_copies(documents: Documents, config: Config, folder: Path, tallies: dict[str, Tally]) -> np.ndarray:
    """int64 [documents]: the earliest document that each is a copy of, itself where it is none."""
    digests = documents.mapped("digests", "<u8", 2, folder)
    none = np.zeros((len(documents), 0), np.uint32)
    keys = none if config.similar is None else documents.mapped("keys", "<u4", BANDS, folder)

    def read(wanted: np.ndarray) -> Iterator[str]:
        return (row.text for row in documents.rows(wanted))

    leader, exact = leaders(digests, keys, read, similar=config.similar or 1.0)
    removed = leader != np.arange(len(leader))
    sizes = documents.gather("sizes", "<i8", 1)[:, 0]
    for rule, chosen in ((EXACT, removed & exact), (NEAR, removed & ~exact)):
        for source, tally in tallies.items():
            numbers = documents.of_source(source, np.flatnonzero(chosen))
            samples = _samples(documents, numbers, leader)
            tally.removals[rule].add(len(numbers), int(sizes[numbers].sum()), len(numbers), samples)
    return leader


def _samples(documents: Documents, numbers: np.ndarray, leader: np.ndarray, most: int = 64) -> list[Sample]:
    """Some removed documents, evenly spread, with the name of what they copy."""
    some = numbers[:: max(1, len(numbers) // most)][:most]
    wanted = np.unique(np.concatenate([some, leader[some]])) if len(some) else some
    rows = dict(zip(wanted.tolist(), documents.rows(wanted), strict=True))
    return [Sample.of(rows[i].path, f"copy of {rows[int(leader[i])].path}", rows[i].text) for i in some.tolist()]


# ---- the split ------------------------------------------------------------------------------------------------------


def _split(documents: Documents, kept: np.ndarray, config: Config) -> tuple[np.ndarray, int]:
    """(uint8 [documents]: what becomes of each; for the one that is CUT, how many of its bytes are for training).

    By the place of the path. With too few files for chance to serve both sides, the lowest place is held out.
    """
    places = documents.gather("places", "<f8", 1)[:, 0]
    fate = np.where(kept, TRAIN, REMOVED).astype(np.uint8)
    left = places[kept]
    if not len(left):
        return fate, 0
    if left.min() == left.max():
        return _split_one(documents, fate, config)
    held_out = kept & (places <= max(config.val_fraction, left.min()))
    if held_out.sum() == kept.sum():
        held_out &= places < left.max()
    fate[held_out] = VAL
    return fate, 0


def _split_one(documents: Documents, fate: np.ndarray, config: Config) -> tuple[np.ndarray, int]:
    """A single file: its last part is held out."""
    numbers = np.flatnonzero(fate)
    ends = np.cumsum(documents.gather("sizes", "<i8", 1)[numbers, 0])
    size = int(ends[-1])
    bound = min(max(_CHARACTER, round(size * (1 - config.val_fraction))), size - 1)  # so that neither side is empty
    at = int(np.searchsorted(ends, bound))
    fate[numbers[at]] = CUT
    fate[numbers[at + 1 :]] = VAL
    return fate, bound - (int(ends[at - 1]) if at else 0)


# ---- paragraphs and grams -------------------------------------------------------------------------------------------


def _repeated(paragraphs: np.ndarray, fate: np.ndarray) -> np.ndarray:
    """[(document, which of its paragraphs)] of every paragraph that came before, training text first, in order."""
    hashes, document, ordinal = (paragraphs[:, k] for k in range(3))
    kept = fate[document.astype(np.int64)] != REMOVED
    hashes, document, ordinal = hashes[kept], document[kept].astype(np.int64), ordinal[kept].astype(np.int64)
    order = np.lexsort((ordinal, document, fate[document] == VAL, hashes))
    again = order[1:][hashes[order[1:]] == hashes[order[:-1]]]
    drops = np.stack([document[again], ordinal[again]], axis=1)
    return drops[np.lexsort((drops[:, 1], drops[:, 0]))]


def _contaminated(documents: Documents, kept: np.ndarray, config: Config) -> tuple[np.ndarray, np.ndarray]:
    """(documents that hold an evaluation gram, grams that are too common to count)."""
    if config.decontaminate is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    pairs = documents.gather("grams", "<i8", 2, own=0)
    pairs = pairs[kept[pairs[:, 0]]]
    document, gram = pairs.T
    rare = collisions(document, gram, int(gram.max(initial=-1)) + 1, config.decontaminate.common)
    return np.unique(document[rare]), np.unique(gram[~rare])
