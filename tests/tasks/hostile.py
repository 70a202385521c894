"""Every hostile program, run in every kind of isolation as every kind of user, and what became of the host.

`python -m tests.tasks.hostile [--write]` prints the table (or writes it to benchmarks/results). Whoever runs it as root
gets four configurations: each tier as root, and each as an ordinary user in a child process; others get two.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

from presage.core.errors import Unavailable
from presage.tasks.sandbox import Program, Sandbox
from presage.tasks.sandbox.pair import Users, _text
from presage.tasks.sandbox.tiers import TIERS

ATTACKS = Path(__file__).parent / "attacks"
ORDINARY = 65_534  # the number of the ordinary user
LIMIT = 1.0  # seconds for each program
LONGER = {
    "c18_thread_flood": 4.0,
    "c02_memory_bomb": 6.0,
    "c20_compression_bombs": 8.0,
    "c37_long_number": 6.0,
}  # to get as far as the limits
CALM = 0.15  # seconds after which nothing may be left
MEMORY = 700  # MB that the largest process may have held
SECRET = "canary-5e0b1a"
WORK = """
def check(candidate):
    assert candidate(2, 3) == 5
    assert candidate(-1, 1) == 0
    assert candidate(10**6, 1) == 1000001
check(add)
"""
TESTS = {"x28_swallowed_end": "try:\n    add(2, 3)\nexcept:\n    pass\n"}  # of cheats that need others than WORK
GOOD = "def add(a, b):\n    return a + b\n"


@dataclass(frozen=True)
class Config:
    """A tier, and whether root or an ordinary user opens the sandbox."""

    tier: str
    user: str

    def __str__(self) -> str:
        return f"{self.tier}, {self.user}"


CONFIGS = [Config(tier, user) for tier in TIERS for user in ("root", "user")]


@dataclass(frozen=True)
class Outcome:
    """The verdict on one program, and `harm`: what it did to the host. `next` is the verdict on a good one after it."""

    reason: str
    detail: str
    seconds: float
    megabytes: int
    next: str
    harm: list[str] = field(default_factory=list)

    @property
    def contained(self) -> bool:
        """Nothing came off, here or there."""
        return self.reason != "passed" and self.next == "passed" and not self.harm


def names() -> list[str]:
    """C01 to C41, P01 to P04 and X01 to X28, as their files are called."""
    return sorted(path.stem for path in ATTACKS.glob("[cpx][0-9][0-9]_*.py"))


def limit(name: str) -> float:
    """Seconds that a program is given."""
    return LONGER.get(name, LIMIT)


def described(name: str) -> str:
    """The first line of what a program says it does."""
    lines = (ATTACKS / f"{name}.py").read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith('"""')).strip('"')


def missing(config: Config) -> str | None:
    """Why a configuration cannot be tried here, or None."""
    if config.user == "root" and os.geteuid() != 0:
        return "only root can open the sandbox as root"
    try:
        with Sandbox.open(tier=config.tier, jobs=1):
            return None
    except Unavailable as error:
        return str(error)


@functools.cache
def outcomes(config: Config) -> dict[str, Outcome]:
    """{name: outcome} of all programs, one after another, in a child process that an ordinary user owns if need be."""
    importlib.import_module("pyseccomp")  # before the child gives up the right to read where it lies
    _text()
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(here)
            if config.user == "user" and os.geteuid() == 0:
                os.setgroups([])
                os.setgid(ORDINARY)
                os.setuid(ORDINARY)
            told = {name: asdict(outcome) for name, outcome in _run_all(config.tier)}
            with open(there, "w", encoding="utf-8") as file:
                json.dump(told, file)
            code = 0
        finally:
            os._exit(code)
    os.close(there)
    with open(here, encoding="utf-8") as file:
        text = file.read()
    assert os.waitpid(child, 0)[1] == 0, f"the harness itself ended while {config} ran"
    return {name: Outcome(**facts) for name, facts in json.loads(text).items()}


def _run_all(tier: str) -> Iterator[tuple[str, Outcome]]:
    with Sandbox.open(tier=tier, jobs=1) as sandbox:
        for name in names():
            yield name, _run(sandbox, name)


def _run(sandbox: Sandbox, name: str) -> Outcome:
    with ExitStack() as stack:
        host = Host(stack, sandbox.slots[0])
        start = time.monotonic()
        verdict = sandbox.check([_program(name, host)])[0]
        seconds = max(verdict.seconds, time.monotonic() - start - 1)  # a second to start on a busy machine
        time.sleep(CALM)
        harm = host.harm()
        harm += [f"{seconds:.1f} s"] if seconds > limit(name) + 1 else []
        megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1000
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000  # a child is born as large as its parent
        harm += [f"{megabytes} MB"] if megabytes > max(MEMORY, own) else []
        harm += [] if verdict.detail.isprintable() else ["a detail that a terminal would obey"]
        good = sandbox.check([Program("good", GOOD, ("add",), WORK, timeout_s=20)])[0]
        return Outcome(verdict.reason, verdict.detail, seconds, megabytes, good.reason, harm)


def _program(name: str, host: Host) -> Program:
    source = (ATTACKS / f"{name}.py").read_text(encoding="utf-8")
    if name.startswith("x"):
        return Program(name, source, ("add",), TESTS.get(name, WORK), timeout_s=limit(name))
    test = f"made = attack({host.world()!r})\nassert made, 'nothing came off'"
    common = (ATTACKS / "common.py").read_text(encoding="utf-8")
    return Program(name, common + source, ("attack",), test, timeout_s=limit(name))


class Host:
    """What an attack could reach of this machine, and whether it did."""

    def __init__(self, stack: ExitStack, users: Users) -> None:
        self.mine = {os.getuid() if user is None else user for user in (users.candidate, users.checker)}
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="presage-host-")))
        self.folder.chmod(0o777)
        self.canary = self.folder / "canary"
        self.canary.write_text(SECRET)
        self.canary.chmod(0o666)
        self.tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.udp.bind(("127.0.0.1", 0))
        self.unix, self.abstract = (stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(2))
        self.hidden = f"presage-{os.getpid()}-{time.monotonic_ns()}"
        self.unix.bind(str(self.folder / "socket"))
        self.abstract.bind("\0" + self.hidden)
        for one in (self.unix, self.abstract):
            one.listen()
        (self.folder / "socket").chmod(0o777)
        user = {} if users.candidate is None else {"user": users.candidate, "group": users.candidate}
        self.victim = subprocess.Popen(["/bin/sleep", "600"], env={"SECRET": SECRET}, extra_groups=None, **user)  # type: ignore[call-overload]
        stack.callback(self._end_victim)
        self._await_victim(os.getuid() if users.candidate is None else users.candidate)
        self.before = self._state()
        self.known, self.files = self._processes(), self._files()
        self.name, self.cores = socket.gethostname(), self._victims()

    def world(self) -> dict[str, object]:
        """What an attack is told."""
        return {
            "folder": str(self.folder),
            "canary": str(self.canary),
            "tcp": self.tcp.getsockname()[1],
            "udp": self.udp.getsockname()[1],
            "unix": str(self.folder / "socket"),
            "abstract": self.hidden,
            "victim": self.victim.pid,
            "parent": os.getpid(),
            "secret": SECRET,
        }

    def harm(self) -> list[str]:
        """What is not as it was."""
        found = [] if self._state() == self.before else ["the host's folder changed"]
        found += [f"process {pid} survives" for pid in self._processes() - self.known]
        found += [f"a file is left: {path}" for path in self._files() - self.files]
        listeners = (self.tcp, self.udp, self.unix, self.abstract)
        found += ["a connection came through"] if select.select(listeners, (), (), 0)[0] else []
        found += ["the host's name changed"] if socket.gethostname() != self.name else []
        found += [] if self._victims() == self.cores else ["the victim was touched"]
        return found + ([] if time.time() > 1e9 else ["the clock was set"])

    def _await_victim(self, owner: int) -> None:
        """Until its files are its user's: to whoever started it, it has begun a moment earlier."""
        end = time.monotonic() + 10
        while Path(f"/proc/{self.victim.pid}/limits").stat().st_uid != owner and time.monotonic() < end:
            time.sleep(0.001)

    def _end_victim(self) -> None:
        self.victim.kill()
        self.victim.wait()

    def _victims(self) -> object:
        """Whether the victim is stopped, its tracer, priority, cores and limits; None if it is dead."""
        if self.victim.poll() is not None:
            return None
        status = Path(f"/proc/{self.victim.pid}/status").read_text()
        state = [line for line in status.splitlines() if line.startswith(("TracerPid", "Cpus_allowed"))]
        pid, stopped = self.victim.pid, re.search(r"^State:\s+[TtZX]", status, re.MULTILINE) is not None
        return stopped, state, os.getpriority(os.PRIO_PROCESS, pid), Path(f"/proc/{pid}/limits").stat().st_uid

    def _state(self) -> object:
        if not self.folder.is_dir():
            return None
        kept = {path.name: path.lstat().st_mode for path in self.folder.iterdir()}
        if not self.canary.exists():
            return kept
        told = self.canary.stat()
        return kept, self.canary.read_bytes(), told.st_mtime_ns, told.st_uid, told.st_nlink

    def _processes(self) -> set[int]:
        """Processes of the slot's users that are no zombies."""
        found = set()
        for entry in os.scandir("/proc"):
            try:
                if entry.name.isdigit() and _lives(entry.path, self.mine):
                    found.add(int(entry.name))
            except OSError:
                continue
        return found

    def _files(self) -> set[str]:
        """Files of the slot's users where everybody may write, and whatever an attack names."""
        found = set()
        for folder in ("/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/run/lock"):
            for entry in os.scandir(folder) if os.path.isdir(folder) else ():
                try:
                    if entry.stat(follow_symlinks=False).st_uid in self.mine or "presage-f" in entry.name:
                        found.add(entry.path)
                except OSError:
                    continue
        return found


def _lives(path: str, users: set[int]) -> bool:
    """Whether a process is one of these users', and no zombie. The owner of its folder may be root for all that."""
    facts = dict(line.split(":", 1) for line in Path(path, "status").read_text().splitlines())
    return int(facts["Uid"].split()[1]) in users and facts["State"].split()[0] not in "ZX"


# ---- the table -------------------------------------------------------------------------------------------------------


def table() -> Iterator[str]:
    """Markdown: a program a row, a configuration a column."""
    reasons = {config: missing(config) for config in CONFIGS}
    told = {config: outcomes(config) for config, reason in reasons.items() if reason is None}
    machine = f"Linux {os.uname().release}, {os.uname().machine}"
    yield f"{machine}. One program at a time, {LIMIT:.0f} s for most. After the colon stands"
    yield "the verdict; `failed` means that the program itself found that nothing came off, or that a cheat was wrong."
    yield ""
    for config, reason in reasons.items():
        yield f"- {config}: {_summary(told[config]) if config in told else f'not tried: {reason}'}"
    yield ""
    yield "| program | what it does | " + " | ".join(map(str, told)) + " |"
    yield "| :-- | :-- |" + " :-- |" * len(told)
    for name in names():
        cells = [_cell(outcomes[name]) for outcomes in told.values()]
        yield f"| {name.split('_')[0].upper()} | {described(name)} | " + " | ".join(cells) + " |"


def _summary(told: dict[str, Outcome]) -> str:
    cheats = {name for name in told if name.startswith("x")}
    kept = sum(told[name].contained for name in told.keys() - cheats)
    passes = sum(told[name].reason == "passed" for name in cheats)
    harmed = sum(bool(outcome.harm) for outcome in told.values())
    hostile = len(told) - len(cheats)
    return f"{kept} of {hostile} contained, {passes} false passes of {len(cheats)} cheats, the host harmed by {harmed}"


def _cell(outcome: Outcome) -> str:
    held = "contained" if outcome.contained else f"**not contained** {'; '.join(outcome.harm)}"
    return f"{held}: {outcome.reason}"


def main() -> None:
    """Print the table, or write it."""
    text = "# Hostile programs\n\n" + "\n".join(table()) + "\n"
    if "--write" in sys.argv:
        path = Path(__file__).parents[2] / "benchmarks" / "results" / f"hostile-{time.strftime('%Y-%m-%d')}.md"
        path.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
