"""Sets of requests for a system card: harmful ones, to be refused, and safe ones, to be answered.

| set | file below harmful_request_sets/ or xstest/ | of |
| :-- | :-- | :-- |
| harmbench_val, harmbench_test | harmbench_behaviors_text_{val,test}.csv | Mazeika et al. 2024 |
| strongreject | strongreject_dataset.csv | Souly et al. 2024 |
| advbench | advbench_behaviors.csv | Zou et al. 2023 |
| simple_safety_tests | SimpleSafetyTests.csv | Vidgen et al. 2023 |
| refusal_direction | refusal_direction_harmful_test.json | Arditi et al. 2024, drawn from several of the others |
| xstest_unsafe, xstest_safe | xstest_prompts.csv | Röttger et al. 2024 |
| harmless | refusal_direction_harmless_val.json.xz | Arditi et al. 2024, of Alpaca |
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from presage.align.card_answers import outcomes, shares
from presage.align.card_items import Asked, Item, Measure, Part, Row
from presage.align.card_risks import risk_of
from presage.core.errors import DataError
from presage.core.seeds import derive
from presage.data.verbs import Decoding, Generation, Message
from presage.tasks.readers.rows import Row as Line
from presage.tasks.readers.rows import json_rows, table
from presage.tasks.readers.sources import source

_HARMFUL, _XSTEST = "harmful_request_sets", "xstest"
TOTAL = "harmful"
"""The set that all harmful requests are together, each counted once."""
AREAS = "harmful_by_area"
"""The same, its categories the risk areas."""


@dataclass(frozen=True)
class Requests:
    """A file of requests: the keys of its text and category, and which of its rows are meant ({key: value})."""

    file: str
    text: str
    category: str
    harmful: bool
    only: tuple[str, str] = ("", "")
    context: str = ""


REQUESTS: MappingProxyType[str, Requests] = MappingProxyType(
    {
        **{
            f"harmbench_{part}": Requests(
                f"{_HARMFUL}/harmbench_behaviors_text_{part}.csv", "Behavior", "SemanticCategory", True,
                context="ContextString",
            )
            for part in ("val", "test")
        },
        "strongreject": Requests(f"{_HARMFUL}/strongreject_dataset.csv", "forbidden_prompt", "category", True),
        "advbench": Requests(f"{_HARMFUL}/advbench_behaviors.csv", "Behavior", "Category", True),
        "simple_safety_tests": Requests(f"{_HARMFUL}/SimpleSafetyTests.csv", "prompts_final", "harm_area", True),
        "refusal_direction": Requests(
            f"{_HARMFUL}/refusal_direction_harmful_test.json", "instruction", "category", True
        ),
        "xstest_unsafe": Requests(f"{_XSTEST}/xstest_prompts.csv", "prompt", "type", True, ("label", "unsafe")),
        "xstest_safe": Requests(f"{_XSTEST}/xstest_prompts.csv", "prompt", "type", False, ("label", "safe")),
        "harmless": Requests(f"{_HARMFUL}/refusal_direction_harmless_val.json.xz", "instruction", "category", False),
    }
)  # fmt: skip


HARMFUL = tuple(name for name, one in REQUESTS.items() if one.harmful)


def reader(name: str) -> Callable[[Asked], Part]:
    """What reads the set of this name."""
    return partial(_read, name)


def _read(name: str, asked: Asked) -> Part:
    """Raises DataError naming file and line of what is no request."""
    requests = REQUESTS[name]
    path = asked.folder / requests.file
    items, total = asked.some(name, _items(name, path, requests, asked))
    if not total:
        raise DataError("holds no requests of this set", where=path)
    return Part(name, (path,), items, total, "generation", partial(_measures, name, requests.harmful))


def _measures(name: str, harmful: bool, rows: Sequence[Row]) -> list[Measure]:
    return outcomes(name, rows, harmful=harmful)


def _items(name: str, path: Path, requests: Requests, asked: Asked) -> Iterator[Item]:
    key, value = requests.only
    for line in _lines(path):
        if key and line.text(key) != value:
            continue
        category = line.value.get(requests.category) or ""
        if not isinstance(category, str):
            raise DataError(f"{category!r:.40} is no category", where=f"{line.where}: {requests.category}")
        prompt = _prompt(line, requests)
        decoding = Decoding(max_tokens=asked.max_tokens)
        write = Generation((Message("user", prompt),), decoding, derive(asked.seed, name, line.id))
        yield Item(line.id, write=write, asked=prompt, facts={"category": category})


def _prompt(line: Line, requests: Requests) -> str:
    """The request, behind the text that it speaks of where there is one (HarmBench's contextual behaviours)."""
    request = line.text(requests.text).strip()
    context = line.of(str, requests.context).strip() if requests.context else ""
    return f"{context}\n\n---\n\n{request}" if context else request


def _lines(path: Path) -> Iterator[Line]:
    if ".json" in path.suffixes:
        yield from json_rows(path)
    else:
        yield from table(source(path, whole=True))


def together(rows: Sequence[Row]) -> list[Measure]:
    """Measures over every harmful set at once, a request that stands in several counted where it is first; and by the
    risk area that its category bears on."""
    first = list({row["prompt"]: row for row in reversed(rows) if row["set"] in HARMFUL}.values())
    if not first:
        return []
    areas: dict[str, list[Row]] = {}
    for row in first:
        areas.setdefault(risk_of(str(row["facts"]["category"])), []).append(row)
    return [
        *outcomes(TOTAL, first, harmful=True),
        *(one for area, some in areas.items() for one in shares(AREAS, some, area, area)),
    ]
