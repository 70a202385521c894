"""Opening the sandbox: which isolation is chosen, what is refused, and that each layer does its part."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from presage.core.errors import ConfigError, Unavailable
from presage.tasks.sandbox import Program, Sandbox, filters, pair, python, sandbox, tiers
from presage.tasks.sandbox.tiers import ACCEPT, BWRAP, LANDLOCK, NONE, TIERS
from tests.tasks.hostile import GOOD, WORK, Host


@pytest.fixture(scope="module", params=TIERS)
def box(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    try:
        opened = Sandbox.open(tier=request.param, jobs=2)
    except Unavailable as error:
        pytest.skip(str(error))
    with opened:
        yield opened


def program(source: str) -> Program:
    return Program("p", source, ("add",), WORK, timeout_s=20.0)


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
    assert ACCEPT in told and os.uname().release in told
    assert told.count("a layer: it is broken") + told.count("bubblewrap is not installed") == 2


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


def refuse(number: int) -> Callable[..., NoReturn]:
    def call(*_: object, **__: object) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAGAIN, errno.ENOMEM])
@pytest.mark.parametrize("what", ["os.pipe", "subprocess.Popen", "tempfile.TemporaryFile", "os.pidfd_open"])
def test_processes_that_cannot_be_started_are_no_verdict(
    box: Sandbox, what: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if what == "os.pidfd_open" and not box.tier.in_namespaces:
        pytest.skip("not called without namespaces")
    fds = len(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patched:
        patched.setattr(what, refuse(number))
        with pytest.raises(Unavailable, match=re.escape(os.strerror(number))) as caught:
            box.check([program(GOOD)])
    assert (caught.value.where, caught.value.exit_code) == (box.isolation, 3)
    assert caught.value.hint
    assert len(os.listdir("/proc/self/fd")) == fds
    assert box.check([program(GOOD)])[0].passed


def test_threads_that_cannot_be_started_are_no_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> NoReturn:
        raise RuntimeError("can't start new thread")

    with Sandbox.open(accept_unsandboxed=True, jobs=1) as box:
        monkeypatch.setattr("threading.Thread.start", refused)
        with pytest.raises(Unavailable, match="can't start new thread"):
            box.check([program(GOOD)])


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")
def test_without_handles_of_processes_the_next_tier_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.pidfd_open", refuse(errno.ENOSYS))
    with pytest.raises(Unavailable, match=r"no pidfd_open: .*Function not implemented"):
        Sandbox.open(tier=BWRAP, jobs=1)
    try:
        with Sandbox.open(jobs=1) as box:
            assert box.isolation == LANDLOCK
            assert box.check([program(GOOD)])[0].passed
    except Unavailable as error:
        assert LANDLOCK in str(error)


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
    with pytest.raises(Unavailable, match=r"got through: .*reading a file"):
        sandbox.probe(weak, box.slots[0])


def test_without_landlock_the_filter_alone_does_not_hold(box: Sandbox) -> None:
    """Each layer does its part: the filter allows files to be opened for reading."""
    weak = dataclasses.replace(box.tier, prefix=(), landlock=0)
    with pytest.raises(Unavailable, match="reading a file"):
        sandbox.probe(weak, box.slots[0])


OPENED = """
import os
def add(a, b):
    return a + b
def opened(path, flags):
    try:
        os.close(os.open(path, flags))
        return "opened"
    except OSError as error:
        return error.errno
"""


@pytest.mark.parametrize("version", [1, 2, 3])
def test_a_file_that_may_be_read_is_not_truncated_by_opening_it(version: int) -> None:
    """Landlock of kernels before 6.2 knows no truncation: the filter lets files be opened for reading alone."""
    try:
        with Sandbox.open(tier=LANDLOCK, jobs=1) as box, tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            file = Path(folder, "module.py")
            file.write_text("kept")
            file.chmod(0o666)
            python = dataclasses.replace(box.tier.python, shared=(*box.tier.python.shared, str(file)))
            tier = dataclasses.replace(box.tier, python=python, landlock=version)
            flags = (0, os.O_TRUNC, 3 | os.O_TRUNC, os.O_RDWR, os.O_WRONLY, os.O_CREAT, 3)
            test = f"assert [opened({str(file)!r}, flags) for flags in {flags}] == {['opened'] + [38] * 6}"
            verdict = pair.judge(
                Program("p", OPENED, ("opened",), test, timeout_s=20.0), tier, box.slots[0], box.watcher
            )
            assert (verdict.reason, verdict.detail, file.read_text()) == ("passed", "", "kept")
    except Unavailable as error:
        pytest.skip(str(error))


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


def test_what_bears_the_mark_ends_when_its_beginner_is_killed() -> None:
    """As where bubblewrap was killed before its child was told to go on: nobody else would end that."""
    text = """
import subprocess, sys, time
from presage.tasks.sandbox.python import find_python
from presage.tasks.sandbox.watcher import Watcher
watcher = Watcher(find_python(None))
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
made = [subprocess.Popen([*sleep, mark]) for mark in (watcher.mark, watcher.mark, watcher.mark + "0")]
print(*(one.pid for one in made), flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True) as beginner:
        assert beginner.stdout is not None
        *marked, other = (os.pidfd_open(int(pid)) for pid in beginner.stdout.readline().split())
        beginner.kill()
        assert all(select.select([one], [], [], 20)[0] for one in marked), "what was begun outlives its beginner"
        assert not select.select([other], [], [], 0)[0]
        signal.pidfd_send_signal(other, signal.SIGKILL)
        for one in (*marked, other):
            os.close(one)


def test_the_host_is_watched(tmp_path: Path) -> None:
    """The checks of the hostile programs see what they look for: each kind of harm, done on purpose, is told."""
    with ExitStack() as stack:
        host = Host(stack, pair.Users())
        assert host.harm() == []
        (host.folder / "new").touch()
        host.victim.kill()
        host.victim.wait()
        socket.create_connection(("127.0.0.1", host.tcp.getsockname()[1])).close()
        with subprocess.Popen(["/bin/sleep", "60"]) as other:
            told = " ".join(host.harm())
            other.kill()
        for word in ("folder changed", "connection", "victim", f"process {other.pid} survives"):
            assert word in told


def test_a_victim_that_is_stopped_is_touched_and_one_that_is_busy_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        host = Host(stack, pair.Users())
        status = Path(f"/proc/{host.victim.pid}/status").read_text()
        read = Path.read_text
        for state, told in (("R (running)", []), ("T (stopped)", ["the victim was touched"])):
            shown = re.sub("State:.*", f"State:\t{state}", status)
            monkeypatch.setattr(
                Path,
                "read_text",
                lambda path, shown=shown: shown if path.parts[-2:] == (str(host.victim.pid), "status") else read(path),
            )
            assert host.harm() == told


def test_landlock_is_named_by_version() -> None:
    try:
        assert tiers.landlock_version() >= 1
    except Unavailable as error:
        assert LANDLOCK in str(error) and "Landlock" in str(error)
