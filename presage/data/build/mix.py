"""Last pass: sources repeated or thinned to their weights, generated documents added, one file a split."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from presage.core.run import atomic_write
from presage.data.build.config import GENERATED, Config
from presage.data.build.parts import Work
from presage.data.documents import Document
from presage.data.microcode_families import LEVELS
from presage.data.records import SPLITS, read_documents, write_stream

_COPY = 1 << 20
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Share:
    """A source in the mixture. bytes: what it holds for training; epochs: how often that is taken; capped: it would
    have to be repeated more often for its weight."""

    source: str
    weight: float
    bytes: int
    epochs: float
    capped: bool

    @property
    def taken(self) -> float:
        """Bytes of the mixture, as planned; whole documents come close."""
        return self.epochs * self.bytes


def shares(config: Config, sizes: Mapping[str, int]) -> list[Share]:
    """The mixture of the sources that are read; `sizes`: their training bytes.

    Weights are parts of a whole, whatever they add up to. A source that would be repeated more than `max_epochs` times
    is capped, and what is missing comes from the others by their weights; so the epochs follow from sizes and weights
    (GPT-3, table 2.2, gives weights and epochs that do not).
    """
    sources = config.read_sources
    if sources[0].weight is None:
        total = max(1, sum(sizes.values()))
        return [Share(s.name, sizes[s.name] / total, sizes[s.name], 1.0, False) for s in sources]
    weights = {s.name: float(s.weight or 0) / sum(float(t.weight or 0) for t in sources) for s in sources}
    wanted = config.train_bytes or sum(sizes.values())
    epochs = _epochs(weights, sizes, wanted, config.max_epochs)
    return [Share(n, w, sizes[n], epochs[n], w * wanted > sizes[n] * config.max_epochs) for n, w in weights.items()]


def _epochs(weights: Mapping[str, float], sizes: Mapping[str, int], wanted: float, most: float) -> dict[str, float]:
    fixed: dict[str, float] = {}
    while True:
        left = wanted - sum(epochs * sizes[name] for name, epochs in fixed.items())
        free = {name: weight for name, weight in weights.items() if name not in fixed}
        epochs = {n: left * w / sum(free.values()) / sizes[n] if sizes[n] else most for n, w in free.items()}
        over = {name: most for name, value in epochs.items() if value > most * (1 + TOLERANCE) or not sizes[name]}
        if not over:
            return fixed | epochs
        fixed |= over


def counted(documents: Iterable[Document], counts: Mapping[str, Counter[str]]) -> Iterator[Document]:
    """The documents, unchanged; counts[source] gains `documents`, `bytes` and `content`.

    The content is the sum of the documents' digests: the same in any order.
    """
    for document in documents:
        text = document.text.encode()
        digest = hashlib.sha256(f"{document.path}\0".encode() + text).digest()[:8]
        content = int.from_bytes(digest, "big")
        counts[document.source].update({"documents": 1, "bytes": len(text), "content": content})
        yield document


def generated(config: Config, read: int) -> Iterator[Document]:
    """Documents of the generated sources, each up to its share of all training bytes, `read` of which are there."""
    made = {source: source.share for source in config.sources if source.share is not None}
    total = read / (1 - sum(made.values()))
    for source, share in made.items():
        left = share * total
        levels = LEVELS if source.levels is None else source.levels
        for document in GENERATED[source.kind](config.seed, sys.maxsize, levels):
            if (left := left - len(document.text.encode())) < 0:
                break
            yield Document(source.name, document.path, document.text)


def write_split(work: Work, split: str, mixture: list[Share], target: Path) -> dict[str, Counter[str]]:
    """Write a split of the whole corpus: {source: documents, bytes and content of what was written}.

    Held-out text is taken once, whatever the weights. Generated documents stand at the end of the training split.
    """
    train = split == SPLITS[0]
    epochs = {share.source: share.epochs if train else 1.0 for share in mixture}
    counts = {source.name: Counter[str]() for source in work.config.sources}
    with atomic_write(target) as file:
        for turn in range(1 + int(max(epochs.values()) - TOLERANCE)):
            for index, part in enumerate(work.plan.parts):
                left = epochs[part.source] - turn
                source = work.part("finished", index) / f"{split}.jsonl.zst"
                if left >= 1 - TOLERANCE:
                    _append(source, file)
                    counts[part.source].update(work.tally("finished", index).written(split))
                elif left > TOLERANCE:
                    write_stream(file, counted(_some(source, left, f"{work.config.seed}\0{turn}"), counts))
        if train:
            read = sum(count["bytes"] for count in counts.values())
            write_stream(file, counted(generated(work.config, read), counts))
    return counts


def _append(source: Path, file: IO[bytes]) -> None:
    """Frames of Zstandard follow each other."""
    with open(source, "rb") as part:
        while block := part.read(_COPY):
            file.write(block)


def _some(source: Path, share: float, salt: str) -> Iterator[Document]:
    """About this share of the documents, by a hash: whichever order they come in, the same."""
    for document in read_documents(source):
        drawn = hashlib.sha256(f"{salt}\0{document.path}\0".encode() + document.text.encode()).digest()[:7]
        if int.from_bytes(drawn, "big") / (1 << 56) < share:
            yield document
