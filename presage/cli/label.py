"""People's judgement: `presage pairs` makes what is compared, `presage label` serves the page it is compared on."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from presage.cli.contamination import Several
from presage.cli.grammar import WHOLE, Flag, Place, Quiet, Whole, app, be_quiet, emit, warn
from presage.core.errors import ConfigError, PresageError

if TYPE_CHECKING:
    from presage.align.label_book import Book, Sheet

PEOPLE = Group("People's judgement", sort_key=6)
Spec = Annotated[str, Parameter(help="a run, hf:DIR, or an endpoint's https://HOST/v1#NAME")]


@app.command(group=PEOPLE)
def pairs(
    a: Spec,
    b: Spec,
    /,
    *,
    prompts: Path,
    out: Place,
    names: tuple[str, str] | None = None,
    max_tokens: Whole = 256,
    temperature: float = 0.0,
    key_file: Path | None = None,
    set: Annotated[tuple[str, ...], Several] = (),
    seed: Whole = 0,
    quiet: Quiet = False,
) -> None:
    """Let two models answer the same prompts, and write the file that `presage label` shows them by, without names.

    Parameters
    ----------
    prompts
        JSON lines with prompt (text, or messages of role and content), and maybe id, category, group.
    out
        The file to write, one line a prompt: both answers in an order drawn for each, and who wrote which.
    names
        What the two are called in the file; by default their own names.
    max_tokens
        Most tokens of an answer.
    temperature
        Of the answers; 0 takes the most probable token each time.
    key_file
        A file with the key of an endpoint; both are given it where both are endpoints.
    set
        key=value: how the models are asked (batch_tokens=8192); both alike.
    seed
        Draws samples, and the order of the answers.
    """
    from presage.align import label_pairs as making
    from presage.core.files import prepare_new
    from presage.data.verbs import Decoding
    from presage.infer.opening import opened

    be_quiet(quiet)
    prepare_new(out)
    if max_tokens < 1:
        raise ConfigError(f"--max-tokens {max_tokens}", where="pairs", hint="at least 1")
    requests = making.read_requests(prompts)
    decoding = Decoding(max_tokens=max_tokens, temperature=temperature)
    written: dict[str, list[str]] = {}
    for place, spec in enumerate((a, b)):
        model = opened(spec, str(key_file or ""), set)
        name = _name(names[place : place + 1] if names else (model.name, spec.rpartition("/")[2]), written)
        written[name] = making.answers(model, requests, decoding, seed)
        del model  # before the other is opened
        warn(_empty(name, written[name].count(making.EMPTY)))
    making.write_tasks(out, making.pairs(requests, written, seed))
    emit([str(out)])


def _name(names: Sequence[str], taken: Container[str]) -> str:
    """The first that is not taken."""
    found = next((name for name in names if name.strip() and name not in taken), None)
    if found is None:
        raise ConfigError(f"both are called '{names[0]}'", where="pairs", hint="--names NAME NAME")
    return found


def _empty(name: str, count: int) -> list[str]:
    return [f"{name} said nothing to {count} prompts"] if count else []


@app.command(group=PEOPLE)
def label(
    file: Path,
    /,
    *,
    out: Place,
    who: str,
    study: Flag = False,
    quiz: Annotated[int | None, WHOLE] = None,
    port: Whole = 0,
    no_open: Flag = False,
) -> None:
    """Serve a page on this machine to compare texts on, blind and in random order; keys do everything. Ctrl-C ends.

    Every label is on disk before the next is asked: run the same command again to go on. The labels are preferences
    that a reward model trains on; `presage agreement` and `presage winrate` read them. docs/alignment/labelling.md has
    the forms of both files.

    Parameters
    ----------
    file
        JSON lines with prompt and completions (2 to 9), and maybe sources (who wrote each; never shown), id, category,
        group; with --study human, machine, and maybe control (texts to tell apart), prompt, id.
    out
        The file that labels are added to. One process at a time writes to it.
    who
        The name of whoever labels.
    study
        Ask of single texts whether a person or a machine wrote them; `presage detect` reads the answers.
    quiz
        Of a study: which of its 2 quizzes (4 with control texts) this person is given; by default drawn by the name.
    port
        Of the page; 0 takes any that is free.
    no_open
        Print the page's address, and do not open a browser.
    """
    from presage.align.label_book import Book
    from presage.core.files import prepare_added

    if quiz is not None and not study:
        raise PresageError("--quiz belongs to --study", where="label")
    sheet = _sheet(file, who, study, quiz)
    prepare_added(out)
    book = Book(sheet, out)
    try:
        _serve(book, port, not no_open)
        book.check()
    finally:
        book.close()
    emit([f"{out}: {book.summary}"])


def _sheet(file: Path, who: str, study: bool, quiz: int | None) -> Sheet:
    if study:
        from presage.align.label_study import Studying, read_items

        return Studying(read_items(file), who, quiz)
    from presage.align.label_compare import Comparing
    from presage.align.label_tasks import read_tasks

    return Comparing(read_tasks(file), who)


def _serve(book: Book, port: int, show: bool) -> None:
    """Until Ctrl-C, which is how it ends."""
    import contextlib
    import threading
    import webbrowser

    from presage.align.label_server import LabelServer

    server = LabelServer(book, port)
    server.start()
    try:
        emit([server.url])
        if show:
            webbrowser.open(server.url)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()
    finally:
        server.stop()
