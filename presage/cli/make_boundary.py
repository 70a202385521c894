"""`presage make boundary`: near-identical prompts, one disallowed and one allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from presage.cli.grammar import Flag, Place, Whole, emit
from presage.cli.make import make
from presage.core.errors import DataError


@make.command
def boundary(
    *,
    out: Place,
    seed: Whole = 0,
    count: Whole = 200,
    of: Literal["world", "plain", "both"] = "both",
    held_out: Flag = False,
    rewrite: str = "",
    from_: Annotated[Path | None, Parameter(name="--from")] = None,
    key_file: Path | None = None,
) -> None:
    """Pairs of prompts that differ in a word or two, one disallowed and one allowed: does an assistant over-refuse?

    What a model rewrites is kept in OUT.replies as it comes: after an interruption the same command asks for the rest.

    Parameters
    ----------
    out
        The file to write: JSON lines (.jsonl).
    seed
        Same seed, same file.
    count
        Pairs; with --rewrite, at most so many prompts of --from.
    of
        The code model's policy world, plain English beyond code, or both.
    held_out
        Pairs of the policy world of its held-out side.
    rewrite
        A model that rewrites the disallowed prompts of --from into allowed ones, for people to review: a run's
        directory, hf:DIR or an address.
    from_
        JSON lines with `prompt` (and `kind`, where some are allowed) or `disallowed`.
    key_file
        With --rewrite and an address: a file that holds its key.
    """
    from presage.core.files import prepare_new

    if not out.name.endswith(".jsonl"):
        raise DataError("not a name for JSON lines", where=out, hint="end it in .jsonl, as readers expect")
    if bool(rewrite) != (from_ is not None):
        raise DataError("--rewrite and --from go together", where="make boundary")
    if count < 1:
        raise DataError(f"--count {count}", where="make boundary", hint="at least 1")
    prepare_new(out)
    if from_ is not None:
        _rewrite(out, rewrite, from_, seed, count, str(key_file or ""))
    else:
        from presage.align.world.boundary import SOURCES, write_pairs
        from presage.align.world.boundary import boundary as drawn

        write_pairs(out, drawn(seed, count, tuple(one for one in SOURCES if of in (one, "both")), held_out))
    emit([str(out)])


def _rewrite(out: Path, spec: str, path: Path, seed: int, count: int, key_file: str) -> None:
    from presage.align.world.rewriting import read_disallowed, rewritten, tally, write_rewritings
    from presage.infer.kept import Kept
    from presage.infer.opening import opened

    asked, others = read_disallowed(path)
    model = Kept(opened(spec, key_file), Path(f"{out}.replies"))
    found = rewritten(model, asked[:count], seed)
    write_rewritings(out, model, seed, found)
    emit([f"{others} allowed prompts passed over, {max(0, len(asked) - count)} disallowed ones beyond --count"])
    emit(f"{outcome}: {number} of {len(found)}" for outcome, number in tally(found).items())
