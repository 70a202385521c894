"""A Python file that a user names, as a module: recipes and tasks of one's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from presage.core.errors import ConfigError, PresageError


def load_module(path: Path) -> ModuleType:
    """The module that a file makes when it is run. Raises ConfigError for whatever it raises but PresageError."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError("not a Python file", where=path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except PresageError:
        raise
    except Exception as error:  # the file is the user's own code: whatever it raises is about that file
        raise ConfigError(f"cannot be loaded: {type(error).__name__}: {error}", where=path) from error
    return module
