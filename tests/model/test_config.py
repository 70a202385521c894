"""Parameter and FLOP counts: the papers' totals, the real module's, and a counting run's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from presage.core.errors import ConfigError
from presage.model.config import GPT2_SIZES, GPT3_SIZES, ModelConfig, gpt1, gpt2, gpt3, qwen3
from presage.model.losses import cross_entropy, naive_cross_entropy
from presage.model.transformer import Transformer
from tests.model.shapes import CONFIGS, lively, random_tokens

GPT2_COUNTS = {"124M": 124_439_808, "355M": 354_823_168, "774M": 774_030_080, "1.5B": 1_557_611_200}
GPT3_COUNTS = {
    "125M": 125_226_240,
    "350M": 355_871_744,
    "760M": 760_300_032,
    "1.3B": 1_315_723_264,
    "2.7B": 2_651_553_280,
    "6.7B": 6_658_404_352,
    "13B": 12_853_386_240,
    "175B": 174_604_259_328,
}


def counted(config: ModelConfig) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in Transformer(config).parameters())


def test_parameter_counts_of_the_papers() -> None:
    assert gpt1().n_params == counted(gpt1()) == 116_534_784
    assert {size: gpt2(size).n_params for size in GPT2_SIZES} == GPT2_COUNTS
    assert {size: gpt3(size).n_params for size in GPT3_SIZES} == GPT3_COUNTS


@pytest.mark.parametrize("config", [gpt2("1.5B"), gpt3("125M"), gpt3("760M"), gpt3("175B")], ids=["2", "3", "3", "3"])
def test_counts_of_published_shapes_are_the_modules(config: ModelConfig) -> None:
    assert counted(config) == config.n_params


@st.composite
def configs(draw: st.DrawFn) -> ModelConfig:
    kv, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return ModelConfig(
        vocab_size=draw(st.integers(1, 50)),
        context_length=draw(st.integers(1, 20)),
        n_layers=draw(st.integers(1, 4)),
        d_model=draw(st.integers(1, 33)),
        n_heads=kv * groups,
        n_kv_heads=kv,
        d_head=2 * draw(st.integers(1, 8)),
        d_ff=draw(st.integers(1, 40)),
        norm=draw(st.sampled_from(["rms", "layer"])),
        block=draw(st.sampled_from(["pre", "post"])),
        position=draw(st.sampled_from(["rope", "learned"])),
        mlp=draw(st.sampled_from(["swiglu", "gelu"])),
        bias=draw(st.booleans()),
        qk_norm=draw(st.booleans()),
        tie_embeddings=draw(st.booleans()),
        band=draw(st.none() | st.integers(1, 30)),
    )


@settings(deadline=None, max_examples=80)
@given(configs())
def test_counts_of_any_shape_are_the_modules(config: ModelConfig) -> None:
    with torch.device("meta"):
        model = Transformer(config)
    assert sum(p.numel() for p in model.parameters()) == config.n_params
    outside = [model.embed.weight] + ([] if config.tie_embeddings else [model.head.weight])
    outside += [] if model.position_embed is None else [model.position_embed.weight]
    assert config.n_params_non_embedding == config.n_params - sum(p.numel() for p in outside)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("loss", [cross_entropy, naive_cross_entropy], ids=["fused", "naive"])
@pytest.mark.parametrize("length", [24, 7])
def test_flops_are_what_a_counting_run_counts(name: str, loss: object, length: int) -> None:
    config, rows = CONFIGS[name], 2
    model, tokens = lively(config), random_tokens(rows, length)
    # The fused attention kernels count nothing on the CPU: the plain one is made of matmuls.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as forward, torch.no_grad():
        model(tokens)
    assert forward.get_total_flops() == rows * length * config.flops_forward(length)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as training:
        loss(model.hidden(tokens), model.head.weight, tokens).backward()  # type: ignore[operator]
    assert training.get_total_flops() == rows * length * config.flops_per_token(length)


def test_flops_by_hand() -> None:
    config = ModelConfig(
        vocab_size=10, context_length=4, n_layers=1, d_model=2, n_heads=1, n_kv_heads=1, d_head=2, d_ff=3
    )
    qkvo, mlp, logits, attention = 4 * 2 * 2, 3 * 2 * 3, 10 * 2, 2 * 4 * 2
    assert config.flops_forward() == 2 * (qkvo + mlp + logits + attention)
    assert config.flops_per_token() == 3 * config.flops_forward(4)
    assert config.flops_6nd_per_token() == 6 * (qkvo + mlp + 2 + 2 + 2 + 2 + 2)


@given(st.integers(8, 2048), st.integers(1, 30))
def test_default_family_fits_any_width(d_model: int, n_layers: int) -> None:
    config = qwen3(512, 128, n_layers, d_model)
    assert config.d_head % 8 == 0 and config.d_ff % 16 == 0
    assert config.n_heads * config.d_head <= max(8, d_model)
    assert ModelConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gpt2("345M"), r"no size '345M' \(did you mean '355M'"),
        (lambda: qwen3(8, 8, 1, 64, n_heads=4, n_kv_heads=3), "n_heads 4 is not a multiple of n_kv_heads 3"),
        (lambda: qwen3(8, 8, 1, 64, d_head=7), "even d_head, got 7"),
        (lambda: qwen3(8, 8, 1, 64, d_mode=7), "unknown key 'd_mode'.*did you mean 'd_model'"),
        (lambda: qwen3(0, 8, 1, 64), "vocab_size"),
        (lambda: qwen3(8, 8, 1, 64, norm="batch"), "norm"),
    ],
)
def test_shapes_that_do_not_fit(make: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()  # type: ignore[operator]


def test_a_config_without_scores_reads_and_writes_as_before_there_were_any() -> None:
    shape = qwen3(300, 16, 1, 16)
    assert "scores" not in shape.model_dump() and "scores" not in shape.to_json()
    scored = shape.model_copy(update={"scores": 2})
    assert scored.model_dump()["scores"] == 2
    assert ModelConfig.parse(scored.model_dump()) == scored and ModelConfig.parse(shape.model_dump()) == shape
