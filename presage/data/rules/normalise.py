"""One spelling for what looks the same: composed characters, plain blanks, plain line breaks, nothing unseen.

In this order, until nothing changes any more:

1. CR LF, CR, NEL, the Unicode line and paragraph separators, vertical tab and form feed become line breaks. The last
   two are control characters, but they part words, so they are not just dropped.
2. Every other kind of space becomes a plain one.
3. Control characters other than tab and line break, lone surrogates and what is never seen are dropped: zero-width
   space, word joiner, byte order mark, soft hyphen, marks of writing direction, invisible operators, annotation marks.
4. Characters are composed (NFC).
5. Joiners (ZWJ, ZWNJ) stay after letters of scripts whose spelling they decide (Arabic and Syriac, the Indic and
   Southeast Asian scripts, Mongolian) and after emoji, which they join to one; a second in a row and those after
   anything else, where they do nothing, go. They are judged by what stands before alone, since in Malayalam and Bengali
   they end words. Variation selectors, the Mongolian vowel separator and emoji tags always stay.
6. Blanks and tabs at ends of lines go. More than two blank lines in a row become two.
"""

from __future__ import annotations

import functools
import re
import unicodedata

_PLAIN = bytes([*b"\t\n", *range(32, 127)])  # ASCII that stays as it is
_BREAKS = frozenset("\r\v\f\x85\u2028\u2029")
_UNSEEN = frozenset("\xad\u061c\u200b\u200e\u200f\ufeff\ufff9\ufffa\ufffb").union(
    *(map(chr, range(first, last + 1)) for first, last in ((0x202A, 0x202E), (0x2060, 0x206F)))
)
_JOINERS = frozenset("\u200c\u200d")
_IDLE_JOINERS = re.compile(
    # Arabic to Myanmar; Philippine scripts to Vedic; Syloti Nagri to Meetei Mayek; presentation forms of Arabic;
    # arrows, signs and emoji of the first plane, and the selector that makes them one; all other planes.
    r"(?<![\u0600-\u109f\u1700-\u1cff\ua800-\uabff\ufb50-\ufdff\ufe70-\ufefc\u2190-\u2bff\ufe0f\U00010000-\U0010ffff])"
    r"[\u200c\u200d]+"
)
_BLANK_LINES = re.compile(r"\A\n{3,}|\n{4,}")


def normalise(text: str) -> str:
    """The text in one spelling, as the module's head says. Normalising again changes nothing."""
    while (new := _once(text)) != text:  # a joiner that goes may bring characters together that compose
        text = new
    return text


def _once(text: str) -> str:
    rare = _rare(text)
    if "\r" in rare:
        text = text.replace("\r\n", "\n")
    for character in rare:
        if (new := _instead(character)) != character:
            text = text.replace(character, new)
    text = unicodedata.normalize("NFC", text)
    if rare & _JOINERS:
        text = _IDLE_JOINERS.sub("", text)
    if " \n" in text or "\t\n" in text or text.endswith((" ", "\t")):
        text = "\n".join(line.rstrip(" \t") for line in text.split("\n"))
    if "\n\n\n\n" in text or text.startswith("\n\n\n"):
        text = _BLANK_LINES.sub(lambda found: "\n\n\n" if found.start() else "\n\n", text)
    return text


def _rare(text: str) -> frozenset[str]:
    """The characters beyond printable ASCII: what is left of UTF-8 without it is still UTF-8."""
    return frozenset(text.encode("utf-8", "surrogatepass").translate(None, _PLAIN).decode("utf-8", "surrogatepass"))


@functools.cache
def _instead(character: str) -> str:
    """What steps 1 to 3 put in the place of a character."""
    if character in _BREAKS:
        return "\n"
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    return "" if category in ("Cc", "Cs") or character in _UNSEEN else character
