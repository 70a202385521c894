"""`presage completion`: verbs, options and choices at the press of a key."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from presage.cli.grammar import LOOK, app, emit


@app.command(group=LOOK)
def completion(shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="whose language")], /) -> None:
    """Print what makes a shell complete verbs, options and their choices. Where it goes: docs/configuration.md."""
    emit([app.generate_completion(prog_name="presage", shell=shell).rstrip()])
