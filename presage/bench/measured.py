"""Everything that was asked for, measured in one run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from presage.bench import peaks, reading, training, writing
from presage.bench.areas import Area
from presage.bench.figures import ROUNDS, Figure, Machine
from presage.bench.page import page, table

MEASURES: Mapping[Area, Callable[[Machine], Iterator[Figure]]] = {
    "peaks": peaks.figures,
    "training": training.figures,
    "decoding": writing.decoding,
    "prefill": writing.prefill,
    "tokenizer": reading.tokenizer,
    "scanner": reading.scanner,
    "forecast": reading.forecast,
}


def measured(areas: Sequence[Area], machine: Machine) -> Iterator[Figure]:
    """The figures of some areas as they come; of all where none is named."""
    for area in areas or [*MEASURES]:
        yield from MEASURES[area](machine)


def markdown(figures: Iterable[Figure], machine: Machine) -> str:
    """The page."""
    columns = ["", "what", "figure", "of what this machine can", "ours over it"]
    rows = [[one.area, one.what, f"{told(one.value)} {one.unit}", _share(one), _ratio(one)] for one in figures]
    said = (
        f"{machine.device.device}, {machine.device.threads} thread(s), training in {machine.device.dtype}. Each figure "
        f"is the median of {ROUNDS} turns of {machine.seconds:g} s; systems on lines that follow each other took turns."
    )
    return page("What this machine does", [said, table(columns, rows)])


def told(value: float) -> str:
    """With three figures or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _share(one: Figure) -> str:
    return "" if one.share is None else f"{100 * one.share:.0f} % of {one.of}"


def _ratio(one: Figure) -> str:
    return "" if one.ratio is None else f"{one.ratio:.2f}"
