"""Checkpoints: whole or not there; a damaged one is named and the one before it is used."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from presage import cli
from presage.core.errors import ConfigError, CorruptError, RunError
from presage.core.run import RunDir
from presage.model.transformer import build
from presage.train import pretrain
from presage.train import state as states
from presage.train.optim import Optimizer
from tests.tiny import outcome, tiny_run, weights

FILES = ["MANIFEST", "model.safetensors", "optimizer.safetensors", "state.json"]


@pytest.fixture(scope="module")
def trained(tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 12 steps with checkpoints 6, 9 and 12."""
    return pretrain.run(tiny_run(tokens, keep_checkpoints=3), tmp_path_factory.mktemp("trained") / "run").path


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained / "checkpoints", tmp_path / "run" / "checkpoints")
    return tmp_path / "run"


def step_loaded(run: Path, tokens: Path) -> int | None:
    config = tiny_run(tokens)
    model = build(config.model, 1)
    state = states.load_newest(run, model, Optimizer(model, config.optim))
    return state.step if state else None


def test_the_last_k_are_kept_each_with_its_files(trained: Path) -> None:
    folders = sorted((trained / "checkpoints").iterdir())
    assert [folder.name for folder in folders] == ["00000006", "00000009", "00000012"]
    assert all(sorted(p.name for p in folder.iterdir()) == FILES for folder in folders)
    for folder in folders:
        states.verify(folder)


@pytest.mark.parametrize("name", FILES)
def test_damage_is_named_and_the_checkpoint_before_is_used(
    copied: Path, tokens: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copied / "checkpoints" / "00000012" / name
    path.unlink()
    assert step_loaded(copied, tokens) == 9
    path = copied / "checkpoints" / "00000009" / name
    path.write_bytes(path.read_bytes()[:-2])
    assert step_loaded(copied, tokens) == 6
    said = capsys.readouterr().err
    assert "damaged checkpoint skipped" in said
    assert "00000012" in said
    assert "00000009" in said
    assert [p.name for p in (copied / "checkpoints").iterdir()] == ["00000006"]
    shutil.rmtree(copied / "checkpoints" / "00000006")
    assert step_loaded(copied, tokens) is None


@pytest.mark.parametrize("name", FILES)
def test_no_flipped_bit_and_no_cut_goes_unnoticed(copied: Path, name: str) -> None:
    """60 flips and 40 cuts of each file; only MANIFEST's last line end could be done without."""
    folder, chance = copied / "checkpoints" / "00000012", random.Random(name)
    whole = (folder / name).read_bytes()
    for trial in range(100):
        changed = bytearray(whole)
        changed[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
        (folder / name).write_bytes(changed if trial < 60 else whole[: chance.randrange(len(whole) - 1)])
        with pytest.raises(CorruptError, match=r"00000012"):
            states.verify(folder)
    (folder / name).write_bytes(whole)
    states.verify(folder)


@pytest.mark.parametrize("text", ["{}", "[]", "null", '{"files": []}', '{"files": {}}', '{"files": {"state.json": 1}}'])
def test_a_manifest_of_another_form_is_damage(copied: Path, tokens: Path, text: str) -> None:
    (copied / "checkpoints" / "00000012" / "MANIFEST").write_text(text)
    assert step_loaded(copied, tokens) == 9


def test_a_checkpoint_of_another_model_is_refused(trained: Path, tokens: Path) -> None:
    config = tiny_run(tokens)
    model = build(config.model.model_copy(update={"n_layers": 2}), 0)
    with pytest.raises(ConfigError, match=r"00000012.*tensor 'blocks\.1.*of another model"):
        states.load_newest(trained, model, Optimizer(model, config.optim))
    assert len(states.checkpoints(trained)) == 3, "and nothing is thrown away"


# ---- a disk that is full --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 50, 4096, 40_000])
def test_a_full_disk_is_one_line_and_earlier_checkpoints_stay(
    tokens: Path, trained: Path, tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file is the one that does not fit any more: model, optimizer, state or MANIFEST."""
    config, save = tiny_run(tokens, keep_checkpoints=3), states.save

    def full_from_step_6(*arguments: object, **named: object) -> Path:
        with files_of_at_most(size) if arguments[3].step >= 6 else contextlib.nullcontext():  # type: ignore[attr-defined]
            return save(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(states, "save", full_from_step_6)
    with pytest.raises(RunError, match=r"00000006: cannot save a checkpoint: .*bytes free\) \(make room") as caught:
        pretrain.run(config, tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["00000003"]
    monkeypatch.undo()
    pretrain.run(config, tmp_path / "run", resume=True)
    assert outcome(tmp_path / "run") == outcome(trained)


# ---- two at once ----------------------------------------------------------------------------------------------------


def test_of_two_runs_in_one_directory_one_wins(tokens: Path, trained: Path, tmp_path: Path) -> None:
    config = tiny_run(tokens, keep_checkpoints=3)
    for attempt in range(3):
        out, start, errors = tmp_path / str(attempt), threading.Barrier(2), []

        def enter(out: Path = out, start: threading.Barrier = start, errors: list[RunError] = errors) -> None:
            start.wait()
            try:
                pretrain.run(config, out)
            except RunError as error:
                errors.append(error)

        threads = [threading.Thread(target=enter) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(errors) == 1
        assert weights(out) == weights(trained)


def test_the_second_one_exits_2(tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tiny_run(tokens)
    (tmp_path / "tiny.json").write_text(config.to_json())
    with RunDir.create(tmp_path / "run", "pretrain", config):
        assert cli.main(["pretrain", str(tmp_path / "tiny.json"), "--out", str(tmp_path / "run"), "--resume"]) == 2
    said = capsys.readouterr().err
    assert "another process is writing to this run directory" in said
    assert said.count("\n") == 1


def test_dry_run_tells_the_plan(tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tiny_run(tokens, steps=12)
    (tmp_path / "tiny.json").write_text(config.to_json())
    arguments = ["pretrain", str(tmp_path / "tiny.json"), "--dry-run", "--out", str(tmp_path / "run")]
    assert cli.main(arguments) == 0
    said = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines() if ": " in line)
    assert said["parameters"] == str(config.model.n_params)
    assert said["steps"] == "12"
    assert said["FLOPs"] == str(config.model.flops_per_token() * config.tokens)
    assert not (tmp_path / "run").exists()


def test_state_survives_json(trained: Path) -> None:
    """Every float of the state comes back as it was, so judging norms goes on as if nothing had happened."""
    text = (trained / "checkpoints" / "00000012" / "state.json").read_text()
    state = states.TrainState(**json.loads(text))
    assert json.dumps(states.asdict(state)) + "\n" == text
    assert (state.step, state.updates, len(state.norms)) == (12, 12, 12)


def test_what_a_stage_keeps_besides_the_model_comes_back(tokens: Path, tmp_path: Path) -> None:
    config = tiny_run(tokens)
    model = build(config.model, 1)
    optimizer = Optimizer(model, config.optim)
    further = {"value": {"w": torch.arange(4.0)}, "mean": {"a": torch.ones(2), "b": torch.zeros(1)}}
    folder = states.save(tmp_path, model, optimizer, states.TrainState(step=3), 2, further=further)
    assert sorted(p.name for p in folder.iterdir()) == sorted([*FILES, "value.safetensors", "mean.safetensors"])
    empty = {name: {key: torch.full_like(t, 9) for key, t in some.items()} for name, some in further.items()}
    found = states.load_newest(tmp_path, model, optimizer, empty)
    assert found == states.TrainState(step=3)
    assert all(torch.equal(empty[name][key], t) for name, some in further.items() for key, t in some.items())


def test_damage_to_it_is_found_too(tokens: Path, tmp_path: Path) -> None:
    config = tiny_run(tokens)
    model = build(config.model, 1)
    optimizer = Optimizer(model, config.optim)
    further = {"value": {"w": torch.arange(4.0)}}
    folder = states.save(tmp_path, model, optimizer, states.TrainState(step=3), 2, further=further)
    (folder / "value.safetensors").write_bytes(b"")
    with pytest.raises(CorruptError, match=r"value\.safetensors"):
        states.load(folder, model, optimizer, further)
    with pytest.raises(CorruptError, match=r"MANIFEST does not list mean\.safetensors"):
        states.load(folder, model, optimizer, {"mean": {}})
