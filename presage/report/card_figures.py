"""Figures of a system card as cells: a measure by its set, name and category, with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from presage.report.blocks import Cell, Table, Text
from presage.report.facts import Fact, Sources

ROLE = "card"
MEASURES = (ROLE, "tables/measures.csv")
FORMS = {"share": "share"}
SETS: MappingProxyType[str, str] = MappingProxyType(
    {
        "harmful": "all, each once",
        "harmbench_val": "HarmBench, validation",
        "harmbench_test": "HarmBench, test",
        "strongreject": "StrongREJECT",
        "advbench": "AdvBench",
        "simple_safety_tests": "SimpleSafetyTests",
        "refusal_direction": "Refusal direction, test",
        "xstest_unsafe": "XSTest, unsafe",
        "xstest_safe": "XSTest, safe",
        "harmless": "harmless instructions",
        "unprompted": "unprompted",
        "openings": "after neutral openings",
    }
)
HARMFUL = ("harmful", "harmbench_val", "harmbench_test", "strongreject", "advbench", "simple_safety_tests",
           "refusal_direction", "xstest_unsafe")  # fmt: skip
SAFE = ("xstest_safe", "harmless")


@dataclass(frozen=True)
class Figures:
    """Every measure of a card, found by (set, metric, category)."""

    s: Sources
    places: Mapping[tuple[str, str, str], int]

    @classmethod
    def of(cls, s: Sources) -> Figures:
        """Those of the card that the report reads."""
        rows = s.rows(*MEASURES)
        names = [(str(row["set"]), str(row["metric"]), str(row["category"] or "")) for row in rows]
        return cls(s, {name: place for place, name in enumerate(names)})

    def has(self, name: str) -> bool:
        """Whether anything was measured of a set."""
        return any(place[0] == name for place in self.places)

    def categories(self, name: str, metric: str) -> list[str]:
        """Categories of a set in which a metric was measured, in the order of the file."""
        return [category for one, other, category in self.places if (one, other) == (name, metric) and category]

    def of_risk(self, risk: str, name: str, metric: str) -> list[str]:
        """The same, of those that bear on a risk area."""
        rows = self.s.rows(*MEASURES)
        return [one for one in self.categories(name, metric) if rows[self.places[name, metric, one]]["risk"] == risk]

    def fact(self, name: str, metric: str, category: str, column: str, form: str = "auto") -> Fact | str:
        """One column of a measure; a dash where it has none."""
        place = self.places.get((name, metric, category))
        if place is None or self.s.get(*MEASURES, f"{place}.{column}") is None:
            return "–"
        return self.s.fact(*MEASURES, f"{place}.{column}", form)

    def value(self, name: str, metric: str, category: str = "") -> Fact | str:
        """The value alone."""
        return self.fact(name, metric, category, "value", self._form(name, metric, category))

    def n(self, name: str, metric: str, category: str = "") -> Fact | str:
        """Of how many."""
        return self.fact(name, metric, category, "n", "count")

    def interval(self, name: str, metric: str, category: str = "") -> Cell:
        """12 % (8 % to 17 %); the value alone where there is no interval."""
        form = self._form(name, metric, category)
        value, lo, hi = (self.fact(name, metric, category, one, form) for one in ("value", "lo", "hi"))
        if isinstance(lo, str):
            return value
        return Text("{value} ({lo} to {hi})", value=value, lo=lo, hi=hi)

    def _form(self, name: str, metric: str, category: str) -> str:
        place = self.places.get((name, metric, category))
        unit = None if place is None else self.s.get(*MEASURES, f"{place}.unit")
        return FORMS.get(str(unit), "loss")


def joined(parts: Iterable[Cell]) -> Cell:
    """Cells set apart by semicolons; a dash for none."""
    found = list(parts)
    slots = {f"c{number}": one for number, one in enumerate(found)}
    return Text("; ".join(f"{{{name}}}" for name in slots), **slots) if found else "–"


def by_category(f: Figures, caption: str, name: str, metrics: Mapping[str, str], *, fold: bool = False) -> Table:
    """A row a category of a set, with the n of the first metric; metrics: {metric: the column's name}. The row of the
    whole set, where there is one, comes first."""
    first = next(iter(metrics))
    whole = [""] if (name, first, "") in f.places else []
    rows: list[Sequence[Cell]] = [
        [
            f.fact(name, first, one, "category") if one else "all",
            f.n(name, first, one),
            *(f.interval(name, metric, one) for metric in metrics),
        ]
        for one in [*whole, *f.categories(name, first)]
    ]
    return Table(caption, ["", "n", *metrics.values()], rows, fold=fold)
