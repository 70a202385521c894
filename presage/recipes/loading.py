"""From what a person types as RECIPE to a config: a recipe's name, FILE.py:function, or a run that is already there.

A recipe is a Python module in this folder (or any file) with one function per stage, named like the stage, that takes
nothing and returns that stage's full Config.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pydantic

from presage.core.config import Config, as_config_error
from presage.core.errors import ConfigError, PresageError, did_you_mean
from presage.core.modules import load_module, one_line, place_of
from presage.core.run import load_config

C = TypeVar("C", bound=Config)

HELPERS = frozenset(
    [
        "card",
        "demo_plan",
        "examination",
        "examined",
        "kept",
        "loading",
        "outcome",
        "pictures",
        "retrain",
        "translations",
    ]
)


def resolve(spec: str, stage: str, kind: type[C]) -> C:
    """The config of `stage` that `spec` names.

    `spec` is FILE.py:function, a run directory, a config.json, or the name of a module in presage/recipes.
    Raises ConfigError when there is no such file, function or recipe, or when it makes another stage's config; with
    file and line for whatever a user's own function raises.
    """
    if ".py:" in spec:
        return _from_file(spec, kind)
    if spec.endswith(".json") or Path(spec).is_dir():
        return _from_run(Path(spec), stage, kind)
    return _from_name(spec, stage, kind)


def names() -> list[str]:
    """Names of the recipes that come with presage."""
    folder = str(Path(__file__).parent)
    return sorted(module.name for module in pkgutil.iter_modules([folder]) if module.name not in HELPERS)


def _from_file(spec: str, kind: type[C]) -> C:
    name, _, function = spec.rpartition(":")
    path = Path(name)
    if not path.is_file():
        raise ConfigError("no such recipe file", where=path)
    module = load_module(path)
    try:
        return _call(module, function, kind, where=spec)
    except PresageError:
        raise
    except Exception as error:  # the user's own code, as where the file is loaded
        raise ConfigError(f"raises {one_line(error)}", where=place_of(error, module, path)) from error


def _from_run(path: Path, stage: str, kind: type[C]) -> C:
    file = path / "config.json" if path.is_dir() else path
    if not file.is_file():
        raise ConfigError("no such config", where=file, hint="give a run directory or its config.json")
    try:
        written = json.loads(file.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"not JSON: {error}", where=file) from None
    found = written.get("stage", stage) if isinstance(written, dict) else stage
    if found != stage:
        raise ConfigError(f"the config of a '{found}' run, not of '{stage}'", where=file, hint=f"use presage {found}")
    return load_config(kind, file)


def _from_name(name: str, stage: str, kind: type[C]) -> C:
    module = name.replace("-", "_")
    if module not in names():
        raise ConfigError(f"no recipe '{name}'", hint=did_you_mean(module, names()))
    return _call(importlib.import_module(f"presage.recipes.{module}"), stage, kind, where=f"recipe {name}")


def _makes_configs(value: object, module: ModuleType) -> bool:
    """Whether it may be a stage's recipe: the module's own, public, asking for nothing."""
    own = inspect.isfunction(value) and value.__module__ == module.__name__ and not value.__name__.startswith("_")
    return own and not inspect.signature(value).parameters  # type: ignore[arg-type]


def _call(module: ModuleType, function: str, kind: type[C], where: object) -> C:
    recipe: Callable[[], Any] | None = getattr(module, function, None)
    if not callable(recipe):
        known = [name for name, value in vars(module).items() if _makes_configs(value, module)]
        raise ConfigError(f"no function '{function}'", where=where, hint=did_you_mean(function, known))
    try:
        config = recipe()
    except pydantic.ValidationError as error:
        raise as_config_error(error, where) from None
    if not isinstance(config, kind):
        raise ConfigError(f"returns {_named(type(config))}, not {_named(kind)}", where=where)
    return config


def _named(kind: type) -> str:
    """With its module: every stage's config is called Config."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
