"""One spelling: each step by hand, and what holds of any text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from presage.data.rules.normalise import normalise

ZWNJ, ZWJ = "\u200c", "\u200d"

CASES = {
    "nothing to do": ("It’s “so”…\n\n\n\tand 字.\n", None),
    "line breaks": ("a\r\nb\rc\u2028d\u2029e\x85f\x0bg\x0ch", "a\nb\nc\nd\ne\nf\ng\nh"),
    "CR CR LF": ("a\r\r\nb", "a\n\nb"),
    "spaces": ("a\xa0b\u202fc\u2009d\u3000e\u1680f", "a b c d e f"),
    "controls": ("a\x00b\x1bc\x7fd\x9fe\ud800f", "abcdef"),
    "unseen": ("\ufeffso\xadft\u200b \u2060w\u200eo\u202ar\u2066d\u2062s\u061c", "soft words"),
    "composed": ("e\u0301 \u212b \u1100\u1161", "é Å 가"),
    "composed when what stood between is gone": ("e\u200b\u0301e\u200d\u0301", "éé"),
    "ends of lines": ("a \t\n b\xa0\n\t\nc  ", "a\n b\n\nc"),
    "blank lines": ("\n\n\n\na\n\n\n\n\nb\n\n\nc\n\n\n\n", "\n\na\n\n\nb\n\n\nc\n\n\n"),
    "blank lines with blanks": ("a\n \n\t\n\xa0\n\nb", "a\n\n\nb"),
    "no joiners in Latin script": (f"of{ZWNJ}fer {ZWJ}x1{ZWJ}2", "offer x12"),
    "Persian": (f"می{ZWNJ}خواهم", None),
    "Devanagari": (f"क्{ZWJ}ष क्{ZWNJ}ष", None),
    "Malayalam, at the end of a word": (f"അവന്{ZWJ} വന്നു", None),
    "one joiner is enough": (f"می{ZWNJ}{ZWNJ}{ZWJ}خ", f"می{ZWNJ}خ"),
    "emoji": (f"\U0001f469{ZWJ}\U0001f52c \u2764\ufe0f{ZWJ}\U0001f525 \U0001f3f4{ZWJ}\u2620\ufe0f", None),
    "a joiner before an emoji": (f"a {ZWJ}\U0001f52c", "a \U0001f52c"),
    "flags and selectors": ("\U0001f3f4\U000e0067\U000e0062\U000e007f \u2764\ufe0f ᠠ\u180e", None),
    "Hangul from parts": (f"\u1112{ZWJ}\u1161", "하"),
    "empty": ("", None),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_steps(text: str, expected: str | None) -> None:
    assert normalise(text) == (text if expected is None else expected)


TRICKY = "a e\n\r\t\u0301\u0323\u200c\u200d\u200b\xad\xa0\u1100\u1161न्ी"
MANY = st.text(alphabet=st.one_of(st.sampled_from(TRICKY), st.characters()))


@given(MANY)
@example("a\u200d\u0323\u0301\u200c\u200d\u1161")
def test_again_changes_nothing_and_nothing_is_left(text: str) -> None:
    done = normalise(text)
    assert normalise(done) == done
    assert unicodedata.is_normalized("NFC", done)
    categories = {unicodedata.category(character) for character in done if character not in "\t\n "}
    assert not categories & {"Cc", "Cs", "Zs", "Zl", "Zp"}
    assert not set(done) & set("\xad\u200b\ufeff\u2060")
    assert all(line == line.rstrip(" \t") for line in done.split("\n"))
    assert "\n\n\n\n" not in done
    assert not done.startswith("\n\n\n")


LETTERS = st.text(alphabet=st.characters(categories=["L", "N", "P", "So"]))


@given(LETTERS)
def test_letters_digits_and_signs_stay(text: str) -> None:
    assert normalise(text) == unicodedata.normalize("NFC", text)
