"""What the page is told of a model: its size, what it was trained on, and what it can do, all read from its run.

Where a parent has moved away since, what it would have told is left out.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from presage.core.errors import PresageError
from presage.core.look import recorded
from presage.core.run import FILE, RunDir
from presage.infer.asking import Asking
from presage.model.transformer import Transformer
from presage.serve.page.prompts import prompts

BASE = (
    "This model goes on with a text; it was not trained on conversations. Asked as in a conversation it is shown a "
    "transcript, and may well not answer."
)
FOLLOWED = ("base", "policy")
"""Roles of the run that a run began with."""


def facts(id: str, model: Transformer | None, asking: Asking, path: Path | None) -> dict[str, Any]:
    """Of one that is served as `id`. model: where it is one of ours; path: its run, where it is one."""
    run = RunDir(path) if path is not None else None
    chat = asking.talks
    vision = model is not None and model.config.vision is not None
    return {
        "id": id,
        "name": id,
        "chat": chat,
        "sees": vision and asking.chat is not None,
        "context_length": asking.context,
        "note": "" if chat else BASE,
        "facts": [[name, value] for name, value in _facts(model, asking, run) if value],
        "prompts": prompts(run) if run is not None else [],
    }


def run_of(spec: str) -> Path | None:
    """Where the run lies that DIR or DIR@STEP names; None of hf:DIR."""
    path = Path(spec)
    return None if spec.startswith("hf:") else path if path.is_dir() else Path(spec.rpartition("@")[0])


def _facts(model: Transformer | None, asking: Asking, run: RunDir | None) -> Iterator[tuple[str, str]]:
    yield "Parameters", counted(model.config.n_params) if model is not None else ""
    yield "Context", f"{asking.context:,} tokens"
    if run is None:
        yield "From", "a Hugging Face directory; what it was trained on is not written there"
        return
    yield "Made by", f"presage {run.stage}"
    yield from zip(itertools.chain(["Trained on"], itertools.repeat("then on")), trained_on(run), strict=False)
    yield "Held-out loss", _loss(run)


def _loss(run: RunDir) -> str:
    found = run.results().get("val/bpb", {}).get("value")
    return f"{found:.3f} bits per byte" if isinstance(found, float) else ""


def counted(number: float) -> str:
    """1194960 -> "1.19 million"."""
    for size, name in ((1e9, " billion"), (1e6, " million")):
        if number >= size:
            return f"{number / size:.3g}{name}"
    return f"{number:,.0f}"


# ---- what it was trained on ------------------------------------------------------------------------------------------


def trained_on(run: RunDir) -> list[str]:
    """One line for each training, the first one first."""
    try:
        parents = {role: (path, known) for role, path, known in recorded(run)}
        before = [line for role in FOLLOWED if role in parents for line in trained_on(RunDir(parents[role][0]))]
        return before + [line for line in (_own(run, parents),) if line]
    except (PresageError, OSError, KeyError, TypeError, ValueError, IndexError, AttributeError):
        return []  # moved away, or not as presage writes it


def _own(run: RunDir, parents: dict[str, tuple[Path, dict[str, str]]]) -> str:
    results: dict[str, Any] = {name: one.get("value") for name, one in run.results().items()}
    files = [path.name for role, (path, known) in parents.items() if known["stage"] == FILE and "held_out" not in role]
    if run.stage == "pretrain":
        return f"{counted(results['tokens'])} tokens of {_corpus(parents['shards'][0])}"
    if run.stage == "sft":
        return f"{counted(results['demonstrations'])} demonstrations ({', '.join(files)})"
    if run.stage == "rl":
        return f"rewards for {counted(results['episodes'])} of its own answers ({', '.join(files)})"
    if run.stage == "vision":
        return f"{counted(results['documents'])} documents with images"
    return ""


def _corpus(shards: Path) -> str:
    """Of the corpus that shards were made of."""
    run = RunDir(shards)
    place = next((path for role, path, _ in recorded(run) if role == "corpus"), None)
    if place is None or not (place / "config.json").is_file():
        return "text"
    corpus = RunDir(place)
    names = [str(one["name"]) for one in corpus.read_object("config.json", config=dict)["config"]["sources"]]
    size, count = corpus.value("train/bytes"), corpus.value("train/documents")
    return f"{', '.join(names)} ({size / 1e6:,.1f} MB in {count:,} documents)"
