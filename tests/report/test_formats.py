"""How values are written: ticks of Figure 1, significant digits, and no lost magnitude."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.report import formats
from presage.report.formats import power_tick, relative, relative_tick, show

SCALE = {"p": 1e-12, "n": 1e-9, "µ": 1e-6}


@pytest.mark.parametrize(
    ("value", "text"),
    [(1e-12, "1p"), (1e-10, "100p"), (1e-8, "10n"), (1e-6, "1µ"), (1e-4, "100µ"), (1e-3, "0.001"), (0.01, "0.01"),
     (0.1, "0.1"), (1.0, "1"), (10.0, "10")],
)  # fmt: skip
def test_ticks_read_as_in_the_gpt4_report(value: float, text: str) -> None:
    assert relative_tick(value) == text


@given(st.floats(1e-12, 1e3))
def test_relative_keeps_three_digits(value: float) -> None:
    text = relative(value)
    number = float(text.rstrip("pnµ")) * SCALE.get(text[-1], 1.0)
    assert math.isclose(number, value, rel_tol=0.0051)


@given(st.floats(1e-30, 1e30))
def test_scientific_keeps_three_digits(value: float) -> None:
    text = show(value, "flops").replace(" × 10", "e").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    assert math.isclose(float(text), value, rel_tol=0.0051)


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [(None, "loss", "missing"), (None, "setting", "none"), (True, "auto", "yes"), (1.23456, "loss", "1.235"),
     (-0.135, "power", "−0.1350"), (0.9, "share", "90 %"), (7e-17, "share", "0 %"), (24_410_022, "bytes", "24.4 MB"),
     (1.0e6, "bytes", "1.00 MB"),
     (482.4, "seconds", "8 min 02 s"), (7384, "seconds", "2 h 03 min"), (1.5, "seconds", "1.50 s"),
     (4e13, "flops", "4.00 × 10¹³"), (7_340_032, "count", "7,340,032"), (7_340_032, "short", "7.34M"),
     (32_216.7, "count", "32,217"), (32_216.7, "auto", "32,217"), (1.1e11, "auto", "1.10 × 10¹¹"),
     (1_650_123_456, "whole", "1650123456"), (1_650_123_456, "setting", "1,650,123,456"),
     (1, "verdict", "inside"), (0, "verdict", "outside"), (["a", 2], "auto", "a, 2"), ({}, "auto", "none"),
     ("3.10", "loss", "3.10"), ("ab" * 32, "hex12", "ab" * 6), ("f:\n    ", "stem", "f:\n   "),
     (0.999999, "relative", "1.00")],
)  # fmt: skip
def test_forms(value: object, form: str, text: str) -> None:
    assert show(value, form) == text


def test_every_form_takes_zero() -> None:
    assert all(formats.FORMS[form](0) for form in formats.FORMS)


def test_ticks_of_powers_of_ten_are_plain_text() -> None:
    places = (1e-2, 1.0, 10.0, 1e3, 1e4, 1e17, 2e17, 0.5, 0.0)
    assert [power_tick(one) for one in places] == ["10⁻²", "1", "10", "1,000", "10⁴", "10¹⁷", "", "", ""]
