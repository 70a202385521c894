"""Red teaming: the loop at a terminal, the file, asking again, and what it all comes to."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from presage.align.redteam import (
    Attempt,
    append_attempt,
    model_name,
    read_attempts,
    retested,
    reviewed,
)
from presage.align.redteam_asking import Answering, Table, attempts, from_lines, retest, retest_by_rule
from presage.core.errors import ConfigError, DataError
from presage.data.verbs import Message
from tests.toy_model import ToyModel


def table(*said: str, who: str = "ann") -> tuple[Table, list[str]]:
    """A person who says these lines, and what they are shown."""
    shown: list[str] = []
    numbers = count()
    return Table(from_lines(said), shown.append, lambda: f"2024-05-01T10:00:{next(numbers):02d}+00:00", who), shown


def echo(**changes: Any) -> Answering:
    return Answering(ToyModel(write=lambda prompt, sample: f"To {prompt}: yes.", **changes))


def tried(path: Path, *said: str, who: str = "ann", domain: str = "cyber") -> list[Attempt]:
    attempts(table(*said, who=who)[0], echo(), path, domain)
    return read_attempts(path)


# ---- the loop --------------------------------------------------------------------------------------------------------


def test_an_attempt_is_asked_answered_and_judged(tmp_path: Path) -> None:
    person, shown = table("How?", "bad", "5", "2", "it told me", "", "never read")
    assert attempts(person, echo(), tmp_path / "r.jsonl", "cyber") == 1
    [one] = read_attempts(tmp_path / "r.jsonl")
    assert one.messages == (Message("user", "How?"),)
    assert (one.completion, one.severity, one.note, one.who) == ("To How?: yes.", 2, "it told me", "ann")
    assert (one.domain, one.area, one.model["backend"], one.model["name"]) == ("cyber", "cybersecurity", "toy", "toy")
    assert shown[1] == "model> To How?: yes."
    assert len([text for text in shown if text.startswith("severity")]) == 3


def test_a_conversation_goes_on_and_what_is_skipped_is_not_kept(tmp_path: Path) -> None:
    person, _ = table("Hi", "more", "How?", "0", "", "Again", "skip", "Last", "4", "bad")
    assert attempts(person, echo(), tmp_path / "r.jsonl", "law", risk="privacy", system="Be kind.") == 2
    first, last = read_attempts(tmp_path / "r.jsonl")
    assert [one.role for one in first.messages] == ["system", "user", "assistant", "user"]
    assert (first.severity, first.note, first.area) == (0, "", "privacy")
    assert [one.content for one in last.messages] == ["Be kind.", "Last"]


@pytest.mark.parametrize("said", [("How?",), ("How?", "3"), ("How?", "x")], ids=["severity", "note", "nonsense"])
def test_what_ends_before_it_is_judged_leaves_no_record(said: tuple[str, ...], tmp_path: Path) -> None:
    assert attempts(table(*said)[0], echo(), tmp_path / "r.jsonl", "cyber") == 0
    assert not (tmp_path / "r.jsonl").exists()


def test_the_very_same_twice_has_two_ids(tmp_path: Path) -> None:
    person = replace(table("How?", "1", "", "How?", "1", "")[0], now=lambda: "2024-05-01")
    attempts(person, echo(), tmp_path / "r.jsonl", "cyber")
    attempts(replace(person, read=from_lines(("How?", "1", ""))), echo(), tmp_path / "r.jsonl", "cyber")
    assert len({one.id for one in read_attempts(tmp_path / "r.jsonl")}) == 3


def test_words_of_a_judgement_are_no_prompt(tmp_path: Path) -> None:
    """Who types "more" after a judgement means to go on: that conversation has ended, and nobody is asked "more"."""
    person, shown = table("How?", "1", "", "more", " Skip ", "Why?", "more", "more", "2", "")
    assert attempts(person, echo(), tmp_path / "r.jsonl", "cyber") == 2
    said = [
        [one.content for one in each.messages if one.role == "user"] for each in read_attempts(tmp_path / "r.jsonl")
    ]
    assert said == [["How?"], ["Why?", "more"]], "within a conversation it can be said"
    assert len([text for text in shown if "is an answer to severity>" in text]) == 2


def test_of_a_retest_no_conversation_goes_on(tmp_path: Path) -> None:
    tried(tmp_path / "r.jsonl", "How?", "1", "")
    person, shown = table("more", "1", "")
    retest(person, echo(), tmp_path / "r.jsonl", tmp_path / "again.jsonl")
    assert not any("more" in text for text in shown)


@pytest.mark.parametrize("who", ["", " ", "A\x1b[2Jda", "A\nda"])
def test_a_person_has_a_name(who: str) -> None:
    with pytest.raises(DataError, match="a name is one line of text"):
        table(who=who)


def test_the_folder_of_records_is_made_before_anything_is_asked(tmp_path: Path) -> None:
    first, again = tmp_path / "new" / "r.jsonl", tmp_path / "other" / "again.jsonl"
    assert len(tried(first, "How?", "1", "")) == 1
    assert retest(table("1", "")[0], echo(), first, again) == 1
    assert retest_by_rule(echo(), first, tmp_path / "third" / "rule.jsonl", lambda: "2024-05-01") == 1
    nothing = Answering(ToyModel(write=lambda prompt, sample: pytest.fail("asked")))
    (tmp_path / "file").write_text("")
    for run in (
        lambda out: attempts(table("How?")[0], nothing, out, "cyber"),
        lambda out: retest(table()[0], nothing, first, out),
        lambda out: retest_by_rule(nothing, first, out, lambda: "2024-05-01"),
    ):
        with pytest.raises(DataError, match="cannot make its folder"):
            run(tmp_path / "file" / "r.jsonl")


# ---- the file --------------------------------------------------------------------------------------------------------


def test_a_torn_line_is_taken_away_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    [one] = tried(path, "How?", "1", "")
    path.write_text(path.read_text() + '{"id": "x", "dom')
    append_attempt(path, replace(one, id="second"))
    assert [found.id for found in read_attempts(path)] == [one.id, "second"]


GOOD = {
    "id": "a", "domain": "cyber", "messages": [{"role": "user", "content": "How?"}], "completion": "", "severity": 0,
    "who": "ann", "when": "2024-05-01T10:00:00+00:00", "model": {"name": "toy"},
}  # fmt: skip
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "domain": ({"domain": "cybr"}, ":2: domain: no domain 'cybr' (did you mean 'cyber'?)"),
    "risk": ({"risk": "cyber"}, ":2: risk: no risk 'cyber'"),
    "severity": ({"severity": 5}, ":2: severity: 5 is none of 0, 1, 2, 3, 4"),
    "a yes for a number": ({"severity": True}, ":2: severity: True is none of"),
    "nobody": ({"who": ""}, ":2: a severity without a name"),
    "no judgement": ({"severity": None}, ":2: judged by a person or by a program"),
    "both": ({"judge": "refusals", "verdict": "answer"}, ":2: judged by a person or by a program"),
    "a person's verdict": ({"verdict": "answer"}, ":2: a severity without a name, or beside a verdict"),
    "a program's verdict": ({"severity": None, "who": "", "judge": "refusals", "verdict": "no"}, "verdict: no verdict"),
    "time": ({"when": "yesterday"}, ":2: when: 'yesterday' is no ISO time"),
    "last word": ({"messages": [{"role": "assistant", "content": "x"}]}, ":2: messages: the last message is not"),
    "twice": ({"id": "a"}, ":2: the id 'a' appears twice"),
    "no model": ({"model": None}, ":2: model: null is no object"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_line_that_is_wrong_is_named(name: str, tmp_path: Path) -> None:
    change, said = BAD[name]
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps(GOOD | {"id": "b"} | change) + "\n")
    with pytest.raises(DataError) as error:
        read_attempts(path)
    assert said in str(error.value)
    assert "r.jsonl:2" in str(error.value)


# ---- asking again ----------------------------------------------------------------------------------------------------


def test_a_person_judges_again_without_the_first_judgement(tmp_path: Path) -> None:
    first = tried(tmp_path / "r.jsonl", "How?", "3", "grave indeed", "Why?", "1", "")
    person, shown = table("0", "better", "skip")
    better = Answering(ToyModel(write=lambda prompt, sample: "I can't help with that.", name="newer"))
    assert retest(person, better, tmp_path / "r.jsonl", tmp_path / "again.jsonl") == 1
    [one] = read_attempts(tmp_path / "again.jsonl")
    assert (one.of, one.severity, one.completion) == (first[0].id, 0, "I can't help with that.")
    assert not any("grave indeed" in text or "yes." in text for text in shown)
    rest, shown = table("2", "", who="ann")
    assert retest(rest, better, tmp_path / "r.jsonl", tmp_path / "again.jsonl") == 1
    assert any("Why?" in text for text in shown)
    assert not any("How?" in text for text in shown)
    assert retest(table("2", "", "2", "", who="bob")[0], better, tmp_path / "r.jsonl", tmp_path / "again.jsonl") == 2


def test_a_rule_judges_again_and_stands_apart(tmp_path: Path) -> None:
    tried(tmp_path / "r.jsonl", "How?", "3", "", "Why?", "1", "")
    refusing = Answering(ToyModel(write=lambda prompt, sample: "I can't help." if prompt == "How?" else "So."))
    now = lambda: "2024-06-01"  # noqa: E731
    assert retest_by_rule(refusing, tmp_path / "r.jsonl", tmp_path / "again.jsonl", now) == 2
    assert retest_by_rule(refusing, tmp_path / "r.jsonl", tmp_path / "again.jsonl", now) == 0
    found = read_attempts(tmp_path / "r.jsonl", tmp_path / "again.jsonl")
    assert [(one.verdict_before, one.verdict) for one in found if one.of] == [
        ("answer", "refusal"),
        ("answer", "answer"),
    ]
    assert [one.severity for one in found if one.of] == [None, None]
    [pair] = retested(found)
    assert (pair.by, pair.before.value, pair.after.value, pair.difference.value) == ("refusals", 0, 0.5, 0.5)
    [people] = reviewed(found)
    assert people.n == 2


def test_a_retest_goes_elsewhere_and_needs_attempts(tmp_path: Path) -> None:
    tried(tmp_path / "r.jsonl", "How?", "3", "")
    with pytest.raises(ConfigError, match="a file of its own"):
        retest(table()[0], echo(), tmp_path / "r.jsonl", tmp_path / "r.jsonl")
    retest(table("1", "")[0], echo(), tmp_path / "r.jsonl", tmp_path / "a.jsonl")
    with pytest.raises(DataError, match="no first attempts"):
        retest(table()[0], echo(), tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    with pytest.raises(DataError, match=r"a retest of '.*', which is not here"):
        retested(read_attempts(tmp_path / "a.jsonl"))


# ---- what it comes to ------------------------------------------------------------------------------------------------


def test_reviews_by_domain_and_area(tmp_path: Path) -> None:
    tried(tmp_path / "a.jsonl", "a", "0", "", "b", "2", "", "c", "4", "", who="ann")
    tried(tmp_path / "b.jsonl", "d", "2", "", who="bob")
    tried(tmp_path / "c.jsonl", "e", "1", "", domain="nuclear")
    cyber, nuclear = reviewed(read_attempts(*(tmp_path / f"{name}.jsonl" for name in "abc")))
    assert (cyber.n, cyber.people, cyber.risk, cyber.mean.value) == (4, ("ann", "bob"), "cybersecurity", 2)
    assert cyber.counts == {"0": 1, "1": 0, "2": 2, "3": 0, "4": 1}
    assert cyber.harmful.value == 0.75
    assert (nuclear.domain, nuclear.risk, nuclear.n) == ("nuclear", "weapons", 1)
    assert nuclear.mean.lo is not None
    assert nuclear.mean.hi is not None
    assert 0 <= nuclear.mean.lo < 1 < nuclear.mean.hi <= 4
    assert cyber.row()["severity_2"] == 2


def test_retests_are_paired_by_attempt_and_told_apart_by_checkpoint(tmp_path: Path) -> None:
    first = tried(tmp_path / "r.jsonl", "a", "4", "", "b", "2", "")
    again = [
        replace(
            one, id=f"{one.id}{who}{step}", of=one.id, who=who, severity=severity, model={"name": "m", "step": step}
        )
        for one in first
        for who, severity, step in (("ann", 1, 1), ("bob", 0, 1), ("ann", 2, 2))
    ]
    old, new = retested([*first, *again])
    assert (old.difference.n, old.before.value, old.after.value, old.difference.value) == (2, 3, 0.5, -2.5)
    assert (new.difference.n, new.difference.value) == (2, -1)
    assert old.model.split()[0] == new.model.split()[0] == "m"
    assert old.model != new.model
    assert model_name({"name": "m"}) == model_name({"name": "m"})
