"""Small corpora for tests: English that every rule keeps, and how a run is looked at."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from presage.core.run import RunDir
from presage.data import corpus
from presage.data.records import read_split


def words(*lines: str) -> list[str]:
    return " ".join(lines).split()


ADJECTIVES = words(
    "old quiet narrow heavy bright careful distant rough patient wooden silver early hungry broken gentle"
)
NOUNS = words(
    "river farmer bridge letter harbour garden doctor engine winter valley kitchen soldier mountain teacher window",
    "castle market painter forest island captain village library orchard station hammer candle ladder needle basket",
)
GOODS = words(
    "voucher discount delivery checkout newsletter bargain coupon refund trolley seller sale mattress sofa shampoo",
    "sandal charger headphone laptop keyboard printer toaster blender vacuum carpet curtain pillow blanket towel",
)
VERBS = words(
    "crossed painted watched repaired carried followed measured opened studied guarded remembered described",
    "collected answered visited covered borrowed avoided counted lifted",
)
PLACES = words("behind before beside under above near beyond around against towards")
WHEN = words("yesterday slowly again twice together early later often rarely suddenly")


def sentence(random_: random.Random, nouns: Sequence[str] = NOUNS) -> str:
    pick = random_.choice
    return (
        f"The {pick(ADJECTIVES)} {pick(nouns)} {pick(VERBS)} a {pick(nouns)} {pick(PLACES)} that {pick(ADJECTIVES)} "
        f"{pick(nouns)}, and one {pick(nouns)} {pick(WHEN)} {pick(VERBS)} its {pick(ADJECTIVES)} {pick(nouns)}."
    )


def prose(seed: object, sentences: int = 12, nouns: Sequence[str] = NOUNS) -> str:
    """English of that many sentences, one a line; hardly any run of words comes twice, in it or in another."""
    random_ = random.Random(f"prose {seed}")
    return "\n".join(sentence(random_, nouns) for _ in range(sentences)) + "\n"


def crawled(seed: object) -> str:
    """English about other things, which no classifier takes for the same."""
    return prose(f"crawl {seed}", nouns=GOODS)


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return folder


def source(folder: Path, files: Mapping[str, str | bytes], **keys: Any) -> corpus.Source:
    """A source named like its folder, with these files."""
    return corpus.Source(name=folder.name, paths=(str(write(folder, files)),), **keys)


def kept(run: RunDir) -> dict[str, str]:
    """{path: text} of both splits; no path twice."""
    documents = [document for split in ("train", "val") for document in read_split(run.path, split)]
    found = {document.path: document.text for document in documents}
    assert len(found) == len(documents)
    return found


def removed(run: RunDir) -> dict[str, set[str]]:
    """{path: rules} of removed_samples.csv."""
    found: dict[str, set[str]] = {}
    for row in run.read_table("removed_samples"):
        found.setdefault(row["path"], set()).add(row["rule"])
    return found


def artifacts(run: RunDir) -> dict[str, bytes]:
    """Everything that does not depend on the machine, byte for byte."""
    names = ("result.json", *(f"tables/{p.name}" for p in (run.path / "tables").iterdir()))
    names += tuple(f"artifacts/{p.name}" for p in (run.path / "artifacts").iterdir())
    return {name: (run.path / name).read_bytes() for name in sorted(names)}
