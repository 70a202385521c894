"""A model as a file for llama.cpp, with a tokenizer trained for a moment: most of the ids stand for nothing."""

from __future__ import annotations

import json
from pathlib import Path
from pydoc_data.topics import topics

from presage.data.bpe import Tokenizer
from presage.model.gguf_export import export_gguf
from presage.model.transformer import Transformer
from presage.model.weights import MODEL_FILE, model_tensors, write_manifest, write_tensors

VOCAB = 1024


def export(model: Transformer, folder: Path, kind: str) -> Path:
    """A GGUF file of this kind in a folder that is empty."""
    place = folder / "run" / "checkpoints" / "00000000"
    place.mkdir(parents=True)
    write_tensors(place / MODEL_FILE, model_tensors(model))
    write_manifest(place)
    artifacts = folder / "run" / "artifacts"
    artifacts.mkdir()
    tokenizer = Tokenizer.train([*topics.values()][:20], VOCAB)
    (artifacts / "tokenizer.json").write_text(tokenizer.to_json())
    said = {"stage": "pretrain", "schema": 1, "config": {"model": model.config.model_dump(mode="json")}}
    (folder / "run" / "config.json").write_text(json.dumps(said))
    file = folder / f"{kind}.gguf"
    export_gguf(folder / "run", file, kind)
    return file
