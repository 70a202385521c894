"""Damage checkpoints and shards in every way that a disk or a stranger may, and count what goes unnoticed.

`python -m tests.train.corrupting` prints the table: 1,000 bit flips, 1,000 truncations, 100 swapped or missing shards,
and 20 hostile checkpoints, whose manifests agree with them and which must neither run code nor end in a traceback.
"""

from __future__ import annotations

import argparse
import io
import json
import pickle
import random
import shutil
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from presage.core.errors import PresageError
from presage.core.look import whole
from presage.data import shards
from presage.data.loader import Tokens
from presage.model.transformer import build
from presage.model.weights import load_run, write_manifest
from presage.train import pretrain
from presage.train import state as states
from presage.train.optim import Optimizer
from tests.tiny import make_shards, newest_checkpoint, tiny_run
from tests.train.killing import spoilt

Table = dict[str, tuple[int, int]]
"""{kind of damage: (how often, how often it went unnoticed)}."""


def files_of(root: Path) -> Iterator[tuple[Path, Callable[[], object]]]:
    """(file, what must refuse it when it is damaged): the newest checkpoint, and the shards with their table."""
    folder = newest_checkpoint(root / "run")
    for path in sorted(folder.iterdir()):
        yield path, lambda: states.verify(folder)
    kept = root / "shards" / "artifacts"
    for path in sorted([*kept.glob("*.bin"), kept / "index.json"]):
        yield path, lambda: Tokens(root / "shards")
    yield root / "shards" / "DONE", lambda: whole(root / "shards", "shards")


def refused(action: Callable[[], object]) -> bool:
    """Whether it ends in one clear line."""
    try:
        action()
    except PresageError:
        return True
    return False


def damaged(root: Path, count: int, seed: int = 0) -> Table:
    """`count` flipped bits and as many cuts, over all files in turn; each is mended again."""
    chance, places = random.Random(seed), list(files_of(root))
    unnoticed = {"bit flipped": 0, "cut short": 0}
    for trial in range(count):
        path, check = places[trial % len(places)]
        whole = path.read_bytes()
        for kind in unnoticed:
            path.write_bytes(spoilt(whole, kind, chance))
            unnoticed[kind] += not refused(check)
        path.write_bytes(whole)
        assert not refused(check)
    return {kind: (count, missed) for kind, missed in unnoticed.items()}


def misplaced(root: Path, count: int, seed: int = 0) -> Table:
    """Shards that are gone, swapped with one another, or those of another run."""
    chance, kept, aside = random.Random(seed), root / "shards" / "artifacts", root / "aside"
    whole = sorted(kept.glob("train-*.bin"))[:-1]  # the last one is shorter
    unnoticed = {"shard missing": 0, "shards swapped": 0, "another run's shard": 0}
    kinds = [list(unnoticed)[number % len(unnoticed)] for number in range(count)]
    for kind in kinds:
        one, other = chance.sample(whole, 2)
        before = one.read_bytes(), other.read_bytes()
        if kind == "shard missing":
            one.rename(aside)
        elif kind == "shards swapped":
            one.write_bytes(before[1])
            other.write_bytes(before[0])
        else:
            one.write_bytes(before[0][2:] + before[0][:2])  # as long, tokens of the same vocabulary
        unnoticed[kind] += not refused(lambda: Tokens(root / "shards"))
        one.write_bytes(before[0])
        other.write_bytes(before[1])
    return {kind: (kinds.count(kind), missed) for kind, missed in unnoticed.items()}


# ---- checkpoints that mean harm -------------------------------------------------------------------------------------


class Creates:
    """Unpickled, it leaves a file behind."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return open, (str(self.file), "w")


def saved(data: object, **settings: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(data, buffer, **settings)  # type: ignore[arg-type]
    return buffer.getvalue()


def array_of(data: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([data], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def framed(header: object, body: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file with this header, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(shape: list[int], offsets: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def hostile(canary: Path) -> dict[str, tuple[str, bytes]]:
    """{what it is: (file of the checkpoint, its content)}."""
    bomb = Creates(canary)
    model, optimizer, state = states.CHECKPOINT_FILES
    deep = b'{"step": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    return {
        "pickle, protocol 0": (model, pickle.dumps(bomb, protocol=0)),
        "pickle, protocol 4": (model, pickle.dumps(bomb, protocol=4)),
        "pickle for the optimizer": (optimizer, pickle.dumps({"moment": bomb})),
        "torch.save": (model, saved({"embed.weight": bomb})),
        "torch.save, the old way": (model, saved(bomb, _use_new_zipfile_serialization=False)),
        "numpy's array of objects": (model, array_of(bomb)),
        "pickle for the state": (state, pickle.dumps({"step": bomb})),
        "metadata of distributed checkpoints": (".metadata", pickle.dumps(bomb)),
        "a header longer than the file": (model, framed(b"{}", length=2**62)),
        "a header of no JSON": (model, framed(b"\xff" * 64)),
        "a shape beyond memory": (model, framed({"embed.weight": tensor([2**40, 2**20], [0, 4])}, b"\0" * 4)),
        "a negative size": (model, framed({"embed.weight": tensor([-1], [0, 4])}, b"\0" * 4)),
        "offsets that overlap": (model, framed({n: tensor([1], [0, 4]) for n in "ab"}, b"\0" * 4)),
        "offsets past the end": (model, framed({"a": tensor([64], [0, 256])}, b"\0" * 4)),
        "an unknown type": (model, framed({"a": tensor([1], [0, 4], "OBJ")}, b"\0" * 4)),
        "another optimizer": (optimizer, framed({"a": tensor([1], [0, 4])}, b"\0" * 4)),
        "a state of other fields": (state, b'{"step": 3, "__class__": "os.system", "tokens": 1}'),
        "a state that is a list": (state, b"[1, 2, 3]"),
        "a state of words": (state, b'{"step": "three", "tokens": null}'),
        "a state nested without end": (state, deep),
    }


def attacked(root: Path) -> dict[str, str]:
    """{what it is: what came of it, where that is not what should}: nothing may run, and all is refused in one line."""
    canary, found = root / "canary", {}
    config = tiny_run(root / "shards")
    for name, (file, content) in hostile(canary).items():
        odd = _outcome(root, config, file, content)
        found |= {name: odd} if odd else {}
        if canary.exists():
            found[name] = "was executed"
            canary.unlink()
    return found


def _outcome(root: Path, config: pretrain.Config, file: str, content: bytes) -> str:
    """What is odd about reading a checkpoint in which one file is another; empty where it is as it should be."""
    run = root / "hostile"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(root / "run", run)
    folder = newest_checkpoint(run)
    (folder / file).write_bytes(content)
    write_manifest(folder)
    model = build(config.model, 1)
    try:
        known = [
            refused(lambda: load_run(run)),
            refused(lambda: states.load(folder, model, Optimizer(model, config.optim))),
        ]
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:100]
    unread = file not in states.CHECKPOINT_FILES  # what is none of its files is not looked at
    return "" if any(known) or unread else "was taken for a checkpoint"


def prepared(root: Path) -> Path:
    """root/{run,shards}: a tiny run and what it learnt from."""
    texts = make_shards(root / "made")
    config = texts.config(shards.Config).model_copy(update={"shard_tokens": 1024})
    shards.run(config, root / "shards")
    pretrain.run(tiny_run(root / "shards"), root / "run")
    return root


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    given = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="presage-corrupting-") as folder:
        root = prepared(Path(folder))
        table = damaged(root, given.count) | misplaced(root, given.count // 10)
        odd = attacked(root)
        tried = len(hostile(root))
    for kind, (count, missed) in table.items():
        print(f"{kind:22} {count:6} times, {missed} unnoticed")
    print(f"{'hostile checkpoints':22} {tried:6}, {len(odd)} of them not refused in one line")
    for name, what in odd.items():
        print(f"  {name}: {what}")
    print(f"{time.monotonic() - begin:.0f} s")
    return 1 if odd or any(missed for _, missed in table.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
