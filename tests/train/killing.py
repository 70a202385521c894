"""Kill training at random moments, damage its newest checkpoint, resume, and compare with a run left alone.

`python -m tests.train.killing` prints the table: 5 runs, 10 SIGKILLs each, 15 of the 50 with the newest checkpoint
damaged as well (a flipped bit, a file cut short, a file missing). Each attempt is forked from a process that has torch
loaded and has never used a thread, so that an attempt costs milliseconds. With `--ranks 2` a run is two processes, and
one of them is killed; the other has MOURNING seconds to end by itself. With `--sharded` they share the model.
"""

from __future__ import annotations

import argparse
import importlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from presage.core import origin
from presage.core.device import Device
from presage.core.files import own_files
from presage.train import pretrain
from presage.train import state as states
from tests.imports import ROOT
from tests.tiny import STEP_TOKENS, outcome, tiny_run

Start = Callable[[pretrain.Config, Path, Path], list[int]]
"""(config, the run, its log) to the processes of one attempt."""
STEPS = 150
MOURNING = 2.0
DAMAGES = ("bit flipped", "cut short", "file missing")


@dataclass
class Tally:
    """What happened to one run."""

    name: str
    kills: int = 0
    in_save: int = 0
    """Kills that left a half-written checkpoint behind."""
    finished: int = 0
    """Times the run came to its end; the last time no kill was due any more."""
    damaged: list[str] = field(default_factory=list)
    different: int = 0
    """Ends that left other files than the run left alone."""
    followed: int = 0
    """Times the other ranks ended by themselves after one was killed."""
    seconds: float = 0.0


def in_child(action: Callable[[], object], log: Path) -> int:
    """Fork, run `action` there with its output in `log`, and return the child's id."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        action()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def finish(child: int, log: Path) -> None:
    """Wait for a child that must succeed."""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        raise SystemExit(f"an attempt failed with exit code {code}:\n{log.read_text()[-3000:]}")


def damage(folder: Path, kind: str, chance: random.Random) -> None:
    """Damage one file of a checkpoint, MANIFEST included."""
    path = chance.choice(own_files(folder))
    if kind == "file missing":
        path.unlink()
    else:
        path.write_bytes(spoilt(path.read_bytes(), kind, chance))


def spoilt(content: bytes, kind: str, chance: random.Random) -> bytes:
    """A bit flipped, or cut short by more than the line end that closes a text and is not content."""
    if kind == "cut short":
        return content[: chance.randrange(len(content.rstrip(b"\n")))]
    changed = bytearray(content)
    changed[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def config_of(number: int, tokens: Path) -> pretrain.Config:
    """Runs differ in seed, precision, optimizer, and in how often they save."""
    device = Device(dtype="bfloat16" if number % 3 == 1 else "float32")
    optim = {"kind": "adamw", "lr": 0.01} if number % 2 else {"kind": "muon"}
    every = STEP_TOKENS * (1, 4, 10)[number % 3]
    return tiny_run(tokens, STEPS, seed=number, device=device, optim=optim, checkpoint_every=every, log_every=5)


def launched(config: pretrain.Config, out: Path, log: Path, ranks: int = 1, sharded: bool = False) -> list[int]:
    """The processes of one attempt, as torchrun would start them."""
    if ranks == 1:
        return [in_child(lambda: pretrain.run(config, out, resume=out.exists()), log)]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    resume = out.exists()

    def as_rank(rank: int) -> None:
        each = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks, "MASTER_PORT": port}
        os.environ.update({"MASTER_ADDR": "127.0.0.1"} | {name: str(value) for name, value in each.items()})
        pretrain.run(config, out, resume=resume, rank_timeout=20.0, sharded=sharded)

    return [in_child(lambda rank=rank: as_rank(rank), log) for rank in range(ranks)]  # type: ignore[misc]


def torment(
    name: str, config: pretrain.Config, folder: Path, kills: int, damages: list[str], seed: int, start: Start = launched
) -> Tally:
    """Kill and damage until all kills are dealt out, then let the run end; its end is compared each time."""
    tally, chance, log, out = Tally(name), random.Random(seed), folder / "log.txt", folder / "run"
    begin = time.monotonic()
    for child in start(config, folder / "alone", log):
        finish(child, log)
    whole = time.monotonic() - begin
    expected = outcome(folder / "alone")
    with_damage = {*chance.sample(range(kills), k=len(damages))}
    due = list(damages)
    while True:
        children = start(config, out, log)
        last = tally.kills == kills
        ended = last or _dies(children, chance.uniform(0, 2.0 * whole / max(kills, 1)), chance, tally)
        ended = ended or (out / "DONE").is_file()  # killed with nothing left to do
        for child in children if last else ():
            finish(child, log)
        if ended:
            tally.finished += 1
            tally.different += outcome(out) != expected
            if last:
                break
            shutil.rmtree(out)
            continue
        tally.in_save += any(out.glob("checkpoints/*.tmp"))
        found = states.checkpoints(out)
        if due and found and (tally.kills in with_damage or kills - tally.kills <= len(due)):
            damage(found[-1], due[-1], chance)
            tally.damaged.append(due.pop())
        elif tally.kills in with_damage:
            with_damage.add(tally.kills + 1)
        tally.kills += 1
    tally.seconds = time.monotonic() - begin
    return tally


def _dies(children: list[int], seconds: float, chance: random.Random, tally: Tally) -> bool:
    """SIGKILL for one of them after `seconds`; True when all had ended well by themselves."""
    alive, codes = list(children), []

    def wait(limit: float) -> None:
        while alive and time.monotonic() < limit:
            for child in list(alive):
                done, status = os.waitpid(child, os.WNOHANG)
                if done:
                    alive.remove(child)
                    codes.append(os.waitstatus_to_exitcode(status))
            time.sleep(0.001)

    wait(time.monotonic() + seconds)
    if any(codes):
        raise SystemExit(f"an attempt ended with exit codes {codes}")
    if alive:
        os.kill(chance.choice(alive), signal.SIGKILL)
        wait(time.monotonic() + MOURNING)
        tally.followed += len(children) > 1 and not alive
    for child in alive:
        os.kill(child, signal.SIGKILL)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    return not any(codes)


def torment_all(
    folder: Path, runs: int, kills: int, damaged: int, seed: int = 0, ranks: int = 1, sharded: bool = False
) -> list[Tally]:
    torch.set_num_threads(1)
    importlib.import_module("presage.train.sharded")  # once, not once per attempt
    origin.commit()  # asks git once, not once per attempt
    make = f"import pathlib; from tests.tiny import make_shards; make_shards(pathlib.Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", make], check=True, cwd=ROOT)  # not here: the tokenizer starts threads
    kinds = [DAMAGES[i % len(DAMAGES)] for i in range(damaged)]
    tallies, start = [], partial(launched, ranks=ranks, sharded=sharded)
    for number in range(runs):
        config = config_of(number, folder / "shards")
        place = folder / f"run-{number}"
        place.mkdir()
        name = f"{config.optim.kind} {config.device.dtype if config.device else ''}"
        tallies.append(torment(name, config, place, kills, kinds[number::runs], seed * 1000 + number, start))
    return tallies


def table(tallies: list[Tally]) -> str:
    """One line a run, and the sums."""
    lines = [f"{'run':18} {'kills':>5} {'in save':>7} {'damaged':>7} {'ends':>4} {'different':>9} {'seconds':>7}"]
    sums = Tally(
        "all",
        kills=sum(t.kills for t in tallies),
        in_save=sum(t.in_save for t in tallies),
        finished=sum(t.finished for t in tallies),
        damaged=[kind for t in tallies for kind in t.damaged],
        different=sum(t.different for t in tallies),
        seconds=sum(t.seconds for t in tallies),
    )
    lines += [
        f"{t.name:18} {t.kills:5} {t.in_save:7} {len(t.damaged):7} {t.finished:4} {t.different:9} {t.seconds:7.1f}"
        for t in [*tallies, sums]
    ]
    followed = sum(t.followed for t in tallies)
    lines += [f"the other ranks ended by themselves: {followed} of {sums.kills}"] if followed else []
    lines.append(", ".join(f"{kind}: {sums.damaged.count(kind)}" for kind in DAMAGES))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("runs", 5), ("kills", 10), ("damaged", 15), ("seed", 0), ("ranks", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--sharded", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="presage-killing-") as folder:
        tallies = torment_all(Path(folder), **vars(given))
    print(table(tallies))
    complete = sum(t.kills for t in tallies) == given.runs * given.kills
    return 0 if complete and not any(t.different for t in tallies) else 1


if __name__ == "__main__":
    sys.exit(main())
