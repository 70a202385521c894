"""What a model tells of charts of bars before it answers: how many names and values are right, and what would follow.

A model that answers in steps tells the whole chart first. Here its telling is compared with the chart, and the value of
a named bar and the largest bar are read from the telling by this program: what it sees, apart from what it makes of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from harness.report import entry, options, publish, table

from presage.core.estimates import of_mean
from presage.data.images.question import Question, read_questions
from presage.data.verbs import Decoding, Generation, shown
from presage.infer.opening import opened

CLOSE = 0.05
"""Of the axis: as near as a value has to be."""
MOST = 100
"""Tokens of an answer."""


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--run", type=Path, metavar="RUN", help="a model that answers in steps")
    parser.add_argument("--questions", type=Path, metavar="FILE", help="of `presage make pictures bars --steps`")
    parser.add_argument("--limit", type=int, default=1000)
    args = parser.parse_args()
    if args.run is None or args.questions is None:
        print("vision_told: skipped, --run and --questions are not given")
        return
    questions = list(read_questions(args.questions))[: args.limit]
    asked = [Generation((shown("user", one.prompt),), Decoding(max_tokens=MOST)) for one in questions]
    told = [_chart(found[0].text) for found in opened(str(args.run)).generate(asked)]
    pairs = list(zip(questions, told, strict=True))
    rows = [
        _row("names", [name in said for one, said in pairs for name in _chart(one.steps)]),
        _row("names with their values", [ok for one, said in pairs for ok in _right(one, said)]),
        *(
            _row(f"{kind}, by what it tells", [_follows(*pair) for pair in pairs if pair[0].category == kind])
            for kind in ("value", "largest", "smallest")
        ),
    ]
    columns = ["of held-out charts", "n", "right"]
    publish("vision-told", "What a model tells of charts", [table(columns, rows)], write=args.write)


def _chart(text: str) -> dict[str, int]:
    """{name: value} of a telling such as "A bar chart, axis 0 to 20. ash: 4, lid: 18."."""
    _, _, rest = text.partition(". ")
    return {name: int(value) for name, value in re.findall(r"(\w+): (\d+)", rest.split(". ")[0])}


def _axis(question: Question) -> int:
    found = re.search(r"axis 0 to (\d+)", question.steps)
    assert found is not None
    return int(found[1])


def _right(question: Question, said: Mapping[str, int]) -> list[bool]:
    near = CLOSE * _axis(question)
    return [name in said and abs(said[name] - value) <= near for name, value in _chart(question.steps).items()]


def _follows(question: Question, said: Mapping[str, int]) -> bool:
    """Whether the answer that follows from what was said is right."""
    if question.category == "value":
        name = str(question.prompt[-1]).rstrip("?").split()[-1]
        return name in said and abs(said[name] - int(question.answer)) <= CLOSE * _axis(question)
    most = max if question.category == "largest" else min
    return bool(said) and most(said, key=lambda name: said[name]) == question.answer


def _row(what: str, right: list[bool]) -> list[str]:
    one = of_mean([float(ok) for ok in right])
    return [what, f"{len(right):,}", f"{one.value:.3f} ({one.lo:.3f} to {one.hi:.3f})"]


if __name__ == "__main__":
    entry(main)
