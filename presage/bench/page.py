"""A page of figures in Markdown, with the machine and the date that they are of."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path

from presage import __version__


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is left-aligned, the others to the right."""
    lines = [list(columns), [":--", *["--:"] * (len(columns) - 1)], *([str(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(title: str, parts: Iterable[str]) -> str:
    """The title, the date, the machine and the parts."""
    today = datetime.date.today().isoformat()
    return "\n\n".join([f"# {title}", f"{today}. {machine()}", *parts]) + "\n"


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
