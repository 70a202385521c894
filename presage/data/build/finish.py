"""Third pass, part by part: what was decided is carried out, and each split of each part written."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from presage.data.batches import byte_length
from presage.data.build.config import Config
from presage.data.build.decide import CUT, TRAIN, VAL
from presage.data.build.judge import grams_of
from presage.data.build.mix import counted
from presage.data.build.parts import Work
from presage.data.build.spool import Reader, Row, whole_folder
from presage.data.build.tally import CONTAMINATED, EMPTIED, PARAGRAPHS, Sample, Tally
from presage.data.decontaminate import Grams, cut
from presage.data.documents import Document, split_text
from presage.data.records import SPLITS, write_documents
from presage.data.rules.texts import Texts


def finish(out: Path, index: int) -> None:
    """Write the documents of part `index` of the corpus run at `out`, unless they have been."""
    work = Work(out)
    target = work.part("finished", index)
    if target.exists():
        return
    tally = Tally()
    pieces = _Pieces(work, index, tally)
    with whole_folder(target) as folder:
        folder.mkdir()
        for split in SPLITS:  # the part is read for each, so that nothing is held
            written: dict[str, Counter[str]] = defaultdict(Counter)
            write_documents(folder / f"{split}.jsonl.zst", counted(pieces.of(split), written))
            for count in written.values():
                tally.counts.update({f"{split}/{what}": amount for what, amount in count.items()})
        (folder / "tally.json").write_text(json.dumps(tally.as_json()), encoding="utf-8")


class _Pieces:
    """The final documents of a part."""

    def __init__(self, work: Work, index: int, tally: Tally) -> None:
        self._config: Config = work.config
        self._source, self._packages = work.plan.parts[index].source, work.plan.packages
        self._tally = tally
        decided = work.folder / "decided"
        facts = json.loads((decided / "decided.json").read_text(encoding="utf-8"))
        self._part, self._first = Reader(work.part("judged", index)), int(facts["firsts"][index])
        last = self._first + len(self._part)
        self._fate = np.fromfile(decided / "fate.bin", np.uint8, len(self._part), offset=self._first)
        self._cut_at = int(facts["cut_at"])
        drops = np.fromfile(decided / "drops.bin", "<i8").reshape(-1, 2)
        self._drops = drops[slice(*np.searchsorted(drops[:, 0], [self._first, last]))]
        flagged = np.fromfile(decided / "flagged.bin", "<i8")
        self._flagged = set(flagged[slice(*np.searchsorted(flagged, [self._first, last]))].tolist())
        self._common = np.fromfile(decided / "common.bin", "<i8")
        self._grams: Grams | None = grams_of(self._config) if self._flagged else None

    def of(self, split: str) -> Iterator[Document]:
        """The documents of one split."""
        val = split == SPLITS[-1]
        wanted = np.flatnonzero((self._fate == CUT) | (self._fate == VAL if val else (self._fate == TRAIN)))
        for number, row in zip(wanted.tolist(), self._part.rows(wanted), strict=True):
            path, text = self._of_split(row, number, val)
            pieces = self._clean(number, path, text)
            self._tally.counts["added/pieces"] += max(0, len(pieces) - 1)
            for piece, part in enumerate(pieces):
                name = f"{path}#{piece + 1}" if piece else path
                self._from_package(row, part)
                yield Document(self._source, name, part)

    def _from_package(self, row: Row, text: str) -> None:
        if row.package >= 0:
            name = self._packages[row.package].name
            self._tally.packages.update({f"{name}/documents": 1, f"{name}/bytes": byte_length(text)})

    def _of_split(self, row: Row, number: int, val: bool) -> tuple[str, str]:
        """The name and text of a document, or of the half of it that is on this side."""
        if self._fate[number] != CUT:
            return row.path, row.text
        whole = row.text.encode()
        first = next(split_text(whole, self._cut_at))
        self._tally.counts["added/pieces"] += val and 0 < len(first) < len(whole)
        return (f"{row.path}#tail", whole[len(first) :].decode()) if val else (row.path, first.decode())

    def _clean(self, number: int, path: str, text: str) -> list[str]:
        """The text without repeated paragraphs, in pieces where evaluation items were cut out; none when emptied."""
        text = self._once(number, path, text)
        if not text:
            return []
        return self._apart(number, path, text)

    def _once(self, number: int, path: str, text: str) -> str:
        a, b = np.searchsorted(self._drops[:, 0], [self._first + number, self._first + number + 1])
        if a == b or self._fate[number] == CUT:  # whose halves are other texts than the one that was looked through
            return text
        dropped = set(self._drops[a:b, 1].tolist())
        parts = text.split("\n\n")
        new = "\n\n".join(part for ordinal, part in enumerate(parts) if ordinal not in dropped)
        lost = byte_length(text) - byte_length(new)
        self._tally.counts.update({"removed/paragraphs": len(dropped), "removed/paragraph_bytes": lost})
        self._tally.removals[PARAGRAPHS].add(0, lost, 0, [])
        return new if self._long_enough(path, new, EMPTIED) else ""

    def _apart(self, number: int, path: str, text: str) -> list[str]:
        asked = self._config.decontaminate
        if asked is None or self._grams is None or self._first + number not in self._flagged:
            return [text]
        hits = self._grams.hits(Texts([text]))
        counted = ~np.isin(hits.gram, self._common)
        spans = list(zip(hits.first[counted].tolist(), hits.after[counted].tolist(), strict=True))
        if not spans:
            return [text]
        pieces = cut(text, spans, asked.window, asked.shortest_piece, asked.most_pieces) or []
        lost = byte_length(text) - sum(map(byte_length, pieces))
        sample = Sample.of(path, f"{len(spans)} grams of items", text[max(0, spans[0][0] - 60) :])
        self._tally.removals[CONTAMINATED].add(int(not pieces), lost, 1, [sample])
        self._tally.counts["changed/decontaminated"] += bool(pieces)
        return pieces

    def _long_enough(self, path: str, text: str, rule: str) -> bool:
        long = len(text.strip().encode()) >= self._config.min_document_bytes
        if not long:
            self._tally.removals[rule].add(1, byte_length(text), 1, [Sample.of(path, "nothing new left", text)])
        return long
