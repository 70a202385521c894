"""The verbs as functions of the package."""

from __future__ import annotations

import subprocess
import sys

import pytest

import presage


def test_every_name_is_there() -> None:
    for name in presage.__all__:
        assert getattr(presage, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'pretain'"):
        presage.pretain  # noqa: B018


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import presage, sys; sys.exit(any(m in sys.modules for m in ('torch', 'numpy', 'pydantic')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_fit_through_the_package() -> None:
    law = presage.fit([presage.Point(10.0**k, 2.0 * 10 ** (-0.1 * (k - 9)) + 0.6, 0.005) for k in range(9, 14)])
    assert law.predict(1e15).value == pytest.approx(2.0 * 10**-0.6 + 0.6, rel=0.05)
