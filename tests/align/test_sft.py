"""SFT: what is learned and what is not, resume to the bit, low rank, text mixed in, bad input in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from presage.align import sft
from presage.core.errors import DataError, PresageError
from presage.core.run import RunDir
from presage.data.verbs import Decoding, Generation, Message
from presage.infer.opening import open_model
from presage.model.lora import Lora, LoraLinear, adapt, merged
from presage.model.transformer import Transformer, build
from presage.model.weights import filled, load_run, model_tensors
from tests.align.small import ANSWERS, CONTEXT, make_base, sft_config
from tests.tiny import newest_checkpoint, outcome, tiny_model, weights


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


def answer(run: Path, prompt: str) -> str:
    request = Generation((Message("user", prompt),), Decoding(max_tokens=12))
    ((found,),) = open_model(str(run)).generate([request])
    return found.text


def test_it_answers_as_it_was_shown(base: Path, tmp_path: Path) -> None:
    run = sft.run(sft_config(base, tmp_path, epochs=40.0), tmp_path / "run")
    assert {key: answer(run.path, f"Say {key}") for key in ANSWERS} == ANSWERS
    assert run.value("val/loss") < 0.1 and run.value("too_long") == 0
    samples = list(run.rows("samples.jsonl"))
    assert [row["completion"] for row in samples] == [row["shown"] for row in samples] and len(samples) == 8


def test_prompts_are_not_learned(base: Path, tmp_path: Path) -> None:
    """The loss of a user's words does not fall as that of the answers does."""
    run = sft.run(sft_config(base, tmp_path), tmp_path / "run")
    values = []
    for model, _ in (load_run(base), load_run(run.path)):
        with torch.no_grad():
            ids = torch.tensor([[260, 85, 115, 101, 114, 58, 32, 83]]) % 300
            logp = model(ids[:, :-1]).log_softmax(-1).gather(-1, ids[:, 1:, None])
        values.append(-float(logp.mean()))
    assert values[1] > values[0] - 0.5


def test_resumed_it_is_the_same_to_the_bit(base: Path, tmp_path: Path) -> None:
    settings = sft_config(base, tmp_path, epochs=8.0, checkpoint_every=8 * CONTEXT)
    whole = sft.run(settings, tmp_path / "whole")
    broken = tmp_path / "broken"
    sft.run(settings, broken)
    for name in ("DONE", "result.json"):
        (broken / name).unlink()
    newest = sorted((broken / "checkpoints").iterdir())[-1]
    (newest / "MANIFEST").unlink()  # a kill before the last checkpoint was whole
    again = sft.run(settings, broken, resume=True)
    assert outcome(again.path) == outcome(whole.path)
    assert weights(again.path) == weights(whole.path)


def test_only_the_products_are_trained_and_a_run_opens_merged(base: Path, tmp_path: Path) -> None:
    run = sft.run(sft_config(base, tmp_path, epochs=40.0, lora={"rank": 8, "alpha": 32.0}), tmp_path / "run")
    before, _ = load_run(base)
    kept = load_file(newest_checkpoint(run.path) / "model.safetensors")
    for name, tensor in model_tensors(before).items():
        assert torch.equal(kept[name], tensor), name
    assert any(name.endswith("lora_b") and bool(t.any()) for name, t in kept.items())
    after, _ = load_run(run.path)
    assert type(after) is Transformer and not torch.equal(
        after.blocks[0].mlp.down.weight, kept["blocks.0.mlp.down.weight"]
    )
    assert answer(run.path, "Say two").startswith(ANSWERS["two"])  # a frozen head hardly learns where to end


def test_low_rank_changes_nothing_at_first_and_merges_to_what_it_computed() -> None:
    model, tokens = build(tiny_model(tie_embeddings=True), 0), torch.arange(12)[None]
    plain, lora = model(tokens), Lora(rank=2, alpha=6.0)
    adapt(model, lora, 0)
    assert torch.equal(model(tokens), plain)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, LoraLinear):
                module.lora_b.normal_()
    one = filled(model.config, merged(model_tensors(model), lora))
    assert torch.allclose(one(tokens), model(tokens), atol=1e-5) and not torch.allclose(one(tokens), plain, atol=1e-2)


def test_text_is_mixed_in_at_its_share_wherever_a_batch_begins(base: Path, tmp_path: Path) -> None:
    settings = sft_config(base, tmp_path, pretraining_share=0.3, shards=base.parent / "shards")
    packed = sft.pack([([1, 2, 3], [True] * 3)] * 10, CONTEXT).rows
    vocabulary = load_run(base)[1]
    mixture = sft._Mixture(settings, packed, CONTEXT, torch.device("cpu"), vocabulary)
    whole = mixture.rows(0, 40)
    windows = [row for row in range(40) if bool((whole.text[row] == 1).all())]
    assert len(windows) == 12
    parts = [mixture.rows(first, 8) for first in range(0, 40, 8)]
    assert sum(int((part.text == 1).all(1).sum()) for part in parts) == 12
    assert sorted(map(tuple, torch.cat([p.read for p in parts]).tolist())) == sorted(map(tuple, whole.read.tolist()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"context_length": 4}, "no demonstration fits 4 tokens"),
        ({"context_length": CONTEXT + 1}, "49 tokens, and the model was trained on 48 at most"),
        ({"pretraining_share": 0.5}, "no shards to take it from"),
        ({"template": "other"}, "template"),
    ],
)
def test_bad_input_in_one_line(base: Path, tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(PresageError, match=said):
        sft.run(sft_config(base, tmp_path, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_damaged_line_is_named(base: Path, tmp_path: Path) -> None:
    settings = sft_config(base, tmp_path)
    settings.data[0].write_text('{"messages": []}\n')
    with pytest.raises(DataError, match="no message") as caught:
        sft.run(settings, tmp_path / "run")
    assert "demonstrations.jsonl:1" in str(caught.value)


def test_the_tokenizer_travels_with_the_run(base: Path, tmp_path: Path) -> None:
    run = sft.run(sft_config(base, tmp_path, epochs=1.0), tmp_path / "run")
    assert RunDir.open(run.path).config(sft.Config).model == load_run(base)[0].config
    assert (run.path / "artifacts" / "tokenizer.json").is_file()
