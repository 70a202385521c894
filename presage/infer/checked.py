"""Opening a Hugging Face directory with transformers: in silence, and only where its weights are all of the model's.

transformers gives parameters that the files do not hold numbers by chance, leaves aside tensors that the model has no
place for, and says so in a report. Here either is an error. What it knows to be harmless (a head tied to the embedding,
buffers that follow from the config) it does not count.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from presage.core.errors import ConfigError, CorruptError, PresageError
from presage.core.files import read_json

_BUFFER = re.compile(r"(attn|attention)\.(bias|masked_bias)$|rotary_emb\.inv_freq$")
_NAMED = 5
_TOO_MANY = 16  # times the numbers there are
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers", "decoder_layers")
"""Where a config.json says how many layers there are."""


@contextmanager
def quiet() -> Iterator[None]:
    """Bars, reports and warnings of transformers are not shown meanwhile; afterwards all is as it was."""
    import transformers

    theirs: Any = transformers.utils.logging
    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(logging.CRITICAL + 1)
    theirs.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()


@contextmanager
def one_line(what: str, folder: Path, reason: str = "") -> Iterator[None]:
    """Whatever a foreign architecture raises as a ConfigError of one line; our own errors as they are."""
    try:
        yield
    except PresageError:
        raise
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigError(f"transformers cannot {what}: {first:.200}{reason}", where=folder) from None


def _auto() -> tuple[Any, Any]:
    """AutoConfig and AutoModelForCausalLM."""
    import transformers

    return transformers.AutoConfig, transformers.AutoModelForCausalLM


def open_checked(folder: Path, files: Sequence[Path], reason: str = "") -> Any:
    """AutoModelForCausalLM of a directory, in fp32 and for evaluation, whose tensors are in `files`.

    reason: why our own engine does not open it, said behind what transformers says. Raises ConfigError naming tensors
    that are missing, of another shape or of no place in the model, and where transformers cannot open it.
    """
    configs, models = _auto()
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with quiet(), one_line("open this model", folder, reason):
        tensors, numbers = _held(files)
        _check_layers(folder, tensors)
        _check_size(configs.from_pretrained(folder, **options), folder, numbers)
        options |= {"use_safetensors": True, "output_loading_info": True, "ignore_mismatched_sizes": True}
        model, told = models.from_pretrained(folder, dtype=torch.float32, **options)
        _check(told, folder)
        return model.train(False)


def _check_layers(folder: Path, tensors: int) -> None:
    """Refuse more layers than there are tensors; of so many even a config takes for ever to be read."""
    data = read_json(folder / "config.json")
    parts = [data, *data.values()] if isinstance(data, dict) else []
    told = [part.get(name) for part in parts if isinstance(part, dict) for name in LAYERS]
    most = max((one for one in told if isinstance(one, int)), default=0)
    if most > tensors:
        raise ConfigError(f"{most:,} layers by its config, but {tensors:,} tensors in its weights", where=folder)


def _check_size(config: Any, folder: Path, numbers: int) -> None:
    """Refuse what a damaged config makes enormous, before it is built; quantised files hold several numbers in one."""
    with torch.device("meta"):
        model = _auto()[1].from_config(config)
    parameters = sum(one.numel() for one in model.parameters())
    if parameters > _TOO_MANY * numbers:
        what = f"{parameters:,} parameters by its config, but {numbers:,} in its weights"
        raise ConfigError(what, where=folder, hint="the config or the weights are of another model")


def _held(files: Sequence[Path]) -> tuple[int, int]:
    """How many tensors the files hold, and how many numbers. Raises CorruptError."""
    tensors = numbers = 0
    for path in files:
        try:
            with safe_open(path, framework="pt") as file:
                shapes = [file.get_slice(name).get_shape() for name in file.keys()]  # noqa: SIM118 - it is no mapping
        except (SafetensorError, OSError) as error:
            raise CorruptError(f"not a whole safetensors file: {error}", where=path) from None
        tensors, numbers = tensors + len(shapes), numbers + sum(torch.Size(shape).numel() for shape in shapes)
    return tensors, numbers


def _check(told: dict[str, Any], folder: Path) -> None:
    """Raises ConfigError where the weights are not the model's."""
    kinds = {
        "missing": told["missing_keys"],
        "unexpected": {name for name in told["unexpected_keys"] if not _BUFFER.search(name)},
        "of another shape": {name for name, *_ in told["mismatched_keys"]},
    }
    wrong = [f"{kind} {_names(names)}" for kind, names in kinds.items() if names]
    if wrong:
        hint = "the config or the weights are of another model"
        raise ConfigError(f"tensors are not the model's: {'; '.join(wrong)}", where=folder, hint=hint)


def _names(names: set[str]) -> str:
    shown, more = sorted(names)[:_NAMED], len(names) - _NAMED
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
