"""Talking in the terminal: what commands do, what is kept, and that Ctrl-C ends an answer and not the program."""

from __future__ import annotations

import io
import json
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image

from presage import cli
from presage.align.records import read_demonstrations
from presage.core.errors import DataError, PresageError, did_you_mean
from presage.data.bpe import Tokenizer
from presage.data.verbs import Message, Prompt
from presage.infer.directories import Settings, open_run
from presage.model.config import qwen3
from presage.serve.terminal.speaker import Engine, How, Took, Whole, speaker_of
from presage.serve.terminal.talk import COMMANDS, Done, Talk
from tests.imports import ROOT
from tests.model.shapes import TEXT, lively, make_run

ENDLESS = 1000000
HINT = did_you_mean("nothing", COMMANDS)


class Echo:
    """Says what it was asked last, word by word."""

    name, chat, sees = "echo", True, True

    def __init__(self) -> None:
        self.asked: list[Prompt] = []
        self.closed = 0

    def speak(self, prompt: Prompt, how: How, seed: int, took: Took) -> Iterator[str]:
        self.asked.append(prompt)
        said = prompt if isinstance(prompt, str) else prompt[-1].content
        if said == "fail":
            raise DataError("cannot")
        try:
            for word in said.split():
                yield f"{word} "
        finally:
            self.closed += 1

    def close(self) -> None: ...


@pytest.fixture
def talk() -> Talk:
    return Talk(Echo(), How())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    tokenizer = folder / "tokenizer.json"
    tokenizer.write_text(Tokenizer.train([TEXT], 270).to_json())
    model = lively(qwen3(270, 48, 1, 16, n_heads=2, n_kv_heads=2, d_head=8))
    with torch.no_grad():  # surer of what comes next, which is hardly ever the end
        model.head.weight.mul_(3)
        model.head.weight[Tokenizer.load(tokenizer).eot] = 0
    made = make_run(folder / "tiny", model, tokenizer)
    config = json.loads((made / "config.json").read_text())
    config["config"]["template"] = "chat"
    (made / "config.json").write_text(json.dumps(config))
    return made


def test_a_talk_is_gone_on_with_taken_back_and_answered_anew(talk: Talk) -> None:
    assert "".join(talk.ask("one two")) == "one two "
    list(talk.ask("three"))
    assert [turn.content for turn in talk.turns] == ["one two", "one two ", "three", "three "]
    talk.command("/system be brief")
    list(talk.command("/regenerate"))
    assert talk.speaker.asked[-1] == (Message("system", "be brief"), *talk.turns[:3])  # type: ignore[attr-defined]
    assert talk.command("/undo") == "taken back: three"
    assert len(talk.turns) == 2
    talk.command("/new")
    assert talk.turns == []
    with pytest.raises(PresageError, match="nothing was said yet"):
        list(talk.command("/regenerate"))


def test_of_an_answer_that_is_stopped_the_beginning_is_kept_and_of_one_that_fails_nothing(talk: Talk) -> None:
    pieces = talk.ask("a b c d")
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert [turn.content for turn in talk.turns] == ["a b c d", "a "]
    assert talk.speaker.closed == 1  # type: ignore[attr-defined]
    with pytest.raises(DataError):
        list(talk.ask("fail"))
    assert len(talk.turns) == 2


def test_a_saved_talk_is_a_demonstration(talk: Talk, tmp_path: Path) -> None:
    list(talk.ask("hello"))
    talk.command(f"/save {tmp_path / 'talk.jsonl'}")
    [found] = read_demonstrations(tmp_path / "talk.jsonl")
    assert (found.prompt, found.answer) == ((Message("user", "hello"),), "hello ")
    with pytest.raises(DataError, match="there is something of this name"):
        talk.command(f"/save {tmp_path / 'talk.jsonl'}")


def test_an_image_goes_with_the_next_message_alone(talk: Talk, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    (tmp_path / "a.png").write_bytes(file.getvalue())
    (tmp_path / "b.png").write_text("no image")
    with pytest.raises(DataError):
        talk.command(f"/image {tmp_path / 'b.png'}")
    talk.command(f"/image {tmp_path / 'a.png'}")
    list(talk.ask("what?"))
    list(talk.ask("and?"))
    assert [len(turn.parts) for turn in talk.turns if turn.role == "user"] == [2, 0]
    talk.speaker.sees = False  # type: ignore[misc]
    with pytest.raises(PresageError, match="reads text alone"):
        talk.command(f"/image {tmp_path / 'a.png'}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/set temperature hot", "no number from 0 to 2"),
        ("/set temperature nan", "no number from 0 to 2"),
        ("/set max_tokens 0", "no whole number from 1"),
        ("/set heat 1", "no setting 'heat'"),
        ("/sett", "did you mean 'set'"),
        ("/mode loud", "chat or continue"),
        ("/image", "which file"),
        ("/image /nowhere/x.png", "cannot be read"),
        ("/save x", "nothing was said yet"),
        ("/undo", "nothing was said yet"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(talk: Talk, line: str, said: str) -> None:
    with pytest.raises(PresageError, match=said) as error:
        talk.command(line)
    assert "\n" not in str(error.value)


def test_settings_change_how_answers_are_drawn(talk: Talk) -> None:
    for line in ("/set temperature 0", "/set top_k 5", "/set top_p none", "/set seed 3", "/set stop a\\nb"):
        talk.command(line)
    assert (talk.how, talk.seed) == (How(temperature=0.0, top_k=5, stop=("a\nb",)), 3)
    assert "seed = 3" in str(talk.command("/set"))
    talk.command("/mode continue")
    list(talk.ask("once upon"))
    assert talk.speaker.asked[-1] == "once upon"  # type: ignore[attr-defined]
    with pytest.raises(Done):
        talk.command("/quit")


def test_the_engine_says_what_the_model_writes(run: Path) -> None:
    """The slow twin: a whole answer by the verbs."""
    model = open_run(str(run), Settings())
    prompt, how = (Message("user", "the cat"),), How(temperature=0.0, max_tokens=12)
    engine, took = speaker_of(model), Took()
    assert isinstance(engine, Engine)
    pieces = list(engine.speak(prompt, how, 0, took))
    assert took.tokens == 12 and 0 < took.first <= took.seconds
    assert len(pieces) > 1
    assert "".join(pieces) == "".join(Whole(model).speak(prompt, how, 0, Took()))
    stopping = engine.speak(prompt, How(max_tokens=ENDLESS), 0, Took())
    next(stopping)
    stopping.close()  # type: ignore[attr-defined]
    assert list(engine.speak(prompt, how, 0, Took()))  # the one row is free again
    engine.close()


def test_a_pipe_gives_prompts_and_takes_answers_alone(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Prompt] = []
    speak = Engine.speak
    monkeypatch.setattr(
        Engine, "speak", lambda self, prompt, *rest: (asked.append(prompt), speak(self, prompt, *rest))[1]
    )
    for each, turns in ((["--each"], [1, 1]), ([], [1, 3])):
        lines = b"the cat\r\n/set max_tokens 3\n\nthe dog\n/nothing\nnever asked\n"
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
        assert cli.main(["chat", str(run), "--temperature", "0", "--max-tokens", "5", *each]) == 2
        said = capsys.readouterr()
        assert said.err.splitlines() == ["max_tokens = 3", "presage: no command /nothing (" + HINT + ")"]
        assert said.out.count("\n") >= 2 and "max_tokens" not in said.out and "\x1b" not in said.out
        assert [len(prompt) for prompt in asked] == turns
        asked.clear()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n")))
    assert cli.main(["chat", str(run)]) == 2
    assert capsys.readouterr().err == "presage: standard input, line 1: not UTF-8\n"


def test_ctrl_c_stops_an_answer_and_not_the_program(run: Path) -> None:
    command = [sys.executable, "-m", "presage", "chat", str(run), "--max-tokens", str(ENDLESS), "--seed", "1"]
    child, terminal = pty.fork()
    if child == 0:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
        os.chdir(ROOT)
        os.execv(command[0], command)
    screen = Screen(terminal)
    try:
        screen.heard(b"> ")
        os.write(terminal, b"the cat\r")
        screen.heard(b"the cat\r\n")
        screen.heard(b"(stopped)", typing=b"\x03")
        screen.heard(b"tokens/s")
        screen.heard(b"> ")
        time.sleep(0.3)  # until it listens
        os.write(terminal, b"\x03")
        screen.heard(b"(/quit or Ctrl-D ends)")
        os.write(terminal, b"/set max_tokens 4\r")
        screen.heard(b"max_tokens = 4")
        os.write(terminal, b"the dog\r")
        screen.heard(b"[4 tokens")
        screen.heard(b"> ")
        assert ended(child, terminal) == 0
    finally:
        os.close(terminal)


def ended(child: int, terminal: int) -> int:
    """The exit code, after Ctrl-D: typed again while nothing happens, as one is lost that comes before `readline`."""
    for _ in range(40):
        os.write(terminal, b"\x04")
        time.sleep(0.5)
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("Ctrl-D does not end it")


class Screen:
    """What a program writes to its terminal, heard once."""

    def __init__(self, terminal: int) -> None:
        self._terminal, self._unheard = terminal, b""

    def heard(self, wanted: bytes, typing: bytes = b"") -> None:
        """Wait until something comes; typed every second until then, as a key is lost that comes before its reader."""
        end, typed = time.monotonic() + 40, time.monotonic()
        while wanted not in self._unheard:
            now = time.monotonic()
            assert now < end, f"{wanted!r} never came: {self._unheard[-300:]!r}"
            if now - typed >= 1:
                os.write(self._terminal, typing)
                typed = now
            ready, _, _ = select.select([self._terminal], [], [], 0.1)
            self._unheard += os.read(self._terminal, 4096) if ready else b""
        self._unheard = self._unheard.partition(wanted)[2]
