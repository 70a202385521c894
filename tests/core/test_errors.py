"""Errors: one line each, exit codes as documented."""

from __future__ import annotations

import pytest

from presage.core import errors
from presage.core.errors import PresageError, did_you_mean

CODES = {"CheckFailed": 1, "Unavailable": 3, "Stopped": 4}


def test_exit_codes_are_those_of_the_tree_in_the_docstring() -> None:
    kinds = {
        k.__name__: k.exit_code for k in vars(errors).values() if isinstance(k, type) and issubclass(k, PresageError)
    }
    assert kinds == {name: CODES.get(name, 2) for name in kinds}
    assert all(name in (errors.__doc__ or "") for name in kinds)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PresageError("gone"), "gone"),
        (PresageError("gone", where="a.txt:3"), "a.txt:3: gone"),
        (PresageError("gone", hint="look again"), "gone (look again)"),
        (PresageError("gone", where=0, hint="look"), "0: gone (look)"),
    ],
)
def test_what_where_and_hint(error: PresageError, text: str) -> None:
    assert str(error) == text


def test_suggestions() -> None:
    assert did_you_mean("stpes", ["steps", "seed"]) == "did you mean 'steps'?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", []) == "known: "
