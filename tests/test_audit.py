"""What is known to be vulnerable, and what presage is made of; nobody is asked here."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.imports import ROOT
from tools import audit

TODAY = datetime.date(2026, 11, 23)
KNOWN = [{"name": "jinja2", "version": "2.10", "vulns": [{"id": "OLD-1", "fix_versions": ["2.11"]}]}]
FOUND = {"id": "PYSEC-2026-7", "aliases": ["CVE-2026-70"], "fix_versions": ["1.2"]}
ACCEPTED = '[[accepted]]\nid = "CVE-2026-70"\nuntil = {until}\nwhy = "never called"\n'


class Source:
    """Answers the question that everybody can, then with what it was given; keeps what it was asked."""

    def __init__(self, *packages: dict[str, Any], known: list[dict[str, Any]] = KNOWN) -> None:
        self.answers, self.asked = [known, list(packages)], []  # type: ignore[var-annotated]

    def __call__(self, versions: Mapping[str, str]) -> audit.Answers:
        self.asked.append(versions)
        return self.answers[len(self.asked) - 1]


def run(folder: Path, source: Any, *arguments: str, accepted: str = "") -> int:
    (folder / "accepted.toml").write_text(accepted)
    return audit.main(list(arguments), source, folder / "accepted.toml", TODAY)


def package(*vulns: dict[str, Any]) -> dict[str, Any]:
    return {"name": "a", "version": "1.0", "vulns": list(vulns)}


def test_nothing_known_is_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Source(package(), {"name": "b", "skip_reason": "not on the index"})
    assert run(tmp_path, source) == 0
    assert source.asked == [audit.KNOWN, audit.installed()]
    out = capsys.readouterr().out
    assert "b: not checked: not on the index" in out and "1 of 2 packages checked, 0 vulnerabilities" in out


def test_a_vulnerability_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, Source(package(FOUND))) == 1
    assert "VULNERABLE: a 1.0: PYSEC-2026-7, mended in 1.2\n" in capsys.readouterr().out


@pytest.mark.parametrize(("until", "code"), [("2026-11-23", 0), ("2026-11-22", 1)])
def test_what_is_accepted_is_so_until_its_day(
    until: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, Source(package(FOUND)), accepted=ACCEPTED.format(until=until)) == code
    out = capsys.readouterr().out
    assert "never called" in out and ("which is over" in out) == bool(code)


def test_an_acceptance_that_nothing_needs_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, Source(package()), accepted=ACCEPTED.format(until="2026-12-31")) == 0
    assert "CVE-2026-70: accepted, and no longer found" in capsys.readouterr().out


@pytest.mark.parametrize("known", [[], [{"name": "jinja2", "skip_reason": "not found"}], [{**KNOWN[0], "vulns": []}]])
def test_a_source_that_knows_nothing_is_no_good_news(
    known: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As where an index without advisories answers: pip-audit then finds no known vulnerabilities."""
    assert run(tmp_path, Source(package(), known=known)) == 0
    told = capsys.readouterr()
    assert "NOTHING WAS CHECKED" in told.err and "checked" not in told.out
    assert run(tmp_path, Source(package(), known=known), "--require") == 1


def test_a_source_that_cannot_be_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = subprocess.CompletedProcess([], 1, stdout="", stderr="WARNING: x\nERROR: Could not connect\n")
    monkeypatch.setattr(audit.subprocess, "run", lambda *_, **__: ended)
    assert run(tmp_path, audit.ask) == 0
    assert "NOTHING WAS CHECKED for known vulnerabilities: ERROR: Could not connect" in capsys.readouterr().err
    monkeypatch.setattr(audit.subprocess, "run", _takes_too_long)
    assert run(tmp_path, audit.ask, "--require") == 1


def _takes_too_long(*_: object, **__: object) -> None:
    raise subprocess.TimeoutExpired("pip_audit", 1)


@pytest.mark.parametrize(
    "row", ['id = "a"\nwhy = "b"', 'id = "a"\nwhy = "b"\nuntil = "soon"', 'id = "a"\nuntil = 2026-01-01']
)
def test_an_acceptance_has_a_day_and_a_reason(row: str, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="a row has id, until"):
        run(tmp_path, Source(), accepted=f"[[accepted]]\n{row}\n")


def test_the_list_of_the_checkout_can_be_read() -> None:
    assert all(one.why for one in audit.read_accepted(audit.ACCEPTED))


def test_versions_are_asked_about_without_a_builds_mark() -> None:
    versions = audit.installed()
    assert versions["torch"] == importlib.metadata.version("torch").split("+")[0]
    assert "presage" not in versions and not any("+" in one for one in versions.values())


def test_the_bill_of_materials_names_what_an_installation_needs() -> None:
    command = [sys.executable, "tools/sbom.py"]
    document = json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
    parts = {one["name"]: one for one in document["components"]}
    assert {"torch", "numpy", "pydantic", "pydantic-core"} <= parts.keys()
    assert not {"pytest", "ruff", "mkdocs", "presage"} & parts.keys()
    assert parts["numpy"]["purl"] == f"pkg:pypi/numpy@{importlib.metadata.version('numpy')}"
    needs = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    known = {one["bom-ref"] for one in parts.values()}
    assert parts["torch"]["bom-ref"] in needs[document["metadata"]["component"]["bom-ref"]]
    assert set().union(*needs.values()) <= known and needs.keys() - known == {f"pkg:pypi/presage@{_own()}"}


def _own() -> str:
    return importlib.metadata.version("presage")
