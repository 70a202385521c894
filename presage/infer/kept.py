"""A model whose completions are kept in a file as they come: what was interrupted asks only for the rest."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from presage.core.errors import CorruptError
from presage.core.files import append, atomic_write, parse_row, whole_lines
from presage.data.verbs import Completion, Generation, Writer

BATCH = 64
_FIELDS = {field.name for field in dataclasses.fields(Completion)}


class Kept:
    """`inner`, with each request asked once: another model, prompt, decoding or seed is another request.

    `path` is a file of JSON lines, {"key", "said"}, of any number of models; a torn last line is cut off. Requests are
    asked `batch` at a time. Raises CorruptError for a line that is no reply.
    """

    def __init__(self, inner: Writer, path: Path, batch: int = BATCH) -> None:
        self.inner, self.path, self.batch = inner, path, batch
        self.asked = 0
        self._who = json.dumps(inner.identity(), sort_keys=True)
        self._said: dict[str, list[Completion]] = {}
        if path.exists():
            self._read()

    @property
    def name(self) -> str:
        """The inner model's."""
        return self.inner.name

    def identity(self) -> dict[str, str | int | float | bool | None]:
        """The inner model's."""
        return self.inner.identity()

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        """The completions of every request, kept ones where there are."""
        keys = [self._key(one) for one in requests]
        missing = {key: one for key, one in zip(keys, requests, strict=True) if key not in self._said}
        todo = list(missing.items())
        for start in range(0, len(todo), self.batch):
            part = todo[start : start + self.batch]
            said = self.inner.generate([request for _, request in part])
            found = {key: completions for (key, _), completions in zip(part, said, strict=True)}
            append(self.path, b"".join(_line(key, completions) for key, completions in found.items()))
            self._said |= found
            self.asked += len(part)
        return [self._said[key] for key in keys]

    def _key(self, request: Generation) -> str:
        text = json.dumps([self._who, dataclasses.asdict(request)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _read(self) -> None:
        lines = whole_lines(self.path)
        for number, line in enumerate(lines, 1):
            where = f"{self.path}:{number}"
            key, said = _reply(parse_row(line, where), where)
            self._said[key] = said
        with atomic_write(self.path) as file:
            file.writelines(line + b"\n" for line in lines)


def _line(key: str, said: Sequence[Completion]) -> bytes:
    return json.dumps({"key": key, "said": [dataclasses.asdict(one) for one in said]}).encode() + b"\n"


def _reply(row: Mapping[str, Any], where: str) -> tuple[str, list[Completion]]:
    key, said = row.get("key"), row.get("said")
    whole = isinstance(said, list) and all(isinstance(one, dict) and set(one) == _FIELDS for one in said)
    if not isinstance(key, str) or not whole or not isinstance(said, list):
        raise CorruptError("no reply of a model", where=where, hint="delete this line, and it is asked again")
    return key, [Completion(**one) for one in said]
