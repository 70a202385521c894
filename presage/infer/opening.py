"""From what a person writes to a model that answers: DIR, DIR@STEP, hf:DIR, http://…, https://…."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from presage.core.config import Config
from presage.core.errors import ConfigError, CorruptError, RunError
from presage.core.files import digest_of
from presage.data.verbs import LanguageModel

URLS = ("http://", "https://")
FORMS = "a model is a run directory (DIR or DIR@STEP), hf:DIR, or an http(s):// address"


class Settings(Config):
    """How a model on this machine is asked."""

    begin: bool | None = None
    """Every prompt begins with the token that documents begin with. By default so for runs, which were trained so, and
    not for Hugging Face directories, where the tokenizer's own habit decides."""
    stride: int | None = Field(default=None, gt=0)
    """How far windows over long texts stand apart; by default half a context with `begin`, a whole one without."""
    batch_size: int = Field(default=64, gt=0)
    """Prompts computed together, a prompt counted once with all its continuations."""
    batch_tokens: int = Field(default=4096, gt=0)
    """Tokens computed together, unless one prompt is longer."""
    engine: Literal["auto", "presage", "transformers"] = "auto"
    """What computes a Hugging Face directory: our Transformer where it can, else transformers."""


def open_model(spec: str, **settings: Any) -> LanguageModel:
    """The model that `spec` names. Settings are those of `Settings`, or for an address those of UrlModel.

    Raises ConfigError for a spec or a setting that is none, RunError for what is missing, CorruptError for what is
    damaged, Unavailable never: one line each.
    """
    if spec.startswith(URLS):
        from presage.infer.url import UrlModel

        url: LanguageModel = UrlModel.open(spec, **settings)
        return url
    given = Settings.parse(settings, where=spec)
    return _open_hf(spec[3:], given) if spec.startswith("hf:") else _open_run(spec, given)


def _open_run(spec: str, settings: Settings) -> LanguageModel:
    from presage.infer.local import LocalModel
    from presage.infer.own import OwnEngine
    from presage.infer.text import OwnText
    from presage.model.weights import MODEL_FILE, checkpoint, load_run

    path, step = _divided(spec)
    model, vocabulary = load_run(path, step)
    folder = checkpoint(path, step)
    manifest = json.loads((folder / "MANIFEST").read_text(encoding="utf-8"))
    facts = {
        "backend": "run",
        "engine": "presage",
        "weights": str(manifest["files"][MODEL_FILE]),
        "dtype": "float32",
        "step": int(folder.name),
    }
    begin = settings.begin is not False
    engine = OwnEngine(model, settings.batch_size, settings.batch_tokens)
    return LocalModel(
        path.resolve().name, engine, _asking(OwnText.load(vocabulary), engine.context, begin, settings), facts
    )


def _divided(spec: str) -> tuple[Path, int | None]:
    """The directory of a run, and the step asked for. A directory whose own name holds an @ is taken as it is."""
    name, at, step = spec.rpartition("@")
    whole = not at or Path(spec).is_dir()
    path = Path(spec if whole else name)
    if not whole and not step.isdecimal():
        raise ConfigError(f"'{step}' is not a step", where=spec, hint="write DIR@STEP, a number")
    if not path.is_dir():
        raise RunError("no such directory", where=path, hint=FORMS)
    if (path / "config.json").is_file() and not (path / "origin.json").exists() and _is_foreign(path / "config.json"):
        raise ConfigError("a Hugging Face directory, not a run", where=path, hint=f"write hf:{path}")
    return path, None if whole else int(step)


def _is_foreign(path: Path) -> bool:
    try:
        return "model_type" in json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError):
        raise CorruptError("not readable as JSON", where=path) from None


def _open_hf(folder: str, settings: Settings) -> LanguageModel:
    from presage.infer.local import LocalModel
    from presage.infer.text import ForeignText

    path = Path(folder)
    if not folder or not path.is_dir():
        raise RunError("no such directory", where=f"hf:{folder}", hint=FORMS)
    begin = settings.begin is True
    engine, facts = _engine(path, settings)
    text = ForeignText.load(path, literal=begin)
    return LocalModel(f"hf:{path.resolve().name}", engine, _asking(text, engine.context, begin, settings), facts)


def _engine(path: Path, settings: Settings) -> Any:
    from presage.infer.own import OwnEngine
    from presage.model.exchange import load_hf

    model, files = load_hf(path)
    digests = {name: digest for name, digest in files.items() if name.endswith(".safetensors")}
    weights = next(iter(digests.values())) if len(digests) == 1 else digest_of(digests)
    facts = {"backend": "hf", "engine": "presage", "weights": weights, "dtype": "float32"}
    return OwnEngine(model, settings.batch_size, settings.batch_tokens), facts


def _asking(text: Any, context: int, begin: bool, settings: Settings) -> Any:
    from presage.infer.asking import Asking

    return Asking(text, begin, context, settings.stride or (max(1, context // 2) if begin else context))
