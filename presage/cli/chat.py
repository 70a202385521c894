"""`presage chat`: talking with a model in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from presage.cli.contamination import Several
from presage.cli.grammar import MODELS, Flag, Quiet, Whole, app, be_quiet


@app.command(group=MODELS)
def chat(
    model: Annotated[str, Parameter(help="a run (DIR or DIR@STEP), hf:DIR, or an endpoint's https://HOST/v1#NAME")],
    /,
    *,
    system: str = "",
    temperature: float = 0.7,
    top_p: float | None = None,
    top_k: int | None = None,
    max_tokens: Whole = 0,
    seed: int | None = None,
    each: Flag = False,
    key_file: Path | None = None,
    set: Annotated[tuple[str, ...], Several] = (),
    quiet: Quiet = False,
) -> None:
    """Talk with a model in the terminal; /help lists what can be done. Ctrl-C stops an answer, Ctrl-D ends.

    A model that was not trained on conversations goes on with your texts instead. Piped in, every line is a prompt, and
    only answers go to standard output.

    Parameters
    ----------
    system
        What the model is told before all.
    temperature
        0 takes the most probable token each time.
    top_p
        Draw among the most probable tokens of this mass.
    top_k
        Draw among so many.
    max_tokens
        Most tokens of an answer; 0: 256, and at most half of the context.
    seed
        Draws every answer; by default a new one each time.
    each
        Every line begins a conversation of its own.
    key_file
        A file with the key of an endpoint.
    set
        key=value: how the model is opened (begin=true).
    """
    from presage.infer.opening import opened
    from presage.serve.terminal.session import Session
    from presage.serve.terminal.speaker import How, speaker_of
    from presage.serve.terminal.talk import SETTINGS, Talk

    be_quiet(quiet)
    given = {"temperature": temperature, "top_p": top_p, "top_k": top_k, "seed": seed, "max_tokens": max_tokens or None}
    for name, value in given.items():
        if value is not None:
            SETTINGS[name](str(value), f"--{name.replace('_', '-')}")
    found = opened(model, str(key_file or ""), set)
    context = getattr(getattr(found, "asking", None), "context", 0)
    most = max_tokens or min(256, max(1, context // 2) if context else 256)
    how = How(temperature, top_p, top_k, most)
    Session(Talk(speaker_of(found), how, seed, system=system), each=each, quiet=quiet).run()
