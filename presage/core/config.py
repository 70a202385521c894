"""Strict, frozen, diffable configs: a run is fully described by one of these.

A config is a pydantic model that refuses unknown keys. Parents are fields of type `Parent`: paths to other run
directories, which are recorded by the digest of their content and never by their path; so are fields of type `File`.
"""

from __future__ import annotations

import json
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic

from presage.core.errors import ConfigError, did_you_mean


class _ParentMark:
    """Marks a path field as a parent run directory."""


class _FileMark:
    """Marks a path field as a file that a run reads."""


Parent = Annotated[Path, _ParentMark()]
File = Annotated[Path, _FileMark()]


class Config(pydantic.BaseModel):
    """Base of every config. Frozen; unknown keys, NaN and infinities are refused."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=(), use_attribute_docstrings=True
    )

    @classmethod
    def parse(cls, data: dict[str, Any], where: object = None) -> Self:
        """Build from plain data. Raises ConfigError naming the key, with a suggestion for a misspelt one."""
        try:
            return cls.model_validate(data)
        except pydantic.ValidationError as error:
            raise as_config_error(error, where, cls) from None

    @classmethod
    def from_json(cls, text: str, where: object = None) -> Self:
        """Build from the text of a JSON object. Raises ConfigError with line and column, or naming the key."""
        try:
            data = json.loads(text)
        except json.JSONDecodeError as error:
            raise ConfigError(f"not JSON: {error.msg}", where=f"{where}:{error.lineno}:{error.colno}") from None
        return cls.parse(data, where)

    def to_json(self) -> str:
        """JSON with sorted keys; `from_json` gives an equal config back."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"

    def override(self, assignments: Sequence[str]) -> Self:
        """A copy with dotted `key=value` assignments applied; values are typed by the field they set.

        `none` or `null` sets an optional field to None; lists are written as JSON (`lrs=[1,2]`).
        """
        data = self.model_dump(mode="json")
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"'{assignment}' is not key=value", hint="write for example optim.lr=0.01")
            _assign(type(self), data, key.strip().split("."), text.strip(), key.strip())
        return type(self).parse(data, where="override")

    def plan(self) -> dict[str, object]:
        """{what: derived quantity} for --dry-run: parameters, tokens, FLOPs, memory, time, as far as they apply."""
        return {}

    def parents(self) -> dict[str, Path]:
        """{role: path} of every parent field that is set, nested ones with dotted roles."""
        return dict(_walk_paths(self, _ParentMark, ""))

    def inputs(self) -> dict[str, Path]:
        """{role: path} of every file field that is set, as `parents`."""
        return dict(_walk_paths(self, _FileMark, ""))

    def map_paths(self, change: Callable[[Path], Path]) -> Self:
        """A copy with each path of a parent or a file changed."""
        data = self.model_dump(mode="json")
        for role, path in (self.parents() | self.inputs()).items():
            *outer, last = role.split(".")
            place: Any = data
            for key in outer:
                place = place[int(key) if isinstance(place, list) else key]
            place[int(last) if isinstance(place, list) else last] = str(change(path))
        return type(self).parse(data)


def flatten(config: pydantic.BaseModel | dict[str, Any]) -> dict[str, Any]:
    """{dotted key: plain value}; the form in which recipes are committed and configs compared."""
    data = config if isinstance(config, dict) else config.model_dump(mode="json")
    flat: dict[str, Any] = {}
    for key, value in data.items():
        if isinstance(value, dict) and value:
            flat |= {f"{key}.{inner}": v for inner, v in flatten(value).items()}
        else:
            flat[key] = value
    return flat


def diff(a: Config | dict[str, Any], b: Config | dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """{dotted key: (value in a, value in b)} where they differ; a missing key reads as None."""
    left, right = flatten(a), flatten(b)
    keys = sorted(left.keys() | right.keys())
    return {k: (left.get(k), right.get(k)) for k in keys if left.get(k) != right.get(k)}


def by_element(changed: dict[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """The same differences, of two lists of one length only what differs in them."""
    found: dict[str, tuple[Any, Any]] = {}
    for key, (a, b) in changed.items():
        alike = isinstance(a, list) and isinstance(b, list) and len(a) == len(b)
        found |= diff(_numbered(key, a), _numbered(key, b)) if alike else {key: (a, b)}
    return found


def _numbered(key: str, values: list[Any]) -> dict[str, Any]:
    return {f"{key}.{place}": one for place, one in enumerate(values)}


def _walk_paths(config: pydantic.BaseModel, mark: type, prefix: str) -> typing.Iterator[tuple[str, Path]]:
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if isinstance(value, pydantic.BaseModel):
            yield from _walk_paths(value, mark, f"{prefix}{name}.")
        elif isinstance(value, Path) and _is_marked(field, mark):
            yield f"{prefix}{name}", value
        elif isinstance(value, tuple) and _is_marked(field, mark):
            yield from ((f"{prefix}{name}.{i}", path) for i, path in enumerate(value))


def _is_marked(field: pydantic.fields.FieldInfo, mark: type) -> bool:
    return any(isinstance(m, mark) for m in field.metadata) or mark.__name__ in repr(field.annotation)


def _assign(owner: type[pydantic.BaseModel], data: dict[str, Any], path: list[str], text: str, whole: str) -> None:
    name, rest = path[0], path[1:]
    field = owner.model_fields.get(name)
    if field is None:
        raise ConfigError(f"unknown key '{whole}'", hint=did_you_mean(name, owner.model_fields))
    if not rest:
        data[name] = _read_value(field.annotation, text, whole)
        return
    inner = _model_in(field.annotation)
    if inner is None:
        raise ConfigError(f"'{name}' in '{whole}' has no keys of its own")
    if not isinstance(data.get(name), dict):
        raise ConfigError(f"'{name}' is not set, so '{whole}' cannot be", hint=f"set {name} first")
    _assign(inner, data[name], rest, text, whole)


def _read_value(annotation: Any, text: str, key: str) -> Any:
    """Text to plain data; the final validation does the typing, this only undoes the quoting."""
    kinds = set(_leaf_types(annotation))
    if text.lower() in ("none", "null") and type(None) in kinds:
        return None
    if not text and str not in kinds and _has_paths(annotation):  # Path("") would be this folder
        raise ConfigError("an empty path", where=key, hint="none, for no path" if type(None) in kinds else None)
    if bool in kinds and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if int in kinds and float not in kinds:
        try:
            number = float(text)
        except ValueError:
            return text
        if math.isfinite(number) and number.is_integer():
            return int(text) if text.lstrip("+-").isdigit() else int(number)
        return text
    if text.startswith(("[", "{")) and kinds - {str, type(None)}:
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            raise ConfigError(f"'{text}' is not JSON", where=key, hint='write lists as [1,2] or ["a"]') from None
    if kinds & {tuple, list} and str not in kinds:
        return [text]
    return text


def _leaf_types(annotation: Any) -> typing.Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for part in typing.get_args(annotation):
            yield from _leaf_types(part)
    elif origin is Annotated:
        yield from _leaf_types(typing.get_args(annotation)[0])
    else:
        yield origin or annotation


def _has_paths(annotation: Any) -> bool:
    """Whether it is of a path, or of several."""
    return annotation is Path or any(map(_has_paths, typing.get_args(annotation)))


def _model_in(annotation: Any) -> type[pydantic.BaseModel] | None:
    for kind in _leaf_types(annotation):
        if isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
            return kind
    return None


def as_config_error(
    error: pydantic.ValidationError, where: object = None, kind: type[pydantic.BaseModel] | None = None
) -> ConfigError:
    """The first complaint of pydantic as one line; with `kind`, a suggestion for a misspelt key."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    key = ".".join(location)
    if first["type"] == "extra_forbidden":
        known = _fields_at(kind, location[:-1])
        return ConfigError(
            f"unknown key '{key}'", where=where, hint=did_you_mean(location[-1], known) if known else None
        )
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "value_error" and not location:  # of the whole config, which is no news
        return ConfigError(message, where=where)
    whole = first["type"] == "missing" or isinstance(first["input"], dict)
    got = "" if whole else f", got {first['input']!r:.80}"
    return ConfigError(f"{key or error.title}: {message}{got}", where=where)


def _fields_at(kind: type[pydantic.BaseModel] | None, path: list[str]) -> Iterable[str]:
    """Names of the fields of the config that `path` leads to; none when it leads out of what is known."""
    for part in path:
        if kind is not None and not part.isdigit():  # an index: its list has led to the type of its elements
            field = kind.model_fields.get(part)
            kind = next(_models_in(field.annotation), None) if field else None
    return kind.model_fields if kind else ()


def _models_in(annotation: Any) -> Iterator[type[pydantic.BaseModel]]:
    """Configs named anywhere in a type, elements of tuples included."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _models_in(part)
