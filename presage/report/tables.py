"""Tables and lists straight from files: whatever a stage wrote, labelled and formed by its own names."""

from __future__ import annotations

from typing import Any

from presage.report.blocks import Block, Cell, Code, Pairs, Table, Text
from presage.report.facts import Sources

WIDEST = 8
COLUMN_FORMS = {"bytes": "bytes", "text_bytes": "bytes", "loss": "loss4", "bpb": "loss4", "flops": "flops",
                "compute": "flops", "lr": "auto", "tokens": "short"}  # fmt: skip
ENDING_FORMS = {"per_token": "auto", "bytes": "bytes", "percent": "percent"}
LABELS = {"half_width_percent": "half width of the interval, of the promise"}


def absent(s: Sources, run: str, file: str, key: str = "") -> Text:
    """What to print where a file or key is not there."""
    return Text("{name}: {it}.", name=Code(f"{run}/{file}"), it=s.fact(run, file, key or "rows"))


def label_of(name: str) -> str:
    """The name of a result or column, in words."""
    return LABELS.get(name) or name.replace("/", ": ").replace("_", " ")


def form_of(name: str) -> str:
    """The form of a result or column by its name: what ends in bytes is bytes."""
    last = name.rsplit("/", 1)[-1]
    ending = next((form for end, form in ENDING_FORMS.items() if last.endswith(end)), "auto")
    return COLUMN_FORMS.get(last, ending)


def interval(s: Sources, place: tuple[str, str], keys: tuple[str, str, str], form: str = "loss") -> Text:
    """A value and its interval: 1.234 (1.200 to 1.270); `keys` of value, lower and upper end in the file at `place`."""
    value, lo, hi = (s.fact(*place, key, form) for key in keys)
    return Text("{value} ({lo} to {hi})", value=value, lo=lo, hi=hi)


def results(s: Sources, run: str, caption: str) -> Block:
    """Every entry of a run's result.json."""
    found = s.data(run, "result.json")
    if not found:
        return absent(s, run, "result.json")
    return Pairs(caption, [(label_of(name), s.result(run, name, form_of(name))) for name in found])


def csv_table(s: Sources, run: str, file: str, caption: str, sort: str = "", limit: int = 200) -> Block:
    """A table as it stands in the run; sorted by `sort`, largest first, and cut at `limit` rows where it says so."""
    rows = s.rows(run, file)
    if not s.has(run, file):
        return absent(s, run, file)
    if not rows:
        return Text("{caption}: {file} is an empty table.", caption=caption, file=Code(f"{run}/{file}"))
    order: list[int] = list(range(len(rows)))
    if sort in rows[0]:
        order.sort(key=lambda i: -_as_number(rows[i][sort]))
    columns = list(rows[0])
    cells: list[list[Cell]] = [[s.fact(run, file, f"{i}.{c}", form_of(c)) for c in columns] for i in order[:limit]]
    names = [label_of(c) for c in columns]
    if len(columns) > WIDEST and len(cells) == 1:
        return Pairs(caption, list(zip(names, cells[0], strict=True)))
    if len(columns) > WIDEST:  # lay it on its side
        first, *rest = zip(*cells, strict=True)
        names = ["", *map(str, first)]
        cells = [[label, *row] for label, row in zip(map(label_of, columns[1:]), rest, strict=True)]
    note = Text("More rows are in `{file}`.".replace("{file}", f"{run}/{file}")) if len(rows) > limit else None
    return Table(caption, names, cells, note)


def _as_number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
