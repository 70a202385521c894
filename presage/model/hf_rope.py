"""Rotary positions in Hugging Face's config.json: rope_theta, rope_scaling and transformers 5's rope_parameters."""

from __future__ import annotations

from typing import Any

from presage.model.config import ModelConfig
from presage.model.hf_errors import NotOurs

_ORIGINAL = {"factor": "factor", "original_max_position_embeddings": "original"}
_REQUIRED = {
    "llama3": _ORIGINAL | {"low_freq_factor": "low", "high_freq_factor": "high"},
    "yarn": _ORIGINAL,
}
_OPTIONAL = {"llama3": {}, "yarn": {"beta_slow": "slow", "beta_fast": "fast", "attention_factor": "attention"}}


def rope_to_hf(config: ModelConfig) -> dict[str, Any]:
    """rope_scaling in their terms, if there is any."""
    stretch = config.rope_scaling
    if stretch is None:
        return {}
    names = _REQUIRED[stretch.kind] | _OPTIONAL[stretch.kind]
    values = {key: getattr(stretch, ours) for key, ours in names.items()}
    return {"rope_scaling": {"rope_type": stretch.kind} | {k: v for k, v in values.items() if v is not None}}


def rope_from_hf(data: dict[str, Any], where: object) -> dict[str, Any]:
    """config.json with rope_theta at the top, and rope_scaling in our terms where there is one.

    transformers 5 writes rope_parameters, 4 wrote rope_theta and rope_scaling. Raises NotOurs naming what is neither
    Llama 3's scaling nor YaRN's.
    """
    data = {key: value for key, value in data.items() if value is not None or key not in _KEYS}
    given = [key for key in _KEYS if key in data]
    if not given:
        return data
    name, rope = given[0], data.pop(given[0])
    if len(given) > 1 or not isinstance(rope, dict):
        raise NotOurs(f"{' and '.join(given)} = {rope!r:.80} is not supported, only one object", where=where)
    said = {str(rope[key]) for key in ("rope_type", "type") if key in rope} or {"default"}
    rest = {key: value for key, value in rope.items() if key not in ("rope_type", "type") and value is not None}
    theta = rest.pop("rope_theta", data.get("rope_theta", 10_000.0))
    if data.get("rope_theta", theta) != theta:
        raise NotOurs(f"{name}={rope!r:.80} is not supported, only one rope_theta", where=where)
    data |= {"rope_theta": theta}
    if said == {"default"} and not rest:
        return data
    kind = " and ".join(sorted(said))
    if kind not in _REQUIRED:
        hint = f"supported: {', '.join(_REQUIRED)}"
        raise NotOurs(f"{name}={rope!r:.120} is not supported", where=where, hint=hint)
    return data | {"rope_scaling": {"kind": kind} | _read(name, kind, rest, where)}


_KEYS = ("rope_parameters", "rope_scaling")


def _read(name: str, kind: str, rest: dict[str, Any], where: object) -> dict[str, Any]:
    names = _REQUIRED[kind] | _OPTIONAL[kind]
    rest = {key: value for key, value in rest.items() if (key, value) != ("truncate", True)}  # YaRN's own default
    unknown = [f"{key}={value!r:.40}" for key, value in rest.items() if key not in names]
    missing = [key for key in _REQUIRED[kind] if key not in rest]
    flags = [f"{key}={value}" for key, value in rest.items() if isinstance(value, bool)]
    if unknown or missing or flags:
        wrong = [*unknown, *flags, *(f"missing key '{key}'" for key in missing)]
        raise NotOurs(f"{name} of {kind} that we cannot honour: {', '.join(wrong)}", where=where)
    return {names[key]: value for key, value in rest.items()}
