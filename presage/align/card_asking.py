"""Asking a model a card's sets, part by part; what is answered is kept, and not asked again when a run goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from presage.align.card_answers import outcome
from presage.align.card_items import Item, Part
from presage.align.rbrm import Case, Classifier
from presage.core.config import diff
from presage.core.errors import ConfigError, CorruptError, RunError
from presage.core.files import append, atomic_write, sha256, whole_lines
from presage.core.progress import Progress
from presage.core.run import AS_BEFORE, RunDir
from presage.data.verbs import Generation, LanguageModel
from presage.infer.url_client import Refused

SAMPLES = "samples.jsonl"


@dataclass(frozen=True)
class Asker:
    """The model examined and the judge of its answers, where there is one; `size` items are asked together."""

    model: LanguageModel
    judge: Classifier | None = None
    size: int = 64

    def facts(self, parts: Sequence[Part]) -> dict[str, Any]:
        """What answers depend on besides the config, for origin.json."""
        files = {part.name: [[file.name, sha256(file)] for file in part.files] for part in parts}
        judge = {} if self.judge is None else {"judge": self.judge.identity()}
        return {"model": self.model.identity(), "files": files} | judge

    def ask(self, directory: RunDir, parts: Sequence[Part]) -> list[tuple[str, str]]:
        """Every item that has no row yet, in order; [(set, why)] of sets that this model cannot be asked after all."""
        done = kept(directory, parts, self.size)
        left_out = []
        with Progress("card", sum(len(part.items) for part in parts), unit="items") as bar:
            count = sum(done.values())
            bar.begin(count)
            for part in parts:
                try:
                    for items in batches(part.items[done[part.name] :], self.size):
                        append(directory.path / SAMPLES, _lines(self._rows(part, items)))
                        count += len(items)
                        bar.update(count, set=part.name)
                except (ConfigError, Refused) as error:  # no beginning of a document is known; an endpoint says no
                    left_out.append((part.name, str(error)))
        return left_out

    def _rows(self, part: Part, items: Sequence[Item]) -> list[dict[str, Any]]:
        return self._likely(part, items) if part.need == "likelihood" else self._written(part, items)

    def _likely(self, part: Part, items: Sequence[Item]) -> list[dict[str, Any]]:
        found = iter(self.model.loglikelihood([request for item in items for request in item.score]))
        rows = []
        for item in items:
            own = [next(found) for _ in item.score]
            answer: dict[str, Any] = {
                "logprobs": [one.logprob for one in own],
                "tokens": [one.tokens for one in own],
                "truncated": max(one.truncated for one in own),
            }
            rows.append({"set": part.name, "id": item.id, "facts": dict(item.facts)} | answer)
        return rows

    def _written(self, part: Part, items: Sequence[Item]) -> list[dict[str, Any]]:
        requests = [item.write for item in items if item.write is not None]
        rows = []
        for item, request, [said] in zip(items, requests, self.model.generate(requests), strict=True):
            row: dict[str, Any] = {"set": part.name, "id": item.id, "facts": dict(item.facts)}
            row["prompt"] = _shown(request)
            row |= {"completion": said.text, "finish": said.finish, "truncated": said.truncated}
            rows.append(row | ({"outcome": outcome(said.text, item.asked)} if item.asked else {}))
        return self._judged(items, rows)

    def _judged(self, items: Sequence[Item], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """With the judge's class of every answer to a request."""
        asked = [(item, row) for item, row in zip(items, rows, strict=True) if item.asked]
        if self.judge is None or not asked:
            return rows
        cases = [Case(f"{row['set']}:{item.id}", item.asked, row["completion"]) for item, row in asked]
        for (_, row), verdict in zip(asked, self.judge.verdicts(cases), strict=True):
            row |= {"judged": verdict.kind, "judged_letter": verdict.letter, "judged_why": verdict.why}
        return rows


def batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Runs of `size` items."""
    yield from (items[start : start + size] for start in range(0, len(items), size))


def _shown(request: Generation) -> str:
    return request.prompt if isinstance(request.prompt, str) else request.prompt[-1].content


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode()


# ---- what an interrupted run keeps -----------------------------------------------------------------------------------


def check_facts(directory: RunDir, now: Mapping[str, Any]) -> None:
    """Raises RunError where a run would go on with another model or judge, or on other files."""
    began = directory.origin
    for name in ("model", "judge", "files"):
        changed = diff(_named(began.get(name)), _named(now.get(name)))
        if changed:
            what = "; ".join(f"{key}: {a!r:.80} -> {b!r:.80}" for key, (a, b) in changed.items())
            raise RunError(f"the {name} it began with differ: {what}", where=directory.path, hint=AS_BEFORE)


def _named(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def kept(directory: RunDir, parts: Sequence[Part], size: int) -> dict[str, int]:
    """{set: how many of its items are answered}; a batch that was cut off is cut away, and asked again as a whole.

    Raises RunError where a row answers something else than what would be asked in its place, CorruptError for what
    is no row.
    """
    path = directory.path / SAMPLES
    counts = dict.fromkeys((part.name for part in parts), 0)
    items = {part.name: part.items for part in parts}
    for number, row in enumerate(directory.rows(SAMPLES), 1):
        name = row.get("set")
        if not isinstance(name, str) or not isinstance(row.get("facts"), dict):
            hint = "cut the file off before this line, and what follows is asked again"
            raise CorruptError("no row of a card", where=f"{path}:{number}", hint=hint)
        place = counts.get(name, 0)
        if name not in items or place >= len(items[name]) or items[name][place].id != row.get("id"):
            what = f"{name}: {row.get('id')!r:.60} was answered and is not what would be asked now"
            raise RunError(what, where=f"{path}:{number}", hint=AS_BEFORE)
        counts[name] += 1
    whole = {name: count if count == len(items[name]) else count - count % size for name, count in counts.items()}
    _cut(directory, whole)
    return whole


def _cut(directory: RunDir, whole: Mapping[str, int]) -> None:
    path = directory.path / SAMPLES
    if not path.exists():
        return
    seen = dict.fromkeys(whole, 0)
    good = []
    for line in whole_lines(path):
        name = json.loads(line)["set"]
        seen[name] += 1
        good += [line] if seen[name] <= whole[name] else []
    with atomic_write(path) as file:
        file.writelines(line + b"\n" for line in good)
