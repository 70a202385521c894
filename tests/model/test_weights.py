"""Weights on disk: the same model comes back, and what does not fit or is damaged is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from presage.core.errors import ConfigError, CorruptError, RunError
from presage.model import weights
from presage.model.config import ModelConfig
from presage.model.transformer import build
from tests.model.shapes import CONFIGS, VOCAB, lively, make_run, random_tokens

every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


@every_config
def test_a_saved_model_comes_back(config: ModelConfig, tmp_path: Path) -> None:
    model = lively(config)
    weights.save_model(model, tmp_path / "model")
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["config.json", "model.safetensors"]
    torch.manual_seed(9)
    state = torch.get_rng_state()
    back = weights.load_model(tmp_path / "model")
    assert torch.equal(state, torch.get_rng_state())
    assert back.config == config and not back.training
    assert (back.head.weight is back.embed.weight) == config.tie_embeddings
    assert torch.equal(back(random_tokens(2, 9)), model(random_tokens(2, 9)))
    weights.save_model(back, tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


def test_weights_have_the_readers_of_other_files(tmp_path: Path) -> None:
    weights.write_tensors(tmp_path / "w.safetensors", {"a": torch.ones(2)})
    (tmp_path / "other").touch()
    assert (tmp_path / "w.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_a_folder_of_runs_names_them(run: Path) -> None:
    with pytest.raises(RunError, match="runs with a model below: "):
        weights.load_run(run.parent)
    with pytest.raises(RunError, match="no such directory"):
        weights.load_run(run / "nowhere")


@every_config
def test_every_parameter_is_saved_once(config: ModelConfig) -> None:
    tensors = weights.model_tensors(build(config, 0))
    assert sum(tensor.numel() for tensor in tensors.values()) == config.n_params
    assert ("head.weight" in tensors) != config.tie_embeddings


def test_tensors_that_do_not_fit_are_named() -> None:
    model = build(CONFIGS["qwen3"], 0)
    tensors = {name: tensor.clone() for name, tensor in weights.model_tensors(model).items()}
    lacking = {name: tensor for name, tensor in tensors.items() if name != "norm.weight"}
    with pytest.raises(ConfigError, match=r"file: tensor 'norm.weight' is missing"):
        weights.load_tensors(model, lacking, where="file")
    with pytest.raises(ConfigError, match="tensor 'wte' is not one of this model's"):
        weights.load_tensors(model, tensors | {"wte": torch.ones(1)})
    with pytest.raises(ConfigError, match=r"tensor 'embed.weight' is \[3\], the model's is \[61, 32\]"):
        weights.load_tensors(model, {name: torch.ones(3) for name in tensors})
    untouched = build(CONFIGS["qwen3"], 0).state_dict()
    assert all(torch.equal(tensor, untouched[name]) for name, tensor in model.state_dict().items())


@pytest.fixture
def run(tokenizer_json: Path, tmp_path: Path) -> Path:
    """A run with checkpoints 3 and 12, and one of step 40 that was never closed."""
    for step in (3, 12):
        make_run(tmp_path / "run", build(CONFIGS["qwen3"], step), tokenizer_json, step)
    (tmp_path / "run" / "checkpoints" / "00000040").mkdir()
    shutil.copytree(tmp_path / "run" / "checkpoints" / "00000012", tmp_path / "run" / "checkpoints" / "00000099.tmp")
    return tmp_path / "run"


def test_load_run_takes_the_newest_checkpoint(run: Path) -> None:
    for step, seed in ((None, 12), (3, 3), (12, 12)):
        model, tokenizer = weights.load_run(run, step)
        assert torch.equal(model.embed.weight, build(CONFIGS["qwen3"], seed).embed.weight)
    assert tokenizer == run.parent / "s" / "artifacts" / "tokenizer.json"
    (run / "artifacts").mkdir()
    shutil.copyfile(tokenizer, run / "artifacts" / "tokenizer.json")
    assert weights.load_run(run)[1] == run / "artifacts" / "tokenizer.json"


@pytest.mark.parametrize("place", [0, 100, -1])
def test_one_flipped_bit_is_seen(run: Path, place: int) -> None:
    path = run / "checkpoints" / "00000012" / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    with pytest.raises(CorruptError, match=r"00000012/model.safetensors: .*differs from MANIFEST"):
        weights.load_run(run)
    assert weights.load_run(run, 3)[0].config == CONFIGS["qwen3"]


def test_truncated_files_without_a_manifest_are_seen(tmp_path: Path) -> None:
    weights.save_model(build(CONFIGS["gpt2"], 0), tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorruptError, match="not a whole safetensors file"):
        weights.load_model(tmp_path)
    path.unlink()
    with pytest.raises(RunError, match=r"model.safetensors: missing file"):
        weights.load_model(tmp_path)
    with pytest.raises(RunError, match=r"config.json: missing file"):
        weights.load_model(tmp_path / "nowhere")


def test_what_load_run_cannot_open(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no checkpoint of step 7 \(there are: 3, 12\)"):
        weights.load_run(run, 7)
    with pytest.raises(RunError, match=r"nowhere: no such directory"):
        weights.load_run(tmp_path / "nowhere")
    manifest = run / "checkpoints" / "00000012" / "MANIFEST"
    manifest.write_text("{}")
    with pytest.raises(CorruptError, match=r"MANIFEST does not list model.safetensors"):
        weights.load_run(run)
    shutil.rmtree(run.parent / "s")
    with pytest.raises(RunError, match="the model's tokenizer is not there"):
        weights.load_run(run, 3)
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(RunError, match="no checkpoint"):
        weights.load_run(run)
    written = json.loads((run / "config.json").read_text())
    written["config"]["model"]["d_modell"] = VOCAB
    (run / "config.json").write_text(json.dumps(written))
    with pytest.raises(ConfigError, match=r"unknown key 'd_modell'.*did you mean 'd_model'"):
        weights.load_run(run)
    (run / "config.json").write_text(json.dumps({"stage": "corpus", "config": {}}))
    with pytest.raises(RunError, match="no model in this run"):
        weights.load_run(run)


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights.save_model(build(CONFIGS["gpt2"], 0), tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(weights, "save_tensors", full)
    with pytest.raises(RunError, match="No space left"):
        weights.save_model(build(CONFIGS["gpt2"], 1), tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    "field", ["vocab_size", "context_length", "n_layers", "d_model", "d_ff", "n_heads", "n_kv_heads"]
)
@pytest.mark.parametrize("config", [CONFIGS["qwen3"], CONFIGS["gpt2"]], ids=["qwen3", "gpt2"])
def test_sizes_that_no_weights_have_are_refused_before_anything_is_built(config: ModelConfig, field: str) -> None:
    tensors = weights.model_tensors(lively(config))
    size = 10**12 * config.n_kv_heads
    other = config.model_copy(update={field: size})
    with pytest.raises(ConfigError, match=r"parameters by its config|is too long to be computed"):
        weights.filled(other, tensors, "here")


def test_a_config_that_is_no_object_is_said(run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "config.json").write_text("[]")
    with pytest.raises(CorruptError, match=r"config.json: not in the form"):
        weights.load_run(copy)
