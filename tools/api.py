"""Print docs/api.md: the functions and classes of `import presage`, and the settings of every stage among them."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import presage
from presage.cli import STAGES
from presage.core.config import Config

HEAD = """# Python

Generated from the program (`make docs`). Names are imported when they are first used; what is here, stays.

```python
{example}
```
"""
BAR = "\\|"
SIGNS = {"*": "\\*", "<": "&lt;"}
LONGEST = 110
"""Characters of a default that is shown."""


def main() -> None:
    """The page."""
    example = inspect.cleandoc(presage.__doc__ or "").split("\n\n")[2]
    print(HEAD.format(example=inspect.cleandoc(example)))
    print("## Functions and classes\n")
    for name in presage.__all__[1:]:
        print("\n".join(_thing(name)))
    stages = [importlib.import_module(module).Config for module, _ in STAGES.values()]
    stages += [config for name in presage.__all__[1:] if (config := _config_of(getattr(presage, name)))]
    print(
        "## Settings\n\nOf stages and of what they are made of: the fields of their configs, by which a recipe and the"
    )
    print("command line (`key=value`) name them.\n")
    for config in _with_parts(stages):
        print("\n".join(_settings(config)))


def _thing(name: str) -> Iterator[str]:
    thing = getattr(presage, name)
    yield f"### presage.{name}\n"
    yield f"```python\n{_signature(name, thing)}\n```\n"
    yield f"{_text(thing)}\n"
    if inspect.isclass(thing):
        yield "\n".join([*_methods(thing), ""])
    config = _config_of(thing)
    if config:
        yield f"Its settings: [{_dotted(config)}](#{_anchor(config)}).\n"


def _methods(kind: type) -> Iterator[str]:
    """A line for each public method, with the first sentence of what it says."""
    for name in (name for name in vars(kind) if not name.startswith("_")):
        method = getattr(kind, name)
        if inspect.isroutine(method) and (said := _text(method)):
            first = " ".join(said.split("\n\n")[0].split())
            yield f"- `{_signature(name, method)}`: {first}"


def _config_of(thing: Any) -> type[Config] | None:
    """Of a stage's `run`; of anything else none."""
    return getattr(inspect.getmodule(thing), "Config", None) if getattr(thing, "__name__", "") == "run" else None


def _text(thing: Any) -> str:
    """What a thing says of itself; signs that Markdown would take for its own, outside of `code`, are kept as signs."""
    return re.sub(r"`[^`]*`|[*<]", lambda found: SIGNS.get(found[0], found[0]), inspect.getdoc(thing) or "")


def _signature(name: str, thing: Any) -> str:
    text = f"{name}{inspect.signature(thing)}".replace("'", "")
    return re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", text)


def _with_parts(stages: Sequence[type[Config]]) -> list[type[Config]]:
    """Configs and the configs in their fields, each once, by name."""
    found: dict[type[Config], None] = {}
    waiting = list(stages)
    while waiting:
        config = waiting.pop()
        if config not in found:
            found[config] = None
            waiting += [part for field in config.model_fields.values() for part in _configs(field.annotation)]
    return sorted(found, key=_dotted)


def _configs(kind: Any) -> Iterator[type[Config]]:
    if isinstance(kind, type) and issubclass(kind, Config):
        yield kind
    for part in get_args(kind):
        yield from _configs(part)


def _settings(config: type[Config]) -> Iterator[str]:
    yield f"### {_dotted(config)}\n"
    yield f"{_text(config)}\n"
    if config.model_fields:
        yield "| field | type | default | what |\n| :-- | :-- | :-- | :-- |"
    for name, field in config.model_fields.items():
        default = "required" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        what = " ".join((field.description or "").split())
        cells = (f"`{name}`", f"`{_kind(config, name)}`", default, what)
        yield f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |"
    yield ""


def _kind(config: type[Config], name: str) -> str:
    """A field's type as it is written."""
    written = next(one[name] for base in config.__mro__ if name in (one := vars(base).get("__annotations__", {})))
    return " ".join(str(written).split())


def _shown(default: Any) -> str:
    text = f"{type(default).__name__}()" if isinstance(default, Config) else repr(default)
    return f"`{text if len(text) <= LONGEST else text[:LONGEST] + '…'}`"


def _dotted(config: type) -> str:
    return f"{config.__module__}.{config.__qualname__}"


def _anchor(config: type) -> str:
    return _dotted(config).replace(".", "").lower()


if __name__ == "__main__":
    main()
