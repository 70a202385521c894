"""Hugging Face directories, both ways: transformers' logits, weights equal to the byte, unknown keys refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from presage.core.errors import ConfigError, CorruptError, PresageError, RunError
from presage.core.run import RunDir
from presage.data.bpe import EOT, Tokenizer
from presage.model import weights
from presage.model.config import ModelConfig
from presage.model.exchange import ImportConfig, export_hf, import_hf
from presage.model.huggingface import config_from_hf, config_to_hf
from presage.model.rope import Llama3, Yarn
from presage.model.transformer import Transformer
from tests.model import shapes
from tests.model.shapes import CONFIGS, TEXT, lively, make_run

auto = pytest.importorskip("transformers.models.auto")

VOCAB = 300
EXPORTED = {name: config.model_copy(update={"vocab_size": VOCAB}) for name, config in CONFIGS.items() if name != "gpt3"}
EXPORTED["gpt2-untied"] = EXPORTED["gpt2"].model_copy(update={"tie_embeddings": False, "dropout": 0.1})
EXPORTED["llama3"] = shapes.stretched("llama", Llama3(factor=8, original=16), vocab_size=VOCAB)
EXPORTED["qwen3-yarn"] = shapes.stretched("qwen3", Yarn(factor=4, original=8), vocab_size=VOCAB)
EXPORTED["qwen3-theta"] = EXPORTED["qwen3"].model_copy(update={"rope_theta": 1e6, "norm_eps": 1e-5})
every_export = pytest.mark.parametrize("config", EXPORTED.values(), ids=EXPORTED)


def theirs(folder: Path) -> Any:
    model, info = auto.AutoModelForCausalLM.from_pretrained(
        folder, local_files_only=True, attn_implementation="eager", output_loading_info=True
    )
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    return model.eval()


def ids(length: int) -> torch.Tensor:
    return torch.randint(VOCAB, (2, length), generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def assert_same_logits(ours: Transformer, other: Any, length: int = 24) -> None:
    expected = other(ids(length)).logits
    assert expected.std() > 0.1
    torch.testing.assert_close(ours(ids(length)), expected, atol=1e-4, rtol=0)


# ---- ours to theirs and back ----------------------------------------------------------------------------------------


@every_export
def test_export_has_our_logits_and_comes_back_to_the_byte(
    config: ModelConfig, tokenizer_json: Path, tmp_path: Path
) -> None:
    model = lively(config)
    run = make_run(tmp_path / "run", model, tokenizer_json)
    out = export_hf(run, tmp_path / "hf")
    assert sorted(p.name for p in out.iterdir()) == [
        "README.md",
        *("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"),
    ]
    assert_same_logits(model, theirs(out))

    back = import_hf(out, tmp_path / "back")
    name = "checkpoints/00000000/model.safetensors"
    assert (back.path / name).read_bytes() == (run / name).read_bytes()
    assert back.problems() == [] and back.stage == "import"
    changed = set() if "gpt" in config_to_hf(config)["model_type"] else {"dropout", "init"}
    kept = {"model": config.model_dump(exclude=changed)}
    assert back.config(ImportConfig).model_dump(include={"model": set(kept["model"])}) == kept
    assert back.value("n_params") == config.n_params

    loaded, tokenizer = weights.load_run(back.path)
    assert torch.equal(loaded(ids(9)), model(ids(9))) and not loaded.training
    assert tokenizer.read_bytes() == tokenizer_json.read_bytes()
    again = export_hf(back.path, tmp_path / "again")
    for path in (path for path in out.iterdir() if path.name != "README.md"):
        assert (again / path.name).read_bytes() == path.read_bytes()


def test_a_directory_to_export_to_has_a_name(
    tokenizer_json: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path / "run", lively(EXPORTED["qwen3"]), tokenizer_json)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(RunError, match="choose a new directory"):
        export_hf(run, ".")


def test_exported_tokenizer_and_generation(tokenizer_json: Path, tmp_path: Path) -> None:
    model = lively(EXPORTED["qwen3"])
    out = export_hf(make_run(tmp_path / "run", model, tokenizer_json), tmp_path / "hf")
    tokenizer = auto.AutoTokenizer.from_pretrained(out, local_files_only=True)
    own = Tokenizer.load(tokenizer_json)
    assert tokenizer(TEXT)["input_ids"] == own.encode(TEXT)
    assert tokenizer.eos_token_id == own.eot and tokenizer.eos_token == EOT
    assert theirs(out).generation_config.eos_token_id == own.eot


def test_gpt3_is_refused_and_nothing_is_written(tokenizer_json: Path, tmp_path: Path) -> None:
    model = lively(CONFIGS["gpt3"].model_copy(update={"vocab_size": VOCAB}))
    run = make_run(tmp_path / "run", model, tokenizer_json)
    with pytest.raises(ConfigError, match=r"no Hugging Face class computes this model.*gpt2.*band=5"):
        export_hf(run, tmp_path / "hf")
    assert not list(tmp_path.glob("hf*"))


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("qwen3", {"bias": True}, "bias=True"),
        ("qwen3", {"block": "post"}, "block='post'"),
        ("llama", {"d_model": 34}, "d_model is not a multiple of n_heads"),
        ("gpt2", {"n_kv_heads": 1}, "n_kv_heads differs"),
        ("gpt2", {"qk_norm": True}, "qk_norm=True"),
        ("gpt1", {"d_ff": 100}, "d_ff differs from 4 d_model"),
    ],
)
def test_shapes_no_class_has(name: str, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config_to_hf(CONFIGS[name].model_copy(update=changes))


def test_export_refuses_a_directory_in_use(tokenizer_json: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", lively(EXPORTED["gpt2"]), tokenizer_json)
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "mine").write_text("x")
    with pytest.raises(RunError, match="not empty"):
        export_hf(run, tmp_path / "hf")
    assert [p.name for p in (tmp_path / "hf").iterdir()] == ["mine"]


def test_export_touches_nothing_beside_it(tokenizer_json: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", lively(EXPORTED["gpt2"]), tokenizer_json)
    (tmp_path / "hf.tmp").mkdir()
    (tmp_path / "hf.tmp" / "mine").write_text("x")
    export_hf(run, tmp_path / "hf")
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith("hf")) == ["hf", "hf.tmp"]
    assert [p.name for p in (tmp_path / "hf.tmp").iterdir()] == ["mine"]


# ---- theirs to ours -------------------------------------------------------------------------------------------------

TINY = {
    "qwen3": {
        "hidden_size": 40,
        "intermediate_size": 56,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 12,
        "max_position_embeddings": 32,
    },
    "llama": {
        "hidden_size": 40,
        "intermediate_size": 56,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 32,
        "tie_word_embeddings": True,
    },
    "qwen2": {
        "hidden_size": 40,
        "intermediate_size": 56,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 32,
    },
    "gpt2": {"n_positions": 32, "n_embd": 40, "n_layer": 2, "n_head": 4},
    "openai-gpt": {"n_positions": 32, "n_embd": 40, "n_layer": 2, "n_head": 4},
}


def save_theirs(folder: Path, family: str, tokenizer: Path, **save: Any) -> Any:
    torch.manual_seed(5)
    config = auto.AutoConfig.for_model(
        family, vocab_size=VOCAB, bos_token_id=0, eos_token_id=0, initializer_range=0.2, **TINY[family]
    )
    model = auto.AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    with torch.no_grad():  # their biases begin at 0 and gains at 1
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter)) if parameter.ndim == 1 else None
    model.save_pretrained(folder, **save)
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    return model


@pytest.mark.parametrize("family", TINY)
def test_import_has_their_logits(family: str, tokenizer_json: Path, tmp_path: Path) -> None:
    other = save_theirs(tmp_path / "hf", family, tokenizer_json)
    run = import_hf(tmp_path / "hf", tmp_path / "run")
    model, _ = weights.load_run(run.path)
    assert_same_logits(model, other, 32)
    out = export_hf(run.path, tmp_path / "out")
    before, after = load_file(tmp_path / "hf" / "model.safetensors"), load_file(out / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_import_of_shards(tokenizer_json: Path, tmp_path: Path) -> None:
    save_theirs(tmp_path / "one", "qwen3", tokenizer_json)
    save_theirs(tmp_path / "many", "qwen3", tokenizer_json, max_shard_size="40KB")
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 1
    one, many = (import_hf(tmp_path / name, tmp_path / f"{name}-run") for name in ("one", "many"))
    name = "checkpoints/00000000/model.safetensors"
    assert (one.path / name).read_bytes() == (many.path / name).read_bytes()


def test_published_gpt2_files_lack_the_prefix_and_hold_masks(tokenizer_json: Path, tmp_path: Path) -> None:
    save_theirs(tmp_path / "hf", "gpt2", tokenizer_json)
    file = tmp_path / "hf" / "model.safetensors"
    tensors = {name.removeprefix("transformer."): tensor for name, tensor in load_file(file).items()}
    plain = import_hf(tmp_path / "hf", tmp_path / "plain")
    save_file(tensors | {"h.0.attn.bias": torch.ones(1, 1, 32, 32)}, file)
    old = import_hf(tmp_path / "hf", tmp_path / "old")
    name = "checkpoints/00000000/model.safetensors"
    assert (plain.path / name).read_bytes() == (old.path / name).read_bytes()


def test_bf16_weights_become_fp32(tokenizer_json: Path, tmp_path: Path) -> None:
    save_theirs(tmp_path / "hf", "llama", tokenizer_json)
    file = tmp_path / "hf" / "model.safetensors"
    halves = {name: tensor.bfloat16() for name, tensor in load_file(file).items()}
    save_file(halves, file)
    model, _ = weights.load_run(import_hf(tmp_path / "hf", tmp_path / "run").path)
    assert torch.equal(model.embed.weight, halves["model.embed_tokens.weight"].float())


Data = dict[str, Any]


def _set(**changes: Any) -> Callable[[Data], None]:
    return lambda data: data.update(changes)


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        ("gpt2", _set(model_type="mamba"), "model_type 'mamba' is not supported"),
        ("gpt2", _set(model_type=None), "model_type None"),
        ("gpt2", _set(model_type=["gpt2"]), r"model_type \['gpt2'\] is not supported"),
        ("gpt2", _set(n_head=True), "n_head=True is no number"),
        ("gpt2", _set(n_layer=True), "n_layer=True is no number"),
        ("gpt2", _set(n_head=-1), "positive integers"),
        ("gpt2", _set(n_layer=-1), "n_layers: .*greater than 0"),
        ("gpt2", _set(n_layer=10**12), "tensor 'transformer.h.2.ln_1.weight' is missing"),
        ("gpt2", _set(n_positions=10**12), "parameters by its config"),
        ("gpt2", _set(vocab_size=10**12), "parameters by its config"),
        ("gpt2", _set(n_embd=10**12), "parameters by its config"),
        ("llama", _set(hidden_size=10**12), "parameters by its config|rows, not"),
        ("llama", _set(max_position_embeddings=10**12), "context of 1,000,000,000,000 tokens is too long"),
        ("qwen3", _set(layer_types=3), "layer_types=3"),
        ("qwen3", _set(layer_types=[["full_attention"]]), "layer_types="),
        ("gpt2", _set(activation_function="relu"), "activation_function='relu'"),
        ("gpt2", _set(scale_attn_by_inverse_layer_idx=True), "scale_attn_by_inverse_layer_idx=True"),
        ("gpt2", _set(n_head=3), "n_heads . d_head differs from d_model"),
        ("gpt2", _set(n_head=0), "positive"),
        ("gpt2", lambda data: data.pop("n_embd"), "missing key 'n_embd'"),
        ("gpt2", _set(embd_pdrop=0.3), "resid_pdrop and embd_pdrop differ"),
        ("openai-gpt", _set(afn="relu"), "afn='relu'"),
        ("llama", _set(quantization_config={"bits": 4}), "keys we cannot honour: quantization_config="),
        ("llama", _set(rope_scaling={"type": "linear", "factor": 2.0}), "rope_scaling"),
        ("llama", _set(attention_bias=True), "attention_bias and mlp_bias differ"),
        ("llama", _set(logit_scale=0.1, num_experts=8), r"logit_scale=0.1, num_experts=8"),
        ("qwen3", _set(use_sliding_window=True), "use_sliding_window=True"),
        ("qwen3", _set(layer_types=["full_attention", "sliding_attention"]), "sliding_attention"),
        ("qwen3", _set(attention_bias=True), "bias"),
        ("qwen3", _set(head_dim=13), "even d_head"),
        ("qwen3", _set(vocab_size=100), "token id 269 is outside the model's vocabulary of 100"),
        (
            "qwen3",
            _set(intermediate_size=57),
            r"gate_proj.weight, .*up_proj.weight have \[56, 56\] rows, not \[57, 57\]",
        ),
        ("gpt2", _set(n_positions=31), r"tensor 'position_embed.weight' is \[32, 40\], the model's is \[31, 40\]"),
        ("qwen3", _set(num_hidden_layers=3), "tensor 'model.layers.2.input_layernorm.weight' is missing"),
        ("qwen3", _set(num_hidden_layers=1), "tensor 'model.layers.1.*' is not one of this model's"),
    ],
)
def test_what_we_cannot_honour_is_refused_by_name(
    family: str, change: Callable[[Data], None], message: str, tokenizer_json: Path, tmp_path: Path
) -> None:
    save_theirs(tmp_path / "hf", family, tokenizer_json)
    path = tmp_path / "hf" / "config.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(ConfigError, match=message):
        import_hf(tmp_path / "hf", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def _drop(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _cut(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-100])


def _quantise(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    save_file(tensors | {name: tensors[name].to(torch.int8)}, folder / "model.safetensors")


def _untie(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    save_file(tensors | {"lm_head.weight": tensors["model.embed_tokens.weight"] + 1}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "kind", "message"),
    [
        (_drop("config.json"), RunError, "config.json: missing file"),
        (_drop("tokenizer.json"), RunError, "tokenizer.json: missing file.*save_pretrained"),
        (_drop("model.safetensors"), RunError, "model.safetensors: missing file.*pickled"),
        (_cut("model.safetensors"), CorruptError, "not a whole safetensors file"),
        (_cut("config.json"), CorruptError, "config.json: not readable as JSON"),
        (_cut("tokenizer.json"), CorruptError, "tokenizer.json: not readable as JSON"),
        (lambda f: (f / "tokenizer.json").write_text("{}"), CorruptError, "not a tokenizer.json"),
        (_quantise, ConfigError, "up_proj.weight' is quantised"),
        (_untie, ConfigError, "lm_head.weight differs from the embedding"),
    ],
)
def test_damaged_directories(
    damage: Callable[[Path], None], kind: type[PresageError], message: str, tokenizer_json: Path, tmp_path: Path
) -> None:
    save_theirs(tmp_path / "hf", "llama", tokenizer_json)
    damage(tmp_path / "hf")
    with pytest.raises(kind, match=message):
        import_hf(tmp_path / "hf", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_older_config_files() -> None:
    """transformers 4: rope_theta at the top, no head_dim, rope_scaling null; GPT-2 of 2019: n_ctx, no n_inner."""
    old = {
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": 40,
        "intermediate_size": 56,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 32,
        "vocab_size": 9,
        "rope_theta": 5000,
        "rope_scaling": None,
        "torch_dtype": "float16",
    }
    config = config_from_hf(old)
    assert (config.d_head, config.n_kv_heads, config.rope_theta, config.bias, config.qk_norm) == (
        10,
        4,
        5e3,
        False,
        False,
    )
    gpt2 = {
        "model_type": "gpt2",
        "n_ctx": 8,
        "n_positions": 8,
        "n_embd": 12,
        "n_layer": 1,
        "n_head": 3,
        "vocab_size": 9,
    }
    assert config_from_hf(gpt2).d_ff == 48
    with pytest.raises(ConfigError, match="only one rope_theta"):
        config_from_hf(old | {"rope_parameters": {"rope_theta": 1.0, "rope_type": "default"}})


def test_existing_runs_are_not_touched(tokenizer_json: Path, tmp_path: Path) -> None:
    save_theirs(tmp_path / "hf", "gpt2", tokenizer_json)
    run = import_hf(tmp_path / "hf", tmp_path / "run")
    with pytest.raises(RunError, match="already finished"):
        import_hf(tmp_path / "hf", tmp_path / "run")
    assert RunDir.open(tmp_path / "run").digest == run.digest
