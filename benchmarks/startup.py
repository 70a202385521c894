"""Start-up: wall time of `presage --help` in a fresh process (median of 7), and that it imports no torch."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from harness.report import entry, options, publish, table

RUNS = 7
HELP = ["-m", "presage", "--help"]


def main() -> None:
    args = options(__doc__).parse_args()
    subprocess.run([sys.executable, *HELP], check=True, capture_output=True)  # fills the file cache and __pycache__
    times = [_seconds([sys.executable, *HELP]) for _ in range(RUNS)]
    bare = [_seconds([sys.executable, "-c", ""]) for _ in range(RUNS)]
    rows = [
        ["`presage --help`", *_spread(times)],
        ["of which Python itself", *_spread(bare)],
    ]
    torch = "torch is imported" if _imports("torch") else "torch is not imported"
    parts = [table(["", "median, s", "least, s", "greatest, s"], rows), f"{RUNS} processes each; {torch}."]
    publish("startup", "Start-up", parts, write=args.write)


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def _spread(times: list[float]) -> list[str]:
    return [f"{value:.3f}" for value in (statistics.median(times), min(times), max(times))]


def _imports(package: str) -> bool:
    """Whether --help loads any module of `package`, by Python's own list of imports."""
    command = [sys.executable, "-X", "importtime", *HELP]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stderr.splitlines()
    names = [line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")]
    return any(name.split(".")[0] == package for name in names)


if __name__ == "__main__":
    entry(main)
