"""Stage `corpus`: sources to documents, cleaned, without copies and evaluation items, mixed and split.

Every document removed is counted by source and rule, with examples; a rule that removes too much of a source stops the
run. Four passes, each in its own file of `presage.data.build`: judge each document alone, decide over all of them
(copies, split), finish, mix. What is between them lies in the folder `work` of the run until it is done, so memory does
not grow with the corpus (but for about fifty bytes a document) and an interrupted run goes on with --resume.

Copies are gone before the split, so none of them can straddle it. Generated documents are for training only: what is
held out stays text that people wrote.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import as_completed
from pathlib import Path

from presage.core.progress import Progress
from presage.core.run import RunDir
from presage.core.workers import usable_cores, workers
from presage.data.attempt import attempt
from presage.data.build.config import Config as Config
from presage.data.build.config import Source as Source
from presage.data.build.decide import decide
from presage.data.build.finish import finish
from presage.data.build.judge import forget, judge
from presage.data.build.parts import Work
from presage.data.build.tables import Book
from presage.data.build.train import train_classifiers

__all__ = ["Config", "run"]

Pass = Callable[[Path, int], None]
Mapper = Callable[[str, Pass, Path], None]
"""Carries a pass out on every part of a corpus run: on this machine (`side_by_side`), or past it."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """artifacts/{train,val}.jsonl.zst and tables. Raises DataError when nothing is left or a rule removes too much."""
    return build(config, out, side_by_side, resume=resume)


def build(config: Config, out: Path, mapper: Mapper, *, resume: bool = False) -> RunDir:
    """The stage, its two passes over parts carried out by `mapper`."""
    with attempt(out, "corpus", config, seed=config.seed, resume=resume) as run:
        work = Work(out)
        work.begin()
        forget()
        train_classifiers(work, run)
        mapper("judged", judge, out)
        book = Book(work, run)
        book.judged()
        decide(out)
        book.decided()
        mapper("finished", finish, out)
        book.finished()
        book.write()
        work.end()
    book.say()
    return run


def side_by_side(step: str, carry_out: Pass, out: Path) -> None:
    """All parts of a pass, as many at once as there are cores."""
    parts = Work(out).plan.parts
    jobs = min(usable_cores(), len(parts))
    done = 0
    with Progress(f"corpus, {step}", total=sum(part.bytes for part in parts), unit="B") as progress:
        if jobs < 2:
            for index, part in enumerate(parts):
                carry_out(out, index)
                progress.update(done := done + part.bytes, part=f"{index + 1}/{len(parts)}")
            return
        with workers(jobs) as pool:
            futures = {pool.submit(carry_out, out, index): part for index, part in enumerate(parts)}
            for future in as_completed(futures):
                future.result()
                progress.update(done := done + futures[future].bytes)
