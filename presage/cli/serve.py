"""`presage serve` and `presage keys`: a model behind OpenAI's API, and who may ask it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import App, Parameter

from presage.cli.contamination import Several
from presage.cli.grammar import MODELS, Flag, Place, Quiet, Whole, app, be_quiet, emit, warn
from presage.core.errors import PresageError

if TYPE_CHECKING:
    from presage.align.label_votes import Votes
    from presage.serve.policy import Usage

keys = App(name="keys", help="Keys of `presage serve`, kept as hashes in a file.", group=MODELS)
app.command(keys)
KeyFile = Annotated[Path, Parameter(name="--file", help="the file of keys")]


@app.command(group=MODELS)
def serve(
    run: Annotated[str, Parameter(help="a run (DIR or DIR@STEP), or hf:DIR")],
    /,
    *,
    host: str = "127.0.0.1",
    port: Whole = 8000,
    keys: Path | None = None,
    name: str = "",
    compare: str = "",
    votes: Path | None = None,
    rows: Whole = 16,
    weights: Literal["f32", "bf16", "int8"] = "f32",
    queue: Whole = 64,
    max_tokens: Whole = 4096,
    deadline: float = 600.0,
    grace: float = 30.0,
    policy: str = "",
    rubric: Path | None = None,
    harmless: str = "harmless",
    warn_from: float = 0.5,
    block_from: float = 0.8,
    suspend_after: Whole = 0,
    audit: Path | None = None,
    audit_contents: Flag = False,
    set: Annotated[tuple[str, ...], Several] = (),
    quiet: Quiet = False,
) -> None:
    """Serve a model on OpenAI's API until Ctrl-C or SIGTERM: chat, completions, JSON by a schema, tools, images.

    A browser shows a page to talk with it at the address without /v1.

    Without keys it answers this machine alone. docs/serving.md says what it takes, and what it refuses.

    Parameters
    ----------
    host
        The address to listen at; any but this machine's own needs --keys.
    port
        0 takes any that is free.
    keys
        The file of keys (`presage keys add`); whoever has none is refused.
    name
        What clients call the model; by default the run's name.
    compare
        A second run, or hf:DIR, that is served beside the first; the page shows answers of both side by side.
    votes
        A file that the page adds people's preferences to, as `presage label` does; it needs --compare.
    rows
        Sequences written at once.
    weights
        What products are computed in. bf16 and int8 are faster where the processor has instructions for them, and no
        longer quite the model: docs/serving.md has figures.
    queue
        Requests that may wait; one more is told 503.
    max_tokens
        Of an answer whose request names no number.
    deadline
        Seconds that a request may take, waiting included.
    grace
        Seconds for requests at work after SIGTERM; a second signal ends at once.
    policy
        A run, or hf:DIR, that judges requests and answers: a classifier of `presage finetune`, or any model.
    rubric
        A rubric (docs/alignment.md) that the judge answers about every answer.
    harmless
        The label of a fine-tuned classifier that is nothing to act on.
    warn_from
        Score of a judged text from which a header warns.
    block_from
        Score from which nothing is answered.
    suspend_after
        Blocked requests after which a key may ask no more; 0 never.
    audit
        A file to which warnings, blocks and suspensions are added as JSON lines.
    audit_contents
        Write what was said there, too.
    set
        key=value: how the model is opened (begin=true).
    """
    from presage.infer.engine.batcher import Batcher
    from presage.infer.engine.runner import Runner
    from presage.serve.house import House, Settings, check_address
    from presage.serve.keys import served_keys
    from presage.serve.page.facts import facts, run_of
    from presage.serve.page.mount import OPEN, mount
    from presage.serve.served import Served
    from presage.serve.server import bound
    from presage.serve.server import serve as serving

    be_quiet(quiet)
    values: dict[str, Any] = {"host": host, "port": port, "rows": rows, "queue": queue, "max_tokens": max_tokens}
    settings = Settings.parse(values | {"deadline": deadline, "grace": grace}, where="serve")
    known = served_keys(keys) if keys else ()
    check_address(host, known)
    specs = [run, compare] if compare else [run]
    if votes and not compare:
        raise PresageError("belongs to --compare", where="--votes")
    if not policy and (rubric or audit):
        raise PresageError("belongs to --policy", where="--rubric" if rubric else "--audit")
    limits = {"warn": warn_from, "block": block_from, "suspend": suspend_after}
    usage = _usage(policy, rubric, harmless, limits, audit, audit_contents) if policy else None
    models = [Served.open(run, set, name, weights), *([Served.open(compare, set, weights=weights)] if compare else [])]
    listening = bound(settings)
    book = _votes(votes) if votes else None
    runners = [Runner(Batcher(one.model, rows=rows)).start() for one in models]
    try:
        house = House(models[0], runners[0], settings, known, usage, OPEN)
        for other, runner in zip(models[1:], runners[1:], strict=True):
            house.add(other, runner)
        told = [facts(one.id, one.model, one.asking, run_of(spec)) for one, spec in zip(models, specs, strict=True)]
        emit([f"http://{_shown(host)}:{listening.getsockname()[1]}/v1"])
        if not quiet:
            warn([] if known else ["no keys: every program on this machine can ask"])
        serving(house, listening, lambda app: mount(app, told, book.add if book else None))
    finally:
        for runner in runners:
            runner.stop(1.0)
        if book:
            book.close()


def _votes(path: Path) -> Votes:
    from presage.align.label_votes import Votes
    from presage.core.files import prepare_added

    prepare_added(path)
    return Votes.open(path)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _usage(
    policy: str, rubric: Path | None, harmless: str, limits: dict[str, float], audit: Path | None, contents: bool
) -> Usage:
    from presage.align.moderator import is_classifier, moderator
    from presage.core.files import prepare_added
    from presage.infer.opening import opened
    from presage.serve.policy import Thresholds, Usage

    thresholds = Thresholds.parse(limits, where="serve")
    if audit is not None:
        prepare_added(audit)
    place = Path(policy)
    judge = moderator(place, None if is_classifier(place) else opened(policy), rubric, harmless)
    return Usage(judge, thresholds, audit, contents)


@keys.command
def add(
    name: str,
    /,
    *,
    file: Annotated[Place, Parameter(help="the file of keys, made where there is none")],
    requests: float | None = None,
    tokens: float | None = None,
) -> None:
    """Draw a key and print it, once: the file holds its hash alone.

    Parameters
    ----------
    name
        Whose it is; it stands in the audit.
    requests
        Most requests a minute.
    tokens
        Most tokens a minute, of prompts and answers together.
    """
    from presage.serve.keys import add_key

    emit([add_key(file, name, requests, tokens)])


@keys.command
def remove(name: str, /, *, file: KeyFile) -> None:
    """Take a key out of its file; a server reads it when it starts.

    Parameters
    ----------
    name
        Whose it was.
    """
    from presage.serve.keys import remove_key

    remove_key(file, name)


@keys.command
def lift(name: str, /, *, audit: Annotated[Path, Parameter(help="the server's --audit")]) -> None:
    """Let a suspended key ask again, from the server's next start on.

    Parameters
    ----------
    name
        Whose key it is.
    """
    from presage.serve.policy import lift as lifting

    lifting(audit, name)
