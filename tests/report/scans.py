"""What may stand beside a chain about contamination: a scan and scores, by the stages, of texts with leaks planted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from presage.core.run import RunDir
from presage.evaluate import scan, scores
from tests.evaluate.test_contamination import ITEMS, TEXTS

LEAKED = (2, 5, 6)
NASTY = '<b>|`*_[x]~ "q"\nthen & on '
"""Stands around a leak: an excerpt must come out of page and Markdown as it went in."""

MICROCODE = {"name": "microcode", "kind": "microcode", "count": 9, "levels": [1]}


def add(root: Path) -> None:
    """root/contamination and root/scores: sets "quiz", some leaked, and "microcode", none."""
    rows = [{"id": item.id, "text": item.text} for item in ITEMS[:12]] + [{"id": "007", "text": "Why?"}]
    quiz = root / "lab" / "quiz.jsonl"
    scan_of(root, MICROCODE, quiz=write(quiz, rows))
    scored = [{"id": row["id"], "score": number % 3 / 2, "task": "quiz"} for number, row in enumerate(rows)]
    scored.append({"id": "x", "score": 12.5, "task": "elsewhere", "better": "lower", "stderr": 0.25})
    write(root / "lab" / "scores.jsonl", scored)
    made = scores.Config(scores=(Path("../lab/scores.jsonl"),), contamination=root / "contamination")
    scores.run(made, root / "scores")


def scan_of(root: Path, *generated: dict[str, Any], **files: Path) -> RunDir:
    """root/contamination, of the files' items and generated ones."""
    texts = root / "lab" / "texts"
    texts.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(TEXTS):
        leak = f"{NASTY}{ITEMS[number].text}{NASTY}" if number in LEAKED else ""
        (texts / f"{number}.txt").write_text(f"{text}\n{leak}\n", encoding="utf-8")
    sets = [*({"name": name, "path": str(path)} for name, path in files.items()), *generated]
    copy = {"of": "microcode", "items": 4}
    settings = {"sets": sets, "files": [str(texts)], "plant": 3, "contaminated_copy": copy}
    return scan.run(scan.Config.parse(settings), root / "contamination")


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
