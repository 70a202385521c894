"""What the limitations suite comes to, reckoned by hand."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import pytest

from presage.core.errors import DataError
from presage.evaluate.limits import before_after, position_rows


def fact(day: str, right: float) -> dict[str, Any]:
    return {"task": "dated_facts", "id": "x", "category": day, "scores": {"accuracy": right}, "extra": {}}


def test_accuracy_before_and_after_the_end() -> None:
    rows = [fact("2019-01-01", 1.0), fact("2021-09-30", 0.0), fact("2020-05-05", 1.0), fact("2020-06-06", 1.0),
            fact("2022-01-01", 0.0), fact("2023-01-01", 1.0), {"task": "other"}]  # fmt: skip
    before, after, difference = before_after(rows, date(2021, 9, 30))
    assert before == {"end": "2021-09-30", "period": "before", "n": 4, "accuracy": 0.75, "stderr": 0.25}
    assert (after["n"], after["accuracy"], after["stderr"]) == (2, 0.5, 0.5)
    assert (difference["period"], difference["n"], difference["accuracy"]) == ("after - before", 6, -0.25)
    assert difference["stderr"] == pytest.approx(math.hypot(0.25, 0.5))


def test_a_period_without_facts_has_no_accuracy() -> None:
    before, after, difference = before_after([fact("2019-01-01", 1.0)], date(2021, 9, 30))
    assert (before["accuracy"], before["stderr"]) == (1.0, None)
    assert (after["n"], after["accuracy"], difference["accuracy"]) == (0, None, None)


def test_a_category_that_is_no_date_is_refused() -> None:
    with pytest.raises(DataError, match="dated_facts: x: the category 'May' is no date"):
        before_after([fact("May", 1.0)], date(2021, 9, 30))


def test_loss_by_length_of_context() -> None:
    def row(first: float, second: float, cut: int) -> dict[str, Any]:
        scores = {"bits_per_byte_after_8": second, "bits_per_byte_after_0": first}
        return {"task": "position_loss", "scores": scores, "extra": {"lengths": [0, 8], "cut": [0, cut]}}

    rows = position_rows([row(3.0, 2.0, 0), row(5.0, 2.5, 4), {"task": "other", "scores": {}}])
    assert rows == [
        {"characters": 0, "n": 2, "bits_per_byte": 4.0, "stderr": 1.0, "cut": 0},
        {"characters": 8, "n": 2, "bits_per_byte": 2.25, "stderr": 0.25, "cut": 1},
    ]
    assert position_rows([]) == []
