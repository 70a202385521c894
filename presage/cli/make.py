"""Seeded data: `presage make GENERATOR --out FILE`."""

from __future__ import annotations

from typing import Literal

from cyclopts import App, Group

from presage.cli.grammar import Place, Whole, app, emit
from presage.core.errors import DataError
from presage.data.microcode_families import LEVELS

DATA = Group("Data", sort_key=4)

make = App(name="make", help="Generate data from a seed: training texts and problems.", group=DATA)
app.command(make)


@make.command
def microcode(
    *,
    out: Place,
    seed: Whole = 0,
    count: Whole = 1000,
    split: Literal["train", "eval"] = "train",
    levels: tuple[int, ...] = LEVELS,
) -> None:
    """Small Python functions: training documents (train), or held-out problems with tests (eval), as JSON lines.

    Parameters
    ----------
    out
        The file to write; a corpus reads it when its name ends in .jsonl.
    seed
        Same seed, same file. No seed's training documents hold any seed's problems.
    count
        Documents of six functions each, or problems.
    split
        What to write.
    levels
        Which levels, 1 to 7: two and three words, then functions with numbers of growing difficulty.
    """
    from presage.core.files import prepare_new
    from presage.data import microcode as generator
    from presage.tasks import microcode as task

    if count < 1:
        raise DataError(f"--count {count}", where="make microcode", hint="at least 1")
    if not out.name.endswith(".jsonl"):
        raise DataError("not a name for JSON lines", where=out, hint="end it in .jsonl, as readers expect")
    prepare_new(out)
    if split == "train":
        generator.write(out, generator.documents(seed, count, levels))
    else:
        task.save(out, generator.problems(seed, count, levels))
    emit([str(out)])
