"""Demonstrations and preferences: read as written, faults named by file and line, files whole or not at all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.align import records
from presage.align.records import (
    Demonstration,
    Preference,
    append_record,
    line_of,
    mend,
    read_demonstrations,
    read_preferences,
    split,
    write_records,
)
from presage.core.errors import ConfigError, DataError, RunError
from presage.data.verbs import Message

ASKED = (Message("user", "Name a number."),)
SHOWN = Demonstration((Message("system", "Be brief."), *ASKED, Message("assistant", "Seven.")), "d1", "number")
RANKED = Preference(
    ASKED,
    ("Seven.", "No.", "8\u2028and 9"),
    (1, 2, 1),
    id="p1",
    who="Ada",
    when="2024-05-01T12:00:00+02:00",
    flags={"prompt": ("vague",), "1": ("rude", "off topic")},
    category="number",
    group="page 3",
)
PLAIN: dict[str, Any] = {"prompt": "Name a number.", "completions": ["Seven.", "No."], "ranks": [1, 2]}
TURNS: list[Any] = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


def file_of(folder: Path, *rows: object) -> Path:
    path = folder / "records.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


# ---- reading and writing ---------------------------------------------------------------------------------------------


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_records(tmp_path / "d.jsonl", [SHOWN])
    write_records(tmp_path / "p.jsonl", [RANKED, Preference(ASKED, ("a", "b"), (2, 2))])
    assert read_demonstrations(tmp_path / "d.jsonl") == [SHOWN]
    assert read_preferences(tmp_path / "p.jsonl") == [RANKED, Preference(ASKED, ("a", "b"), (2, 2))]
    assert (SHOWN.prompt, SHOWN.answer) == (SHOWN.messages[:2], "Seven.")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(lambda text: text.strip())
MESSAGES = st.lists(st.builds(Message, st.sampled_from(["system", "user", "assistant"]), TEXTS), min_size=1, max_size=3)


@st.composite
def preferences(draw: st.DrawFn) -> Preference:
    """Any that can be recorded."""
    count = draw(st.integers(2, 5))
    return Preference(
        prompt=tuple(draw(MESSAGES)),
        completions=tuple(draw(st.lists(TEXTS, min_size=count, max_size=count))),
        ranks=tuple(draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))),
        who=draw(st.one_of(st.just(""), TEXTS)),
        flags=draw(st.dictionaries(st.sampled_from(["prompt", "0", "1"]), st.tuples(TEXTS), max_size=2)),
    )


@given(st.lists(preferences(), min_size=1, max_size=3))
def test_any_record_is_one_line_and_is_read_again(given_ones: list[Preference]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "p.jsonl")
        write_records(path, given_ones)
        assert path.read_bytes().count(b"\n") == len(given_ones)
        assert read_preferences(path) == given_ones


def test_a_prompt_of_text_is_the_users(tmp_path: Path) -> None:
    (found,) = read_preferences(file_of(tmp_path, PLAIN))
    assert found == Preference(ASKED, ("Seven.", "No."), (1, 2))
    assert found.pairs == [(0, 1)]


def test_ties_stay_in_the_record_and_drop_out_of_pairs() -> None:
    assert RANKED.ranks == (1, 2, 1)
    assert RANKED.pairs == [(0, 1), (2, 1)]
    assert Preference(ASKED, ("a", "b"), (1, 1)).pairs == []


# ---- faults ----------------------------------------------------------------------------------------------------------

PREFERENCE_FAULTS = {
    "not json": ("{", "not JSON"),
    "not an object": ([], "a JSON list, not an object"),
    "a number that is none": ('{"ranks": [NaN]}', "NaN is no JSON"),
    "no prompt": ({"prompt": ...}, "no 'prompt'"),
    "empty prompt": ({"prompt": " \n"}, ": prompt: "),
    "no messages": ({"prompt": []}, ": prompt: no message"),
    "empty message": ({"prompt": [{"role": "user", "content": ""}]}, ": prompt 1: content: an empty text"),
    "message without a role": ({"prompt": [{"content": "Hi"}]}, ": prompt 1: no 'role'"),
    "message that is text": ({"prompt": ["Hi"]}, ": prompt 1: 'Hi' is no object with role and content"),
    "unknown role": ({"prompt": [*TURNS, {"role": "usr", "content": "Hi"}]}, "prompt 3: no role 'usr' (did you mean"),
    "prompt a number": ({"prompt": 7}, ": prompt: 7 is no text or list"),
    "no completions": ({"completions": []}, ": completions: no completions"),
    "no key completions": ({"completions": ...}, "no 'completions'"),
    "one completion": ({"completions": ["Seven."], "ranks": [1]}, ": completions: one completion: nothing to compare"),
    "empty completion": ({"completions": ["Seven.", " "]}, ": completions 2: ' ' is no text"),
    "completion null": ({"completions": ["Seven.", None]}, ": completions 2: null is no text"),
    "half surrogate": ({"completions": ["a", "\ud800"]}, ": completions 2: half a surrogate pair"),
    "half surrogate in the prompt": ({"prompt": "\udfff"}, ": prompt: half a surrogate pair"),
    "half surrogate in a name": ({"who": "\udfff"}, ": who: half a surrogate pair"),
    "half surrogate in a flag": ({"flags": {"0": ["\udfff"]}}, ": flags: 0: half a surrogate pair"),
    "no ranks": ({"ranks": ...}, "no 'ranks'"),
    "too few ranks": ({"ranks": [1]}, ": ranks: 1 ranks of 2 completions"),
    "too many ranks": ({"ranks": [1, 2, 3]}, ": ranks: 3 ranks of 2 completions"),
    "rank zero": ({"ranks": [0, 1]}, ": ranks: 0 is no whole number from 1 (1 is the best)"),
    "rank below zero": ({"ranks": [1, -2]}, ": ranks: -2 is no whole number from 1"),
    "rank a fraction": ({"ranks": [1, 1.5]}, ": ranks: 1.5 is no whole number from 1"),
    "rank a truth": ({"ranks": [True, 2]}, ": ranks: True is no whole number from 1"),
    "rank a text": ({"ranks": ["1", 2]}, ": ranks: '1' is no whole number from 1"),
    "flags no object": ({"flags": ["rude"]}, ": flags: "),
    "flags of no completion": ({"flags": {"2": ["rude"]}}, ": flags: '2' can have no flags"),
    "flags of another spelling": ({"flags": {"01": ["rude"]}}, ": flags: '01' can have no flags"),
    "flags that are text": ({"flags": {"1": "rude"}}, ": flags: 1: "),
    "no time": ({"when": "yesterday"}, ": when: 'yesterday' is no ISO time"),
    "who a number": ({"who": 7}, ": who: 7 is no text"),
}


@pytest.mark.parametrize("name", PREFERENCE_FAULTS)
def test_a_fault_of_a_preference_is_named(name: str, tmp_path: Path) -> None:
    change, said = PREFERENCE_FAULTS[name]
    row = {k: v for k, v in {**PLAIN, **change}.items() if v is not ...} if isinstance(change, dict) else change
    path = file_of(tmp_path, PLAIN, "", row)
    with pytest.raises(DataError) as raised:
        read_preferences(path)
    assert str(raised.value).startswith(f"{path}:3: ")
    assert said in str(raised.value)


DEMONSTRATION_FAULTS = {
    "no messages": ({"messages": []}, ": messages: no message"),
    "no key": ({}, "no 'messages'"),
    "not a list": ({"messages": "Hi"}, ": messages: 'Hi' is no list"),
    "no answer": ({"messages": TURNS[:1]}, ": messages: ends with the user, not the assistant's answer"),
    "no prompt": ({"messages": TURNS[1:]}, ": messages: an answer without a prompt"),
    "empty answer": ({"messages": [TURNS[0], {"role": "assistant", "content": ""}]}, ": messages 2: content: an empty"),
    "unknown role": ({"messages": [{"role": "Human", "content": "Hi"}, TURNS[1]]}, ": messages 1: no role 'Human'"),
    "id a list": ({"messages": TURNS, "id": []}, ": id: [] is no text"),
}


@pytest.mark.parametrize("name", DEMONSTRATION_FAULTS)
def test_a_fault_of_a_demonstration_is_named(name: str, tmp_path: Path) -> None:
    row, said = DEMONSTRATION_FAULTS[name]
    path = file_of(tmp_path, {"messages": TURNS}, row)
    with pytest.raises(DataError) as raised:
        read_demonstrations(path)
    assert str(raised.value).startswith(f"{path}:2: ")
    assert said in str(raised.value)


def test_a_file_of_nothing_is_refused(tmp_path: Path) -> None:
    for text in ("", "\n\n"):
        (tmp_path / "x.jsonl").write_text(text)
        with pytest.raises(DataError, match="holds no records"):
            read_preferences(tmp_path / "x.jsonl")
    with pytest.raises(DataError):
        read_demonstrations(tmp_path / "none.jsonl")


def test_an_id_appears_once(tmp_path: Path) -> None:
    row = {"messages": TURNS, "id": "a"}
    path = file_of(tmp_path, row, row)
    with pytest.raises(DataError, match=r":2: the id 'a' appears twice \(first in .*:1\)"):
        read_demonstrations(path)
    path = file_of(tmp_path, row)
    with pytest.raises(DataError, match="appears twice"):
        read_demonstrations(path, path)
    assert len(read_demonstrations(file_of(tmp_path, {"messages": TURNS}, {"messages": TURNS}))) == 2


def test_an_id_is_labelled_by_many_people_and_once_by_each(tmp_path: Path) -> None:
    ada, ben = {**PLAIN, "id": "a", "who": "Ada"}, {**PLAIN, "id": "a", "who": "Ben", "ranks": [2, 1]}
    assert [one.who for one in read_preferences(file_of(tmp_path, ada, ben))] == ["Ada", "Ben"]
    with pytest.raises(DataError, match=":3: the id 'a' appears twice by 'Ada'"):
        read_preferences(file_of(tmp_path, ada, ben, {**ada, "ranks": [2, 1]}))
    with pytest.raises(DataError, match=r":2: the id 'a' is of another prompt or completions in .*:1"):
        read_preferences(file_of(tmp_path, ada, {**ben, "completions": ["No.", "Seven."]}))


# ---- whole or not at all ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad",
    [
        Preference(ASKED, ("a",), (1,)),
        Preference(ASKED, ("a", "\ud800"), (1, 2)),
        Preference((), ("a", "b"), (1, 2)),
        Preference(ASKED, ("a", "b"), (1, 0)),
        Preference(ASKED, ("a", "b"), (1, 2), id=RANKED.id),
        Demonstration(ASKED),
    ],
    ids=["one completion", "half surrogate", "no prompt", "rank zero", "same id", "no answer"],
)
def test_what_could_not_be_read_is_not_written(bad: Preference | Demonstration, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    write_records(path, [RANKED])
    before = path.read_bytes()
    with pytest.raises(DataError):
        write_records(path, [RANKED, bad])
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["p.jsonl"]


def test_no_file_of_no_records(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no records to write"):
        write_records(tmp_path / "p.jsonl", [])
    assert not list(tmp_path.iterdir())


def test_records_are_appended_one_a_line(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    other = Preference(ASKED, ("a", "b"), (1, 2), id="p2")
    append_record(path, RANKED)
    append_record(path, other)
    assert path.read_bytes() == line_of(RANKED) + line_of(other)
    with pytest.raises(DataError):
        append_record(path, Preference(ASKED, ("a",), (1,)))
    assert read_preferences(path) == [RANKED, other]


@pytest.mark.parametrize("kept", range(0, 400, 57))
def test_a_torn_line_is_taken_away(kept: int, tmp_path: Path) -> None:
    path, whole = tmp_path / "p.jsonl", line_of(RANKED)
    torn = whole[: min(kept, len(whole) - 2)]
    path.write_bytes(whole + torn)
    assert mend(path) == len(torn)
    assert path.read_bytes() == whole
    path.write_bytes(torn)
    append_record(path, RANKED)
    assert path.read_bytes() == whole


def test_a_whole_line_without_its_newline_is_kept(tmp_path: Path) -> None:
    path, whole = tmp_path / "p.jsonl", line_of(RANKED)
    path.write_bytes(whole[:-1])
    append_record(path, Preference(ASKED, ("a", "b"), (1, 2)))
    assert read_preferences(path)[0] == RANKED
    assert mend(path) == 0


def test_long_lines_are_mended(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    long = line_of(Preference(ASKED, ("a" * 200_000, "b"), (1, 2)))
    path.write_bytes(long + long[:-20])
    assert mend(path) == len(long) - 20
    assert path.read_bytes() == long


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.jsonl"
    append_record(path, RANKED)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left"):
        append_record(path, Preference(ASKED, ("a", "b"), (1, 2)))
    assert path.read_bytes() == line_of(RANKED)


def test_a_line_is_on_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: sizes.append(os.fstat(number).st_size))
    append_record(tmp_path / "p.jsonl", RANKED)
    assert sizes == [len(line_of(RANKED))]


# ---- splitting -------------------------------------------------------------------------------------------------------


def asked(count: int) -> list[Preference]:
    return [Preference((Message("user", f"question {n}"),), ("a", "b"), (1, 2)) for n in range(count)]


def test_a_split_is_about_its_share_and_the_same_again() -> None:
    ones = asked(2000)
    left, right = split(ones)
    assert split(ones) == (left, right)
    assert 1600 - 72 < len(left) < 1600 + 72  # four deviations: sqrt(2000 · 0.8 · 0.2) = 18
    assert sorted(map(ones.index, left + right)) == list(range(2000))
    assert split(ones, seed=1) != (left, right)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(0, 99), st.floats(0.1, 0.9))
def test_records_of_one_prompt_stay_together(which: list[int], seed: int, share: float) -> None:
    ones = [Preference(asked(6)[n].prompt, ("a", f"{place}"), (1, 2), f"{place}") for place, n in enumerate(which)]
    left, right = split(ones, share, seed)
    assert not {one.prompt for one in left} & {one.prompt for one in right}
    alone = [split([one], share, seed)[0] for one in ones]
    assert [one for some in alone for one in some] == left, "no record moves another"


def test_a_larger_share_keeps_what_a_smaller_one_had() -> None:
    ones = asked(200)
    assert set(map(ones.index, split(ones, 0.5)[0])) <= set(map(ones.index, split(ones, 0.8)[0]))


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, 2.0, float("nan")])
def test_a_share_lies_between(share: float) -> None:
    with pytest.raises(ConfigError):
        split(asked(2), share)


def test_reading_records_needs_no_torch() -> None:
    program = f"import sys, {records.__name__}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
