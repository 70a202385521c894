"""What stands around a model's weights in a Hugging Face directory: which ids frame a text, and the chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError, CorruptError
from presage.core.run import RunDir
from presage.data.bpe import ENDS
from presage.data.chat_template import written
from presage.model.config import ModelConfig
from presage.model.hf_errors import NotOurs

GENERATION, TOKENIZER, TEMPLATE = "generation_config.json", "tokenizer_config.json", "chat_template.jinja"
KEPT = (GENERATION, TOKENIZER, "special_tokens_map.json", TEMPLATE)
"""Files of a foreign model that change no weight: an import keeps them, and its export writes them again."""
CHAT = "chat"
"""What `template` in the config of a run is where its model was trained on conversations in our template."""
_LONGEST = 1 << 24


def as_json(data: dict[str, Any]) -> str:
    """As it is written to files."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object. Raises CorruptError."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise CorruptError(f"not readable as JSON: {error}", where=path) from None
    if not isinstance(data, dict):
        raise CorruptError("not a JSON object", where=path)
    return data


# ---- ours, for others -----------------------------------------------------------------------------------------------


def framing(run: Path, tokenizer: Path, config: ModelConfig) -> dict[str, str]:
    """{file: text} for a run's model: of an import what came with it, of a model trained on conversations our template.

    Raises what reading the tokenizer does.
    """
    kept = {name: run / "artifacts" / name for name in KEPT}
    own = plain_framing(tokenizer, config) | {n: p.read_text(encoding="utf-8") for n, p in kept.items() if p.is_file()}
    if RunDir(run).read_object("config.json", config=dict)["config"].get("template") == CHAT:
        own[TOKENIZER] = as_json(json.loads(own[TOKENIZER]) | {"chat_template": _ours(tokenizer)})
    return own


def plain_framing(tokenizer: Path, config: ModelConfig) -> dict[str, str]:
    """The same of a model that goes on with text: it begins and ends at the end of text, which also ends turns."""
    eot = end_of_text(tokenizer, config)
    tokens = {} if eot is None else dict.fromkeys(("bos_token", "eos_token"), end_name(tokenizer))
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.context_length,
        "clean_up_tokenization_spaces": False,
    }
    return {GENERATION: as_json({"bos_token_id": eot, "eos_token_id": eot}), TOKENIZER: as_json(about | tokens)}


def end_of_text(tokenizer: Path, config: ModelConfig) -> int | None:
    """Id of <|endoftext|>, if the tokenizer has one. Refuses a tokenizer with ids that the model does not have."""
    state = read_object(tokenizer)
    try:
        added = {str(token["content"]): int(token["id"]) for token in state.get("added_tokens", [])}
        last = max([*state["model"]["vocab"].values(), *added.values()])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CorruptError("not a tokenizer.json of the `tokenizers` library", where=tokenizer) from None
    if last >= config.vocab_size:
        raise NotOurs(f"token id {last} is outside the model's vocabulary of {config.vocab_size}", where=tokenizer)
    return added.get(end_name(tokenizer))


# ---- theirs, for us -------------------------------------------------------------------------------------------------


def kept_files(source: Path, config: ModelConfig) -> dict[str, str]:
    """As `read_kept`. Raises ConfigError also for ids that the model does not have."""
    found = read_kept(source)
    _check_ids(found, config, source / GENERATION)
    return found


def read_kept(source: Path) -> dict[str, str]:
    """{file: text} of those that an import keeps, without what names code to be run (auto_map).

    Raises CorruptError for a file that cannot be read.
    """
    found: dict[str, str] = {}
    for path in (source / name for name in KEPT):
        if not path.is_file():
            continue
        if path.stat().st_size > _LONGEST:
            raise CorruptError(f"{path.stat().st_size:,} bytes are no such file", where=path)
        try:
            found[path.name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise CorruptError("not UTF-8", where=path) from None
        if path.suffix == ".json":
            data = read_object(path)
            plain = {key: value for key, value in data.items() if key != "auto_map"}
            found[path.name] = found[path.name] if plain == data else as_json(plain)
    return found


def _check_ids(files: dict[str, str], config: ModelConfig, where: Path) -> None:
    data = json.loads(files.get(GENERATION, "{}"))
    ids = [one for key in ("bos_token_id", "eos_token_id") for one in end_ids(data.get(key))]
    wrong = next((one for one in ids if isinstance(one, bool) or not 0 <= one < config.vocab_size), None)
    if wrong is not None:
        raise ConfigError(f"token id {wrong} is outside the model's vocabulary of {config.vocab_size}", where=where)


def end_ids(value: object) -> list[int]:
    """One id, several or none, as they are written."""
    values = value if isinstance(value, list) else [value]
    return [one for one in values if isinstance(one, int)]


def template_of(files: dict[str, str], where: object = None) -> str | None:
    """The chat template among files, or None. Raises NotOurs for several without a default one."""
    if TEMPLATE in files:
        return files[TEMPLATE]
    given = json.loads(files.get(TOKENIZER, "{}")).get("chat_template")
    if isinstance(given, list):
        named = {one.get("name"): one.get("template") for one in given if isinstance(one, dict)}
        given = named.get("default")
    if given is not None and not isinstance(given, str):
        raise NotOurs(f"chat_template={given!r:.60} is no template", where=where)
    return given


def is_ours(template: str | None, tokenizer: Path) -> bool:
    """Whether a template is the one that an export of ours writes."""
    return template is not None and template == _ours(tokenizer)


def end_name(tokenizer: Path) -> str:
    """What its end of text is called; ours where it has none."""
    specials = _specials(tokenizer)
    return next((name for name in ENDS if name in specials), ENDS[0])


def _ours(tokenizer: Path) -> str:
    return written(end_name(tokenizer), _specials(tokenizer))


def _specials(tokenizer: Path) -> list[str]:
    return [str(token["content"]) for token in read_object(tokenizer).get("added_tokens", [])]
