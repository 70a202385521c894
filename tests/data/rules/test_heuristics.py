"""Every published rule beside its slow twin, on made and real texts; values worked out by hand; names and sets."""

from __future__ import annotations

import json
import lzma
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from presage.core.errors import ConfigError
from presage.data.rules.heuristics import RULES, SETS, chosen
from presage.data.rules.texts import Texts
from tests.data.rules.slow import MEASURES

# Few words and signs, so that lines, paragraphs and runs of words repeat; characters of all lengths in UTF-8.
SIGNS = (
    "is… wait... .... # ## • - * { é наука 的。 词 ١٢ ไทย \U0001d4d0 \U0001f600 12 (end.) \"so?\"). ''''. \x85 K? .."
)
WORDS = "a the and Be. of, TO that have with don't ﬁ a\xadb lorem LOREM JavaScript"
PHRASES = ["", "lorem ipsum", "LOREM Ipsum", "use cookies", "Privacy policy", "five words to a line."]
PIECES = st.sampled_from([*SIGNS.split(" "), *WORDS.split(" "), *PHRASES])
GAPS = st.sampled_from([" ", " ", " ", " ", "\n", "\n\n", "\n \t\n", "  ", " \n ", "", "\u3000", "\r\n"])
MADE = st.lists(st.tuples(PIECES, GAPS), max_size=40).map(lambda pairs: "".join(map("".join, pairs)))
BATCHES = st.lists(MADE, max_size=4)


def check(texts: Sequence[str], names: Sequence[str] = tuple(RULES)) -> None:
    batch = Texts(texts)
    for name in names:
        values = RULES[name].measure(batch)
        assert values.dtype == np.float64
        expected = [MEASURES[name](text) for text in texts]
        np.testing.assert_array_equal(values, np.array(expected, np.float64), err_msg=name)


@given(BATCHES)
@example([])
@example([""])
@example(["", "\n", " \n\n ", "."])
@example(["..", "a\n..", "...", ". . ."])
@example(['"', "'.", ")", "a.)))) b c d e."])
@example(["a b c d e.\na b c d e.", "a b c d e."])
def test_every_rule_is_its_twin(texts: list[str]) -> None:
    check(texts)


def test_every_rule_has_a_twin() -> None:
    assert set(RULES) == set(MEASURES)


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=60).map(" ".join), max_size=3))
def test_runs_of_words_that_overlap_themselves(texts: list[str]) -> None:
    check(texts, [name for name in RULES if "gram" in name])


@given(st.lists(st.text(max_size=30), max_size=4))
def test_any_characters(texts: list[str]) -> None:
    check(texts)


# ---- by hand --------------------------------------------------------------------------------------------------------

PROSE = "The cat sat with the dog. They have a house and that is all of it."
ROSE = "a rose is a rose is a rose"  # 8 words, 19 letters
KNOWN = [
    (PROSE, "gopher_words", 16),
    (PROSE, "gopher_word_length", 49 / 16),
    (PROSE, "gopher_stop_words", 6),  # the, with, have, and, that, of
    ("One #two ## three", "gopher_hashes", 1.0),
    ("Well... yes.... no…", "gopher_ellipses", 1.0),
    ("## -- ##", "gopher_hashes", math.inf),
    ("- a\n* b\n\n  • c\nd", "gopher_bullet_lines", 0.75),
    ("a...\nb…\nc. . .\n\nd..", "gopher_ellipsis_lines", 0.5),
    ("a1 22 | b 3,5", "gopher_letters", 0.4),
    ("x\ny\n\nx \n x\n", "gopher_duplicate_lines", 0.5),
    ("longer\nx\nx\nlonger", "gopher_duplicate_line_characters", 0.5),
    ("a\nb\n\nc\n\n\na \nb\n\na b", "gopher_duplicate_paragraphs", 0.25),
    ("aa\nbb\n\ncc\n\n\naa \nbb\n\naab", "gopher_duplicate_paragraph_characters", 4 / 13),
    (ROSE, "gopher_top_2_gram", 15 / 19),  # "a rose" three times
    (ROSE, "gopher_top_3_gram", 14 / 19),  # three of them twice each
    (ROSE, "gopher_top_4_gram", 18 / 19),  # "rose is a rose" twice, "a" once; longer than "a rose is a"
    (ROSE, "gopher_duplicate_5_grams", 12 / 19),  # the last five words
    (ROSE, "gopher_duplicate_6_grams", 0),
    ("a b a b a b c", "gopher_top_4_gram", 6 / 7),  # twice, and overlapping: six letters, not eight
    ("a { b { c }", "c4_curly_bracket", 2),
    ("Lorem Ipsum dolor. lorem  ipsum", "c4_lorem_ipsum", 1),
    ("Turn on JavaScript.\n\nA line.", "c4_javascript", 0.5),
    ("Our Privacy Policy\nWe use cookies.\nWe used cookies.", "c4_policy", 2 / 3),
    ("He went there. She did not go.\nTitle of a page here\nToo short.", "c4_sentences", 2),
    ('He said: "All of it." (So!) Then he went\nand "said nothing more to us"', "c4_sentences", 1),
    ("One two three four five! Six seven.) Eight.", "c4_sentences", 3),
    ("A.\nB”\nC\n\nद।", "fineweb_punctuated_lines", 0.75),
    (f"{'x' * 29}\n{'x' * 30}\n  {'é' * 29} \n{'字' * 31}", "fineweb_short_lines", 0.5),
    ("他说。\n他说。\n她说了什么？", "fineweb_duplicate_line_characters", 0.25),
    ("слово и дело", "gopher_words", 3),
    ("नमस्ते दुनिया", "gopher_letters", 1.0),
    ("字字字字", "gopher_word_length", 4.0),
    ("", "gopher_words", 0),
    ("", "gopher_word_length", math.nan),
    (" \n ", "gopher_duplicate_lines", math.nan),
    ("once only", "gopher_top_2_gram", 0),
]


@pytest.mark.parametrize(("text", "name", "value"), KNOWN)
def test_known_values(text: str, name: str, value: float) -> None:
    measured = RULES[name].measure(Texts(["x", text, text]))[1:]  # neighbours, one the same, change nothing
    np.testing.assert_allclose(measured, [value, value], rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "kept", "removed"),
    [
        ("gopher_words", [50, 100_000], [49, 100_001]),
        ("gopher_word_length", [3, 10, math.nan], [2.9, 10.1]),
        ("gopher_hashes", [0.1], [0.11, math.inf]),
        ("gopher_bullet_lines", [0.9], [0.91]),
        ("gopher_letters", [8 / 10], [0.79]),
        ("gopher_stop_words", [2], [1]),
        ("gopher_duplicate_10_grams", [0.10], [0.11]),
        ("c4_curly_bracket", [0], [1]),
        ("c4_javascript", [0.99, math.nan], [1.0]),
        ("c4_sentences", [3], [2]),
        ("fineweb_punctuated_lines", [13 / 100], [12 / 100]),
        ("fineweb_duplicate_line_characters", [0.0999], [1 / 10]),
        ("fineweb_short_lines", [66 / 100], [67 / 100]),
    ],
)
def test_bounds(name: str, kept: list[float], removed: list[float]) -> None:
    values = np.array([*kept, *removed])
    assert RULES[name].removes(values).tolist() == [False] * len(kept) + [True] * len(removed)


PAGE = """The lighthouse stands on a rock that the sea covers twice a day, and nobody has lived in it for years.
In winter the keeper used to row across with oil, bread and letters; in summer, with visitors.
Did they have a bell? "Two," said an old fisherman who would be glad to talk about it all night.

Of the first nothing is left. The second one hangs in the village church, beside a list of ships."""
MENU = "\n".join(["Home", "About us", "Contact", "Log in"] * 20)


def test_a_page_stays_and_a_menu_goes() -> None:
    batch = Texts([PAGE, MENU])
    removed = {name: rule.removes(rule.measure(batch)).tolist() for name, rule in RULES.items()}
    assert not any(page for page, _ in removed.values())
    assert {name for name, (_, menu) in removed.items() if menu} == {
        "gopher_stop_words",
        "gopher_duplicate_lines",
        "gopher_duplicate_line_characters",
        "gopher_top_2_gram",
        "gopher_top_3_gram",
        "gopher_top_4_gram",
        *(f"gopher_duplicate_{n}_grams" for n in range(5, 11)),
        "c4_sentences",
        "fineweb_punctuated_lines",
        "fineweb_duplicate_line_characters",
        "fineweb_short_lines",
    }


# ---- real texts -----------------------------------------------------------------------------------------------------


def read(path: Path, most: int) -> list[dict[str, object]]:
    with lzma.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for _, line in zip(range(most), file, strict=False)]


def test_textbooks(shared: Path) -> None:
    rows = read(shared / "corpus/openstax_textbooks/textbooks.jsonl.xz", 30)
    texts = [text[start : start + 4000] for text in (str(row["text"]) for row in rows) for start in (0, 4000)]
    check(texts)


@pytest.mark.parametrize("language", ["ja", "ko", "tr", "zh_CN"])
def test_python_docs(shared: Path, language: str) -> None:
    rows = read(shared / f"corpus/python_docs_parallel/{language}.jsonl.xz", 12)
    check(["\n\n".join(pair[1] for pair in row["pairs"][:60]) for row in rows])  # type: ignore[attr-defined]


# ---- names ----------------------------------------------------------------------------------------------------------


def test_sets_and_names() -> None:
    assert [len(SETS[name]) for name in ("gopher", "gopher_repetition", "c4", "fineweb")] == [8, 13, 5, 3]
    assert [rule.name for rule in chosen(["c4_sentences", "c4"], without=["c4_policy"])] == [
        "c4_sentences",
        "c4_curly_bracket",
        "c4_lorem_ipsum",
        "c4_javascript",
    ]
    assert chosen(["gopher"], without=["gopher"]) == []
    assert {rule.name for rule in chosen(list(SETS))} == set(RULES)


@pytest.mark.parametrize("names", [(["gophr"], []), ([], ["gophr"])])
def test_unknown_names(names: tuple[list[str], list[str]]) -> None:
    with pytest.raises(ConfigError, match="did you mean 'gopher'"):
        chosen(*names)


def test_rules_say_where_they_come_from() -> None:
    assert all(rule.name == name and rule.says and rule.source for name, rule in RULES.items())
