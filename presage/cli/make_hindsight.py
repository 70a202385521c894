"""`presage make hindsight`: items of the task on which GPT-4 reversed a falling trend."""

from __future__ import annotations

from presage.cli.grammar import Place, Whole, emit
from presage.cli.make import make


@make.command
def hindsight(*, out: Place, seed: Whole = 0, count: Whole = 315) -> None:
    """Bets that came out against the odds: was accepting them right? Ten answered examples, then the question.

    Parameters
    ----------
    out
        The file to write: JSON lines (.jsonl), or the table of the Inverse Scaling Prize (.csv).
    seed
        Same seed, same file.
    count
        Items; the original task has 315.
    """
    from presage.tasks import hindsight as generator
    from presage.tasks import inverse_scaling

    inverse_scaling.save(out, generator.generate(count, seed))
    emit([str(out)])
