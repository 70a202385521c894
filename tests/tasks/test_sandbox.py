"""The sandbox: verdicts, what crosses, how it is opened and refused, what it leaves behind."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
import time
from collections import Counter, OrderedDict, defaultdict, namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presage.core.errors import ConfigError, Unavailable
from presage.tasks.sandbox import Program, Sandbox, filters, inside, pair, python, sandbox, tiers
from presage.tasks.sandbox.tiers import ACCEPT, BWRAP, LANDLOCK, NONE, TIERS
from tests.imports import ROOT
from tests.tasks.hostile import GOOD, WORK, Host

ROOM = Path(inside.__file__).parent


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


def test_a_source_too_long_is_refused_unrun(box: Sandbox) -> None:
    assert box.check([program("#" * 1_000_001)])[0].reason == "refused"


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


# ---- values ----------------------------------------------------------------------------------------------------------

KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    KEYS | st.complex_numbers(allow_nan=False) | st.text(st.characters()) | st.builds(range, st.integers(-9, 9)),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS)
        | st.frozensets(KEYS)
    ),
    max_leaves=20,
)


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return same([*a], [*b]) and same([*a.values()], [*b.values()])
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@given(VALUES)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert same(inside.decode(inside.encode(value)), value)


def test_numbers_that_are_none_come_back() -> None:
    assert math.isnan(inside.decode(inside.encode(math.nan)))
    assert inside.decode(inside.encode([math.inf, -0.0])) == [math.inf, 0.0]
    assert inside.decode(inside.encode("\ud800")) == "\ud800"


def test_subclasses_cross_as_what_they_hold() -> None:
    pair_of = namedtuple("pair_of", "a b")

    class Sly(int):
        def __eq__(self, other: object) -> bool:
            return True

        __hash__ = int.__hash__

    class Text(str):
        def encode(self, *_: object) -> bytes:
            return b"other"

    values = [pair_of(1, 2), Sly(7), Text("mine"), OrderedDict(a=1), Counter("aa"), defaultdict(list, a=[1])]
    back = inside.decode(inside.encode(values))
    assert same(back, [(1, 2), 7, "mine", {"a": 1}, {"a": 2}, {"a": [1]}])


@given(st.binary(max_size=60))
@settings(max_examples=500)
def test_bytes_of_anybody_are_values_or_refused(data: bytes) -> None:
    try:
        value = inside.decode(data)
    except inside.NotPlain:
        return
    assert same(inside.decode(inside.encode(value)), value) or value != value


@given(VALUES, st.data())
def test_damaged_values_are_values_or_refused(value: Any, data: st.DataObject) -> None:
    whole = bytearray(inside.encode(value))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        inside.decode(bytes(whole))
    except inside.NotPlain:
        pass


HOSTILE = {
    "deep": b"l1:" * 20_000 + b"N0:",
    "promises much": b"l99999999:",
    "promises more": b"l" + b"9" * 400 + b":",
    "long number": b"i3000000:" + b"9" * 3_000_000,
    "digits of another script": "i3:٣".encode(),
    "bad text": b"s2:\xff\xfe",
    "unhashable": b"S1:l0:",
    "unhashable key": b"d1:l0:N0:",
    "cut": b"s5:abc",
    "more": b"N0:N0:",
    "no tag": b"3:abc",
    "unknown tag": b"q0:",
    "zero step": b"r0:i1:0i1:1i1:0",
    "range of text": b"r0:s1:0i1:1i1:1",
    "nothing": b"",
    "negative": b"l-1:",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused(name: str) -> None:
    with pytest.raises(inside.NotPlain):
        inside.decode(HOSTILE[name])


def test_too_much_is_not_written() -> None:
    for value in ("x" * 5_000_000, [0] * 2_000_000, 10**4001, object(), [object()], type, print, memoryview(b"x")):
        with pytest.raises(inside.NotPlain):
            inside.encode(value)
    assert inside.decode(inside.encode(10**3900)) == 10**3900


# ---- opening ---------------------------------------------------------------------------------------------------------


def test_the_best_that_holds_is_chosen() -> None:
    held = []
    for name in TIERS:
        try:
            with Sandbox.open(tier=name, jobs=1):
                held.append(name)
        except Unavailable:
            continue
    if not held:
        pytest.skip("no isolation on this machine")
    with Sandbox.open(jobs=1) as box:
        assert box.isolation == held[0]
        assert box.kernel.startswith("Linux ")


def broken(*_: object) -> None:
    raise Unavailable("it is broken", where="a layer")


def test_nothing_runs_where_nothing_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "probe", broken)
    with pytest.raises(Unavailable) as caught:
        Sandbox.open(jobs=1)
    assert caught.value.exit_code == 3
    told = str(caught.value)
    assert ACCEPT in told and os.uname().release in told and told.count("a layer: it is broken") == 2


def test_running_without_isolation_needs_words(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable):
        Sandbox.open(tier=NONE, jobs=1)
    monkeypatch.setattr(sandbox, "probe", broken)
    with Sandbox.open(accept_unsandboxed=True, jobs=1) as box:
        verdict = box.check([program(GOOD)])[0]
        assert (verdict.passed, verdict.isolation, box.isolation) == (True, NONE, NONE)
        assert not box.check([program("def add(a, b): return 0")])[0].passed


def test_a_tier_that_is_named_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who asks for bubblewrap does not get Landlock instead."""
    monkeypatch.setattr(tiers.shutil, "which", lambda *_, **__: None)
    with pytest.raises(Unavailable, match="bubblewrap is not installed"):
        Sandbox.open(tier=BWRAP, jobs=1)


def test_bad_wishes() -> None:
    with pytest.raises(ConfigError, match="bwrap"):
        Sandbox.open(tier="bwrap")
    with pytest.raises(ConfigError):
        Sandbox.open(jobs=0)


def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers.sys, "platform", "darwin")
    with pytest.raises(Unavailable, match="needs Linux, this is darwin"):
        Sandbox.open(jobs=1)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_seccomp(name: str) -> None:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr(filters.importlib, "import_module", no_seccomp)
    with pytest.raises(Unavailable, match="pip install pyseccomp"):
        Sandbox.open(jobs=1)
    monkeypatch.setattr(python, "_programs", lambda: [str(tmp_path / "none")])
    with pytest.raises(Unavailable, match="no Python that"):
        Sandbox.open(jobs=1)


def test_the_probe_catches_a_tier_that_does_not_hold(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its filter and namespaces or files closed, the same probe that chose the tier refuses it."""
    weak = dataclasses.replace(box.tier, prefix=(), landlock=0, filter=None)
    with pytest.raises(Unavailable, match="got through: .*reading a file"):
        sandbox.probe(weak, box.slots[0])


def test_without_landlock_the_filter_alone_does_not_hold(box: Sandbox) -> None:
    """Each layer does its part: the filter allows files to be opened for reading."""
    weak = dataclasses.replace(box.tier, prefix=(), landlock=0)
    with pytest.raises(Unavailable, match="reading a file"):
        sandbox.probe(weak, box.slots[0])


def test_the_filter_names_what_it_allows() -> None:
    forbidden = "socket fork vfork clone clone3 execve execveat kill tgkill ptrace mount unshare setns bpf prctl chmod "
    forbidden += "unlink rename mkdir link symlink truncate ftruncate memfd_create shmget io_uring_setup keyctl setsid "
    forbidden += "process_vm_readv pidfd_open userfaultfd perf_event_open setpriority sched_setaffinity utimensat"
    assert not set(forbidden.split()) & {*filters.ALLOWED, *filters.ARGUMENTS}


def test_the_inside_never_holds_packages(box: Sandbox) -> None:
    assert not [path for path in box.tier.python.readable() if Path(path).name in python.PACKAGES]


def test_packages_within_a_library_are_left_out(tmp_path: Path) -> None:
    for name in ("os.py", "json", "site-packages"):
        (tmp_path / name).mkdir()
    one = python.Python("3", "/bin/python", (str(tmp_path),), ())
    assert sorted(map(os.path.basename, one.readable())) == ["json", "os.py"]
    words = [*tiers._namespaces(one)]
    assert words[words.index("--tmpfs") + 1] == str(tmp_path / "site-packages")
    assert words.count("--remount-ro") == 2


# ---- what is left ----------------------------------------------------------------------------------------------------


def leftovers(box: Sandbox) -> list[int]:
    """Processes of ours that run with the mark, and children of this process."""
    found = []
    for entry in os.scandir("/proc"):
        try:
            status = Path(entry.path, "status").read_text() if entry.name.isdigit() else ""
        except OSError:
            continue
        if f"PPid:\t{os.getpid()}\n" in status or "Uid:\t" + str(box.slots[0].candidate) in status:
            found.append(int(entry.name))
    return found


def state(box: Sandbox) -> tuple[object, ...]:
    mounts = Path("/proc/self/mountinfo").read_text().count("\n")
    mine = [*Path("/tmp").glob("presage-probe-*")]
    return len(os.listdir("/proc/self/fd")), leftovers(box), mounts, mine


def run_many(box: Sandbox, count: int) -> None:
    sources = (GOOD, "def add(a, b): return 0", "import os; os._exit(1)", "def add(a, b): return 1 / 0")
    programs = [program(sources[n % len(sources)], id=str(n)) for n in range(count)]
    box.check(programs[:8])
    before, memory = state(box), rss()
    passed = sum(verdict.passed for verdict in box.each(programs))
    assert passed == math.ceil(count / len(sources))
    assert state(box) == before
    assert rss() < 1.05 * memory + 4e6


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_300_runs_leave_nothing(box: Sandbox) -> None:
    run_many(box, 300)


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


def test_the_host_is_watched(tmp_path: Path) -> None:
    """The checks of the hostile programs see what they look for: each kind of harm, done on purpose, is told."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        host = Host(stack, pair.Users())
        assert host.harm() == []
        (host.folder / "new").touch()
        host.victim.kill()
        host.victim.wait()
        import socket

        socket.create_connection(("127.0.0.1", host.tcp.getsockname()[1])).close()
        with subprocess.Popen(["/bin/sleep", "60"]) as other:
            told = " ".join(host.harm())
            other.kill()
        for word in ("folder changed", "connection", "victim", f"process {other.pid} survives"):
            assert word in told


def test_landlock_is_named_by_version() -> None:
    try:
        assert tiers.landlock_version() >= 1
    except Unavailable as error:
        assert LANDLOCK in str(error) and "Landlock" in str(error)
