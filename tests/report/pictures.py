"""What may stand beside a chain about images: a training, and questions asked of what it made. Nothing was measured."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from PIL import Image

from presage.core.config import Config, File, Parent
from presage.core.run import RunDir
from tests.report.assistants import ends

NASTY = "<b>a `red` circle</b> ~ | [x] ⟦"
TASKS = {"captions": ("vision", "no-vision", "text"), "charts": ("vision", "no-vision", "interleaved", "text")}


class Learnt(Config):
    """Stands for the config of vision."""

    base: Parent


class Asked(Config):
    """Stands for that of sight."""

    run: Parent
    questions: File


def add(root: Path) -> dict[str, Any]:
    """All of them, made of root/target; what a report's config calls them."""
    learnt(root / "vision", root / "target")
    for number, (task, conditions) in enumerate(TASKS.items()):
        file = root / f"{task}.jsonl"
        file.write_text("{}\n")
        asked(root / f"sights.{number}", root / "vision", file, conditions, known=not number)
    return {"vision": root / "vision", "sights": [root / f"sights.{number}" for number in range(len(TASKS))]}


def learnt(path: Path, base: Path, steps: int = 400) -> RunDir:
    """A training's run directory."""
    with RunDir.create(path, "vision", Learnt(base=base)) as run:
        run.timing(step=steps, seconds=1.5, tokens_per_s=9000.0, peak_share=0.2)
        counts = {"documents": 12_000, "too_long": 0, "steps": steps, "tokens": 1_700_000, "flops": 1.1e13}
        for name, value in counts.items():
            run.result(name, value)
        run.result("val/loss", 0.51, stderr=0.02, n=1800)
        run.result("text/bpb", 2.01, stderr=0.02, n=16_384)
        run.finish()
    return run


def asked(
    path: Path, model: Path, file: Path, conditions: tuple[str, ...], *, known: bool = True, image: str = ""
) -> RunDir:
    """An examination's; `known`: what the model was trained on; image: the name of a file in the place of its own."""
    with RunDir.create(path, "sight", Asked(run=model, questions=file)) as run:
        for number, condition in enumerate(conditions):
            value = 0.8 - 0.2 * number
            run.result(f"accuracy/{condition}", value, stderr=0.03, **ends(value, 0.06), level=0.95, n=200)
        run.result("chance", 0.25, n=200)
        run.result("questions", 200)
        shares = (
            {"contamination/exact": 0.0, "contamination/near": 0.035, "contamination/too_plain": 41} if known else {}
        )
        for name, value in shares.items():
            run.result(name, value)
        for number in range(8):
            files = {"image": drawn(run, f"example-{number:02d}.png"), "attention": drawn(run, f"at-{number:02d}.png")}
            files |= {"image": image} if image else {}
            right = {one: float((number + place) % 2) for place, one in enumerate(conditions)}
            run.sample(step=0, id=f"{number}", prompt="Describe the picture.", shown=f"circle {number}",
                       completion=dict.fromkeys(conditions, NASTY), scores=right, **files)  # fmt: skip
        run.finish()
    return run


def drawn(run: RunDir, name: str) -> str:
    """A small PNG among the artifacts."""
    data = io.BytesIO()
    Image.new("RGB", (4, 4), (200, 30, 30)).save(data, "PNG")
    run.artifact(name).write_bytes(data.getvalue())
    return f"artifacts/{name}"
