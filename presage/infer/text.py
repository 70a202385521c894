"""Text to ids and back for a model of any origin, with the ids that its documents begin and end with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from presage.core.errors import CorruptError, RunError
from presage.core.files import sha256
from presage.core.strict import read_json
from presage.data.bpe import EOT, Tokenizer

TOKENIZER = "tokenizer.json"
OF_TOKENIZER = ("tokenizer_config.json", "special_tokens_map.json")
OF_MODEL = ("generation_config.json", "config.json")


class Text(Protocol):
    """A tokenizer as the verbs need it."""

    @property
    def begin(self) -> int | None:
        """The id that stands before a document; None where there is none."""
        ...

    @property
    def ends(self) -> frozenset[int]:
        """The ids that end a text."""
        ...

    @property
    def digest(self) -> str:
        """sha256 of the file it is from."""
        ...

    def framed(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text, with what the tokenizer itself puts before one; what it puts behind is left out."""
        ...

    def bare(self, texts: Sequence[str]) -> list[list[int]]:
        """Ids of each text alone."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special ones left out; a character cut in two becomes U+FFFD."""
        ...


@dataclass(frozen=True)
class OwnText:
    """The tokenizer of a run. It puts nothing around a text, and no text yields a special token."""

    tokenizer: Tokenizer
    digest: str
    others: frozenset[int] = frozenset()
    """Ids that end a text, too: what came with a model that was imported names them."""

    @classmethod
    def load(cls, path: Path) -> OwnText:
        """From a run's tokenizer.json. Raises DataError or CorruptError."""
        kept = any((path.parent / name).is_file() for name in (*OF_TOKENIZER, *OF_MODEL))
        others = ForeignText.load(path.parent, literal=True).ends if kept else frozenset[int]()
        return cls(Tokenizer.load(path), sha256(path), others)

    @property
    def begin(self) -> int:
        return self.tokenizer.eot

    @property
    def ends(self) -> frozenset[int]:
        return self.others | {self.tokenizer.eot}

    def framed(self, texts: Sequence[str]) -> list[list[int]]:
        return self.bare(texts)

    def bare(self, texts: Sequence[str]) -> list[list[int]]:
        return self.tokenizer.encode_batch(texts)

    def decode(self, ids: Sequence[int]) -> str:
        special = set(self.tokenizer.specials.values())
        return self.tokenizer.decode(i for i in ids if i not in special)


@dataclass(frozen=True)
class ForeignText:
    """The tokenizer.json of a Hugging Face directory through `tokenizers`, used as transformers would use it.

    opening: the text of `begin`; a text that already begins with it is not framed (as lm-evaluation-harness does).
    """

    tokenizer: Any
    begin: int | None
    ends: frozenset[int]
    opening: str
    digest: str
    closing: int = 0
    """How many ids the tokenizer puts behind a text, as T5's does: an end, after which nothing would go on."""

    @classmethod
    def load(cls, folder: Path, *, literal: bool) -> ForeignText:
        """From a directory. literal: "<|endoftext|>" in a text is the thirteen characters it is, as in our tokenizer.

        Raises RunError for a missing tokenizer.json, CorruptError for one that cannot be read.
        """
        from tokenizers import Tokenizer as Reader

        path = folder / TOKENIZER
        if not path.is_file():
            hint = "write it with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)"
            raise RunError("missing file", where=path, hint=hint)
        try:
            tokenizer = Reader.from_file(str(path))
        except Exception as error:  # the library raises nothing narrower
            raise CorruptError(f"not a tokenizer.json of the `tokenizers` library: {error}", where=path) from None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = literal
        begin, ends = _framing(folder, tokenizer)
        opening = "" if begin is None else tokenizer.id_to_token(begin) or ""
        return cls(tokenizer, begin, ends, opening, sha256(path), _closing(tokenizer))

    def framed(self, texts: Sequence[str]) -> list[list[int]]:
        """As transformers' tokenizer encodes a text by default, but for an end behind it."""
        framed = [not self.opening or not text.startswith(self.opening) for text in texts]
        if all(framed):
            return [self._open(one.ids) for one in self.tokenizer.encode_batch(list(texts))]
        pairs = zip(texts, framed, strict=True)
        return [
            self._open(self.tokenizer.encode(text).ids) if special else self.bare([text])[0] for text, special in pairs
        ]

    def _open(self, ids: list[int]) -> list[int]:
        return ids[: len(ids) - self.closing]

    def bare(self, texts: Sequence[str]) -> list[list[int]]:
        return [one.ids for one in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True))


def _closing(tokenizer: Any) -> int:
    """How many ids stand behind a text that the tokenizer frames."""
    framed, bare = (tokenizer.encode("a", add_special_tokens=special).ids for special in (True, False))
    ends = [end for end in range(len(framed), 0, -1) if bare and framed[:end][-len(bare) :] == bare]
    return len(framed) - ends[0] if ends else 0


def _framing(folder: Path, tokenizer: Any) -> tuple[int | None, frozenset[int]]:
    """The id a document begins with (bos, else eos) and those that end one; the tokenizer's files go first."""
    own, models = ({"bos": list[int](), "eos": list[int]()} for _ in range(2))
    for name in OF_TOKENIZER:
        data = _read(folder / name)
        for kind, found in own.items():
            found += _id_of(tokenizer, data.get(f"{kind}_token"))
    for name in OF_MODEL:
        data = _read(folder / name)
        for kind, found in models.items():
            found += _ids_of(data.get(f"{kind}_token_id"))
    ends = own["eos"] + models["eos"] or _id_of(tokenizer, EOT)
    begins = own["bos"] + own["eos"] + models["bos"] + ends
    return (begins[0] if begins else None), frozenset(ends)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        data = read_json(path.read_text(encoding="utf-8"), path)
    except UnicodeDecodeError:
        raise CorruptError("not UTF-8", where=path) from None
    if not isinstance(data, dict):
        raise CorruptError(f"not a JSON object: {json.dumps(data)[:40]}", where=path)
    return data


def special_text(token: object) -> str | None:
    """A special token is written as its text, or as an object that holds it."""
    text = token.get("content") if isinstance(token, dict) else token
    return text if isinstance(text, str) else None


def _id_of(tokenizer: Any, token: object) -> list[int]:
    text = special_text(token)
    found = None if text is None else tokenizer.token_to_id(text)
    return [] if found is None else [found]


def _ids_of(value: object) -> list[int]:
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, int) and not isinstance(one, bool) and 0 <= one < _NO_ID]


_NO_ID = 1 << 31
