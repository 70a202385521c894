"""What attends to what, how weights begin, and other people's models as oracles."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from presage.core.errors import ConfigError
from presage.model.attention import Attention, band_mask, causal_mask
from presage.model.config import ModelConfig, gpt1, gpt2, qwen3
from presage.model.layers import Rotary
from presage.model.losses import cross_entropy
from presage.model.transformer import Transformer, build, with_scores
from tests.model.shapes import CONFIGS, CONTEXT, VOCAB, lively, random_tokens, shrunk

every_config = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)


# ---- masks, by perturbing -------------------------------------------------------------------------------------------


@torch.no_grad()
@every_config
def test_the_future_does_not_reach_the_past(config: ModelConfig) -> None:
    model, tokens = lively(config), random_tokens(2, CONTEXT)
    before = model(tokens)
    for place in (0, 1, 11, CONTEXT - 1):
        changed = tokens.clone()
        changed[:, place] = (tokens[:, place] + 1) % VOCAB
        after = model(changed)
        assert torch.equal(after[:, :place], before[:, :place])
        moved = (after - before).abs().amax(dim=(0, 2))[place:]
        assert (moved > 0).all()  # three layers carry it to every later position, banded ones too


@torch.no_grad()
@pytest.mark.parametrize(("layer", "reach"), [(0, 99), (1, 5), (2, 99), (3, 5)], ids=["dense", "band", "dense", "band"])
def test_every_second_gpt3_layer_sees_a_band(layer: int, reach: int) -> None:
    """A layer with band 5 sees its own key and the four before; layer 0 is dense."""
    attention = lively(CONFIGS["gpt3"]).blocks[layer].attention
    assert isinstance(attention, Attention)
    x = torch.randn(1, 16, 32, generator=torch.Generator().manual_seed(0))
    positions = torch.arange(16)
    before = attention(x, positions, None, None, None)
    for place in range(16):
        changed = x.clone()
        changed[0, place] += 1
        moved = (attention(changed, positions, None, None, None) - before).abs().amax(dim=(0, 2)) > 0
        assert moved.tolist() == [place <= query < place + reach for query in range(16)]


def test_masks() -> None:
    expected = [[1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]]
    assert causal_mask(3, 4, torch.device("cpu")).int().tolist() == expected
    banded = [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    assert band_mask(3, 4, 2, torch.device("cpu")).int().tolist() == banded


@torch.no_grad()
@every_config
def test_packed_documents_are_as_alone(config: ModelConfig) -> None:
    """Two documents in one row, each seeing itself only: the logits of each alone."""
    model = lively(config)
    first, second = random_tokens(1, 9, seed=1), random_tokens(1, 13, seed=2)
    document = torch.tensor([0] * 9 + [1] * 13)
    mask = (document[:, None] == document) & causal_mask(22, 22, torch.device("cpu"))
    positions = torch.cat((torch.arange(9), torch.arange(13)))
    packed = torch.cat((first, second), dim=1)
    logits = model.logits(model.trunk(model.embed(packed), positions, mask))
    torch.testing.assert_close(logits[:, :9], model(first), atol=1e-5, rtol=0)
    torch.testing.assert_close(logits[:, 9:], model(second), atol=1e-5, rtol=0)
    if config.position == "rope":  # only distances count: positions need not begin anew
        torch.testing.assert_close(model.logits(model.hidden(packed, mask)), logits, atol=1e-4, rtol=0)


@torch.no_grad()
@every_config
def test_a_causal_mask_is_the_default(config: ModelConfig) -> None:
    model, tokens = lively(config), random_tokens(2, 17)
    mask = causal_mask(17, 17, torch.device("cpu"))
    torch.testing.assert_close(model.hidden(tokens, mask), model.hidden(tokens), atol=1e-5, rtol=0)
    per_row = mask.expand(2, 1, 17, 17)
    torch.testing.assert_close(model.hidden(tokens, per_row), model.hidden(tokens), atol=1e-5, rtol=0)


def test_a_full_mask_lets_the_future_in() -> None:
    model, tokens = lively(CONFIGS["qwen3"]), random_tokens(1, 8)
    everything = torch.ones(8, 8, dtype=torch.bool)
    changed = tokens.clone()
    changed[0, 7] = (tokens[0, 7] + 1) % VOCAB
    assert not torch.equal(model.hidden(tokens, everything)[0, 0], model.hidden(changed, everything)[0, 0])


def test_rope_turns_pairs_by_position() -> None:
    """Pair (i, i + E/2) is a complex number, multiplied by exp(i position theta^(-2i/E))."""
    rotary = Rotary(CONFIGS["qwen3"])
    x = torch.randn(2, 5, 3, 16, generator=torch.Generator().manual_seed(0))
    positions = torch.tensor([0, 3, 1, 20, 7])
    turn = torch.exp(1j * positions[:, None, None].double() * 10_000.0 ** (-torch.arange(0, 16, 2) / 16))
    z = torch.complex(x[..., :8].double(), x[..., 8:].double()) * turn
    torch.testing.assert_close(rotary(x, positions), torch.cat((z.real, z.imag), -1).float(), atol=1e-5, rtol=0)
    per_row = torch.stack((positions, positions.flip(0)))
    torch.testing.assert_close(rotary(x, per_row)[0], rotary(x, positions)[0])
    torch.testing.assert_close(rotary(x, per_row)[1], rotary(x, positions.flip(0))[1])


# ---- gradients ------------------------------------------------------------------------------------------------------


@every_config
def test_every_parameter_gets_a_gradient(config: ModelConfig) -> None:
    model, tokens = lively(config).train(), random_tokens(4, CONTEXT)
    cross_entropy(model.hidden(tokens), model.head.weight, tokens.roll(-1, 1)).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 1e-6, name


def test_a_gradient_is_a_finite_difference() -> None:
    model, tokens = lively(CONFIGS["qwen3-gqa"]).double(), random_tokens(1, 9)

    def loss() -> Tensor:
        logits = model(tokens)[0, :-1]
        return torch.nn.functional.cross_entropy(logits, tokens[0, 1:], reduction="sum")

    loss().backward()
    for name in ("blocks.0.attention.qkv.weight", "blocks.1.mlp.gate_up.weight", "embed.weight", "norm.weight"):
        parameter = model.get_parameter(name)
        assert parameter.grad is not None
        direction = torch.randn(parameter.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            parameter += 1e-4 * direction
            above = loss()
            parameter -= 2e-4 * direction
            below = loss()
            parameter += 1e-4 * direction
        expected = ((above - below) / 2e-4).item()
        assert math.isclose((parameter.grad * direction).sum().item(), expected, rel_tol=1e-3, abs_tol=1e-4), name


# ---- initialisation -------------------------------------------------------------------------------------------------


@every_config
def test_build_depends_on_its_seed_only(config: ModelConfig) -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = build(config, 7).state_dict()
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    second, third = build(config, 7).state_dict(), build(config, 8).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["embed.weight"], third["embed.weight"])


def spreads(config: ModelConfig) -> dict[str, float]:
    return {name: p.std().item() for name, p in build(config, 0).named_parameters() if p.ndim == 2}


def test_gpt2_and_gpt1_initialisation() -> None:
    shape = {"n_layers": 8, "d_model": 128, "n_heads": 2, "n_kv_heads": 2, "d_head": 64, "d_ff": 512}
    found = spreads(shrunk(gpt2("124M", 512, 128), **shape))
    for name, spread in found.items():
        residual = name.endswith(("attention.out.weight", "mlp.down.weight"))
        expected = 0.01 if name.startswith("position") else 0.02 / math.sqrt(16) if residual else 0.02
        assert math.isclose(spread, expected, rel_tol=0.03), name
    for name, spread in spreads(shrunk(gpt1(512, 128), **shape)).items():
        assert math.isclose(spread, 0.02, rel_tol=0.03), name
    for name, p in build(shrunk(gpt2("124M", 64, 16)), 0).named_parameters():
        assert p.ndim == 2 or torch.equal(p, torch.full_like(p, 0.0 if name.endswith("bias") else 1.0)), name


@torch.no_grad()
def test_mup_activations_are_of_order_one_at_any_width_and_depth() -> None:
    sizes: dict[tuple[int, int], list[float]] = {}
    for n_layers, d_model in [(2, 64), (2, 512), (16, 64), (16, 256)]:
        config = qwen3(VOCAB, CONTEXT, n_layers, d_model)
        model = build(config, 0)
        assert not model.head.weight.any()
        x = model.embed(random_tokens(4, CONTEXT))
        measured = [x.square().mean().sqrt().item()]
        for block in model.blocks:
            x = block(x, torch.arange(CONTEXT), model.rotary, None, None)
            measured.append(x.square().mean().sqrt().item())
        sizes[n_layers, d_model] = measured
    assert all(0.8 < value < 2 for measured in sizes.values() for value in measured)
    last = [measured[-1] for measured in sizes.values()]
    assert max(last) < 1.25 * min(last)


def test_mup_spreads() -> None:
    config = qwen3(256, 32, 4, 128)
    for name, spread in spreads(config).items():
        fan_in = {"mlp.down": config.d_ff}.get(name.removesuffix(".weight")[-8:], config.d_model)
        residual = name.endswith(("attention.out.weight", "mlp.down.weight"))
        expected = 1.0 if name.startswith("embed") else 0.0 if name.startswith("head") else fan_in**-0.5
        assert math.isclose(spread, expected / math.sqrt(8) if residual else expected, rel_tol=0.03), name


# ---- other people's models ------------------------------------------------------------------------------------------


@torch.no_grad()
def test_banded_layers_are_gpt_neos_local_ones() -> None:
    """GPT-Neo is GPT-3's block with global and local layers in turn; it has no qkv bias and does not scale q."""
    neo = pytest.importorskip("transformers.models.gpt_neo.modeling_gpt_neo")
    config = CONFIGS["gpt3"]
    model = lively(config)
    other = neo.GPTNeoForCausalLM(
        neo.GPTNeoConfig(
            vocab_size=VOCAB,
            max_position_embeddings=CONTEXT,
            hidden_size=config.d_model,
            num_layers=4,
            attention_types=[[["global", "local"], 2]],
            num_heads=config.n_heads,
            intermediate_size=config.d_ff,
            window_size=config.band,
            attn_implementation="eager",
            bos_token_id=0,
            eos_token_id=0,
        )
    ).eval()
    other.transformer.load_state_dict(_as_gpt_neo(model), strict=True)
    other.tie_weights()
    tokens = random_tokens(2, CONTEXT)
    torch.testing.assert_close(model(tokens), other(tokens).logits, atol=1e-4, rtol=0)


def _as_gpt_neo(model: Transformer) -> dict[str, Tensor]:
    assert model.position_embed is not None
    tensors = {"wte.weight": model.embed.weight, "wpe.weight": model.position_embed.weight}
    tensors |= {f"ln_f.{kind}": tensor for kind, tensor in model.norm.named_parameters()}
    pairs = {"ln_1": "attention_norm", "ln_2": "mlp_norm", "mlp.c_fc": "mlp.up", "mlp.c_proj": "mlp.down"}
    pairs["attn.attention.out_proj"] = "attention.out"
    for layer, block in enumerate(model.blocks):
        for theirs, ours in pairs.items():
            for kind in ("weight", "bias"):
                tensors[f"h.{layer}.{theirs}.{kind}"] = block.get_parameter(f"{ours}.{kind}")
        block.get_parameter("attention.qkv.bias").zero_()
        q, k, v = block.get_parameter("attention.qkv.weight").chunk(3)
        for name, tensor in (("q", q / math.sqrt(model.config.d_head)), ("k", k), ("v", v)):
            tensors[f"h.{layer}.attn.attention.{name}_proj.weight"] = tensor
    return tensors


# ---- scores ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [False, True])
def test_scores_leave_the_trunk_as_it_is_without_them(tied: bool) -> None:
    plain = build(qwen3(300, 16, 2, 16, tie_embeddings=tied), 7)
    scored = build(qwen3(300, 16, 2, 16, tie_embeddings=tied, scores=3), 7)
    tokens = torch.arange(24).view(2, 12)
    assert torch.equal(plain(tokens), scored(tokens))
    assert scored.scored(scored.hidden(tokens)).shape == (2, 12, 3)
    assert scored.config.n_params == sum(p.numel() for p in scored.parameters()) == plain.config.n_params + 3 * 17


def test_a_copy_with_scores_has_the_models_weights_and_its_own_scores() -> None:
    model = build(qwen3(300, 16, 2, 16), 7)
    one, same, other = (with_scores(model, 1, seed) for seed in (0, 0, 1))
    tokens = torch.arange(12)[None]
    assert torch.equal(one(tokens), model(tokens)) and one.embed.weight is not model.embed.weight
    assert one.score is not None and same.score is not None and other.score is not None
    assert torch.equal(one.score.weight, same.score.weight) and not torch.equal(one.score.weight, other.score.weight)
    assert float(one.score.weight.detach().std()) == pytest.approx(17**-0.5, rel=0.5) and not one.score.bias.any()


def test_without_scores_there_is_nothing_to_read() -> None:
    model = build(qwen3(300, 16, 1, 16), 0)
    with pytest.raises(ConfigError, match="no scores"):
        model.scored(torch.zeros(1, 16))
