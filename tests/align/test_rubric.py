"""Rubrics: what a file says, what is wrong in it and where, what a judge is asked, and how its answer is read."""

from __future__ import annotations

from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given

from presage.align.rubric import Option, ask, parse, read_answer, read_rubric, refusal_style
from presage.core.errors import DataError
from presage.data.verbs import Message

LINES = """# Tone

Read the reply.

## Question

Is it polite?

## Options

(A) refusal: Declines
    with thanks.
(B) disallowed: Insults: loudly.

(C) answer: Answers.

## Answer

A letter, then why."""


def test_a_file_is_read_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "tone.md"
    path.write_text(LINES)
    rubric = read_rubric(path)
    assert (rubric.title, rubric.introduction, rubric.question) == ("Tone", "Read the reply.", "Is it polite?")
    assert rubric.options == (
        Option("A", "refusal", "Declines with thanks."),
        Option("B", "disallowed", "Insults: loudly."),
        Option("C", "answer", "Answers."),
    )
    assert rubric.contract == "A letter, then why."
    assert rubric.digest != parse(LINES + "\n", "again").digest


WRONG = {
    "empty": ("", "", "x.md:1: a rubric begins with its title"),
    "no title": ("# Tone\n", "Tone\n", "x.md:1: a rubric begins with its title"),
    "second title": ("Is it polite?", "# Is it polite?", "x.md:7: a second title"),
    "unknown section": ("## Options", "## Option", "x.md:9: unknown section '## Option' (did you mean 'Options'?)"),
    "deep section": ("## Options", "### Options", "x.md:9: unknown section '### Options'"),
    "section twice": ("## Options", "## Question", "x.md:9: '## Question' a second time"),
    "section empty": ("Is it polite?", "", "x.md:5: nothing under '## Question'"),
    "no contract": ("## Answer", "", "x.md:19: no section '## Answer'"),
    "cut": ("\n\n## Answer\n\nA letter, then why.", "", "x.md:15: no section '## Answer'"),
    "letter skipped": ("(C)", "(D)", "x.md:15: option (D) where (C) is due"),
    "letter twice": ("(B)", "(A)", "x.md:13: option (A) where (B) is due"),
    "small letter": ("(B)", "(b)", "x.md:13: option (b) where (B) is due"),
    "no letter": ("(B) ", "", "x.md:13: no option"),
    "no class": ("disallowed: Insults: loudly.", "Insults", "x.md:13: no option"),
    "unknown class": (
        "disallowed:",
        "dissallowed:",
        "x.md:13: unknown class 'dissallowed' (did you mean 'disallowed'?)",
    ),
    "invalid as a class": ("disallowed:", "invalid:", "x.md:13: unknown class 'invalid'"),
    "nothing said": ("answer: Answers.", "answer:", "x.md:15: option (C) says nothing"),
    "goes on before any": ("(A) refusal: Declines\n", "", "x.md:11: no option"),
    "one option": ("(B) disallowed: Insults: loudly.\n\n(C) answer: Answers.\n", "", "x.md:9: 1 option to choose from"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_with_its_line(name: str) -> None:
    old, new, said = WRONG[name]
    assert old in LINES
    with pytest.raises(DataError) as caught:
        parse(LINES.replace(old, new, 1) if old else "", "x.md")
    assert str(caught.value).startswith(said)


def test_more_options_than_letters() -> None:
    letters = [f"({chr(65 + number)}) answer: Fine." for number in range(27)]
    start, end = LINES.index("(A)"), LINES.index("\n\n## Answer")
    with pytest.raises(DataError, match=r"x\.md:37: more options than letters"):
        parse(LINES[:start] + "\n".join(letters) + LINES[end:], "x.md")


def test_a_mark_at_the_beginning_is_none_of_the_title(tmp_path: Path) -> None:
    path = tmp_path / "tone.md"
    path.write_text(LINES, encoding="utf-8-sig")
    assert read_rubric(path) == parse(LINES, "x.md")


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "bytes.md").write_bytes(b"# \xff")
    for name in ("bytes.md", "none.md"):
        with pytest.raises(DataError, match=f"{name}: cannot be read as a rubric"):
            read_rubric(tmp_path / name)


# ---- asking ----------------------------------------------------------------------------------------------------------


def test_a_judge_is_asked_in_the_order_of_the_rubric() -> None:
    text = ask(parse(LINES, "x"), "May I?", "No.\nSorry.")
    parts = ["# Tone", "Read the", "> May I?", "> No.\n> Sorry.", "Is it polite?", "(A) Declines with thanks.\n(B)"]
    places = [text.index(part) for part in [*parts, "A letter, then why."]]
    assert places == sorted(places)
    assert "refusal:" not in text, "classes are ours, and would lead the judge"


def test_a_prompt_may_be_withheld_or_a_conversation() -> None:
    rubric = parse(LINES, "x")
    assert "## Conversation" not in ask(rubric, None, "No.")
    turns = (Message("system", "Be brief."), Message("user", "May I?"))
    assert "> System: Be brief.\n> \n> User: May I?\n\n## Reply" in ask(rubric, turns, "No.")


@given(st.text(), st.text())
def test_no_material_leaves_its_quotation(prompt: str, completion: str) -> None:
    rubric = parse(LINES, "x")
    bare = ask(rubric, "", "").splitlines()
    outside = [line for line in ask(rubric, prompt, completion).splitlines() if not line.startswith(">")]
    assert outside == [line for line in bare if not line.startswith(">")]


# ---- answers ---------------------------------------------------------------------------------------------------------

ANSWERS = {
    "plain": ("B\nIt insults.", "B", "It insults."),
    "brackets": ("\n (C) \n\nIt answers.\nWell.", "C", "It answers.\nWell."),
    "no reason": ("A", "A", ""),
    "no option": ("D\nwhy", None, "D\nwhy"),
    "small": ("b\nwhy", None, "b\nwhy"),
    "more on the line": ("B because it insults", None, "B because it insults"),
    "reason first": ("It insults.\nB", None, "It insults.\nB"),
    "two letters": ("AB\nwhy", None, "AB\nwhy"),
    "nothing": (" \n", None, ""),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_in_and_out_of_contract(name: str) -> None:
    text, letter, why = ANSWERS[name]
    answer = read_answer(parse(LINES, "x"), text)
    assert (answer.letter, answer.why) == (letter, why)


@given(st.text())
def test_any_text_is_an_option_or_out_of_contract(text: str) -> None:
    answer = read_answer(parse(LINES, "x"), text)
    assert answer.letter in {None, "A", "B", "C"}


def test_our_rubric_of_refusal_style_has_the_published_structure() -> None:
    """papers.md §9.12: three questions, options A to R, and four classes."""
    rubric = refusal_style()
    assert [one.letter for one in rubric.options] == list("ABCDEFGHIJKLMNOPQR")
    assert [rubric.question.count(f"\n{number}. ") for number in (1, 2, 3, 4)] == [1, 1, 1, 0]
    kinds = {one.letter: one.kind for one in rubric.options}
    assert {kinds[letter] for letter in "AB"} == {"refusal"}
    assert {kinds[letter] for letter in "CDEFGHIR"} == {"bad_refusal"}
    assert {kinds[letter] for letter in "JKLMNOP"} == {"disallowed"}
    assert kinds["Q"] == "answer"
