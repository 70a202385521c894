"""A system card from a model in one go: OUT/card, the figures, and OUT/page with card.html."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from presage.align import card
from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.infer.opening import is_url
from presage.report import card as page

PART_OF_ENDPOINT = 16


def config_of(spec: str, **settings: Any) -> card.Config:
    """A card of what `spec` names. A run is a parent, recorded by its digest; an endpoint's answers, which cost money,
    are kept in smaller parts."""
    model = {"model": spec} if spec.startswith("hf:") or is_url(spec) else {"run": Path(spec)}
    part = {"part": PART_OF_ENDPOINT} if is_url(spec) else {}
    return card.Config.parse(model | part | settings, where=spec)


def whole(config: card.Config, out: Path, *, title: str = "", resume: bool = False) -> RunDir:
    """OUT/card and OUT/page; the page's run. With `resume` what is finished stays as it is.

    Raises ConfigError where that was made with other settings.
    """
    made = _stage(card, config, out / "card", resume)
    asked = {"card": made.path} | ({"title": title} if title else {})
    return _stage(page, page.Config.parse(asked, where=out), out / "page", resume)


def _stage(stage: Any, config: Any, out: Path, resume: bool) -> RunDir:
    if resume and (out / "DONE").is_file():
        done = RunDir.open(out)
        if changed := done.changed(config):
            raise ConfigError(f"was made with another {', '.join(changed)}", where=out, hint="choose another --out")
        return done
    made: RunDir = stage.run(config, out, resume=resume)
    return made


def mitigations_of(texts: tuple[str, ...]) -> dict[str, str]:
    """AREA=what is done. Raises ConfigError for what is not of that form, or names an area twice."""
    found: dict[str, str] = {}
    for text in texts:
        area, equals, says = (part.strip() for part in text.partition("="))
        if not equals or not says or area in found:
            why = "twice" if area in found else "not AREA=what is done"
            raise ConfigError(f"'{text:.60}' is {why}", where="--mitigation", hint="as cybersecurity='…'")
        found[area] = says
    return found
