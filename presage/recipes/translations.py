"""The tables that translated MMLU reads, made once by a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError, did_you_mean
from presage.core.files import prepare_new
from presage.data.verbs import LanguageModel
from presage.infer.opening import URLS, opened
from presage.recipes.examination import PART_OF_ENDPOINT
from presage.tasks.library import find
from presage.tasks.translated import ENGLISH, PREFIX, write_translations
from presage.tasks.translation import LANGUAGES, Cached, Prompted, Translator

BATCH = 64
"""Texts asked together, and lost together when a model on this machine is interrupted."""


@dataclass(frozen=True)
class Made:
    """A table: how many texts it has, how many of them were asked for now, and what an endpoint counted."""

    path: Path
    texts: int
    asked: int
    usage: Sequence[dict[str, Any]]


@dataclass
class _Counted:
    inner: Translator
    asked: int = 0

    @property
    def name(self) -> str:
        return self.inner.name

    def translate(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        self.asked += len(texts)
        return self.inner.translate(texts, source, target)


def place_of(data: Path, language: str) -> Path:
    """Where the task finds its table below a folder of data."""
    return data / "translations" / f"{language}.jsonl"


def translated(
    spec: str, language: str, data: Path, out: Path, max_tokens: int, key_file: str = "", settings: Sequence[str] = ()
) -> Made:
    """MMLU of `data` in a language, as the table `out`; every reply is kept in the folder {out}.replies as it comes.

    Raises ConfigError for a language that is none, DataError for missing files, a table that is there already and texts
    without a translation, and whatever opening and asking the model raises.
    """
    _check(language)
    find(f"{PREFIX}{ENGLISH}").data.files(data)  # before a model is opened: are there questions at all?
    prepare_new(out)
    model = opened(spec, key_file, settings)
    counted = _Counted(Prompted(model.generate, _name(model), max_tokens))
    batch = PART_OF_ENDPOINT if spec.startswith(URLS) else BATCH
    texts = write_translations(data, language, Cached(counted, Path(f"{out}.replies"), batch), out)
    usage = getattr(model, "usage", None)
    return Made(out, texts, counted.asked, usage.table() if usage is not None else ())


def _check(language: str) -> None:
    if language == ENGLISH:
        raise ConfigError("the questions are English", where="--language en", hint=f"ask {PREFIX}{ENGLISH} as it is")
    if language not in LANGUAGES:
        code = next((code for code, name in LANGUAGES.items() if name.lower() == language.lower()), None)
        hint = f"did you mean '{code}'?" if code else did_you_mean(language, LANGUAGES)
        raise ConfigError("not the code of a language of the GPT-4 report", where=f"--language {language}", hint=hint)


def _name(model: LanguageModel) -> str:
    """What replies are kept under: with the weights' digest, where they are at hand, since runs share names."""
    weights = model.identity().get("weights")
    return f"{model.name}:{weights[:16]}" if isinstance(weights, str) else model.name
