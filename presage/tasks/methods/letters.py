"""Letters: options asked by letter in writing, for models without likelihoods, and questions with several right ones.

How a letter is read from what a model wrote, the first rule that finds one:

1. the text begins with it, perhaps in brackets, quotes or asterisks, and after it comes no word: "B", "(B)", "B. four";
2. the word answer, option or choice names it, perhaps with "is" or a colon between: "The answer is B".

Only capital letters of options that there are count. Where neither finds one, the first line may be the text of an
option itself ("Yes."), whatever its case and the marks around it. What no rule reads is invalid, and scored as wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import combinations

from presage.data.verbs import Completion, Decoding, Generation
from presage.tasks.methods.choice import ACCURACY, LETTERS, Choice, Scoring, choosing, lettered, rewrapped, uncued
from presage.tasks.task import NO_NEEDS, Example, Graded, Steps, Task, Template

_OPEN, _CLOSE = r"[\s(\[{\"'`*_“‘（【]*", r"[)\]}\"'`*_”’）】]*"
_BEGINS = r"^{open}([{letters}]{more}){close}(?=$|\s*\n|\s*[.,:;)）．。、，])"
_NAMED = r"(?i:\b(?:answer|option|choice)s?\b)(?:\s+(?i:is|are))?\s*[:：]?{open}([{letters}]{more})(?![A-Za-z])"
_JOINS = re.compile(r"[\s,、，和与&]|and")


def read_letters(text: str, count: int, *, several: bool = False) -> str | None:
    """The letter that a text names of the first `count`, or, where there may be several, all in order; None if none."""
    letters = LETTERS[:count]
    more = rf"(?:(?:[\s,、，和与&]|and)*[{letters}](?![A-Za-z]*[a-z]))*" if several else ""
    for rule in (_BEGINS, _NAMED):
        found = re.search(
            rule.replace("{open}", _OPEN)
            .replace("{close}", _CLOSE)
            .replace("{letters}", letters)
            .replace("{more}", more),
            text.strip(),
        )
        if found:
            return "".join(sorted(set(_JOINS.sub("", found[1]))))
    return None


def _option(example: Example, text: str) -> int | None:
    """The option that the first line is, as it stands."""
    line = _bare(text.strip().partition("\n")[0])
    places = [place for place, option in enumerate(example.options) if _bare(option) == line]
    return places[0] if line and len(places) == 1 else None


def _bare(text: str) -> str:
    return text.strip(" \t.,:;!?\"'`*_()[]").casefold()


@dataclass(frozen=True)
class Written:
    """The letter is written, at temperature 0, and read. sets: options are themselves letters, one or several."""

    max_tokens: int = 16
    sets: bool = False

    metrics = (ACCURACY,)
    needs = NO_NEEDS

    def examine(self, example: Example, context: str) -> Steps:
        answers: list[list[Completion]] = yield [Generation(context, Decoding(max_tokens=self.max_tokens))]
        written = answers[0][0]
        picked = self._picked(example, written.text)
        extra = {"picked": picked, "invalid": picked is None, "written": written.text, "truncated": written.truncated}
        answer = example.options[picked] if picked is not None else ""
        return Graded({"accuracy": float(picked is not None and picked == example.answer)}, answer, extra)

    def _picked(self, example: Example, text: str) -> int | None:
        if not self.sets:
            letter = read_letters(text, len(example.options))
            return LETTERS.index(letter) if letter else _option(example, text)
        several = any(len(option) > 1 for option in example.options)
        found = read_letters(text, sum(len(option) == 1 for option in example.options), several=several)
        return example.options.index(found) if found in example.options else None


@dataclass(frozen=True)
class LetterSets(Choice):
    """Options are letters of choices that the question shows: "A" to "D", and where several are right all sets of them.

    The likeliest as it stands, log P summed: fifteen options of four choices, of which chance finds one in fifteen.
    """

    scoring: Scoring = "letter"

    def examine(self, example: Example, context: str) -> Steps:
        return (yield from Choice("sum", lead=self.lead).examine(example, context))


def letter_sets(count: int, *, several: bool) -> tuple[str, ...]:
    """The letters of `count` choices, or all sets of them, small ones first."""
    sizes = range(1, count + 1) if several else range(1, 2)
    return tuple("".join(some) for size in sizes for some in combinations(LETTERS[:count], size))


# ---- tasks ----------------------------------------------------------------------------------------------------------

LINE = "Reply with the letter of the right option alone."
LINE_SETS = "Reply with the letter of the right option alone, or with the letters of all that are right."


def with_line(template: Template, line: str) -> Template:
    """A template that shows options and ends in "Answer:", with a line before that which says what to write."""

    def ask(example: Example) -> str:
        shown, _, cue = template.ask(example).rpartition("\n")
        return f"{shown}\n{line}\n{cue}"

    return replace(template, ask=ask)


def by_generation(task: Task) -> Task:
    """The same task for a model without likelihoods. Raises ConfigError where it is no choice between options."""
    choice = choosing(task)
    sets = isinstance(choice, LetterSets)
    template = task.template
    if choice.scoring != "letter":
        template = lettered(uncued(template), template.header)
    template = with_line(template, LINE_SETS if sets else LINE)
    return replace(task, name=f"{task.name}_written", template=template, method=rewrapped(task, Written(sets=sets)))
