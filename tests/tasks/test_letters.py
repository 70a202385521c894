"""Letters in writing, and any choice asked in another way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from presage.core.errors import ConfigError
from presage.data.verbs import Decoding, Generation
from presage.evaluate.runner import Runner
from presage.tasks.files import Generated
from presage.tasks.library import tasks
from presage.tasks.methods.asked import asked_by
from presage.tasks.methods.choice import Choice, Scoring, choosing, lettered, plain
from presage.tasks.methods.letters import LINE, LetterSets, Written, by_generation, letter_sets, read_letters
from presage.tasks.methods.noted import Bias
from presage.tasks.methods.pairs import Pairs, bare
from presage.tasks.shots import Shots
from presage.tasks.task import LIKELIHOOD, Example, Method, Task, Template
from tests.toy_model import ToyModel

READ: tuple[tuple[str, str | None], ...] = (
    ("B", "B"),
    (" B\n", "B"),
    ("(B)", "B"),
    ("(B) the second one", "B"),
    ("**B**", "B"),
    ('"B"', "B"),
    ("B. the second", "B"),
    ("B: the second", "B"),
    ("B\nBecause it is.", "B"),
    ("A, since B is wrong", "A"),
    ("（B）", "B"),
    ("The answer is B.", "B"),
    ("The correct answer is (B)", "B"),
    ("Answer: B", "B"),
    ("I would choose option B here", "B"),
    ("My choice is **B**.", "B"),
    ("The answer is A because B is not", "A"),
    ("b", None),
    ("A cat", None),
    ("E", None),
    ("The answer is E", None),
    ("The answer is Bob", None),
    ("Because", None),
    ("BC", None),
    ("It is four.", None),
    ("", None),
)


@pytest.mark.parametrize(("text", "letter"), READ, ids=range(len(READ)))
def test_a_letter_is_read_by_the_rules(text: str, letter: str | None) -> None:
    assert read_letters(text, 4) == letter


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("ACD", "ACD"),
        ("DCA", "ACD"),
        ("A, C and D", "ACD"),
        ("A、C", "AC"),
        ("(B)", "B"),
        ("B. Because", "B"),
        ("The answers are A and C.", "AC"),
        ("A and C are right", None),
        ("AE", None),
        ("none", None),
    ],
)
def test_several_letters_are_read_in_any_order(text: str, letters: str | None) -> None:
    assert read_letters(text, 4, several=True) == letters


EXAMPLE = Example("q", "Is it 1 or 2?", ("one", "two"), 1)
OTHER = Example("r", "Is it 3 or 4?", ("three", "four"), 0)
DATA = Generated(lambda seed, count, split: [EXAMPLE, OTHER], 2)
QUESTION: Template = plain()


def task(method: Method, template: Template = QUESTION, header: str = "") -> Task:
    return Task("t", 1, DATA, replace(template, header=lambda example: header), method, "here")


def shown(one: Task, shots: int = 0) -> str:
    return Shots(replace(one, shots=shots), [EXAMPLE, OTHER], shots, 0).context(EXAMPLE)


@pytest.mark.parametrize(
    ("text", "picked", "score", "invalid"),
    [
        ("B", 1, 1.0, False),
        (" A. one", 0, 0.0, False),
        ("both", None, 0.0, True),
        ("C", None, 0.0, True),
        ("*Two.*\nYes", 1, 1.0, False),
    ],
)
def test_what_is_written_is_graded(text: str, picked: int | None, score: float, invalid: bool) -> None:
    written = by_generation(task(Choice("unconditional")))
    model = ToyModel(write=lambda prompt, sample: text, has_likelihood=False)
    (exchange,) = Runner(model).run(written.method, [EXAMPLE], [shown(written)])
    assert exchange.graded.scores == {"accuracy": score}
    assert (exchange.graded.extra["picked"], exchange.graded.extra["invalid"]) == (picked, invalid)
    assert exchange.graded.extra["written"] == text
    assert model.asked == [Generation(shown(written), Decoding(max_tokens=16))]
    assert not written.method.needs & LIKELIHOOD


def test_the_prompt_shows_options_and_asks_for_the_letter() -> None:
    asked = f"Question: Is it 1 or 2?\nA. one\nB. two\n{LINE}\nAnswer:"
    for method, template in ((Choice("per_token"), QUESTION), (Choice("letter"), lettered(QUESTION.ask))):
        if method.scoring == "letter":
            template = lettered(lambda example: f"Question: {example.question}")
        written = by_generation(task(method, template, "An exam."))
        assert written.name == "t_written"
        assert shown(written) == f"An exam.\n\n{asked}"
        assert shown(written, 1).endswith(f"B. four\n{LINE}\nAnswer: A\n\n{asked}")


def test_sets_of_letters_are_written_too() -> None:
    sets = letter_sets(3, several=True)
    example = Example("s", "Which?", sets, sets.index("AC"), fields={"shown": ["x", "y", "z"]})
    written = by_generation(task(LetterSets(), plain(lambda example: "Which?\nA. x\nB. y\nC. z\nAnswer:")))
    assert written.template.ask(example).split("\n")[-2:] == [
        "Reply with the letter of the right option alone, or with the letters of all that are right.",
        "Answer:",
    ]
    for text, score in (("C, A", 1.0), ("A", 0.0), ("ABCD", 0.0)):
        model = ToyModel(write=lambda prompt, sample, text=text: text)
        (exchange,) = Runner(model).run(written.method, [example], [""])
        assert exchange.graded.scores["accuracy"] == score
        assert exchange.graded.extra["invalid"] is (text == "ABCD")


def test_a_wrapped_choice_keeps_its_wrapping() -> None:
    written, lettered_ = by_generation(task(Bias(Choice("per_token")))), asked_by(task(Bias(Choice())), "letter")
    assert written.method == Bias(Written())
    assert lettered_.method == Bias(Choice("letter"))
    assert not written.method.needs & LIKELIHOOD


@pytest.mark.parametrize(
    ("scoring", "prompt", "answers"),
    [
        ("letter", "Question: Is it 1 or 2?\nA. one\nB. two\nAnswer:", [" A", " B"]),
        ("per_byte", "Question: Is it 1 or 2?\nAnswer:", [" one", " two"]),
        ("sum", "Question: Is it 1 or 2?\nAnswer:", [" one", " two"]),
        ("unconditional", "Question: Is it 1 or 2?\nAnswer:", [" one", " two", " one", " two"]),
    ],
)
def test_asked_in_every_way(scoring: Scoring, prompt: str, answers: list[str]) -> None:
    for first in (task(Choice("per_token")), task(Choice("letter"), lettered())):
        other = asked_by(first, scoring)
        if other.method == first.method:
            assert other is first
            continue
        assert other.name == f"t_{scoring}"
        assert shown(other) == prompt
        model = ToyModel()
        Runner(model).run(other.method, [EXAMPLE], [shown(other)])
        assert [request.text for request in model.asked] == answers  # type: ignore[attr-defined]


def test_what_is_no_choice_is_not_asked_in_another_way() -> None:
    with pytest.raises(ConfigError, match="asked by Pairs"):
        asked_by(task(Pairs(), bare()), "letter")
    with pytest.raises(ConfigError, match="asked by Pairs"):
        by_generation(task(Pairs(), bare()))
    with pytest.raises(ConfigError, match="its options are letters"):
        asked_by(task(LetterSets()), "per_token")
    assert asked_by(task(LetterSets()), "letter").method == LetterSets()


def test_every_task_of_choice_can_be_asked_in_writing_and_by_letter() -> None:
    for one in tasks().values():
        if not isinstance(getattr(one.method, "choice", one.method), Choice):
            continue
        assert not by_generation(one).method.needs & LIKELIHOOD
        assert choosing(asked_by(one, "letter")).scoring == "letter"
