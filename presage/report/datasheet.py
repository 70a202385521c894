"""The datasheet of a corpus: sources, what every rule removed and examples of it, languages, mixture."""

from __future__ import annotations

from presage.report.blocks import Block, Cell, Table, Text
from presage.report.facts import Sources
from presage.report.tables import absent, csv_table

SOURCES = ("corpus", "tables/sources.csv")
REMOVALS = ("corpus", "tables/removals.csv")
SAMPLES = ("corpus", "tables/removed_samples.csv")
MIXTURE = ("corpus", "tables/mixture.csv")
LANGUAGES = ("corpus", "tables/languages.csv")
PACKAGES = 15
SWITCHES = {"similar": ("near_copies", "near copies"), "decontaminate": ("contaminated", "evaluation items")}
"""Keys of the corpus's config without which a rule is not asked: its row of zeros would say that nothing was found."""
COLUMNS = {
    "source": ("source", "auto"),
    "licence": ("licence", "auto"),
    "dates": ("dates", "auto"),
    "about": ("about", "auto"),
    "read/documents": ("documents read", "count"),
    "read/bytes": ("bytes read", "bytes"),
    "bad/documents": ("unreadable", "count"),
    "train/documents": ("for training", "count"),
    "train/bytes": ("bytes", "bytes"),
    "val/documents": ("held out", "count"),
    "val/bytes": ("bytes", "bytes"),
}
MIXED = {"source": "auto", "weight": "share", "bytes": "bytes", "epochs": "auto", "taken_bytes": "bytes",
         "share": "share"}  # fmt: skip


def blocks(s: Sources) -> list[Block]:
    """Tables that the corpus wrote; those of steps that it did not take are left out."""
    packages = csv_table(s, "corpus", "tables/packages.csv", "The packages that gave most text", "bytes", PACKAGES)
    return [_sources(s), *_removals(s), *_changes(s), *_samples(s), *_mixture(s), *_languages(s), packages]


def _sources(s: Sources) -> Block:
    rows = s.rows(*SOURCES)
    if not rows:
        return absent(s, *SOURCES)
    told = [name for name in COLUMNS if any(row.get(name) not in (None, "") for row in rows)]
    cells = [[_cell(s, SOURCES, i, name, COLUMNS[name][1]) for name in told] for i in range(len(rows))]
    return Table("Sources", [COLUMNS[name][0] for name in told], cells)


def _removals(s: Sources) -> list[Block]:
    rows = s.rows(*REMOVALS)
    off = dict(what for key, what in SWITCHES.items() if s.get("corpus", "config.json", f"config.{key}") is None)
    ran = [i for i, row in enumerate(rows) if row.get("documents") is not None and row["rule"] not in off]
    if not ran:
        return []
    columns = ["source", "rule", "what it looks at", "kept from", "to", "documents", "bytes", "of the source",
               "break it", "after"]  # fmt: skip
    note = Text(
        "In the order in which the rules are asked: a document counts for the first that removes it, and under “break "
        "it” for every rule that it breaks. Copies and evaluation items are looked for among what is left."
        + "".join(f" This corpus was not searched for {what}." for what in off.values())
    )
    cells: list[list[Cell]] = [
        [
            *(_cell(s, REMOVALS, i, name) for name in ("source", "rule", "looks_at", "low", "high")),
            _cell(s, REMOVALS, i, "documents", "count"),
            _cell(s, REMOVALS, i, "bytes", "bytes"),
            _cell(s, REMOVALS, i, "share", "share"),
            _cell(s, REMOVALS, i, "alone", "count"),
            _cell(s, REMOVALS, i, "reference"),
        ]
        for i in ran
    ]
    return [Table("What every rule removed", columns, cells, note)]


def _changes(s: Sources) -> list[Block]:
    rows = s.rows(*REMOVALS)
    changed = [i for i, row in enumerate(rows) if row.get("changed") is not None]
    cells = [[_cell(s, REMOVALS, i, name) for name in ("source", "rule", "changed")] for i in changed]
    return [Table("What was changed and kept", ["source", "what", "how often"], cells)] if cells else []


def _samples(s: Sources) -> list[Block]:
    rows = s.rows(*SAMPLES)
    columns = ["source", "rule", "path", "why", "excerpt"]
    cells = [[_cell(s, SAMPLES, i, name) for name in columns] for i in range(len(rows))]
    note = Text("Drawn by the hash of their paths, not chosen: look at them before trusting a rule.")
    return [Table("Examples of what was removed", columns, cells, note, fold=True)] if cells else []


def _mixture(s: Sources) -> list[Block]:
    rows = s.rows(*MIXTURE)
    if len(rows) < 2:
        return []
    note = Text(
        "Epochs are the bytes wanted over the bytes there are. Held-out text is taken once whatever the weights."
    )
    cells = [[_cell(s, MIXTURE, i, name, form) for name, form in MIXED.items()] for i in range(len(rows))]
    columns = ["source", "weight", "bytes there", "epochs", "bytes taken", "of all"]
    return [Table("Mixture", columns, cells, note)]


def _languages(s: Sources) -> list[Block]:
    rows = s.rows(*LANGUAGES)
    cells = [
        [_cell(s, LANGUAGES, i, "source"), _cell(s, LANGUAGES, i, "language"),
         _cell(s, LANGUAGES, i, "bytes", "bytes"), _cell(s, LANGUAGES, i, "share", "share")]
        for i in range(len(rows))
    ]  # fmt: skip
    return [Table("Languages, as identified", ["source", "language", "bytes", "share"], cells)] if cells else []


def _cell(s: Sources, place: tuple[str, str], row: int, column: str, form: str = "auto") -> Cell:
    """The value of a column, a dash where it has none: an open end of a range is not missing."""
    if s.get(*place, f"{row}.{column}") in (None, ""):
        return "–"
    return s.fact(*place, f"{row}.{column}", form)
