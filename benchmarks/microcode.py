"""Programs a second through the interpreter on one core: each parsed and run on its tests, as sampling meets them."""

from __future__ import annotations

import time
from collections.abc import Callable

from harness.report import entry, options, publish, table

from presage.data.microcode import Problem, documents, problem_of, problems
from presage.data.microcode_families import combinations
from presage.tasks.microcode import count_passed, grade

NEEDED = 2000


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--full", action="store_true", help="every function and five rounds instead of 500 and two")
    args = parser.parse_args()
    step, rounds = (1, 5) if args.full else (7, 2)
    examined = [problem_of(combination) for combination in combinations()[::step]]
    wrong = [problem.solution.replace("return", "return 1 +", 1) for problem in examined]
    cut = [problem.solution[:-1] for problem in examined]
    rows = [
        _row("correct solutions", examined, [problem.solution for problem in examined], rounds),
        _row("wrong answers or types", examined, wrong, rounds),
        _row("cut short, mostly no Python", examined, cut, rounds),
    ]
    same = [examined[0].solution] * 1000
    repeated = _rate(lambda: count_passed(examined[0], same), len(same), rounds)
    per_second = [
        ["training documents", f"{_rate(lambda: list(documents(0, 300)), 300, rounds):,.0f}"],
        ["problems with chosen tests", f"{_rate(lambda: problems(0, 100), 100, rounds):,.0f}"],
        ["equal completions of one problem, counted", f"{repeated:,.0f}"],
    ]
    columns = ["completions", "programs", "tests each", "passed", "programs/s", f"of {NEEDED:,} needed"]
    parts = [
        table(columns, rows),
        table(["generator and counting", "per second"], per_second),
        f"Best of {rounds} rounds, in processor time of one process; every program differs, none is in a cache.",
    ]
    publish("microcode", "Microcode", parts, write=args.write)


def _row(name: str, examined: list[Problem], completions: list[str], rounds: int) -> list[str]:
    pairs = list(zip(examined, completions, strict=True))
    passed = sum(grade(*pair) for pair in pairs)
    rate = _rate(lambda: [grade(*pair) for pair in pairs], len(pairs), rounds)
    tests = sum(len(problem.tests) for problem in examined) / len(examined)
    return [name, f"{len(pairs):,}", f"{tests:.1f}", f"{passed:,}", f"{rate:,.0f}", f"{rate / NEEDED:.1f}x"]


def _rate(work: Callable[[], object], count: int, rounds: int) -> float:
    return max(count / _seconds(work) for _ in range(rounds))


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    entry(main)
