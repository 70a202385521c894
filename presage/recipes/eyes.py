"""Eyes for a base model: pictures drawn with questions, an encoder in front of the base, and what it then sees.

questions/…/KIND.jsonl  drawn from the seed: to learn from, and others to be examined on
images                  the first of them as ids and pixels
vision                  the base with an encoder, both trained on them, with text of the base's own mixed in
sight-KIND              questions held out, asked with their pictures and without
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from presage.core.run import RunDir
from presage.data.bpe import Tokenizer
from presage.data.chat import encoded
from presage.data.drawing.kinds import questions
from presage.data.images import shards as images_stage
from presage.data.images.grid import Grid
from presage.data.images.parts import Picture
from presage.data.images.question import Question, read_questions, write_questions
from presage.data.images.reading import read_image
from presage.data.verbs import shown
from presage.evaluate import sight as sight_stage
from presage.model.config import VisionConfig
from presage.recipes.kept import same
from presage.train import vision as vision_stage
from presage.train.optim import OptimConfig

SHARES = {"digits": 0.4, "counting": 0.6}
KINDS = tuple(SHARES)
IMAGES, FEW_IMAGES = 10_000, 48
"""Pictures to learn from, of all kinds together; the last where the demo is short."""
ASKED, FEW_ASKED = 200, 8
"""Questions of each kind that are held out."""
MINUTES = 3.0
"""What all of it takes on two cores, about."""
GRID = Grid(patch=8, merge=2, most_tokens=64)
ENCODER = VisionConfig(**GRID.model_dump(), n_layers=2, d_model=128, n_heads=4, d_ff=336, d_project=256)
TEXT_SHARE = 0.25
"""Rows of the base's own text: it is not to be forgotten."""
TRUNK_RATE = 0.3
"""For the same reason: what the trunk is trained at of the encoder's rates."""
LONGEST = 80
"""Tokens of an answer, where the context has room for them."""
KEPT = 200_000
"""Tokens between checkpoints: a kill costs seconds."""
CONDITIONS: tuple[sight_stage.Condition, ...] = ("vision", "no-vision")
"""In words such pictures are longer than the demo's context."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything. The short ones walk every stage and reach nothing."""

    images: int = IMAGES
    asked: int = ASKED
    batch_rows: int = 16
    eval_tokens: int = 16_384


WHOLE = Sizes()
SHORT = Sizes(FEW_IMAGES, FEW_ASKED, eval_tokens=2_048)


def chain(base: Path, out: Path, seed: int, short: bool, tokens: Path) -> dict[str, RunDir]:
    """Walk every stage below `out`; what is finished is kept. Returns {stage's name: its run}; those of the
    examinations are KINDS.

    base: a run with a model of text; tokens: its shards. Raises RunError where `out` holds another such chain.
    """
    sizes = SHORT if short else WHOLE
    shown_to = drawn(out / "questions", "train", _counts(sizes.images), seed)
    asked = drawn(out / "questions", "test", dict.fromkeys(KINDS, sizes.asked), seed)
    images = same(images_stage, lambda: images_config(tokens, shown_to, seed), out / "images")
    vision = same(vision_stage, lambda: vision_config(base, images.path, tokens, seed, sizes), out / "vision")
    sights = {
        kind: same(sight_stage, partial(sight_config, vision.path, file, seed), out / f"sight-{kind}")
        for kind, file in zip(KINDS, asked, strict=True)
    }
    return {"images": images, "vision": vision} | sights


def roles(runs: Mapping[str, RunDir]) -> dict[str, Any]:
    """What a report calls these runs."""
    sights = tuple(runs[kind].path for kind in KINDS if kind in runs)
    return {"vision": runs["vision"].path, "sights": sights} if "vision" in runs else {}


def drawn(folder: Path, split: str, counts: Mapping[str, int], seed: int) -> list[Path]:
    """A file of so many questions for each kind, drawn where it is not there yet. Training shows the steps to the
    answers that have any: a small model counts by naming what it sees."""
    files = _files(folder, split, counts, seed)
    for (kind, count), file in zip(counts.items(), files, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.is_file():
            write_questions(file, questions(kind, count, seed, split), steps=split == "train")
    return files


def images_config(tokens: Path, files: Sequence[Path], seed: int) -> images_stage.Config:
    """In the ids of the base's shards; one in fifty held out."""
    return images_stage.Config(records=tuple(files), tokenizer=tokens, grid=GRID, held_out=0.02, seed=seed)


def vision_config(base: Path, images: Path, tokens: Path, seed: int, sizes: Sizes) -> vision_stage.Config:
    """Encoder and trunk together, the trunk at a lower rate: it has its text to lose."""
    return vision_stage.Config(
        images=(images,),
        base=base,
        vision=ENCODER,
        batch_rows=sizes.batch_rows,
        micro_batch=sizes.batch_rows,
        shards=tokens,
        text_share=TEXT_SHARE,
        trunk_rate=TRUNK_RATE,
        optim=OptimConfig(lr=0.01, adam_lr=0.004),
        checkpoint_every=KEPT,
        eval_tokens=sizes.eval_tokens,
        seed=seed,
    )


def sight_config(run: Path, file: Path, seed: int) -> sight_stage.Config:
    """As long answers as the longest question leaves room for."""
    return sight_stage.Config(
        run=run, questions=file, conditions=CONDITIONS, max_tokens=_room(run, list(read_questions(file))), seed=seed
    )


# ---- the same, stage by stage ---------------------------------------------------------------------------------------

DEMO, HERE = Path("runs/demo"), Path("runs/demo/eyes")


def images() -> images_stage.Config:
    """Of the demo's drawings; for records of your own: records=[…] tokenizer=…"""
    return images_config(DEMO / "shards", _files(HERE / "questions", "train", _counts(IMAGES), 0), 0)


def vision() -> vision_stage.Config:
    """Of the demo's target; for a base and images of your own: base=… images=[…] shards=…"""
    return vision_config(DEMO / "target", HERE / "images", DEMO / "shards", 0, WHOLE)


def _counts(images: int) -> dict[str, int]:
    return {kind: round(share * images) for kind, share in SHARES.items()}


def _files(folder: Path, split: str, counts: Mapping[str, int], seed: int) -> list[Path]:
    place = folder / f"{split}-{sum(counts.values())}-of-seed-{seed}"
    return [place / f"{kind}.jsonl" for kind in counts]


def _room(run: Path, asked: Sequence[Question]) -> int:
    """Tokens that the context has left after the longest of the questions, LONGEST at most."""
    context = RunDir.open(run, "vision").read_json("config.json")["config"]["model"]["context_length"]
    tokenizer = Tokenizer.load(run)
    longest = max(len(encoded(tokenizer, (shown("user", one.prompt),), _places)[0]) for one in asked)
    return int(max(1, min(LONGEST, context - longest)))


def _places(picture: Picture) -> list[int]:
    """As many ids as a picture takes."""
    image = read_image(picture.data)
    return [-1] * GRID.tokens(*GRID.size(image.height, image.width))
