"""The flags of countries (flag-icons), with the countries' names in 37 languages (world_countries)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from presage.core.errors import DataError
from presage.data.images.question import Question
from presage.data.sights.naming import Item, Naming, check_labels
from presage.data.sights.packed import Zipped, check_split, json_value

TRAINED = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "cs": "Czech",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "eo": "Esperanto",
    "es": "Spanish",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "hr": "Croatian",
    "hu": "Hungarian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sr": "Serbian",
    "sv": "Swedish",
    "tr": "Turkish",
    "zh": "Chinese",
    "zh-tw": "Traditional Chinese",
}
UNSEEN = {
    "br": "Breton",
    "da": "Danish",
    "et": "Estonian",
    "eu": "Basque",
    "hy": "Armenian",
    "it": "Italian",
    "th": "Thai",
    "uk": "Ukrainian",
}


def country_flags(folder: Path, split: str, seed: int) -> Iterator[Question]:
    """Flags whose country is to be named. Raises DataError."""
    check_split(split, folder)
    pictures = Zipped(folder, "flags_64x48.zip")
    names = json_value(folder, "names.json.xz")
    if not isinstance(names, dict):
        raise DataError("not an object of countries", where=folder / "names.json.xz")
    codes = [*TRAINED, *UNSEEN]
    items = [
        Item(country, pictures.picture(f"{country}.png"), check_labels(labels, codes, f"{folder}: {country}"))
        for country, labels in sorted(names.items())
    ]
    yield from Naming("country_flags", items, TRAINED, UNSEEN).questions(split, seed)
