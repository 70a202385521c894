"""Models of directories on this machine: runs of ours, and Hugging Face's."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import Field

from presage.core.config import Config
from presage.core.errors import ConfigError, CorruptError, RunError
from presage.core.files import digest_of, sha256
from presage.data.bpe import Tokenizer
from presage.infer.asking import Asking
from presage.infer.foreign import ForeignEngine
from presage.infer.local import Engine, Facts, LocalModel
from presage.infer.own import OwnEngine
from presage.infer.templated import Templated
from presage.infer.text import OF_MODEL, OF_TOKENIZER, TOKENIZER, ForeignText, OwnText, Text
from presage.model.exchange import load_hf, weight_files
from presage.model.hf_framing import is_ours
from presage.model.huggingface import NotOurs
from presage.model.weights import MODEL_FILE, checkpoint, load_writer

FORMS = "a model is a run directory (DIR), hf:DIR, or an http(s):// address"


class Settings(Config):
    """How a model on this machine is asked."""

    begin: bool | None = None
    """Every prompt begins with the token that documents begin with. By default so for runs, which were trained so, and
    not for Hugging Face directories, where the tokenizer's own habit decides."""
    stride: int | None = Field(default=None, gt=0)
    """How far windows over long texts stand apart; by default half a context with `begin`, a whole one without, and at
    most that: tokens further apart would be scored by no window."""
    batch_size: int = Field(default=64, gt=0)
    """Prompts computed together, a prompt counted once with all its continuations."""
    batch_tokens: int = Field(default=4096, gt=0)
    """Tokens computed together, unless one prompt is longer."""
    engine: Literal["auto", "presage", "transformers"] = "auto"
    """What computes a Hugging Face directory: our Transformer where it can, else transformers."""


def open_run(spec: str, settings: Settings) -> LocalModel:
    """The model of a run, DIR or DIR@STEP. Raises RunError, ConfigError or CorruptError naming the file."""
    path, step = _divided(spec)
    model, vocabulary = load_writer(path, step)
    folder = checkpoint(path, step)
    manifest = json.loads((folder / "MANIFEST").read_text(encoding="utf-8"))
    facts: Facts = {
        "backend": "run",
        "engine": "presage",
        "weights": str(manifest["files"][MODEL_FILE]),
        "config": sha256(path / "config.json"),
        "dtype": "float32",
        "step": int(folder.name),
    }
    begin = settings.begin is not False
    engine = OwnEngine(model, settings.batch_size, settings.batch_tokens)
    text = OwnText.load(vocabulary)
    asking = _asking(text, engine.context, begin, settings)
    if json.loads((path / "config.json").read_text(encoding="utf-8"))["config"].get("template") == "chat":
        asking = replace(asking, chat=text.tokenizer)
    elif vocabulary.parent == path / "artifacts":
        asking = replace(asking, foreign=Templated.load(vocabulary.parent))
    return LocalModel(path.resolve().name, engine, asking, facts)


def _divided(spec: str) -> tuple[Path, int | None]:
    """The directory of a run, and the step asked for. A directory whose own name holds an @ is taken as it is."""
    name, at, step = spec.rpartition("@")
    whole = not at or Path(spec).is_dir()
    path = Path(spec if whole else name)
    if not whole and not step.isdecimal():
        raise ConfigError(f"'{step}' is not a step", where=spec, hint="write DIR@STEP, a number")
    if not spec or not path.is_dir():
        raise RunError("no such directory", where=path if spec else "''", hint=FORMS)
    if (path / "config.json").is_file() and not (path / "origin.json").exists() and _is_foreign(path / "config.json"):
        raise ConfigError("a Hugging Face directory, not a run", where=path, hint=f"write hf:{path}")
    return path, None if whole else int(step)


def _is_foreign(path: Path) -> bool:
    try:
        return "model_type" in json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, RecursionError):
        raise CorruptError("not readable as JSON", where=path) from None


def open_hf(folder: str, settings: Settings) -> LocalModel:
    """The model of a Hugging Face directory. Raises RunError, ConfigError or CorruptError naming the file."""
    path = Path(folder)
    if not folder or not path.is_dir():
        raise RunError("no such directory", where=f"hf:{folder}", hint=FORMS)
    begin = settings.begin is True
    engine, facts = _engine(path, settings)
    text = ForeignText.load(path, literal=begin)
    asking, template = _asking(text, engine.context, begin, settings), Templated.load(path)
    if template is not None and is_ours(template.template, path / TOKENIZER):
        asking = replace(asking, chat=Tokenizer.load(path / TOKENIZER))
    else:
        asking = replace(asking, foreign=template)
    return LocalModel(f"hf:{path.resolve().name}", engine, asking, facts)


def _engine(path: Path, settings: Settings) -> tuple[Engine, Facts]:
    """Our Transformer where it computes exactly this model; else, or where it is asked for, transformers.

    That another engine knows the architecture does not mend weights or a config: what is damaged is refused by either.
    """
    weights = {name: path / name for name in weight_files(path)}
    missing = next((file for file in weights.values() if not file.is_file()), None)
    if missing:
        hint = "pickled weights are not read; write it with transformers: model.save_pretrained(DIR)"
        raise RunError("missing file", where=missing, hint=hint)
    digests = {name: sha256(file) for name, file in weights.items()}
    digest = next(iter(digests.values())) if len(digests) == 1 else digest_of(digests)
    facts: Facts = {"backend": "hf", "engine": "presage", "weights": digest, "dtype": "float32"}
    read = [path / name for name in (*OF_MODEL, *OF_TOKENIZER)]
    facts["config"] = digest_of({file.name: sha256(file) for file in read if file.is_file()})
    reason = None
    if settings.engine != "transformers":
        try:
            return OwnEngine(load_hf(path), settings.batch_size, settings.batch_tokens), facts
        except NotOurs as error:  # weights that are damaged are so for any engine
            if settings.engine == "presage":
                raise
            reason = error
    foreign = ForeignEngine.load(path, list(weights.values()), settings.batch_size, settings.batch_tokens, reason)
    return foreign, facts | {"engine": f"transformers {foreign.version}"}


def _asking(text: Text, context: int, begin: bool, settings: Settings) -> Asking:
    if settings.stride and settings.stride > context:
        raise ConfigError(f"{settings.stride} is more than the context of {context} tokens", where="stride")
    return Asking(text, begin, context, settings.stride or (max(1, context // 2) if begin else context))
