"""`python -m tests.train.ranks SHARDS OUT STEPS [RESUME]` under torchrun: a tiny run on the ranks there are.

With SEES one over images, of which the first argument is a run, for as many steps as there are rows for."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from presage.core.device import Device
from presage.core.errors import PresageError
from presage.train import parallel, pretrain, vision
from tests.seeing import training
from tests.tiny import tiny_run


def main(source: str, out: str, steps: str, *options: str) -> int:
    """Exit codes are the command line's."""
    if "late" in options or "dead" in options:
        parallel.Ranks.at = _not_there("late" if "late" in options else "dead")  # type: ignore[method-assign]
    try:
        run = _seeing(Path(source)) if "sees" in options else _reading(Path(source), int(steps), options)
        run(Path(out), resume="resume" in options, rank_timeout=5.0)
    except PresageError as error:
        print(f"presage: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _reading(shards: Path, steps: int, options: Sequence[str]) -> Callable[..., object]:
    config = tiny_run(shards, steps=steps, device=Device(), log_every=1, micro_batch=3)
    return partial(pretrain.run, config, sharded="sharded" in options)


def _seeing(images: Path) -> Callable[..., object]:
    """Three rows a step, so that shares differ; some have no images."""
    return partial(vision.run, training(images, batch_rows=3, epochs=8.0))


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
