"""The published rules by name, and the sets they were published in."""

from __future__ import annotations

from collections.abc import Sequence

from presage.core.errors import ConfigError, did_you_mean
from presage.data.rules import code, gopher, web
from presage.data.rules.rule import Rule

_GROUPS = {
    "gopher": gopher.QUALITY,
    "gopher_repetition": gopher.REPETITION,
    "c4": web.C4,
    "fineweb": web.FINEWEB,
    "codex": code.CODEX,
}

RULES: dict[str, Rule] = {rule.name: rule for rules in _GROUPS.values() for rule in rules}
"""Every rule by its name."""

SETS: dict[str, tuple[str, ...]] = {name: tuple(rule.name for rule in rules) for name, rules in _GROUPS.items()}
"""The names of the rules of each set."""


def chosen(names: Sequence[str], without: Sequence[str] = ()) -> list[Rule]:
    """The rules that these names of rules and sets stand for, each once and in order, less those of `without`.

    Raises ConfigError for a name that is neither.
    """
    left_out = set(_expanded(without))
    return [RULES[name] for name in dict.fromkeys(_expanded(names)) if name not in left_out]


def _expanded(names: Sequence[str]) -> list[str]:
    unknown = [name for name in names if name not in RULES and name not in SETS]
    if unknown:
        raise ConfigError("no such rule or set of rules", where=unknown[0], hint=did_you_mean(unknown[0], RULES | SETS))
    return [rule for name in names for rule in SETS.get(name, (name,))]
