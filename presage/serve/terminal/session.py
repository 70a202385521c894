"""The lines between a person and a talk: typed with history, or piped, one prompt a line.

Answers go to standard output and nothing else does; prompts, counts and what commands tell go to standard error, so
that a pipe holds answers alone.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from presage.core.errors import DataError, PresageError
from presage.core.terminal import visible
from presage.serve.terminal.talk import Done, Talk

PROMPT = "> "
LINES = "\n\t"


class Session:
    """each: every line of a pipe begins a conversation; quiet: no counts."""

    def __init__(self, talk: Talk, *, each: bool = False, quiet: bool = False) -> None:
        self.talk, self.each, self.quiet = talk, each, quiet
        self.typed = sys.stdin.isatty()

    def run(self) -> None:
        """Until the person ends it, or the pipe does. Raises PresageError for what a pipe asks and cannot be."""
        self._hello()
        with contextlib.suppress(Done), contextlib.closing(self.talk.speaker):
            self._type() if self.typed else self._pipe()

    def _type(self) -> None:
        """Line by line until Ctrl-D. Ctrl-C, wherever it strikes, ends no more than what is at work."""
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401 - gives `input` its history and editing
        while True:
            try:
                while (line := self._typed()) is not None:
                    self._take(line)
                return
            except KeyboardInterrupt:
                self._tell("\n(/quit or Ctrl-D ends)")

    def _pipe(self) -> None:
        for line in self._piped_lines():
            self._take(line)

    def _hello(self) -> None:
        if self.typed and not self.quiet:
            name = self.talk.speaker.name
            what = "" if self.talk.mode == "chat" else "; it was not trained to talk, and goes on with your texts"
            self._tell(f"{name}{what}. /help lists what can be done")

    def _typed(self) -> str | None:
        """The next line; None at the end."""
        while True:
            try:
                return input(self._prompt())
            except EOFError:
                self._tell("")
                return None
            except UnicodeDecodeError:
                self._tell("what was typed is no UTF-8")

    def _prompt(self) -> str:
        """What stands before what is typed, and never among answers that go to a file."""
        if sys.stdout.isatty():
            return PROMPT
        self._tell(PROMPT, end="")
        return ""

    def _piped_lines(self) -> Iterator[str]:
        for number, line in enumerate(sys.stdin.buffer, 1):
            try:
                text = line.decode().rstrip("\r\n")
            except UnicodeDecodeError:
                raise DataError("not UTF-8", where=f"standard input, line {number}") from None
            if text.strip():
                yield text

    def _take(self, line: str) -> None:
        if not line.strip() and not self.talk.images:
            return
        if self.each and not line.startswith("/"):
            self.talk.turns.clear()
        try:
            found = self.talk.command(line) if line.startswith("/") else self.talk.ask(line)
            self._tell(found) if isinstance(found, str) else self._hear(found)
        except PresageError as error:
            if not self.typed:
                raise
            self._tell(str(error))

    def _hear(self, pieces: Iterator[str]) -> None:
        """An answer as it comes. Ctrl-C stops it; where nobody types it ends all, as everywhere."""
        try:
            for piece in pieces:
                sys.stdout.write(visible(piece, LINES))
                sys.stdout.flush()
        except KeyboardInterrupt:
            pieces.close()  # type: ignore[attr-defined]
            if not self.typed:
                raise
            self._tell(" (stopped)", end="")
        sys.stdout.write("\n")
        sys.stdout.flush()
        self._count()

    def _count(self) -> None:
        took = self.talk.took
        if not self.typed or self.quiet or not took.tokens:
            return
        words = [f"{took.tokens} tokens"]
        if took.tokens > 1 and took.seconds > took.first:
            words.append(f"{(took.tokens - 1) / (took.seconds - took.first):.0f} tokens/s")
        words.append(f"first after {took.first * 1000:.0f} ms")
        if took.cut:
            words.append(f"the first {took.cut} tokens of the prompt did not fit the context")
        self._tell(f"  [{', '.join(words)}]")

    def _tell(self, text: str, end: str = "\n") -> None:
        print(visible(text, LINES), end=end, file=sys.stderr, flush=True)
