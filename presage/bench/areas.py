"""What can be measured, by name; light, for the command line."""

from __future__ import annotations

from typing import Literal

Area = Literal["peaks", "training", "decoding", "prefill", "tokenizer", "scanner", "forecast"]
