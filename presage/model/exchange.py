"""Models to and from Hugging Face directories, with the same logits and, there and back, the same bytes."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from torch import Tensor

from presage.core.config import Config
from presage.core.errors import PresageError, RunError
from presage.core.run import RunDir, atomic_write, sha256
from presage.data.attempt import attempt
from presage.data.bpe import Tokenizer
from presage.model.config import ModelConfig
from presage.model.hf_framing import (
    CHAT,
    GENERATION,
    as_json,
    end_of_text,
    framing,
    is_ours,
    kept_files,
    plain_framing,
    read_object,
    template_of,
)
from presage.model.hf_tensors import tensors_from_hf, tensors_to_hf
from presage.model.hf_weights import INDEX, SHARD_SIZE, in_bytes, read_weights, weight_files, write_weights
from presage.model.huggingface import FAMILIES, config_from_hf, config_to_hf, family_of
from presage.model.model_card import UNKNOWN, card
from presage.model.transformer import Transformer
from presage.model.vision_files import write_vision
from presage.model.weights import (
    MODEL_FILE,
    check_shapes,
    filled,
    load_writer,
    model_tensors,
    write_manifest,
    write_tensors,
)

__all__ = ["INDEX", "ImportConfig", "export_hf", "import_hf", "load_hf", "weight_files", "write_hf"]


class ImportConfig(Config):
    """The config of an import run: the model, and what it was read from."""

    model: ModelConfig
    source: dict[str, str]
    """{file of the Hugging Face directory: sha256}."""
    template: Literal["chat"] | None = None
    """chat: its chat template is ours. A foreign one is kept in artifacts/."""


def export_hf(
    run: Path | str,
    out: Path | str,
    step: int | None = None,
    *,
    shard_size: str = SHARD_SIZE,
    licence: str = UNKNOWN,
) -> Path:
    """Write a run's model for transformers, vLLM and whatever reads their format; returns `out`.

    config.json, generation_config.json, model.safetensors (fp32, above `shard_size` in shards), tokenizer.json,
    tokenizer_config.json with the chat template, README.md; of a model that sees, those of its trunk, with
    vision.safetensors and vision_config.json beside them. Raises ConfigError when no Hugging Face class computes this
    model (GPT-3's banded layers) or it writes nothing (a reward's), RunError when `out` is not empty; then nothing
    is written.
    """
    most = in_bytes(shard_size)
    model, tokenizer = load_writer(run, step)
    kind = FAMILIES[family_of(model.config)].architecture
    texts = framing(Path(run), tokenizer, model.config)
    template = template_of(texts, run)
    words = _TEMPLATES[template is not None, is_ours(template, tokenizer)]
    texts["README.md"] = card(Path(run), model.config, kind, licence, words)
    return write_hf(model, tokenizer, out, texts=texts, shard_bytes=most)


_TEMPLATES = {
    (False, False): "It goes on with text, and has no chat template.",
    (True, True): "Its chat template is the one that it was trained with.",
    (True, False): "Its chat template is the one that came with the model it was read from.",
}


def write_hf(
    model: Transformer,
    tokenizer: Path,
    out: Path | str,
    *,
    texts: dict[str, str] | None = None,
    shard_bytes: int | None = None,
) -> Path:
    """As `export_hf`, of a model with the tokenizer.json that belongs to it. texts: {file: text} beside them."""
    out = Path(out)
    config = config_to_hf(model.config)
    if not out.name:
        raise RunError("a directory without a name of its own", where=out, hint="choose a new directory")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError("already there and not empty", where=out, hint="choose another directory")
    texts = plain_framing(tokenizer, model.config) if texts is None else texts
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        nearby = Path(tempfile.mkdtemp(prefix=f"{out.name}.", suffix=".tmp", dir=out.parent))
    except OSError as error:
        raise RunError(f"cannot write: {error.strerror or error}", where=out) from None
    temporary = nearby / out.name
    try:
        temporary.mkdir()
        said = json.loads(texts[GENERATION])
        ids = {key: said[key] for key in ("bos_token_id", "eos_token_id") if key in said}
        (temporary / "config.json").write_text(as_json(config | ids), encoding="utf-8")
        for name, text in texts.items():
            (temporary / name).write_text(text, encoding="utf-8")
        shutil.copyfile(tokenizer, temporary / "tokenizer.json")
        weights = tensors_to_hf(model_tensors(model), model.config)
        write_weights(temporary, weights, shard_bytes or in_bytes(SHARD_SIZE))
        write_vision(model, temporary)
        temporary.replace(out)
    except OSError as error:
        raise RunError(f"cannot write: {error.strerror or error}", where=out) from None
    finally:
        shutil.rmtree(nearby, ignore_errors=True)
    return out


def import_hf(source: Path | str, out: Path | str) -> RunDir:
    """A Hugging Face directory as a run of stage "import": checkpoint 0, tokenizer, parameter counts.

    Reads config.json, tokenizer.json and model.safetensors (or its shards); weights become fp32. Raises ConfigError
    naming every key of config.json and every tensor that we cannot honour, RunError for a missing file, CorruptError
    for a damaged one; then `out` is left as it was.
    """
    source, out = Path(source), Path(out)
    config, tensors, files = _open(source)
    check_shapes(config, tensors, source)
    kept = kept_files(source, config)
    files |= {name: source / name for name in kept}
    template = template_of(kept, source)
    ours = is_ours(template, files["tokenizer.json"])
    digests = {name: sha256(path) for name, path in files.items()}
    written = ImportConfig(model=config, source=digests, template="chat" if ours else None)
    with attempt(out, "import", written, seed=0, resume=False) as run:
        folder = run.path / "checkpoints" / f"{0:08d}"
        folder.mkdir(parents=True)
        write_tensors(folder / MODEL_FILE, tensors)
        write_manifest(folder)
        with atomic_write(run.artifact("tokenizer.json")) as file:
            file.write(files["tokenizer.json"].read_bytes())
        for name, text in kept.items():
            with atomic_write(run.artifact(name)) as file:
                file.write(text.encode())
        run.result("tokenizer", "read" if _is_read(files["tokenizer.json"]) else "foreign")
        run.result("chat_template", "none" if template is None else CHAT if ours else "foreign")
        run.result("n_params", config.n_params, unit="parameters")
        run.result("n_params_non_embedding", config.n_params_non_embedding, unit="parameters")
    return RunDir.open(out, "import")


def _is_read(tokenizer: Path) -> bool:
    """Whether the stages read it."""
    try:
        return Tokenizer.load(tokenizer).eot >= 0
    except PresageError:
        return False


def load_hf(source: Path | str) -> Transformer:
    """The model of a Hugging Face directory in fp32, in evaluation mode.

    Nothing is written and no code of the directory is run. Raises as `import_hf` does.
    """
    source = Path(source)
    config, tensors, _ = _open(source)
    return filled(config, tensors, source)


def _open(source: Path) -> tuple[ModelConfig, dict[str, Tensor], dict[str, Path]]:
    """Config, our tensors, and the files they are from."""
    files = {name: source / name for name in ("config.json", "tokenizer.json", *weight_files(source))}
    for path in files.values():
        if not path.is_file():
            raise RunError("missing file", where=path, hint=_HINTS.get(path.name))
    config = config_from_hf(read_object(files["config.json"]), files["config.json"])
    end_of_text(files["tokenizer.json"], config)
    return config, tensors_from_hf(read_weights(source), config, source), files


_HINTS = {
    "tokenizer.json": "write it with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
    MODEL_FILE: "pickled weights are not read; write it with transformers: model.save_pretrained(DIR)",
}
