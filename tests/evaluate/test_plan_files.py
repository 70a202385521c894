"""Every file that a score depends on is listed by digest, and an examination does not go on with another."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import RunError
from presage.evaluate.asking import Asked, plans_of
from tests.evaluate.toy_eval import Interrupted, examine
from tests.toy_model import ToyModel

RUBRIC = "Is {answer} right?\n- A (1): yes\n- B (0): no"
MODULE = """
from presage.tasks.library import find

ARC, RTE = find("two_digit_addition"), find("two_digit_subtraction")
"""
SIGNS = {
    "name": "signs", "kind": "choice",
    "questions": [{"question": f"{i}?", "options": ["go", "stop"], "answer": "A"} for i in range(6)],
}  # fmt: skip
EXAM: dict[str, Any] = {
    "name": "driving", "percentiles": [{"file": "driving.csv"}, {"file": "missing.csv"}],
    "scale": {"rule": "chart", "file": "chart.csv", "value": "scaled"}, "sections": [SIGNS],
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One's own files, where one works."""
    rows = "".join(json.dumps({"question": f"{i}?", "answer": "x"}) + "\n" for i in range(6))
    texts = {"mine.jsonl": rows, "mine.shots.jsonl": rows, "rubric.md": RUBRIC, "words.py": MODULE}
    texts |= {"driving.json": json.dumps(EXAM), "driving.csv": "score,percentile\n0,0\n60,40\n"}
    texts |= {"chart.csv": "score,scaled\n0,0\n6,60\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("task", "files"),
    [
        ("mine.jsonl", ["mine.jsonl", "mine.shots.jsonl"]),
        ("mine.jsonl:exact", ["mine.jsonl", "mine.shots.jsonl"]),
        ("mine.jsonl:rubric.md", ["mine.jsonl", "mine.shots.jsonl", "rubric.md"]),
        ("words.py:ARC", ["words.py"]),
        ("exam:driving.json", ["driving.json", "chart.csv", "driving.csv"]),
        ("two_digit_addition", []),
    ],
    ids=["rows", "a grader", "a rubric", "Python", "an exam", "generated"],
)
def test_a_plan_names_every_file(folder: Path, task: str, files: list[str]) -> None:
    (plan,) = plans_of(Asked(task=task, limit=2), folder, 0)
    assert [file.name for file in plan.files] == files
    assert all(file.is_file() for file in plan.files)


def test_the_percentiles_of_a_public_exam_are_among_them(folder: Path) -> None:
    line = {"passage": "", "question": "2 + 2?", "options": ["(A)4", "(B)5"], "label": "A", "other": None}
    (folder / "sat-math.jsonl").write_text(json.dumps(line) + "\n")
    header = "," + ",".join(["sat-math", "explanation"])
    (folder / "few_shot_prompts.csv").write_text(header + "\n")
    (folder / "sat_math_2015.csv").write_text("score,percentile_strictly_below\n200,1\n")
    asked = Asked(task="exam:sat_maths", shots=0)
    (plan,) = plans_of(asked, folder, 0)
    assert [file.name for file in plan.files] == ["sat-math.jsonl", "few_shot_prompts.csv", "sat_math_2015.csv"]


def _write(prompt: str, sample: int) -> str:
    return "A]" if prompt.endswith("[") else " I see."


@pytest.mark.parametrize("changed", ["driving.csv", "chart.csv"])
def test_an_exam_does_not_go_on_with_another_table(folder: Path, changed: str) -> None:
    out = folder / "eval"
    config = {"tasks": (Asked(task="exam:driving.json"),), "data": str(folder)}
    begun = Interrupted(write=_write)
    begun.after = 6
    with pytest.raises(KeyboardInterrupt):
        examine(out, begun, **config)
    text = (folder / changed).read_text()
    (folder / changed).write_text(text + "9,90\n")
    with pytest.raises(RunError, match=f"the files are not those it began with: exam:driving:signs: {changed}"):
        examine(out, ToyModel(write=_write), resume=True, **config)
    (folder / changed).write_text(text)
    made = examine(out, ToyModel(write=_write), resume=True, **config)
    found = {row["file"]: row["sha256"] for row in made.read_table("files")}
    names = ("driving.json", "chart.csv", "driving.csv")
    assert found == {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
