"""Where a run came from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from presage.core import origin


def test_describe_holds_facts_and_no_path() -> None:
    facts = origin.describe(7)
    assert facts["seed"] == 7
    assert facts["presage"] == origin.version()
    assert len(facts["code"]) == 64
    assert set(facts["libraries"]) == set(origin.LIBRARIES)
    assert str(origin.PACKAGE.parent) not in str(facts)


def test_code_digest_follows_names_and_contents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(origin, "PACKAGE", tmp_path)
    seen = set()
    for change in (
        lambda: (tmp_path / "a.py").write_text("x"),
        lambda: (tmp_path / "a.py").write_text("y"),
        lambda: (tmp_path / "a.py").rename(tmp_path / "b.py"),
        lambda: (tmp_path / "page.html").write_text(""),
    ):
        change()
        seen.add(origin.code_digest.__wrapped__())
    assert len(seen) == 4
    (tmp_path / "b.pyc").write_text("compiled")
    assert origin.code_digest.__wrapped__() in seen


def test_commit_is_none_outside_a_checkout_and_inside_a_foreign_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "presage"
    package.mkdir(parents=True)
    monkeypatch.setattr(origin, "PACKAGE", package)
    assert origin.commit.__wrapped__() is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "foreign"], check=True)
    assert origin.commit.__wrapped__() is None
    (package / "a.py").write_text("x")
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "with presage"], check=True)
    clean = origin.commit.__wrapped__()
    assert clean is not None
    assert not clean["dirty"]
    (package / "a.py").write_text("y")
    dirty = origin.commit.__wrapped__()
    assert dirty == {"id": clean["id"], "dirty": True}
