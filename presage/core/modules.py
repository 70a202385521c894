"""A Python file that a user names, as a module: recipes and tasks of one's own."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from presage.core.errors import ConfigError, PresageError

_HINT = "what a script does when it is run belongs under: if __name__ == '__main__'"


def load_module(path: Path) -> ModuleType:
    """The module that a file makes when it is run. Raises ConfigError for whatever it raises but PresageError, also
    where it calls sys.exit; Ctrl-C goes through."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigError("not a Python file", where=path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except PresageError:
        raise
    except SystemExit as error:
        raise ConfigError(f"cannot be loaded: it exits ({error.code!r:.60})", where=path, hint=_HINT) from None
    except Exception as error:  # the file is the user's own code: whatever it raises is about that file
        raise ConfigError(f"cannot be loaded: {_one_line(error)}", where=path) from error
    return module


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
