"""From what a person writes to a model that answers: DIR, DIR@STEP, hf:DIR, http://…, https://…."""

from __future__ import annotations

from typing import Any

from presage.data.verbs import LanguageModel

URLS = ("http://", "https://")


def open_model(spec: str, **settings: Any) -> LanguageModel:
    """The model that `spec` names. Settings are those of directories.Settings, or for an address those of UrlModel.

    Raises ConfigError for a spec or a setting that is none, RunError for what is missing, CorruptError for what is
    damaged, each in one line; an address raises what UrlModel.open does.
    """
    if spec.startswith(URLS):
        from presage.infer.url import UrlModel

        url: LanguageModel = UrlModel.open(spec, **settings)
        return url
    from presage.infer.directories import Settings, open_hf, open_run

    given = Settings.parse(settings, where=spec)
    return open_hf(spec[3:], given) if spec.startswith("hf:") else open_run(spec, given)
