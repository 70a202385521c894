"""Stage `sight`: questions about images, with the images, without, and in words; training beside.

| condition | what is asked |
| :-- | :-- |
| vision | the question as it is |
| no-vision | "IMAGE:" in the place of every image (GPT-4 report, appendix A.5) |
| interleaved | some of what the image shows told in words, the rest shown; where the question has such a form |
| text | all of it told in words; where the question has such a form |

With `shots`, as many questions of `pool` with their answers come before as turns of the conversation, images and all.
Multiple choice is scored by the log-probability of each option, everything else by a greedy answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from presage.core.config import File, Parent
from presage.core.errors import ConfigError, DataError
from presage.core.progress import Progress
from presage.core.run import RunDir
from presage.core.seeds import stream
from presage.data.attempt import attempt
from presage.data.images.parts import pictures, without_pictures
from presage.data.images.question import Question, read_questions
from presage.data.verbs import Completion, Decoding, Generation, LanguageModel, Likelihood, Message, Reply, shown
from presage.evaluate.seen import Seen, trained_on
from presage.evaluate.sight_grading import by_chance, final, is_number, score
from presage.evaluate.sight_pages import write_examples
from presage.evaluate.statistics import of_mean
from presage.infer.local import LocalModel
from presage.infer.opening import Examined, opened

__all__ = ["Config", "run"]

Condition = Literal["vision", "no-vision", "interleaved", "text"]
AT_ONCE = 64
FEWEST_OPTIONS = 2
Prompt = tuple[Message, ...]
COLUMNS = ["id", "category", "condition", "score", "answer", "said", "exact", "nearest"]


class Config(Examined):
    """Which questions, how asked."""

    questions: File
    """As `presage make pictures` writes them."""
    pool: File | None = None
    """Where shots are drawn from; by default the questions themselves, never the one asked."""
    shots: int = Field(default=0, ge=0)
    conditions: tuple[Condition, ...] = ("vision", "no-vision", "interleaved", "text")
    """Those that the questions have no form for are left out."""
    steps: bool = False
    """The shots show the steps to their answers; refused where no shot has any, for it would change nothing."""
    limit: int | None = Field(default=None, gt=0)
    """The first so many questions."""
    max_tokens: int = Field(default=32, gt=0)
    trained: tuple[Parent, ...] = ()
    """Runs of `presage images` that the model was trained on; by default those that its run names."""
    examples: int = Field(default=12, ge=0)
    """Questions kept with their images, the first of all; of a run of ours with a picture of where it looked."""
    seed: int = 0
    """Draws the shots."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """result.json: accuracy/CONDITION and of each category, chance, contamination; tables/answers.csv; samples.jsonl;
    artifacts/example-*.png. Raises DataError for a fault in the questions, ConfigError for a model without eyes."""
    questions = list(islice(read_questions(config.questions), config.limit))
    if not questions:
        raise DataError("holds no questions", where=config.questions)
    named = Counter(one.id for one in questions)
    for question in questions:
        _check(question, named[question.id])
    pool = list(read_questions(config.pool)) if config.pool else questions
    in_pool = Counter(one.id for one in pool)
    others = len(pool) - max(in_pool[one.id] for one in questions)
    if config.shots > others:
        hint = "a --pool to draw them from" if config.limit and not config.pool else None
        raise ConfigError(f"{config.shots} shots, and {others} questions to draw from", where="shots", hint=hint)
    if config.steps:
        _check_steps(config.shots, pool)
    conditions: list[str] = [
        one for one in dict.fromkeys(config.conditions) if all(has_form(q, one) for q in questions)
    ]
    if not conditions:
        raise ConfigError("none that all questions have a form for", where="conditions")
    model = opened(config.spec, config.key_file, config.settings)
    with attempt(out, "sight", config, seed=config.seed, resume=resume) as directory:
        prompts = {one: _prompts(config, questions, pool, one) for one in conditions}
        for one in conditions if isinstance(model, LocalModel) else ():
            _check_room(model, questions, prompts[one], one, config.max_tokens)
        seen = Seen.of(config.trained or trained_on(config.run), questions)
        said = {one: _asked(model, questions, prompts[one], one, config.max_tokens) for one in conditions}
        scores = {
            one: [score(question, answer) for question, answer in zip(questions, said[one], strict=True)]
            for one in conditions
        }
        results = _results(questions, scores, seen)
        if config.steps:
            share = sum(bool(one.steps) for one in pool) / len(pool)
            results["steps"] = {"value": share, "unit": "share of the questions that shots are drawn from"}
        directory.write_json("result.json", results)
        rows = [
            _row(one, name, scores[name][n], said[name][n], *seen[n])
            for name in conditions
            for n, one in enumerate(questions)
        ]
        directory.table("answers", rows, COLUMNS)
        write_examples(directory, model, questions[: config.examples], said, scores)
    return RunDir.open(out, "sight")


def has_form(question: Question, condition: str) -> bool:
    """Whether a question can be asked so."""
    return condition in ("vision", "no-vision") or condition in question.forms


def conversation(question: Question, shots: Sequence[Question], condition: str, *, steps: bool) -> Prompt:
    """The shots as earlier turns, and the question."""
    turns = []
    for one in shots:
        turns += [_turn(one, condition), Message("assistant", one.said(steps=steps))]
    return (*turns, _turn(question, condition))


def _turn(question: Question, condition: str) -> Message:
    parts = question.prompt if condition in ("vision", "no-vision") else question.in_form(condition)
    return shown("user", without_pictures(parts) if condition == "no-vision" else parts)


def _prompts(config: Config, questions: Sequence[Question], pool: Sequence[Question], condition: str) -> list[Prompt]:
    """Each question after its shots; these are the same in every condition."""
    return [conversation(one, _shots(config, pool, one), condition, steps=config.steps) for one in questions]


def _shots(config: Config, pool: Sequence[Question], question: Question) -> list[Question]:
    order = stream(config.seed, "shots", question.id).permutation(len(pool))
    others = (pool[place] for place in order if pool[place].id != question.id)
    return list(islice(others, config.shots))


def _asked(
    model: LanguageModel, questions: Sequence[Question], prompts: Sequence[Prompt], condition: str, most: int
) -> list[str]:
    """What the model says to each."""
    found: list[str] = []
    with Progress(condition, len(questions), "questions") as progress:
        for part in _parts(questions):
            asked = prompts[len(found) : len(found) + len(part)]
            found += _answers(model, part, asked, condition, most)
            progress.update(len(found))
    return found


def _answers(
    model: LanguageModel, questions: Sequence[Question], prompts: Sequence[Prompt], condition: str, most: int
) -> list[str]:
    """All of one kind: the option that is likeliest, or what is written."""
    if not _compared(questions[0]) or not isinstance(model, LocalModel):
        asked = [Generation(prompt, Decoding(max_tokens=most)) for prompt in prompts]
        answers = [one[0] for one in model.generate(asked)]
        for question, answer in zip(questions, answers, strict=True):
            _check_whole(question, answer, condition)
        return [one.text for one in answers]
    pairs = [(prompt, option) for prompt, one in zip(prompts, questions, strict=True) for option in one.options]
    values = iter(model.reply_loglikelihood([Reply(prompt, option) for prompt, option in pairs]))
    found = []
    for one in questions:
        of_options = [next(values) for _ in one.options]
        for likelihood in of_options:
            _check_whole(one, likelihood, condition)
        found.append(max(zip(of_options, one.options, strict=True), key=lambda pair: pair[0].logprob)[1])
    return found


def _check_room(
    model: LanguageModel, questions: Sequence[Question], prompts: Sequence[Prompt], condition: str, most: int
) -> None:
    """Asks the longest question first, alone: what does not fit is said before hours of what does."""
    longest, prompt = max(zip(questions, prompts, strict=True), key=lambda pair: _length(pair[1]))
    _answers(model, [longest], [prompt], condition, most)


def _length(prompt: Prompt) -> int:
    """Characters, and a good deal for an image."""
    return sum(len(turn.content) + IMAGE * len(pictures(turn.parts)) for turn in prompt)


IMAGE = 300
"""Characters that take about as much room as an image."""


def _check_whole(question: Question, answer: Completion | Likelihood, condition: str) -> None:
    """Raise ConfigError where a prompt was cut: what is left of a question may be no question."""
    if answer.truncated:
        what = f"asked as '{condition}', the prompt is {answer.truncated} tokens longer than the context"
        hint = f"fewer shots or max_tokens, conditions without {condition}, or a model of a longer context"
        raise ConfigError(what, where=question.id, hint=hint)


def _check(question: Question, times: int) -> None:
    """Raise DataError for one that cannot be graded, or not be told from another."""
    if times > 1:
        raise DataError(f"{times} questions of this id", where=question.id)
    if not question.answer.strip() and not question.answers:
        raise DataError("no answer to grade by", where=question.id)
    if question.metric == "choice" and len(set(question.options)) < max(len(question.options), FEWEST_OPTIONS):
        raise DataError("options are two or more, each another", where=question.id)
    if question.metric == "choice" and question.answer not in question.options:
        raise DataError("the answer is not among the options", where=question.id)
    if question.metric == "within" and not is_number(question.answer):
        raise DataError(f"the answer {question.answer[:40]!a} is not a number", where=question.id)


def _check_steps(shots: int, pool: Sequence[Question]) -> None:
    """Raise ConfigError where asking for steps would change nothing."""
    if not shots:
        raise ConfigError("changes nothing without shots, which are what shows them", where="steps", hint="add --shots")
    if not any(one.steps for one in pool):
        what = f"none of the {len(pool)} questions that shots are drawn from has steps to show"
        raise ConfigError(what, where="steps", hint="leave it out, or give a --pool that has them")


def _compared(question: Question) -> bool:
    return question.metric == "choice"


def _parts(questions: Sequence[Question]) -> Iterator[list[Question]]:
    """At most AT_ONCE at a time, those with options apart from those without."""
    part: list[Question] = []
    for question in questions:
        if part and (len(part) == AT_ONCE or _compared(part[0]) != _compared(question)):
            yield part
            part = []
        part.append(question)
    yield part


def _row(
    question: Question, condition: str, value: float, said: str, exact: bool, nearest: int | None
) -> dict[str, Any]:
    told = (question.id, question.category, condition, value, question.answer, final(said), exact, nearest)
    return dict(zip(COLUMNS, told, strict=True))


def _results(questions: Sequence[Question], scores: dict[str, list[float]], seen: Seen) -> dict[str, dict[str, Any]]:
    groups = [question.group for question in questions]
    categories = sorted({question.category for question in questions} - {""})
    results: dict[str, dict[str, Any]] = {}

    def told(name: str, some: Sequence[int], values: Sequence[float]) -> None:
        if some:
            found = of_mean([values[n] for n in some], [groups[n] for n in some])
            interval = {"stderr": found.stderr, "lo": found.lo, "hi": found.hi, "level": 0.95, "n": found.n}
            results[name] = {"value": found.value} | interval

    everything = range(len(questions))
    for condition, values in scores.items():
        told(f"accuracy/{condition}", everything, values)
        for category in categories if len(categories) > 1 else ():
            some = [n for n in everything if questions[n].category == category]
            told(f"accuracy/{condition}/{category}", some, values)
        told(f"clean/{condition}", [n for n in everything if not seen.exact[n]], values)
    results["chance"] = {"value": by_chance(questions), "n": len(questions)}
    results |= {f"contamination/{name}": one for name, one in seen.told().items()}
    results["questions"] = {"value": len(questions)}
    results["images"] = {"value": sum(len(pictures(question.prompt)) for question in questions)}
    return results
