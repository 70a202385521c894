"""One command line in, one exit code out; every error becomes one line on standard error."""

from __future__ import annotations

import contextlib
import errno
import inspect
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from typing import NoReturn

from cyclopts import CycloptsError

from presage.cli import (  # noqa: F401 - each adds its verbs to the app
    assistant,
    bench,
    capability,
    card,
    chain,
    chat,
    code,
    completion,
    contamination,
    evaluation,
    examine,
    family,
    label,
    labelled,
    laws,
    ledger,
    library,
    make,
    make_boundary,
    make_hallucinations,
    make_hindsight,
    make_pictures,
    make_policy,
    make_translations,
    models,
    plan,
    redteam,
    runs,
    scores,
    serve,
    sight,
    stages,
    surface,
    trends,
)
from presage.cli.grammar import app, close_stdout, emit
from presage.core.errors import PresageError, SaidElsewhere, Stopped
from presage.core.terminal import visible

BAD_INPUT, STOPPED, INTERNAL = 2, 4, 70
# What the operating system refuses is about the machine or the place written to, not about our code.
REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.ENAMETOOLONG}


@app.command(show=False)
def reference() -> None:
    """Print docs/cli.md."""
    sys.argv[0] = app.name[0]  # the name that usage lines show, however this process was started
    emit([app.generate_docs(usage_name="presage").rstrip()])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        app(arguments, exit_on_error=False, print_error=False, result_action="return_value")
        sys.stdout.flush()
    except CycloptsError as error:
        return _complain(" ".join(str(error).split()), BAD_INPUT)
    except Interrupted as error:
        return _complain(f"{error} ({_how_to_go_on(arguments)})", STOPPED)
    except SaidElsewhere as error:
        return error.exit_code
    except PresageError as error:
        return _complain(str(error), error.exit_code)
    except KeyboardInterrupt:
        return _complain(f"stopped by Ctrl-C ({_how_to_go_on(arguments)})", STOPPED)
    except BrokenPipeError:
        close_stdout()
    except SystemExit as error:  # none of ours: a task or a recipe of the user's, when it was run
        if isinstance(error.__context__, BrokenPipeError):  # or what prints help, when nobody reads on
            close_stdout()
            return 0
        return _complain(f"stopped by its own code: it exits ({error.code!r:.60})", BAD_INPUT)
    except Exception as error:
        return _report_crash(error)
    return 0


class Interrupted(Stopped):
    """A signal that came where nobody was waiting for one."""


def _stop(number: int, _: object) -> NoReturn:
    raise Interrupted(f"stopped by {signal.Signals(number).name}")


def _how_to_go_on(arguments: Sequence[str] | None) -> str:
    """What gets the work done after all: only some verbs take --resume."""
    _, apps, _ = app.parse_commands(arguments)
    verb = apps[-1].default_command
    known = inspect.signature(verb).parameters if verb is not None else {}
    kept = "out" not in known or any(word.split("=")[0] == "--out" for word in arguments or sys.argv)
    resumes = "resume" in known and kept
    return "go on with the same command and --resume" if resumes else "run the same command again"


def _complain(text: str, exit_code: int) -> int:
    with contextlib.suppress(BrokenPipeError):
        print(f"presage: {visible(text)}", file=sys.stderr)
    return exit_code


def _report_crash(error: Exception) -> int:
    if isinstance(error, OSError) and error.errno in REFUSALS:
        return _complain(f"{error.filename or 'the system refused'}: {error.strerror}", BAD_INPUT)
    handle, name = tempfile.mkstemp(prefix="presage-crash-", suffix=".txt")
    with open(handle, "w", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return _complain(f"internal error: {text} (please report it; details in {name})", INTERNAL)
