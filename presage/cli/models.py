"""Models of others and for others: import and export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from presage.cli.grammar import MODELS, Place, app, emit, warn
from presage.core.errors import ConfigError

Run = Annotated[Path, Parameter(help="a run that has a model")]


@app.command(group=MODELS)
def export(
    run: Run,
    /,
    *,
    to: Literal["hf", "gguf"] = "hf",
    out: Place,
    type: Literal["f32", "bf16", "q8_0"] | None = None,
    shard_size: str | None = None,
    license: str = "unknown",
) -> None:
    """Write a trained run for other engines: hf, a directory for transformers and vLLM; gguf, a file for llama.cpp.

    Tokenizer and chat template go with it; a directory also has a card of what the run's files say of the model. An
    encoder of images goes beside the trunk of a directory, in a format of its own. docs/exchange.md.

    Parameters
    ----------
    to
        The format.
    out
        The directory or the file to write.
    type
        gguf: how matrices are written, f32 by default.
    shard_size
        hf: above it, weights are in several files, 4GB by default.
    license
        What the card says; an identifier of spdx.org or of the hub.
    """
    if shard_size if to == "gguf" else type:
        raise ConfigError("--shard-size is of --to hf, --type of --to gguf", where="export")
    if to == "gguf":
        from presage.model.gguf_export import export_gguf

        kept = export_gguf(run, out, type or "f32", licence=license)
        warn([f"{len(kept)} matrices stay f32: their rows are not of whole blocks of 32"] if kept else [])
    else:
        from presage.model.exchange import export_hf
        from presage.model.hf_weights import SHARD_SIZE

        export_hf(run, out, shard_size=shard_size or SHARD_SIZE, licence=license)
    emit([str(out)])


@app.command(name="import", group=MODELS)
def import_(directory: Path, /, *, out: Place) -> None:
    """Read a transformers directory (GPT-1, GPT-2, Llama, Qwen2 or Qwen3 shapes) into a run.

    Parameters
    ----------
    directory
        The directory with config.json and model.safetensors.
    out
        The run directory to write.
    """
    from presage.model import exchange

    run = exchange.import_hf(directory, out)
    foreign = run.value("tokenizer") == "foreign"
    warn(["its tokenizer is none that the stages read; it can be exported, and examined as hf:DIR"] if foreign else [])
    emit([str(out)])
