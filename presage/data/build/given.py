"""The files that rules are given: evaluation items, lists of words, labelled examples."""

from __future__ import annotations

from pathlib import Path

from presage.data.build.config import Config
from presage.data.documents import find_files
from presage.data.items import read_items
from presage.data.rules.toxicity import BUILT_IN, read_words


def given_files(config: Config) -> list[Path]:
    """All of them. Raises DataError for one that is missing or holds no items or words, before any source is read."""
    files = [Path(path) for path in config.decontaminate.items] if config.decontaminate else []
    for path in files:
        read_items(path)
    toxicity = config.rules.toxicity
    if toxicity and toxicity.words and toxicity.words != BUILT_IN:
        read_words(toxicity.words)
        files.append(Path(toxicity.words))
    for labelled in (toxicity.toxic, toxicity.other) if toxicity else ():
        files += [location for location, _ in find_files([labelled])] if labelled else []
    return files
