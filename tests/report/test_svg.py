"""matplotlib's SVG as pages hold it."""

from __future__ import annotations

from matplotlib.figure import Figure

from presage.report import svg


def drawn(left: float = 0.1) -> Figure:
    figure = Figure()
    figure.add_axes((left, 0.1, 0.8, 0.8)).plot([0, 1], [0, 1])
    return figure


def test_a_rounding_error_of_the_layout_is_no_other_text() -> None:
    assert svg.save(drawn(0.1), "lines") == svg.save(drawn(0.1 + 1e-15), "lines")


def test_clip_paths_of_two_figures_of_a_page_differ() -> None:
    assert 'id="wide-clip-0"' in svg.save(drawn(), "wide")
    assert "url(#narrow-clip-0)" in svg.save(drawn(), "narrow")
