"""Models as runs that export reads, and as files for llama.cpp."""

from __future__ import annotations

import json
from pathlib import Path
from pydoc_data.topics import topics

from presage.data.bpe import Tokenizer
from presage.model.gguf_export import export_gguf
from presage.model.transformer import Transformer
from presage.model.weights import MODEL_FILE, model_tensors, write_manifest, write_tensors

VOCAB = 1024


def as_run(model: Transformer, folder: Path, tokenizer: str) -> Path:
    """As much of a run directory as export reads."""
    place = folder / "checkpoints" / "00000000"
    place.mkdir(parents=True)
    write_tensors(place / MODEL_FILE, model_tensors(model))
    write_manifest(place)
    (folder / "artifacts").mkdir()
    (folder / "artifacts" / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    said = {"stage": "pretrain", "schema": 1, "config": {"model": model.config.model_dump(mode="json")}}
    (folder / "config.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def export(model: Transformer, folder: Path, kind: str) -> Path:
    """A GGUF file of this kind in a folder that is empty. Its tokenizer was trained for a moment: most of the ids stand
    for nothing."""
    tokenizer = Tokenizer.train([*topics.values()][:20], VOCAB)
    file = folder / f"{kind}.gguf"
    export_gguf(as_run(model, folder / "run", tokenizer.to_json()), file, kind)
    return file
