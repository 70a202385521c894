"""Bits per byte beside its twin: one text at a time, window by window, the definition."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from presage import cli
from presage.core.errors import DataError
from presage.data.bpe import Tokenizer
from presage.evaluate.likelihood import Judge, token_nats
from presage.evaluate.paired import mean, paired
from presage.model.config import qwen3
from presage.model.transformer import Transformer, build
from presage.model.windows import windows

CONTEXT = 16
TEXTS = ["a", "Größe 中文", "a ladder of small runs " * 20, "x", "one law holds from rung to rung " * 3, "ü" * 40]


@pytest.fixture(scope="module")
def judge() -> Judge:
    tokenizer = Tokenizer.train(TEXTS, 280, "gpt2", ("<|endoftext|>",))
    model = build(qwen3(280, CONTEXT, n_layers=2, d_model=32, n_heads=2, n_kv_heads=1, d_head=16), seed=3)
    torch.nn.init.normal_(model.head.weight, std=0.3, generator=torch.Generator().manual_seed(0))  # not uniform
    return Judge(model, tokenizer)


def slow_nats(model: Transformer, tokens: list[int], head: int = 1) -> list[float]:
    """-log P of each token after the head: alone, from the whole context, or half of one and up, before it."""
    found = []
    for place in range(head, len(tokens)):
        beyond = max(0, place - CONTEXT)
        half = CONTEXT // 2
        first = math.ceil(beyond / half) * half
        first = min(first, len(tokens) - CONTEXT - 1) if first else 0  # the last window ends with the text
        with torch.no_grad():
            logits = model(torch.tensor([tokens[first:place]]))[0, -1]
        found.append(-float(logits.double().log_softmax(0)[tokens[place]]))
    return found


@pytest.mark.parametrize("batch_tokens", [1, 64, 8192])
def test_batched_windows_equal_one_token_at_a_time(judge: Judge, batch_tokens: int) -> None:
    rows = [[judge.tokenizer.eot, *judge.tokenizer.encode(text)] for text in TEXTS]
    assert max(map(len, rows)) > 3 * CONTEXT
    fast = token_nats(judge.model, rows, batch_tokens=batch_tokens)
    for row, nats in zip(rows, fast, strict=True):
        assert nats.tolist() == pytest.approx(slow_nats(judge.model, row), abs=2e-5)


def test_bits_per_byte_are_of_utf8_bytes(judge: Judge) -> None:
    for text, found in zip(TEXTS, judge.bits_per_byte(TEXTS), strict=True):
        nats = sum(slow_nats(judge.model, [judge.tokenizer.eot, *judge.tokenizer.encode(text)]))
        assert found == pytest.approx(nats / math.log(2) / len(text.encode()), rel=1e-5)


def test_a_continuation_counts_alone(judge: Judge) -> None:
    prompt, text = TEXTS[2], " rung to rung"
    head = [judge.tokenizer.eot, *judge.tokenizer.encode(prompt)]
    nats = slow_nats(judge.model, head + judge.tokenizer.encode(text), len(head))
    (found,) = judge.continuations([(prompt, text)])
    assert found == pytest.approx(sum(nats) / math.log(2) / len(text), rel=1e-5)
    with pytest.raises(DataError, match="an empty text has no bits per byte"):
        judge.bits_per_byte(["a", ""])


@given(st.integers(2, 200), st.integers(1, 20))
def test_windows_score_each_token_once_with_half_a_context(length: int, context: int) -> None:
    scored: list[int] = []
    for first, end, new in windows(length, context):
        assert 2 <= end - first <= context + 1
        assert end - new - first >= min(end - new, (context + 1) // 2)
        scored += range(end - new, end)
    assert scored == list(range(1, length))


def test_paired_differences_cancel_what_items_differ_in() -> None:
    before, after = [1.0, 5.0, 9.0], [2.0, 6.0, 10.5]
    assert mean(before).stderr == pytest.approx(4 / math.sqrt(3))
    gap = paired(before, after)
    assert gap.value == pytest.approx(3.5 / 3)
    assert gap.stderr == pytest.approx(math.sqrt(1 / 12) / math.sqrt(3))
    assert (mean([]).value, mean([1.0]).stderr) == (None, None)
    assert gap.minus(gap).stderr == pytest.approx(math.sqrt(2 / 12) / math.sqrt(3))
    assert gap.minus(mean([])).value is None


def test_the_verb_writes_a_score_for_every_item(stem: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    items = tmp_path / "items.jsonl"
    items.write_text('{"id": "a", "text": "One law holds."}\n{"id": "b", "text": "From rung to rung."}\n')
    call = ["likelihood", "--items", str(items), "--run", str(stem)]
    assert cli.main(call) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    judge = Judge.of_run(stem)
    assert [row["id"] for row in rows] == ["a", "b"]
    assert [row["score"] for row in rows] == judge.bits_per_byte(["One law holds.", "From rung to rung."])
    assert cli.main([*call, "--out", str(tmp_path / "scores.jsonl")]) == 0
    assert [json.loads(line) for line in (tmp_path / "scores.jsonl").read_text().splitlines()] == rows
    capsys.readouterr()
    assert cli.main([*call, "--out", str(tmp_path / "scores.jsonl")]) == 2
    assert cli.main(["likelihood", "--items", str(items), "--run", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 2
