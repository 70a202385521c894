"""GGUF files: read back by another reader, numbers as llama.cpp rounds them, and llama.cpp's own answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.harness.llama_cpp import LlamaCpp
from presage.cli import models
from presage.core.errors import ConfigError, RunError
from presage.data.bpe import EOT, Tokenizer
from presage.model import gguf
from presage.model.config import ModelConfig, VisionConfig
from presage.model.gguf_export import export_gguf
from presage.model.rope import Llama3, Yarn
from presage.model.transformer import Transformer
from tests.model import shapes
from tests.model.shapes import CONFIGS, TEXT, lively, make_run

VOCAB, CONTEXT, NEW, PROMPTS = 300, 96, 64, 20
WIDE = {"vocab_size": VOCAB, "context_length": CONTEXT}
NAMES = ("llama", "qwen2", "qwen3", "qwen3-gqa", "qwen3-bias", "gpt2")
EXPORTED = {name: CONFIGS[name].model_copy(update=WIDE) for name in NAMES}
EXPORTED["gpt2-untied"] = EXPORTED["gpt2"].model_copy(update={"tie_embeddings": False})
EXPORTED["llama3"] = shapes.stretched("llama", Llama3(factor=8, original=16), **WIDE)
EXPORTED["yarn"] = shapes.stretched("qwen3", Yarn(factor=4, original=24), **WIDE)


def read(path: Path) -> Any:
    return pytest.importorskip("gguf").GGUFReader(path)


def value(reader: Any, key: str) -> Any:
    return reader.fields[key].contents()


def write(tmp_path: Path, model: Transformer, tokenizer: Path, kind: str = "f32") -> Path:
    run = make_run(tmp_path / "run", model, tokenizer)
    export_gguf(run, tmp_path / f"{kind}.gguf", kind)
    return tmp_path / f"{kind}.gguf"


# ---- the file -------------------------------------------------------------------------------------------------------


def test_another_reader_reads_it(tokenizer_json: Path, tmp_path: Path) -> None:
    model = lively(EXPORTED["qwen3-gqa"])
    file = read(write(tmp_path, model, tokenizer_json))
    own = Tokenizer.load(tokenizer_json)
    facts = {
        "general.architecture": "qwen3",
        "qwen3.block_count": 2,
        "qwen3.attention.head_count_kv": 2,
        "qwen3.rope.freq_base": 10_000.0,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.eos_token_id": own.eot,
        "tokenizer.ggml.add_bos_token": False,
    }
    assert {key: value(file, key) for key in facts} == facts
    tokens, kinds = value(file, "tokenizer.ggml.tokens"), value(file, "tokenizer.ggml.token_type")
    assert len(tokens) == len(kinds) == VOCAB and tokens[own.eot] == EOT and kinds[own.eot] == 3
    assert [i for i, kind in enumerate(kinds) if kind == 5] == list(range(own.n_vocab, VOCAB))
    merges = json.loads(tokenizer_json.read_text())["model"]["merges"]
    assert value(file, "tokenizer.ggml.merges") == [" ".join(pair) for pair in merges]
    tensors = {one.name: one.data for one in file.tensors}
    gate, up = model.get_parameter("blocks.0.mlp.gate_up.weight").detach().chunk(2)
    assert np.array_equal(tensors["blk.0.ffn_gate.weight"], gate) and np.array_equal(tensors["blk.0.ffn_up.weight"], up)
    assert np.array_equal(tensors["token_embd.weight"], model.embed.weight.detach()) and "output.weight" not in tensors


@pytest.mark.parametrize("kind", ["bf16", "q8_0"])
def test_numbers_are_rounded_as_there(kind: str, tokenizer_json: Path, tmp_path: Path) -> None:
    package = pytest.importorskip("gguf")
    model = lively(CONFIGS["gpt2"].model_copy(update=WIDE | {"d_ff": 40}))
    run = make_run(tmp_path / "run", model, tokenizer_json)
    kept = export_gguf(run, tmp_path / "file.gguf", kind)
    narrow = [f"blk.{layer}.ffn_down.weight" for layer in range(3)]  # rows of 40 are no whole blocks
    assert kept == (narrow if kind == "q8_0" else [])
    found = {one.name: one for one in read(tmp_path / "file.gguf").tensors}
    code = package.GGMLQuantizationType[kind.upper()]
    for name in ("token_embd.weight", "blk.1.attn_qkv.weight"):
        ours = {"token_embd.weight": "embed.weight", "blk.1.attn_qkv.weight": "blocks.1.attention.qkv.weight"}[name]
        expected = package.quants.quantize(model.get_parameter(ours).detach().numpy(), code)
        assert found[name].tensor_type == code and np.array_equal(found[name].data, expected)
    plain = ["position_embd.weight", "output_norm.bias", "blk.0.attn_qkv.bias", *kept]
    assert all(found[name].tensor_type == package.GGMLQuantizationType.F32 for name in plain)


def test_rounding_of_zeros_and_of_the_largest() -> None:
    package = pytest.importorskip("gguf")
    rows = torch.zeros(4, 64)
    rows[1] = torch.linspace(-1e4, 1e4, 64)
    rows[2, 3], rows[3] = 1e-30, 0.5
    expected = package.quants.quantize(rows.numpy(), package.GGMLQuantizationType.Q8_0)
    assert gguf.KINDS["q8_0"].write(rows) == expected.tobytes()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (CONFIGS["gpt1"], "llama.cpp has not: openai-gpt"),
        (CONFIGS["gpt3"], "no Hugging Face class computes this model"),
        (CONFIGS["qwen3"].model_copy(update={"vision": VisionConfig()}), "an encoder of images.*--to hf"),
        (shapes.stretched("qwen3", Llama3(factor=8, original=16)), "the rope scaling of Llama 3 in qwen3"),
        (shapes.stretched("qwen3", Yarn(factor=8, original=16, attention=2)), "YaRN attention factor"),
    ],
)
def test_what_llama_cpp_has_not_is_refused(
    config: ModelConfig, message: str, tokenizer_json: Path, tmp_path: Path
) -> None:
    run = make_run(tmp_path / "run", lively(config.model_copy(update={"vocab_size": VOCAB})), tokenizer_json)
    with pytest.raises(ConfigError, match=message):
        export_gguf(run, tmp_path / "file.gguf")
    assert not list(tmp_path.glob("*.gguf*"))


def test_the_verb_says_what_stays_fp32(
    tokenizer_json: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = make_run(tmp_path / "run", lively(EXPORTED["qwen3-gqa"]), tokenizer_json)  # d_model 48: one block and a half
    models.export(run, to="gguf", out=tmp_path / "a.gguf", type="q8_0", license="mit")
    said = capsys.readouterr()
    assert (
        said.out == f"{tmp_path / 'a.gguf'}\n" and "matrices stay f32: their rows are not of whole blocks" in said.err
    )
    assert value(read(tmp_path / "a.gguf"), "general.license") == "mit"


def test_a_file_that_is_there_is_not_touched(tokenizer_json: Path, tmp_path: Path) -> None:
    (tmp_path / "f32.gguf").write_text("mine")
    with pytest.raises(RunError, match="already there"):
        write(tmp_path, lively(EXPORTED["qwen3"]), tokenizer_json)
    assert (tmp_path / "f32.gguf").read_text() == "mine"


# ---- llama.cpp ------------------------------------------------------------------------------------------------------


def prompts() -> Iterator[list[int]]:
    generator = torch.Generator().manual_seed(3)
    for _ in range(PROMPTS):
        yield torch.randint(1, 256, (12,), generator=generator).tolist()


@torch.no_grad()
def greedy(model: Transformer, prompts: list[list[int]], end: int) -> list[list[int]]:
    """The likeliest ids by whole forward passes; as there, never the end of the text."""
    ids = torch.tensor(prompts)
    for _ in range(NEW):
        logits = model.logits(model.hidden(ids)[:, -1])
        logits[:, end] = -torch.inf
        ids = torch.cat([ids, logits.argmax(dim=1, keepdim=True)], dim=1)
    rows: list[list[int]] = ids[:, len(prompts[0]) :].tolist()
    return rows


@pytest.mark.parametrize("name", EXPORTED)
def test_llama_cpp_says_the_same(name: str, tokenizer_json: Path, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="llama.cpp is not here: pip install xllamacpp")
    config = EXPORTED[name]
    model = lively(config)
    there = LlamaCpp(write(tmp_path, model, tokenizer_json), CONTEXT)
    end = Tokenizer.load(tokenizer_json).eot
    asked = list(prompts()) if name in ("llama", "qwen3", "gpt2") else list(prompts())[:4]
    assert [there.greedy(prompt, NEW) for prompt in asked] == greedy(model, asked, end)
    long = [i % 250 for i in range(80)]
    with torch.no_grad():
        expected = model(torch.tensor([long]))[0, -1].log_softmax(-1)
    found = there.logprobs(long, VOCAB)
    # Its GELU is a table of fp16 (GPT-2); all else is fp32.
    assert max(abs(found[i] - float(expected[i])) for i in found) < (2e-2 if "gpt2" in name else 1e-4)
    assert len(found) == VOCAB


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "qwen2"])
def test_llama_cpp_encodes_the_same(pattern: str, tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="llama.cpp is not here: pip install xllamacpp")
    own = Tokenizer.train([TEXT], 270, pattern)
    (tmp_path / "tokenizer.json").write_text(own.to_json())
    there = LlamaCpp(write(tmp_path, lively(EXPORTED["qwen3"]), tmp_path / "tokenizer.json"), CONTEXT)
    texts = [
        TEXT,
        "it's 12345 o'clock",
        "  two\n\n\tlines \r\n x",
        "naïve 日本語 ✓🙂 ½",
        f"no {EOT} here",
        "a\u00a0b\u2003c",
    ]
    assert [there.ids(text) for text in texts] == [own.encode(text) for text in texts]
