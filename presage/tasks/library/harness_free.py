"""Free-form and language-modelling tasks as lm-evaluation-harness 0.4 asks and counts them, to compare figures with it.

Only for comparison: its perplexity of WikiText counts the words that blanks divide (empty ones at the ends included)
over a rewriting that cannot be undone, and its GSM8K shows the calculator marks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from presage.data.verbs import Completion, Decoding
from presage.tasks.files import Files
from presage.tasks.library.modelling import LAMBADA
from presage.tasks.methods.free import ask, said
from presage.tasks.methods.last_word import LastWord
from presage.tasks.methods.perplexity import Perplexity
from presage.tasks.readers.reasoning import gsm8k
from presage.tasks.readers.sources import text_of
from presage.tasks.task import NO_NEEDS, Example, Graded, Metric, Steps, Task, Template

# ---- GSM8K -----------------------------------------------------------------------------------------------------------

_STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
_FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")
_IGNORED = (re.compile(","), re.compile(r"\$"), re.compile(r"(?s).*#### "), re.compile(r"\.$"))
_UNTIL = Decoding(max_tokens=256, stops=("Question:", "</s>", "<|im_end|>"))


@dataclass(frozen=True)
class HarnessNumbers:
    """exact_match twice: of the number after "#### " (strict), and of the last that looks like one (flexible)."""

    decoding: Decoding = _UNTIL
    needs = NO_NEEDS
    metrics = (Metric("exact_match_strict"), Metric("exact_match_flexible"))

    def examine(self, example: Example, context: str) -> Steps:
        """Write once, extract twice."""
        answers: list[list[Completion]] = yield [ask(example, context, self.decoding)]
        text = answers[0][0].text
        strict = next((match[1] for match in _STRICT.finditer(text)), "[invalid]")
        flexible = next((match[0] for match in reversed(list(_FLEXIBLE.finditer(text)))), "[invalid]").strip()
        right = _bare(str(example.fields["answer"]))
        scores = {
            "exact_match_strict": float(_bare(strict) == right),
            "exact_match_flexible": float(_bare(flexible) == right),
        }
        return Graded(scores, flexible, said(answers[0][0]) | {"invalid": flexible == "[invalid]", "strict": strict})


def _bare(text: str) -> str:
    for ignored in _IGNORED:
        text = ignored.sub("", text)
    return text.lower()


# ---- WikiText --------------------------------------------------------------------------------------------------------

_BRACKETS = tuple(
    (re.compile(rf"{left}\s*([^{right}]*?)\s*{right}"), f"{shown[0]}\\1{shown[1]}")
    for left, right, shown in (
        (r"\(", r"\)", "()"),
        (r"\[", r"\]", "[]"),
        ("{", "}", "{}"),
        ('"', '"', '""'),
        ("'", "'", "''"),
    )
)
_BEFORE = (
    ("s '", "s'"),
    (" @-@ ", "-"),
    (" @,@ ", ","),
    (" @.@ ", "."),
    *((f" {sign} ", f"{sign} ") for sign in ":;.!?,"),
)
_AFTER = (
    ("= = = =", "===="),
    ("= = =", "==="),
    ("= =", "=="),
    (" ° ", "°"),
    (" \n", "\n"),
    ("\n ", "\n"),
    (" N ", " 1 "),
    (" 's", "'s"),
)


def shown_to_model(page: str) -> str:
    """A page as the harness shows it: replacements one after the other. (One more of its rules can match no text of
    WikiText, and is left out.)"""
    for old, new in _BEFORE:
        page = page.replace(old, new)
    for pattern, new in _BRACKETS:
        page = pattern.sub(new, page)
    for old, new in _AFTER:
        page = page.replace(old, new)
    return page


def pages(paths: Sequence[Path]) -> list[Example]:
    """Articles as its data set has them: cut before each title, joined by newlines, blank ones left out."""
    return [example for path in paths for example in _pages(path)]


def _pages(path: Path) -> list[Example]:
    found: list[list[str]] = [[]]
    for line in text_of(path).split("\n"):
        bare = line.replace("= = =", "===").replace("= =", "==").strip()
        if bare.startswith("= ") and bare.endswith(" ="):
            found.append([])
        found[-1].append(line)
    texts = ["\n".join(lines) for lines in found]
    return [_page(f"{path.name}:{place}", text) for place, text in enumerate(texts) if text.strip()]


def _page(name: str, page: str) -> Example:
    counts = {"words": len(re.split(r"\s+", page)), "bytes": len(page.encode())}
    return Example(name, shown_to_model(page), fields=counts)


_SOURCE = "lm-evaluation-harness 0.4"

TASKS: tuple[Task, ...] = (
    Task(
        "lambada_harness", 1, LAMBADA.data, LAMBADA.template, LastWord(last_token=False), f"{_SOURCE}: lambada_openai"
    ),
    Task(
        "wikitext_harness",
        1,
        Files(pages, (("wikitext2_eval/test.txt*",), ("wikitext-2/test.txt*",), ("wiki.test.*",))),
        Template(lambda example: example.question, lambda example: ""),
        Perplexity(),
        f"{_SOURCE}: wikitext",
    ),
    Task(
        "gsm8k_harness",
        1,
        Files(gsm8k, (("gsm8k/test.jsonl*",),), (("gsm8k/train.jsonl*",),)),
        Template(
            lambda example: f"Question: {example.question}\nAnswer:", lambda example: f" {example.fields['answer']}"
        ),
        HarnessNumbers(),
        f"{_SOURCE}: gsm8k",
        5,
        "fixed",
    ),
)
