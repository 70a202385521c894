"""lm-evaluation-harness's own Hugging Face backend on a directory, on the CPU, without a network."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any


def backend(folder: Path, batch_size: int) -> Any:
    """Its HFLM on the model of `folder`, in float32."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _accelerate():
        from lm_eval.models.huggingface import HFLM
    model = AutoModelForCausalLM.from_pretrained(folder, dtype="float32", local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)


@contextmanager
def _accelerate() -> Iterator[None]:
    """The backend imports four names of accelerate, and uses none of them for a model that is already loaded. Where it
    is not installed, names that do nothing stand in for them during the import."""
    if importlib.util.find_spec("accelerate") is not None:
        yield
        return
    names = {"accelerate": ("Accelerator", "InitProcessGroupKwargs"), "accelerate.utils": ("get_max_memory",)}
    for name, unused in names.items():
        module = ModuleType(name)
        module.__dict__.update(dict.fromkeys(unused), find_executable_batch_size=None)
        sys.modules[name] = module
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
