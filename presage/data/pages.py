"""HTML to its main text. Needs resiliparse.

Kept is what resiliparse takes for the main content: headings, paragraphs, lists, tables and preformatted text, a block
to a paragraph; navigation, banners, forms, footers, scripts and readers' comments are left out. A bulleted list counts
as navigation where fewer than three elements stand around it in the body, as on plain hand-written pages.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from presage.data.readers import Refused

DEEPEST = 512  # as in browsers; the time of the extraction grows with the square of the depth
MOST_ATTRIBUTES = 5000  # of one tag; the parser's time grows with the square of their number
_TOO_DEEP = ">".join("*" * (DEEPEST + 1))
_ENDLESS_TAG = re.compile(rf"<[A-Za-z](?:[^<>\s]*\s){{{MOST_ATTRIBUTES}}}")
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_LAST_RESORT = "cp1252"
_WORST = 4  # readable characters beyond ASCII for each unreadable one, else the encoding is taken to be wrong


def main_text(page: bytes, declared: str | None = None) -> str:
    """The main text of a page; `declared` is the encoding that came with it, if any. Raises Refused."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    html = decoded(page, declared)
    if _ENDLESS_TAG.search(html):
        raise Refused(f"a tag with more than {MOST_ATTRIBUTES:,} attributes")
    tree = HTMLTree.parse(html)
    if tree.document and tree.document.query_selector(_TOO_DEEP):
        raise Refused(f"HTML nested more than {DEEPEST} deep")
    text: str = extract_plain_text(tree, main_content=True, alt_texts=False)
    if not text.strip():
        raise Refused("a page without main text")
    return text


def decoded(page: bytes, declared: str | None = None) -> str:
    """The page as text; never fails, a byte that cannot be read becomes U+FFFD.

    A byte order mark decides. Else the first encoding in which at most one character beyond ASCII in five cannot be
    read: UTF-8, which other encodings hardly ever look like, so that it is believed against what was declared (servers
    declare by default); the declared one; the one in a meta tag; one detected from the bytes.
    """
    for mark, encoding in _MARKS.items():
        if page.startswith(mark):
            return page[len(mark) :].decode(encoding, "replace")
    texts = (page.decode(encoding, "replace") for encoding in _encodings(page, declared))
    return next((text for text in texts if _is_plausible(text)), None) or page.decode(_LAST_RESORT, "replace")


def _encodings(page: bytes, declared: str | None) -> Iterator[str]:
    from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

    if not page.isascii():
        yield "utf-8"
    named = map_encoding_to_html5(declared, fallback_utf8=False) if declared else None
    if named:
        yield named
    yield detect_encoding(page, from_html_meta=True) or _LAST_RESORT
    yield detect_encoding(page) or _LAST_RESORT


def _is_plausible(text: str) -> bool:
    if text.isascii():
        return True
    unreadable = text.count("\ufffd")
    return unreadable == 0 or unreadable * (_WORST + 1) <= sum(not character.isascii() for character in text)
