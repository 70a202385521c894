"""Completion in a shell: the script parses, knows every verb, and completes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from presage.cli.grammar import app
from tests.imports import ROOT

SHELLS = ("bash", "zsh", "fish")
ASK = 'COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _presage; echo "${COMPREPLY[*]}"'


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """As the program prints them; it imports nothing heavy for that."""
    folder = tmp_path_factory.mktemp("completion")
    code = (
        "import contextlib, sys; from pathlib import Path; from presage.cli import main\n"
        f"for shell in {SHELLS}:\n"
        "    with open(Path(sys.argv[1]) / shell, 'w') as file, contextlib.redirect_stdout(file):\n"
        "        assert main(['completion', shell]) == 0\n"
        "assert not {'torch', 'numpy', 'pydantic'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True)
    return {shell: folder / shell for shell in SHELLS}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_parses_and_knows_every_verb(shell: str, scripts: dict[str, Path]) -> None:
    if shutil.which(shell):
        subprocess.run([shell, "-n", scripts[shell]], check=True)
    text = scripts[shell].read_text()
    verbs = [name for name in app if not name.startswith("-") and app[name].show]
    assert len(verbs) > 40 and {"demo", "sight", "forecast", "make", "completion"} <= set(verbs)
    assert [verb for verb in verbs if verb not in text] == []


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("presage ev", "eval"),
        ("presage forecast ver", "verify"),
        ("presage sight --sho", "--shots"),
        ("presage make pictures --form i", "image interleaved"),
        ("presage completion f", "fish"),
    ],
)
def test_bash_completes(line: str, completed: str, scripts: dict[str, Path]) -> None:
    command = ["bash", "-c", f"source {scripts['bash']}; {ASK}", "bash", *line.split(" ")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == completed.split()
