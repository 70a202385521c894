"""From what a person writes to a model that answers: DIR, DIR@STEP, hf:DIR, http://…, https://…."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError
from presage.data.verbs import LanguageModel

URLS = ("http://", "https://")


def open_model(spec: str, **settings: Any) -> LanguageModel:
    """The model that `spec` names. Settings are those of directories.Settings, or for an address those of UrlModel.

    Raises ConfigError for a spec or a setting that is none, RunError for what is missing, CorruptError for what is
    damaged, each in one line; an address raises what UrlModel.open does.
    """
    if is_url(spec):
        from presage.infer.url import UrlModel

        url: LanguageModel = UrlModel.open(spec, **settings)
        return url
    from presage.infer.directories import Settings, open_hf, open_run

    given = Settings.parse(settings, where=spec)
    return open_hf(spec[3:], given) if spec.startswith("hf:") else open_run(spec, given)


def is_url(spec: str) -> bool:
    """Whether it is the address of an endpoint, whose scheme may be written in capitals."""
    return spec.lower().startswith(URLS)


def opened(spec: str, key_file: str = "", settings: Sequence[str] = ()) -> LanguageModel:
    """The same with settings as a person writes them, key=value; only an endpoint is given the key."""
    given = dict(map(_setting, settings))
    key = {"key_file": Path(key_file)} if key_file and is_url(spec) else {}
    return open_model(spec, **given, **key)


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"'{text}' is not key=value", where="settings")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
