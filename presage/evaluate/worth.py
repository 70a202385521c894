"""Stage: what contamination was worth: the items' scores under a model and under its clean twin.

The twin was trained like the model, on the same number of tokens, without the documents that hold items. Under both,
each item is scored by bits per byte of its text (presage.evaluate.likelihood). What the flagged items lose under the
twin is what having seen them was worth; what the clean items lose is what the twin lacks otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.run import RunDir
from presage.data.attempt import attempt
from presage.data.items import read_items
from presage.data.records import whole_file
from presage.evaluate.likelihood import score_items
from presage.evaluate.paired import Mean, mean, paired

__all__ = ["Config", "run"]

STATES = ("clean", "flagged", "untestable")
UNIT = "bits/byte"


class Config(BaseConfig):
    run: Parent
    twin: Parent
    cleaned: Parent
    """The corpus that the twin was trained on; it knows the items and which of them are flagged."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """tables/worth.csv: a row for all items and one a state, both models and the difference; tables/items.csv.

    The standard errors are over items; that of the difference is paired: twin minus model, item by item.
    """
    cleaned = RunDir.open(config.cleaned, "cleaned")
    items = read_items(whole_file(cleaned, "artifacts/items.jsonl"))
    whole_file(cleaned, "artifacts/contamination.json")
    state = states(cleaned.read_json("artifacts/contamination.json"))
    with attempt(out, "worth", config, seed=0, resume=resume) as run:
        original, twin = (score_items(path, items) for path in (config.run, config.twin))
        rows = [
            {"item": item.id, "state": state.get(item.id, "clean"), "original": original[item.id],
             "twin": twin[item.id], "difference": twin[item.id] - original[item.id]}
            for item in items
        ]  # fmt: skip
        run.table("items", rows)
        groups = {"all": rows} | {name: [row for row in rows if row["state"] == name] for name in STATES}
        run.table("worth", [_row(name, members) for name, members in groups.items()])
        for name, members in groups.items():
            for what, found in measured(members).items():
                run.result(f"{name}/{what}", found.value, stderr=found.stderr, n=found.n, unit=UNIT)
    return run


def states(report: dict[str, Any]) -> dict[str, str]:
    """{item: "flagged" or "untestable"} of a contamination report as JSON; the other items are clean."""
    untestable = dict.fromkeys(report["untestable_items"], "untestable")
    return untestable | {hit["item"]: "flagged" for hit in report["hits"]}


def measured(rows: Sequence[dict[str, Any]]) -> dict[str, Mean]:
    """{"original", "twin", "difference": mean over rows of tables/items.csv}."""
    original, twin = ([float(row[name]) for row in rows] for name in ("original", "twin"))
    return {"original": mean(original), "twin": mean(twin), "difference": paired(original, twin)}


def _row(name: str, members: Sequence[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"items": name, "n": len(members)}
    for what, found in measured(members).items():
        row |= {what: found.value, f"{what}_stderr": found.stderr}
    return row
