"""From what a person writes to a model that answers: DIR, DIR@STEP, hf:DIR, http://…, https://…."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import model_validator

from presage.core.config import Config, Parent
from presage.core.errors import ConfigError
from presage.data.verbs import LanguageModel

URLS = ("http://", "https://")


class Examined(Config):
    """What the config of a stage says about the model that it asks."""

    run: Parent | None = None
    """The run examined: one that has a model."""
    model: str = ""
    """Or hf:DIR, or an endpoint's https://HOST/v1#NAME."""
    key_file: str = ""
    """A file that holds the endpoint's key; the key itself is never written anywhere."""
    settings: tuple[str, ...] = ()
    """key=value: how the model is asked, by the settings of its backend (requests_per_minute=60, begin=true)."""

    @model_validator(mode="after")
    def _one_model(self) -> Examined:
        if (self.run is None) == (not self.model):
            raise ValueError("either a run or a model must be given")
        named = (setting.partition("=") for setting in self.settings)
        if any(name.strip() == "proxy" and "@" in value for name, _, value in named):
            raise ValueError("a proxy with a name or password in it would be written down: leave them out")
        return self

    @property
    def spec(self) -> str:
        """What names the model."""
        return str(self.run) if self.run is not None else self.model


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
