"""200 random tamperings of one sealed chain: each is found and named; the untouched chain holds before and after.

What may change unnoticed, because nothing is concluded from it: timing.jsonl and log.txt (wall-clock, outside DONE's
digest), and files that are in no run directory. What cannot be noticed from run directories alone: that the last run
of a chain, on which none rests, was rewritten as a whole. A ledger fixes it, and a published head fixes the ledger.
"""

from __future__ import annotations

import csv
import io
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import CorruptError
from presage.core.files import own_files
from presage.core.look import runs_below
from presage.core.run import RunDir
from presage.forecast import ledger as ledgers
from presage.forecast import score, seal
from presage.forecast.verify import verify
from tests.forecast.conftest import Chain
from tests.forecast.lab import make_whole

OUTSIDE = {"timing.jsonl", "log.txt"}
Tampering = Callable[[Path, random.Random], list[Path]]
"""Changes something below a folder; returns what must be named: a file, or the run directory of one."""


@pytest.fixture(scope="module")
def kept(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chain with a ledger of its forecast and its score, and without the texts, which are in no run."""
    root = chain.copy(tmp_path_factory.mktemp("tampering") / "demo").root
    shutil.rmtree(root / "texts")
    ledgers.append_seal(root / "ledger.jsonl", root / "forecast")
    ledgers.append_score(root / "ledger.jsonl", root / "score")
    return root


@pytest.fixture
def root(kept: Path, tmp_path: Path) -> Path:
    """A copy to be changed."""
    return Path(shutil.copytree(kept, tmp_path / "demo"))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rungs are fitted once: 200 fits of them would tell nothing more."""
    plain, known = seal.promise, {}

    def promise(ladder: RunDir, compute: float, config: seal.Config) -> dict[str, Any]:
        table = ladder.path / "tables" / "rungs.csv"
        key = (table.read_bytes() if table.is_file() else b"", compute, config.to_json())
        if key not in known:
            known[key] = plain(ladder, compute, config)
        return known[key]

    monkeypatch.setattr(seal, "promise", promise)


# ---- ways to tamper -------------------------------------------------------------------------------------------------


def files_of(run: Path, *suffixes: str) -> list[Path]:
    """Files of a run directory that must not change, DONE among them; those of nested runs are not its own."""
    found = [p for p in own_files(run) if p.relative_to(run).parts[0] not in OUTSIDE and p.stat().st_size]
    return [p for p in found if not suffixes or p.name.endswith(suffixes)]


def runs_in(root: Path) -> list[Path]:
    return [run.path for run in runs_below(root)]


def any_file(root: Path, chance: random.Random, *suffixes: str) -> Path:
    """Of a random run first, so that the many rungs do not take it all."""
    files: list[Path] = []
    while not files:
        files = files_of(chance.choice(runs_in(root)), *suffixes)
    return chance.choice(files)


def rungs_in(root: Path) -> list[Path]:
    return sorted((root / "ladder" / "rungs").iterdir())


def flip(root: Path, chance: random.Random) -> list[Path]:
    """One bit of one file."""
    path = any_file(root, chance)
    content = bytearray(path.read_bytes())
    content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    path.write_bytes(content)
    return [path]


def cut(root: Path, chance: random.Random) -> list[Path]:
    path = any_file(root, chance)
    content = path.read_bytes()
    path.write_bytes(content[: chance.randrange(len(content))])
    return [path]


def delete(root: Path, chance: random.Random) -> list[Path]:
    path = any_file(root, chance)
    path.unlink()
    return [path]


def add(root: Path, chance: random.Random) -> list[Path]:
    place = chance.choice(["extra.json", "tables/extra.csv", "artifacts/model.bin", "checkpoints/00000001/MANIFEST"])
    path = chance.choice(runs_in(root)) / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return [path]


def edit(root: Path, chance: random.Random) -> list[Path]:
    """One value of a JSON file or of a row, which stays as valid and as neatly written as it was."""
    path = any_file(root, chance, "DONE", "MANIFEST", ".json", "metrics.jsonl")
    rewrite(path, chance)
    return [path]


def rewrite(path: Path, chance: random.Random) -> None:
    before = path.read_text()
    while path.read_text() == before:
        rows = before.splitlines() if path.suffix == ".jsonl" else [before]
        number = chance.randrange(len(rows))
        data = changed(json.loads(rows[number]), chance)
        rows[number] = json.dumps(data, ensure_ascii=False, indent=None if path.suffix == ".jsonl" else 2)
        path.write_text("\n".join(rows) + "\n")


def changed(value: Any, chance: random.Random) -> Any:
    """The same JSON with one leaf changed, of the same type."""
    if isinstance(value, dict) and value:
        key = chance.choice(sorted(value))
        return value | {key: changed(value[key], chance)}
    if isinstance(value, list) and value:
        place = chance.randrange(len(value))
        return [changed(v, chance) if i == place else v for i, v in enumerate(value)]
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, int | float):
        return value + chance.choice([1, -1]) if isinstance(value, int) else value * chance.choice([0.99, 1.01]) + 1e-6
    return value[:-1] + chance.choice("0123456789abcdef") if isinstance(value, str) else {"x": 1}


def edit_table(root: Path, chance: random.Random) -> list[Path]:
    path = any_file(root, chance, ".csv")
    rows = list(csv.reader(io.StringIO(path.read_text())))
    row = chance.choice(rows)  # the header, too: some tables have nothing else
    place = chance.randrange(len(row))
    row[place] = chance.choice("12345") + row[place]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    path.write_text(text.getvalue())
    return [path]


def swap_files(root: Path, chance: random.Random) -> list[Path]:
    """The same file of two rungs, each into the other."""
    while True:
        first, second = chance.sample(rungs_in(root), 2)
        path = chance.choice(files_of(first))
        other = second / path.relative_to(first)
        if other.is_file() and other.read_bytes() != path.read_bytes():
            break
    mine, theirs = path.read_bytes(), other.read_bytes()
    path.write_bytes(theirs)
    other.write_bytes(mine)
    # A DONE of another rung names the files that it does not know.
    return [path.parent, other.parent] if path.name == "DONE" else [path, other]


def swap_rungs(root: Path, chance: random.Random) -> list[Path]:
    first, second = chance.sample(rungs_in(root), 2)
    first.rename(root / "aside")
    second.rename(first)
    (root / "aside").rename(second)
    return [first, second]


def rename_rung(root: Path, chance: random.Random) -> list[Path]:
    rung = chance.choice(rungs_in(root))
    return [rung, rung.rename(rung.with_name(f"{rung.name}9"))]


def copy_rung(root: Path, chance: random.Random) -> list[Path]:
    """Another rung beside the sealed ones, whole in itself."""
    rung = chance.choice(rungs_in(root))
    return [Path(shutil.copytree(rung, rung.with_name(f"{rung.name}9")))]


def forge(root: Path, chance: random.Random) -> list[Path]:
    """A run changed and its DONE made to fit: a whole run, but another one."""
    run = chance.choice(runs_in(root))
    path = chance.choice([p for p in files_of(run) if p.name != "DONE"])
    way = chance.choice(["value", "bit", "delete", "add"])
    if way == "value" and path.name.endswith((".json", "metrics.jsonl", "MANIFEST")):
        rewrite(path, chance)
    elif way == "delete":
        path.unlink()
    elif way == "add":
        (run / "extra.json").write_text("{}")
    else:
        content = bytearray(path.read_bytes())
        content[chance.randrange(len(content))] ^= 1
        path.write_bytes(content)
    make_whole(run)
    return [run]


TAMPERINGS: dict[Tampering, int] = {
    flip: 50,
    edit: 35,
    forge: 35,
    delete: 20,
    cut: 15,
    swap_files: 15,
    edit_table: 10,
    add: 10,
    swap_rungs: 4,
    rename_rung: 3,
    copy_rung: 3,
}


# ---- the proof ------------------------------------------------------------------------------------------------------


def restored(root: Path, kept: Path, touched: list[Path]) -> None:
    """The stages that were touched, copied anew."""
    for stage in {path.relative_to(root).parts[0] for path in touched}:
        shutil.rmtree(root / stage)
        shutil.copytree(kept / stage, root / stage)


def unnamed(root: Path, touched: list[Path]) -> list[str]:
    """What was touched and is neither named itself nor, for a run directory, by one of its files."""
    named = [Path(name) for name, _ in verify(root)]
    return [str(path.relative_to(root)) for path in touched if not any(name.is_relative_to(path) for name in named)]


def content(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def tamper(root: Path, kept: Path, seed: int) -> Iterator[tuple[str, list[str]]]:
    """(way, what was not named) of each tampering, undone after it."""
    chance = random.Random(seed)
    ways = [way for way, count in TAMPERINGS.items() for _ in range(count)]
    chance.shuffle(ways)
    for way in ways:
        touched = way(root, chance)
        yield way.__name__, unnamed(root, touched)
        restored(root, kept, touched)


def test_200_tamperings_are_found_and_named(root: Path, kept: Path) -> None:
    assert verify(root) == []
    found = list(tamper(root, kept, seed=20))
    assert len(found) == 200
    assert [(way, missing) for way, missing in found if missing] == []
    assert content(root) == content(kept)
    assert verify(root) == []


def test_the_proof_can_fail(root: Path) -> None:
    """What is outside the digests goes unnamed, so the proof does tell found from not found."""
    timing = root / "target" / "timing.jsonl"
    timing.write_text(timing.read_text().replace("1", "2"))
    (root / "target" / "log.txt").write_text("something else")
    assert verify(root) == []
    assert unnamed(root, [timing]) == ["target/timing.jsonl"]


# ---- clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [1971, 2090])
def test_a_clock_that_jumps_changes_no_verdict(root: Path, monkeypatch: pytest.MonkeyPatch, year: int) -> None:
    moment = (year - 1970) * 365.25 * 86400
    monkeypatch.setattr(time, "time", lambda: moment)
    for path in (*root.rglob("*"), root):
        os.utime(path, (moment, moment))
    assert verify(root) == []
    path = root / "ladder" / "tables" / "rungs.csv"
    text, opposite = path.read_text(), (2061 - year - 1970) * 365.25 * 86400
    path.write_text(text.replace("2", "3", 1))
    os.utime(path, (opposite, opposite))
    assert unnamed(root, [path]) == []


# ---- holes that were closed -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["target", "forecast", "score", "corpus"])
@pytest.mark.parametrize("change", [("stage", "other"), ("schema", 2), ("more", 1)])
def test_what_done_says_beside_its_digest(root: Path, name: str, change: tuple[str, Any]) -> None:
    run = RunDir(root / name)
    run.write_json("DONE", run.read_json("DONE") | {change[0]: change[1]})
    assert verify(root) == [(str(run.path / "DONE"), "not in the form that presage writes")]


def test_files_cannot_be_declared_left_out_while_they_are_there(root: Path) -> None:
    run = root / "target"
    (run / "OMITTED").write_text("metrics.jsonl\nnone.bin\n")
    assert verify(root) == [
        (str(run / "OMITTED"), "lists none.bin, which DONE does not"),
        (str(run / "OMITTED"), "lists metrics.jsonl, which is here"),
    ]


def test_a_file_that_cannot_be_read_is_named(root: Path) -> None:
    path = root / "shards" / "artifacts" / "index.json"
    path.unlink()
    path.symlink_to(path.name)  # a link to itself
    assert unnamed(root, [path]) == []


def test_a_forecast_without_its_forecast_is_damage(root: Path) -> None:
    (root / "forecast" / "forecast.json").unlink()
    assert verify(root)[0] == (str(root / "forecast" / "forecast.json"), "missing")


def test_a_score_that_does_not_follow(root: Path) -> None:
    """Its DONE made to fit and no ledger: forecast and target still say what the score must be."""
    (root / "ledger.jsonl").unlink()
    run = RunDir(root / "score")
    run.write_json("result.json", run.results() | {"inside": {"value": 1 - run.value("inside")}})
    make_whole(run.path)
    assert verify(root) == [(str(run.path / "result.json"), "not what the forecast and the target give")]


def test_a_forecast_whose_config_is_another_one(root: Path) -> None:
    """Before its target runs, when nothing rests on it: its DONE made to fit."""
    for name in ("target", "score"):
        shutil.rmtree(root / name)
    (root / "ledger.jsonl").unlink()
    run = RunDir(root / "forecast")
    assert verify(root) == []
    config = run.read_json("config.json")
    config["config"]["target"]["optim"]["lr"] *= 2
    run.write_json("config.json", config)
    make_whole(run.path)
    assert verify(root) == [(str(run.path / "config.json"), "not the config that forecast.json was made from")]


def test_only_a_ledger_fixes_the_last_run(root: Path) -> None:
    """The limit, as stated: nothing rests on a score, so without a ledger a whole rewrite of its origin goes unseen."""
    origin = RunDir(root / "score").origin
    RunDir(root / "score").write_json("origin.json", origin | {"python": "2.7"})
    make_whole(root / "score")
    ledger = (root / "ledger.jsonl").rename(root.parent / "ledger.jsonl")
    assert verify(root) == []
    assert verify(root, ledger) == [
        (str(root / "score" / "DONE"), "a whole run, but not the score of entry 2 of ledger.jsonl")
    ]


def test_a_changed_ledger_is_named(root: Path) -> None:
    path = root / "ledger.jsonl"
    path.write_text(path.read_text().replace('"inside":', '"inside": ', 1))
    assert verify(root) == [(f"{path}:2", "entry 2: not in the form that presage writes")]


# ---- no seal and no score over what is damaged ----------------------------------------------------------------------


def test_no_score_of_a_changed_target(root: Path) -> None:
    results = RunDir(root / "target").results()
    results["val/bpb"]["value"] *= 0.99
    RunDir(root / "target").write_json("result.json", results)
    config = score.Config(forecast=root / "forecast", target=root / "target")
    with pytest.raises(CorruptError, match=r"result\.json: content differs from DONE"):
        score.run(config, root / "again")
    assert not (root / "again").exists()


def test_no_seal_over_a_changed_ladder(root: Path, chain: Chain) -> None:
    path = root / "ladder" / "tables" / "rungs.csv"
    path.write_text(path.read_text().replace(",2", ",1", 1))
    config = Chain(root).seal_config(target_run="../later")
    with pytest.raises(CorruptError, match=r"rungs\.csv: content differs from DONE"):
        seal.run(config, root / "again")
    assert not (root / "again").exists()
