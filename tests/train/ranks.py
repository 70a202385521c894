"""`python -m tests.train.ranks SHARDS OUT STEPS [RESUME]` under torchrun: a tiny run on the ranks there are."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from presage.core.device import Device
from presage.core.errors import PresageError
from presage.train import parallel, pretrain
from tests.tiny import tiny_run


def main(shards: str, out: str, steps: str, *options: str) -> int:
    """Exit codes are the command line's."""
    config = tiny_run(Path(shards), steps=int(steps), device=Device(), log_every=1, micro_batch=3)
    if "late" in options or "dead" in options:
        parallel.Ranks.at = _not_there("late" if "late" in options else "dead")  # type: ignore[method-assign]
    try:
        pretrain.run(config, Path(out), resume="resume" in options, rank_timeout=5.0, sharded="sharded" in options)
    except PresageError as error:
        print(f"presage: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _not_there(how: str) -> Callable[[parallel.Ranks, int], None]:
    """The last rank does not come to a step, or ends there."""
    at = parallel.Ranks.at

    def late(ranks: parallel.Ranks, step: int) -> None:
        if (
            step in (LAST, LATER)
            and ranks.rank == ranks.world - 1
            and not int(os.environ["TORCHELASTIC_RESTART_COUNT"])
        ):
            time.sleep(15.0) if how == "late" else os._exit(9)
        at(ranks, step)

    return late


LAST, LATER = 5, 10
"""Where it is missed, in a run that begins and in one that is gone on with."""


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
