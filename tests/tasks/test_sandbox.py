"""The sandbox: verdicts on programs, and what thousands of them leave behind."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import ConfigError, Unavailable
from presage.tasks.sandbox import Program, Sandbox, inside, pair
from presage.tasks.sandbox.sandbox import AHEAD
from presage.tasks.sandbox.tiers import TIERS
from tests.imports import ROOT
from tests.tasks.hostile import GOOD, WORK


@pytest.fixture(scope="module", params=TIERS)
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    try:
        opened = Sandbox.open(tier=request.param, jobs=2)
    except Unavailable as error:
        pytest.skip(str(error))
    with opened:
        yield opened


def program(source: str, test: str = WORK, **changes: Any) -> Program:
    return Program(**{"id": "p", "source": source, "entries": ("add",), "test": test, "timeout_s": 20.0} | changes)


# ---- verdicts --------------------------------------------------------------------------------------------------------

VERDICTS = {
    "good": (GOOD, "passed", ""),
    "wrong": ("def add(a, b): return a - b", "failed", ""),
    "stub": ("def add(a, b): return None", "failed", ""),
    "syntax": ("def add(a, b: return", "error", "SyntaxError"),
    "raises": ("def add(a, b): return 1 / 0", "error", "ZeroDivisionError: division by zero"),
    "absent": ("def plus(a, b): return a + b", "error", "KeyError"),
    "empty": ("", "error", "KeyError"),
    "nul": ("\0", "error", ""),
    "half a surrogate": ("'\ud800'", "error", "UnicodeEncodeError"),
    "leaves": ("import os; os._exit(0)", "ended", "the process ended"),
    "object": ("def add(a, b): return object()", "refused", "returned a value of type object"),
    "too large": ("def add(a, b): return 'x' * 5_000_000", "refused", "returned more than 4,000,000 bytes"),
    "too deep": ("def add(a, b):\n x = []\n for _ in range(50): x = [x]\n return x", "refused", "nested"),
    "cycle": ("def add(a, b):\n x = []\n x.append(x)\n return x", "refused", "nested"),
    "long number": ("def add(a, b): return 10 ** 5000", "refused", "digits"),
    "memory": ("def add(a, b): return [0] * 10**9", "limit", ""),
    "stops the loop": ("def add(a, b): raise StopIteration", "error", "StopIteration"),
    "stream": ("import sys\ndef add(a, b):\n print(a, file=sys.stderr); print(b)\n return a + b", "passed", ""),
    "dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n x: int\ndef add(a, b): return P(a).x + b",
        "passed",
        "",
    ),
}


@pytest.mark.parametrize("name", VERDICTS)
def test_verdicts(box: Sandbox, name: str) -> None:
    source, reason, detail = VERDICTS[name]
    verdict = box.check([program(source)])[0]
    assert (verdict.reason, verdict.passed, verdict.isolation) == (reason, reason == "passed", box.isolation)
    assert detail in verdict.detail
    assert verdict.detail.isprintable()


def test_a_program_that_takes_too_long(box: Sandbox) -> None:
    start = time.monotonic()
    verdict = box.check([program("def add(a, b):\n while True: pass", timeout_s=0.5)])[0]
    assert verdict.reason == "timeout"
    assert 0.5 <= verdict.seconds < 1.5
    assert time.monotonic() - start < 10


def test_tests_that_call_nothing_prove_nothing(box: Sandbox) -> None:
    verdict = box.check([program(GOOD, test="assert True")])[0]
    assert (verdict.reason, verdict.detail) == ("error", "the tests call none of the functions")


def test_exceptions_that_tests_expect_cross(box: Sandbox) -> None:
    test = "try:\n    add(1, 2)\nexcept ValueError as error:\n    assert str(error) == 'no'\nelse:\n    assert False\n"
    assert box.check([program("def add(a, b): raise ValueError('no')", test=test)])[0].passed
    assert not box.check([program(GOOD, test=test)])[0].passed


SWALLOWING = "try:\n    add(1, 2)\nexcept:\n    pass\n"
SWALLOWED = {
    "ends": ("import os\ndef add(a, b): os._exit(0)", "ended"),
    "ended before": ("import os\nos._exit(0)", "ended"),
    "object": ("def add(a, b): return object()", "refused"),
}


@pytest.mark.parametrize("name", SWALLOWED)
def test_what_the_tests_catch_is_still_the_verdict(box: Sandbox, name: str) -> None:
    """A bare `except` catches everything, and `finally` may hide what it does not."""
    source, reason = SWALLOWED[name]
    for after in ("", "assert False", "raise KeyError", "raise SystemExit"):
        assert box.check([program(source, test=SWALLOWING + after)])[0].reason == reason
    assert box.check([program(GOOD, test=SWALLOWING)])[0].passed


def test_what_cannot_be_asked_is_no_call(box: Sandbox) -> None:
    verdict = box.check([program(GOOD, test=SWALLOWING.replace("2", "print"))])[0]
    assert (verdict.reason, verdict.detail[:9]) == ("refused", "was given")


def test_stop_iteration_does_not_end_the_tests_own_loop(box: Sandbox) -> None:
    """`all` over a map would be true of the calls before the one that raises: of none."""
    test = "assert all(map(lambda pair: add(*pair) == sum(pair), [(1, 2), (3, 4)]))"
    assert box.check([program(GOOD, test=test)])[0].passed
    assert box.check([program("def add(a, b): raise StopIteration", test=test)])[0].reason == "error"


def test_tests_use_helpers_of_their_setup_and_never_the_candidates(box: Sandbox) -> None:
    setup = "def twice(x): return 2 * x\ndef add(a, b): pass"
    test = "assert add(1, 1) == twice(1)"
    assert box.check([program(GOOD, test=test, setup=setup)])[0].passed
    cheat = "def twice(x): return None\ndef add(a, b): return None"
    assert box.check([program(cheat, test=test, setup=setup)])[0].reason == "failed"


def test_several_functions_and_keywords(box: Sandbox) -> None:
    source = "def add(a, *, b=1): return a + b\ndef sub(a, b): return a - b"
    test = "assert add(1, b=3) == 4 and sub(5, 1) == 4 and add(1) == 2"
    assert box.check([program(source, test=test, entries=("add", "sub"))])[0].passed


def test_verdicts_come_in_order(box: Sandbox) -> None:
    sources = [GOOD if n % 3 else "def add(a, b): return 0" for n in range(12)]
    verdicts = box.check([program(source, id=str(n)) for n, source in enumerate(sources)])
    assert [verdict.id for verdict in verdicts] == [str(n) for n in range(12)]
    assert [verdict.passed for verdict in verdicts] == [bool(n % 3) for n in range(12)]


def test_programs_are_taken_as_they_can_be_run(box: Sandbox) -> None:
    """A line of millions is never held at once, and one that is left early stops there."""
    taken: list[int] = []
    endless = (taken.append(n) or program(GOOD, id=str(n)) for n in itertools.count())  # type: ignore[func-returns-value]
    verdicts = box.each(endless)
    assert [next(verdicts).id, next(verdicts).id] == ["0", "1"]
    assert len(taken) <= AHEAD * len(box.slots) + 2
    verdicts.close()  # type: ignore[attr-defined]
    assert box.check([program(GOOD)])[0].passed


def test_a_source_too_long_is_refused_unrun(box: Sandbox) -> None:
    assert box.check([program("#" * 1_000_001)])[0].reason == "refused"
    assert box.check([program("#" + "\U0001f600" * 999_999)])[0].reason == "refused"
    assert box.check([program(GOOD + "#" + "\U0001f600" * 200_000)])[0].passed


def test_a_verdict_is_short(box: Sandbox) -> None:
    """This process reads what the checker wrote, which ran a data set's tests: never more than a few thousand bytes."""
    long = "x" * 100_000
    for test, reason in (
        (f"add(1, 2)\nassert False, {long!r}", "failed"),
        (f"add(1, 2)\nraise ValueError({long!r})", "error"),
        (f"add(1, 2)\nraise type({long!r}, (Exception,), {{}})({long!r})", "error"),
    ):
        verdict = box.check([program(GOOD, test=test)])[0]
        assert (verdict.reason, len(verdict.detail)) == (reason, pair.SHOWN)
    verdict = box.check([program(f"def add(a, b): return type({long!r}, (), {{}})()")])[0]
    assert (verdict.reason, len(verdict.detail)) == ("refused", pair.SHOWN)


def test_a_long_verdict_is_not_taken() -> None:
    """Whole numbers of one hash in a set would hold whoever reads them for minutes."""
    numbers = b"".join(inside.encode(n * sys.hash_info.modulus) for n in range(20_000))
    value = b"t3:" + inside.encode("nonce") + inside.encode("failed") + b"S20000:" + numbers
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(b"%0*d%b" % (inside.HEAD, len(value), value))
        file.seek(0)
        start = time.monotonic()
        frame = pair._frame(file.fileno(), start + 5)
        assert frame is not None
        assert pair._understood(frame, "nonce") == ("error", "a verdict that is not the checker's")
        assert time.monotonic() - start < 1
    longest = ("n" * 32, "refused", "\U0001f600" * inside.MAX_TEXT)
    assert len(inside.encode(longest)) < pair.LONGEST_VERDICT


def test_what_the_inside_sees(box: Sandbox) -> None:
    """No environment, no time zone of the host, no package, no file of ours, the chosen Python."""
    source = (
        "import os, sys\ndef add(a, b): return [sorted(os.environ), '.'.join(map(str, sys.version_info[:3])), "
        "[p for p in sys.path if 'packages' in p], 'site' in sys.modules, os.getuid() == 0]"
    )
    test = f"told = add(1, 2)\nassert set(told[0]) <= {{'LC_CTYPE', 'PWD'}}, told\nassert told[1:] == [{box.python!r}, "
    test += "[], False, False], told"
    verdict = box.check([program(source, test=test)])[0]
    assert verdict.passed, verdict


def test_bad_programs_are_refused() -> None:
    for changes in ({"timeout_s": 0.0}, {"timeout_s": -1.0}, {"timeout_s": math.nan}, {"entries": ()}):
        with pytest.raises(ConfigError):
            program(GOOD, **changes)


# ---- what is left ----------------------------------------------------------------------------------------------------


def leftovers(box: Sandbox) -> set[int]:
    """Children of this process and processes of the slots' users, zombies too."""
    users = {f"Uid:\t{user}\t" for slot in box.slots for user in (slot.candidate, slot.checker)}
    found = set()
    for entry in os.scandir("/proc"):
        try:
            status = Path(entry.path, "status").read_text() if entry.name.isdigit() else ""
        except OSError:
            continue
        if f"PPid:\t{os.getpid()}\n" in status or any(user in status for user in users):
            found.add(int(entry.name))
    return found


def state() -> tuple[object, ...]:
    mounts = Path("/proc/self/mountinfo").read_text().count("\n")
    mine = [*Path(tempfile.gettempdir()).glob("presage-probe-*")]
    return len(os.listdir("/proc/self/fd")), mounts, mine


def run_many(box: Sandbox, count: int) -> None:
    sources = (GOOD, "def add(a, b): return 0", "import os; os._exit(1)", "def add(a, b): return 1 / 0")
    programs = [program(sources[n % len(sources)], id=str(n)) for n in range(count)]
    box.check(programs[:8])
    before, others, memory = state(), leftovers(box), rss()
    passed = sum(verdict.passed for verdict in box.each(programs))
    assert passed == math.ceil(count / len(sources))
    assert state() == before
    assert leftovers(box) <= others
    assert rss() < 1.05 * memory + 4e6


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_60_runs_leave_nothing(box: Sandbox) -> None:
    run_many(box, 60)


@pytest.mark.slow
def test_10_000_runs_leave_nothing(box: Sandbox) -> None:
    run_many(box, 10_000)


def test_a_killed_parent_leaves_no_process(box: Sandbox) -> None:
    """Whoever opened the sandbox may be killed at any time; what runs inside ends with it."""
    script = (
        "import sys; from presage.tasks.sandbox import *\n"
        f"box = Sandbox.open(tier={box.isolation!r}, jobs=1)\nprint(box.slots[0].candidate, flush=True)\n"
        "box.check([Program('p', 'import time; time.sleep(600)', ('add',), 'add(1, 2)', timeout_s=600)])\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        child.stdout.readline()
        marked = wait_for(lambda: len(with_mark(child.pid)) >= 2 and with_mark(child.pid))
    finally:
        child.kill()
        child.wait()
    assert wait_for(lambda: not any(map(alive, marked)))


def wait_for(what: Any) -> Any:
    """What comes true within twenty seconds."""
    deadline = time.monotonic() + 20
    while not (found := what()) and time.monotonic() < deadline:
        os.sched_yield()
    return found


def with_mark(parent: int) -> list[int]:
    """Descendants of a process that carry the mark."""
    found = []
    for entry in os.scandir("/proc"):
        try:
            known = entry.name.isdigit() and inside.MARK.encode() in Path(entry.path, "cmdline").read_bytes()
            if known and f"PPid:\t{parent}\n" in Path(entry.path, "status").read_text():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
