"""What the report says, section by section; every value through Sources, nothing computed here."""

from __future__ import annotations

from collections.abc import Callable

from presage.report import (
    ability,
    alignment,
    buying,
    calibration,
    code,
    contamination,
    examination,
    exams,
    figures,
    languages,
    limitations,
    machine,
    memorisation,
    promised,
    record,
    scaling,
    seen,
    sight,
    target,
    texts,
)
from presage.report.blocks import Items, Section, Table, Text
from presage.report.facts import Fact, Sources
from presage.report.kinds import IMAGES, TEXT, kind_of

FORECAST = figures.FORECAST
CHAIN = ("corpus", "tokenizer", "shards", "ladder", "forecast", "target", "score")
EXAMINED = (
    examination.section, exams.examined, languages.examined, calibration.section, code.section, limitations.section,
    scaling.section,
)  # fmt: skip
ALONE: tuple[tuple[Callable[[Sources], bool], Callable[[Sources], Text]], ...] = (
    (examination.given, examination.headline), (alignment.given, alignment.headline), (sight.given, sight.headline),
)  # fmt: skip
LIMITS = {TEXT: ability.limits, IMAGES: seen.limits}
DISCLOSED = {TEXT: texts.disclosed, IMAGES: seen.disclosed}


def headline(s: Sources) -> Text:
    """The one sentence the whole run was made for, and a second where a capability was promised too."""
    if examined_alone(s):
        return next(tell(s) for given, tell in ALONE if given(s))
    if s.get(*FORECAST, "point") is None:
        return Text("There is no forecast in this run: the promise is {point}.", point=s.fact(*FORECAST, "point"))
    promise = Text(
        "Before training the target we promised {point} ± {half} "
        f"{kind_of(s).promised} ({{level}} interval {{lo}} to {{hi}}).",
        point=s.fact(*FORECAST, "point", "loss"),
        half=s.fact(*FORECAST, "(hi - lo) / 2", "loss"),
        level=s.fact(*FORECAST, "level", "share"),
        lo=s.fact(*FORECAST, "lo", "loss"),
        hi=s.fact(*FORECAST, "hi", "loss"),
    )
    outcome = Text(
        "{promise} It came out at {actual}: an error of {error}, {inside} the interval.",
        promise=promise,
        actual=s.result("score", "actual", "loss"),
        error=s.result("score", "error_percent", "signed_percent"),
        inside=s.result("score", "inside", "verdict"),
    )
    return Text("{loss} {ability}", loss=outcome, ability=ability.sentence(s)) if ability.promised(s) else outcome


def examined_alone(s: Sources) -> bool:
    """Whether the report is on a model that somebody has, on assistants or on what is seen, and not on a chain."""
    told = any(given(s) for given, _ in ALONE)
    return told and all(s.runs.get(role) is None for role in CHAIN)


def seals(s: Sources) -> list[tuple[str, Fact]]:
    """The seal, where each run has it: these must be the same 64 digits."""
    return [] if examined_alone(s) else promised.seals(s)


def sections(s: Sources) -> list[Section]:
    """The whole report, in the order of reading; without what was neither promised nor given."""
    makers: tuple[Callable[[Sources], Section], ...] = (
        promised.promise, ability.section, promised.curves, promised.rungs, promised.residuals, *EXAMINED,
        contamination.section, memorisation.section, alignment.section, sight.section, record.section, buying.section,
        target.samples, texts.corpus, seen.section, target.section, machine.section, limits, withheld)  # fmt: skip
    if examined_alone(s):
        makers = (*EXAMINED, contamination.section, memorisation.section, alignment.section, sight.section,
                  seen.section)  # fmt: skip
    unasked = {ability.section: ability.promised, contamination.section: contamination.given,
               memorisation.section: memorisation.given, record.section: record.given,
               buying.section: buying.given, examination.section: examination.given,
               calibration.section: calibration.given, code.section: code.given,
               scaling.section: scaling.given, exams.examined: exams.sat, languages.examined: languages.asked,
               limitations.section: limitations.given, alignment.section: alignment.given,
               sight.section: sight.given, texts.corpus: texts.given, seen.section: seen.given}  # fmt: skip
    return [make(s) for make in makers if make not in unasked or unasked[make](s)]


def limits(s: Sources) -> Section:
    """The forecast's own warnings, and what no report of this kind can show."""
    said = [Text("The forecast itself warns: {w}", w=s.fact(*FORECAST, f"warnings.{i}"))
            for i in range(len(s.get(*FORECAST, "warnings", [])))]  # fmt: skip
    fixed = [
        *LIMITS[kind_of(s)](s),
        Text(
            "The interval of the loss covers the noise of one run, what the rungs leave open about the law's numbers, "
            "and its form: beyond the rungs the slope may wander as it did among them. A bend of which the rungs show "
            "nothing is not covered, nor is a target that is trained otherwise than they were."
        ),
        Text(
            f"The seal proves that forecast, rungs, {kind_of(s).sealed} and the target's settings belong together "
            "and are unchanged. It cannot prove when it was made: whoever rewrites the whole history, seal and all, "
            "is found out only against the digest if it was published beforehand."
        ),
        Text(
            "Wall-clock and energy are outside the digests of the runs: another machine gives the same losses only as "
            "far as its arithmetic is the same, and never the same seconds."
        ),
        Text(
            f"The target's standard error is that of one trained model on the held-out {kind_of(s).held_out}; another "
            "seed would come out a little differently, as the seeds of the rungs do."
        ),
    ]
    return Section("limits", "What this does not say", [Items(said + fixed)])


def withheld(s: Sources) -> Section:
    """The GPT-4 report's list of what it does not say, filled in for this run."""
    intro = Text(
        "The GPT-4 report “contains no further details about the architecture (including model size), hardware, "
        "training compute, dataset construction, training method, or similar”. For this run:"
    )
    rows = [*DISCLOSED[kind_of(s)](s), *alignment.disclosed(s)]
    table = Table("Disclosed here", ["withheld there", "this run"], rows)
    return Section("withheld", "What the GPT-4 report withheld", [intro, table])
