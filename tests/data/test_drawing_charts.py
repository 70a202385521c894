"""Drawn charts: what is asked follows from what is told, bars are as long as their values, styles are held out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from presage.data.drawing import bars, lines, pies
from presage.data.drawing.axes import STEPS, Axes, Shown
from presage.data.drawing.canvas import COLOURS, held_out
from presage.data.drawing.charts import BARS, LINES, NAMES, PIES, Chart, Family, chart, picture
from presage.data.images.question import Question
from tests.data.drawn import asked, check_forms, check_steps, drawn, told

FAMILIES = {"bars": BARS, "lines": LINES, "pies": PIES}
BOTH = ("train", "test")
NOTE = r"(?: to \d+ is \w+)? so \w+ \d+"


def values_told(question: Question) -> dict[str, int]:
    return {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", told(question))}


def answer_from(question: Question, values: dict[str, int]) -> str:
    """What is asked, worked out from the text alone."""
    text, order = asked(question), list(values)
    named = [word for word in re.findall(r"\w+", text) if word in values]
    if text.startswith("Of "):
        values = {name: values[name] for name in named}
    if "largest" in text or "highest" in text:
        return max(values, key=values.__getitem__)
    if "smallest" in text:
        return min(values, key=values.__getitem__)
    if "rise" in text:
        assert order.index(named[1]) == order.index(named[0]) + 1
        return "yes" if values[named[1]] > values[named[0]] else "no"
    return str(len(values)) if text.startswith("How many bars") else str(sum(values[name] for name in named))


@pytest.mark.parametrize("split", BOTH)
@pytest.mark.parametrize("kind", FAMILIES)
def test_answers_follow_from_what_is_told(kind: str, split: str) -> None:
    for one in drawn(kind, split):
        values = values_told(one)
        assert one.answer == answer_from(one, values)
        assert set(values) <= set(NAMES)
        maximum = 100 if kind == "pies" else int(re.findall(r"axis 0 to (\d+)", told(one))[0])
        assert one.scale == (maximum if one.metric == "within" else None)
        assert (one.metric == "within") == (one.category in ("value", "sum", "percent"))
        if kind == "pies":
            assert sum(values.values()) == 100
        else:
            assert all(0 < value <= maximum and value % STEPS[maximum] == 0 for value in values.values())
        check_forms(one, (176, 176))
        assert re.sub(NOTE, "", one.steps).startswith(told(one))
        if one.category == "sum":
            check_steps(one)


@pytest.mark.parametrize("kind", FAMILIES)
def test_steps_to_an_extreme_compare_and_keep_the_first_so_far(kind: str) -> None:
    for one in drawn(kind, "train"):
        if one.category in ("largest", "smallest"):
            check_compared(one, one.steps)
        else:
            assert not re.search(NOTE, one.steps)


def check_compared(one: Question, steps: str) -> None:
    """Each thing is compared to the first of those before it."""
    so_far: dict[str, int] = {}
    for name, value, compared, kept in re.findall(r"(\w+): (\d+)(?: to (\d+ is \w+))? so (\w+ \d+)", steps):
        before = so_far[answer_from(one, so_far)] if so_far else None
        so_far[name] = int(value)
        words = {True: "more", False: "less", None: "equal"}
        sign = None if before is None or int(value) == before else int(value) > before
        assert compared == ("" if before is None else f"{before} is {words[sign]}")
        first = answer_from(one, so_far)
        assert kept == f"{first} {so_far[first]}"
    assert so_far and re.sub(NOTE, "", steps).count(": ") == len(so_far)


@pytest.mark.parametrize("kind", FAMILIES)
def test_further_turns_are_answered_from_what_was_told(kind: str) -> None:
    for one in drawn(kind, "train"):
        values = values_told(one)
        *others, last = one.more
        assert last.answer == told(one)
        assert len({asked(one), *(turn.asked for turn in one.more)}) == 1 + len(one.more)
        for turn in others:
            assert turn.answer == answer_from(replace(one, prompt=(turn.asked,)), values)
            ties = [name for name in values if name in turn.asked and values[name] == values.get(turn.answer)]
            assert len(ties) <= 1, "a question that has two answers"
            for name, value in re.findall(r"(\w+): (\d+)", turn.steps):
                assert values[name] == int(value)
            if "which" in turn.asked:
                check_compared(replace(one, prompt=(turn.asked,)), turn.steps)


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_largest_stands_out(kind: str) -> None:
    for one in drawn(kind, "train"):
        ordered = sorted(values_told(one).values())
        assert ordered[-1] - ordered[-2] >= 0.08 * (100 if kind == "pies" else one.scale or 10)


@pytest.mark.parametrize("kind", FAMILIES)
def test_what_is_told_beside_the_image_gives_nothing_away(kind: str) -> None:
    for one in drawn(kind, "train"):
        before, _, after = one.forms["interleaved"]
        assert isinstance(before, str) and after == asked(one)
        values = values_told(one)
        assert not re.search(r"\w+: \d", before)
        if one.category == "count":
            assert not any(f" {name}" in before for name in values)
        else:
            assert all(name in before for name in values)


@pytest.mark.parametrize("kind", FAMILIES)
def test_styles_of_tests_are_never_trained_on(kind: str) -> None:
    family, seen = FAMILIES[kind], {}
    for split in BOTH:
        random = np.random.default_rng(0)
        seen[split] = {chart(random, split, family).style for _ in range(300)}
    assert not seen["train"] & seen["test"]
    every = {style for style in family.module.styles() if held_out(f"{family.told}: {style}")}
    assert seen["test"] <= every and len(every) < len(family.module.styles()) / 5
    for choice in range(len(next(iter(every)))):  # no single choice is new, only their combination
        assert {style[choice] for style in every} <= {style[choice] for style in set(family.module.styles()) - every}


@pytest.mark.parametrize(
    ("kind", "most"),
    [("value", 0.12), ("largest", 0.12), ("smallest", 0.12), ("sum", 0.15), ("percent", 0.1), ("rising", 0.7)],
)
def test_no_answer_is_easily_guessed(kind: str, most: float) -> None:
    random, answers = np.random.default_rng(1), []
    for _ in range(1200):
        for family in FAMILIES.values():
            shown = chart(random, "train", family)
            made = family.asks[int(random.integers(len(family.asks)))](random, shown)
            answers += [made.answer] if made.category == kind else []
    assert Counter(answers).most_common(1)[0][1] < most * len(answers)


def test_counts_are_even_and_the_first_is_not_the_largest_more_often() -> None:
    random = np.random.default_rng(2)
    charts = [chart(random, "train", BARS) for _ in range(800)]
    counts = Counter(len(one.names) for one in charts)
    assert set(counts) == {3, 4, 5, 6} and max(counts.values()) < 0.3 * len(charts)
    for family in (LINES, PIES):
        charts = [chart(random, "train", family) for _ in range(800)]
        first = np.mean([one.values[0] == max(one.values) for one in charts])
        assert first == pytest.approx(np.mean([1 / len(one.values) for one in charts]), abs=0.06)


def test_a_guessed_number_is_seldom_near_enough() -> None:
    """The best constant guess, told the scale: within 5 % of it for about one chart in six."""
    random = np.random.default_rng(3)
    for family, most in ((BARS, 0.2), (LINES, 0.2), (PIES, 0.22)):
        charts = [chart(random, "train", family) for _ in range(1500)]
        asked_for = np.array([one.values[one.place] / one.maximum for one in charts])
        best = max(np.mean(np.abs(asked_for - guess) <= 0.05 + 1e-9) for guess in np.linspace(0, 1, 101))
        assert best < most


# ---- pixels ----------------------------------------------------------------------------------------------------------


def test_bars_are_as_long_as_their_values() -> None:
    """Each bar in a colour of its own: its pixels, beside those of the axis, give its value back."""
    random, colours = np.random.default_rng(4), ("red", "blue", "green", "orange", "purple", "brown")
    for _ in range(60):
        shown = chart(random, "train", BARS)
        style = shown.style._replace(finish="plain", ground="white", colours="many")
        shown = shown._replace(style=style, colours=colours[: len(shown.names)])
        pixels = np.asarray(picture(BARS, shown, Shown()))
        extent = longest(pixels, shown)
        for value, colour in zip(shown.values, shown.colours, strict=True):
            rows, columns = np.nonzero((pixels == COLOURS[colour]).all(axis=2))
            length = np.ptp(rows if style.upright else columns) + 1
            assert length / extent * shown.maximum == pytest.approx(value, abs=0.6 / extent * shown.maximum)


def longest(pixels: np.ndarray, shown: Chart) -> int:
    """Pixels from the first tick of the axis to the last, found as dark marks just outside of it."""
    axes = Axes(shown.names, shown.maximum, shown.side, "white", shown.style.font, upright=shown.style.upright)
    strip = pixels[:, axes.left - 1] if shown.style.upright else pixels[axes.bottom + 1]
    marks = np.nonzero((strip == 0).all(axis=1))[0]
    return int(marks[-1] - marks[0])


def test_points_of_a_line_lie_where_their_values_say() -> None:
    random = np.random.default_rng(5)
    for _ in range(40):
        shown = chart(random, "train", LINES)
        style = shown.style._replace(marker="dot", thickness=1, ground="white", grid=False)
        pixels = np.asarray(picture(LINES, shown._replace(style=style, colours=("red",)), Shown()))
        axes = Axes(shown.names, shown.maximum, shown.side, "white", style.font, upright=True)
        for slot, value in zip(axes.slots(), shown.values, strict=True):
            y = axes.bottom - round(value / shown.maximum * (axes.bottom - axes.top))
            assert tuple(pixels[y, round(sum(slot) / 2)]) == COLOURS["red"]


def test_sectors_are_as_large_as_their_shares() -> None:
    random, colours = np.random.default_rng(6), ("red", "blue", "green", "orange", "purple")
    for _ in range(40):
        shown = chart(random, "train", PIES)
        style = shown.style._replace(outlined=False, ground="white")
        shown = shown._replace(style=style, colours=colours[: len(shown.names)])
        pixels = np.asarray(picture(PIES, shown, Shown(names=False)))
        counts = np.array([(pixels == COLOURS[colour]).all(axis=2).sum() for colour in shown.colours])
        assert np.abs(100 * counts / counts.sum() - shown.values).max() < 2.5


@pytest.mark.parametrize(("family", "module"), [(BARS, bars), (LINES, lines), (PIES, pies)])
def test_names_and_numbers_lie_inside_the_image(family: Family, module: object) -> None:
    """Nothing but a frame or a pie comes near an edge: no text is cut."""
    random = np.random.default_rng(7)
    assert family.module is module
    for _ in range(100):
        shown = chart(random, "train", family)
        pixels = np.asarray(picture(family, shown, Shown()), dtype=int)
        edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
        assert (edges == pixels[0, 0]).all(axis=1).mean() > 0.97
