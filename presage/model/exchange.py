"""Models to and from Hugging Face directories, with the same logits and, there and back, the same bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from torch import Tensor

from presage.core.config import Config
from presage.core.errors import CorruptError, RunError
from presage.core.run import RunDir, atomic_write, sha256
from presage.data.attempt import attempt
from presage.data.bpe import EOT
from presage.model.config import ModelConfig
from presage.model.hf_tensors import tensors_from_hf, tensors_to_hf
from presage.model.huggingface import NotOurs, config_from_hf, config_to_hf
from presage.model.transformer import Transformer
from presage.model.vision_files import write_vision
from presage.model.weights import (
    MODEL_FILE,
    check_shapes,
    filled,
    load_run,
    model_tensors,
    read_tensors,
    write_manifest,
    write_tensors,
)

INDEX = "model.safetensors.index.json"


class ImportConfig(Config):
    """The config of an import run: the model, and what it was read from."""

    model: ModelConfig
    source: dict[str, str]
    """{file of the Hugging Face directory: sha256}."""


def export_hf(run: Path | str, out: Path | str, step: int | None = None) -> Path:
    """Write a run's model for transformers, vLLM and whatever reads their format; returns `out`.

    config.json, generation_config.json, model.safetensors (fp32), tokenizer.json, tokenizer_config.json; of a model
    that sees, those of its trunk, with vision.safetensors and vision_config.json beside them. Raises ConfigError when
    no Hugging Face class computes this model (GPT-3's banded layers), RunError when `out` is not empty; either way
    nothing is written.
    """
    model, tokenizer = load_run(run, step)
    return write_hf(model, tokenizer, out)


def write_hf(model: Transformer, tokenizer: Path, out: Path | str) -> Path:
    """As `export_hf`, of a model with the tokenizer.json that belongs to it."""
    out = Path(out)
    config = config_to_hf(model.config)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError("already there and not empty", where=out, hint="choose another directory")
    eot = _eot(tokenizer, model.config)
    framing = {"bos_token_id": eot, "eos_token_id": eot}
    temporary = out.with_name(out.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        _write_json(temporary / "config.json", config | framing)
        _write_json(temporary / "generation_config.json", framing)
        _write_json(temporary / "tokenizer_config.json", _tokenizer_config(model.config, eot))
        shutil.copyfile(tokenizer, temporary / "tokenizer.json")
        write_tensors(temporary / MODEL_FILE, tensors_to_hf(model_tensors(model), model.config))
        write_vision(model, temporary)
        temporary.replace(out)
    except OSError as error:
        raise RunError(f"cannot write: {error.strerror or error}", where=out) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
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
    written = ImportConfig(model=config, source={name: sha256(path) for name, path in files.items()})
    with attempt(out, "import", written, seed=0, resume=False) as run:
        folder = run.path / "checkpoints" / f"{0:08d}"
        folder.mkdir(parents=True)
        write_tensors(folder / MODEL_FILE, tensors)
        write_manifest(folder)
        with atomic_write(run.artifact("tokenizer.json")) as file:
            file.write(files["tokenizer.json"].read_bytes())
        run.result("n_params", config.n_params, unit="parameters")
        run.result("n_params_non_embedding", config.n_params_non_embedding, unit="parameters")
    return RunDir.open(out, "import")


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
    config = config_from_hf(_read_json(files["config.json"]), files["config.json"])
    _eot(files["tokenizer.json"], config)
    return config, tensors_from_hf(_read_all([files[name] for name in weight_files(source)]), config, source), files


_HINTS = {
    "tokenizer.json": "write it with transformers: AutoTokenizer.from_pretrained(DIR).save_pretrained(DIR)",
    MODEL_FILE: "pickled weights are not read; write it with transformers: model.save_pretrained(DIR)",
}


def weight_files(source: Path) -> list[str]:
    """model.safetensors, or the shards its index lists. Raises CorruptError for an index that lists none."""
    if (source / MODEL_FILE).is_file() or not (source / INDEX).is_file():
        return [MODEL_FILE]
    shards = _read_json(source / INDEX).get("weight_map")
    names = sorted(set(shards.values())) if isinstance(shards, dict) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise CorruptError("its weight_map does not list files beside it", where=source / INDEX)
    return names


def _read_all(paths: list[Path]) -> dict[str, Tensor]:
    return {name: tensor for path in paths for name, tensor in read_tensors(path).items()}


def _eot(tokenizer: Path, config: ModelConfig) -> int | None:
    """Id of <|endoftext|>, if the tokenizer has one. Refuses a tokenizer with ids that the model does not have."""
    state = _read_json(tokenizer)
    try:
        added = {str(token["content"]): int(token["id"]) for token in state.get("added_tokens", [])}
        last = max([*state["model"]["vocab"].values(), *added.values()])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CorruptError("not a tokenizer.json of the `tokenizers` library", where=tokenizer) from None
    if last >= config.vocab_size:
        raise NotOurs(f"token id {last} is outside the model's vocabulary of {config.vocab_size}", where=tokenizer)
    return added.get(EOT)


def _tokenizer_config(config: ModelConfig, eot: int | None) -> dict[str, Any]:
    framing = {} if eot is None else {"bos_token": EOT, "eos_token": EOT}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.context_length,
        "clean_up_tokenization_spaces": False,
    } | framing


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise CorruptError(f"not readable as JSON: {error}", where=path) from None
    if not isinstance(data, dict):
        raise CorruptError("not a JSON object", where=path)
    return data


def _write_json(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
