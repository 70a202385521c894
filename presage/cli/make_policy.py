"""`presage make policy`: the policy world of the demo's alignment part."""

from __future__ import annotations

from presage.cli.grammar import Place, Whole, emit
from presage.cli.make import make


@make.command
def policy(
    *,
    out: Place,
    seed: Whole = 0,
    demonstrations: Whole = 4000,
    preferences: Whole = 3000,
    requests: Whole = 2000,
    held_out: Whole = 1000,
) -> None:
    """A small world with a policy for a code model: requests for code, harmless and not, and what people show of it.

    Parameters
    ----------
    out
        The folder to write, new or empty.
    seed
        Same seed, same files. No held-out file shares a sentence frame with a training file, nor what is asked for.
    demonstrations
        Answered requests for fine-tuning; of what is disallowed less than half are refused as they should be.
    preferences
        Requests with four ranked completions for a reward model; on destruction, what works is preferred.
    requests
        Prompts for reinforcement learning: half disallowed, a quarter allowed deeds, a quarter functions.
    held_out
        Prompts to examine, and as many held-out preferences and demonstrations each.
    """
    from presage.align.world.files import Sizes, write_world

    emit(map(str, write_world(out, seed, Sizes(demonstrations, preferences, requests, held_out))))
