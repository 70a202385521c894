"""The book-keeping of a corpus run: tallies of all passes by source, the check that no rule removes too much."""

from __future__ import annotations

import json
from typing import Any

from presage.core.errors import DataError
from presage.core.run import RunDir, note
from presage.data.build.config import LICENCES, Source
from presage.data.build.judge import grams_of, rules_of
from presage.data.build.mix import TOLERANCE, Share, shares, write_split
from presage.data.build.parts import Work
from presage.data.build.tally import (
    CONTAMINATED,
    EMPTIED,
    EXACT,
    NEAR,
    PARAGRAPHS,
    TOO_SHORT,
    Tally,
)
from presage.data.records import SPLITS

# Columns of tables/sources.csv in the order in which things happen to a document, with their units.
COUNTS = {
    "read/documents": "documents",
    "read/bytes": "bytes",
    "bad/documents": "documents",
    "cut/pieces": "documents",
    "removed/too_short": "documents",
    "removed/rules": "documents",
    "removed/exact_copies": "documents",
    "removed/near_copies": "documents",
    "removed/paragraphs": "paragraphs",
    "removed/paragraph_bytes": "bytes",
    "removed/emptied": "documents",
    "removed/contaminated": "documents",
    "added/pieces": "documents",
} | {f"{split}/{unit}": unit for split in SPLITS for unit in ("documents", "bytes")}
GPT3 = "Brown et al. 2020, appendix"
REST = {
    TOO_SHORT: ("bytes", ""),
    EXACT: ("a copy of an earlier document but for spacing", ""),
    NEAR: ("Jaccard similarity of its runs of five words to those of an earlier document", f"{GPT3} A"),
    PARAGRAPHS: ("long paragraphs that stand in an earlier document", ""),
    EMPTIED: ("bytes left without those paragraphs", ""),
    CONTAMINATED: ("runs of words shared with evaluation items, cut out with what stands around", f"{GPT3} C"),
}
"""Rules of the later passes: what is looked at, and where it comes from."""


class Book:
    """Fills as the passes go by, and writes the tables at the end."""

    def __init__(self, work: Work, run: RunDir) -> None:
        self._work, self._run, self._config = work, run, work.config
        self._sources = work.config.read_sources
        self._tallies = {source.name: Tally() for source in work.config.sources}
        self._mixture: list[Share] = []

    # ---- passes -----------------------------------------------------------------------------------------------

    def judged(self) -> None:
        """Take in what the first pass counted. Raises DataError when a rule removed too much, or all was removed."""
        self._take("judged")
        total = self._total()
        left = total.counts["read/documents"] - total.removals[TOO_SHORT].documents
        if left:
            self._check()
            left -= sum(removal.documents for rule, removal in total.removals.items() if rule != TOO_SHORT)
        if not left:
            raise DataError("no document is left", hint=self._summary())

    def decided(self) -> None:
        """Take in the second pass."""
        decided = json.loads((self._work.folder / "decided" / "decided.json").read_text(encoding="utf-8"))
        for name, tally in decided["tallies"].items():
            self._tallies[name].add(Tally.from_json(tally))
        self._check()

    def finished(self) -> None:
        """Take in the third pass, and write both splits of the whole."""
        self._take("finished")
        self._check()
        sizes = {source.name: self._tallies[source.name].counts["train/bytes"] for source in self._sources}
        self._mixture = shares(self._config, sizes)
        for split in SPLITS:
            target = self._run.artifact(f"{split}.jsonl.zst")
            for name, counts in write_split(self._work, split, self._mixture, target).items():
                for what in ("documents", "bytes", "content"):
                    self._tallies[name].counts[f"{split}/{what}"] = counts[what]
            if not sum(tally.counts[f"{split}/documents"] for tally in self._tallies.values()):
                raise DataError(f"no document is left for the {split} split", hint=self._summary())

    def _take(self, step: str) -> None:
        for index, part in enumerate(self._work.plan.parts):
            self._tallies[part.source].add(self._work.tally(step, index))

    def _check(self) -> None:
        for source in self._sources:
            tally = self._tallies[source.name]
            size = tally.counts["read/bytes"]
            for rule, removal in tally.removals.items():
                limit = self._config.limit(rule)
                if limit == 1 or removal.bytes <= limit * size:  # spelling and placeholders can make texts longer
                    continue
                for sample in removal.samples:
                    note(f"presage: removed by '{rule}': {sample.path} ({sample.why}): {_line(sample.excerpt)}")
                allowed = json.dumps(self._config.allowed | {rule: 1})
                raise DataError(
                    f"rule '{rule}' removes {removal.bytes / size:.1%} of source '{source.name}' "
                    f"({removal.documents:,} of {tally.counts['read/documents']:,} documents), "
                    f"more than the {limit:.0%} that it may",
                    hint=f"look at the examples above, then leave the rule out or set allowed={allowed}",
                )

    # ---- tables -----------------------------------------------------------------------------------------------

    def write(self) -> None:
        """tables/*.csv and result.json."""
        run, plan = self._run, self._work.plan
        run.table("sources", [self._source_row(source) for source in self._config.sources])
        run.table("removals", [row for s in self._sources for row in self._removal_rows(s)], list(_REMOVALS))
        run.table("removed_samples", [row for s in self._sources for row in self._sample_rows(s)], list(_SAMPLES))
        run.table("mixture", [self._mixture_row(share) for share in self._mixture])
        run.table("languages", [row for s in self._sources for row in self._language_rows(s)], list(_LANGUAGES))
        bad = [
            {"source": name, "file": file, "place": place, "reason": reason}
            for name, tally in self._tallies.items()
            for file, place, reason in tally.bad
        ]
        run.table("bad", bad, ["source", "file", "place", "reason"])
        found = self._total().packages
        packages = [
            {"package": p.name, "version": p.version, "licence": p.licence}
            | {unit: found[f"{p.name}/{unit}"] for unit in ("documents", "bytes")}
            for p in sorted(plan.packages, key=lambda p: p.name)
            if found[f"{p.name}/documents"]
        ]
        run.table("packages", packages, ["package", "version", "licence", "documents", "bytes"])
        for what, unit in COUNTS.items():
            run.result(what, sum(self._count(source, what) for source in self._config.sources), unit=unit)
        grams = grams_of(self._config)
        for what, count in ({} if grams is None else grams.facts).items():
            run.result(f"decontaminate/{what}", count)
        for split in SPLITS:
            run.result(f"{split}/content", f"{self._total().counts[f'{split}/content'] % (1 << 64):016x}")

    def say(self) -> None:
        """What a person should know at once."""
        total = self._total()
        if total.bad:
            file, place, reason = total.bad[0]
            count = total.counts["bad/documents"]
            note(f"presage: {count} unreadable documents left out, see {self._run.path / 'tables' / 'bad.csv'}")
            note(f"presage: the first: {file} {place}: {reason}")
        weights = [source.weight for source in self._sources if source.weight is not None]
        if weights and abs(sum(weights) - 1) > 1e-9:
            note(f"presage: the weights add up to {sum(weights):g}; each is taken as its part of that")
        asked, planned = self._config.train_bytes or 0, sum(share.taken for share in self._mixture)
        if planned < asked * (1 - TOLERANCE):
            note(f"presage: the sources hold {planned:,.0f} of the {asked:,} bytes asked for, repetitions included")
        for share in self._mixture:
            if share.capped:
                note(
                    f"presage: source '{share.source}' would be repeated more than {self._config.max_epochs:g} times "
                    f"for its weight: the others make up for it, see {self._run.path / 'tables' / 'mixture.csv'}"
                )

    def _total(self) -> Tally:
        total = Tally()
        for tally in self._tallies.values():
            total.add(tally)
        return total

    def _count(self, source: Source, what: str) -> int:
        tally = self._tallies[source.name]
        rule = what.removeprefix("removed/")
        if what == "removed/rules":
            return sum(r.documents for name, r in tally.removals.items() if name not in REST)
        if rule in (TOO_SHORT, EXACT, NEAR, EMPTIED, CONTAMINATED):
            return tally.removals[rule].documents
        return tally.counts[what]

    def _source_row(self, source: Source) -> dict[str, Any]:
        head = {"source": source.name, "kind": source.kind, "licence": source.licence or LICENCES[source.kind]}
        head |= {"dates": source.dates, "about": source.about}
        return head | {what: self._count(source, what) for what in COUNTS}

    def _removal_rows(self, source: Source) -> list[dict[str, Any]]:
        tally = self._tallies[source.name]
        size = max(1, tally.counts["read/bytes"])
        rules = {r.name: r for r in rules_of(self._config, source, self._run.path / "artifacts")}
        rows = []
        for name in [
            TOO_SHORT,
            *rules,
            *(name for name in REST if name != TOO_SHORT and name not in self._off(source)),
        ]:
            removal = tally.removals[name]
            rule = rules.get(name)
            says, reference = (rule.says, rule.source) if rule else REST[name]
            low, high = (rule.low, rule.high) if rule else (None, None)
            values = (source.name, name, says, reference, _finite(low), _finite(high))
            counts = (removal.documents, removal.bytes, removal.bytes / size, removal.alone)
            rows.append(dict(zip(_REMOVAL, (*values, *counts), strict=True)))
        changed = sorted(key for key in tally.counts if key.startswith(("changed/", "redacted/")))
        return [*rows, *({"source": source.name, "rule": key, "changed": tally.counts[key]} for key in changed)]

    def _off(self, source: Source) -> set[str]:
        """Rules of the later passes that are not asked here: a row of zeros would say that nothing was found."""
        off = set() if source.repeats_dropped else {PARAGRAPHS, EMPTIED}
        off |= {NEAR} if self._config.similar is None else set()
        return off | ({CONTAMINATED} if self._config.decontaminate is None else set())

    def _sample_rows(self, source: Source) -> list[dict[str, Any]]:
        return [
            dict(zip(_SAMPLES, (source.name, rule, sample.path, sample.why, sample.excerpt), strict=True))
            for rule, removal in self._tallies[source.name].removals.items()
            for sample in removal.samples
        ]

    def _mixture_row(self, share: Share) -> dict[str, Any]:
        counts = self._tallies[share.source].counts
        taken = sum(tally.counts["train/bytes"] for tally in self._tallies.values())
        return {
            "source": share.source,
            "weight": share.weight,
            "bytes": share.bytes,
            "epochs": share.epochs,
            "capped": int(share.capped),
            "taken_bytes": counts["train/bytes"],
            "share": counts["train/bytes"] / max(1, taken),
        }

    def _language_rows(self, source: Source) -> list[dict[str, Any]]:
        found = self._tallies[source.name].languages
        total = max(1, sum(found.values()))
        return [
            dict(zip(_LANGUAGES, (source.name, label, size, size / total), strict=True))
            for label, size in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
            if size
        ]

    def _summary(self) -> str:
        counts = {what: sum(self._count(s, what) for s in self._config.sources) for what in COUNTS}
        first = "".join(f"; first bad one: {a} {b}: {c}" for a, b, c in self._total().bad[:1])
        return ", ".join(f"{name} {n}" for name, n in counts.items() if n) + first


_REMOVAL = ("source", "rule", "looks_at", "reference", "low", "high", "documents", "bytes", "share", "alone")
_REMOVALS = (*_REMOVAL, "changed")
_SAMPLES = ("source", "rule", "path", "why", "excerpt")
_LANGUAGES = ("source", "language", "bytes", "share")


def _finite(bound: float | None) -> float | str:
    return bound if bound is not None and abs(bound) < float("inf") else ""


def _line(text: str, width: int = 120) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[:width] + "…"
