"""What a judge is asked, and how its replies are read: against a naive twin, and by tables of bad input."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import ConfigError, DataError
from presage.tasks.methods.rubric import INVALID, Classification, Form, fill, read_classification, read_rubric

RUBRIC = """# Does the answer say where its figures come from?

A source is a name, a link or a document.

- A (1): for every figure,
  even small ones.
- B (0.5): for some.
- C (0): for none.
"""
YES_NO = Classification("Is {completion} right?", ("Yes", "No"), (1.0, 0.0), "classify")


def form(name: Form) -> Classification:
    return Classification("?", ("Yes", "No", "Unsure"), (1.0, -1.0, 0.25), name)


@pytest.mark.parametrize(
    ("name", "reply", "choice"),
    [
        ("classify", "Yes", "Yes"),
        ("classify", " 'No.' ", "No"),
        ("classify", "", INVALID),
        ("classify", "...\n---", INVALID),
        ("classify", "maybe", INVALID),
        ("classify", "hm\nNo", "No"),
        ("classify", "yes", INVALID),
        ("classify_cot", "Yes\nNo doubt about it, No", "Yes"),
        ("classify_cot", "**No**\nYes it might", "No"),
        ("cot_classify", "Yes, it looks so at first.\nBut then\n\nNo.", "No"),
        ("cot_classify", "No\nSo the answer is Yes", "Yes"),
        ("cot_classify", "Yes\nwhich is all I can say", "Yes"),
    ],
)
def test_replies_are_read_by_the_line(name: Form, reply: str, choice: str) -> None:
    assert form(name).read(reply) == choice


def twin(reply: str, choices: list[str], backwards: bool) -> str:
    """The rule of the research sheet (9.17), written out: no punctuation, from one end, begins or ends with."""
    rows = reply.strip().split("\n")
    for row in rows[::-1] if backwards else rows:
        bare = ""
        for character in row.strip():
            bare += "" if character in string.punctuation else character
        for choice in choices:
            if bare.strip() and (bare.strip().startswith(choice) or bare.strip().endswith(choice)):
                return choice
    return "__invalid__"


@given(reply=st.text("AB.! \nx", max_size=30), backwards=st.booleans())
def test_any_reply_is_read_as_the_rule_says(reply: str, backwards: bool) -> None:
    judge = Classification("?", ("A", "B"), (1.0, 0.0), "cot_classify" if backwards else "classify")
    assert judge.read(reply) == twin(reply, ["A", "B"], backwards)


def test_a_reply_without_a_choice_is_worth_the_least() -> None:
    judge = form("classify")
    assert [judge.score(choice) for choice in ("Yes", "No", "Unsure", INVALID)] == [1.0, -1.0, 0.25, -1.0]


@pytest.mark.parametrize(("match", "choice"), [("include", "Yes"), ("exact", INVALID), ("endswith", INVALID)])
def test_other_matches(match: str, choice: str) -> None:
    judge = Classification("?", ("Yes", "No"), (1.0, 0.0), "classify", match)
    assert judge.read("I say Yes of course") == choice


def test_the_prompt_is_filled_once_and_says_what_to_reply() -> None:
    asked = YES_NO.ask({"completion": "{ideal} and {completion}"})
    assert asked.startswith("Is {ideal} and {completion} right?")
    assert '"Yes" or "No"' in asked


def test_a_place_without_a_field_is_named() -> None:
    with pytest.raises(ConfigError, match=r"\{ideel\}.*did you mean 'ideal'"):
        fill("{ideel}", {"ideal": "", "input": ""})
    assert fill("f(x) = {x + 1}, {}, { a }", {}) == "f(x) = {x + 1}, {}, { a }"


# ---- rubrics ---------------------------------------------------------------------------------------------------------


def test_a_rubric_asks_for_a_letter_on_the_first_line() -> None:
    judge = read_rubric(RUBRIC, "r.md")
    asked = judge.ask({"question": "How many?", "answer": "Nine."})
    assert (judge.choices, judge.scores) == (("A", "B", "C"), (1.0, 0.5, 0.0))
    assert "A: for every figure, even small ones.\nB: for some." in asked
    assert "[ANSWER]\nNine.\n[END OF ANSWER]" in asked
    assert '"A" or "B" or "C"' in asked


@pytest.mark.parametrize(
    ("reply", "choice"),
    [
        ("B\nsome have none", "B"),
        ("\n\n**B.**\nsome", "B"),
        ("(C)", "C"),
        ("The answer is B", INVALID),
        ("Well:\nB", INVALID),
        ("D\nA", INVALID),
        ("AB", INVALID),
        ("", INVALID),
        ("b", INVALID),
    ],
)
def test_only_the_first_line_of_a_reply_to_a_rubric_is_read(reply: str, choice: str) -> None:
    assert read_rubric(RUBRIC, "r.md").read(reply) == choice


def test_a_rubric_with_places_is_asked_as_it_stands() -> None:
    judge = read_rubric("Is {answer} like {reference}?\nA (1): yes\nB (-1): no", "r.md")
    assert judge.ask({"answer": "x", "reference": "y"}).startswith("Is x like y?\n\nA: yes\nB: no\n\n")
    assert judge.scores == (1.0, -1.0)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rubric"),
        ("A question alone", "no rubric"),
        ("- A (1): yes\n- B (0): no", "no rubric"),
        ("Q?\n- A (1): yes", "no rubric"),
        ("Q?\n- B (1): yes\n- C (0): no", "r.md:2: option B where A is due"),
        ("Q?\n- A (1): yes\n- A (0): no", "r.md:3: option A where B is due"),
        ("Q?\n- A (1): yes\n- B: no", "r.md:3: option B has no score"),
        ("Q?\n- A (1): yes\n- B (0): no\nAnd then?", "r.md:4: text after the options"),
    ],
)
def test_what_is_no_rubric(text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_rubric(text, "r.md")


# ---- OpenAI Evals ----------------------------------------------------------------------------------------------------

SPEC = {
    "prompt": "{input} {completion} {ideal}",
    "choice_strings": "ABC",
    "choice_scores": {"A": 1, "B": 0.5, "C": 0},
    "eval_type": "classify_cot",
    "input_outputs": {"input": "completion"},
}


def written(folder: Path, value: object) -> Path:
    (folder / "spec.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return folder / "spec.json"


def test_a_classification_of_openai_evals_is_read(tmp_path: Path) -> None:
    judge = read_classification(written(tmp_path, SPEC))
    assert judge == Classification(SPEC["prompt"], ("A", "B", "C"), (1.0, 0.5, 0.0), "classify_cot")  # type: ignore[arg-type]
    numbers = {**SPEC, "choice_strings": ["1", "2"], "choice_scores": "from_strings"}
    assert read_classification(written(tmp_path, numbers)).scores == (1.0, 2.0)
    (tmp_path / "r.md").write_text(RUBRIC)
    assert read_classification(tmp_path / "r.md") == read_rubric(RUBRIC, "")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"prompt": None}, "no classification"),
        ({"choice_strings": ["A"]}, "choice_strings"),
        ({"choice_strings": 3}, "choice_strings"),
        ({"choice_strings": ["A", "B", "A"]}, "choice_strings has a choice twice"),
        ({"choice_strings": "ABCA"}, "choice_strings has a choice twice"),
        ({"choice_strings": ["A", ""]}, "choice_strings"),
        ({"choice_scores": None}, "choice_scores"),
        ({"choice_scores": {"A": 1}}, "choice_scores"),
        ({"choice_scores": "from_strings"}, "choice_scores"),
        ({"eval_type": "cot-classify"}, "did you mean 'cot_classify'"),
        ({"match_fn": "startswith"}, "unknown match_fn"),
        ({"input_outputs": {"a": "b"}}, "input_outputs"),
    ],
    ids=str,
)
def test_what_is_no_classification(tmp_path: Path, change: dict[str, object], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_classification(written(tmp_path, {**SPEC, **change}))


@pytest.mark.parametrize(("text", "says"), [("{", "not JSON"), ("[]", "no classification"), ("", "not JSON")])
def test_a_file_that_holds_none(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_classification(written(tmp_path, text))
    with pytest.raises(DataError, match="No such file"):
        read_classification(tmp_path / "none.md")
    (tmp_path / "b.md").write_bytes(b"\xff")
    with pytest.raises(DataError, match="UTF-8"):
        read_classification(tmp_path / "b.md")
