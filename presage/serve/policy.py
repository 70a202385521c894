"""The usage policy: a judge of requests and answers, what is done about what it finds, and a record of it.

A judge gives every text a score between 0 and 1 by category. From `warn` on an answer says so in a header, from `block`
on nothing is answered, or the answer is withheld; a key that was blocked `suspend` times may not ask any more, until
somebody lifts that. (The GPT-4 report's system-level safety, papers.md §9.15: reviewers and classifiers; warn, suspend,
ban.) The audit is a file of JSON lines; what was said stands in it only where that was asked for. It is also where
suspensions are kept: a server that starts again knows them.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, model_validator

from presage.core.config import Config
from presage.core.errors import ConfigError, DataError, did_you_mean
from presage.core.files import append, parse_row, whole_lines
from presage.serve.errors import ApiError
from presage.serve.keys import Key

Scores = Mapping[str, float]
Side = Literal["input", "output"]
Action = Literal["passed", "warned", "blocked"]


@dataclass(frozen=True)
class Case:
    """What is judged: an answer with what was asked, or without an answer what was asked alone."""

    prompt: str
    answer: str | None = None


class Judge(Protocol):
    """Whoever tells whether a text is what the policy forbids."""

    @property
    def name(self) -> str:
        """For answers and records."""
        ...

    def scores(self, cases: Sequence[Case]) -> list[Scores]:
        """Of every case, how sure it is, by category: 0 not at all, 1 wholly."""
        ...


class Thresholds(Config):
    """From which score on what is done; suspend: after how many blocked requests, 0 never."""

    warn: float = Field(default=0.5, ge=0, le=1)
    block: float = Field(default=0.8, ge=0, le=1)
    suspend: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Thresholds:
        if self.warn > self.block:
            raise ValueError("block must not be less than warn")
        return self


@dataclass(frozen=True)
class Finding:
    """What was found, and what is done about it."""

    action: Action
    category: str
    score: float

    @property
    def header(self) -> dict[str, str]:
        """Of an answer that is given nevertheless."""
        return {} if self.action == "passed" else {"x-presage-policy": f"{self.action}; category={self.category}"}


PASSED = Finding("passed", "", 0.0)


@dataclass(eq=False)
class Usage:
    """A judge, thresholds, and the audit. contents: write down what was said, too."""

    judge: Judge
    thresholds: Thresholds = field(default_factory=Thresholds)
    audit: Path | None = None
    contents: bool = False
    _blocked: Counter[str] = field(default_factory=Counter)
    _suspended: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if self.audit is not None and self.audit.exists():
            self._blocked, self._suspended = replayed(self.audit)

    def check(self, key: Key) -> None:
        """ApiError, 403, for a key that is suspended."""
        if key.name in self._suspended:
            message = "This key is suspended for what it asked; speak with whoever runs this server."
            raise ApiError(403, message, code="key_suspended")

    def scores(self, cases: Sequence[Case]) -> list[Scores]:
        """What the judge says, and nothing else."""
        with self._lock:
            return self.judge.scores(cases)

    def judged(self, key: Key | None, cases: Sequence[Case], side: Side) -> Finding:
        """The worst of some texts, recorded where it is anything. Takes as long as the judge does."""
        with self._lock:
            found = self.judge.scores(cases)
            worst = [max(scores.items(), key=lambda one: one[1], default=("", 0.0)) for scores in found]
            place = max(range(len(worst)), key=lambda number: worst[number][1], default=0)
            category, score = worst[place] if worst else ("", 0.0)
            finding = Finding(self._action(score), category, score)
            if finding.action != "passed":
                self._record(key, side, finding, cases[place])
            return finding

    def _action(self, score: float) -> Action:
        limits = self.thresholds
        return "blocked" if score >= limits.block else "warned" if score >= limits.warn else "passed"

    def _record(self, key: Key | None, side: Side, finding: Finding, case: Case) -> None:
        name = key.name if key else ""
        said = {"content": case.prompt if case.answer is None else case.answer} if self.contents else {}
        about = {"side": side, "category": finding.category, "score": round(finding.score, 4), "judge": self.judge.name}
        self._write({"key": name, "action": finding.action} | about | said)
        if finding.action == "blocked" and name:
            self._blocked[name] += 1
            if self.thresholds.suspend and self._blocked[name] >= self.thresholds.suspend:
                self._suspended.add(name)
                self._write({"key": name, "action": "suspended", "blocked": self._blocked[name]})

    def _write(self, row: Mapping[str, object]) -> None:
        if self.audit is not None:
            _write(self.audit, row)


def replayed(audit: Path) -> tuple[Counter[str], set[str]]:
    """How often each key was blocked since it was lifted, and the keys that are suspended."""
    blocked, suspended = Counter[str](), set[str]()
    for number, line in enumerate(whole_lines(audit), 1):
        row = parse_row(line, f"{audit}:{number}")
        name, action = str(row.get("key", "")), row.get("action")
        if action == "blocked":
            blocked[name] += 1
        elif action == "suspended":
            suspended.add(name)
        elif action == "lifted":
            suspended.discard(name)
            blocked[name] = 0
    return blocked, suspended


def _write(audit: Path, row: Mapping[str, object]) -> None:
    append(audit, json.dumps({"time": datetime.now(UTC).isoformat()} | dict(row)).encode() + b"\n")


def lift(audit: Path, name: str) -> None:
    """Let a suspended key ask again, from the server's next start on. Raises DataError where there is no such file,
    ConfigError where the key is not suspended by it."""
    if not audit.is_file():
        raise DataError("no such file", where=audit, hint="give the server's --audit")
    _, suspended = replayed(audit)
    if name not in suspended:
        raise ConfigError(f"'{name}' is not suspended", where=audit, hint=did_you_mean(name, sorted(suspended)))
    _write(audit, {"key": name, "action": "lifted"})
