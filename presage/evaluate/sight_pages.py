"""Questions with their images, answers and, of a model of ours, where it looked: what a person can judge by eye."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from PIL import Image

from presage.core.errors import ConfigError
from presage.core.run import RunDir, atomic_write
from presage.data.chat import opened
from presage.data.images.parts import pictures
from presage.data.images.question import Question
from presage.data.images.reading import read_image
from presage.data.verbs import LanguageModel, shown
from presage.infer.local import LocalModel
from presage.infer.looking import Look
from presage.infer.own import OwnEngine
from presage.model.attending import attention_of_last

ZOOM = 240
"""Pixels that the longer side of a picture of attention has at least."""
DARKEST = 0.25
"""What is left of the light where nothing is looked at."""


def write_examples(
    directory: RunDir,
    model: LanguageModel,
    questions: Sequence[Question],
    said: Mapping[str, Sequence[str]],
    scores: Mapping[str, Sequence[float]],
) -> None:
    """samples.jsonl, a line for each of the first questions, and its first image as artifacts/example-N.png, with
    attention-N.png beside it."""
    (directory.path / "samples.jsonl").unlink(missing_ok=True)  # of a run that was killed here
    for number, question in enumerate(questions):
        files = _pictures(directory, model, question, number)
        asked = " ".join(part for part in question.prompt if isinstance(part, str))
        answers = {name: texts[number] for name, texts in said.items()}
        right = {name: values[number] for name, values in scores.items()}
        row = {"id": question.id, "prompt": asked, "shown": question.answer, "completion": answers, "scores": right}
        directory.sample(step=0, **row, **files)


def overlay(image: Image.Image, heat: np.ndarray) -> Image.Image:
    """An image lit where `heat` [rows, columns] of its grid is high, and dark where it is low."""
    zoom = max(1, round(ZOOM / max(image.size)))
    size = image.width * zoom, image.height * zoom
    light = heat / max(float(heat.max()), 1e-12)
    mask = Image.fromarray((255 * (DARKEST + (1 - DARKEST) * light)).astype(np.uint8))
    values = np.asarray(image.resize(size, Image.Resampling.NEAREST), np.float32)
    shade = np.asarray(mask.resize(size, Image.Resampling.BILINEAR), np.float32)[..., None] / 255
    return Image.fromarray((values * shade).astype(np.uint8))


def _pictures(directory: RunDir, model: LanguageModel, question: Question, number: int) -> dict[str, str]:
    """{what: file}: a question's first image, and where the model looked; nothing of a question without images."""
    images = pictures(question.prompt)
    if not images:
        return {}
    files = {"image": _save(directory, f"example-{number:02d}.png", read_image(images[0].data, question.id))}
    looked = _looked(model, question)
    if looked is not None:
        files["attention"] = _save(directory, f"attention-{number:02d}.png", looked)
    return files


def _looked(model: LanguageModel, question: Question) -> Image.Image | None:
    """Where the place before the answer attends in the first image: the mean over layers and heads."""
    if not isinstance(model, LocalModel) or not isinstance(model.engine, OwnEngine) or model.asking.chat is None:
        return None
    vision = model.engine.model.config.vision
    if vision is None:
        return None
    look = Look(model.engine)
    ids = opened(model.asking.chat, (shown("user", question.prompt),), look.see)
    try:
        weights = attention_of_last(look.seen().model, torch.tensor(ids)).mean(dim=(0, 1)).numpy()
    except ConfigError:
        return None
    first = pictures(question.prompt)[0]
    pixels = vision.fitted(read_image(first.data, question.id))
    rows, columns = pixels.shape[0] // vision.cell, pixels.shape[1] // vision.cell
    begin = ids.index(look.see(first)[0])
    return overlay(Image.fromarray(pixels), weights[begin : begin + rows * columns].reshape(rows, columns))


def _save(directory: RunDir, name: str, image: Image.Image) -> str:
    data = io.BytesIO()
    image.save(data, "PNG")
    with atomic_write(directory.artifact(name)) as file:
        file.write(data.getvalue())
    return f"artifacts/{name}"
