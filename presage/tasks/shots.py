"""Few-shot contexts: which solved examples stand before a question, and the text they make.

"For each example in the evaluation set, K examples are drawn at random from the task's training set" (GPT-3 report,
§2.4). A draw depends on the seed, the task's name and the example's id: not on the order in which examples are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from presage.core.errors import ConfigError
from presage.core.seeds import stream
from presage.tasks.task import Example, Task


class Shots:
    """The shots of a task's examples, k each. Raises ConfigError where the pool is too small.

    name: what the draw depends on, by default the task's; a task asked in another way shows the same shots as the
    declared one. own: whether the pool is of the questions themselves, where ids say what is the same; in another pool
    the same id is chance, and an identical question is never shown. asked: all questions, for an error to say how many
    shots each of them could be shown.
    """

    def __init__(
        self,
        task: Task,
        pool: Sequence[Example],
        k: int,
        seed: int,
        *,
        name: str = "",
        own: bool = True,
        asked: Sequence[Example] = (),
    ) -> None:
        self.task, self.k, self.seed, self.name, self.own = task, k, seed, name or task.name, own
        self._all, self._asked = list(pool), asked
        self._by_category: dict[str, list[Example]] = {}
        for example in self._all:
            self._by_category.setdefault(example.category, []).append(example)

    def of(self, example: Example) -> list[Example]:
        """The solved examples shown before this one: never itself, nor one of its group."""
        if self.k == 0:
            return []
        pool = self._pool(example)
        if self.k > len(pool):
            raise self._too_few(example, len(pool))
        if self.task.draw == "first":
            return pool[: self.k]
        key = (example.id,) if self.task.draw == "each" else ()
        chosen = stream(self.seed, "shots", self.name, *key).choice(len(pool), self.k, replace=False)
        return [pool[i] for i in chosen]

    def _pool(self, example: Example) -> list[Example]:
        """What may be shown before this one."""
        pool = self._by_category.get(example.category, []) if self.task.by_category else self._all
        return [one for one in pool if not self._same(one, example)]

    def _too_few(self, example: Example, count: int) -> ConfigError:
        """A number of shots that all can be shown, which may be fewer than this one can."""
        most = min((len(self._pool(one)) for one in self._asked), default=count)
        place = f" of category '{example.category}'" if self.task.by_category else ""
        others = f", others of {most}: none is shown its own group" if most < count else ""
        what = f"{self.k} shots of a pool of {count}{place}{others}"
        return ConfigError(what, where=self.task.name, hint=f"at most {most} shots")

    def _same(self, one: Example, example: Example) -> bool:
        if example.group and one.group == example.group:
            return True
        return one.id == example.id if self.own else _identical(one, example)

    def context(self, example: Example) -> str:
        """Header, shots and question, as the task's template shows them."""
        return self.text(example, self.of(example))

    def text(self, example: Example, drawn: Sequence[Example]) -> str:
        """The context with the shots that were drawn."""
        template = self.task.template
        *shots, asked = _numbered([*drawn, example]) if template.numbered else [*drawn, example]
        shown = [template.ask(shot) + template.answer(shot) for shot in shots]
        parts = [template.header(example), *shown, template.ask(asked)]
        return template.separator.join(part for part in parts if part)


def _identical(one: Example, other: Example) -> bool:
    """The same question with the same options, in any order."""
    same = bool(one.question) and one.question.strip() == other.question.strip()
    return same and sorted(one.options) == sorted(other.options)


def _numbered(examples: Sequence[Example]) -> list[Example]:
    return [replace(one, fields={**one.fields, "number": i}) for i, one in enumerate(examples, 1)]
