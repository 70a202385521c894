"""Remove each guard of the code, one at a time, and see whether a test fails.

    python tools/guards.py [--only TEXT] [--write FILE]

A guard is an `if` whose only statement is a `raise` (or a `return False` of what judges an update), in the files that
stand between presage and damaged, hostile or too much input. Each is switched off in a copy of the repository, and the
tests of that file are run there. A guard that no test misses is a test that is not there: exit code 1 below 95 %.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENOUGH = 0.95
LONGEST = 300
GUARDED = {
    "presage/train/state.py": ("tests/train/test_checkpoints.py", "tests/train/test_corrupting.py"),
    "presage/train/dcp.py": ("tests/train/test_sharded.py",),
    "presage/train/loop.py": ("tests/train/test_loop.py", "tests/train/test_resume.py"),
    "presage/model/weights.py": (
        "tests/model/test_weights.py",
        "tests/train/test_checkpoints.py",
        "tests/align/test_fitting.py",
    ),
    "presage/data/loader.py": ("tests/data/test_loader.py",),
    "presage/core/run.py": ("tests/core/test_run.py",),
    "presage/forecast/seal.py": ("tests/forecast/test_seal.py", "tests/forecast/test_seeing.py"),
    "presage/forecast/score.py": (
        "tests/forecast/test_seal.py",
        "tests/forecast/test_attempts.py",
        "tests/forecast/test_tamper.py",
        "tests/forecast/test_seeing.py",
    ),
    "presage/forecast/ledger.py": ("tests/forecast/test_ledger.py", "tests/forecast/test_ledger_tamper.py"),
    "presage/data/images/parts.py": ("tests/data/test_parts.py", "tests/data/test_hostile_images.py"),
    "presage/data/images/reading.py": ("tests/data/test_hostile_images.py", "tests/data/test_images.py"),
    "presage/data/images/pieces.py": ("tests/data/test_hostile_images.py",),
    "presage/serve/guard.py": ("tests/serve/test_server.py", "tests/serve/test_errors.py"),
    "presage/serve/body.py": ("tests/serve/test_body.py", "tests/serve/test_server.py", "tests/serve/test_errors.py"),
    "presage/serve/house.py": ("tests/serve/test_server.py", "tests/serve/test_errors.py", "tests/page/test_votes.py"),
}
"""{file: the tests that are to miss its guards}."""


@dataclass(frozen=True)
class Guard:
    file: str
    line: int
    condition: str
    begin: int
    """Bytes of the file at which the condition begins and ends."""
    end: int


def guards(file: str) -> Iterator[Guard]:
    """Every guard of a file, from top to bottom."""
    source = (ROOT / file).read_bytes()
    starts = [0]
    for text in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(text))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.If) and not node.orelse and len(node.body) == 1 and _refuses(node.body[0]):
            test = node.test
            begin = starts[test.lineno - 1] + test.col_offset
            end = starts[(test.end_lineno or test.lineno) - 1] + (test.end_col_offset or 0)
            yield Guard(file, node.lineno, " ".join(source[begin:end].decode().split()), begin, end)


def _refuses(statement: ast.stmt) -> bool:
    no = isinstance(statement, ast.Return) and isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Raise) or (no and statement.value.value is False)  # type: ignore[attr-defined]


def copied(to: Path) -> Path:
    """The files that git knows, as they stand."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in listed.decode().split("\0")[:-1]:
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to / name)
    return to


def missed(guard: Guard, tree: Path) -> bool:
    """Whether a test fails without it. The file is as it was afterwards."""
    path = tree / guard.file
    whole = path.read_bytes()
    path.write_bytes(whole[: guard.begin] + b"False and (" + whole[guard.begin : guard.end] + b")" + whole[guard.end :])
    try:
        return not passes(guard.file, tree)
    finally:
        path.write_bytes(whole)


def passes(file: str, tree: Path) -> bool:
    """Whether the tests of a file pass; what does not end is no pass."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "not slow", *GUARDED[file]]
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> int:
    """Print a line a guard, then how many were missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", default="", help="files whose path holds this")
    parser.add_argument("--write", type=Path, help="also write the lines to a file")
    given = parser.parse_args()
    files = [file for file in GUARDED if given.only in file]
    lines, noticed, total = [], 0, 0
    with tempfile.TemporaryDirectory(prefix="presage-guards-") as folder:
        tree = copied(Path(folder))
        for file in files:
            if not passes(file, tree):
                print(f"{file}: its tests fail with every guard in place", flush=True)
                return 2
            for guard in guards(file):
                begin = time.monotonic()
                found = missed(guard, tree)
                noticed, total = noticed + found, total + 1
                said = "missed" if found else "NOT MISSED"
                lines.append(f"{said:10} {guard.file}:{guard.line}  if {guard.condition}")
                print(f"{lines[-1]}  ({time.monotonic() - begin:.0f} s)", flush=True)
    lines.append(f"{noticed} of {total} guards are missed by a test when they are gone")
    print(lines[-1])
    if given.write:
        given.write.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0 if total and noticed >= ENOUGH * total else 1


if __name__ == "__main__":
    sys.exit(main())
