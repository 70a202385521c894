"""A benchmark's output: Markdown with machine and date, printed, and with --write kept in benchmarks/results."""

from __future__ import annotations

import argparse
import datetime
import platform
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path

from presage import __version__
from presage.core.errors import PresageError

RESULTS = Path(__file__).resolve().parent.parent / "results"


def options(text: str | None) -> argparse.ArgumentParser:
    """A parser that knows --write; `text` is the script's docstring."""
    parser = argparse.ArgumentParser(description=text, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="also save to benchmarks/results/NAME-DATE.md")
    return parser


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is left-aligned, the others to the right."""
    lines = [list(columns), [":--", *["--:"] * (len(columns) - 1)], *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def publish(name: str, title: str, parts: Iterable[str], *, write: bool) -> None:
    """Print the title, the machine, the date and the parts; with `write` also save them."""
    today = datetime.date.today().isoformat()
    text = "\n\n".join([f"# {title}", f"{today}. {machine()}", *parts]) + "\n"
    print(text, flush=True)
    if write:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{name}-{today}.md").write_text(text, encoding="utf-8")


def machine() -> str:
    """CPU model, cores this process may use, GPU if any, and versions."""
    import torch

    from presage.core.workers import usable_cores

    gpu = f" {torch.cuda.get_device_name()}." if torch.cuda.is_available() else ""
    versions = f"Python {platform.python_version()}, torch {metadata.version('torch')}, presage {__version__}"
    return f"{cpu_model()}, {usable_cores()} cores.{gpu} {versions}."


def cpu_model() -> str:
    """The name the processor gives itself, with family and model where names are shared by generations."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(reversed([(k.strip(), v.strip()) for k, _, v in (line.partition(":") for line in text.splitlines())]))
    name = facts.get("model name", platform.machine())
    return f"{name} (family {facts['cpu family']}, model {facts['model']})" if "cpu family" in facts else name


def entry(main: Callable[[], None]) -> None:
    """Run a script; what a person can mend becomes one line and exit code 2."""
    try:
        main()
    except PresageError as error:
        print(f"{Path(sys.argv[0]).name}: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
