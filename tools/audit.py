"""Ask for known vulnerabilities of everything in this environment: `python tools/audit.py [--require]`.

Exit code 0: none that is not accepted, or nobody could be asked, which is said and with --require is 1; 1: some.
.ci/accepted.toml lists those that are accepted, each until a day and with a reason. A source that cannot be reached, or
knows no package, looks like one that knows of no vulnerability: so it is first asked about a version that has some.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ACCEPTED = Path(__file__).resolve().parent.parent / ".ci" / "accepted.toml"
KNOWN = {"jinja2": "2.10"}
"""A version with advisories of many years' standing."""
OWN = "presage"
SECONDS = 900

Answers = list[dict[str, Any]]
"""A package each, as pip-audit tells it: name, version, vulns; or name, skip_reason."""


class Unasked(Exception):
    """Why no answer came."""


@dataclass(frozen=True)
class Accepted:
    """A vulnerability that is lived with: its id (or an alias of it), the last day of that, and why."""

    id: str
    until: datetime.date
    why: str


def read_accepted(path: Path) -> list[Accepted]:
    """The list of a file. Raises SystemExit for a row that lacks a day or a reason."""
    rows = tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", [])
    wrong = [row for row in rows if set(row) != {"id", "until", "why"} or type(row["until"]) is not datetime.date]
    if wrong:
        sys.exit(f"audit: {path}: a row has id, until (a date) and why: {wrong[0]}")
    return [Accepted(**row) for row in rows]


def installed() -> dict[str, str]:
    """{name: version} of what is installed beside presage, without a build's own mark (2.13.0+cpu)."""
    found = {one.metadata["Name"].lower(): one.version.split("+")[0] for one in importlib.metadata.distributions()}
    return {name: version for name, version in sorted(found.items()) if name != OWN}


def ask(versions: Mapping[str, str]) -> Answers:
    """What pip-audit knows of these. Raises Unasked."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{name}=={version}\n" for name, version in versions.items())
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--requirement", file.name, "--no-deps", "--disable-pip"]
        command += ["--format", "json", "--progress-spinner", "off"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
            answers: Answers = json.loads(done.stdout)["dependencies"]
        except subprocess.TimeoutExpired:
            raise Unasked(f"no answer within {SECONDS} seconds") from None
        except (ValueError, KeyError, TypeError):
            raise Unasked((done.stderr.strip().splitlines() or ["no answer"])[-1][:200]) from None
    return answers


def check_source(asked: Callable[[Mapping[str, str]], Answers]) -> None:
    """Raise Unasked where the source does not tell what everybody knows."""
    if not any(one.get("vulns") for one in asked(KNOWN)):
        known = ", ".join(f"{name} {version}" for name, version in KNOWN.items())
        raise Unasked(f"the source of advisories does not know those of {known}: it cannot be reached, or is empty")


def judged(answers: Answers, accepted: list[Accepted], today: datetime.date) -> Iterator[tuple[bool, str]]:
    """(is it wrong, a line) for every vulnerability, every package that nothing is known of, every idle acceptance."""
    used = set()
    for one in answers:
        if "skip_reason" in one:
            yield False, f"{one['name']}: not checked: {one['skip_reason']}"
        for found in one.get("vulns", []):
            names = {found["id"], *found.get("aliases", [])}
            fixed = (
                f"mended in {', '.join(found['fix_versions'])}" if found.get("fix_versions") else "no mended version"
            )
            line = f"{one['name']} {one['version']}: {found['id']}, {fixed}"
            known = next((row for row in accepted if row.id in names), None)
            if known is None:
                yield True, line
                continue
            used.add(known)
            late = today > known.until
            yield late, f"{line}; accepted until {known.until}{', which is over' if late else ''}: {known.why}"
    yield from ((False, f"{row.id}: accepted, and no longer found: remove it") for row in accepted if row not in used)


def main(
    arguments: list[str],
    asked: Callable[[Mapping[str, str]], Answers] = ask,
    path: Path = ACCEPTED,
    today: datetime.date | None = None,
) -> int:
    """Ask, print what is found, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--require", action="store_true", help="fail where nobody can be asked")
    options = parser.parse_args(arguments)
    accepted = read_accepted(path)
    try:
        check_source(asked)
        answers = asked(installed())
    except Unasked as reason:
        print(f"audit: WARNING: NOTHING WAS CHECKED for known vulnerabilities: {reason}", file=sys.stderr)
        return int(options.require)
    lines = list(judged(answers, accepted, today or datetime.date.today()))
    for wrong, line in lines:
        print(f"audit: {'VULNERABLE: ' if wrong else ''}{line}")
    checked = sum("skip_reason" not in one for one in answers)
    wrong = sum(one for one, _ in lines)
    print(f"audit: {checked} of {len(answers)} packages checked, {wrong} vulnerabilities that are not accepted")
    return int(wrong > 0 or (options.require and checked == 0))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
