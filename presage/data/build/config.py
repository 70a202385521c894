"""The config of the stage `corpus`: sources, rules for documents, mixture. By default only copies are removed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, field_validator, model_validator

from presage.core.config import Config as BaseConfig
from presage.core.errors import did_you_mean
from presage.data import microcode
from presage.data.build.tally import CONTAMINATED, EMPTIED, EXACT, NEAR, PARAGRAPHS, TOO_SHORT
from presage.data.documents import Limits
from presage.data.rules import heuristics
from presage.data.rules.language import check_languages
from presage.data.rules.privacy import check_kinds

GENERATED = {"microcode": microcode.documents}
"""Kinds of sources that are made: documents by (seed, count, levels), a longer supply beginning with a shorter."""

RULES = frozenset(
    {TOO_SHORT, "language", *heuristics.RULES, "quality", "blocklist", "toxicity", EXACT, NEAR, PARAGRAPHS, EMPTIED}
    | {CONTAMINATED}
)
"""Every rule by the name under which it counts."""

MOST_BY_QUALITY = 0.98
"""Of a raw source, GPT-3's rule is meant to remove nearly all."""

LICENCES = {
    "files": "",
    "python-docs": "see packages.csv",
    "python-code": "see packages.csv",
    "python-world": "see packages.csv",
    "microcode": "Apache-2.0",
}
"""What the tables say where the recipe says nothing."""


class Source(BaseConfig):
    """One source: files of yours (`paths`: files, folders, globs), the Python of this machine, or generated tasks."""

    name: str
    kind: Literal["python-docs", "python-code", "python-world", "microcode", "files"] = "files"
    paths: tuple[str, ...] = ()
    share: float | None = Field(default=None, gt=0, lt=1)
    """For microcode: its part of all training bytes."""
    levels: tuple[int, ...] | None = None
    """For microcode: which levels; by default all."""
    weight: float | None = Field(default=None, gt=0)
    """Its part in the mixture, relative to the other sources'; by default each source is taken once, whole."""
    licence: str | None = None
    dates: str = ""
    """When its texts were written or collected, for the datasheet."""
    about: str = ""
    """Where it comes from, for the datasheet."""
    unique_paragraphs: bool | None = None
    """Keep a long paragraph once in the whole corpus; by default for python-docs only, whose libraries repeat notices
    and parameter descriptions thousands of times."""

    @property
    def repeats_dropped(self) -> bool:
        return self.kind == "python-docs" if self.unique_paragraphs is None else self.unique_paragraphs


class Quality(BaseConfig):
    """GPT-3's classifier (appendix A): trained in the stage to tell the reference from the raw sources."""

    reference: tuple[str, ...]
    """Names of sources of the recipe that are good; they are not filtered."""
    raw: tuple[str, ...]
    """Names of the sources that are filtered."""
    sample: int = Field(default=20_000, ge=20)
    """Documents of each side that it is trained on."""


class Toxicity(BaseConfig):
    """Documents with too many words of a list, or that a classifier trained on two labelled files takes for toxic."""

    words: str | None = "built-in"
    """A file with one word or phrase a line, `built-in`, or none."""
    most_words: float = Field(default=0.01, gt=0, lt=1)
    """Share of a document's words from which on it is removed."""
    toxic: str | None = None
    """A file of toxic documents, read like a source."""
    other: str | None = None
    """A file of documents that are not."""
    most: float = Field(default=0.9, gt=0, lt=1)
    """The classifier's probability above which a document is removed."""

    @model_validator(mode="after")
    def _check(self) -> Toxicity:
        if (self.toxic is None) != (self.other is None):
            raise ValueError("a classifier needs both files, toxic and other")
        return self


class Rules(BaseConfig):
    """What looks at one document alone, in this order. Every rule is off unless named here."""

    normalise: bool = False
    """Unicode NFC, one kind of line end and space, no control characters."""
    languages: tuple[str, ...] = ()
    """ISO codes of the languages that are kept; with none, no language is identified."""
    language_at_least: float = Field(default=0.65, gt=0, lt=1)
    """The least probability of a kept language."""
    heuristics: tuple[str, ...] = ()
    """Names of rules or of sets of rules: gopher, gopher_repetition, c4, fineweb, codex."""
    without: tuple[str, ...] = ()
    """Rules of those sets that stay off."""
    quality: Quality | None = None
    toxicity: Toxicity | None = None
    privacy: tuple[str, ...] = ()
    """Kinds of personal data that are replaced by a placeholder; `all` for every kind."""
    head_chars: int = Field(default=2000, ge=0)
    """Characters that language identification and classifiers read; 0 for all."""

    @model_validator(mode="after")
    def _check(self) -> Rules:
        heuristics.chosen(self.heuristics, self.without)
        check_languages(self.languages)
        check_kinds(kind for kind in self.privacy if kind != "all")
        return self


class Decontamination(BaseConfig):
    """GPT-3's filter of the training set (section 4, appendix C): 13-grams shared with evaluation items are cut out."""

    items: tuple[str, ...]
    """Files of evaluation items."""
    n: int = Field(default=13, ge=2)
    shortest: int = Field(default=8, ge=2)
    """A shorter item than n words is matched whole from this many words on; below, it cannot be tested."""
    common: int = Field(default=10, ge=1)
    """A gram in more documents than this is a common phrase and ignored."""
    window: int = Field(default=200, ge=0)
    """Characters cut out on either side."""
    shortest_piece: int = Field(default=200, ge=1)
    """Characters; what is left in shorter pieces is dropped."""
    most_pieces: int = Field(default=10, ge=1)
    """A document that falls into more pieces is removed."""

    @model_validator(mode="after")
    def _check(self) -> Decontamination:
        if not self.items:
            raise ValueError("no files of evaluation items")
        if self.shortest > self.n:
            raise ValueError(f"shortest is {self.shortest}, more than the {self.n} words of a gram")
        return self


class Config(BaseConfig):
    sources: tuple[Source, ...] = (Source(name="python-docs", kind="python-docs"),)
    rules: Rules = Rules()
    similar: float | None = Field(default=0.8, gt=0, le=1)
    """Jaccard similarity of sets of five words from which on a document is a near copy; none keeps near copies."""
    decontaminate: Decontamination | None = None
    train_bytes: int | None = Field(default=None, ge=1)
    """Bytes of the mixture, where sources have weights; by default as many as the sources hold."""
    max_epochs: float = Field(default=4.0, ge=1)
    """How often a source is repeated at most to reach its weight: up to about four times, repeated text is worth
    nearly as much as new (Muennighoff et al. 2023)."""
    stop_above: float = Field(default=0.5, gt=0, le=1)
    """Share of a source's bytes: a rule that removes more stops the run."""
    allowed: dict[str, float] = {}
    """The same for single rules, by name; `quality` may remove 0.98 if nothing is said."""
    val_fraction: float = Field(default=0.05, gt=0, lt=1)
    """Share of files (not bytes) held out, chosen by the hash of their paths."""
    min_document_bytes: int = Field(default=16, ge=1)
    max_document_bytes: int = Field(default=1 << 24, ge=1024)
    """A longer document is cut into pieces, all on the same side of the split."""
    max_file_bytes: int = Field(default=1 << 32, ge=1024)
    """After decompression; of a longer file of rows only so much is read, another is refused."""
    paragraph_chars: int = Field(default=80, ge=1)
    """What counts as a long paragraph in sources with unique paragraphs."""
    text_key: str = "text"
    seed: int = 0

    @property
    def limits(self) -> Limits:
        """What readers are told."""
        return Limits(self.max_document_bytes, self.max_file_bytes, self.text_key)

    @property
    def read_sources(self) -> tuple[Source, ...]:
        """The sources that are read, not generated."""
        return tuple(source for source in self.sources if source.kind not in GENERATED)

    def source(self, name: str) -> Source:
        """The source of that name."""
        return next(source for source in self.sources if source.name == name)

    def limit(self, rule: str) -> float:
        """Share of a source's bytes that a rule may remove."""
        return ({"quality": MOST_BY_QUALITY} | self.allowed).get(rule, self.stop_above)

    @field_validator("sources")
    @classmethod
    def _check_sources(cls, sources: tuple[Source, ...]) -> tuple[Source, ...]:
        names = [source.name for source in sources]
        if not sources or len(set(names)) < len(names):
            raise ValueError("at least one source, each with a name of its own")
        for source in sources:
            _check_source(source)
        if all(source.kind in GENERATED for source in sources):
            raise ValueError("generated documents are for training only: another source must be held out from")
        if sum(source.share or 0.0 for source in sources) >= 1:
            raise ValueError("the shares of generated sources leave nothing for the others")
        weighted = [source.weight is not None for source in sources if source.kind not in GENERATED]
        if any(weighted) and not all(weighted):
            raise ValueError("either every source that is read has a weight or none has")
        return sources

    @model_validator(mode="after")
    def _check(self) -> Config:
        known = [source.name for source in self.read_sources]
        quality = self.rules.quality
        for name in (*quality.reference, *quality.raw) if quality else ():
            if name not in known:
                raise ValueError(f"rules.quality: no source '{name}'{_meant(name, known)}")
        for name in set(quality.reference) & set(quality.raw) if quality else ():
            raise ValueError(f"rules.quality: source '{name}' cannot be both reference and raw")
        if self.train_bytes is not None and self.read_sources[0].weight is None:
            raise ValueError("train_bytes is for sources with weights")
        for rule, share in self.allowed.items():
            if rule not in RULES:
                raise ValueError(f"allowed: no rule '{rule}'{_meant(rule, RULES)}")
            if not 0 < share <= 1:
                raise ValueError(f"allowed.{rule}: a share of a source, above 0 and up to 1")
        return self


def _check_source(source: Source) -> None:
    if (source.kind == "files") != bool(source.paths):
        raise ValueError(f"source '{source.name}': kind 'files' needs paths, the other kinds take none")
    if (source.kind in GENERATED) != (source.share is not None):
        raise ValueError(f"source '{source.name}': kind 'microcode' needs a share, the other kinds take none")
    if source.kind not in GENERATED and source.levels is not None:
        raise ValueError(f"source '{source.name}': levels are for kind 'microcode'")
    if source.kind in GENERATED and source.weight is not None:
        raise ValueError(f"source '{source.name}': kind 'microcode' takes a share, not a weight")


def _meant(name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f" ({hint})" if hint else ""
