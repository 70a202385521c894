"""A benchmark's output: Markdown with machine and date, printed, and with --write kept in benchmarks/results."""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from presage.bench.page import machine, page, table
from presage.core.errors import PresageError

__all__ = ["entry", "machine", "options", "publish", "table"]

RESULTS = Path(__file__).resolve().parent.parent / "results"


def options(text: str | None) -> argparse.ArgumentParser:
    """A parser that knows --write; `text` is the script's docstring."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="also save to benchmarks/results/NAME-DATE.md")
    return parser


def publish(name: str, title: str, parts: Iterable[str], *, write: bool) -> None:
    """Print the title, the machine, the date and the parts; with `write` also save them."""
    text = page(title, parts)
    print(text, flush=True)
    if write:
        today = datetime.date.today().isoformat()
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}-{today}.md").write_text(text, encoding="utf-8")


def entry(main: Callable[[], None]) -> None:
    """Run a script; what a person can mend becomes one line and exit code 2."""
    try:
        main()
    except PresageError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
