"""Languages above a baseline: the report's own count, and the count that takes chance into account."""

from __future__ import annotations

from typing import Any

import pytest

from presage.core.errors import DataError
from presage.evaluate.languages import (
    BASELINE_COLUMNS,
    PUBLISHED,
    Baseline,
    above,
    baseline_rows,
    baselines_of,
    language_rows,
    surely_above,
)

# GPT-4 report, appendix F: share of right answers by language
REPORTED = {
    "it": 84.1, "af": 84.1, "es": 84.0, "de": 83.7, "fr": 83.6, "id": 83.1, "ru": 82.7, "pl": 82.1, "uk": 81.9,
    "el": 81.4, "lv": 80.9, "zh": 80.1, "ar": 80.0, "tr": 80.0, "ja": 79.9, "sw": 78.5, "cy": 77.5, "ko": 77.0,
    "is": 76.5, "bn": 73.2, "ur": 72.6, "ne": 72.2, "th": 71.8, "pa": 71.4, "mr": 66.7, "te": 62.0, "en": 85.5,
}  # fmt: skip


def task(code: str, value: float, half: float = 0.01) -> dict[str, Any]:
    """A row of tables/tasks.csv as a reader of CSV gives it: text."""
    numbers = {"value": value, "stderr": half / 1.96, "lo": value - half, "hi": value + half}
    name = {"task": f"mmlu_translated:{code}", "metric": "accuracy", "n": "14042"}
    return name | {key: str(number) for key, number in numbers.items()}


def test_24_of_26_languages_exceed_gpt_3_5_in_english() -> None:
    rows = language_rows([task(code, value / 100) for code, value in REPORTED.items()])
    assert (rows[0]["language"], rows[-1]["name"]) == ("en", "Telugu")
    [random, _, _, gpt] = baseline_rows(rows, PUBLISHED)
    assert tuple(gpt) == BASELINE_COLUMNS
    assert (gpt["above"], gpt["of"], random["above"]) == (24, 26, 26)
    assert {row["language"] for row in rows} - set(above(rows, PUBLISHED[-1])) == {"mr", "te"}


def test_an_interval_that_reaches_below_does_not_count() -> None:
    rows = language_rows([task("fr", 0.72), task("de", 0.705), task("it", 0.69)])
    assert above(rows, PUBLISHED[-1]) == ["fr", "de"]
    assert surely_above(rows, PUBLISHED[-1]) == ["fr"]


def test_the_models_own_english_is_a_baseline_with_its_error() -> None:
    """Both off by 0.01 / 1.96: the difference of 0.013 is within 0.0141."""
    rows = language_rows([task("fr", 0.713), task("de", 0.715), task("en", 0.70)])
    *published, own = baselines_of(rows)
    assert tuple(published) == PUBLISHED == tuple(baselines_of(rows[:2]))
    assert own.stderr == pytest.approx(0.01 / 1.96)
    assert surely_above(rows, own) == ["de"]
    assert surely_above(rows, Baseline("exact", 0.70, "")) == ["de", "fr"]
    last = baseline_rows(rows, [own])[0]
    assert (last["name"], last["above"], last["surely"], last["of"]) == ("this model, English", 2, 1, 2)


def test_other_tasks_and_metrics_are_left_out() -> None:
    assert language_rows([task("fr", 0.7) | {"metric": "brier"}, task("fr", 0.7) | {"task": "mmlu"}]) == []


def test_a_row_without_a_number_is_refused() -> None:
    with pytest.raises(DataError, match="mmlu_translated:fr: not a row of a task"):
        language_rows([task("fr", 0.7) | {"stderr": "x"}])


def test_one_question_has_no_error_and_none_has_no_row() -> None:
    row = {"task": "mmlu_translated:fr", "metric": "accuracy", "n": 1, "value": 1.0, "stderr": None, "lo": "", "hi": ""}
    [one] = language_rows([row, row | {"task": "mmlu_translated:de", "value": ""}])
    assert (one["language"], one["value"], one["stderr"], one["lo"]) == ("fr", 1.0, None, None)
    [random, *_] = baseline_rows([one], PUBLISHED)
    assert (random["above"], random["surely"]) == (1, 0)
