"""Fewer bits: near the model, exact in company, and refused by nothing that decodes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from presage.infer.engine.asks import Ask, Draw
from presage.infer.engine.batcher import Batcher
from presage.infer.engine.lighter import Int8Linear, Weights, least_rows, lighter
from tests.infer.engine.test_batcher import SHAPES, answers, ids, model, prompts


def test_int8_is_rounded_and_summed_as_told() -> None:
    torch.manual_seed(0)
    linear, x = nn.Linear(40, 24).requires_grad_(False), torch.randn(2, 5, 40)
    found = Int8Linear(linear)(x)
    weights = (linear.weight / (linear.weight.abs().amax(1, keepdim=True) / 127)).round().double()
    values = (x / (x.abs().amax(-1, keepdim=True) / 127)).round().double()
    sums = values @ weights.T
    twin = sums * (x.abs().amax(-1, keepdim=True) / 127) * (linear.weight.abs().amax(1) / 127) + linear.bias
    assert torch.allclose(found.double(), twin, atol=1e-5)
    assert float((found - linear(x)).norm() / linear(x).norm()) < 0.02
    assert torch.equal(Int8Linear(linear)(torch.zeros(3, 40)), linear.bias.expand(3, 24))


@pytest.mark.parametrize("weights", ["bf16", "int8"])
@pytest.mark.parametrize("name", ["rope, grouped", "tied", "learned, banded"])
def test_a_lighter_model_is_near_and_leaves_the_other_alone(name: str, weights: Weights) -> None:
    one, tokens = model(name), torch.arange(60)[None]
    before = {key: value.clone() for key, value in one.state_dict().items()}
    with torch.no_grad():
        exact, light = one(tokens), lighter(one, weights)(tokens)
    assert 1e-4 < float((exact - light).norm() / exact.norm()) < 0.06
    assert all(torch.equal(before[key], value) for key, value in one.state_dict().items())


@pytest.mark.parametrize("name", SHAPES)
def test_f32_is_the_same_model(name: str) -> None:
    one, tokens = model(name), torch.arange(60)[None]
    with torch.no_grad():
        assert torch.allclose(one(tokens), lighter(one, "f32")(tokens), atol=1e-4)


def test_from_how_many_rows_on_bits_are_the_same_is_measured() -> None:
    class Odd(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x).round() + (len(x) < 7)  # whole numbers, which no order of sums changes

    one = model()
    one.head = Odd(one.head.in_features, one.head.out_features)
    assert least_rows(one)[0] >= 7
    for weights in ("f32", "int8"):
        light = lighter(model(), weights)
        least, few = least_rows(light)
        assert 2 <= few <= least
        x = torch.randn(40, model().config.d_model, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            assert all(torch.equal(light.head(x[:n]), light.head(x)[:n]) for n in range(least, 40))


@pytest.mark.parametrize("weights", ["f32", "int8"])
def test_in_company_it_is_the_same_to_the_bit(weights: Weights) -> None:
    light = lighter(model(), weights)
    asks = [Ask(p, 15, Draw(0.0)) for p in prompts(12, seed=4)]
    alone = [answers(Batcher(light, rows=1, kept=0, steady=True), [ask])[0] for ask in asks]
    together = answers(Batcher(light, rows=7, steady=True), asks)
    assert [[e.logprob for e in events] for events in alone] == [[e.logprob for e in events] for events in together]
    assert [ids(events) for events in alone] == [ids(events) for events in together]
