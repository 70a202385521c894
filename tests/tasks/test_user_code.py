"""Tasks of one's own in Python, and every file of docs/tasks.md run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from presage.core.errors import ConfigError
from presage.evaluate import run as examination
from presage.evaluate.asking import Asked
from presage.tasks.library import find
from presage.tasks.user import find_task
from tests.imports import ROOT
from tests.tasks.test_user import run
from tests.toy_model import ToyModel

# ---- Python ----------------------------------------------------------------------------------------------------------

DECLARED = "from presage.tasks.library import find\nONE = find('arc_challenge')\n"
OWN = """
from dataclasses import replace
from presage.tasks.library import find
from presage.tasks.task import LIKELIHOOD, Metric

class Mine:
    metrics = (Metric('x'),)
    needs = LIKELIHOOD
    def examine(self, example, context):
        yield []

ONE = replace(find('arc_easy'), method=Mine(), data=find('arc_easy').data)
"""


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        (DECLARED, "OEN", "no Task 'OEN'.*did you mean 'ONE'"),
        ("ONE = 3", "ONE", r"no Task 'ONE'.*TASK = Task\("),
        ("x = 1 / 0", "ONE", "cannot be loaded: ZeroDivisionError"),
        ("x = (", "ONE", "cannot be loaded: SyntaxError"),
        (DECLARED + "TWO = ONE", "", "2 tasks, and none is named.*ONE, TWO"),
        ("", "", "0 tasks, and none is named"),
        ("import sys\nsys.exit(0)", "ONE", r"cannot be loaded: it exits \(0\)"),
        ("raise SystemExit", "ONE", r"cannot be loaded: it exits \(None\)"),
        ("raise ValueError('two\\nlines')", "ONE", "cannot be loaded: ValueError: two lines"),
        (OWN.replace("needs = LIKELIHOOD", ""), "", r"own\.py: the method, a Mine, has no 'needs'"),
        (OWN.replace("metrics =", "metric ="), "", r"own\.py: the method, a Mine, has no 'metrics'"),
        (OWN.replace("examine", "ask"), "", r"own\.py: the method, a Mine, has no 'examine'"),
        (OWN.replace("= LIKELIHOOD", "= True"), "", r"own\.py: the method, a Mine, needs True.*LIKELIHOOD, JUDGE"),
        (OWN.replace("= LIKELIHOOD", "= {'luck'}"), "", "the method, a Mine, needs {'luck'}"),
        (OWN.replace("(Metric('x'),)", "('x',)"), "", r"metrics \('x',\).*Metric\("),
        (OWN.replace("Mine()", "Mine"), "", r"the method is the class Mine.*Mine\(\)"),
        (OWN.replace("find('arc_easy').data", "[]"), "", r"own\.py: the data, a list, has no 'files'"),
    ],
    ids=["misspelt", "no-task", "raises", "no-python", "two", "none", "exits", "exits-plainly", "lines", "needs",
         "metrics", "examine", "true", "unknown-need", "no-metric", "class", "data"],
)  # fmt: skip
def test_a_python_file_without_the_task(tmp_path: Path, text: str, name: str, says: str) -> None:
    (tmp_path / "own.py").write_text(text)
    with pytest.raises(ConfigError, match=says) as caught:
        find_task(f"{tmp_path}/own.py{f':{name}' if name else ''}")
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ctrl_c_while_a_file_is_loaded_goes_through(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        find_task(f"{tmp_path}/own.py")


def test_a_python_file_declares_tasks(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(DECLARED)
    assert find_task(f"{tmp_path}/own.py:ONE") == find_task(f"{tmp_path}/own.py") == find("arc_challenge")


# ---- docs/tasks.md ---------------------------------------------------------------------------------------------------

PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```\w+ (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
SPECS = [
    ("capitals.jsonl", 2, {"accuracy": 1 / 3}),
    ("capitals.jsonl:letter", 0, {"accuracy": 1 / 3}),
    ("rivers.jsonl", 0, {"accuracy": 1 / 3}),
    ("rivers.jsonl:includes", 2, {"accuracy": 1 / 3}),
    ("rivers.jsonl:fact.json", 0, {"score": 0.5}),
    ("arithmetic.jsonl", 0, {"accuracy": 0.0}),
    ("arithmetic.jsonl", 1, {"accuracy": 0.0}),
    ("claims.jsonl:sources.md", 0, {"score": 0.0}),
    ("words.py:REVERSED", 2, {"accuracy": 0.0}),
    ("words.py", 0, {"accuracy": 0.0}),
    ("twice.py:STABLE", 0, {"stable": 0.0}),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(("spec", "shots", "scores"), SPECS, ids=[f"{spec}@{shots}" for spec, shots, _ in SPECS])
def test_the_examples_of_the_page_run(page: Path, spec: str, shots: int, scores: dict[str, float]) -> None:
    """A model that always writes the Danube, and prefers first options; a judge that finds it partly right."""
    model = ToyModel(
        logprob=lambda prompt, text: 0.0 if text in (" A", " Lima", " Bergen", " Mombasa") else -9.0,
        write=lambda prompt, sample: " the Danube\n",
    )
    judge = ToyModel(
        write=lambda prompt, sample: "C\nno source at all" if "SOURCE" in prompt.upper() else "Well.\nPartly"
    )
    found = run(find_task(f"{page}/{spec}"), model, shots, judge, page)
    for name, value in scores.items():
        assert sum(one.graded.scores[name] for one in found) / len(found) == pytest.approx(value)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith(".py")])
def test_the_python_files_of_the_page_are_examined_as_a_whole(page: Path, tmp_path: Path, name: str) -> None:
    config = examination.Config(model="toy", tasks=(Asked(task=f"{page}/{name}"),), data=str(page))
    made = examination.run(config, tmp_path / "out", model=ToyModel(write=lambda prompt, sample: " the Danube\n"))
    assert made.done
    assert made.read_table("tasks")


def test_every_file_of_the_page_is_run_and_every_grader_is_named() -> None:
    used = {part for spec, _, _ in SPECS for part in spec.split(":")} | {"arithmetic.shots.jsonl"}
    assert used >= set(FILES)
    [command] = re.findall(r"--tasks (\S+)", PAGE)
    assert all(one.split(":")[0].split("@")[0] in FILES for one in command.split(","))
    for name in (
        "exact",
        "match",
        "includes",
        "fuzzy",
        "json",
        "per_token",
        "sum",
        "per_byte",
        "unconditional",
        "letter",
    ):
        assert f"`{name}`" in PAGE
