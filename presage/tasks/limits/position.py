"""Loss by position in the context: the same span of a document after more and more of what stands before it.

log P(span | last c characters before it) for growing c; in bits per byte, so that no tokenizer matters. A model that
uses its context loses less as c grows, and what it cannot reach changes nothing (Kaplan et al. 2020, figure on loss by
token index, asks the same by position). Lengths that the model's context cut off are counted.

Documents are the .txt files below a folder called `documents`; without one, the modules of the installed Python.
Whether the model has read them decides what the numbers mean: for loss on unseen text give held-out documents.
"""

from __future__ import annotations

import math
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from presage.core.errors import DataError
from presage.core.seeds import stream
from presage.data.documents import read_bytes
from presage.data.verbs import Continuation, Likelihood
from presage.tasks.task import LIKELIHOOD, Example, Graded, Metric, Steps, Template

FOLDER = "documents"
LENGTHS = (0, 32, 128, 512, 2048, 8192)
SPAN = 256
"""Characters of the span asked about."""
MOST = 50
"""Documents, one span each."""
TEMPLATE = Template(lambda example: example.question, lambda example: "")


@dataclass(frozen=True)
class Position:
    """Bits per byte of the span after each number of characters; the longest first in the table of metrics."""

    lengths: tuple[int, ...] = LENGTHS

    needs = LIKELIHOOD
    takes_shots = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(Metric(metric_of(length), "lower") for length in reversed(self.lengths))

    def examine(self, example: Example, context: str) -> Steps:
        """One request a length; the task's context is not used."""
        before = str(example.fields["before"])
        prompts = [before[-length:] if length else "" for length in self.lengths]
        answers: list[Likelihood] = yield [Continuation(prompt, example.question) for prompt in prompts]
        scale = math.log(2) * len(example.question.encode())
        bits = [-answer.logprob / scale for answer in answers]
        extra = {
            "lengths": list(self.lengths),
            "cut": [answer.truncated for answer in answers],
            "truncated": max(answer.truncated for answer in answers),
        }
        return Graded({metric_of(n): one for n, one in zip(self.lengths, bits, strict=True)}, extra=extra)


def metric_of(length: int) -> str:
    """The name of a length's metric: bits_per_byte_after_512."""
    return f"bits_per_byte_after_{length}"


@dataclass(frozen=True)
class Spans:
    """A span from every document that is long enough, at a place that the seed draws. Raises DataError for none."""

    before: int = max(LENGTHS)
    span: int = SPAN
    most: int = MOST

    def files(self, folder: Path) -> list[Path]:
        """The documents of the folder that may be long enough, or the installed Python's modules."""
        root = folder.resolve()
        below = (path for path in sorted(root.rglob("*.txt")) if FOLDER in (root.name, *path.relative_to(root).parts))
        own = [path for path in below if path.is_file()]
        paths = own or sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
        return [path for path in paths if path.stat().st_size >= self.before + self.span][: self.most]

    def examples(self, folder: Path, seed: int) -> list[Example]:
        """A span a document. Raises DataError where none is long enough."""
        found: list[Example] = []
        for path in self.files(folder):
            text = read_bytes(path).decode("utf-8", "replace")
            if len(text) >= self.before + self.span:
                start = int(stream(seed, "position", path.name).integers(self.before, len(text) - self.span + 1))
                name = f"{path.name}:{start}#{len(found)}"
                fields = {"before": text[start - self.before : start]}
                found.append(Example(name, text[start : start + self.span], fields=fields))
        if not found:
            hint = f".txt files in a folder called {FOLDER}"
            raise DataError(f"no document of {self.before + self.span:,} characters", where=folder, hint=hint)
        return found

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return []
