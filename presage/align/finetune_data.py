"""What a model is fine-tuned on: public sets by name, and a user's own JSON lines, as items of four forms.

| name | form | trained on | held out | metrics |
| :-- | :-- | :-- | :-- | :-- |
| sst2 | classification | 6,920 sentences | test, 1,821 | accuracy |
| cola | classification | 8,551 sentences | both development files | Matthews, accuracy |
| mrpc | similarity | 4,076 pairs | test, 1,725 | F1, accuracy |
| rte | entailment | 2,490 pairs | validation, 277 | accuracy |
| arc_easy, arc_challenge | choice | 2,251 and 1,119 questions | test, 2,376 and 1,150 | accuracy |

A user's row is {"text"}, {"a", "b"} or {"context", "choices"}, and "label"; "id" and "group" may be there.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from presage.core.errors import ConfigError, DataError, did_you_mean
from presage.core.seeds import stream
from presage.tasks import library
from presage.tasks.files import Files
from presage.tasks.methods.choice import Choice
from presage.tasks.methods.noted import F1
from presage.tasks.readers.pairs import cola
from presage.tasks.readers.rows import Row, shown
from presage.tasks.task import Example, Method, Task
from presage.tasks.user_rows import user_rows

Form = Literal["classification", "entailment", "similarity", "choice"]
Label = int | float
_COLA = ("cola_public*.zip",)
_FEWEST = 2


@dataclass(frozen=True)
class Item:
    """One thing to learn or to be examined on. parts: a text, two texts, or the context of choices.

    label: the number of the class or of the right choice, or the number itself where numbers are learnt. Items of one
    group are not independent ("" stands alone).
    """

    id: str
    parts: tuple[str, ...]
    label: Label
    choices: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True)
class Asking:
    """How a model that was not fine-tuned is asked the same held-out items, and the pool that its shots are from."""

    task: Task
    examples: tuple[Example, ...]
    pool: tuple[Example, ...]


@dataclass(frozen=True)
class Dataset:
    """Items to train on and items held out. classes: names of the labels; none for choices and for numbers."""

    name: str
    form: Form
    classes: tuple[str, ...]
    metrics: tuple[str, ...]
    split: str
    """Which the held-out items are."""
    train: tuple[Item, ...]
    test: tuple[Item, ...]
    files: tuple[Path, ...]
    numbers: bool = False
    asking: Asking | None = None

    @property
    def scores(self) -> int:
        """How many numbers are read off a state."""
        return 1 if self.numbers or self.form == "choice" else len(self.classes)

    def fewer(self, labels: int | None, most: int | None, seed: int) -> Dataset:
        """The first `labels` training items of a random order, and at most so many held-out ones, in file order."""
        kept = _some(len(self.test), most, 0)
        asking = self.asking
        if asking is not None:
            asking = replace(asking, examples=tuple(asking.examples[place] for place in kept))
        train = tuple(self.train[place] for place in _some(len(self.train), labels, seed))
        return replace(self, train=train, test=tuple(self.test[place] for place in kept), asking=asking)

    def validated(self, share: float) -> Dataset:
        """Judged on a share of the training items, chosen by a hash of their ids, in place of those held out."""
        kept = [item for item in self.train if _place(item.id) >= share]
        judged = [item for item in self.train if _place(item.id) < share]
        if not kept or not judged:
            raise ConfigError(f"{share} of {len(self.train)} training items leaves none", where="validation")
        split = f"{share:g} of the training items"
        return replace(self, train=tuple(kept), test=tuple(judged), split=split, asking=None)


def _some(count: int, most: int | None, seed: int) -> list[int]:
    if most is None or most >= count:
        return list(range(count))
    return sorted(stream(seed, "items").permutation(count)[:most].tolist())


def _place(id: str) -> float:
    return int.from_bytes(hashlib.sha256(id.encode()).digest()[:4], "big") / 2**32


# ---- public sets ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Named:
    """A task of the library in its form for fine-tuning. fields: what its two texts are called; the question if none.

    method: how the base is asked where GPT-1's heuristic is not the library's own method. train, test: where the files
    are not those that the library asks about and draws shots from.
    """

    task: str
    form: Form
    metrics: tuple[str, ...]
    split: str
    fields: tuple[str, ...] = ()
    method: Method | None = None
    train: Files | None = None
    test: Files | None = None


_MEAN = Choice("per_token")
NAMED: Mapping[str, Named] = MappingProxyType(
    {
        "sst2": Named("sst2", "classification", ("accuracy",), "test"),
        "cola": Named(
            "cola",
            "classification",
            ("matthews", "accuracy"),
            "in-domain and out-of-domain development files",
            train=Files(cola("in_domain_train"), (_COLA, ("raw/in_domain_train.tsv*",))),
            test=Files(cola("*_domain_dev"), (_COLA, ("raw/in_domain_dev.tsv*", "raw/out_of_domain_dev.tsv*"))),
        ),
        "mrpc": Named("mrpc", "similarity", ("f1", "accuracy"), "test", ("first", "second"), F1(_MEAN)),
        "rte": Named("rte", "entailment", ("accuracy",), "validation", ("premise", "hypothesis"), _MEAN),
        "arc_easy": Named("arc_easy", "choice", ("accuracy",), "test", method=_MEAN),
        "arc_challenge": Named("arc_challenge", "choice", ("accuracy",), "test", method=_MEAN),
    }
)


def named(name: str, folder: Path) -> Dataset:
    """A public set whose files lie below a folder. Raises ConfigError for an unknown name, DataError for bad files."""
    if name not in NAMED:
        raise ConfigError(f"no set '{name}' to fine-tune on", where="task", hint=did_you_mean(name, NAMED))
    known = NAMED[name]
    declared = library.find(known.task)
    data = known.test or declared.data
    task = replace(declared, data=data, method=known.method or declared.method)
    examples = data.examples(folder, 0)
    pool = known.train.examples(folder, 0) if known.train else data.pool(folder, 0)
    if not pool:
        raise DataError(
            f"no training items of {name}", where=folder, hint="its folder must hold the training file, too"
        )
    files = [*data.files(folder), *(known.train.files(folder) if known.train else [])]
    return Dataset(
        name,
        known.form,
        () if known.form == "choice" else examples[0].options,
        known.metrics,
        known.split,
        tuple(_item(known, one) for one in pool),
        tuple(_item(known, one) for one in examples),
        tuple(dict.fromkeys(files)),
        asking=Asking(task, tuple(examples), tuple(pool)),
    )


def _item(known: Named, one: Example) -> Item:
    parts = tuple(str(one.fields[key]) for key in known.fields) or (one.question,)
    choices = one.options if known.form == "choice" else ()
    assert one.answer is not None, "a reader of choices says which is right"
    return Item(one.id, parts, one.answer, choices, one.group)


# ---- a user's own ---------------------------------------------------------------------------------------------------


def own(train: Path, test: Path, form: Form | None, numbers: bool) -> Dataset:
    """Two files of JSON lines. form: by default classification of a text, entailment of two, choice of choices.

    Raises DataError with file and line for a row without its keys, a label that no training row has, or choices
    without the right one.
    """
    rows, asked = list(user_rows(train)), list(user_rows(test))
    for path, some in ((train, rows), (test, asked)):
        if not some:
            raise DataError("holds no rows", where=path)
    form = _form(rows[0], form, numbers)
    classes = () if numbers or form == "choice" else _classes(rows, train)
    read = [[_own(row, form, classes, numbers) for row in some] for some in (rows, asked)]
    metrics: tuple[str, ...] = ("accuracy", "f1", "matthews") if len(classes) == _FEWEST else ("accuracy",)
    metrics = ("pearson", "spearman") if numbers else metrics
    for path, items in zip((train, test), read, strict=True):
        _check_ids(items, path)
    return Dataset(
        train.stem, form, classes, metrics, test.name, tuple(read[0]), tuple(read[1]), (train, test), numbers
    )


_KEYS: dict[Form, tuple[str, ...]] = {
    "classification": ("text",),
    "entailment": ("a", "b"),
    "similarity": ("a", "b"),
    "choice": ("context",),
}


def _form(row: Row, form: Form | None, numbers: bool) -> Form:
    """The form asked for, or the first whose keys the first row has."""
    if form is None:
        form = next((one for one, keys in _KEYS.items() if keys[0] in row.value), None)
    if form is None:
        raise DataError("no 'text', no 'a' and 'b', no 'context' and 'choices'", where=row.where)
    if numbers and form == "choice":
        raise ConfigError("choices have no number to learn", where="numbers")
    return form


def _classes(rows: Sequence[Row], path: Path) -> tuple[str, ...]:
    found = sorted({row.name("label") for row in rows})
    if len(found) < _FEWEST:
        raise DataError(f"every label is '{found[0]}'", where=path, hint="two classes at least")
    return tuple(found)


def _own(row: Row, form: Form, classes: tuple[str, ...], numbers: bool) -> Item:
    parts = tuple(row.text(key) for key in _KEYS[form])
    choices = row.texts("choices") if form == "choice" else ()
    id = row.name("id") if "id" in row.value else row.id
    return Item(id, parts, _label(row, choices, classes, numbers), choices, str(row.value.get("group", "")))


def _label(row: Row, choices: tuple[str, ...], classes: tuple[str, ...], numbers: bool) -> Label:
    if numbers:
        return _number(row)
    if choices:
        return _right(row, choices)
    label = row.name("label")
    if label not in classes:
        hint = f"labels: {', '.join(classes)}"
        raise DataError(f"the label {shown(label)} is in no training row", where=f"{row.where}: label", hint=hint)
    return classes.index(label)


def _number(row: Row) -> float:
    found = row.number("label")
    if not math.isfinite(found):
        raise DataError(f"{shown(row.value['label'])} is no finite number", where=f"{row.where}: label")
    return found


def _right(row: Row, choices: tuple[str, ...]) -> int:
    """An index from 0, or the text of a choice."""
    label = row.of(int | str, "label")
    if isinstance(label, str) and choices.count(label) == 1:
        return choices.index(label)
    if isinstance(label, int) and 0 <= label < len(choices):
        return label
    hint = "an index from 0, or the text of one of the choices"
    raise DataError(f"{shown(label)} is none of {len(choices)} choices", where=f"{row.where}: label", hint=hint)


def _check_ids(items: Sequence[Item], path: Path) -> None:
    twice = next(_repeated(item.id for item in items), None)
    if twice is not None:
        raise DataError(f"the id '{twice}' appears twice", where=path)


def _repeated(ids: Iterator[str]) -> Iterator[str]:
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            yield id
        seen.add(id)
