"""What runs inside: the locks, the language of plain values, the candidate and the checker.

This file is handed to another Python as `python -I -S -E -B -c TEXT ROLE FD…`, so it imports nothing but the standard
library, and little of that: two processes start for every program. It is the one file of presage that runs text from
outside as code, and it does so only after `lock`.

    candidate   runs the untrusted source, which never sees a test; answers calls with plain values
    checker     runs the tests, where the functions' names stand for calls to the candidate; writes the verdict

Values cross as a tag, a count, a colon and so many bytes or values: `i2:42`, `s3:abc`, `l2:T0:N0:`. A reader knows what
comes before it takes any of it, and builds nothing but values of the exact builtin types.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # importing typing would cost every start five milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Written = tuple[bytes, int, bytes, Any]  # tag, count, bytes, values that follow

MARK = "presage-sandbox"  # stands in the command line of every process in here
MAX_BYTES = 4_000_000  # of one value
MAX_DEPTH = 40
MAX_DIGITS = 4_000  # of a whole number; Python refuses 4,300
MAX_TEXT = 300  # characters of an error
HEAD = 8  # digits that say how long a frame is


class NotPlain(Exception):
    """A value that may not cross: of another type, too large, too deep, or bytes that are no value at all."""


# ---- values to bytes and back ----------------------------------------------------------------------------------------


def encode(value: Any) -> bytes:
    """A value as bytes. Subclasses cross as what they hold. Raises NotPlain."""
    parts: list[bytes] = []
    _write(value, parts, [MAX_BYTES], MAX_DEPTH)
    return b"".join(parts)


def _write(value: Any, parts: list[bytes], left: list[int], depth: int) -> None:
    if depth < 0:
        raise NotPlain(f"nested more than {MAX_DEPTH} deep")
    for kind, write in _WRITERS:
        if isinstance(value, kind):
            tag, count, data, items = write(kind, value)
            head = b"%b%d:" % (tag, count)
            left[0] -= len(head) + len(data)
            if left[0] < 0:
                raise NotPlain(f"more than {MAX_BYTES:,} bytes")
            parts += (head, data)
            for item in items:
                _write(item, parts, left, depth - 1)
            return
    raise NotPlain(f"a value of type {type(value).__name__}, not a plain one")


def _scalar(tag: bytes, data: bytes) -> Written:
    return tag, len(data), data, ()


def _whole(kind: type, value: Any) -> Written:
    number = int.__index__(value)
    if number.bit_length() > 3.3 * MAX_DIGITS:
        raise NotPlain(f"a number of more than {MAX_DIGITS:,} digits")
    return _scalar(b"i", int.__repr__(number).encode())


def _items(tag: bytes) -> Callable[[type, Any], Written]:
    return lambda kind, value: (tag, kind.__len__(value), b"", kind.__iter__(value))  # type: ignore[attr-defined]


def _pairs(kind: type, value: Any) -> Written:
    return b"d", dict.__len__(value), b"", (part for pair in dict.items(value) for part in pair)


_WRITERS: tuple[tuple[type, Callable[[type, Any], Written]], ...] = (
    (type(None), lambda kind, value: (b"N", 0, b"", ())),
    (bool, lambda kind, value: (b"T" if value is True else b"F", 0, b"", ())),
    (int, _whole),
    (float, lambda kind, value: _scalar(b"f", float.__repr__(value).encode())),
    (complex, lambda kind, value: (b"c", 0, b"", (value.real, value.imag))),
    (str, lambda kind, value: _scalar(b"s", str.encode(value, "utf-8", "surrogatepass"))),
    (bytes, lambda kind, value: _scalar(b"b", b"".join((value,)))),
    (list, _items(b"l")),
    (tuple, _items(b"t")),
    (dict, _pairs),
    (set, _items(b"S")),
    (frozenset, _items(b"z")),
    (range, lambda kind, value: (b"r", 0, b"", (value.start, value.stop, value.step))),
)


def decode(data: bytes) -> Any:
    """The value of some bytes, whoever wrote them. Raises NotPlain."""
    try:
        value, end = _read(data, 0, MAX_DEPTH)
    except (ValueError, TypeError, OverflowError, RecursionError, KeyError):
        raise NotPlain("bytes that are no value") from None
    if end != len(data):
        raise NotPlain("bytes after a value")
    return value


def _read(data: bytes, start: int, depth: int) -> tuple[Any, int]:
    colon = data.index(b":", start, start + 12)
    tag, digits = data[start : start + 1], data[start + 1 : colon]
    if depth < 0 or not digits.isdigit():
        raise ValueError
    count, at = int(digits), colon + 1
    if count > len(data) - at:  # an item takes a byte at the least
        raise ValueError
    if tag == b"i" and count > MAX_DIGITS + 1:
        raise ValueError
    if tag in _TEXTS:
        return _TEXTS[tag](data[at : at + count]), at + count
    items = []
    for _ in range(_FIXED.get(tag, 2 * count if tag == b"d" else count)):
        item, at = _read(data, at, depth - 1)
        items.append(item)
    return _BUILT[tag](items), at


_FIXED = {b"N": 0, b"T": 0, b"F": 0, b"c": 2, b"r": 3}
_TEXTS: dict[bytes, Callable[[bytes], Any]] = {
    b"i": int,
    b"f": float,
    b"s": lambda data: data.decode("utf-8", "surrogatepass"),
    b"b": bytes,
}
_BUILT: dict[bytes, Callable[[list[Any]], Any]] = {
    b"N": lambda items: None,
    b"T": lambda items: True,
    b"F": lambda items: False,
    b"c": lambda items: complex(*map(float, items)),
    b"r": lambda items: range(*items),
    b"l": list,
    b"t": tuple,
    b"S": set,
    b"z": frozenset,
    b"d": lambda items: dict(zip(items[::2], items[1::2])),  # noqa: B905 - an even number of them
}


class Gone(Exception):
    """The other side closed its end."""


def send(fd: int, value: Any) -> None:
    """Write one value. Raises NotPlain, and OSError when nobody reads."""
    data = encode(value)
    data = b"%0*d%b" % (HEAD, len(data), data)
    while data:
        data = data[os.write(fd, data) :]


def receive(fd: int) -> Any:
    """Read one value. Raises NotPlain and Gone."""
    head = _exactly(fd, HEAD)
    if not head.isdigit() or int(head) > MAX_BYTES:
        raise NotPlain("a frame that says no length, or one too large")
    return decode(_exactly(fd, int(head)))


def _exactly(fd: int, count: int) -> bytes:
    parts = []
    while count:
        part = os.read(fd, min(count, 1 << 16))
        if not part:
            raise Gone
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


# ---- locks -----------------------------------------------------------------------------------------------------------

_PDEATHSIG, _DUMPABLE, _NO_NEW_PRIVS, _SECCOMP, _FILTER = 1, 4, 38, 22, 2  # linux/prctl.h
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # landlock's system calls, the same on every architecture
_READ_FILE, _READ_DIR = 1 << 2, 1 << 3


def lock(locks: dict[str, Any]) -> None:
    """Close every door, for good. Raises OSError when one does not close."""
    import resource

    for name, value in locks["limits"]:
        resource.setrlimit(getattr(resource, name), (value, value))
    if locks["filter"] is None:
        return
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)

    def call(what: str, function: Any, *args: int) -> int:
        result: int = function(*map(ctypes.c_ulong, args))
        if result < 0:
            raise OSError(ctypes.get_errno(), what)
        return result

    call("PR_SET_PDEATHSIG", libc.prctl, _PDEATHSIG, 9, 0, 0, 0)
    if os.getppid() not in (0, locks["parent"]):  # it died before; outside this namespace it is 0
        os._exit(1)
    call("PR_SET_DUMPABLE", libc.prctl, _DUMPABLE, 0, 0, 0, 0)
    call("PR_SET_NO_NEW_PRIVS", libc.prctl, _NO_NEW_PRIVS, 1, 0, 0, 0)
    if locks["landlock"]:
        _landlock(locks["landlock"], locks["readable"], lambda *args: call("landlock", libc.syscall, *args))
    program = ctypes.create_string_buffer(locks["filter"], len(locks["filter"]))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]

    instructions = Program(len(locks["filter"]) // 8, ctypes.addressof(program))
    call("PR_SET_SECCOMP", libc.prctl, _SECCOMP, _FILTER, ctypes.addressof(instructions), 0, 0)


def _landlock(version: int, readable: list[str], call: Callable[..., int]) -> None:
    """Deny every right to files, TCP, signals and abstract sockets that this kernel's Landlock knows, but reading."""
    import ctypes

    rights = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)
    words = (ctypes.c_uint64 * 3)((1 << rights) - 1, 3 if version >= 4 else 0, 3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = call(_CREATE_RULESET, ctypes.addressof(words), size, 0)

    for path in readable:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        allowed = _READ_FILE | _READ_DIR if os.path.isdir(path) else _READ_FILE
        rule = (ctypes.c_uint32 * 3)(*memoryview(allowed.to_bytes(8, sys.byteorder)).cast("I"), place)
        call(_ADD_RULE, rules, 1, ctypes.addressof(rule), 0)
        os.close(place)
    call(_RESTRICT_SELF, rules, 0)
    os.close(rules)


# ---- the two roles ---------------------------------------------------------------------------------------------------


def candidate(job: dict[str, Any], requests: int, replies: int) -> NoReturn:
    """Run the untrusted source, then answer calls until nobody asks."""
    space = _module("candidate")
    send(replies, "locked")
    try:
        exec(compile(job["source"], "candidate", "exec"), space)
        send(replies, ())
    except BaseException as error:
        send(replies, _told(error))
    while True:
        name, args, kwargs = receive(requests)
        try:
            answer: Any = (space[name](*args, **kwargs),)
        except BaseException as error:
            answer = _told(error)
        try:
            send(replies, answer)
        except (NotPlain, RecursionError) as error:
            send(replies, ("NotPlain", f"returned {error}"[:MAX_TEXT]))


def _module(name: str) -> dict[str, Any]:
    """The namespace of a module that is known by its name, as dataclasses ask."""
    module = sys.modules[name] = type(sys)(name)
    return vars(module)


def _told(error: BaseException) -> tuple[str, str]:
    try:
        text = str(error)[:MAX_TEXT]
    except BaseException:
        text = ""
    return type(error).__name__, text


class CandidateError(Exception):
    """What the candidate raised, where it is no ordinary exception of Python's."""


class CandidateEnded(BaseException):
    """The candidate's process is gone."""


class CandidateBroke(BaseException):
    """The candidate was given, returned or sent what is no plain value."""


class Calls:
    """The candidate as the tests see it: names that stand for its functions."""

    def __init__(self, requests: int, replies: int) -> None:
        self.requests, self.replies, self.made = requests, replies, 0
        self.over: BaseException | None = None  # the first that no test may hide

    def proxy(self, name: str) -> Callable[..., Any]:
        """A function of this name, whose calls the candidate answers."""

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                send(self.requests, (name, args, kwargs))
            except OSError:
                raise self.noted(CandidateEnded("the process ended")) from None
            except NotPlain as error:
                raise self.noted(CandidateBroke(f"was given {error}")) from None
            self.made += 1
            (value,) = self.answer(1)
            return value

        call.__name__ = name
        return call

    def answer(self, count: int) -> tuple[Any, ...]:
        """The next reply: so many values, or the exception that it tells of is raised."""
        try:
            reply = receive(self.replies)
        except Gone:
            raise self.noted(CandidateEnded("the process ended")) from None
        except NotPlain as error:
            raise self.noted(CandidateBroke(f"sent {error}")) from None
        if type(reply) is tuple and len(reply) == count:
            return reply
        told = type(reply) is tuple and len(reply) == 2
        raise self.noted(_raised(*map(str, reply)) if told else CandidateBroke("sent what is no reply"))

    def noted(self, error: BaseException) -> BaseException:
        """The exception, remembered if it is the first that ends the candidate."""
        if self.over is None and isinstance(error, (CandidateEnded, CandidateBroke)):
            self.over = error
        return error


def _raised(kind: str, text: str) -> BaseException:
    if kind == "NotPlain":
        return CandidateBroke(text)
    known = vars(sys.modules["builtins"]).get(kind)
    # One that ends an iteration would end the tests' own loops early.
    ordinary = isinstance(known, type) and issubclass(known, Exception) and "StopIteration" not in kind
    if ordinary and kind != "StopAsyncIteration" and not kind.startswith("Unicode"):
        return known(text)  # type: ignore[no-any-return, misc]
    return CandidateError(f"{kind}: {text}")


def checker(job: dict[str, Any], requests: int, replies: int, verdicts: int) -> NoReturn:
    """Run the tests, write what came out after the nonce, end."""
    calls = Calls(requests, replies)
    try:
        if receive(replies) != "locked":
            os._exit(1)
    except (Gone, NotPlain):
        os._exit(1)
    os.write(verdicts, b"+")  # from here the clock runs
    send(verdicts, (job["nonce"], *_judged(job, calls)))
    os._exit(0)


_REASONS = ((AssertionError, "failed"), (CandidateEnded, "ended"), (CandidateBroke, "refused"), (MemoryError, "limit"))


def _judged(job: dict[str, Any], calls: Calls) -> tuple[str, str]:
    """Reason and detail: what ended the candidate, if anything did, even where the tests caught it."""
    raised: BaseException | None = None
    try:
        _test(job, calls)
    except BaseException as error:
        raised = error
    if (raised := calls.over or raised) is None:
        return ("passed", "") if calls.made else ("error", "the tests call none of the functions")
    kind, text = _told(raised)
    reason = next((reason for known, reason in _REASONS if isinstance(raised, known)), "error")
    short = reason != "error" or kind == "CandidateError"
    return reason, (text if short else f"{kind}: {text}")[:MAX_TEXT] or ("out of memory" if reason == "limit" else "")


def _test(job: dict[str, Any], calls: Calls) -> None:
    space = _module("checker")
    calls.answer(0)
    exec(compile(job["setup"], "setup", "exec"), space)
    space.update((name, calls.proxy(name)) for name in job["entries"])
    exec(compile(job["test"], "test", "exec"), space)


def main(role: str, *fds: str) -> None:
    """ROLE JOB FD…: read the locks from JOB, close them, and only then read what is to be run."""
    job, *others = map(int, fds)
    lock(receive(job))
    work = receive(job)
    os.close(job)
    os.dup2(1, 2)  # errors of the start went to a file; nothing is heard from now on
    if role == "candidate":
        candidate(work, *others)
    checker(work, *others)


if __name__ == "__main__":
    main(*sys.argv[2:])
