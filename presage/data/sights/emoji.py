"""Noto's emoji with the names of Unicode's CLDR (by emojibase), in 28 languages and variants."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from presage.data.images.question import Question
from presage.data.sights.naming import Item, Naming, check_labels
from presage.data.sights.packed import Zipped, check_split, json_rows

TRAINED = {
    "de": "German",
    "en": "English",
    "en-gb": "British English",
    "es": "Spanish",
    "es-mx": "Mexican Spanish",
    "fi": "Finnish",
    "fr": "French",
    "hi": "Hindi",
    "hu": "Hungarian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "nb": "Norwegian",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ru": "Russian",
    "sv": "Swedish",
    "vi": "Vietnamese",
    "zh": "Chinese",
}
UNSEEN = {
    "bn": "Bengali",
    "da": "Danish",
    "et": "Estonian",
    "it": "Italian",
    "ms": "Malay",
    "th": "Thai",
    "uk": "Ukrainian",
    "zh-hant": "Traditional Chinese",
}


def noto_emoji(folder: Path, split: str, seed: int) -> Iterator[Question]:
    """Emoji to be named. Raises DataError."""
    check_split(split, folder)
    pictures = Zipped(folder, "png72.zip")
    rows = json_rows(folder, "annotations.jsonl.xz", {"file": str, "label": dict})
    codes = [*TRAINED, *UNSEEN]
    items = [
        Item(row["file"], pictures.picture(row["file"]), check_labels(row["label"], codes, f"{folder}: {row['file']}"))
        for row in rows
    ]
    yield from Naming("noto_emoji", items, TRAINED, UNSEEN).questions(split, seed)
