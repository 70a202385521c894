"""GPT-1's tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import CorruptError
from presage.data.documents import read_bytes
from presage.data.gpt1 import GPT1Tokenizer, standardize, words


@pytest.fixture(scope="session")
def gpt1(shared: Path) -> GPT1Tokenizer:
    folder = shared / "tokenizer" / "gpt1_bpe"
    return GPT1Tokenizer.from_files(folder / "encoder_bpe_40000.json.xz", folder / "vocab_40000.bpe.xz")


def test_size_and_corners(gpt1: GPT1Tokenizer) -> None:
    assert gpt1.n_vocab == 40478
    assert gpt1.encode("\n") == [] and gpt1.encode("a\nb") == [*gpt1.encode("a"), 40477, *gpt1.encode("b")]
    assert gpt1.encode("世") == [0]
    assert gpt1.encode("Bachelorette") == [40476]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("I don't know—it's 3.14…", ["i", "do", "n't", "know", "-", "it", "'s", "3.14", "..."]),
        ("Wait!!! (really?)", ["wait", "!", "!", "!", "(", "really", "?", ")"]),
        ("He'll go.\n\n\tThey're gone.", ["he", "'ll", "go", ".", "\n", "they", "'re", "gone", "."]),
        ("can't, won't", ["ca", "n't", ",", "wo", "n't"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_standardize() -> None:
    assert standardize("a—b … c´s  (x)\n \n y") == "a - b ... c's ( x ) \n y"


def test_equal_to_transformers_on_plain_words(gpt1: GPT1Tokenizer, shared: Path) -> None:
    """Where its own splitting of words (BERT's) and ours agree."""
    transformers = pytest.importorskip("transformers", reason="transformers is an extra")
    lines = read_bytes(shared / "tokenizer" / "gpt1_bpe" / "vocab_40000.bpe.xz").decode().split("\n")
    merges = [tuple(line.split(" ")) for line in lines[1:] if line]
    theirs = transformers.OpenAIGPTTokenizer(vocab=gpt1.vocab, merges=merges)
    play = read_bytes(shared / "corpus" / "tinyshakespeare" / "input.txt.xz").decode()
    plain = "".join(c if c.isalpha() or c in " ,.;?" else " " for c in play[:20_000])
    assert gpt1.encode(plain) == theirs(plain)["input_ids"]


def test_decoding(gpt1: GPT1Tokenizer) -> None:
    text = "the quick brown fox jumped , and the cat did n't ."
    assert gpt1.decode(gpt1.encode(text)) == text


@given(text=st.text(max_size=50))
def test_any_text(gpt1: GPT1Tokenizer, text: str) -> None:
    assert all(0 <= i < gpt1.n_vocab for i in gpt1.encode(text))


def test_bad_files(tmp_path: Path) -> None:
    merges = tmp_path / "merges.bpe"
    merges.write_text("#version\na b\n")
    for content in ("{", json.dumps({"a": 1}), "[]"):
        (tmp_path / "encoder.json").write_text(content)
        with pytest.raises(CorruptError, match=r"encoder\.json: not a GPT-1 vocabulary"):
            GPT1Tokenizer.from_files(tmp_path / "encoder.json", merges)
