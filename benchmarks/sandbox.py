"""The sandbox: programs judged a second in each isolation, what isolation costs one program, and starts of bare Python.

Programs are HumanEval's own solutions with --problems, a small function without. Each program is two processes.
"""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from harness.report import entry, options, publish, table

from presage.core.errors import Unavailable
from presage.core.workers import usable_cores
from presage.tasks.code import read_problems
from presage.tasks.sandbox import Program, Sandbox
from presage.tasks.sandbox.tiers import NONE, TIERS

SMALL = Program("small", "def add(a, b):\n    return a + b\n", ("add",), "assert add(1, 2) == 3", timeout_s=60.0)
ALONE = 20  # programs one after another, whose median is what one takes


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--problems", type=Path, help="HumanEval.jsonl.gz: its solutions are the programs")
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    known = read_problems(args.problems) if args.problems else []
    programs = [problem.program(problem.solution, timeout_s=60.0) for problem in known] or [SMALL] * 40
    names = (NONE, *TIERS)
    measured = {name: _measured(name, programs, args.rounds) for name in names}
    rows = [[name, *cells] for name, cells in measured.items()]
    columns = ["isolation", "programs a second", "passed", "one alone, ms", "Python inside"]
    said = (
        f"{len(programs)} programs, {usable_cores()} at once, best of {args.rounds} rounds; one alone is the median of "
        f"{ALONE}, one after another. A bare start of Python (-I -S -E) takes {_bare():.0f} ms; a program is two."
    )
    publish("sandbox", "Sandbox", [table(columns, rows), said], write=args.write)


def _measured(name: str, programs: Sequence[Program], rounds: int) -> list[str]:
    """Rate, how many passed, milliseconds of one, Python; dashes where this machine has no such isolation."""
    try:
        opened = Sandbox.open(accept_unsandboxed=name == NONE, tier=name)
    except Unavailable as error:
        return ["-", "-", "-", str(error).replace("|", "/")]
    with opened as sandbox:
        seconds, passed = min(_round(sandbox, programs) for _ in range(rounds))
        alone = statistics.median(_round(sandbox, [SMALL])[0] for _ in range(ALONE))
        return [f"{len(programs) / seconds:.1f}", f"{passed}", f"{1000 * alone:.0f}", sandbox.python]


def _round(sandbox: Sandbox, programs: Sequence[Program]) -> tuple[float, int]:
    start = time.perf_counter()
    passed = sum(verdict.passed for verdict in sandbox.check(programs))
    return time.perf_counter() - start, passed


def _bare() -> float:
    """Milliseconds of the Python that runs inside, started to do nothing."""
    with Sandbox.open(accept_unsandboxed=True, tier=NONE, jobs=1) as sandbox:
        command = [*sandbox.tier.python.command, "-c", ""]
    times = []
    for _ in range(ALONE):
        start = time.perf_counter()
        subprocess.run(command, check=True)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


if __name__ == "__main__":
    entry(main)
