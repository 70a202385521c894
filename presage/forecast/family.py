"""Forecast the largest member of a family of models from its small ones. Nothing is trained: all of them exist.

Each small member is examined on the same text (bits per UTF-8 byte, so tokenizers need not agree), the law of loss is
fitted to them, the largest member's loss is promised, and only then are its weights opened and the promise scored.

The axis is compute, 6 N D, where every member's training tokens D are known: from --tokens, or `training_tokens` in
config.json. Otherwise it is N, the parameters without embeddings, times one constant. That is no compute: it assumes
that tokens follow from size by one rule, all equal for instance. N squared would assume another rule and is not used.
"""

from __future__ import annotations

import csv
import hashlib
import importlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from presage.core.errors import ConfigError, CorruptError, DataError, RunError
from presage.core.files import atomic_write
from presage.core.run import note
from presage.data.documents import Bad, read_paths
from presage.forecast import law
from presage.forecast.warnings import warnings
from presage.model import decode
from presage.model.exchange import INDEX
from presage.model.hf_tensors import tensors_from_hf
from presage.model.huggingface import config_from_hf
from presage.model.weights import MODEL_FILE, filled, read_tensors

LEAST = 3
"""Sizes that are fitted; one more is forecast."""
LONGEST_WINDOW = 2048
"""Tokens; some families have contexts that no machine evaluates in one piece."""
OPTIMAL_TOKENS = 20
"""Tokens a parameter at compute-optimal size (Hoffmann et al. 2022). Only scales the axis N to the size of FLOPs, for
which the law's priors are written; a constant factor changes no curve."""
COLUMNS = ["model", "n_params", "n_params_non_embedding", "tokens", "compute", "bpb", "fitted"]

LogProbs = Callable[[Sequence[Sequence[int]]], list[Tensor]]
"""Windows of ids to log p of each id but the first, in nats."""


@dataclass(frozen=True)
class Member:
    """What a member's files say without its weights. Context in tokens; `tokens` it was trained on, where known."""

    path: Path
    n_params: int
    n_params_non_embedding: int
    context_length: int
    tokens: float | None = None

    @property
    def compute(self) -> float | None:
        """Training FLOPs by 6 N D, N without embeddings; None when the tokens are not known."""
        return 6 * self.n_params_non_embedding * self.tokens if self.tokens else None


def forecast(
    directories: Sequence[Path],
    texts: Sequence[str],
    *,
    hold_out: Path | None = None,
    tokens: Sequence[float] = (),
    level: float = 0.9,
    context: int = LONGEST_WINDOW,
    describe: Callable[[Path], Member] | None = None,
    examine: Callable[[Member, Sequence[str], int], float] | None = None,
) -> dict[str, Any]:
    """Examine every member smaller than `hold_out` (default: the largest), promise its bits per byte, then score it.

    directories are local Hugging Face directories; tokens is one number for all or one a directory; windows are of the
    shortest context among the members, at most `context` tokens. Returns {axis, window, text, members, forecast,
    score, warnings}. Raises DataError for fewer than three smaller sizes, the errors of `describe_hf` and
    `examine_hf` for a directory that is none.
    """
    describe, examine = describe or describe_hf, examine or examine_hf
    if not any(texts):
        raise DataError("there is no text to examine the models on", where="forecast family")
    members = _with_tokens([describe(path) for path in _different(directories)], tokens)
    target, small = _split(members, hold_out)
    used = [*small, target]
    window = min(context, *(member.context_length for member in used))
    name, axis = _axis(used)
    losses = [_told(member, examine(member, texts, window)) for member in small]
    promise = _promise(axis, small, losses, target, level)
    said = f"promised {promise['point']:.4f}, {promise['lo']:.4f} to {promise['hi']:.4f} bits/byte"
    note(f"{target.path}: {said}; its weights have not been opened yet")
    actual = _told(target, examine(target, texts, window))
    rows = [_row(m, loss, m is not target) for m, loss in zip(used, [*losses, actual], strict=True)]
    text = "\n".join(texts).encode()
    return {
        "axis": name,
        "window": window,
        "text": {"documents": len(texts), "bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()},
        "members": rows,
        "forecast": promise,
        "score": {
            "actual": actual,
            "error_percent": 100 * (actual / promise["point"] - 1),
            "inside": promise["lo"] <= actual <= promise["hi"],
        },
    }


def read_texts(paths: Sequence[Path]) -> list[str]:
    """The documents of text files and folders (formats of data/documents.py). DataError for one that is unreadable."""
    texts = []
    for document in read_paths("text", [str(path) for path in paths]):
        if isinstance(document, Bad):
            place = f"{document.path}:{document.place}" if document.place else document.path
            raise DataError(document.reason, where=place)
        texts.append(document.text)
    return texts


def write_table(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """The members as CSV; where it has compute, `presage forecast fit` reads it."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row | {"fitted": int(row["fitted"])} for row in rows)
    with atomic_write(path) as file:
        file.write(text.getvalue().encode())


# ---- the promise ----------------------------------------------------------------------------------------------------


def _different(directories: Sequence[Path]) -> list[Path]:
    places = [path.resolve() for path in directories]
    twice = next((path for path in directories if places.count(path.resolve()) > 1), None)
    if twice:
        raise DataError("is named twice", where=twice)
    return list(directories)


def _with_tokens(members: list[Member], tokens: Sequence[float]) -> list[Member]:
    if not tokens:
        return members
    if len(tokens) not in (1, len(members)) or min(tokens) <= 0:
        raise DataError(
            f"{len(tokens)} numbers of tokens for {len(members)} models", hint="positive; one for all, or one a model"
        )
    each = tokens if len(tokens) > 1 else list(tokens) * len(members)
    return [replace(member, tokens=float(count)) for member, count in zip(members, each, strict=True)]


def _split(members: Sequence[Member], hold_out: Path | None) -> tuple[Member, list[Member]]:
    """The member to forecast, and all smaller ones, by size."""
    ordered = sorted(members, key=lambda m: m.n_params_non_embedding)
    held = [m for m in ordered if hold_out is not None and m.path.resolve() == hold_out.resolve()]
    if hold_out is not None and not held:
        raise DataError("is not among the models", where=hold_out)
    target = held[0] if held else ordered[-1]
    small = [m for m in ordered if m.n_params_non_embedding < target.n_params_non_embedding]
    for member in (m for m in ordered if m is not target and m not in small):
        note(f"{member.path}: not smaller than {target.path}, not used")
    sizes = {member.n_params_non_embedding for member in small}
    if len(sizes) < LEAST:
        hint = f"{LEAST + 1} sizes are needed in all"
        raise DataError(f"only {len(sizes)} smaller sizes to forecast it from", where=target.path, hint=hint)
    return target, small


def _axis(members: Sequence[Member]) -> tuple[str, Callable[[Member], float]]:
    """What it is called, and a member's place on it."""
    if all(member.tokens for member in members):
        return "compute, 6ND", lambda member: float(member.compute or 0)
    scale = 6 * OPTIMAL_TOKENS * max(member.n_params_non_embedding for member in members[:-1])
    return "n_params_non_embedding", lambda member: float(scale * member.n_params_non_embedding)


def _promise(
    axis: Callable[[Member], float], small: Sequence[Member], losses: Sequence[float], target: Member, level: float
) -> dict[str, Any]:
    points, noise = law.summarise([(axis(m), loss) for m, loss in zip(small, losses, strict=True)])
    fitted, place = law.fit(points, noise), axis(target)
    estimate, scale = fitted.predict(place, level), place / (target.compute or target.n_params_non_embedding)
    curve = fitted.law.model_dump()
    said = warnings(fitted, place)
    if scale != 1:
        curve |= {"a": curve["a"] * scale ** curve["b"], "form": "a*N^b+c"}
        said.append("not all tell their tokens: the axis is parameters, which assumes one rule from size to tokens")
    return {
        "model": str(target.path),
        "point": estimate.value,
        "lo": estimate.lo,
        "hi": estimate.hi,
        "level": level,
        "unit": "bits/byte",
        "law": curve,
        "extrapolation": place / max(axis(m) for m in small),
        "warnings": said,
    }


def _told(member: Member, loss: float) -> float:
    note(f"{member.path}: {loss:.4f} bits/byte, {member.n_params_non_embedding:,} parameters without embeddings")
    return loss


def _row(member: Member, loss: float, fitted: bool) -> dict[str, Any]:
    facts = asdict(member) | {"model": str(member.path), "compute": member.compute, "bpb": loss, "fitted": fitted}
    return {key: facts[key] for key in COLUMNS}


# ---- one member -----------------------------------------------------------------------------------------------------


def describe_hf(directory: Path) -> Member:
    """Size and context of a Hugging Face directory, from config.json alone. Raises ConfigError for a model that neither
    presage nor an installed transformers knows."""
    data = _read_json(directory / "config.json")
    tokens = data.pop("training_tokens", None)
    try:
        config = config_from_hf(data, directory / "config.json")
    except ConfigError as reason:
        return replace(_describe_foreign(directory, reason), tokens=tokens)
    sizes = config.n_params, config.n_params_non_embedding
    return Member(directory, *sizes, context_length=config.context_length, tokens=tokens)


def examine_hf(member: Member, texts: Sequence[str], window: int) -> float:
    """Bits per UTF-8 byte of the texts under a member's weights, fp32.

    A text's tokens are cut into windows that do not overlap; each token is predicted from those before it in its
    window and the last one before the window. The first is predicted from the model's own opening token (bos, else
    eos, of config.json); where there is none it is not counted.
    """
    tokenizer = _tokenizer(member.path / "tokenizer.json")
    start = _opening(_read_json(member.path / "config.json"))
    logprobs = _weights(member.path)
    nats, size = 0.0, 0
    for text in texts:
        ids, skipped = _encoded(tokenizer, text, start, member.path)
        stream = [*([] if start is None else [start]), *ids]
        windows = [stream[first : first + window + 1] for first in range(0, len(stream) - 1, window)]
        nats -= sum(float(values.double().sum()) for values in logprobs(windows))
        size += len(text.encode()) - skipped
    if size <= 0:
        raise DataError("the texts hold no token to predict", where=member.path)
    return nats / torch.log(torch.tensor(2.0, dtype=torch.float64)).item() / size


def _encoded(tokenizer: Any, text: str, start: int | None, where: Path) -> tuple[list[int], int]:
    """Ids, and how many bytes of the text are not predicted."""
    found = tokenizer.encode(text, add_special_tokens=False)
    unknown = getattr(tokenizer.model, "unk_token", None)
    if unknown is not None and tokenizer.token_to_id(unknown) in found.ids:
        raise DataError("its tokenizer cannot spell the text, so bits per byte mean nothing", where=where)
    skipped = len(text[: found.offsets[0][1]].encode()) if start is None and found.ids else 0
    return list(found.ids), skipped


def _tokenizer(path: Path) -> Any:
    if not path.is_file():
        raise RunError("missing file", where=path, hint="transformers writes it: tokenizer.save_pretrained(DIR)")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise CorruptError(f"not a tokenizer.json: {error!s:.80}", where=path) from None
    tokenizer.encode_special_tokens = True  # special tokens in a text are text
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _opening(config: dict[str, Any]) -> int | None:
    """The token that a text begins after: bos, else (the first) eos."""
    for key in ("bos_token_id", "eos_token_id"):
        found = config.get(key)
        found = found[0] if isinstance(found, list) and found else found
        if isinstance(found, int):
            return found
    return None


def _weights(directory: Path) -> LogProbs:
    data = _read_json(directory / "config.json")
    data.pop("training_tokens", None)
    try:
        config = config_from_hf(data, directory / "config.json")
    except ConfigError as reason:
        return _foreign_weights(directory, reason)
    tensors = {name: t for file in _weight_files(directory) for name, t in read_tensors(file).items()}
    return partial(decode.logprobs, filled(config, tensors_from_hf(tensors, config, directory), directory))


def _weight_files(directory: Path) -> list[Path]:
    """model.safetensors, or the files that its index lists."""
    if (directory / MODEL_FILE).is_file() or not (directory / INDEX).is_file():
        return [directory / MODEL_FILE]
    listed = _read_json(directory / INDEX).get("weight_map")
    names = sorted({str(name) for name in listed.values()}) if isinstance(listed, dict) else []
    if not names or any(Path(name).name != name for name in names):
        raise CorruptError("its weight_map does not list files beside it", where=directory / INDEX)
    return [directory / name for name in names]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"cannot be read: {error.strerror}", where=path) from None
    except ValueError as error:
        raise CorruptError(f"not JSON: {error}", where=path) from None
    if not isinstance(data, dict):
        raise CorruptError("not a JSON object", where=path)
    return data


# ---- families that presage does not compute: through transformers, where it is installed ----------------------------


def _transformers(directory: Path, reason: ConfigError) -> Any:
    try:
        return importlib.import_module("transformers.models.auto")
    except ImportError:
        what = f"presage does not compute this model ({reason.what}), and transformers is not installed"
        raise ConfigError(what, where=directory, hint="GPT-1, GPT-2, Llama and Qwen3 need no transformers") from None


def _describe_foreign(directory: Path, reason: ConfigError) -> Member:
    auto = _transformers(directory, reason)
    try:
        config = auto.AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            model = auto.AutoModelForCausalLM.from_config(config, trust_remote_code=False)
        context = int(config.max_position_embeddings)
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        first = str(error).partition("\n")[0]
        raise ConfigError(f"neither presage nor transformers reads this model: {first:.160}", where=directory) from None
    weights = {id(p): p.numel() for p in model.parameters()}
    tables = [m.weight for m in model.modules() if isinstance(m, torch.nn.Embedding)]
    head = model.get_output_embeddings()
    outside = {id(w) for w in [*tables, *([head.weight] if head is not None else [])]}
    inside = sum(count for key, count in weights.items() if key not in outside)
    return Member(directory, sum(weights.values()), inside, context)


def _foreign_weights(directory: Path, reason: ConfigError) -> LogProbs:
    auto = _transformers(directory, reason)
    options = {"local_files_only": True, "trust_remote_code": False, "use_safetensors": True}
    try:
        model, info = auto.AutoModelForCausalLM.from_pretrained(directory, output_loading_info=True, **options)
    except (OSError, ValueError, RuntimeError) as error:
        raise CorruptError(f"cannot be loaded: {str(error).partition(chr(10))[0]:.160}", where=directory) from None
    if info["missing_keys"]:
        raise CorruptError(f"tensor '{min(info['missing_keys'])}' is missing", where=directory)
    model = model.float().eval()

    @torch.no_grad()
    def logprobs(windows: Sequence[Sequence[int]]) -> list[Tensor]:
        return [_of_logits(model(torch.tensor([w[:-1]]), use_cache=False).logits[0], w[1:]) for w in windows]

    return logprobs


def _of_logits(logits: Tensor, targets: Sequence[int]) -> Tensor:
    picked = logits.float().gather(1, torch.tensor(targets)[:, None]).squeeze(1)
    return picked - logits.float().logsumexp(dim=1)
