"""Detokenisers lose nothing: on any lines of tokens, and on the real files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import DataError
from presage.data.documents import read_bytes
from presage.tasks.detokenise import TREEBANK, WIKITEXT, Style, detokenise, tokenise
from presage.tasks.readers.texts import wikitext
from tests.imports import ROOT

FOLDER = ROOT.parent / "shared" / "data" / "corpus" / "wikitext2_eval"
_PIECES = [
    "@-@",
    "@,@",
    "@.@",
    '"',
    "'s",
    "n't",
    "'",
    ",",
    ".",
    "(",
    ")",
    "=",
    "<unk>",
    "$",
    "%",
    "U.S.",
    "a",
    "1",
    "-",
    "No.",
]
_TOKENS = st.one_of(st.sampled_from(_PIECES), st.text("a1.,-'\"(=", min_size=1, max_size=4))
_LINES = st.lists(st.lists(_TOKENS, max_size=8), max_size=4)


@pytest.mark.parametrize("style", [WIKITEXT, TREEBANK], ids=lambda style: style.name)
@given(lines=_LINES)
def test_every_line_of_tokens_comes_back(style: Style, lines: list[list[str]]) -> None:
    text = "".join(f" {' '.join(line)} \n" if line else " \n" for line in lines)
    assert tokenise(detokenise(text, style), style) == text


@pytest.mark.parametrize(
    ("style", "tokens", "shown"),
    [
        (WIKITEXT, "It 's 1 @,@ 000 @.@ 5 kg ( 1 @-@ 2 lb ) , he said .", "It's 1,000.5 kg (1-2 lb), he said."),
        (WIKITEXT, 'The " first @-@ rate " one ; " <unk> " !', 'The "first-rate" one; "<unk>"!'),
        (WIKITEXT, "= = Early life = =", "== Early life =="),
        (WIKITEXT, "in the U.S. .", "in the U.S.."),
        (WIKITEXT, "you can 't", "you can't"),
        (TREEBANK, "no it was n't black monday", "no it wasn't black monday"),
        (TREEBANK, "$ N billion or N % of mr. <unk> 's", "$N billion or N% of mr. <unk>'s"),
    ],
)
def test_lines_are_written_as_people_do(style: Style, tokens: str, shown: str) -> None:
    assert detokenise(f" {tokens} \n", style) == f"{shown}\n"


def test_a_line_that_would_not_come_back_is_kept() -> None:
    line = " a token with-a-hyphen of its own @-@ and .. two stops \n"
    assert detokenise(line, WIKITEXT) == line


@pytest.mark.parametrize("text", ["no blank \n", " no end", " no blank at the end\n", "\n"])
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="the text"):
        detokenise(text, WIKITEXT)


@pytest.mark.skipif(not FOLDER.is_dir(), reason="WikiText-2 is not here")
@pytest.mark.parametrize(("name", "tokens", "articles"), [("valid", 217_646, 60), ("test", 245_569, 62)])
def test_wikitext_2_comes_back_and_counts_its_canonical_tokens(name: str, tokens: int, articles: int) -> None:
    path = FOLDER / f"{name}.txt.xz"
    original = read_bytes(path)
    examples = wikitext([path])
    shown = "".join(one.question for one in examples)
    assert tokenise(shown, WIKITEXT).encode() == original
    assert len(examples) == articles
    assert sum(one.fields["words"] for one in examples) == tokens
    assert sum(one.fields["bytes"] for one in examples) == len(original)
    lines = [line for line in shown.split("\n") if line]
    kept = [line for line in lines if line.startswith(" ")]
    assert len(kept) <= 4, "hardly a line is left as it was"
    assert len(shown.encode()) < 0.97 * len(original)
