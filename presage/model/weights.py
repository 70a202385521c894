"""Weights on disk: safetensors under the names of our own modules, and the model in a run directory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from presage.core.errors import ConfigError, CorruptError, RunError
from presage.core.files import atomic_write, own_files, sha256
from presage.core.run import RunDir, load_config
from presage.data.vocabulary import tokenizer_of
from presage.model.config import ModelConfig
from presage.model.lora import Lora, merged
from presage.model.tensorfile import save_tensors
from presage.model.transformer import Transformer

MODEL_FILE = "model.safetensors"
SHARDS = "shards"
"""In its place, of ranks that share a model: a folder with a file of each."""
REWARD = "reward"
"""The stage whose models score and do not write."""

TIED = "head.weight"  # the same tensor as embed.weight when tied: written once, under the embedding's name


def model_tensors(model: Transformer) -> dict[str, Tensor]:
    """{our name: contiguous tensor, not a copy when it already is one}; a tied head is left out."""
    tensors = {name: tensor.detach().contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_embeddings:
        del tensors[TIED]
    return tensors


def load_tensors(model: Transformer, tensors: dict[str, Tensor], where: object = None) -> None:
    """Copy tensors into the model. Raises ConfigError naming the first missing, unknown or misshapen tensor."""
    own = model_tensors(model)
    for name in sorted(own.keys() - tensors.keys()):
        raise ConfigError(f"tensor '{name}' is missing", where=where, hint="these weights are of another model")
    for name in sorted(tensors.keys() - own.keys()):
        raise ConfigError(f"tensor '{name}' is not one of this model's", where=where)
    for name, target in own.items():
        if tensors[name].shape != target.shape:
            found, wanted = list(tensors[name].shape), list(target.shape)
            raise ConfigError(f"tensor '{name}' is {found}, the model's is {wanted}", where=where)
    with torch.no_grad():
        for name, parameter in model.state_dict().items():
            if name in tensors:
                parameter.copy_(tensors[name])


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """One .safetensors file, which appears only when whole. RunError when it cannot be written."""
    temporary = path.with_name(path.name + ".tmp")
    try:
        save_tensors(temporary, tensors, metadata={"format": "pt"})
        os.replace(temporary, path)
    except OSError as error:
        raise RunError(f"cannot write: {error}", where=path) from None
    finally:
        temporary.unlink(missing_ok=True)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Every tensor of a .safetensors file. CorruptError when it is damaged, RunError when it is missing."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise RunError("missing file", where=path) from None
    except (SafetensorError, OSError, ValueError) as error:
        raise CorruptError(f"not a whole safetensors file: {error}", where=path) from None


# ---- a model alone in a folder --------------------------------------------------------------------------------------


def save_model(model: Transformer, folder: Path) -> None:
    """folder/config.json, the ModelConfig, and folder/model.safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / MODEL_FILE, model_tensors(model))
    with atomic_write(folder / "config.json") as file:
        file.write(model.config.to_json().encode())


def load_model(folder: Path) -> Transformer:
    """The model that `save_model` wrote. Raises RunError, ConfigError or CorruptError naming the file."""
    if not (folder / "config.json").is_file():
        raise RunError("missing file", where=folder / "config.json")
    config = load_config(ModelConfig, folder / "config.json")
    return filled(config, read_tensors(folder / MODEL_FILE), folder / MODEL_FILE)


def filled(config: ModelConfig, tensors: dict[str, Tensor], where: object = None) -> Transformer:
    """A model of this shape with these weights, in evaluation mode; the global generator is left as it was.

    Raises ConfigError where the weights are of another shape, before anything of the config's size is built.
    """
    check_shapes(config, tensors, where)
    with torch.random.fork_rng(devices=[]):
        model = Transformer(config)
    load_tensors(model, tensors, where)
    return model.eval()


def check_shapes(config: ModelConfig, tensors: dict[str, Tensor], where: object = None) -> None:
    """As `load_tensors` would refuse them, at the cost of no memory whatever sizes a damaged config says."""
    held = sum(tensor.numel() for tensor in tensors.values())
    if config.n_params > _TOO_MANY * held:
        what = f"{config.n_params:,} parameters by its config, but {held:,} in its weights"
        raise ConfigError(what, where=where, hint="the config or the weights are of another model")
    if config.position == "rope" and config.context_length * config.d_head > _LONGEST:
        raise ConfigError(f"a context of {config.context_length:,} tokens is too long to be computed", where=where)
    with torch.device("meta"):  # a model without storage has shapes enough
        load_tensors(Transformer(config), {name: tensor.to("meta") for name, tensor in tensors.items()}, where)


_TOO_MANY = 8  # times the numbers there are: below, each tensor is compared and the wrong one named
_LONGEST = 1 << 31  # numbers in the tables of rotary positions


# ---- the model of a run ---------------------------------------------------------------------------------------------


def load_run(path: Path | str, step: int | None = None) -> tuple[Transformer, Path]:
    """The model of a run that has one, at `step` or its newest checkpoint, and the path of its tokenizer.json.

    The run need not be finished. The weights are verified against the checkpoint's MANIFEST. Raises RunError when the
    run, checkpoint or tokenizer is missing, CorruptError when the weights are damaged.
    """
    run = RunDir(Path(path))
    _check_is_run(run.path)
    written = run.read_object("config.json").get("config", {})
    if not isinstance(written, dict) or not isinstance(written.get("model"), dict):
        raise RunError("no model in this run", where=run.path, hint="give a pretrain or import run")
    config = ModelConfig.parse(written["model"], where=run.path / "config.json")
    file = verified(_with_model(checkpoint(run.path, step)), MODEL_FILE)
    tensors = read_tensors(file)
    if written.get("lora"):
        tensors = merged(tensors, Lora.parse(written["lora"], where=run.path / "config.json"))
    return filled(config, tensors, file), tokenizer_of(run.path)


def _check_is_run(path: Path) -> None:
    """RunError for a folder that is no run, naming those with a model below it."""
    if not path.is_dir():
        raise RunError("no such directory", where=path, hint="give a run that has a model")
    if not (path / "config.json").exists():
        below = {folder.parent for depth in ("*", "*/*") for folder in path.glob(f"{depth}/checkpoints")}
        named = ", ".join(str(folder.relative_to(path)) for folder in sorted(below)[:_NAMED])
        raise RunError(
            "missing file",
            where=path / "config.json",
            hint=f"runs with a model below: {named}" if named else "give a run that has a model",
        )


_NAMED = 8


def load_writer(path: Path | str, step: int | None = None) -> tuple[Transformer, Path]:
    """The same of a run whose model writes. Raises ConfigError for a model of rewards."""
    model, vocabulary = load_run(path, step)
    if RunDir(Path(path)).stage == REWARD:
        raise ConfigError("a model of rewards, which writes nothing", where=path, hint="give a run of sft or pretrain")
    return model, vocabulary


def checkpoint(run: Path, step: int | None = None) -> Path:
    """checkpoints/<step> of a run, by default the newest that has a MANIFEST. Raises RunError when there is none."""
    folders = {int(p.parent.name): p.parent for p in run.glob("checkpoints/*/MANIFEST") if p.parent.name.isdigit()}
    if not folders:
        published = (run / "OMITTED").is_file()
        hint = "its weights were left out when it was published: OMITTED lists them" if published else None
        raise RunError("no checkpoint", where=run / "checkpoints", hint=hint)
    wanted = max(folders) if step is None else step
    if wanted not in folders:
        known = ", ".join(map(str, sorted(folders)))
        raise RunError(f"no checkpoint of step {wanted}", where=run / "checkpoints", hint=f"there are: {known}")
    return folders[wanted]


def _with_model(folder: Path) -> Path:
    """Raises RunError for one that ranks have written in shards, and not the last of its run."""
    if (folder / SHARDS).is_dir() and not (folder / MODEL_FILE).is_file():
        hint = "that is in the last checkpoint: train on, with --resume"
        raise RunError("a checkpoint in shards, without the whole model", where=folder, hint=hint)
    return folder


def verified(folder: Path, name: str) -> Path:
    """The path of a file in a checkpoint whose content is what MANIFEST says. Raises CorruptError otherwise."""
    expected = manifest(folder).get(name)
    if expected is None:
        raise CorruptError(f"MANIFEST does not list {name}", where=folder)
    if not (folder / name).is_file() or sha256(folder / name) != expected:
        raise CorruptError("missing, or its content differs from MANIFEST", where=folder / name)
    return folder / name


def manifest(folder: Path) -> dict[str, object]:
    """{file: what its sha256 is to be} of a checkpoint; nothing of one without a MANIFEST that can be read."""
    try:
        files = json.loads((folder / "MANIFEST").read_text(encoding="utf-8"))["files"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return files if isinstance(files, dict) else {}


def write_manifest(folder: Path, digests: Mapping[str, str] = MappingProxyType({})) -> None:
    """Close a checkpoint: MANIFEST lists the sha256 of every other file, some of which may be known. Written last."""
    names = [p.relative_to(folder).as_posix() for p in own_files(folder)]
    files = {name: digests.get(name) or sha256(folder / name) for name in names if name != "MANIFEST"}
    with atomic_write(folder / "MANIFEST") as file:
        file.write((json.dumps({"files": files}, indent=2) + "\n").encode())
