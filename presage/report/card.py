"""The system card as a page: the twelve risk areas of the GPT-4 report, each measured, reviewed by people, or neither.

It reads one run of the stage card and computes nothing: every figure is a fact with its file, key and digest. Where
nothing was measured it says so, and a mitigation is the author's word and marked as that.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.run import RunDir
from presage.report import card_sections
from presage.report.blocks import Cell, Section, Table, Text
from presage.report.card_figures import ROLE, Figures, joined
from presage.report.facts import Sources
from presage.report.render import write_page

__all__ = ["Config", "run"]

STAGE = "card-page"
AREAS = "harmful_by_area"
NAMED = ("power-seeking-inclination", "survival-instinct", "self-replication")
FEW = 3
RISKS = (ROLE, "tables/risks.csv")
REVIEWS = (ROLE, "tables/reviews.csv")


class Config(BaseConfig):
    card: Parent
    """A finished run of the stage card."""
    title: str = "A system card"


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """card.html, one file that loads nothing, card.md and facts.csv.

    Raises RunError for a run that is unfinished or of another stage, CorruptError for a file that is not the one it
    was finished with.
    """
    RunDir.open(config.card, "card")
    with RunDir.create(out, STAGE, config, resume=resume) as directory:
        sources = Sources({ROLE: config.card})
        write_page(directory, "card", config.title, headline(sources), sections(sources), [])
        directory.finish()
    return directory


def headline(s: Sources) -> Text:
    """Of which model, and of how many areas anything is known."""
    return Text(
        "Of the twelve risk areas of the GPT-4 report, {model} has figures in {measured}, people's judgements in "
        "{reviewed}, and neither in {none}.",
        model=s.result(ROLE, "model"),
        measured=s.result(ROLE, "areas/measured"),
        reviewed=s.result(ROLE, "areas/reviewed"),
        none=s.result(ROLE, "areas/not_assessed"),
    )


def sections(s: Sources) -> list[Section]:
    """The table of risks, then everything that stands behind it."""
    return [risks(s), *card_sections.sections(s)]


def risks(s: Sources) -> Section:
    """A row an area."""
    f = Figures.of(s)
    rows = [_risk(s, f, i, str(row["risk"])) for i, row in enumerate(s.rows(*RISKS))]
    note = Text(
        "In brackets intervals at ninety-five per cent, then n. Which measure bears on which area is our reading. A "
        "figure is not an assessment: an area is more than what was measured of it. Mitigations are the author's "
        "words; nothing here checks them."
    )
    table = Table("Area by area", ["", "area", "figures", "by people", "mitigation"], rows, note)
    return Section("risks", "Risk areas", [table])


def _risk(s: Sources, f: Figures, i: int, risk: str) -> list[Cell]:
    def cell(column: str) -> Cell:
        return s.fact(*RISKS, f"{i}.{column}")

    reason = s.get(*RISKS, f"{i}.reason")
    shown = cell("reason") if reason else joined(_shown(s, f, i, risk))
    return [cell("status"), cell("name"), shown, _people(s, risk), cell("mitigation")]


def _shown(s: Sources, f: Figures, i: int, risk: str) -> Iterator[Cell]:
    """The figures that an area is shown by; all of them are further down."""
    if risk == "harmful_content":
        yield from _named(f, (("harmful", "refusal", "harmful requests refused"),
                              ("harmful", "unrelated", "answered with unrelated words"),
                              ("xstest_safe", "refusal", "safe requests refused"),
                              ("unprompted", "listed", "unprompted samples with a word of the list")))  # fmt: skip
    elif risk == "representation":
        yield from _named(f, (("crows_pairs", "stereotype_preferred", "CrowS-Pairs, stereotype preferred"),
                              ("winobias", "stereotype_preferred", "WinoBias, stereotype preferred"),
                              ("bbq", "s_AMB", "BBQ, bias in ambiguous contexts"),
                              ("bbq", "s_DIS", "BBQ, bias in disambiguated contexts")))  # fmt: skip
    elif f.of_risk(risk, "behaviours", "matching"):
        yield from _behaviours(s, f, i, risk)
    for metric, says in ((("refusal", "requests of this area refused"), ("unrelated", "answered with unrelated words"))
                         if risk != "harmful_content" and risk in f.categories(AREAS, "refusal") else ()):  # fmt: skip
        yield _figure(f, AREAS, metric, risk, says)


def _behaviours(s: Sources, f: Figures, i: int, risk: str) -> Iterator[Cell]:
    """Those that the report speaks of, or else the first; how many there are; and whether any of it says something."""
    every = f.of_risk(risk, "behaviours", "matching")
    for name in [one for one in every if one in NAMED] or every[:FEW]:
        yield _figure(f, "behaviours", "matching", name, f"answers that match {name}")
    yield Text("such figures in all {n}", n=s.fact(*RISKS, f"{i}.figures"))
    yield _figure(f, "behaviours", "first_option", "", "first options taken, whatever is asked")


def _named(f: Figures, wanted: tuple[tuple[str, str, str], ...]) -> Iterator[Cell]:
    for name, metric, label in wanted:
        if f.value(name, metric) != "–":
            yield _figure(f, name, metric, "", label)


def _figure(f: Figures, name: str, metric: str, category: str, label: str) -> Cell:
    return Text("{label} {value}, n {n}", label=label.replace("_", " "), value=f.interval(name, metric, category),
                n=f.n(name, metric, category))  # fmt: skip


def _people(s: Sources, risk: str) -> Cell:
    """Domain by domain: attempts, whose, and the severities."""
    found = [i for i, row in enumerate(s.rows(*REVIEWS)) if row["risk"] == risk]
    return joined(
        Text("{domain}: {n} attempts by {names}, mean severity {mean}",
             **{key: s.fact(*REVIEWS, f"{i}.{column}") for key, column in
                (("domain", "domain"), ("n", "n"), ("names", "names"), ("mean", "mean_severity"))})
        for i in found
    )  # fmt: skip
