"""The wheel: it holds what the package reads, and runs in an environment that knows no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

from tests.imports import PACKAGE, ROOT

DATA = sorted(
    path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
)
RECIPES = """
from pathlib import Path
from presage.data.corpus import Config, Source
from presage.data.build.config import Rules, Toxicity
from presage.data.tokenizer import Config as Tokenizer
from presage.report.render import Config as Report

def corpus() -> Config:
    return Config(sources=(Source(name="made", paths=("code.jsonl",)),), rules=Rules(toxicity=Toxicity()))

def tokenizer() -> Tokenizer:
    return Tokenizer(corpus=Path("runs/corpus"), vocab_size=280)

def report() -> Report:
    return Report(pdf=False)
"""
READ = """
import presage
from presage.align.label_page import page_of
from presage.align.rubric import refusal_style
assert all(page_of(kind).body for kind in ("compare", "study")) and refusal_style().options
print(presage.__file__)
"""


def test_package_data_names_every_file_that_is_no_code() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    named = {path for pattern in settings["presage"] for path in PACKAGE.glob(pattern)}
    assert set(DATA) - named == set(), "add these to [tool.setuptools.package-data]"
    assert len(DATA) > 10


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(PACKAGE, folder / "source" / "presage", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source")
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, folder / "source")
    (found,) = folder.glob("*.whl")
    return found


def pip(verb: str, *arguments: object, python: object = sys.executable) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", f"--python={python}"]
    command = [sys.executable, "-m", "pip", *quiet, verb, "--no-deps", "--no-index", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True)


@pytest.mark.slow
def test_the_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {path.relative_to(ROOT).as_posix() for path in [*DATA, *PACKAGE.rglob("*.py")]}
    assert names == package
    about = zipfile.ZipFile(wheel).read(f"{'-'.join(wheel.name.split('-')[:2])}.dist-info/METADATA").decode()
    assert "License-Expression: Apache-2.0" in about and "Requires-Python: <3.14,>=3.11" in about


@pytest.mark.slow
def test_it_runs_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """In an environment of its own, which finds the libraries of this one, but not its installation of presage."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    scripts = tmp_path / "env" / "bin"
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip("install", wheel, python=scripts / "python")
    there = tmp_path / "elsewhere"
    there.mkdir()
    (there / "recipes.py").write_text(RECIPES)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def done(*command: object) -> str:
        words = [str(scripts / str(command[0])), *map(str, command[1:])]
        ended = subprocess.run(words, cwd=there, env=variables, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, f"{words}: {ended.stderr}"
        return ended.stdout

    assert "Usage: presage" in done("presage", "--help")
    assert done("python", "-c", READ).startswith(str(site))
    done("presage", "make", "microcode", "--count", 60, "--out", "code.jsonl")
    for stage in ("corpus", "tokenizer", "report"):
        done("presage", stage, f"recipes.py:{stage}", "--out", f"runs/{stage}")
    done("presage", "check", "runs")
    page = (there / "runs" / "report" / "report.html").read_text()
    assert "<style>" in page and "<script>" in page
