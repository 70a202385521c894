"""Prose out of Python source: docstrings and comments, without parsing, importing or executing anything.

One regular expression finds strings and comments (about ten times faster than `ast` and `tokenize`, its slow twin in
tests/data/test_prose.py); the characters around a string say whether it documents something.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import warnings
from collections.abc import Iterator

_LEXEME = re.compile(
    r"#[^\n]*"
    r'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    r"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    r'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    r"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'",
    re.DOTALL,
)
_REST_OF_LINE = re.compile(r"[ \t]*(?:;|#|\r?\n|\Z)")
_DOC_HEAD = re.compile(r"(?:add_\w*doc\w*\(.*|doc\w*\s*=\s*\(?\s*)[rRuU]?\Z", re.DOTALL | re.IGNORECASE)
HANDED_OVER = 80  # characters from which a string given to a call may be its documentation
_AFTER_A_STATEMENT = frozenset({"", "\n", " ", "\t", ";", "#", "\r"})
LINE = 200  # how far back a line or the head of a call is looked for
_TRIPLE = ('"""', "'''")
_MARGINS = frozenset({"", "r", "R", "u", "U"})
_FOR_MACHINES = re.compile(
    r"[ \t]*(?:!|-\*-|noqa|type:|pylint|pragma|fmt:|isort|mypy|flake8|vim:|coding[:=]|ruff|nosec|pyright"
    r"|[-=#*~_+| \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)


def prose(code: str) -> str:
    """Docstrings and whole-line comments of one source file in their order, blank lines between the blocks."""
    blocks: list[list[str]] = [[]]
    for kind, text in _pieces(code):
        if kind == "comment":
            blocks[-1].append(text)
        else:
            blocks += [[text], []]
    return "\n\n".join(joined for block in blocks if (joined := "\n".join(block).strip("\n")))


def docstrings(code: str) -> list[str]:
    """String literals that document a module, class, function or attribute, or are passed on as documentation."""
    return [text for kind, text in _pieces(code) if kind == "string" and text]


def comments(code: str) -> list[str]:
    """Whole-line comments without their marks; those for linters and editors are left out."""
    return [text for kind, text in _pieces(code) if kind == "comment"]


def _pieces(code: str) -> Iterator[tuple[str, str]]:
    """("string" | "comment", its text), and ("code", "") where code separates two runs of comments."""
    code = code.replace("\r\n", "\n")
    after = 0
    previous = ":"  # the last character of code so far; a file begins as a block does
    parted = False  # whether code stood between the last comment and here
    for match in _LEXEME.finditer(code):
        start, end = match.span()
        comment = code[start] == "#"
        if not comment and code[end : end + 1] not in _AFTER_A_STATEMENT and end - start < HANDED_OVER:
            after, previous, parted = end, '"', True  # most strings: a value in the middle of a line
            continue
        line = max(code.rfind("\n", max(0, start - LINE), start) + 1, start - LINE, 0)
        margin = code[line:start].strip()
        prefix = margin if margin in _MARGINS else ""
        solid = code[after : start - len(prefix)].strip()
        previous = solid[-1:] or previous
        after = end
        parted = parted or bool(solid)
        if comment and not margin:
            if parted:
                yield "code", ""
            parted = False
            if not _FOR_MACHINES.match(code, start + 1):
                yield "comment", code[start + 1 : end].removeprefix(" ").rstrip()
        if comment:
            continue
        if (margin in _MARGINS and _alone(code, start, end, previous)) or _handed_over(code, start, end):
            yield "string", _text(code[start:end], _is_raw(code, start))
        previous, parted = '"', True


def _alone(code: str, start: int, end: int, previous: str) -> bool:
    """A string that is a statement: at a block's start, or (triple-quoted) below the attribute it describes."""
    opens_block = previous == ":"
    follows_statement = code[start : start + 3] in _TRIPLE and previous not in "([{,=+-*/%\\"
    return (opens_block or follows_statement) and _REST_OF_LINE.match(code, end) is not None


def _handed_over(code: str, start: int, end: int) -> bool:
    """A long string given to add_newdoc(), add_docstr() or assigned to something called doc."""
    if end - start < HANDED_OVER or code[start : start + 3] not in _TRIPLE:
        return False
    return _DOC_HEAD.search(code[max(0, start - LINE) : start]) is not None


def _is_raw(code: str, start: int) -> bool:
    return code[max(0, start - 1) : start] in ("r", "R")


def _text(literal: str, raw: bool) -> str:
    """The literal's value, cleaned of indentation; its source where it is not a valid one."""
    quotes = 3 if literal[:3] in _TRIPLE else 1
    body = literal[quotes:-quotes]
    if "\\" in body and not raw:
        with warnings.catch_warnings(), contextlib.suppress(ValueError, SyntaxError):
            warnings.simplefilter("ignore")
            body = str(ast.literal_eval(literal))
    return inspect.cleandoc(body).strip()
