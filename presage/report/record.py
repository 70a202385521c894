"""The section on the ledger: every sealed forecast and what it came to. Only where its record is given."""

from __future__ import annotations

from presage.report.blocks import Block, Cell, Pairs, Section, Table, Text
from presage.report.facts import Fact, Sources
from presage.report.tables import absent, interval

ROWS = ("record", "tables/ledger.csv")
METRICS = ("record", "tables/metrics.csv")
ORDER = {False: 0, None: 1, True: 2}  # misses first


def given(s: Sources) -> bool:
    """Whether there is a record: without one there is no such section, and nothing is missing."""
    return s.runs.get("record") is not None


def section(s: Sources) -> Section:
    """How often the intervals held, metric by metric, then promise by promise, and what makes the list binding."""
    return Section("record", "The record of forecasts", [_coverage(s), _metrics(s), _promises(s), *_head(s)])


def _coverage(s: Sources) -> Text:
    """Of the metrics that forecasts are about; without a score there is nothing to cover."""
    sealed, scored = s.result("record", "sealed"), s.result("record", "scored")
    if not scored.value:
        return Text("Forecasts sealed in this ledger: {sealed}; scored: {scored}.", sealed=sealed, scored=scored)
    return Text(
        "Forecasts sealed in this ledger: {sealed}; scored: {scored}; not scored: {unscored}. Of those scored, came "
        "out inside their interval: {inside}, a coverage of {coverage} (to be expected at the stated levels: "
        "{expected}); missed: {missed}. Size of the error: median {median}, worst {worst}. Entered only after their "
        "target had begun, so no proof that they came first: {late}.",
        sealed=sealed,
        scored=scored,
        unscored=s.result("record", "unscored"),
        inside=s.result("record", "inside"),
        coverage=s.fact("record", "result.json", "inside.value / scored.value", "share"),
        expected=s.result("record", "expected_inside"),
        missed=s.result("record", "missed"),
        median=s.result("record", "median_error_percent", "percent"),
        worst=s.result("record", "worst_error_percent", "percent"),
        late=s.result("record", "late"),
    )


def _metrics(s: Sources) -> Block:
    columns = {"metric": "metric", "sealed": "sealed", "scored": "scored", "unscored": "not scored",
               "inside": "inside", "expected_inside": "expected inside", "missed": "missed",
               "median_error_percent": "median size of error",
               "worst_error_percent": "worst"}  # fmt: skip
    rows = [[_cell(s, METRICS, i, name) for name in columns] for i in range(len(s.rows(*METRICS)))]
    return (
        Table("What was promised, and how often it held", list(columns.values()), rows) if rows else absent(s, *METRICS)
    )


def _promises(s: Sources) -> Block:
    rows = s.rows(*ROWS)
    if not rows:
        return absent(s, *ROWS)
    order = sorted(range(len(rows)), key=lambda i: ORDER[rows[i]["inside"]])
    columns = ["entry", "forecast", "metric", "promised", "unit", "level", "of the largest run's compute",
               "came out at", "error", "inside", "entered late", "seal"]  # fmt: skip
    note = Text(
        "Misses first, then what is not scored yet. A forecast may promise pass rates beside its loss: each has a row "
        "and the seal of its forecast."
    )
    return Table("Every promise", columns, [_promise(s, i) for i in order], note)


def _promise(s: Sources, i: int) -> list[Cell]:
    promised = interval(s, ROWS, (f"{i}.point", f"{i}.lo", f"{i}.hi"))
    return [
        _cell(s, ROWS, i, "number"),
        _cell(s, ROWS, i, "name"),
        _cell(s, ROWS, i, "metric"),
        promised,
        _cell(s, ROWS, i, "unit"),
        _cell(s, ROWS, i, "level", "share"),
        _cell(s, ROWS, i, "extrapolation", "times"),
        _cell(s, ROWS, i, "actual", "loss"),
        _cell(s, ROWS, i, "error_percent", "signed_percent"),
        _cell(s, ROWS, i, "inside", "yesno"),
        _cell(s, ROWS, i, "late", "yesno"),
        _cell(s, ROWS, i, "seal", "hex12"),
    ]


def _cell(s: Sources, place: tuple[str, str], row: int, column: str, form: str = "") -> Cell:
    """The value of a column, a dash where it has none: what is not scored or has no name is not missing."""
    if s.get(*place, f"{row}.{column}") is None:
        return "–"
    return s.fact(*place, f"{row}.{column}", form or ("percent" if column.endswith("percent") else "auto"))


def _head(s: Sources) -> list[Block]:
    head: Fact = s.result("record", "head")
    return [
        Pairs("The head of the ledger", [("entries", s.result("record", "entries")), ("head", head)]),
        Text(
            "Every entry holds the digest of the one before, so a changed, removed or moved entry shows. Rewriting all "
            "of them, or cutting entries off the end, shows only against a head that was published before: `presage "
            "forecast ledger FILE --head HEAD` checks one."
        ),
    ]
