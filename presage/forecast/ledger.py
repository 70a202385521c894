"""The ledger: every sealed forecast and every score, one line each; a line holds the digest of the line before it.

So a record cannot be tidied up afterwards: whoever changes, removes or moves an entry breaks the chain from there on.
What a chain cannot show by itself: somebody may rewrite all of it, or cut entries off its end, and what is left is a
whole chain with another head. Publishing the head (the digest of the last entry) fixes everything up to it; then
`position` tells whether that head is still in the chain.

Dates are what the writer's clock said. They are part of an entry, and no verdict depends on them.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from presage.core.config import Config
from presage.core.errors import CorruptError, PresageError, RunError, SealError
from presage.core.files import atomic_write, cannot_write, is_same_file
from presage.core.look import whole

GENESIS = "0" * 64
"""What the first entry follows."""
PATIENCE = 10.0
"""Seconds that a writer waits for another one."""
EXACT = 1e-9
"""Relative; error_percent follows from actual and point to this."""

Problem = tuple[str, str]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Positive = Annotated[float, Field(gt=0)]


class Promise(Config):
    """One number that was promised."""

    metric: str
    unit: str
    point: Positive
    lo: float
    hi: float
    level: float = Field(gt=0, lt=1)


class Sealed(Promise):
    """What an entry says about a forecast."""

    seal: Digest
    run: Digest
    """Digest of the run directory with forecast.json."""
    name: str = Field(max_length=200)
    compute: Positive
    """Of the target, in FLOPs."""
    extrapolation: Positive
    """The target's compute over that of the largest fitted rung."""
    late: bool
    """The target had already begun when this was entered: the entry does not show that the forecast came first."""
    also: tuple[Promise, ...] = ()
    """What the same seal promises beside it: pass rates, by bucket of problems."""


class Outcome(Config):
    """What a promise came to."""

    actual: float = Field(ge=0)
    error_percent: float
    """Of the promised point."""
    inside: bool


class Scored(Outcome):
    """What an entry says about the outcome of a forecast that an earlier entry holds."""

    seal: Digest
    run: Digest
    """Digest of the score's run directory."""
    target: Digest
    """Digest of the target's run directory."""
    also: dict[str, Outcome] = {}
    """By metric, those of the other promises that were scored."""


class Entry(Config):
    """One line of the ledger. `digest` is the sha256 of the canonical JSON of all the rest."""

    number: int
    previous: Digest
    kind: Literal["seal", "score"]
    date: str
    what: Sealed | Scored
    digest: Digest


# ---- writing --------------------------------------------------------------------------------------------------------


def append_seal(ledger: Path | str, run: Path | str, name: str = "") -> Entry:
    """Enter a sealed forecast, whatever its target will come to. `name` is for people.

    Raises SealError when the forecast is already entered, CorruptError when it is damaged or the chain is broken,
    RunError when another process keeps the ledger locked; the file is then as it was.
    """
    from presage.forecast.seal import seal_digest  # here: reading a ledger must not load torch

    if not name.isprintable():
        raise SealError("the name of a forecast is one line of text", where=ledger)
    sealed = whole(run, "seal")
    forecast = sealed.read_json("forecast.json")
    if seal_digest(forecast) != forecast["seal"]:
        raise SealError("its content does not give its seal", where=sealed.path / "forecast.json")
    target = Path(os.path.normpath(sealed.path / sealed.read_json("config.json")["config"]["target_run"]))
    facts = {key: forecast[key] for key in ("seal", "metric", "unit", "point", "lo", "hi", "level", "extrapolation")}
    facts |= {"run": sealed.digest, "name": name, "compute": forecast["target"]["compute"]}
    facts |= {"late": any((target / mark).exists() for mark in ("config.json", "origin.json"))}
    facts |= {"also": [_ability(law) for law in (forecast.get("capability") or {}).get("laws", [])]}
    entered = Sealed.parse(facts, where=sealed.path)

    def decide(entries: Sequence[Entry]) -> Sealed:
        before = next((e.number for e in entries if isinstance(e.what, Sealed) and e.what.seal == entered.seal), None)
        if before:
            raise SealError(f"this forecast is entered already, as entry {before}", where=ledger)
        return entered

    return _append(Path(ledger), "seal", decide)


def append_score(ledger: Path | str, run: Path | str) -> Entry:
    """Enter the outcome of a forecast. The same score once more changes nothing and gives the entry that is there.

    Raises SealError when the score is of no forecast in this ledger, of another promise than was entered, or a second
    one that says otherwise; CorruptError and RunError as `append_seal`.
    """
    score = whole(run, "score")
    results, parents = score.results(), score.origin["parents"]
    lacking = sorted({"promised", "actual", "seal"} - results.keys())
    if lacking:
        raise CorruptError(f"no {lacking[0]!a} in it: not a score's results", where=score.path / "result.json")

    def decide(entries: Sequence[Entry]) -> Scored:
        seal = results["seal"]["value"]
        promise = next((e.what for e in entries if isinstance(e.what, Sealed) and e.what.seal == seal), None)
        if promise is None:
            raise SealError(f"the forecast {seal} is not in this ledger", where=ledger, hint="enter its seal first")
        promised = [results["promised"][key] for key in ("value", "lo", "hi")]
        if promised != [promise.point, promise.lo, promise.hi] or parents["forecast"]["digest"] != promise.run:
            raise SealError("this score is of another promise than was entered", where=score.path / "result.json")
        actual = {
            p.metric: results[f"{p.metric}/actual"]["value"] for p in promise.also if f"{p.metric}/actual" in results
        }
        also = {p.metric: _outcome(p, actual[p.metric]) for p in promise.also if p.metric in actual}
        facts = _outcome(promise, results["actual"]["value"]).model_dump() | {"seal": seal, "run": score.digest}
        scored = Scored.parse(facts | {"target": parents["target"]["digest"], "also": also})
        before = next((e for e in entries if isinstance(e.what, Scored) and e.what.seal == seal), None)
        if before is None or not isinstance(before.what, Scored):
            return scored
        if (before.what.actual, before.what.target) != (scored.actual, scored.target):
            raise SealError(f"entry {before.number} already scores this forecast, otherwise", where=ledger)
        return before.what

    return _append(Path(ledger), "score", decide)


def _ability(law: dict[str, Any]) -> dict[str, Any]:
    """A sealed capability law as a promise; its metric is the name that a score gives its results."""
    same = {key: law[key] for key in ("unit", "lo", "hi", "level")}
    return {"metric": f"capability/{law['bucket']}", "point": law["value"]} | same


def _outcome(promise: Promise, actual: float) -> Outcome:
    error, inside = 100 * (actual / promise.point - 1), promise.lo <= actual <= promise.hi
    return Outcome(actual=actual, error_percent=error, inside=inside)


def _append(ledger: Path, kind: str, decide: Callable[[Sequence[Entry]], Sealed | Scored]) -> Entry:
    ledger = ledger.resolve()  # a link stays one: the file it leads to is replaced
    with _locked(ledger):
        text = _bytes(ledger) if ledger.exists() else b""
        entries = _sound(ledger, text)
        what = decide(entries)
        there = next((entry for entry in entries if entry.what == what), None)
        if there:
            return there
        previous = entries[-1].digest if entries else GENESIS
        date = datetime.now(UTC).isoformat(timespec="seconds")
        body = {"number": len(entries) + 1, "previous": previous, "kind": kind, "date": date}
        data = body | {"what": what.model_dump(mode="json")}
        line = _canonical(data | {"digest": _digest(data)})
        with atomic_write(ledger) as file:
            file.write(text + line.encode() + b"\n")
    return Entry.from_json(line)


@contextlib.contextmanager
def _locked(ledger: Path) -> Iterator[None]:
    """One writer at a time, by the lock of core/run.py; a second one waits. RunError when it waits in vain."""
    name = ledger.with_name(f".{ledger.name}.lock")
    deadline = time.monotonic() + PATIENCE
    lock = None
    while lock is None:
        try:
            ledger.parent.mkdir(parents=True, exist_ok=True)
            opened = open(name, "w")  # noqa: SIM115 - held until the end
        except OSError as error:
            raise cannot_write(ledger, error) from None
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            opened.close()
            if time.monotonic() > deadline:
                raise RunError("another process is writing to this ledger", where=ledger, hint="try again") from None
            time.sleep(0.01)
            continue
        # Its last holder may have removed the name between our open and our lock: then we hold nothing.
        if is_same_file(opened, name):
            lock = opened
        else:
            opened.close()
    try:
        yield
    finally:
        name.unlink(missing_ok=True)  # while still held
        lock.close()


# ---- reading --------------------------------------------------------------------------------------------------------


def read(ledger: Path | str) -> list[Entry]:
    """Every entry, first to last. Raises CorruptError naming the first one that breaks the chain."""
    return _sound(Path(ledger), _bytes(Path(ledger)))


def problems(ledger: Path | str) -> list[Problem]:
    """[(file:line, what is wrong)] of the chain; empty when it is whole. RunError when there is no such file."""
    return [found for _, wrong in _lines(Path(ledger), _bytes(Path(ledger))) for found in wrong]


def head(entries: Sequence[Entry]) -> str:
    """The digest to publish: that of the last entry."""
    return entries[-1].digest if entries else GENESIS


def position(entries: Sequence[Entry], digest: str) -> int | None:
    """How many entries a published head covers; None when the chain does not hold it: rewritten, or cut short."""
    return next((n for n, known in enumerate([GENESIS, *(e.digest for e in entries)]) if known == digest), None)


def record(entries: Sequence[Entry]) -> dict[str, Any]:
    """What a lab's forecasts came to: a summary of each metric, and a row a promise, misses and unscored ones included.

    The numbers beside `metrics` are those of the metrics that forecasts are about; pass rates are in `metrics` alone.
    """
    scores = {entry.what.seal: entry.what for entry in entries if isinstance(entry.what, Scored)}
    sealed = [entry for entry in entries if isinstance(entry.what, Sealed)]
    rows = [row for entry in sealed for row in _rows(entry, scores.get(entry.what.seal))]
    main = [row for row in rows if not row["beside"]]
    metrics = dict.fromkeys(row["metric"] for row in rows)
    facts = {"entries": len(entries), "head": head(entries), "late": sum(row["late"] for row in main)}
    summaries = {metric: _summary([row for row in rows if row["metric"] == metric]) for metric in metrics}
    return facts | _summary(main) | {"metrics": summaries, "forecasts": rows}


def _summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """`expected_inside` is how many of the scored intervals should hold their outcome if the stated levels are true."""
    scored = [row for row in rows if row["inside"] is not None]
    errors = [abs(row["error_percent"]) for row in scored]
    return {
        "sealed": len(rows),
        "scored": len(scored),
        "unscored": len(rows) - len(scored),
        "inside": sum(row["inside"] for row in scored),
        "missed": sum(not row["inside"] for row in scored),
        "expected_inside": sum(row["level"] for row in scored),
        "median_error_percent": statistics.median(errors) if errors else None,
        "worst_error_percent": max(errors, default=None),
    }


def _rows(entry: Entry, scored: Scored | None) -> Iterator[dict[str, Any]]:
    """One a promise; those beside the first are marked so."""
    sealed = entry.what
    assert isinstance(sealed, Sealed)
    common = {"number": entry.number, "date": entry.date} | sealed.model_dump(exclude={"also"})
    outcomes = {sealed.metric: scored, **scored.also} if scored else {}
    for promise in (sealed, *sealed.also):
        outcome, keys = outcomes.get(promise.metric), set(Promise.model_fields)
        came = {key: getattr(outcome, key, None) for key in Outcome.model_fields}
        yield common | promise.model_dump(include=keys) | came | {"beside": promise is not sealed}


# ---- checking -------------------------------------------------------------------------------------------------------


def _bytes(ledger: Path) -> bytes:
    try:
        return ledger.read_bytes()
    except OSError as error:
        raise RunError(f"cannot be read: {error.strerror}", where=ledger) from None


def _sound(ledger: Path, text: bytes) -> list[Entry]:
    """Entries of an unbroken chain. Raises CorruptError naming the first entry that is none."""
    entries = []
    for entry, wrong in _lines(ledger, text):
        for where, what in wrong[:1]:
            raise CorruptError(f"the chain is broken: {what}", where=where, hint="restore it from a copy")
        if entry:
            entries.append(entry)
    return entries


def _lines(ledger: Path, text: bytes) -> Iterator[tuple[Entry | None, list[Problem]]]:
    """Each line as an entry, if it can be read as one, with what is wrong about it."""
    previous: str | None = GENESIS
    seals: dict[str, Sealed] = {}
    scores: set[str] = set()
    lines = text.split(b"\n")
    for number, line in enumerate(lines[:-1], 1):
        entry, wrong = _parse(line)
        if entry:
            wrong += [*_links(entry, number, previous), *_promises(entry, seals, scores)]
        yield entry, [(f"{ledger}:{number}", f"entry {number}: {what}") for what in wrong]
        previous = entry.digest if entry else None  # what follows an unreadable entry cannot be told
    if lines[-1]:
        yield None, [(f"{ledger}:{len(lines)}", f"entry {len(lines)}: its line has no end")]


def _parse(line: bytes) -> tuple[Entry | None, list[str]]:
    try:
        data = json.loads(line)
        same = _canonical(data).encode() == line
        entry = Entry.parse(data)
    except (ValueError, RecursionError):
        return None, ["not a line of JSON"]
    except PresageError as error:
        return None, [error.what]
    if not same:
        return entry, ["not in the form that presage writes"]
    right = _digest({key: value for key, value in data.items() if key != "digest"}) == entry.digest
    return entry, [] if right else ["its content does not give its digest"]


def _links(entry: Entry, number: int, previous: str | None) -> Iterator[str]:
    if entry.number != number:
        yield f"is numbered {entry.number}"
    if previous is not None and entry.previous != previous:
        yield "does not follow the entry before it"


def _promises(entry: Entry, seals: dict[str, Sealed], scores: set[str]) -> Iterator[str]:
    """A forecast is entered once; a score comes once, after its forecast, and says what follows from it."""
    what = entry.what
    if isinstance(what, Sealed) != (entry.kind == "seal"):
        yield f"holds no {entry.kind}"
    if isinstance(what, Sealed):
        if what.seal in seals:
            yield "the same forecast a second time"
        seals[what.seal] = what
        return
    if what.seal not in seals:
        yield "a score without its forecast"
    elif not _follows(what, seals[what.seal]):
        yield "its error does not follow from what was promised"
    if what.seal in scores:
        yield "the same forecast scored a second time"
    scores.add(what.seal)


def _follows(scored: Scored, sealed: Sealed) -> bool:
    promises = {promise.metric: promise for promise in sealed.also}
    pairs = [(sealed, scored), *((promises.get(metric), outcome) for metric, outcome in scored.also.items())]
    return all(promise is not None and _is_outcome(outcome, promise) for promise, outcome in pairs)


def _is_outcome(outcome: Outcome, promise: Promise) -> bool:
    right = _outcome(promise, outcome.actual)
    near = math.isclose(outcome.error_percent, right.error_percent, rel_tol=EXACT, abs_tol=EXACT)
    return near and outcome.inside == right.inside


def _canonical(data: dict[str, Any]) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(data: dict[str, Any]) -> str:
    return hashlib.sha256(_canonical(data).encode()).hexdigest()
