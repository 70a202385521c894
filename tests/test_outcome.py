"""The last lines of a demo, of the committed example."""

from __future__ import annotations

import csv
from pathlib import Path

from presage.recipes.outcome import told

EXAMPLE = Path(__file__).parent.parent / "docs/example"


def test_the_promise_and_the_assistant_are_told() -> None:
    loss, assistant = told(EXAMPLE / "score", EXAMPLE / "assistant/conduct")
    [first, *_] = csv.DictReader((EXAMPLE / "seeds.csv").read_text().splitlines())
    promised, lo, hi, actual = (f"{float(first[name]):.3f}" for name in ("promised", "lo", "hi", "actual"))
    assert loss == f"promised {promised} ({lo} to {hi}), came out at {actual} bits/byte: inside"
    rows = csv.DictReader((EXAMPLE / "assistant/conduct/tables/conduct.csv").read_text().splitlines())
    shares = {row["measure"]: f"{100 * float(row['value']):.1f} %" for row in rows if row["model"] == "ppo"}
    refused, safe, done = (shares[name] for name in ("refusal on disallowed", "refusal on safe", "task pass rate"))
    said = f"refuses {refused} of what is disallowed, {safe} of what is safe, does {done} of what is asked"
    assert assistant == f"the assistant {said}"


def test_without_an_assistant_there_is_no_second_line() -> None:
    assert len(list(told(EXAMPLE / "score", None))) == 1
