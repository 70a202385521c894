"""Models of others and for others: import and export."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from presage.cli.grammar import MODELS, Place, app, emit


@app.command(group=MODELS)
def export(run: Path, /, *, to: Literal["hf"] = "hf", out: Place) -> None:
    """Write a trained run as a directory that transformers loads.

    An encoder of images goes beside the trunk, in a format of its own: docs/vision-format.md.

    Parameters
    ----------
    run
        A run that has a model.
    to
        The format.
    out
        The directory to write.
    """
    from presage.model import exchange

    exchange.export_hf(run, out)
    emit([str(out)])


@app.command(name="import", group=MODELS)
def import_(directory: Path, /, *, out: Place) -> None:
    """Read a transformers directory (GPT-1, GPT-2, Llama or Qwen3 shapes) into a run.

    Parameters
    ----------
    directory
        The directory with config.json and model.safetensors.
    out
        The run directory to write.
    """
    from presage.model import exchange

    exchange.import_hf(directory, out)
    emit([str(out)])
