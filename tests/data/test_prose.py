"""Extraction of prose against its slow twin (`ast` and `tokenize`), on the sources of this Python."""

from __future__ import annotations

import ast
import io
import sysconfig
import tokenize
import warnings
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.data import prose
from presage.data.embedded import installed_files


def slow_docstrings(code: str) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(code)
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = (ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, owners))
    return [text.strip() for text in found if text and text.strip()]


def slow_comments(code: str) -> list[str]:
    """Whole-line comments that are not for machines."""
    tokens = tokenize.generate_tokens(io.StringIO(code).readline)
    whole = (t.string[1:] for t in tokens if t.type == tokenize.COMMENT and not t.line[: t.start[1]].strip())
    return [text.removeprefix(" ").rstrip() for text in whole if not prose._FOR_MACHINES.match(text)]


STANDARD = Path(sysconfig.get_paths()["stdlib"])


def some_sources() -> list[Path]:
    return [file.location for file in installed_files() if file.path.endswith(".py")][::60]


def test_equal_to_ast_and_tokenize_on_installed_sources() -> None:
    compared = 0
    for location in some_sources():
        code = location.read_bytes().decode().replace("\r\n", "\n")
        try:
            slow = slow_docstrings(code), slow_comments(code)
        except (SyntaxError, tokenize.TokenError):
            continue
        assert Counter(slow[0]) - Counter(prose.docstrings(code)) == Counter(), location
        assert slow[1] == prose.comments(code), location
        compared += 1
    assert compared > 50


def test_little_that_is_not_a_docstring_is_taken_for_one() -> None:
    """Of Python's own modules: what else is installed differs from machine to machine."""
    codes = [location.read_bytes().decode() for location in sorted(STANDARD.glob("*.py"))[::3]]
    ours = sum(len(prose.docstrings(code)) for code in codes)
    theirs = sum(len(slow_docstrings(code)) for code in codes)
    assert theirs <= ours <= 1.1 * theirs  # the surplus: documentation of attributes, and strings given to add_docstr()


CASES = {
    "module": ('"""Doc."""\nx = 1\n', "Doc."),
    "function": ('def f():\n    """Doc.\n\n    More.\n    """\n    return """no"""\n', "Doc.\n\nMore."),
    "raw": ('def f():\n    r"""a\\d"""\n', "a\\d"),
    "escape": ('def f():\n    """a\\tb\\u00e9"""\n', "a       bé"),
    "single quotes": ("def f():\n    'Doc.'\n", "Doc."),
    "attribute": ('x = 1\n"""What x is for."""\n', "What x is for."),
    "handed over": (f'add_docstr(f, """{"Computes a thing. " * 6}""")\n', ("Computes a thing. " * 6).strip()),
    "comments": ("# One,\n# two.\nx = 1  # not this\n# Three.\n", "One,\ntwo.\n\nThree."),
    "for machines": ("#!/usr/bin/env python\n# -*- coding: utf-8 -*-\n# noqa: F401\n# ------\n# Kept.\n", "Kept."),
    "hash in a string": ("x = '# not a comment'\n", ""),
    "string in a call": ('f("""not documentation""")\n', ""),
    "value of a dict": ('d = {"a":\n     "b", "c": 1}\n', ""),
    "f-string": ('def f():\n    f"""no {x}"""\n', ""),
    "windows lines": ('def f():\r\n    """One\r\n    two."""\r\n', "One\ntwo."),
    "unfinished": ('def f():\n    """never closed\n', ""),
    "python 2": ('def f():\n    """Doc."""\n    print "x"\n', "Doc."),
}


@pytest.mark.parametrize("code, expected", CASES.values(), ids=CASES.keys())
def test_cases(code: str, expected: str) -> None:
    assert prose.prose(code) == expected


@given(st.text(alphabet="\"'#\\\n ruf:(x=)", max_size=60))
def test_any_text_is_survived(code: str) -> None:
    assert isinstance(prose.prose(code), str)


def test_one_endless_line_is_read_in_linear_time() -> None:
    assert prose.prose("x = ['a', " + "'b', " * 400_000 + "]\n# End.\n") == "End."
