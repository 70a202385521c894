"""Hugging Face directories whose files do not belong together: refused by either engine, never filled up by chance."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from presage.core.errors import ConfigError, PresageError
from presage.data.verbs import Continuation, Decoding, Generation
from presage.infer.opening import open_model

transformers = pytest.importorskip("transformers")

VOCAB = 280
FAMILIES: dict[str, Any] = {
    "gpt2": lambda: transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=VOCAB, n_positions=48, n_embd=16, n_layer=2, n_head=2)
    ),
    "llama": lambda: transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=VOCAB,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=48,
        )
    ),
    "qwen3": lambda: transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            vocab_size=VOCAB,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            head_dim=8,
            max_position_embeddings=48,
        )
    ),
    "gpt_neox": lambda: transformers.GPTNeoXForCausalLM(
        transformers.GPTNeoXConfig(
            vocab_size=VOCAB,
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=48,
        )
    ),
}
Edit = Callable[[Path], None]


@pytest.fixture(scope="module")
def folders(hf_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("families")
    for family, build in FAMILIES.items():
        torch.manual_seed(0)
        build().save_pretrained(root / family)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(hf_folder / name, root / family / name)
    return {family: root / family for family in FAMILIES}


def says(**changes: Any) -> Edit:
    """config.json with other values."""

    def edit(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


def holds(change: Callable[[dict[str, torch.Tensor]], None]) -> Edit:
    """model.safetensors with other tensors."""

    def edit(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    return edit


def without(part: str) -> Edit:
    def drop(tensors: dict[str, torch.Tensor]) -> None:
        del tensors[next(name for name in sorted(tensors) if part in name)]

    return holds(drop)


def and_more(name: str) -> Edit:
    return holds(lambda tensors: tensors.update({name: torch.ones(2)}))


HUGE = 10**12
CASES = [
    ("gpt2", says(n_layer=7), r"transformer\.h\.\d\.\S* is missing|tensor '.*' is missing|missing transformer\.h\.2"),
    ("gpt2", says(n_layer=1), r"transformer\.h\.1\."),
    ("gpt2", says(n_layer=-1), r"greater than 0|unexpected transformer\.h\.0"),
    ("gpt2", says(n_layer=HUGE), r"is missing|1,000,000,000,000 layers by its config, but 28 tensors"),
    ("gpt2", says(n_head=-1), "positive integers|transformers cannot"),
    ("gpt2", says(model_type=["gpt2"]), "transformers cannot open this model"),
    ("gpt2", says(n_embd=HUGE), "parameters by its config|transformers cannot"),
    ("gpt2", says(n_positions=HUGE), "parameters by its config"),
    ("gpt2", says(vocab_size=HUGE), "parameters by its config"),
    ("gpt2", says(n_positions=47), r"position_embed.weight|of another shape transformer\.wpe\.weight"),
    ("gpt2", without("mlp.c_fc.weight"), r"mlp\.c_fc\.weight"),
    ("gpt2", and_more("foo.bar"), r"foo\.bar"),
    ("llama", says(num_hidden_layers=7), r"model\.layers\.2\."),
    ("llama", says(num_hidden_layers=HUGE), "is missing|1,000,000,000,000 layers by its config"),
    ("qwen3", says(num_hidden_layers=HUGE), "is missing|1,000,000,000,000 layers by its config"),
    ("qwen3", says(num_hidden_layers=HUGE, new=1), "1,000,000,000,000 layers by its config"),
    ("llama", says(hidden_size=HUGE), "parameters by its config|rows, not|transformers cannot"),
    ("llama", without("lm_head"), r"lm_head\.weight"),
    ("llama", without("down_proj"), r"down_proj\.weight"),
    ("llama", and_more("foo.bar"), r"foo\.bar"),
    ("gpt_neox", says(num_hidden_layers=3), r"missing gpt_neox\.layers\.2\..* and 7 more"),
    ("gpt_neox", says(num_hidden_layers=1), r"unexpected gpt_neox\.layers\.1\..* more"),
    ("gpt_neox", says(num_hidden_layers=-1), r"unexpected gpt_neox\.layers\.0\."),
    ("gpt_neox", says(num_hidden_layers=HUGE), "1,000,000,000,000 layers by its config"),
    ("gpt_neox", says(hidden_size=HUGE), "parameters by its config|transformers cannot"),
    ("gpt_neox", says(vocab_size=HUGE), "parameters by its config"),
    ("gpt_neox", says(vocab_size=279), r"of another shape .*gpt_neox\.embed_in\.weight"),
    ("gpt_neox", without("dense_h_to_4h.weight"), r"missing gpt_neox\.layers\.0\.mlp\.dense_h_to_4h\.weight"),
    ("gpt_neox", and_more("foo.bar"), r"unexpected foo\.bar"),
]


@pytest.mark.parametrize("engine", ["auto", "transformers"])
@pytest.mark.parametrize(("family", "damage", "message"), CASES, ids=[f"{n}-{one[0]}" for n, one in enumerate(CASES)])
def test_weights_of_another_model_are_refused(
    folders: dict[str, Path],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    family: str,
    damage: Edit,
    message: str,
    engine: str,
) -> None:
    copy = shutil.copytree(folders[family], tmp_path / "copy")
    damage(copy)
    with pytest.raises(ConfigError, match=message) as caught:
        open_model(f"hf:{copy}", engine=engine)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("family", ["gpt2", "gpt_neox"])
def test_what_is_harmless_is_taken(folders: dict[str, Path], tmp_path: Path, family: str) -> None:
    """A tied head that is not written, and masks of old files."""
    copy = shutil.copytree(folders[family], tmp_path / "copy")
    mask = {"gpt2": "transformer.h.0.attn.bias", "gpt_neox": "gpt_neox.layers.0.attention.bias"}[family]
    and_more(mask)(copy)
    asked = [Continuation("The cat", " sat")]
    whole, old = (open_model(f"hf:{folder}", engine="transformers") for folder in (folders[family], copy))
    assert old.loglikelihood(asked) == whole.loglikelihood(asked)


def test_transformers_is_silent_and_left_as_it_was(folders: dict[str, Path], capfd: pytest.CaptureFixture[str]) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    model = open_model(f"hf:{folders['gpt_neox']}")
    model.generate([Generation("The cat " * 30, Decoding(4))])
    assert capfd.readouterr() == ("", "")
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_a_token_that_the_model_does_not_have_is_said(folders: dict[str, Path], tmp_path: Path) -> None:
    copy = shutil.copytree(folders["gpt2"], tmp_path / "copy")
    data = json.loads((copy / "tokenizer.json").read_text())
    data["added_tokens"].append(data["added_tokens"][0] | {"id": 5000, "content": "capital"})
    (copy / "tokenizer.json").write_text(json.dumps(data))
    model = open_model(f"hf:{copy}")
    assert model.loglikelihood([Continuation("The", " cat")])[0].tokens > 0
    for ask in (
        lambda: model.loglikelihood([Continuation("The capital", " is")]),
        lambda: model.loglikelihood([Continuation("The", " capital")]),
        lambda: model.generate([Generation("The capital", Decoding(3))]),
        lambda: model.generate([Generation("The capital", Decoding(3, beams=2))]),
    ):
        with pytest.raises(ConfigError, match=rf"id (280|5000) is not in the vocabulary of {VOCAB}") as caught:
            ask()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("number", [-1, 10**30], ids=["negative", "huge"])
def test_an_id_that_is_none_is_left_aside(folders: dict[str, Path], tmp_path: Path, number: int) -> None:
    copy = shutil.copytree(folders["gpt2"], tmp_path / "copy")
    says(bos_token_id=number, eos_token_id=number)(copy)
    try:
        assert open_model(f"hf:{copy}").loglikelihood([Continuation("The", " cat")])[0].tokens > 0
    except PresageError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.json", {"n_head": 4}),
        ("config.json", {"layer_norm_epsilon": 0.1}),
        ("generation_config.json", {"eos_token_id": 5}),
        ("tokenizer_config.json", {"eos_token": "a"}),
        ("special_tokens_map.json", {"eos_token": "a"}),
    ],
)
def test_the_identity_holds_every_file_that_is_read(
    folders: dict[str, Path], tmp_path: Path, name: str, change: dict[str, Any]
) -> None:
    before = open_model(f"hf:{folders['gpt2']}").identity()
    copy = shutil.copytree(folders["gpt2"], tmp_path / "gpt2")
    assert open_model(f"hf:{copy}").identity() == before
    path = copy / name
    path.write_text(json.dumps((json.loads(path.read_text()) if path.exists() else {}) | change))
    after = open_model(f"hf:{copy}").identity()
    assert {key for key in before if before[key] != after[key]} == {"config"}
