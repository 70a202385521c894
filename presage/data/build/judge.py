"""First pass, part by part: read, judge each document alone, and note what the later passes need to know of it.

What is left lies on disk with a few dozen numbers a document: digest and hashes for copies, size, place in the split,
hashes of its long paragraphs, evaluation grams that it holds.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from presage.data.batches import batches, byte_length
from presage.data.build.config import Config, Decontamination, Rules, Source
from presage.data.build.parts import Work, read_part
from presage.data.build.spool import Row, Writer, whole_folder
from presage.data.build.tally import BAD, TOO_SHORT, Sample, Tally
from presage.data.decontaminate import Grams
from presage.data.documents import Bad, Document
from presage.data.items import read_items
from presage.data.near import band_keys, digest_columns
from presage.data.rules.heuristics import chosen
from presage.data.rules.language import language_rule, languages_of
from presage.data.rules.normalise import normalise
from presage.data.rules.privacy import KINDS, redact
from presage.data.rules.quality import Quality, draws, margins
from presage.data.rules.rule import Rule
from presage.data.rules.texts import Texts
from presage.data.rules.toxicity import blocklist_rule, read_words, toxicity_rule

BATCH = 1 << 20
"""Characters judged together."""


def judge(out: Path, index: int) -> None:
    """Judge part `index` of the corpus run at `out`, unless it has been."""
    work = Work(out)
    target = work.part("judged", index)
    if target.exists():
        return
    plan = work.plan
    part = plan.parts[index]
    judge_of = _judge(out, work.config.to_json(), part.source)
    tally = Tally()
    with whole_folder(target) as folder:
        writer = Writer(folder)
        documents = _counted(read_part(work.config, part, plan.packages), tally, work.config.max_document_bytes)
        for batch in batches(documents, lambda row: len(row.text), BATCH):
            judge_of(batch, tally, writer)
        writer.close()
        (folder / "tally.json").write_text(json.dumps(tally.as_json()), encoding="utf-8")


def _counted(items: Iterator[tuple[int, Document | Bad]], tally: Tally, longest: int) -> Iterator[Row]:
    """The documents. Two of one path in a row are pieces of one if the first is as long as a cut leaves it."""
    least, before = longest // 2 - 4, ("", False)
    for package, item in items:
        if isinstance(item, Bad):
            tally.counts["bad/documents"] += 1
            tally.bad = [*tally.bad, [item.path, item.place, item.reason]][:BAD]
            continue
        tally.counts.update({"read/documents": 1, "read/bytes": byte_length(item.text)})
        tally.counts["cut/pieces"] += item.path == before[0] and before[1]
        before = item.path, byte_length(item.text) > least
        yield Row(item.path, package, item.text)


class Judge:
    """The rules of one source, their models and tables read once."""

    def __init__(self, config: Config, source: Source, artifacts: Path) -> None:
        self._config, self._source = config, source
        self.rules = rules_of(config, source, artifacts)
        self._grams = grams_of(config)
        self._kinds = _kinds(config.rules)

    def __call__(self, rows: Sequence[Row], tally: Tally, writer: Writer) -> None:
        """Rows that are kept go to the writer, everything is counted."""
        rows = self._long_enough([self._normalised(row, tally) for row in rows], tally)
        kept = [self._redacted(row, tally) for row in self._kept(rows, tally)]
        texts = Texts([row.text for row in kept])
        config = self._config
        first = writer.rows
        writer.add(kept)
        writer.column("digests", digest_columns(texts.texts))
        writer.column("sizes", np.array([byte_length(text) for text in texts.texts], "<i8"))
        writer.column("places", np.array([place(row.path, config.seed) for row in kept], "<f8"))
        if config.similar is not None:
            writer.column("keys", band_keys(texts))
        if self._source.repeats_dropped:
            writer.column("paragraphs", _paragraphs(texts.texts, first, config.paragraph_chars))
        if self._grams is not None:
            found = self._grams.hits(texts)
            pairs = np.unique(np.stack([found.text + first, found.gram], axis=1), axis=0)
            writer.column("grams", pairs.astype("<i8"))

    def _shown(self, text: str) -> str:
        """What the tables may show of a document that is removed before personal data are."""
        return redact(text, self._kinds)[0] if self._kinds else text

    def _normalised(self, row: Row, tally: Tally) -> Row:
        if not self._config.rules.normalise:
            return row
        text = normalise(row.text)
        tally.counts["changed/normalised"] += text != row.text
        return Row(row.path, row.package, text)

    def _long_enough(self, rows: Sequence[Row], tally: Tally) -> list[Row]:
        least = self._config.min_document_bytes
        short = [row for row in rows if len(row.text.strip().encode()) < least]
        if not short:
            return list(rows)
        samples = [Sample.of(row.path, f"fewer than {least} bytes", self._shown(row.text)) for row in short]
        tally.removals[TOO_SHORT].add(len(short), sum(byte_length(r.text) for r in short), len(short), samples)
        dropped = set(map(id, short))
        return [row for row in rows if id(row) not in dropped]

    def _kept(self, rows: Sequence[Row], tally: Tally) -> Iterator[Row]:
        """Every rule is asked about every document; the first that says no has removed it."""
        texts = Texts([row.text for row in rows])
        sizes = np.array([byte_length(row.text) for row in rows], np.int64)
        left = np.ones(len(rows), bool)
        for rule in self.rules:
            values = rule.measure(texts)
            breaks = rule.removes(values)
            removed = np.flatnonzero(breaks & left)
            left[removed] = False
            removal = tally.removals[rule.name]
            shown = [i for i in removed.tolist() if removal.wants(rows[i].path)]
            samples = [Sample.of(rows[i].path, f"{values[i]:.4g}", self._shown(rows[i].text)) for i in shown]
            removal.add(len(removed), int(sizes[removed].sum()), int(breaks.sum()), samples)
        if self._config.rules.languages:
            tally.languages.update(self._languages(texts, left, sizes))
        return (rows[i] for i in np.flatnonzero(left).tolist())

    def _languages(self, texts: Texts, left: np.ndarray, sizes: np.ndarray) -> Counter[str]:
        """Bytes by language of what is left."""
        found: Counter[str] = Counter()
        labels, _ = languages_of(texts, self._config.rules.head_chars or sys.maxsize)
        for label, size in zip(labels, (sizes * left).tolist(), strict=True):
            found[label] += size
        return found

    def _redacted(self, row: Row, tally: Tally) -> Row:
        if not self._kinds:
            return row
        text, counts = redact(row.text, self._kinds)
        tally.counts.update({f"redacted/{kind}": count for kind, count in counts.items()})
        tally.counts["changed/redacted"] += bool(counts)
        return Row(row.path, row.package, text) if counts else row


def forget() -> None:
    """What this process has read for earlier runs, whose files may have changed since."""
    _judge.cache_clear()
    _grams.cache_clear()


@functools.lru_cache(maxsize=2)
def _judge(out: Path, config: str, source: str) -> Judge:
    """One for all parts of a source that a process judges."""
    parsed = Config.from_json(config)
    return Judge(parsed, parsed.source(source), out / "artifacts")


def rules_of(config: Config, source: Source, artifacts: Path) -> list[Rule]:
    """The rules that a source's documents go through, in order. Classifiers lie in `artifacts`."""
    asked, rules = config.rules, []
    if asked.languages:
        rules.append(language_rule(asked.languages, asked.language_at_least, asked.head_chars or sys.maxsize))
    rules += chosen(asked.heuristics, asked.without)
    if asked.quality and source.name in asked.quality.raw:
        rules.append(_quality_rule(Quality.load(artifacts / "quality.safetensors"), config.seed))
    if asked.toxicity and asked.toxicity.words:
        rules.append(blocklist_rule(read_words(asked.toxicity.words), asked.toxicity.most_words))
    if asked.toxicity and asked.toxicity.toxic:
        rules.append(toxicity_rule(Quality.load(artifacts / "toxicity.safetensors"), asked.toxicity.most))
    return rules


def _quality_rule(model: Quality, seed: int) -> Rule:
    def measure(texts: Texts) -> np.ndarray:
        return margins(model.scores(texts), draws(texts.texts, seed))

    says = "chance to be kept at the classifier's score, less a number drawn from 0 to 1"
    return Rule("quality", says, "Brown et al. 2020, appendix A", measure, low=0.0)


def grams_of(config: Config) -> Grams | None:
    """The evaluation items' grams, where there are any to look for, in items changed as documents are."""
    return None if config.decontaminate is None else _grams(config.decontaminate, config.rules)


@functools.lru_cache(maxsize=1)
def _grams(asked: Decontamination, rules: Rules) -> Grams:
    """The same for every part that a process works on."""
    items = (item for path in asked.items for item in read_items(Path(path)))
    changed = [dataclasses.replace(item, text=_changed(item.text, rules)) for item in items]
    return Grams(changed, asked.n, asked.shortest)


def _changed(text: str, rules: Rules) -> str:
    text = normalise(text) if rules.normalise else text
    return redact(text, _kinds(rules))[0]


def _kinds(rules: Rules) -> tuple[str, ...]:
    return tuple(KINDS) if "all" in rules.privacy else rules.privacy


def place(path: str, seed: int) -> float:
    """Where in [0, 1) a path falls: below the validation fraction, it is held out."""
    return int.from_bytes(hashlib.sha256(f"{seed}\0{path}".encode()).digest()[:7], "big") / (1 << 56)


def _paragraphs(texts: Sequence[str], first: int, least: int) -> np.ndarray:
    """uint64 [long paragraphs, 3]: hash, document, which of its paragraphs; equal but for spacing and case is equal."""
    rows = [
        (paragraph_hash(part), first + document, ordinal)
        for document, text in enumerate(texts)
        for ordinal, part in enumerate(text.split("\n\n"))
        if len(part) >= least
    ]
    return np.array(rows, np.uint64).reshape(-1, 3)


def paragraph_hash(part: str) -> int:
    """64 bits."""
    folded = " ".join(part.split()).casefold().encode()
    return int.from_bytes(hashlib.blake2b(folded, digest_size=8).digest(), "little")
