"""A model that two ranks share: the curve of one, shards that any number goes on from, and damage that all skip."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from presage.core.errors import CorruptError, RunError
from presage.core.files import sha256
from presage.core.run import RunDir
from presage.model.transformer import build
from presage.model.weights import load_run, read_tensors
from presage.train import dcp
from presage.train import state as states
from presage.train.optim import OptimConfig, Optimizer
from presage.train.parallel import Ranks, joined
from presage.train.sharded import Sharded
from tests.tiny import newest_checkpoint, tiny_model
from tests.train import ranks
from tests.train.launching import STEPS, launched, same_curve


@pytest.fixture(scope="module")
def shared(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sharded") / "two"
    done = launched(2, tokens, out, "sharded")
    assert done.returncode == 0, done.stderr
    return out


def unfinished(run: Path, copy: Path) -> Path:
    """A copy of a run as if it had been killed after its last step."""
    shutil.copytree(run, copy)
    for name in ("DONE", "result.json"):
        (copy / name).unlink()
    return copy


def test_two_that_share_a_model_give_the_curve_of_one(alone: Path, shared: Path) -> None:
    same_curve(alone, shared)
    run = RunDir.open(shared)
    assert run.problems() == [] and (run.origin["ranks"], run.origin["sharded"]) == (2, True)


def test_each_writes_its_half_and_the_last_checkpoint_is_whole_too(alone: Path, shared: Path) -> None:
    """Every number is in one of the shards, once; other stages read what they read of any run."""
    folder = newest_checkpoint(shared)
    halves = [load_file(folder / name) for name in dcp.shards(folder)]
    sizes = [sum(tensor.numel() for tensor in half.values()) for half in halves]
    whole = {path.stem: read_tensors(path) for path in newest_checkpoint(alone).glob("*.safetensors")}
    assert sum(sizes) == sum(t.numel() for tensors in whole.values() for t in tensors.values())
    assert max(sizes) < 1.05 * min(sizes)
    ours, theirs = (load_run(run)[0].state_dict() for run in (alone, shared))
    for name, tensor in ours.items():
        torch.testing.assert_close(theirs[name], tensor, atol=1e-5, rtol=1e-4)


def test_one_goes_on_with_what_two_have_shared(alone: Path, shared: Path, tokens: Path, tmp_path: Path) -> None:
    run = unfinished(shared, tmp_path / "run")
    shutil.rmtree(newest_checkpoint(run))
    assert ranks.main(str(tokens), str(run), str(STEPS), "resume") == 0
    same_curve(alone, run)


def test_three_skip_a_damaged_shard_and_go_on_from_the_one_before(
    alone: Path, shared: Path, tokens: Path, tmp_path: Path
) -> None:
    """Rows are not even then, and one rank has none of the smallest."""
    run = unfinished(shared, tmp_path / "run")
    shard = newest_checkpoint(run) / dcp.shards(newest_checkpoint(run))[1]
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    done = launched(3, tokens, run, "sharded", "resume")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("damaged checkpoint skipped") == 1 and shard.name in done.stderr
    same_curve(alone, run)


def test_three_share_what_one_has_saved_and_who_does_not_come_is_named(
    alone: Path, tokens: Path, tmp_path: Path
) -> None:
    run = unfinished(alone, tmp_path / "run")
    shutil.rmtree(newest_checkpoint(run))
    done = launched(2, tokens, run, "sharded", "resume", "late")
    assert done.returncode != 0
    assert f"rank 1 did not come to step {ranks.LATER}" in done.stderr
    assert "--resume goes on" in done.stderr


def test_all_pass_over_the_model_equally_often() -> None:
    for world in (2, 3, 5):
        for count in (1, 2, 7, 16):
            each = [Sharded(rank, world).passes(count, 3) for rank in range(world)]
            assert len({len(passes) for passes in each}) == 1
            counted = sorted(n for passes in each for start, size, w in passes for n in range(start, start + size * w))
            assert counted == [*range(count)]
            assert all(start < count and size > 0 for passes in each for start, size, _ in passes)


# ---- shards that are not what they should be -------------------------------------------------------------------------


@pytest.fixture
def checkpoint(shared: Path, tmp_path: Path) -> Path:
    shutil.copytree(newest_checkpoint(shared), tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def reload(folder: Path) -> None:
    model = build(tiny_model(), 0)
    states.load(folder, model, Optimizer(model, OptimConfig()))


def agree(folder: Path) -> None:
    """Make MANIFEST say what is there, as somebody who means harm would."""
    files = {path.relative_to(folder).as_posix(): sha256(path) for path in folder.rglob("*") if path.is_file()}
    files.pop("MANIFEST")
    (folder / "MANIFEST").write_text(json.dumps({"files": files}))


def test_a_shard_more_than_is_listed_is_refused(checkpoint: Path) -> None:
    reload(checkpoint)
    save_file({"x": torch.zeros(1)}, checkpoint / "shards" / "shard-00003.safetensors")
    with pytest.raises(CorruptError, match=r"shard-00003\.safetensors is not both there and in MANIFEST"):
        reload(checkpoint)


def test_no_shard_is_refused(checkpoint: Path) -> None:
    for path in (checkpoint / "shards").iterdir():
        path.unlink()
    agree(checkpoint)
    with pytest.raises(CorruptError, match="MANIFEST lists no shards"):
        reload(checkpoint)


@pytest.mark.parametrize("harm", ["missing", "misplaced", "no tensors", "not JSON", "of another shape", "pickle"])
def test_shards_that_agree_with_their_manifest_are_refused_in_one_line(checkpoint: Path, harm: str) -> None:
    path = checkpoint / dcp.shards(checkpoint)[1]
    tensors = load_file(path)
    places = {name: {"saved_offsets": [10**9] * tensor.ndim} for name, tensor in tensors.items()}
    wrong = {name: torch.zeros(3, 3, 3) for name in tensors}
    mark = checkpoint.parent / "harm"
    writers = {
        "missing": path.unlink,
        "misplaced": lambda: save_file(tensors, path, {"DCP_SHARDING_INFO": json.dumps(places)}),
        "no tensors": lambda: save_file(tensors, path, {"DCP_SHARDING_INFO": "{}"}),
        "not JSON": lambda: save_file(tensors, path, {"DCP_SHARDING_INFO": "{"}),
        "of another shape": lambda: save_file(wrong, path),
        "pickle": lambda: path.write_bytes(b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR."),
    }
    writers[harm]()
    agree(checkpoint)
    with pytest.raises(CorruptError) as error:
        reload(checkpoint)
    assert "\n" not in str(error.value) and not mark.exists()


def test_a_piece_that_is_not_there_is_missed(tmp_path: Path) -> None:
    """Of the first and the last of three the ends are where they should be."""
    for number, start in ((1, 0), (3, 4)):
        places = json.dumps({"a": {"saved_offsets": [start]}})
        (tmp_path / "shards").mkdir(exist_ok=True)
        file = tmp_path / "shards" / f"shard-{number:05d}-model.safetensors"
        save_file({"a": torch.arange(start, start + 2.0)}, file, {"DCP_SHARDING_INFO": places})
    with pytest.raises(CorruptError, match="'a' has 4 of 6 numbers"):
        dcp.read(tmp_path, {"a": torch.full((6,), -7.0)}, alone=True)


def test_without_the_whole_model_other_stages_say_what_to_do(shared: Path, tmp_path: Path) -> None:
    run = unfinished(shared, tmp_path / "run")
    shutil.rmtree(newest_checkpoint(run))
    with pytest.raises(RunError, match=r"without the whole model.*--resume"):
        load_run(run)


def test_without_torchrun_nothing_is_shared(tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with joined(several=Sharded) as found:
        assert type(found) is Ranks and found.evaluates and found.facts == {}
    assert ranks.main(str(tokens), str(tmp_path / "run"), "2", "sharded") == 0
    assert "nobody to share the model with" in capsys.readouterr().err
    assert not (newest_checkpoint(tmp_path / "run") / "shards").exists()
