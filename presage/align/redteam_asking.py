"""Red teaming at a terminal: ask, read, judge; and asking the same again of another model."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

from presage.align.label_compare import checked_name
from presage.align.rbrm import Case, Classifier, refusal_judge
from presage.align.redteam import SCALE, SEVERITIES, Attempt, append_attempt, first_attempts, read_attempts
from presage.align.rubric import refusal_style
from presage.core.errors import ConfigError, DataError
from presage.core.files import prepare_added
from presage.core.seeds import derive
from presage.core.strict import half_surrogate, whole_number
from presage.data.verbs import Decoding, Generation, LanguageModel, Message

MORE, SKIP = "more", "skip"
WORDS = {MORE: "goes on with the conversation, unjudged", SKIP: "ends it and keeps no record"}
BEGINS = "a new conversation begins here; an empty line ends"
JUDGE = "refusals"
"""The program that can judge a retest: the rule of presage.align.refusals."""


@dataclass(frozen=True)
class Table:
    """Where a person sits. read(prompt) is their next line, None at the end; say(text) shows them something; now() is
    the ISO time of a judgement; who they are."""

    read: Callable[[str], str | None]
    say: Callable[[str], None]
    now: Callable[[], str]
    who: str

    def __post_init__(self) -> None:
        checked_name(self.who)

    def judgement(self, words: Sequence[str] = tuple(WORDS)) -> tuple[int | str, str] | None:
        """(severity, note), or one of `words` with no note; None at the end of the input. Asked until it is one."""
        while (line := self.read("severity> ")) is not None:
            said = line.strip().lower()
            if said in words:
                return said, ""
            if (number := whole_number(said)) in SEVERITIES and number is not None:
                note = self.read("note> ")
                return None if note is None else (number, note.strip())
            self.say(how_to_judge(words))
        return None


def how_to_judge(words: Iterable[str] = WORDS) -> str:
    """What a person is told of the answers to severity>."""
    return "; ".join([f"severity: {SCALE}, any of which ends the conversation", *(f"{w!r} {WORDS[w]}" for w in words)])


DECODING = Decoding(max_tokens=256)


@dataclass(frozen=True)
class Answering:
    """The model that is tried, and how it answers. `identity` is what goes into the records."""

    model: LanguageModel
    decoding: Decoding = DECODING
    seed: int = 0

    @property
    def identity(self) -> dict[str, Any]:
        """The model's own, with its name and how it was decoded."""
        how = {"temperature": self.decoding.temperature, "max_tokens": self.decoding.max_tokens, "seed": self.seed}
        return {"name": self.model.name} | self.model.identity() | how

    def answer(self, messages: tuple[Message, ...]) -> str:
        """What it says next; the same conversation has the same answer."""
        said = [f"{one.role}: {one.content}" for one in messages]
        [[found]] = self.model.generate([Generation(messages, self.decoding, derive(self.seed, "redteam", *said))])
        return found.text


def attempts(table: Table, answering: Answering, out: Path, domain: str, risk: str = "", system: str = "") -> int:
    """Ask until the person has no more to say (an empty line or the end); every judged answer is kept in `out` at once.

    Returns how many were kept. Raises RunError where `out` cannot be written, DataError where it is no such file, or
    its folder cannot be made: before anything is asked.
    """
    prepare_added(out)
    known = {one.id for one in read_attempts(out)} if out.exists() else set()
    table.say(how_to_judge())
    opening = (Message("system", system),) if system else ()
    messages, kept = opening, 0
    while (asked := table.read("you> ")) is not None and asked.strip():
        if half_surrogate(asked):
            table.say("that is no text; ask again")
            continue
        if messages == opening and (word := asked.strip().lower()) in WORDS:
            table.say(f"{word!r} is an answer to severity>, and what was judged has ended: {BEGINS}")
            continue
        messages = (*messages, Message("user", asked.strip()))
        completion = answering.answer(messages)
        table.say(f"model> {completion}")
        judged = table.judgement()
        if judged is None:
            break
        severity, note = judged
        if severity == MORE:
            messages = (*messages, Message("assistant", completion))
            continue
        if isinstance(severity, int):
            one = Attempt(
                domain, messages, completion, table.now(), answering.identity, table.who, severity, note, risk
            )
            one = _apart(one, known)
            append_attempt(out, one)
            known.add(one.id)
            kept += 1
        messages = opening
    return kept


def _apart(one: Attempt, known: Container[str]) -> Attempt:
    """With an id of its own, where the very same was said in the same instant."""
    numbers = (replace(one, id=f"{one.id}-{number}") for number in count(2))
    return one if one.id not in known else next(other for other in numbers if other.id not in known)


# ---- the same again --------------------------------------------------------------------------------------------------


def pending(path: Path, out: Path, by: str, *, person: bool) -> list[Attempt]:
    """The attempts of a file that nobody of this name (or no such program) has judged again in `out`."""
    first = list(first_attempts(read_attempts(path)))
    if not first:
        raise DataError("holds no first attempts to ask again", where=path)
    if path.resolve() == out.resolve():
        raise ConfigError("a retest goes into a file of its own", where="--out")
    done = read_attempts(out) if out.exists() else []
    names = {one.of for one in done if (one.who if person else one.judge) == by and one.by_person == person}
    return [one for one in first if one.id not in names]


def retest(table: Table, answering: Answering, path: Path, out: Path) -> int:
    """Ask a file's attempts again; the person judges each anew, without being shown how the first answer was judged.

    Returns how many were kept; those already judged by this person are not asked. Raises as `attempts`.
    """
    prepare_added(out)
    table.say(how_to_judge((SKIP,)))
    kept = 0
    for one in pending(path, out, table.who, person=True):
        again = _again(one, answering, table.now())
        for message in one.messages:
            table.say(f"{message.role}> {message.content}")
        table.say(f"model> {again.completion}")
        judged = table.judgement((SKIP,))
        if judged is None:
            break
        severity, note = judged
        if isinstance(severity, int):
            append_attempt(out, replace(again, who=table.who, severity=severity, note=note, id=""))
            kept += 1
    return kept


def retest_by_rule(answering: Answering, path: Path, out: Path, now: Callable[[], str]) -> int:
    """The same judged by the rule that tells refusals, of the answers before and after; it has no severities."""
    prepare_added(out)
    judge = Classifier(refusal_style(), refusal_judge())
    kept = 0
    for one in pending(path, out, JUDGE, person=False):
        again = _again(one, answering, now())
        cases = [Case("", one.messages, text) for text in (one.completion, again.completion)]
        before, after = judge.verdicts(cases)
        record = replace(again, judge=JUDGE, verdict=after.kind, verdict_before=before.kind, id="")
        append_attempt(out, record)
        kept += 1
    return kept


def _again(one: Attempt, answering: Answering, when: str) -> Attempt:
    completion = answering.answer(one.messages)
    return Attempt(one.domain, one.messages, completion, when, answering.identity, risk=one.risk, of=one.id)


# ---- lines -----------------------------------------------------------------------------------------------------------


def from_lines(lines: Sequence[str]) -> Callable[[str], str | None]:
    """A person who says these lines, then nothing."""
    rest: Iterator[str] = iter(lines)
    return lambda prompt: next(rest, None)
