"""The tasks that count as lm-evaluation-harness does, against its own functions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from presage.tasks.library import find
from presage.tasks.library.harness_free import HarnessNumbers, pages, shown_to_model
from presage.tasks.methods.perplexity import bits_per_byte, byte_perplexity, word_perplexity
from presage.tasks.task import Example, Graded
from tests.imports import ROOT
from tests.tasks.asking import examine, writes

WIKITEXT = ROOT.parent / "shared" / "data" / "corpus" / "wikitext2_eval" / "test.txt.xz"
needs_wikitext = pytest.mark.skipif(not WIKITEXT.is_file(), reason="WikiText-2 is not here")
_PAGE = (
    " \n = A title = \n \n He 's said , \" so it is \" ; ( 1 @,@ 000 @.@ 5 kg ) [ x ] { y } the boys ' games ' end ' \n"
    " \n = = Part = = \n = = = Deep = = = \n 5 ° N of N . Why ? No ! a : b \n"
)


def test_a_page_is_shown_as_theirs() -> None:
    theirs = pytest.importorskip("lm_eval.tasks.wikitext.preprocess_wikitext")
    assert shown_to_model(_PAGE) == theirs.wikitext_detokenizer({"page": _PAGE})


@needs_wikitext
def test_real_pages_are_shown_and_counted_as_theirs(tmp_path: Path) -> None:
    theirs = pytest.importorskip("lm_eval.tasks.wikitext.preprocess_wikitext")
    metrics = pytest.importorskip("lm_eval.api.metrics")
    import lzma

    text = lzma.decompress(WIKITEXT.read_bytes()).decode()
    starts = [match.start() for match in re.finditer(r"(?m)^ = [^=].* = $", text)]
    originals = [text[a : b - 1] for a, b in zip(starts, [*starts[1:], len(text) + 1], strict=True)]
    examples = pages([WIKITEXT])
    assert len(examples) == len(originals) == 62
    results = []
    for number, (one, page) in enumerate(zip(examples, originals, strict=True)):
        assert one.question == theirs.wikitext_detokenizer({"page": page})
        results.append(theirs.process_results({"page": page}, [-3.5 * len(page) - number]))
        assert (one.fields["words"], one.fields["bytes"]) == (
            results[-1]["word_perplexity"][1],
            results[-1]["bits_per_byte"][1],
        )
    graded = [
        Graded({}, "", {"nats": 3.5 * len(page) + number, **dict(one.fields)})
        for number, (one, page) in enumerate(zip(examples, originals, strict=True))
    ]
    assert bits_per_byte("", graded) == pytest.approx(metrics.bits_per_byte([r["bits_per_byte"] for r in results]))
    weighted = metrics.weighted_perplexity
    assert word_perplexity("", graded) == pytest.approx(weighted([r["word_perplexity"] for r in results]))
    assert byte_perplexity("", graded) == pytest.approx(weighted([r["byte_perplexity"] for r in results]))


_WRITTEN = [
    " 2+2 = <<2+2=4>>4\n#### 4",
    " So $1,200.\n#### 1,200",
    " It is 1200.",
    " The answer: -3.5 dollars",
    "nothing",
    "#### 1200.",
    " cost $1,200 or so, 5",
    "",
]


@pytest.mark.parametrize("written", _WRITTEN)
@pytest.mark.parametrize("answer", ["x <<1=1>>1\n#### 1,200", "y\n#### 4", "z\n#### -3.5"])
def test_numbers_are_extracted_and_compared_as_theirs(written: str, answer: str) -> None:
    extraction = pytest.importorskip("lm_eval.filters.extraction")
    metrics = pytest.importorskip("lm_eval.api.metrics")
    strict = extraction.RegexFilter(r"#### (\-?[0-9\.\,]+)")
    flexible = extraction.RegexFilter(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1)
    ignored = [",", r"\$", r"(?s).*#### ", r"\.$"]

    def theirs(rule: object) -> float:
        [[found]] = rule.apply([[written]], [{}])  # type: ignore[attr-defined]
        scored = metrics.exact_match_hf_evaluate([found], [answer], regexes_to_ignore=ignored, ignore_case=True)
        return float(scored["exact_match"])

    ours = examine(HarnessNumbers(), Example("1", "?", fields={"answer": answer}), "", writes(written)).scores
    assert ours == {"exact_match_strict": theirs(strict), "exact_match_flexible": theirs(flexible)}


def test_the_three_are_asked_as_theirs() -> None:
    lambada, gsm8k = find("lambada_harness"), find("gsm8k_harness")
    passage = Example("1", "I saw a dog", targets=("dog",), fields={"context": "I saw a"})
    assert lambada.template.ask(passage) + lambada.template.answer(passage) == "I saw a dog"
    assert [metric.name for metric in lambada.method.metrics] == ["accuracy", "perplexity"]
    shot = Example("1", "How many?", targets=("4",), fields={"answer": "2+2=<<2+2=4>>4\n#### 4"})
    assert (
        gsm8k.template.ask(shot) + gsm8k.template.answer(shot) == "Question: How many?\nAnswer: 2+2=<<2+2=4>>4\n#### 4"
    )
    assert (gsm8k.shots, gsm8k.template.separator) == (5, "\n\n")
    assert gsm8k.method.decoding.stops == ("Question:", "</s>", "<|im_end|>")  # type: ignore[attr-defined]
