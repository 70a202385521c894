"""The README: its commands exist and parse, its Python runs, its numbers and links are true, both languages agree."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from presage.cli.grammar import app
from presage.data import corpus
from presage.data.rules.heuristics import RULES, SETS
from presage.data.rules.privacy import KINDS
from presage.forecast import points
from presage.forecast.prior import Prior
from presage.forecast.scaling import Rule
from presage.recipes import demo_plan
from tests.imports import ROOT

PAGES = ("README.md", "README.zh-CN.md")
BEYOND = {"mkdir", "cp", "."}  # commands of the shell that the pages use
DOCS = sorted(p.relative_to(ROOT).as_posix() for p in ROOT.glob("docs/*.md"))


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _text(name), re.MULTILINE | re.DOTALL)


def _commands(name: str) -> Iterator[list[str]]:
    lines = "".join(_blocks(name, "sh")).splitlines()
    yield from (words for line in lines if (words := shlex.split(line, comments=True)))


COMMANDS = list(dict.fromkeys(tuple(command) for page in PAGES for command in _commands(page)))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_is_one(command: tuple[str, ...]) -> None:
    """Presage's are parsed as the program would, options, types and all; nothing is run."""
    program, *arguments = command
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", _text("Makefile"), re.MULTILINE)
        assert set(arguments) <= set(targets)
    elif program == "presage":
        app.parse_args(arguments, exit_on_error=False, print_error=False)
    else:
        assert program in BEYOND


def test_the_parser_refuses_what_is_no_command() -> None:
    """The test above does see a wrong verb, a wrong option and a wrong type."""
    for wrong in (["foretell"], ["demo", "--hours", "3"], ["demo", "--minutes", "three"]):
        with pytest.raises(Exception, match=wrong[-1] if wrong[-1] != "3" else "hours"):
            app.parse_args(wrong, exit_on_error=False, print_error=False)


def test_both_languages_show_the_same_commands() -> None:
    ours, theirs = ([_blocks(page, language) for language in ("sh", "python", "csv")] for page in PAGES)
    assert ours == theirs
    assert len(ours[0]) >= 6


@pytest.mark.parametrize("page", PAGES)
def test_the_example_has_its_place(page: str) -> None:
    """What `make example` rewrites, exactly once, after the figure."""
    text = _text(page)
    marks = [text.index(mark) for mark in ("figure1.svg", "<!-- example:begin -->", "<!-- example:end -->")]
    assert marks == sorted(marks)
    assert text.count("<!-- example:") == 2


@pytest.mark.parametrize("block", _blocks("README.md", "python"))
def test_python_blocks_import_what_there_is(block: str, capsys: pytest.CaptureFixture[str]) -> None:
    imported = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
    for node in imported:
        module = importlib.import_module(node.module or "")
        assert all(hasattr(module, name.name) for name in node.names)
    if "runs/" not in block:
        exec(compile(block, "README.md", "exec"), {})
        assert float(capsys.readouterr().out.split()[0]) > 1


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md", *DOCS])
def test_links_lead_somewhere(page: str) -> None:
    """Relative links to files that are there. The committed example is checked where it is made."""
    targets = re.findall(r"\]\(([^)#\s]+?)(?:#[^)]*)?\)", _text(page))
    here = [t for t in targets if "://" not in t and not t.startswith("docs/example")]
    assert [t for t in here if not (ROOT / page).parent.joinpath(t).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_the_demo_is_described_as_it_is(page: str) -> None:
    text = _text(page)
    assert f"1/{demo_plan.RATIO:.0f}" in text
    assert f"1/{demo_plan.LONG_RATIO:.0f}" in text
    assert f"`--minutes {demo_plan.LONG:.0f}`" in text
    assert demo_plan.DECADES <= 2, "the pages say: within two decades"


def test_the_method_is_described_with_the_numbers_in_the_code() -> None:
    """Priors and the recipe in docs/forecasting.md are those of law.py and scaling.py."""
    text = _text("docs/forecasting.md")
    prior, noise = Prior(), points.NOISE_PRIOR
    names = ("exponent", "exponent_spread", "wander", "misfit")
    said = [f"`{name}` = {getattr(prior, name):g}" for name in names]
    said += [f"`floor_spread` = {prior.floor_spread:g}"] + [f"{share:g} " for _, share in prior.floor_shares]
    said += [f"{noise[1]:g} pseudo-observations of {100 * noise[0]:g} %"]
    said += [f"`{name}`" for name in Rule.model_fields if name not in ("vocab_size", "context_length")]
    assert [words for words in said if words not in text] == []


def test_every_row_of_the_reports_has_a_status() -> None:
    """docs/reports.md: works, planned with its part, not planned with a reason, or corrected."""
    rows = [line for line in _text("docs/reports.md").splitlines() if line.startswith("|") and "---" not in line]
    statuses = [cells[-1] for row in rows if len(cells := [c.strip() for c in row.strip("|").split("|")]) > 2]
    known = re.compile(r"works|corrected|.*planned, parts? [B-H]|not planned:|status$")
    assert len(statuses) > 120
    assert [status for status in statuses if not known.match(status)] == []


def test_the_guide_to_corpora_is_true() -> None:
    """Its recipe is a config, its second example imports what there is, its table has every published rule."""
    text = _text("docs/corpus.md")
    recipe, cluster = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(recipe, "docs/corpus.md", "exec"), names)
    assert isinstance(names["corpus"](), corpus.Config)
    assert "cluster.executors(" in cluster
    for name, rules in SETS.items():
        for rule in rules:
            assert f"| `{name}` | `{rule}` | {RULES[rule].says}: " in text
            assert f" | {RULES[rule].source} |" in text
    for kind in KINDS:
        assert f"`{kind}`" in text
