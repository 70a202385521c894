"""The table of compression by language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from presage.data.bpe import Tokenizer
from presage.data.compression import compression_table
from presage.data.documents import read_bytes


def test_rows_and_order(trained: Tokenizer) -> None:
    rows = compression_table(trained, {"en": ["a loader reads", "every window"], "zh": ["世界"], "none": [""]})
    assert [row["language"] for row in rows] == ["en", "zh"]
    english, chinese = rows
    assert english["bytes"] == english["characters"] == 26
    assert english["bytes_per_token"] == 26 / english["tokens"] > 1
    assert (chinese["bytes"], chinese["characters"], chinese["tokens"], chinese["bytes_per_token"]) == (6, 2, 6, 1.0)


def test_flores_and_udhr(gpt2: Tokenizer, cl100k: Tokenizer, shared: Path) -> None:
    """GPT-2's merges are English; cl100k's need fewer tokens in nearly every language."""
    flores, udhr = (shared / "corpus" / name for name in ("flores200/dev.jsonl.xz", "udhr/udhr.jsonl.xz"))
    texts = {row["lang"]: row["sentences"][:30] for row in rows_of(flores)}
    texts |= {row["key"]: row["paras"][:20] for row in rows_of(udhr)}
    old, new = ({row["language"]: row for row in compression_table(tokenizer, texts)} for tokenizer in (gpt2, cl100k))
    assert set(old) == set(new) == set(texts)
    assert old["eng_Latn"]["bytes_per_token"] > 4
    assert sum(new[name]["tokens"] <= old[name]["tokens"] for name in texts) > 0.9 * len(texts)
    assert next(iter(old)) in ("eng_Latn", "eng"), "best compressed first"


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read_bytes(path).decode().splitlines()]
