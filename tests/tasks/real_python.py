"""Real Python's word on programs: run as `python -I real_python.py`, JSON in, JSON out, with little time and memory.

In: [{"source", "entry", "tests": [[args, expected], …]}, …]. Out for each: [verdict, [outcome of every test]], an
outcome being `shown(value)`, or "error", or "timeout".
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import warnings
from typing import Any

SECONDS = 0.2  # of this process's own time, a program


class _Timeout(BaseException):
    pass


def shown(value: Any) -> str:
    """A value as text that tells types apart; of iterators only the type, since their repr is an address."""
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(shown, value))})"
    known = value is None or isinstance(value, bool | int | float | str | range)
    return f"{type(value).__name__} {value!r}" if known else type(value).__name__


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, list | tuple) and type(a) is type(b):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and bool(a == b)


def _stop(number: int, frame: object) -> None:
    raise _Timeout


def _outcome(program: dict[str, Any], args: list[Any], expected: Any) -> tuple[bool, str]:
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        names: dict[str, Any] = {}
        exec(program["source"], names)
        value = names[program["entry"]](*args)
        return _same(value, expected), shown(value)
    except _Timeout:
        return False, "timeout"
    except Exception:
        return False, "error"
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def main() -> None:
    """Read, run, write."""
    resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGVTALRM, _stop)
    warnings.simplefilter("ignore")
    results = []
    for program in json.load(sys.stdin):
        found = [_outcome(program, args, expected) for args, expected in program["tests"]]
        results.append([all(passed for passed, _ in found), [outcome for _, outcome in found]])
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
