"""Translators for tasks: a table of translations, a prompted model, and a cache on disk before either.

Whoever translates is asked text by text, each once: the cache is named by what the translation depends on, written
whole or not at all, and read back on the next run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from presage.core.errors import DataError
from presage.core.files import atomic_write
from presage.core.progress import Progress
from presage.core.strict import half_surrogate, read_json
from presage.data.documents import read_bytes
from presage.data.verbs import Completion, Decoding, Generation
from presage.tasks.readers.rows import lines
from presage.tasks.readers.sources import source

KEYS = ("source", "target", "text", "translation")
SHOWN = 60  # characters of a text in an error

# English name of every language the GPT-4 report lists (appendix F), and English itself, by its code
LANGUAGES: Mapping[str, str] = {
    "en": "English", "it": "Italian", "af": "Afrikaans", "es": "Spanish", "de": "German", "fr": "French",
    "id": "Indonesian", "ru": "Russian", "pl": "Polish", "uk": "Ukrainian", "el": "Greek", "lv": "Latvian",
    "zh": "Mandarin", "ar": "Arabic", "tr": "Turkish", "ja": "Japanese", "sw": "Swahili", "cy": "Welsh",
    "ko": "Korean", "is": "Icelandic", "bn": "Bengali", "ur": "Urdu", "ne": "Nepali", "th": "Thai", "pa": "Punjabi",
    "mr": "Marathi", "te": "Telugu",
}  # fmt: skip


class Translator(Protocol):
    """Turns texts of one language into another; languages by their codes, "en", "fr"."""

    @property
    def name(self) -> str:
        """What translations depend on: recorded with every result, and part of the cache's names."""
        ...

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """The translations, in the order of the texts. Raises DataError for a text it cannot translate."""
        ...


class Untranslated(DataError):
    """Some texts have no translation, {text: why}; `found` has those of the others asked with them."""

    def __init__(self, why: Mapping[str, str], found: Mapping[str, str], *, where: object, hint: str | None = None):
        self.why, self.found = dict(why), dict(found)
        first, reason = next(iter(self.why.items()))
        more = f"; nor of {len(self.why) - 1:,} more" if len(self.why) > 1 else ""
        super().__init__(f"no translation of '{first[:SHOWN]}': {reason}{more}", where=where, hint=hint)


@dataclass(frozen=True)
class Unchanged:
    """Leaves every text as it is: for the language that the texts are in."""

    name: str = "unchanged"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """The texts. Raises DataError where another language is asked for."""
        if source != target:
            raise DataError(f"nobody translates from {source} to {target}")
        return list(texts)


@dataclass(frozen=True)
class Table:
    """Translations that are at hand: {(source, target, text): translation}, from the file `path`."""

    path: Path
    entries: Mapping[tuple[str, str, str], str] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Table:
        """From JSON lines {source, target, text, translation}. Raises DataError naming file and line."""
        entries: dict[tuple[str, str, str], str] = {}
        for row in lines(source(path)):
            known, wanted, text, translation = _entry(row.value["line"], row.where)
            if entries.setdefault((known, wanted, text), translation) != translation:
                raise DataError(f"a second translation of '{text[:SHOWN]}'", where=row.where)
        return cls(path, entries)

    @property
    def name(self) -> str:
        return f"table:{self.path.name}"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """As the table has them. Raises DataError naming the first text that is not in it."""
        for text in texts:
            if (source, target, text) not in self.entries:
                what = f"no translation from {source} to {target} of '{text[:SHOWN]}'"
                raise DataError(what, where=self.path, hint="add its line, or translate the task again")
        return [self.entries[source, target, text] for text in texts]


def _entry(line: str, where: str) -> tuple[str, str, str, str]:
    row = read_json(line, where)
    if not isinstance(row, dict):
        raise DataError("not an object", where=where)
    bad = next((key for key in KEYS if not isinstance(row.get(key), str) or not row[key].strip()), None)
    if bad:
        raise DataError(f"no text '{bad}'", where=where, hint=f"every line has {', '.join(KEYS)}")
    if any(half_surrogate(row[key]) for key in KEYS):
        raise DataError("half a surrogate pair in a text", where=where)
    return row["source"], row["target"], row["text"], row["translation"]


Generate = Callable[[Sequence[Generation]], list[list[Completion]]]


@dataclass(frozen=True)
class Prompted:
    """A language model that is asked to translate: `generate` is its verb, `model` its name."""

    generate: Generate = field(repr=False)
    model: str = ""
    max_tokens: int = 1024

    @property
    def name(self) -> str:
        return f"prompted:{self.model}"

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """What the model writes after "Translation:", up to a line of its own mark.

        Raises Untranslated for an empty reply, for one that was cut off, and for a text that the model saw in part.
        """
        asked = [Generation(_prompt(text, source, target), self._decoding()) for text in texts]
        replies = [completions[0] for completions in self.generate(asked)]
        found = [reply.text.strip() for reply in replies]
        faults = {text: why for text, reply in zip(texts, replies, strict=True) if (why := self._fault(reply))}
        if faults:
            good = {text: one for text, one in zip(texts, found, strict=True) if text not in faults}
            raise Untranslated(faults, good, where=self.name)
        return found

    def _fault(self, reply: Completion) -> str:
        if reply.truncated:
            return "the model's context does not hold it"
        cut = f"a reply cut off at {self.max_tokens:,} tokens" if reply.finish == "length" else ""
        return cut or ("" if reply.text.strip() else "an empty reply")

    def _decoding(self) -> Decoding:
        return Decoding(self.max_tokens, (f"\n{_END}",))


_END = "###"


def _prompt(text: str, source: str, target: str) -> str:
    return (
        f"Translate the text from {_language(source)} to {_language(target)}. Write the translation alone, with every "
        f"number, formula and name as it stands, then a line {_END}.\n\nText:\n{text}\n{_END}\n\nTranslation:\n"
    )


def _language(code: str) -> str:
    return LANGUAGES.get(code, code)


@dataclass(frozen=True)
class Cached:
    """Another translator, each text asked once: a file a translation below `folder`, named by the digest of the
    translator's name, the languages and the text. Texts are translated `batch` at a time and kept as they come."""

    inner: Translator
    folder: Path
    batch: int = 64

    @property
    def name(self) -> str:
        return self.inner.name

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """From the cache, and what is not there from the inner translator. A damaged file is translated again.

        Raises Untranslated when all others are kept, or at once where a whole batch has no translation.
        """
        places = {text: self._place(text, source, target) for text in texts}
        found = {text: kept for text, path in places.items() if (kept := _kept(path, text)) is not None}
        missing = [text for text in places if text not in found]
        faults: dict[str, str] = {}
        with Progress(f"to {target}", len(places), unit="texts") as bar:
            bar.begin(len(found))
            for first in range(0, len(missing), self.batch):
                some, why = self._asked(missing[first : first + self.batch], source, target)
                for text, translation in some.items():
                    self._keep(places[text], dict(zip(KEYS, (source, target, text, translation), strict=True)))
                found |= some
                faults |= why
                bar.update(len(found))
                if not some:
                    break
        if faults:
            raise Untranslated(faults, found, where=self.name, hint="what was translated is kept, and not asked again")
        return [found[text] for text in texts]

    def _asked(self, texts: Sequence[str], source: str, target: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """({text: translation}, {text: why there is none})."""
        try:
            return dict(zip(texts, self.inner.translate(texts, source, target), strict=True)), {}
        except Untranslated as error:
            return error.found, error.why

    def _place(self, text: str, source: str, target: str) -> Path:
        digest = hashlib.sha256("\x1f".join((self.inner.name, source, target, text)).encode()).hexdigest()
        return self.folder / digest[:2] / f"{digest}.json"

    @staticmethod
    def _keep(path: Path, row: dict[str, str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def _kept(path: Path, text: str) -> str | None:
    """The translation in a file of the cache; None where there is none, or none of this text."""
    if not path.is_file():
        return None
    try:
        _, _, kept, translation = _entry(read_bytes(path).decode(), str(path))
    except (DataError, UnicodeDecodeError):
        return None
    return translation if kept == text else None


def write_table(path: Path, texts: Sequence[str], translator: Translator, source: str, target: str) -> int:
    """A table of the translations of different texts, in their order, written whole; how many. Raises DataError."""
    different = list(dict.fromkeys(texts))
    translations = translator.translate(different, source, target)
    rows = ((source, target, *pair) for pair in zip(different, translations, strict=True))
    lines = [json.dumps(dict(zip(KEYS, row, strict=True)), ensure_ascii=False) for row in rows]
    with atomic_write(path) as file:
        file.write(("\n".join(lines) + "\n").encode())
    return len(lines)
