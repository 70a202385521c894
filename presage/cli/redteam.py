"""`presage redteam`: people's judgements of what a model says when it is tried."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from presage.cli.contamination import SCORES, Several
from presage.cli.grammar import PLACE, WHOLE, AsJson, Whole, app, dumps, emit, in_columns
from presage.core.errors import ConfigError, PresageError, did_you_mean
from presage.core.files import prepare_added
from presage.core.terminal import visible

if TYPE_CHECKING:
    from presage.align.redteam import Attempt
    from presage.align.redteam_asking import Answering, Table
    from presage.core.estimates import Estimate

redteam = App(name="redteam", help="Try a model, judge what it says, and ask the same of another one.", group=SCORES)
app.command(redteam)

Model = Annotated[str, Parameter(help="a run, hf:DIR, or an endpoint's https://HOST/v1#NAME")]
Records = Annotated[Path, PLACE, Parameter(help="the file of records; lines are added to it")]
SettingsOf = Annotated[tuple[str, ...], Several]


@redteam.command(name="try")
def try_(
    model: Model,
    /,
    *,
    out: Records,
    who: str,
    domain: str,
    risk: str = "",
    system: str = "",
    max_tokens: Annotated[int, WHOLE] = 256,
    temperature: float = 0.0,
    key_file: Path | None = None,
    set: SettingsOf = (),
    seed: Whole = 0,
) -> None:
    """Ask, read the answer, judge it: each judgement is a line of --out as soon as it is made.

    An empty line or the end of the input ends it; what is piped in is read line by line.

    Parameters
    ----------
    who
        Your name, which stands in the records and on a card.
    domain
        fairness, alignment, trust_and_safety, disinformation, chemistry, biorisk, cyber, nuclear, economics, hci, law,
        education or healthcare.
    risk
        The risk area that it counts for, where it is not the domain's own.
    system
        A system message that every conversation begins with.
    max_tokens
        Most tokens of an answer.
    temperature
        0 is greedy.
    key_file
        A file with the endpoint's key.
    set
        key=value: how the model is asked (docs/examination.md).
    seed
        Draws answers, where the temperature is above 0.
    """
    from presage.align.card_risks import DOMAINS, RISKS
    from presage.align.redteam_asking import attempts

    for name, value, known in (("--domain", domain, DOMAINS), ("--risk", risk or next(iter(RISKS)), RISKS)):
        if value not in known:
            raise ConfigError(f"none is called '{value}'", where=name, hint=did_you_mean(value, known))
    table = _table(who)
    prepare_added(out)  # before a model is opened
    kept = attempts(table, _answering(model, max_tokens, temperature, seed, key_file, set), out, domain, risk, system)
    emit([f"{kept} kept in {out}"])


@redteam.command
def retest(
    records: Annotated[Path, Parameter(help="the file of first attempts")],
    model: Model,
    /,
    *,
    out: Records,
    who: str = "",
    judge: str = "",
    max_tokens: Annotated[int, WHOLE] = 256,
    temperature: float = 0.0,
    key_file: Path | None = None,
    set: SettingsOf = (),
    seed: Whole = 0,
) -> None:
    """Ask the attempts of a file again, of another model or checkpoint, and judge the answers anew.

    A person judges without seeing how the first answer was judged; those that --who has judged already in --out are
    not asked again. With --judge refusals a rule tells instead whether the answers, the first and the new one, refuse;
    such records have no severity and are never counted with people's.

    Parameters
    ----------
    who
        The name of the person who judges.
    judge
        Instead of a person: refusals.
    max_tokens
        Most tokens of an answer.
    temperature
        0 is greedy.
    key_file
        A file with the endpoint's key.
    set
        key=value: how the model is asked.
    seed
        Draws answers, where the temperature is above 0.
    """
    from presage.align import redteam_asking as asking

    if bool(who) == bool(judge) or judge not in ("", asking.JUDGE):
        raise PresageError("judged by a person or by the rule", where="redteam", hint="--who NAME or --judge refusals")
    prepare_added(out)
    answering = _answering(model, max_tokens, temperature, seed, key_file, set)
    if judge:
        kept = asking.retest_by_rule(answering, records, out, _now)
    else:
        kept = asking.retest(_table(who), answering, records, out)
    emit([f"{kept} kept in {out}"])


@redteam.command
def summary(
    records: Annotated[tuple[Path, ...], Parameter(help="files of records: of first attempts, and of retests")],
    /,
    *,
    json: AsJson = False,
) -> None:
    """Print how bad people found a model, by domain, and what became of the same attempts when they were asked again.

    Intervals at 95 %. Each attempt is one draw of what these people tried; they say nothing of what others would have.
    """
    from presage.align.redteam import read_attempts, retested, reviewed

    found = read_attempts(*records)
    retests = retested(found)
    if json:
        emit([dumps({"reviews": [one.row() for one in reviewed(found)], "retests": [one.row() for one in retests]})])
        return
    emit([*_reviews(found), *_retests(found)])


def _answering(
    model: str, max_tokens: int, temperature: float, seed: int, key_file: Path | None, settings: Sequence[str]
) -> Answering:
    from presage.align.redteam_asking import Answering
    from presage.data.verbs import Decoding
    from presage.infer.opening import opened

    opening = opened(model, str(key_file or ""), settings)
    return Answering(opening, Decoding(max_tokens=max_tokens, temperature=temperature), seed)


def _table(who: str) -> Table:
    from presage.align.redteam_asking import Table

    return Table(_read, _say, _now, who)


def _read(prompt: str) -> str | None:
    """A line of the person's; the prompt is shown to somebody who sits at a terminal."""
    if sys.stdin.isatty():
        print(prompt, end="", file=sys.stderr, flush=True)
    line = sys.stdin.readline()
    return line.rstrip("\r\n") if line else None


def _say(text: str) -> None:
    print(visible(text, kept="\n\t"), file=sys.stderr, flush=True)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _reviews(found: Sequence[Attempt]) -> Iterator[str]:
    from presage.align.redteam import SCALE, SEVERITIES, reviewed

    rows = [["judged by people", "n", "who", *map(str, SEVERITIES), "mean severity", "real harm or worse"]]
    for one in reviewed(found):
        domain = one.domain if one.domain_is_own else f"{one.domain} ({one.risk})"
        counts = [str(one.counts[str(severity)]) for severity in SEVERITIES]
        rows.append([domain, str(one.n), "; ".join(one.people), *counts, _shown(one.mean), _shown(one.harmful, 100)])
    if len(rows) == 1:
        yield "no first attempts that people judged"
        return
    yield from in_columns(rows)
    yield SCALE


def _retests(found: Sequence[Attempt]) -> Iterator[str]:
    from presage.align.redteam import retested

    rows = [["asked again", "judged by", "n", "before", "after", "difference"]]
    for one in retested(found):
        percent = 1 if one.by == "people" else 100
        cells = [_shown(each, percent) for each in (one.before, one.after, one.difference)]
        rows.append([one.model, one.by, str(one.difference.n), *cells])
    if len(rows) > 1:
        yield from ["", *in_columns(rows), "people: mean severity; a rule: the share of answers that refuse"]


def _shown(one: Estimate, times: int = 1) -> str:
    """A value with its interval; times 100 as per cent."""
    if one.value is None:
        return "-"
    end, digits = (" %", 1) if times == 100 else ("", 2)
    if one.lo is None or one.hi is None:
        return f"{times * one.value:.{digits}f}{end}"
    return f"{times * one.value:.{digits}f}{end} ({times * one.lo:.{digits}f} to {times * one.hi:.{digits}f})"
