"""How a value is written for a reader: rounding, unit prefixes, signs. Display only; nothing here is a measurement."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

MISSING = "missing"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SMALL = ((1e-12, "p"), (1e-9, "n"), (1e-6, "µ"))
_LARGE = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def show(value: Any, form: str = "auto") -> str:
    """The value in the named form (a key of FORMS); None reads as "missing" and text stays text."""
    if value is None:
        return "none" if form == "setting" else MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return FORMS[form](value) if form in _TEXT_FORMS else value
    if isinstance(value, list | tuple):
        return ", ".join(show(v, form) for v in value) if value else "none"
    if isinstance(value, dict):
        return ", ".join(f"{k} {show(v, form)}" for k, v in value.items()) if value else "none"
    return FORMS[form](value)


def power_tick(value: float) -> str:
    """A tick of an axis of powers of ten: 1, 10, 100, 1,000, then 10⁴; nothing at any other place."""
    exponent = round(math.log10(value)) if value > 0 else 0
    if not math.isclose(value, 10.0**exponent, rel_tol=1e-9):
        return ""
    return f"{value:,.0f}" if 0 <= exponent <= 3 else f"10{str(exponent).translate(_SUPERSCRIPT)}"


def relative_tick(value: float) -> str:
    """A tick of Figure 1 of the GPT-4 report, compute relative to the target: 100p, 10n, 1µ, 100µ, 0.001, 0.01, 1."""
    number = relative(value)
    digits = number.rstrip("pnµ")
    return _short(digits) + number[len(digits) :]


def relative(value: float) -> str:
    """The same with three significant digits: 31.4µ, 0.0200."""
    if value <= 0:
        return "0"
    if value >= 0.9995e-3:
        return _plain(value)
    scale, suffix = max((s for s in _SMALL if value >= s[0] * 0.9995), default=_SMALL[0])
    return f"{_plain(value / scale)}{suffix}"


def _plain(value: float) -> str:
    """Three significant digits, never an exponent: 0.00123, 12.3, 1.50, 100."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(float(f"{value:.2e}")))))
    return f"{value:.{digits}f}"


def _short(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def scientific(value: float) -> str:
    """3.21 × 10¹³; plain below ten thousand."""
    if value == 0 or 1e-3 <= abs(value) < 1e4:
        return _plain(value)
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def prefixed(value: float, unit: str) -> str:
    """1.23 MB, 4.5 kJ: three significant digits and a decimal prefix."""
    scale, prefix = next(((s, p) for s, p in _LARGE if abs(value) >= s), (1.0, ""))
    return f"{_plain(value / scale)} {prefix}{unit}".rstrip()


def duration(seconds: float) -> str:
    """1.50 s, 8 min 02 s, 2 h 03 min."""
    if seconds < 60:
        return f"{_plain(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def auto(value: float) -> str:
    """Whole numbers in full with separators; others to four significant digits."""
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value):,}"
    size = abs(value)
    if size >= 1e6 or size < 1e-3:
        return scientific(value)
    return f"{value:,.0f}" if size >= 1e4 else f"{value:.4g}"


def _fixed(digits: int) -> Callable[[Any], str]:
    return lambda value: f"{value:.{digits}f}".replace("-", "−")


FORMS: dict[str, Callable[[Any], str]] = {
    "auto": auto,
    "setting": lambda v: f"{v:,}" if isinstance(v, int) else auto(v),
    "whole": lambda v: f"{v:.0f}" if isinstance(v, float) else str(v),
    "stderr": lambda v: f"{v:.2g}",
    "loss": _fixed(3),
    "loss4": _fixed(4),
    "percent": lambda v: f"{v:.2f} %".replace("-", "−"),
    "signed_percent": lambda v: f"{v:+.2f} %".replace("-", "−"),
    "share": lambda v: f"{_short(_plain(round(100 * v, 9)))} %".replace("-", "−"),  # an interval's end may be noise
    "count": lambda v: f"{v:,.0f}",
    "short": lambda v: prefixed(v, "").replace(" ", ""),
    "flops": scientific,
    "relative": relative,
    "times": lambda v: f"{_plain(v)}×",
    "bytes": lambda v: prefixed(v, "B"),
    "joules": lambda v: prefixed(v, "J"),
    "rate": lambda v: prefixed(v, "FLOP/s"),
    "seconds": duration,
    "power": lambda v: f"{v:.4f}".replace("-", "−"),
    "verdict": lambda v: "inside" if v else "outside",
    "yesno": lambda v: "yes" if v else "no",
    "hex12": lambda v: str(v)[:12],
    "right": lambda v: {0.0: "wrong", 1.0: "right"}.get(float(v)) or f"{_plain(v)} right",
    "stem_of_path": lambda v: PurePosixPath(str(v)).stem,
    "stem": lambda v: str(v).removesuffix(" "),  # models are given a prompt without its last space
}
_TEXT_FORMS = {"hex12", "stem", "stem_of_path"}
