"""The record of sealed forecasts, misses included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from presage.cli.grammar import AsJson, dumps, emit, forecast, percent
from presage.core.errors import CheckFailed, PresageError

HONESTY = """\
A changed, removed or moved entry breaks the chain. Rewriting all of it, or cutting entries off its end, does not: only
a head published before shows that. Publish the head where you cannot edit it; --head checks a published one."""


@forecast.command
def ledger(
    file: Path = Path("ledger.jsonl"),
    /,
    *,
    add: tuple[Path, ...] = (),
    name: str = "",
    head: str | None = None,
    json: AsJson = False,
) -> None:
    """Verify a ledger's chain and print the record: forecasts sealed and scored, misses first.

    Exits 1, naming the entry, when the chain is broken or does not hold a published head.

    Parameters
    ----------
    file
        The ledger; made by the first entry.
    add
        A run to enter first: a sealed forecast, or the score of one that was entered.
    name
        What to call the forecast that is entered.
    head
        A head published before: 64 hexadecimal digits.
    """
    from presage.forecast import ledger as ledgers

    if head is not None and not (re.fullmatch("[0-9a-f]{64}", head) and int(head, 16)):
        hint = "64 hexadecimal digits, as a ledger with entries prints them"
        raise PresageError(f"'{head}' is no published head", where="--head", hint=hint)
    for run in add:
        _enter(file, run, name)
    broken = ledgers.problems(file)
    if broken:
        emit([dumps({"problems": broken})] if json else [f"{where}: {what}" for where, what in broken])
        raise CheckFailed("the chain is broken", where=broken[0][0])
    entries = ledgers.read(file)
    record = ledgers.record(entries)
    covered = ledgers.position(entries, head) if head else None
    if head and covered is None:
        chain = "this chain: it was rewritten, or cut short" if entries else "this ledger, which has no entries"
        raise CheckFailed(f"the published head is not in {chain}", where=file)
    emit([dumps(record | {"published_head_covers": covered})] if json else _lines(file, record))
    if head and not json:
        emit([f"published head: entries 1 to {covered} of {len(entries)} are as they were when it was published"])


def _enter(file: Path, run: Path, name: str) -> None:
    from presage.core.run import RunDir
    from presage.forecast import ledger as ledgers

    stage = RunDir.open(run).stage
    if stage == "seal":
        ledgers.append_seal(file, run, name)
    elif stage == "score":
        ledgers.append_score(file, run)
    else:
        raise PresageError(f"a '{stage}' run, but a ledger holds 'seal' and 'score' runs", where=run)


def _lines(file: Path, record: dict[str, Any]) -> Iterator[str]:
    if not record["entries"]:
        yield f"{file}: no entries yet, so no head to publish"
        return
    yield f"{file}: {record['entries']} entries, an unbroken chain"
    for metric, facts in record["metrics"].items():
        yield from _summary(metric, facts)
    if record["late"]:
        yield f"entered after their target had begun, so no proof that they came first: {record['late']}"
    rows = sorted(record["forecasts"], key=lambda row: _ORDER[row["inside"]])
    yield from (_line(row) for row in rows)
    yield f"head {record['head']}"
    yield HONESTY


def _summary(metric: str, facts: dict[str, Any]) -> Iterator[str]:
    yield f"{metric}: sealed {facts['sealed']}, scored {facts['scored']}, not scored {facts['unscored']}"
    if facts["scored"]:
        median, worst = facts["median_error_percent"], facts["worst_error_percent"]
        expected = f"{facts['expected_inside']:.1f} expected at the stated levels"
        inside = f"inside their intervals {facts['inside']} of {facts['scored']} ({expected})"
        yield f"  {inside}, missed {facts['missed']}; |error| median {median:.2f} %, worst {worst:.2f} %"


_ORDER = {False: 0, None: 1, True: 2}
_VERDICTS = {False: "MISSED", None: "not scored", True: "inside"}


def _line(row: dict[str, Any]) -> str:
    promised = f"promised {row['point']:.4f} [{row['lo']:.4f}, {row['hi']:.4f}] {row['unit']}, {percent(row['level'])}"
    place = f"{row['extrapolation']:.3g}x to {row['compute']:.3g} FLOPs"
    came = "" if row["actual"] is None else f"; came out at {row['actual']:.4f}, {row['error_percent']:+.2f} %"
    late = ", entered late" if row["late"] else ""
    title = f"{row['name'] or row['seal'][:12]}, {row['metric']}"
    return f"  {_VERDICTS[row['inside']]:10}  entry {row['number']}  {title}: {promised}, {place}{late}{came}"
