"""A model that is served in fewer bits: opened so, answering, and told with its own number of parameters."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import torch

from presage.data.bpe import Tokenizer
from presage.infer.engine.lighter import BFloat16Linear, FloatLinear, Int8Linear, Weights
from presage.infer.opening import opened
from presage.model.config import qwen3
from presage.serve.page.facts import facts
from presage.serve.served import Served
from tests.model.shapes import lively, make_run
from tests.serve.house import TEXT, client, house

KINDS: dict[Weights, type] = {"f32": FloatLinear, "bf16": BFloat16Linear, "int8": Int8Linear}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tokenizer = Tokenizer.train([TEXT * 4], 300)
    (folder / "tokenizer.json").write_text(tokenizer.to_json())
    shape = qwen3(tokenizer.n_vocab, 256, 2, 32, n_heads=2, n_kv_heads=2, d_head=16)
    return make_run(folder / "run", lively(shape), folder / "tokenizer.json")


async def _answered(one: Served) -> str:
    with house(model=one) as home:
        async with client(home) as ask:
            found = await ask.completions.create(model=one.id, prompt="a ladder", max_tokens=12, temperature=0)
    return str(found.choices[0].text)


@pytest.mark.parametrize("weights", KINDS)
def test_it_is_opened_in_fewer_bits_and_answers(weights: Weights, run: Path) -> None:
    one = Served.open(str(run), weights=weights)
    assert isinstance(one.model.head, KINDS[weights])
    assert isinstance(one.model.blocks[1].mlp.down, KINDS[weights])
    assert asyncio.run(_answered(one))
    told = dict(facts(one.id, one.model, one.asking, run)["facts"])
    plain = opened(str(run))
    assert told["Parameters"] == dict(facts("a", plain.engine.model, one.asking, run)["facts"])["Parameters"]  # type: ignore[attr-defined]
    with torch.no_grad():
        tokens = torch.arange(40)[None]
        assert torch.allclose(one.model(tokens), plain.engine.model(tokens), atol=1.5)  # type: ignore[attr-defined]
