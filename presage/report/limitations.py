"""The section on limitations: what came after the corpus's end, and what of a long context is used. Where asked."""

from __future__ import annotations

from presage.report.blocks import Block, Section, Text
from presage.report.examination import ROLE
from presage.report.facts import Sources
from presage.report.tables import csv_table

TABLES = {
    "tables/dated.csv": "Facts by date: accuracy before and after the corpus's end, and the difference",
    "tables/position.csv": "Bits per byte of the same spans, by how many characters before them are shown",
}


def given(s: Sources) -> bool:
    """Whether any table of the suite is there: else there is no such section."""
    return any(s.rows(ROLE, file) for file in TABLES)


def section(s: Sources) -> Section:
    """The tables that are there. The suite's other tasks stand among the scores."""
    intro = Text(
        "After the limitations that the GPT-4 report names (section 5). Slips of reasoning, pushback with false "
        "premises and factuality by category are tasks like others, and stand in the table of scores."
    )
    blocks: list[Block] = [csv_table(s, ROLE, file, caption) for file, caption in TABLES.items() if s.rows(ROLE, file)]
    return Section("limits-suite", "Limitations", [intro, *blocks])
