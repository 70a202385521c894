"""The page's colours, light and dark, held to WCAG's ratios."""

from __future__ import annotations

import re

import pytest

from presage.serve.page.mount import STATIC


@pytest.mark.parametrize("place", [0, 1])
def test_words_stand_out_from_their_paper(place: int) -> None:
    css = (STATIC / "page.css").read_text()
    blocks = re.findall(r":root(?:\[data-theme=dark\])?\{color-scheme:(?:light|dark);([^}]*)\}", css)
    colours = dict(re.findall(r"--(\w+):#(\w{6})\b", blocks[place]))
    for front in ("ink", "muted", "accent", "alarm"):
        for paper in ("paper", "side", "band") if front in {"ink", "muted"} else ("paper",):
            assert contrast(colours[front], colours[paper]) >= 4.5, (front, paper)
    assert contrast(colours["edge"], colours["paper"]) >= 2.8  # outlines of fields


def contrast(one: str, other: str) -> float:
    """WCAG's ratio of two colours."""

    def light(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (0, 2, 4)]
        red, green, blue = (one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)
