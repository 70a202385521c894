"""Likelihoods of runs and Hugging Face directories: beside their definition, each other, and lm_eval's division."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import ConfigError, DataError, RunError
from presage.data.verbs import Continuation, Decoding, Generation, Likelihood
from presage.evaluate.likelihood import Judge
from presage.infer.asking import Asking
from presage.infer.directories import Settings, open_hf, open_run
from presage.infer.local import LocalModel
from presage.infer.own import OwnEngine
from presage.infer.text import ForeignText
from presage.model.transformer import Transformer
from presage.model.windows import windows
from tests.infer.conftest import CONTEXT, TEXTS
from tests.model.shapes import TEXT

QUESTION = "The cat sat on the mat. The"
REQUESTS = [
    Continuation(QUESTION, " dog sat"),
    Continuation(QUESTION, " cat"),
    Continuation(QUESTION + " ", "cat"),
    Continuation("The do", "g sat"),  # merges into its prompt
    Continuation("", "The dog sat on the log."),
    Continuation("  \n", "The dog"),
    Continuation("Größe", " 中文"),
    Continuation(QUESTION, ""),
    Continuation(TEXT * 2, " The log."),  # longer than the context
    Continuation("The dog", TEXT * 2),  # the text alone is longer than it
    Continuation(TEXT, TEXT),
]


def transformer(model: LocalModel) -> Transformer:
    assert isinstance(model.engine, OwnEngine)
    return model.engine.model


def defined(model: LocalModel, head: list[int], tail: list[int]) -> tuple[float, bool]:
    """log P of the tail by single forward passes, and whether it is greedy; the prompt cut to what fits."""
    row = [*head, *tail][-(CONTEXT + 1) :]
    with torch.no_grad():
        logits = transformer(model)(torch.tensor([row[:-1]]))[0, -len(tail) :].double()
    values = logits.log_softmax(-1)[range(len(tail)), tail]
    return float(values.sum()), logits.argmax(-1).tolist() == tail


def assert_equal(found: list[Likelihood], expected: list[Likelihood]) -> None:
    assert [(one.tokens, one.greedy, one.truncated) for one in found] == [
        (one.tokens, one.greedy, one.truncated) for one in expected
    ]
    assert [one.logprob for one in found] == pytest.approx([one.logprob for one in expected], abs=1e-4)


def test_likelihoods_are_those_of_single_forward_passes(model: LocalModel) -> None:
    ids = model.asking.text.bare
    eot = model.asking.text.begin
    assert eot is not None
    for request, found in zip(REQUESTS, model.loglikelihood(REQUESTS), strict=True):
        prompt = request.prompt.rstrip()
        head, whole = ids([prompt, prompt + request.prompt[len(prompt) :] + request.text])
        tail = whole[len(head) :] or ids([request.text])[0]
        assert found.tokens == len(tail)
        if 0 < len(tail) <= CONTEXT:
            logprob, greedy = defined(model, [eot, *head], tail)
            assert (found.logprob, found.greedy) == (pytest.approx(logprob, abs=1e-4), greedy)
            assert found.truncated == max(0, 1 + len(head) + len(tail) - CONTEXT - 1)


def test_half_a_letter_is_refused(model: LocalModel, hf: LocalModel) -> None:
    for one in (model, hf):
        with pytest.raises(DataError, match="half a surrogate pair"):
            one.loglikelihood([Continuation("a", "b"), Continuation("a\ud800", "b")])
        with pytest.raises(DataError, match="half a surrogate pair"):
            one.rolling_loglikelihood(["\udc00"])


def test_an_empty_text_is_certain(model: LocalModel) -> None:
    assert model.loglikelihood([Continuation("The", "")]) == [Likelihood(0.0, 0, True)]
    assert model.rolling_loglikelihood([""]) == [Likelihood(0.0, 0, True)]
    assert model.loglikelihood([]) == [] and model.rolling_loglikelihood([]) == []


def test_a_text_longer_than_the_context_is_scored_whole(model: LocalModel) -> None:
    long = TEXT * 4
    (found,) = model.loglikelihood([Continuation("", long)])
    assert found.tokens == len(model.asking.text.bare([long])[0]) > 2 * CONTEXT
    assert found.truncated == 0
    bits = Judge(transformer(model), model.asking.text.tokenizer).bits_per_byte([long])[0]  # type: ignore[attr-defined]
    assert found.logprob == pytest.approx(-bits * math.log(2) * len(long.encode()), rel=1e-6)
    assert_equal(model.rolling_loglikelihood([long]), [found])
    (given_a_prompt,) = model.loglikelihood([Continuation(TEXT, long)])
    assert given_a_prompt.tokens == len(model.asking.text.bare([long])[0])
    assert given_a_prompt.truncated == 1 + len(model.asking.text.bare([TEXT.rstrip()])[0]) - CONTEXT // 2


def test_a_run_and_its_export_say_the_same(model: LocalModel, hf_folder: Path) -> None:
    other = open_hf(str(hf_folder), Settings(begin=True))
    written = [*REQUESTS, Continuation("<|endoftext|> is text", " <|endoftext|>")]
    assert other.loglikelihood(written) == model.loglikelihood(written)
    assert other.rolling_loglikelihood([*TEXTS, "<|endoftext|>"]) == model.rolling_loglikelihood(
        [*TEXTS, "<|endoftext|>"]
    )
    assert open_run(model_path(hf_folder), Settings(begin=False)).loglikelihood(REQUESTS) != model.loglikelihood(
        REQUESTS
    )


def model_path(hf_folder: Path) -> str:
    return str(hf_folder.parent / "target")


def test_transformers_computes_the_same(hf: LocalModel, hf_folder: Path) -> None:
    pytest.importorskip("transformers")
    theirs = open_hf(str(hf_folder), Settings(engine="transformers", batch_size=3))
    assert str(theirs.identity()["engine"]).startswith("transformers ")
    assert_equal(theirs.loglikelihood(REQUESTS), hf.loglikelihood(REQUESTS))
    assert_equal(theirs.rolling_loglikelihood(TEXTS), hf.rolling_loglikelihood(TEXTS))


def test_batches_change_nothing(hf: LocalModel, hf_folder: Path) -> None:
    for settings in (Settings(batch_size=1), Settings(batch_tokens=1), Settings(batch_size=2, batch_tokens=100)):
        assert_equal(open_hf(str(hf_folder), settings).loglikelihood(REQUESTS), hf.loglikelihood(REQUESTS))


def test_identity(model: LocalModel, hf: LocalModel) -> None:
    expected = {"backend": "run", "engine": "presage", "name": "target", "dtype": "float32", "step": 7, "begin": True}
    assert model.identity().items() >= expected.items()
    assert model.identity().items() >= {"context_length": CONTEXT, "stride": CONTEXT // 2}.items()
    assert hf.identity().items() >= {"backend": "hf", "begin": False, "stride": CONTEXT, "name": "hf:exported"}.items()
    assert model.identity()["tokenizer"] == hf.identity()["tokenizer"]
    assert all(len(str(one.identity()[what])) == 64 for one in (model, hf) for what in ("weights", "config"))
    assert (model.name, model.has_likelihood) == ("target", True)


# ---- as lm-evaluation-harness divides texts -------------------------------------------------------------------------


class Peer:
    """The parts of lm_eval's model that divide requests, over transformers' reader of the same tokenizer."""

    backend = "causal"

    def __init__(self, folder: Path) -> None:
        auto = pytest.importorskip("transformers")
        self.tokenizer = auto.AutoTokenizer.from_pretrained(folder, local_files_only=True)

    def tok_encode(self, text: str, **options: Any) -> list[int]:
        ids: list[int] = self.tokenizer.encode(text, **options)
        return ids


@given(
    prompt=st.text("The catdo. \n中ß", min_size=1, max_size=12),
    text=st.text("The catdo. \n中ß", min_size=1, max_size=9),
)
def test_requests_are_divided_as_by_lm_eval(hf: LocalModel, hf_folder: Path, prompt: str, text: str) -> None:
    api = pytest.importorskip("lm_eval.api.model")
    if not prompt.strip():
        return  # it refuses these
    head, tail = api.TemplateLM._encode_pair(_peer(hf_folder), prompt, text)
    (found,) = hf.asking.continuations([Continuation(prompt, text)])
    if tail:  # it fails on a text that merges into its prompt
        assert found.pairs == [(head, tail)]


PEERS: dict[Path, Peer] = {}


def _peer(folder: Path) -> Peer:
    return PEERS.setdefault(folder, Peer(folder))


@given(st.integers(1, 90), st.integers(1, 20))
def test_windows_of_a_whole_context_are_lm_evals(length: int, context: int) -> None:
    utils = pytest.importorskip("lm_eval.utils")
    row = list(range(length + 1))
    expected = [
        utils.make_disjoint_window(window)
        for window in utils.get_rolling_token_windows(row[1:], prefix_token=0, max_seq_len=context, context_len=1)
    ]
    found = [(row[a : b - new], row[b - new : b]) for a, b, new in windows(length + 1, context, stride=context)]
    assert found == expected


def test_a_tokenizer_that_opens_its_texts(hf_folder: Path, tmp_path: Path) -> None:
    """As Llama's: what it puts before a text is there once, in a prompt as before an empty one."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(hf_folder / "tokenizer.json"))
    eot = tokenizer.token_to_id("<|endoftext|>")
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", eot)]
    )
    for file in hf_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    text = ForeignText.load(tmp_path, literal=False)
    asking = Asking(text, False, CONTEXT, CONTEXT)
    bare = text.bare(["The", " cat"])
    asked = ["The", "", "<|endoftext|>The"]
    found = [one.pairs[0] for one in asking.continuations([Continuation(prompt, " cat") for prompt in asked])]
    assert found == [([eot, *bare[0]], bare[1]), ([eot], bare[1]), ([eot, *bare[0]], bare[1])]
    once = Asking(ForeignText.load(tmp_path, literal=True), True, CONTEXT, CONTEXT)
    assert once.continuations([Continuation("The", " cat")])[0].pairs == [([eot, *bare[0]], bare[1])]
    assert asking.prompts(["The"], 5) == once.prompts(["The"], 5) == [([eot, *bare[0]], 0)]


def test_long_texts_are_in_windows_that_touch(hf: LocalModel) -> None:
    (asked,) = hf.asking.documents([TEXT * 4])
    assert len(asked.pairs) > 2
    for (_, before), (head, _) in pairwise(asked.pairs[:-1]):
        assert head == before[-1:]


def test_a_tokenizer_that_closes_its_texts(hf_folder: Path, tmp_path: Path) -> None:
    """As T5's: what it puts behind a prompt is no part of it, nor of what is asked about."""
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(hf_folder / "tokenizer.json"))
    eot = tokenizer.token_to_id("<|endoftext|>")
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", eot)]
    )
    for file in hf_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    text = ForeignText.load(tmp_path, literal=False)
    asking = Asking(text, False, CONTEXT, CONTEXT)
    head, tail = text.bare(["The", " cat"])
    assert asking.continuations([Continuation("The", " cat")])[0].pairs == [(head, tail)]
    assert asking.prompts(["The"], 5) == [(head, 0)]


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_weights_that_are_no_numbers_are_said_in_a_line(run_folder: Path, temperature: float) -> None:
    broken = open_run(str(run_folder), Settings())
    with torch.no_grad():
        transformer(broken).embed.weight.fill_(float("nan"))
    says = "gives no finite log-probabilities"
    with pytest.raises(RunError, match=f"target: {says}"):
        broken.loglikelihood([Continuation("The", " cat")])
    with pytest.raises(RunError, match=says):
        broken.generate([Generation("The", Decoding(4, temperature=temperature))])


def test_a_stride_beyond_the_context_is_refused(run_folder: Path) -> None:
    assert open_run(str(run_folder), Settings(stride=CONTEXT)).asking.stride == CONTEXT
    with pytest.raises(ConfigError, match=f"stride: {CONTEXT + 1} is more than the context of {CONTEXT}"):
        open_run(str(run_folder), Settings(stride=CONTEXT + 1))
