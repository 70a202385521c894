"""Stage: the figures of a system card, each with its n, its interval and the files that it came from.

One model is asked every set whose files are there: requests to refuse and requests to answer, texts to classify, pairs
and questions about groups of people, model-written behaviours; and it writes samples. Beside the figures stand what
people found (records of `presage redteam`) and what the author says is done against each risk. Nothing that was not
measured gets a figure: tables/not_assessed.csv says why. What it writes is in docs/alignment/system-card.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from presage.align.card_asking import SAMPLES, Asker, check_facts
from presage.align.card_items import COLUMNS, Asked, Measure, Part, Row, tidy
from presage.align.card_requests import AREAS, HARMFUL, TOTAL, together
from presage.align.card_risks import MEASURABLE, RISKS
from presage.align.card_sets import folder_of, planned
from presage.align.rbrm import Classifier, ModelJudge
from presage.align.redteam import Attempt, Retested, Reviewed, read_attempts, retested, reviewed
from presage.align.rubric import refusal_style
from presage.core.errors import did_you_mean
from presage.core.estimates import LEVEL
from presage.core.files import sha256
from presage.core.run import RunDir
from presage.data.verbs import LanguageModel
from presage.infer.opening import Examined, opened

__all__ = ["Config", "run"]

STAGE = "card"
MEASURED, REVIEWED, NOT = "measured", "reviewed", "not assessed"
_RISKS = ["risk", "name", "status", "reason", "figures", "attempts", "people", "mitigation"]


class Config(Examined):
    data: str = ""
    """The folder of the public sets, or the one that has it as `align`."""
    sets: tuple[str, ...] = ()
    """Names of sets; none: every one."""
    limit: int | None = Field(default=None, ge=1)
    """At most so many items a set (a category of BBQ, a file of behaviours), drawn by the seed. None: all."""
    samples: int = Field(default=200, ge=1)
    """Samples of each kind in which toxic words are looked for."""
    max_tokens: int = Field(default=96, ge=1)
    """Of an answer or a sample."""
    judge: str = ""
    """A model that classifies answers to requests by the rubric of refusals, beside the rule."""
    judge_key_file: str = ""
    classifier: str = ""
    """The file of a toxicity classifier, as a corpus run's rules train one."""
    redteam: tuple[str, ...] = ()
    """Records of `presage redteam`."""
    mitigations: dict[str, str] = {}
    """{risk area: what is done against it}, in the author's words, which nothing here checks."""
    part: int = Field(default=64, ge=1)
    """Items asked together, and kept together."""
    seed: int = 0

    @model_validator(mode="after")
    def _known_risks(self) -> Config:
        wrong = next((name for name in self.mitigations if name not in RISKS), None)
        if wrong is not None:
            raise ValueError(f"no risk area '{wrong}': {did_you_mean(wrong, RISKS)}")
        return self

    def plan(self) -> dict[str, object]:
        """What --dry-run prints: items by set, of a model that gives likelihoods."""
        parts, left_out = planned(self.sets, self._asked(likely=True))
        sizes: dict[str, object] = {part.name: f"{len(part.items)} of {part.total} items" for part in parts}
        return sizes | {name: f"not assessed: {why}" for name, why in left_out}

    def _asked(self, *, likely: bool) -> Asked:
        folder = folder_of(self.data)
        return Asked(folder, self.limit, self.seed, self.max_tokens, self.samples, self.classifier, likely)


def run(config: Config, out: Path, *, resume: bool = False, model: LanguageModel | None = None) -> RunDir:
    """samples.jsonl, result.json, tables/{measures,sets,files,not_assessed,risks,reviews,retests}.csv.

    `model` stands in for the one the config names. Raises DataError where `data` is no folder, and naming file and
    line where a set's file is there and is wrong, RunError where it would go on with another model or other files.
    """
    examined = model or opened(config.spec, config.key_file, config.settings)
    parts, left_out = planned(config.sets, config._asked(likely=examined.has_likelihood))
    attempts = read_attempts(*map(Path, config.redteam))
    retested(attempts)  # what is wrong with them is said before anything is asked
    judge = opened(config.judge, config.judge_key_file) if config.judge else None
    rules = Classifier(refusal_style(), ModelJudge(judge, seed=config.seed)) if judge else None
    asker = Asker(examined, rules, config.part)
    facts = asker.facts(parts)
    with RunDir.create(out, STAGE, config, seed=config.seed, resume=resume, **facts) as directory:
        check_facts(directory, facts)
        left_out += asker.ask(directory, parts)
        _write(directory, config, parts, left_out, attempts, {"model": examined, "judge": judge})
        directory.finish()
    return directory


# ---- what is written -------------------------------------------------------------------------------------------------


def _write(
    directory: RunDir,
    config: Config,
    parts: Sequence[Part],
    left_out: Sequence[tuple[str, str]],
    attempts: Sequence[Attempt],
    models: Mapping[str, LanguageModel | None],
) -> None:
    gone = {name for name, _ in left_out}
    asked = [part for part in parts if part.name not in gone]
    rows = [row for row in directory.rows(SAMPLES) if row["set"] not in gone]
    measures = _measures(asked, rows)
    files = {part.name: [file.name for file in part.files] for part in parts}
    harmful = {name for part in asked if part.name in HARMFUL for name in files[part.name]}
    files |= {TOTAL: sorted(harmful), AREAS: sorted(harmful)}
    directory.table("measures", [one.row(files[one.set]) for one in measures], list(COLUMNS))
    directory.table("sets", [_set(part, rows) for part in asked], ["set", "asked", "total", "cut", "need"])
    directory.table("files", list(_files(asked, config)), ["set", "file", "sha256"])
    directory.table("not_assessed", [{"set": name, "reason": why} for name, why in left_out], ["set", "reason"])
    directory.table("reviews", [one.row() for one in reviewed(attempts)], list(Reviewed.COLUMNS))
    directory.table("retests", [one.row() for one in retested(attempts)], list(Retested.COLUMNS))
    risks = list(_risks(config, measures, reviewed(attempts)))
    directory.table("risks", risks, _RISKS)
    counts = {f"areas/{name}": {"value": count} for name, count in _counts(risks).items()}
    facts = {role: {"value": one.name} for role, one in models.items() if one is not None} | counts
    directory.write_json("result.json", facts | dict(_results(measures, files)))


def _measures(parts: Sequence[Part], rows: Sequence[Row]) -> list[Measure]:
    by_set: dict[str, list[Row]] = {}
    for row in rows:
        by_set.setdefault(row["set"], []).append(row)
    own = [one for part in parts for one in part.measures(by_set.get(part.name, []))]
    return [*together(rows), *own]


def _set(part: Part, rows: Sequence[Row]) -> dict[str, Any]:
    """cut: of how many items the beginning did not fit the model's context."""
    cut = sum(row["truncated"] > 0 for row in rows if row["set"] == part.name)
    return {"set": part.name, "asked": len(part.items), "total": part.total, "cut": cut, "need": part.need}


def _files(parts: Sequence[Part], config: Config) -> Iterator[dict[str, str]]:
    for part in parts:
        yield from ({"set": part.name, "file": file.name, "sha256": sha256(file)} for file in part.files)
    for name in config.redteam:
        yield {"set": "red team", "file": Path(name).name, "sha256": sha256(Path(name))}


def _results(measures: Sequence[Measure], files: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Figures of whole sets: {set/metric: value, stderr, lo, hi, level, n, unit, files}."""
    for one in measures:
        if one.category:
            continue
        found = tidy(one.estimate)
        yield f"{one.set}/{one.metric}", {
            "value": found.value, "stderr": found.stderr, "lo": found.lo, "hi": found.hi, "level": LEVEL,
            "n": found.n, "unit": one.unit, "files": list(files[one.set]),
        }  # fmt: skip


def _counts(risks: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Of the areas, how many have figures, how many people's judgements, how many neither."""
    return {
        "measured": sum(row["figures"] > 0 for row in risks),
        "reviewed": sum(row["attempts"] > 0 for row in risks),
        "not_assessed": sum(row["status"] == NOT for row in risks),
    }


def _risks(config: Config, measures: Sequence[Measure], reviews: Sequence[Reviewed]) -> Iterator[dict[str, Any]]:
    """A row an area: what was done about it, and what the author says is done against it."""
    for risk, name in RISKS.items():
        figures = sum(one.risk == risk and one.estimate.value is not None for one in measures)
        people = [one for one in reviews if one.risk == risk]
        attempts = sum(one.n for one in people)
        status = ", ".join(word for word, holds in ((MEASURED, figures), (REVIEWED, attempts)) if holds)
        unasked = "none of its sets was asked" if risk in MEASURABLE else "this card has no measure of it"
        names = sorted({who for one in people for who in one.people})
        yield {
            "risk": risk, "name": name, "status": status or NOT,
            "reason": "" if figures else unasked, "figures": figures, "attempts": attempts,
            "people": "; ".join(names), "mitigation": config.mitigations.get(risk) or "none stated",
        }  # fmt: skip
