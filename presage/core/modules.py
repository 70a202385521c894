"""A Python file that a user names, as a module: recipes and tasks of one's own."""

from __future__ import annotations

import importlib.util
import traceback
from pathlib import Path
from types import ModuleType

from presage.core.errors import ConfigError, PresageError

_HINT = "what a script does when it is run belongs under: if __name__ == '__main__'"


def load_module(path: Path) -> ModuleType:
    """The module that a file makes when it is run. Raises ConfigError with the file's line for whatever it raises but
    PresageError, also where it calls sys.exit; Ctrl-C goes through."""
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
        raise ConfigError(f"cannot be loaded: {one_line(error)}", where=place_of(error, module, path)) from error
    return module


def place_of(error: Exception, module: ModuleType, path: Path) -> str:
    """FILE:LINE of a module's file, the last that an error came through or that is no Python; FILE where none is."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == module.__file__]
    if isinstance(error, SyntaxError) and error.filename == module.__file__:
        lines = [error.lineno]
    return f"{path}:{lines[-1]}" if lines else str(path)


def one_line(error: Exception) -> str:
    """What an error of somebody else's code is, and what it says."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
