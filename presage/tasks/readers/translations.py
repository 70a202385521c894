"""Sentences in two languages: FLORES-200 and Tatoeba as JSON lines, or files of sentence pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from presage.core.errors import ConfigError, DataError, did_you_mean
from presage.tasks.readers.languages import NAMES
from presage.tasks.readers.rows import Row, json_rows
from presage.tasks.task import Example


@dataclass(frozen=True)
class Flores:
    """{lang: "eng_Latn", sentences}: one row a language, line by line the same sentences.

    A code may leave its script out where the language is there in one only. A file of the dev split without one of the
    languages gives no shots, since the published reduction has fewer languages there.
    """

    source: str
    target: str

    def __call__(self, paths: Sequence[Path]) -> list[Example]:
        return [example for path in paths for example in self._pairs(path)]

    def _pairs(self, path: Path) -> list[Example]:
        rows = {row.text("lang"): row for row in json_rows(path)}
        if path.name.startswith("dev.") and not all(_matches(code, rows) for code in (self.source, self.target)):
            return []
        source, target = (_sentences(path, rows, code) for code in (self.source, self.target))
        if len(source) != len(target):
            raise DataError(f"{len(source)} sentences in {self.source}, {len(target)} in {self.target}", where=path)
        name = f"{path.name.partition('.')[0]}:{self.source}-{self.target}"
        return [
            Example(f"{name}:{place}", one, targets=(other,), fields={"language": language(self.target)})
            for place, (one, other) in enumerate(zip(source, target, strict=True), 1)
        ]


def _matches(code: str, rows: dict[str, Row]) -> list[str]:
    return [name for name in rows if code in (name, name.partition("_")[0])]


def _sentences(path: Path, rows: dict[str, Row], code: str) -> tuple[str, ...]:
    found = _matches(code, rows)
    if len(found) != 1:
        hint = (
            f"write {' or '.join(found)}"
            if found
            else did_you_mean(code, [*rows, *(name.partition("_")[0] for name in rows)])
        )
        raise ConfigError(f"{len(found)} languages are '{code}'", where=path, hint=hint)
    return rows[found[0]].one_or_more("sentences")


@dataclass(frozen=True)
class Tatoeba:
    """{lang, pairs: [[sentence, English]]}: one row a language. One of the two languages is eng."""

    source: str
    target: str

    def __call__(self, paths: Sequence[Path]) -> list[Example]:
        return [example for path in paths for example in self._pairs(path)]

    def _pairs(self, path: Path) -> list[Example]:
        other = self.source if self.target == "eng" else self.target
        rows = {row.text("lang"): row for row in json_rows(path)}
        if other not in rows:
            raise ConfigError(f"no language '{other}'", where=path, hint=did_you_mean(other, rows))
        pairs = rows[other].of(list, "pairs")
        wrong = next((place for place, pair in enumerate(pairs, 1) if not _is_pair(pair)), None)
        if wrong is not None:
            raise DataError(f"pair {wrong} is not two texts", where=rows[other].where)
        ordered = [pair if self.target == "eng" else pair[::-1] for pair in pairs]
        name = f"{self.source}-{self.target}"
        return [
            Example(f"{name}:{place}", one, targets=(text,), fields={"language": language(self.target)})
            for place, (one, text) in enumerate(ordered, 1)
        ]


def _is_pair(pair: object) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) and one.strip() for one in pair)


def language(code: str) -> str:
    """The English name of a language by its ISO 639-3 code; the code itself where we have no name for it."""
    return NAMES.get(code.partition("_")[0], code)
