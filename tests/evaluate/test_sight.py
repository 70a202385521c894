"""What a model sees: with the images, without and in words; shots, options, steps, what it was trained on."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from presage import cli
from presage.core.errors import ConfigError, DataError, PresageError
from presage.core.run import RunDir
from presage.data.chat import encoded
from presage.data.images.parts import TAG
from presage.data.images.question import Question
from presage.data.verbs import Message, Reply, shown
from presage.evaluate import sight
from presage.evaluate.seen import trained_on
from presage.evaluate.sight import conversation
from presage.evaluate.sight_pages import overlay
from presage.infer.directories import Settings, open_run
from presage.infer.local import LocalModel
from presage.infer.looking import Look
from presage.infer.opening import open_model
from presage.infer.own import OwnEngine
from presage.model.attending import attention_of_last
from presage.model.transformer import build
from presage.train import vision
from tests.model.shapes import make_run
from tests.seeing import (
    ASKED,
    COLOURS,
    colour_questions,
    learn_colours,
    make_images,
    make_questions,
    noise,
    part,
    picture,
    plain,
    talk,
    training,
)
from tests.stage import check_stage

Outcome = tuple[int, str, str]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that names colours."""
    return learn_colours(tmp_path_factory.mktemp("learnt")).path


def asked(run: Path, folder: Path, questions: Sequence[Question], **changes: Any) -> RunDir:
    """The stage on these questions."""
    return sight.run(config(run, folder, questions, **changes), folder / "sight")


def config(run: Path, folder: Path, questions: Sequence[Question], **changes: Any) -> sight.Config:
    path = make_questions(folder / "questions.jsonl", questions)
    return sight.Config.model_validate({"run": run, "questions": path, "max_tokens": 8} | changes)


def table(run: RunDir) -> list[dict[str, str]]:
    return list(csv.DictReader((run.path / "tables" / "answers.csv").read_text().splitlines()))


# ---- the stage ------------------------------------------------------------------------------------------------------

FORMS = {"text": ("It is of a colour. ", ASKED)}


def test_sight_stage(learnt: Path, tmp_path: Path) -> None:
    questions = colour_questions(forms=FORMS)
    run = check_stage(sight, config(learnt, tmp_path, questions, examples=2), tmp_path / "runs", kills=2)
    assert run.value("accuracy/vision") == 1
    assert max(run.value("accuracy/no-vision"), run.value("accuracy/text")) <= 0.25  # one answer to all
    assert run.value("chance") == 0.25
    assert run.value("questions") == run.value("images") == 4
    assert "accuracy/interleaved" not in run.results()
    rows = table(run)
    assert [row["said"] for row in rows if row["condition"] == "vision"] == list(COLOURS)
    assert len({row["said"] for row in rows if row["condition"] == "no-vision"}) == 1
    assert [row["condition"] for row in rows[::4]] == ["vision", "no-vision", "text"]


def test_a_form_that_some_questions_lack_is_left_out(learnt: Path, tmp_path: Path) -> None:
    some = [*colour_questions(forms=FORMS)[:1], *colour_questions()[1:]]
    run = asked(learnt, tmp_path, some, conditions=("text", "vision"), examples=0)
    assert {row["condition"] for row in table(run)} == {"vision"}


def test_examples_are_kept_with_where_it_looked(learnt: Path, tmp_path: Path) -> None:
    run = asked(learnt, tmp_path, colour_questions(), examples=2)
    lines = [json.loads(line) for line in (run.path / "samples.jsonl").read_text().splitlines()]
    assert [line["completion"]["vision"] for line in lines] == ["red", "green"]
    assert [line["scores"]["vision"] for line in lines] == [1.0, 1.0]
    for line, colour in zip(lines, COLOURS, strict=False):
        assert np.array_equal(Image.open(run.path / line["image"]), plain(colour))
        assert Image.open(run.path / line["attention"]).size == (240, 120)


def test_a_question_of_words_alone_is_asked_too(learnt: Path, tmp_path: Path) -> None:
    words = Question(id="words", prompt=("Colour?",), answer="red")
    run = asked(learnt, tmp_path, [words, *colour_questions()], examples=5)
    assert run.value("questions") == 5 and run.value("images") == 4
    assert not (run.path / "artifacts" / "example-00.png").exists()


def test_what_is_exact_is_left_out_of_clean(learnt: Path, tmp_path: Path) -> None:
    new = Question(id="new", prompt=(picture(noise(3, 8, 16)), ASKED), answer="noise")
    run = asked(learnt, tmp_path, [*colour_questions(), new])
    assert run.value("contamination/exact") == 0.8
    assert run.value("contamination/training_images") == 4
    assert run.value("clean/vision") == 0 and run.results()["clean/vision"]["n"] == 1
    assert [row["exact"] for row in table(run)][:5] == ["True"] * 4 + ["False"]


# ---- shots and steps ------------------------------------------------------------------------------------------------

RED, BLUE = picture(plain("red")), picture(plain("blue"))
FIRST = Question(id="1", prompt=(RED, "Which?"), answer="red", steps="Look.", forms={"text": ("A red one. Which?",)})
SECOND = Question(id="2", prompt=(BLUE, "And?"), answer="blue", forms={"text": ("A blue one. And?",)})


def test_shots_are_earlier_turns_with_their_images() -> None:
    assert conversation(SECOND, [FIRST], "vision", steps=False) == (
        shown("user", (RED, "Which?")),
        Message("assistant", "red"),
        shown("user", (BLUE, "And?")),
    )
    assert conversation(SECOND, [FIRST], "no-vision", steps=False) == (
        Message("user", f"{TAG}Which?"),
        Message("assistant", "red"),
        Message("user", f"{TAG}And?"),
    )
    in_words = conversation(SECOND, [FIRST], "text", steps=True)
    said = ["A red one. Which?", "Look. The answer is red.", "A blue one. And?"]
    assert [one.content for one in in_words] == said and not any(one.parts for one in in_words)


def test_shots_are_drawn_from_the_others(learnt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[str, list[str]]] = []

    def watched(question: Question, shots: Sequence[Question], *rest: Any, **more: Any) -> tuple[Message, ...]:
        drawn.append((question.id, [one.id for one in shots]))
        return conversation(question, shots, *rest, **more)

    monkeypatch.setattr(sight, "conversation", watched)
    asked(learnt, tmp_path, colour_questions(), shots=1, max_tokens=4, conditions=("vision", "no-vision"), examples=0)
    assert all(len(set(shots)) == 1 and own not in shots for own, shots in drawn)
    assert drawn[:4] == drawn[4:]  # the same for every condition


def test_how_many_shots_can_show_steps_is_told(learnt: Path, tmp_path: Path) -> None:
    some = [*colour_questions()[:3], *colour_questions(steps="Look.")[3:]]
    run = asked(learnt, tmp_path, some, shots=1, steps=True, max_tokens=2, conditions=("no-vision",), examples=0)
    assert run.value("steps") == 0.25


def test_what_does_not_fit_is_said_before_what_does_is_asked(
    learnt: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The third of four questions is too long, and in words alone."""
    questions = colour_questions(forms={"text": ("Blue.",)})
    questions[2] = replace(questions[2], forms={"text": ("Blue, " * 300,)})
    with pytest.raises(ConfigError, match=r"asked as 'text', the prompt is .* conditions without text") as caught:
        asked(learnt, tmp_path, questions)
    assert caught.value.where == questions[2].id
    assert "vision" not in capsys.readouterr().err


@pytest.mark.parametrize("options", [(), tuple(COLOURS)])
def test_prompts_that_do_not_fit_are_told(learnt: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    questions = colour_questions(options=options, metric="choice" if options else "exact")
    with pytest.raises(ConfigError, match="tokens longer than the context") as caught:
        asked(learnt, tmp_path, questions, shots=3)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sight").exists()


# ---- options --------------------------------------------------------------------------------------------------------


def naive(model: LocalModel, prompt: tuple[Message, ...], reply: str) -> float:
    """log P of a reply from the full forward pass over the whole conversation."""
    assert isinstance(model.engine, OwnEngine) and model.asking.chat is not None
    look = Look(model.engine)
    ids, learned = encoded(model.asking.chat, (*prompt, Message("assistant", reply)), look.see)
    with torch.no_grad():
        logs = look.seen().model(torch.tensor([ids[:-1]]))[0].log_softmax(-1)
    return float(sum(logs[place, ids[place + 1]] for place in range(len(ids) - 1) if learned[place + 1]))


def test_options_are_compared_by_likelihood(learnt: Path, tmp_path: Path) -> None:
    model = open_model(str(learnt))
    assert isinstance(model, LocalModel)
    questions = colour_questions(metric="choice", options=("white", "blue", "green", "red"))
    for question in questions:
        prompt = conversation(question, (), "vision", steps=False)
        values = model.reply_loglikelihood([Reply(prompt, option) for option in question.options])
        expected = [naive(model, prompt, option) for option in question.options]
        assert [one.logprob for one in values] == pytest.approx(expected, abs=1e-3)
    run = asked(learnt, tmp_path, questions, examples=0)
    assert run.value("accuracy/vision") == 1 and run.value("chance") == 0.25


# ---- what it was trained on -----------------------------------------------------------------------------------------


def test_the_images_of_a_run_and_of_its_bases_are_known(learnt: Path, tmp_path: Path) -> None:
    images = make_images(tmp_path, [talk([part(noise(1, 8, 8))], "x")]).path
    later = vision.run(training(images, base=learnt, model=None, samples=0), tmp_path / "later").path
    assert trained_on(later) == [images.resolve(), (learnt.parent / "images").resolve()]
    assert trained_on(None) == []


# ---- where it looks -------------------------------------------------------------------------------------------------


def test_attention_is_shared_out_among_what_was_read(learnt: Path) -> None:
    model = open_model(str(learnt))
    assert isinstance(model, LocalModel) and isinstance(model.engine, OwnEngine)
    ids = torch.tensor([256, 5, 6, 7, 8])
    weights = attention_of_last(model.engine.model, ids)
    assert weights.shape == (2, 2, 5)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2))
    trunk = model.engine.model
    x = trunk.embed(ids[None])
    attention: Any = trunk.blocks[0].attention
    with torch.no_grad():
        q, k, v = attention.projected(trunk.blocks[0].attention_norm(x), torch.arange(5), trunk.rotary)  # type: ignore
        heads = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)[0, :, -1]
    torch.testing.assert_close(torch.einsum("ht,hte->he", weights[0], v[0]), heads)


def test_a_picture_of_attention_is_light_where_it_looks() -> None:
    heat = np.array([[0.0, 0.0], [0.0, 2.0]])
    lit = np.asarray(overlay(Image.new("RGB", (16, 16), (200, 200, 200)), heat))
    assert lit.shape == (240, 240, 3)
    assert lit[-1, -1].tolist() == [200, 200, 200] and lit[0, 0].max() <= 51


# ---- errors ---------------------------------------------------------------------------------------------------------


def refused(words: str, call: Callable[[], object], kind: type[PresageError] = PresageError) -> None:
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_errors_are_told_in_one_line(learnt: Path, tmp_path: Path) -> None:
    colours = colour_questions()
    (tmp_path / "empty.jsonl").write_text("\n")
    empty = sight.Config(run=learnt, questions=tmp_path / "empty.jsonl")
    refused("holds no questions", lambda: sight.run(empty, tmp_path / "sight"), DataError)
    refused("4 shots, and 3 questions", lambda: asked(learnt, tmp_path, colours, shots=4), ConfigError)
    refused("steps: changes nothing without shots", lambda: asked(learnt, tmp_path, [FIRST], steps=True), ConfigError)
    stepless = "steps: none of the 4 questions that shots are drawn from has steps"
    refused(stepless, lambda: asked(learnt, tmp_path, colours, steps=True, shots=1), ConfigError)
    refused("red: 2 questions of this id", lambda: asked(learnt, tmp_path, [*colours, colours[0]]), DataError)
    refused("a --pool to draw them from", lambda: asked(learnt, tmp_path, colours, shots=3, limit=2), ConfigError)
    refused("conditions: none", lambda: asked(learnt, tmp_path, colours, conditions=("text",)), ConfigError)
    odd = colour_questions(metric="choice", options=("a", "b"))
    refused("red: the answer is not among the options", lambda: asked(learnt, tmp_path, odd), DataError)
    for options in (("red",), ("red", "blue", "red")):
        few = colour_questions(metric="choice", options=options)
        refused("red: options are two or more", lambda few=few: asked(learnt, tmp_path, few), DataError)
    refused("red: no answer", lambda: asked(learnt, tmp_path, colour_questions(answer=" ")), DataError)
    wordy = colour_questions(metric="within", scale=1.0)
    refused("red: the answer 'red' is not a number", lambda: asked(learnt, tmp_path, wordy), DataError)
    assert not (tmp_path / "sight").exists()


def test_a_model_of_text_is_told(learnt: Path, tmp_path: Path) -> None:
    """One that was trained on conversations, without eyes."""
    folder = tmp_path / "blind"
    written = json.loads((learnt / "config.json").read_text())
    model = open_run(str(learnt), Settings())
    assert isinstance(model.engine, OwnEngine)
    text = model.engine.model.config.model_copy(update={"vision": None})
    make_run(folder, build(text, 0), learnt / "artifacts" / "tokenizer.json")
    ours = json.loads((folder / "config.json").read_text())
    ours["config"]["template"] = written["config"]["template"]
    (folder / "config.json").write_text(json.dumps(ours))
    blind = open_run(str(folder), Settings())
    prompt = conversation(FIRST, (), "vision", steps=False)
    refused("reads text alone", lambda: blind.reply_loglikelihood([Reply(prompt, "red")]), ConfigError)


# ---- the command line -----------------------------------------------------------------------------------------------


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    def called(*arguments: object) -> Outcome:
        code = cli.main([str(argument) for argument in arguments])
        return (code, *capsys.readouterr())

    return called


def test_pictures_are_made_and_looked_at(learnt: Path, tmp_path: Path, call: Callable[..., Outcome]) -> None:
    path = tmp_path / "x.jsonl"
    assert call("make", "pictures", "words,bars", "--count", 3, "--out", path)[:2] == (0, f"{path}\n")
    assert len(path.read_text().splitlines()) == 6
    make_questions(tmp_path / "colours.jsonl", colour_questions())
    code, out, _ = call("sight", learnt, tmp_path / "colours.jsonl", "--out", tmp_path / "sight", "--quiet")
    assert code == 0
    shown_rows = {line.split()[0]: line.split()[1] for line in out.splitlines()}
    assert shown_rows["accuracy/vision"] == "1.000" and float(shown_rows["accuracy/no-vision"]) <= 0.25
    assert shown_rows["chance"] == "0.250" and shown_rows["contamination/exact"] == "1.000"


def test_command_line_errors(learnt: Path, tmp_path: Path, call: Callable[..., Outcome]) -> None:
    path, out = tmp_path / "x.jsonl", tmp_path / "out"
    path.write_text('{"id": 1}\n')
    colours = make_questions(tmp_path / "colours.jsonl", colour_questions())
    wrong: dict[str, list[object]] = {
        "'words' twice": ["make", "pictures", "words,bars,words", "--out", tmp_path / "y.jsonl"],
        "no kind of drawing": ["make", "pictures", "wrods", "--out", tmp_path / "y.jsonl"],
        "end it in .jsonl": ["make", "pictures", "words", "--out", tmp_path / "y.png"],
        "--count 0": ["make", "pictures", "words", "--count", 0, "--out", tmp_path / "y.jsonl"],
        "x.jsonl:1": ["sight", learnt, path, "--out", out],
        "absent.jsonl": ["sight", learnt, tmp_path / "absent.jsonl", "--out", out],
        "no model in this run": ["sight", learnt.parent / "images", colours, "--out", out],
    }
    for words, arguments in wrong.items():
        code, said, told = call(*arguments)
        assert (code, said) == (2, "") and words in told and len(told.splitlines()) == 1, told
    assert not out.exists() and not (tmp_path / "y.jsonl").exists()
