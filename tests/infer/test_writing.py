"""Completions: stops in the text, log-probabilities, samples and seeds, beams, conversations."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from presage.core.errors import ConfigError, DataError
from presage.data.chat import transcript
from presage.data.verbs import Completion, Continuation, Decoding, Generation, Message
from presage.infer.directories import Settings, open_hf, open_run
from presage.infer.local import LocalModel
from presage.infer.stops import Stops
from tests.infer.conftest import CONTEXT
from tests.infer.test_models import transformer
from tests.model.shapes import TEXT

PROMPTS = ["The cat", "The dog sat", "", "Größe 中", "The cat", TEXT]
GREEDY = Decoding(max_tokens=12)
DRAWN = Decoding(max_tokens=12, temperature=0.8, top_k=50, top_p=0.95, samples=3)


def asked(decoding: Decoding) -> list[Generation]:
    return [Generation(prompt, decoding, seed) for seed, prompt in enumerate(PROMPTS)]


def same(one: Completion, other: Completion) -> bool:
    close = one.logprob == pytest.approx(other.logprob, abs=1e-4)
    return close and replace(one, logprob=0.0) == replace(other, logprob=0.0)


def written(model: LocalModel, request: Generation) -> list[int]:
    """Greedy ids by full forward passes."""
    ((start, _),) = model.asking.prompts([str(request.prompt)], request.decoding.max_tokens)
    ids = list(start)
    while len(ids) < len(start) + request.decoding.max_tokens:
        with torch.no_grad():
            ids.append(int(transformer(model)(torch.tensor([ids]))[0, -1].argmax()))
    return ids[len(start) :]


def test_greedy_is_that_of_full_forward_passes_and_its_logprob_the_models(model: LocalModel) -> None:
    for request, (found,) in zip(asked(GREEDY), model.generate(asked(GREEDY)), strict=True):
        ids = written(model, request)
        end = model.asking.text.begin
        ids = ids[: ids.index(end) + 1] if end in ids else ids
        assert found.text == model.asking.text.decode(ids)
        assert (found.tokens, found.finish) == (len(ids), "stop" if end in ids else "length")
        ((start, truncated),) = model.asking.prompts([str(request.prompt)], 12)
        ((values, best),) = model.engine.score([(start, ids)])
        assert found.logprob == pytest.approx(float(values.sum()), abs=1e-4)
        assert best.all() and found.truncated == truncated


def test_the_prompt_is_cut_from_the_left_and_counted(model: LocalModel) -> None:
    length = 1 + len(model.asking.text.bare([TEXT])[0])
    for new, room in ((12, CONTEXT - 12), (CONTEXT, CONTEXT // 2), (3 * CONTEXT, CONTEXT // 2)):
        ((found,),) = model.generate([Generation(TEXT, Decoding(max_tokens=new))])
        assert found.truncated == length - room
        assert found.tokens == new or found.finish == "stop"


@pytest.mark.parametrize("decoding", [GREEDY, DRAWN, Decoding(max_tokens=9, beams=3)], ids=["greedy", "drawn", "beams"])
def test_alone_or_in_any_batch_the_text_is_the_same(model: LocalModel, run_folder: Path, decoding: Decoding) -> None:
    together = model.generate(asked(decoding))
    alone = [model.generate([request])[0] for request in asked(decoding)]
    small = open_run(str(run_folder), Settings(batch_size=2)).generate(asked(decoding)[::-1])[::-1]
    for some in zip(together, alone, small, strict=True):
        assert len(some[0]) == decoding.samples
        for one, other, third in zip(*some, strict=True):
            assert same(one, other) and same(one, third)


def test_samples_and_seeds(model: LocalModel) -> None:
    (three,) = model.generate([Generation("The cat", DRAWN, 5)])
    assert len({one.text for one in three}) == 3
    assert all(same(*pair) for pair in zip(three, model.generate([Generation("The cat", DRAWN, 5)])[0], strict=True))
    (five,) = model.generate([Generation("The cat", replace(DRAWN, samples=5), 5)])
    assert all(same(*pair) for pair in zip(three, five, strict=False))
    (others,) = model.generate([Generation("The cat", DRAWN, 6)])
    assert {one.text for one in others}.isdisjoint(one.text for one in three)
    (greedy,) = model.generate([Generation("The cat", replace(GREEDY, samples=2))])
    assert greedy[0] == greedy[1]


def test_the_logprob_is_untempered(model: LocalModel) -> None:
    request = Generation("The cat", Decoding(max_tokens=6, temperature=0.3, top_k=3), 2)
    ((found,),) = model.generate([request])
    assert found.logprob is not None and found.tokens == 6
    text = found.text
    if model.asking.text.bare([text])[0] and "\ufffd" not in text:
        (scored,) = model.loglikelihood([Continuation("The cat", text)])
        assert scored.tokens != 6 or scored.logprob == pytest.approx(found.logprob, abs=1e-4)


# ---- stops ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoding", [replace(GREEDY, max_tokens=20), replace(DRAWN, max_tokens=20)])
def test_a_text_ends_before_the_first_stop(model: LocalModel, decoding: Decoding) -> None:
    free = model.generate(asked(decoding))
    for request, texts in zip(asked(decoding), free, strict=True):
        for number, text in enumerate(texts):
            stop = text.text[4:7]
            if not stop or "\ufffd" in stop:
                continue
            wanted = replace(decoding, stops=("never said", stop))
            found = model.generate([replace(request, decoding=wanted)])[0][number]
            assert found.text == text.text[: text.text.index(stop)]
            assert found.finish == "stop"
            assert found.tokens is not None and text.tokens is not None and found.tokens <= text.tokens


def pieces_of(model: LocalModel, text: str) -> list[int]:
    """Its bytes, one a token: the letters of a stop lie in several."""
    ranks = model.asking.text.tokenizer.ranks  # type: ignore[attr-defined]
    return [ranks[bytes([byte])] for byte in text.encode()]


@pytest.mark.parametrize(("text", "stop"), [("ab中文cd", "文"), ("one\n\ntwo", "\n\n"), ("xÅngy", "Å"), ("aab", "ab")])
def test_a_stop_is_seen_with_its_last_byte(model: LocalModel, text: str, stop: str) -> None:
    stops = Stops((stop,), model.asking.text.decode)
    ids = pieces_of(model, text * 4)
    first = next(count for count in range(1, len(ids) + 1) if stops.over(ids[:count]))
    assert first == len(text[: text.index(stop) + len(stop)].encode())
    assert stops.cut(ids[:first]) == (text[: text.index(stop)], True)
    assert stops.cut(pieces_of(model, "zz")) == ("zz", False)


def test_stops_far_into_a_text_are_seen(model: LocalModel) -> None:
    stops = Stops(("END", "中文"), model.asking.text.decode)
    ids = pieces_of(model, "x" * 300 + "中文" + "END")
    assert not any(stops.over(ids[:count]) for count in range(1, 306))
    assert stops.over(ids[:306])


# ---- the other engines, beams, conversations ------------------------------------------------------------------------


@pytest.mark.parametrize("decoding", [GREEDY, DRAWN, Decoding(max_tokens=9, beams=3), Decoding(max_tokens=70)])
def test_transformers_writes_the_same(hf: LocalModel, hf_folder: Path, decoding: Decoding) -> None:
    pytest.importorskip("transformers")
    theirs = open_hf(str(hf_folder), Settings(engine="transformers"))
    requests = asked(decoding)[:4]
    for ours, others in zip(hf.generate(requests), theirs.generate(requests), strict=True):
        assert len(ours) == len(others) and all(same(*pair) for pair in zip(ours, others, strict=True))


def test_beams_find_a_likelier_text(model: LocalModel) -> None:
    requests = [Generation(prompt, Decoding(max_tokens=8, beams=8, length_penalty=0.0)) for prompt in PROMPTS[:4]]
    plain = model.generate(asked(replace(GREEDY, max_tokens=8))[:4])
    for (beam,), (greedy,) in zip(model.generate(requests), plain, strict=True):
        assert beam.logprob is not None and greedy.logprob is not None
        assert beam.logprob >= greedy.logprob - 1e-6


def test_a_conversation_is_a_transcript_that_ends_at_the_next_turn(model: LocalModel) -> None:
    talk = (Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "?"))
    text = "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello\n\nUser: ?\n\nAssistant:"
    assert transcript(talk) == text
    assert transcript(talk[:3]) == "System: Be brief.\n\nUser: Hi\n\nAssistant: Hello"
    found, expected = model.generate([Generation(talk, GREEDY, 3), Generation(text, GREEDY, 3)])
    assert found == expected
    for wrong, message in (((), "without messages"), ((Message("usr", "x"),), "no role 'usr'.*did you mean 'user'")):
        with pytest.raises(DataError, match=message):
            model.generate([Generation(wrong)])


@pytest.mark.parametrize(
    ("decoding", "message"),
    [
        (Decoding(max_tokens=0), "max_tokens 0"),
        (Decoding(samples=0), "samples 0"),
        (Decoding(beams=0), "beams 0"),
        (Decoding(beams=2, temperature=1.0), "beam search draws nothing"),
        (Decoding(beams=2, length_penalty=-1.0), "penalty -1.0"),
        (Decoding(temperature=-1.0), "temperature"),
        (Decoding(temperature=1.0, top_p=2.0), "top_p"),
        (Decoding(stops=("a", "")), "an empty stop"),
    ],
)
def test_bad_decodings(model: LocalModel, decoding: Decoding, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        model.generate([Generation("The", decoding)])
