"""A conversation in a terminal: what was said, how it is gone on with, and the commands that change it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from presage.core.errors import ConfigError, DataError, PresageError, RunError, did_you_mean
from presage.core.files import atomic_write, prepare_new
from presage.core.strict import whole_number
from presage.data.chat import ROLES
from presage.data.images.parts import Part, Picture, written
from presage.data.images.reading import LIMITS
from presage.data.verbs import Message, Prompt, shown
from presage.serve.terminal.speaker import How, Speaker, Took, picture

HELP = """\
/help                 this list
/new                  begin again, with nothing said
/system TEXT          what the model is told before all; without TEXT nothing
/image FILE           show it an image with the next message (PNG, JPEG, WebP, GIF)
/regenerate           another answer to the last message
/undo                 take back the last message and its answer
/mode chat|continue   talk, or let it go on with texts
/set NAME VALUE       temperature, top_p, top_k, max_tokens, seed, stop; 'none' for no limit; /set alone shows them
/save FILE            the conversation, as a line that presage sft reads
/quit                 end (Ctrl-D, too). Ctrl-C stops an answer"""
MODES = ("chat", "continue")


class Done(Exception):
    """The person ends it."""


@dataclass
class Talk:
    """seed: of the next answer; None draws one each time."""

    speaker: Speaker
    how: How
    seed: int | None = None
    mode: str = ""
    system: str = ""
    turns: list[Message] = field(default_factory=list)
    images: list[Picture] = field(default_factory=list)
    took: Took = field(default_factory=Took)

    def __post_init__(self) -> None:
        self.mode = self.mode or ("chat" if self.speaker.chat else "continue")

    # ---- talking -----------------------------------------------------------------------------------------------

    def ask(self, text: str) -> Iterator[str]:
        """Say something, and hear the answer piece by piece; what was heard of one that is stopped is kept. Of one
        that fails nothing is, nor what was said."""
        images, self.images = self.images, []
        parts: list[Part] = [*images, *([text] if text else [])]
        self.turns.append(shown("user", parts) if self.mode == "chat" else Message("user", text))
        try:
            yield from self._answered()
        except PresageError:
            self.images = images
            raise

    def again(self) -> Iterator[str]:
        """Another answer to what was said last."""
        if self.turns and self.turns[-1].role == "assistant":
            self.turns.pop()
        if not self.turns:
            raise ConfigError("nothing was said yet", where="/regenerate")
        yield from self._answered()

    def _answered(self) -> Iterator[str]:
        self.took = Took()
        seed = secrets.randbits(31) if self.seed is None else self.seed
        pieces = self.speaker.speak(self._prompt(), self.how, seed, self.took)
        said = ""
        try:
            for piece in pieces:
                said += piece
                yield piece
        except PresageError:
            self.turns.pop()
            raise
        finally:
            getattr(pieces, "close", lambda: None)()
            if self.turns and self.turns[-1].role == "user":
                self.turns.append(Message("assistant", said))

    def _prompt(self) -> Prompt:
        if self.mode == "continue":
            return self.turns[-1].content
        return (*([Message("system", self.system)] if self.system else []), *self.turns)

    # ---- commands ----------------------------------------------------------------------------------------------

    def command(self, line: str) -> str | Iterator[str]:
        """Do what a line that begins with / says; what there is to tell, or an answer. Raises PresageError, or Done."""
        name, _, rest = line[1:].partition(" ")
        if name not in COMMANDS:
            raise ConfigError(f"no command /{name[:40]}", hint=did_you_mean(name, COMMANDS))
        return COMMANDS[name](self, rest.strip())

    def _help(self, _: str) -> str:
        return HELP

    def _quit(self, _: str) -> str:
        raise Done

    def _new(self, _: str) -> str:
        self.turns, self.images = [], []
        return "nothing is said"

    def _system(self, text: str) -> str:
        self.system = text
        return "it is told so" if text else "it is told nothing before"

    def _image(self, name: str) -> str:
        if not self.speaker.sees:
            raise ConfigError(
                "this model reads text alone", where="/image", hint="images are for presage vision's runs"
            )
        if not name:
            raise ConfigError("which file?", where="/image")
        path = Path(name).expanduser()
        try:
            with path.open("rb") as file:
                data = file.read(LIMITS.bytes + 1)
        except OSError as error:
            raise RunError(f"cannot be read: {error.strerror}", where=path) from None
        if len(data) > LIMITS.bytes:
            raise DataError(LIMITS.too_big(len(data)), where=path)
        self.images.append(picture(data))
        return f"{len(self.images)} to be shown with the next message"

    def _regenerate(self, _: str) -> Iterator[str]:
        return self.again()

    def _undo(self, _: str) -> str:
        if not self.turns:
            raise ConfigError("nothing was said yet", where="/undo")
        last = max(place for place, turn in enumerate(self.turns) if turn.role == "user")
        taken, self.turns = self.turns[last], self.turns[:last]
        return f"taken back: {taken.content[:60]}"

    def _mode(self, name: str) -> str:
        if name not in MODES:
            raise ConfigError(f"'{name[:40]}' is no mode", where="/mode", hint=" or ".join(MODES))
        self.mode = name
        return {"chat": "a conversation", "continue": "texts are gone on with"}[name]

    def _set(self, text: str) -> str:
        name, _, value = text.partition(" ")
        if not name:
            return "\n".join(f"{key} = {_told(one)}" for key, one in self._values().items())
        if name not in SETTINGS:
            raise ConfigError(f"no setting '{name[:40]}'", where="/set", hint=did_you_mean(name, SETTINGS))
        found = SETTINGS[name](value.strip(), f"/set {name}")
        if name == "seed":
            self.seed = found
        else:
            self.how = replace(self.how, **{name: found})
        return f"{name} = {_told(found)}"

    def _values(self) -> dict[str, Any]:
        return {**{name: getattr(self.how, name) for name in SETTINGS if name != "seed"}, "seed": self.seed}

    def _save(self, name: str) -> str:
        if not name or not self.turns:
            raise ConfigError("to which file?" if self.turns else "nothing was said yet", where="/save")
        path = Path(name).expanduser()
        prepare_new(path, "file")
        system = [Message("system", self.system)] if self.system and self.mode == "chat" else []
        turns = [{"role": one.role, "content": _content(one)} for one in (*system, *self.turns)]
        with atomic_write(path) as file:
            file.write(json.dumps({"messages": turns, "model": self.speaker.name}, ensure_ascii=False).encode() + b"\n")
        return str(path)


def _content(turn: Message) -> Any:
    assert turn.role in ROLES
    return written(turn.parts) if turn.parts else turn.content


def _told(value: Any) -> str:
    return "none" if value in (None, ()) else " ".join(map(repr, value)) if isinstance(value, tuple) else str(value)


COMMANDS: dict[str, Callable[[Talk, str], str | Iterator[str]]] = {
    "help": Talk._help,
    "image": Talk._image,
    "mode": Talk._mode,
    "new": Talk._new,
    "quit": Talk._quit,
    "regenerate": Talk._regenerate,
    "save": Talk._save,
    "set": Talk._set,
    "system": Talk._system,
    "undo": Talk._undo,
}


# ---- settings --------------------------------------------------------------------------------------------------------


def _number(least: float, most: float, none: bool) -> Callable[[str, str], float | None]:
    def read(text: str, where: str) -> float | None:
        if none and text == "none":
            return None
        try:
            found = float(text)
        except ValueError:
            found = float("nan")
        if not least <= found <= most:
            raise ConfigError(f"'{text[:40]}' is no number from {least:g} to {most:g}", where=where)
        return found

    return read


def _whole(least: int, most: int, none: bool) -> Callable[[str, str], int | None]:
    def read(text: str, where: str) -> int | None:
        if none and text == "none":
            return None
        found = whole_number(text)
        if found is None or not least <= found <= most:
            raise ConfigError(f"'{text[:40]}' is no whole number from {least} to {most}", where=where)
        return found

    return read


def _stops(text: str, where: str) -> tuple[str, ...]:
    """One text, in which \\n is a line's end."""
    return () if text in ("", "none") else (text.replace("\\n", "\n"),)


SETTINGS: dict[str, Callable[[str, str], Any]] = {
    "temperature": _number(0.0, 2.0, none=False),
    "top_p": _number(1e-6, 1.0, none=True),
    "top_k": _whole(1, 1 << 20, none=True),
    "max_tokens": _whole(1, 1 << 20, none=False),
    "seed": _whole(0, (1 << 63) - 1, none=True),
    "stop": _stops,
}
