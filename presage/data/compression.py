"""How well a tokenizer compresses text, by language."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol


class Encoder(Protocol):
    """Anything that turns text into token ids."""

    def encode(self, text: str) -> list[int]: ...


def compression_table(tokenizer: Encoder, texts_by_language: Mapping[str, Iterable[str]]) -> list[dict[str, Any]]:
    """One row a language, best compressed first: language, bytes, characters, tokens, bytes_per_token,
    characters_per_token. Languages without text are left out."""
    rows = [_row(tokenizer, language, list(texts)) for language, texts in texts_by_language.items()]
    return sorted((row for row in rows if row["tokens"]), key=lambda row: (-row["bytes_per_token"], row["language"]))


def _row(tokenizer: Encoder, language: str, texts: list[str]) -> dict[str, Any]:
    tokens = sum(len(tokenizer.encode(text)) for text in texts)
    size = sum(len(text.encode()) for text in texts)
    characters = sum(map(len, texts))
    return {
        "language": language,
        "bytes": size,
        "characters": characters,
        "tokens": tokens,
        "bytes_per_token": size / tokens if tokens else 0.0,
        "characters_per_token": characters / tokens if tokens else 0.0,
    }
