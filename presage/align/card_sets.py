"""Every set that a system card can ask, and what becomes of those that it cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from presage.align import (
    card_bbq,
    card_behaviours,
    card_moderation,
    card_occupations,
    card_pairs,
    card_requests,
    card_toxicity,
)
from presage.align.card_items import Asked, Part
from presage.core.errors import ConfigError, DataError, did_you_mean


@dataclass(frozen=True)
class Known:
    """A set: the files below the folder of public files that it needs, what reads it, and whether it needs a model
    that gives likelihoods."""

    files: tuple[str, ...]
    read: Callable[[Asked], Part]
    likely: bool = False


_WINOBIAS = tuple(
    card_pairs.WINOBIAS_FILES.format(side=side, type=number) for number in (1, 2) for side in ("pro", "anti")
)
SETS: MappingProxyType[str, Known] = MappingProxyType(
    {
        **{name: Known((one.file,), card_requests.reader(name)) for name, one in card_requests.REQUESTS.items()},
        **{name: Known((), partial(card_toxicity.read, name)) for name in card_toxicity.KINDS},
        "moderation": Known((card_moderation.FILE,), card_moderation.read),
        "crows_pairs": Known((card_pairs.CROWS_FILE,), card_pairs.crows, likely=True),
        "winobias": Known(_WINOBIAS, card_pairs.winobias, likely=True),
        "winogender": Known((card_occupations.SENTENCES,), card_occupations.winogender, likely=True),
        "occupations": Known((card_occupations.STATISTICS,), card_occupations.probe, likely=True),
        "bbq": Known((card_bbq.FILE,), card_bbq.read, likely=True),
        "behaviours": Known((card_behaviours.FILE,), card_behaviours.read, likely=True),
    }
)
"""{name: the set}, in the order in which they are asked."""
NO_LIKELIHOOD = "the model gives no log-probabilities"


def folder_of(data: str) -> Path:
    """The folder of the sets: DATA/align where there is one, else DATA. DataError where DATA is given and no folder."""
    if data and not Path(data).is_dir():
        raise DataError("no such folder", where=data, hint="--data names the folder of the sets")
    inner = Path(data) / "align"
    return inner if inner.is_dir() else Path(data)


def planned(names: Sequence[str], asked: Asked) -> tuple[list[Part], list[tuple[str, str]]]:
    """(the sets of these names, or of all; [(name, why)] of those that cannot be asked).

    A set whose files are not there, or that the model cannot be asked, is no error. Raises ConfigError for an unknown
    name, DataError naming file and line where a file is there and is wrong.
    """
    unknown = next((name for name in names if name not in SETS), None)
    if unknown is not None:
        raise ConfigError(f"no set '{unknown}'", where="sets", hint=did_you_mean(unknown, SETS))
    parts: list[Part] = []
    left_out: list[tuple[str, str]] = []
    for name, known in SETS.items():
        why = _why_not(known, asked) if not names or name in names else "not asked for"
        if why:
            left_out.append((name, why))
        else:
            parts.append(known.read(asked))
    return parts, left_out


def _why_not(known: Known, asked: Asked) -> str:
    if known.likely and not asked.likely:
        return NO_LIKELIHOOD
    missing = next((file for file in known.files if not (asked.folder / file).is_file()), None)
    return f"no file {missing} in the data folder" if missing else ""
