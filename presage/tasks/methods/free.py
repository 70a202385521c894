"""Free-form answers: written by the model, read by a stated rule, compared with the texts that count as right.

The GPT-3 report writes them with a beam of width 4 and length penalty 0.6 (§2.4): `BEAM`.

| score | 1 where |
| :-- | :-- |
| exact | the answer, without blanks around it, is one of the targets |
| exact_match | the same after SQuAD's normalisation: lower case, no punctuation, no articles, single blanks |
| f1 | (overlap) words shared with the closest target, normalised likewise: SQuAD's F1 |
| f1_of_others | CoQA's: with several references, the mean over leaving one of them out |
| numeric | the answer's number equals a target's |
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from presage.core.errors import ConfigError
from presage.core.seeds import derive
from presage.data.verbs import Completion, Decoding, Generation
from presage.tasks.task import NO_NEEDS, Example, Graded, Metric, Steps, Task

Score = Literal["exact", "exact_match", "f1", "f1_of_others", "numeric"]
BEAM = Decoding(max_tokens=64, stops=("\n",), beams=4, length_penalty=0.6)
GREEDY = Decoding(max_tokens=64, stops=("\n",))


@dataclass(frozen=True)
class Free:
    """Write, read, compare. The answer is what `pattern` finds in the completion (its group 1, where it has one), the
    first or the last time; without a pattern, all of it. Nothing found, or nothing written, is
    "invalid" where it is not right (SQuAD 2.0 may have no answer)."""

    scores: tuple[Score, ...] = ("exact_match", "f1")
    decoding: Decoding = BEAM
    pattern: str = ""
    pick: Literal["first", "last"] = "first"

    needs = NO_NEEDS

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(Metric(name) for name in self.scores)

    def examine(self, example: Example, context: str) -> Steps:
        """Write once, read, compare."""
        answers: list[list[Completion]] = yield [ask(example, context, self.decoding)]
        written = answers[0][0]
        answer = found(written.text, self.pattern, self.pick)
        scores: dict[str, float] = {
            name: SCORES[name](answer or "", example.targets) if answer is not None else 0.0 for name in self.scores
        }
        return Graded(scores, answer or "", said(written) | {"invalid": not answer and not any(scores.values())})


def ask(example: Example, context: str, decoding: Decoding) -> Generation:
    """A generation whose samples depend on the example alone."""
    return Generation(context, decoding, derive(0, "written", example.id))


def said(written: Completion) -> dict[str, Any]:
    """What the log keeps of a completion."""
    return {
        "completion": written.text,
        "logprob": written.logprob,
        "finish": written.finish,
        "truncated": written.truncated,
    }


def found(text: str, pattern: str, pick: str) -> str | None:
    """The answer in a completion, or None."""
    if not pattern:
        return text.strip()
    matches = list(re.finditer(pattern, text))
    if not matches:
        return None
    match = matches[0 if pick == "first" else -1]
    return next((group for group in match.groups() if group), match[0]).strip()


def decoded(decoding: Decoding, samples: int = 1, /, **changes: Any) -> Decoding:
    """Another decoding for `samples` completions. A temperature above 0 leaves beam search, which takes none. Raises
    ConfigError for several samples at temperature 0."""
    changed = replace(decoding, **changes)
    if samples > 1 and changed.temperature == 0:
        raise ConfigError("samples at temperature 0 are all the same", where="samples", hint="--temperature 0.8")
    return replace(changed, beams=1) if changed.temperature > 0 else changed


def without_beams(task: Task) -> Task:
    """The same task written greedily: for a model that has no beam search, as an endpoint."""
    method: Any = task.method
    decoding = getattr(method, "decoding", None)
    if decoding is None or decoding.beams == 1:
        return task
    return replace(task, method=replace(method, decoding=replace(decoding, beams=1)))


# ---- comparing -------------------------------------------------------------------------------------------------------

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(a|an|the)\b")


def normalised(text: str) -> str:
    """Lower case without punctuation and articles, single blanks: SQuAD's normalisation, in SQuAD's order."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact(answer: str, targets: Sequence[str]) -> float:
    """1 where the answer is a target but for blanks around it."""
    return float(answer.strip() in [target.strip() for target in targets])


def exact_match(answer: str, targets: Sequence[str]) -> float:
    """1 where the answer is a target after normalisation."""
    return float(normalised(answer) in [normalised(target) for target in targets])


def f1(answer: str, targets: Sequence[str]) -> float:
    """F1 of words against the closest target; two texts without words agree, one alone does not."""
    return max((_f1(normalised(answer).split(), normalised(target).split()) for target in targets), default=0.0)


def f1_of_others(answer: str, targets: Sequence[str]) -> float:
    """Mean, over leaving out one reference in turn, of the F1 against the rest; a single reference is not left out."""
    if len(targets) < 2:  # nothing would be left to compare with
        return f1(answer, targets)
    rest = [[*targets[:out], *targets[out + 1 :]] for out in range(len(targets))]
    return sum(f1(answer, some) for some in rest) / len(rest)


def _f1(answer: list[str], target: list[str]) -> float:
    if not answer or not target:
        return float(answer == target)
    shared = sum((Counter(answer) & Counter(target)).values())
    return 2 * shared / (len(answer) + len(target))


def value(text: str) -> Decimal | None:
    """The number that a text spells, whatever its currency sign, thousands commas and final stop; None without one."""
    try:
        number = Decimal(re.sub(r"[$€£¥%,\s]", "", text).rstrip("."))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def numeric(answer: str, targets: Sequence[str]) -> float:
    """1 where the answer is a number that a target is."""
    number = value(answer)
    return float(number is not None and number in [value(target) for target in targets])


SCORES: Mapping[str, Callable[[str, Sequence[str]], float]] = {
    "exact": exact,
    "exact_match": exact_match,
    "f1": f1,
    "f1_of_others": f1_of_others,
    "numeric": numeric,
}
