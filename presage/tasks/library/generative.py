"""Tasks whose answers are written: reasoning, reading, closed-book questions, translation, summaries, programs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from presage.core.errors import ConfigError
from presage.data.verbs import Decoding
from presage.tasks.family import Family
from presage.tasks.files import Files, Generated
from presage.tasks.methods.bleu import Bleu
from presage.tasks.methods.chain_of_thought import REASONING, ChainOfThought, Kind
from presage.tasks.methods.choice import LETTERS
from presage.tasks.methods.free import GREEDY, Free
from presage.tasks.methods.program import CODEX, Program
from presage.tasks.methods.rouge import Rouge
from presage.tasks.readers import programs, reading, reasoning, texts, translations
from presage.tasks.readers.languages import bleu_tokenizer
from presage.tasks.task import Data, Example, Task, Template

GPT2, GPT3, GPT4 = "GPT-2 report", "GPT-3 report", "GPT-4 report"

# ---- reasoning -------------------------------------------------------------------------------------------------------


def _explained(example: Example) -> str:
    """A shot's reasoning, where its file has any, and its answer."""
    answer = f"({example.targets[0]})" if example.options else example.targets[0]
    said = f"The answer is {answer}."
    return f" {example.fields['rationale']}\n{said}" if example.fields.get("rationale") else f" {said}"


def _question(example: Example) -> str:
    return f"Question: {example.question}{_options(example)}\nAnswer:"


def _options(example: Example) -> str:
    letters = (f"({letter}) {option}" for letter, option in zip(LETTERS, example.options, strict=False))
    return f"\nAnswer choices: {' '.join(letters)}" if example.options else ""


_EXPLAINED = Template(_question, _explained)
_GSM8K_FILES = Files(reasoning.gsm8k, (("gsm8k/test.jsonl*",),), (("gsm8k/train.jsonl*",),))
GSM8K = Task("gsm8k", 1, _GSM8K_FILES, _EXPLAINED, ChainOfThought(), f"{GPT4}, Table 2: 5-shot chain of thought", 5)
_VOTES = ChainOfThought(decoding=replace(REASONING, temperature=0.7), samples=16)
_MGSM_FILES = Files(reasoning.mgsm, (("mgsm_*.tsv*",),), (("mgsm/exemplars.py",), ("gsm8k/train.jsonl*",)))
_MGSM_TEMPLATE = Template(lambda example: f"Question: {example.question}\nStep-by-Step Answer:", _explained)
_AQUA_FILES = Files(
    reasoning.aqua, (("aqua_rat/test.json*",), ("AQuA/test.json*",)), (("aqua_rat/dev.json*",), ("AQuA/dev.json*",))
)

_THEN = {
    "number": "\nTherefore, the answer (arabic numerals) is",
    "yes_no": "\nTherefore, the answer (Yes or No) is",
    "letters": "\nTherefore, the answer is",
    "letter": "\nTherefore, the letter of the answer is",
}
_ZERO_SHOT = Decoding(max_tokens=256, stops=("\nQ:",))
_STEPS = Template(
    lambda example: f"Q: {example.question}{_options(example)}\nA: Let's think step by step.",
    lambda example: f" {example.fields.get('rationale', '')}\nTherefore, the answer is {example.targets[0]}.",
)


def _suite() -> list[Task]:
    source = "Kojima et al. 2022, §3: zero-shot chain of thought, two prompts"
    kinds: dict[str, Kind] = {"number": "number", "yes_no": "yes_no", "letters": "letters", "letter": "letter"}
    return [
        Task(name, 1, Files(read, ((file,),)), _STEPS, ChainOfThought(kinds[kind], _ZERO_SHOT, _THEN[kind]), source)
        for name, (file, read, kind) in reasoning.SUITE.items()
    ]


_REASONING = (
    GSM8K,
    replace(GSM8K, name="gsm8k_8shot", shots=8, source="Wei et al. 2022: 8-shot; ours are drawn from the train split"),
    replace(GSM8K, name="gsm8k_vote", method=_VOTES, source="Wang et al. 2022: self-consistency, of 16 samples"),
    Task("mgsm", 1, _MGSM_FILES, _MGSM_TEMPLATE, ChainOfThought(), "Shi et al. 2022: 8-shot", 8, "first", True),
    Task("aqua", 1, _AQUA_FILES, _EXPLAINED, ChainOfThought("letter"), "Wei et al. 2022; shots from the dev split", 4),
    *_suite(),
)

# ---- reading and closed book -----------------------------------------------------------------------------------------


def _dialogue(example: Example) -> str:
    turns = [f"Q: {question}\nA: {answer}" for question, answer in example.fields["history"]]
    return "\n\n".join([example.fields["story"], "\n".join([*turns, f"Q: {example.fields['question']}\nA:"])])


def _background(example: Example) -> str:
    fields = example.fields
    return f"Title: {fields['title']}\n\nBackground: {fields['context']}\n\nQ: {fields['question']}\n\nA:"


def _first_target(example: Example) -> str:
    return f" {example.targets[0]}"


_COQA = Task(
    "coqa",
    1,
    Files(reading.coqa, (("coqa-dev*.json*",), ("coqa/dev.json*",)), (("coqa-train*.json*",), ("coqa/train.json*",))),
    Template(_dialogue, _first_target),
    Free(("f1_of_others", "exact_match"), GREEDY),
    f"{GPT2}, §3.5: document, the dialogue so far, 'A:'; greedy; CoQA's F1",
)
_COQA_FEW = replace(
    _COQA, name="coqa_5shot", method=Free(("f1_of_others", "exact_match")), shots=5, source=f"{GPT3}, §3.5"
)
_SQUAD = Task(
    "squad_v2",
    1,
    Files(
        reading.squad, (("dev-v2.0.json*",), ("squad*/dev.json*",)), (("train-v2.0.json*",), ("squad*/train.json*",))
    ),
    Template(_background, _first_target),
    Free(("exact_match", "f1")),
    f"{GPT3}, §3.5 and appendix G, 16-shot; an unanswerable question's answer is our 'N/A'",
    16,
)


def _closed_book(name: str, test: Sequence[str], train: Sequence[str]) -> Task:
    files = Files(reading.closed_book, tuple((one,) for one in test), tuple((one,) for one in train))
    template = Template(lambda example: f"Q: {example.question}\n\nA:", _first_target)
    return Task(name, 1, files, template, Free(("exact_match", "f1")), f"{GPT3}, §3.2: 64-shot, any alias counts", 64)


_READING = (
    _COQA,
    _COQA_FEW,
    _SQUAD,
    _closed_book(
        "natural_questions",
        ("NQ-open.dev.jsonl*", "natural_questions/dev.jsonl*"),
        ("NQ-open.train.jsonl*", "natural_questions/train.jsonl*"),
    ),
    _closed_book(
        "triviaqa",
        ("unfiltered-web-dev.json*", "triviaqa-unfiltered-dev*.json*", "triviaqa/dev.json*"),
        ("unfiltered-web-train.json*", "triviaqa-unfiltered-train*.json*", "triviaqa/train.json*"),
    ),
    _closed_book(
        "webquestions",
        ("webquestions.examples.test.json*", "webquestions/test.json*"),
        ("webquestions.examples.train.json*", "webquestions/train.json*"),
    ),
)

# ---- translation -----------------------------------------------------------------------------------------------------

_EQUALS = Template(lambda example: f"{example.question} =", _first_target, separator="\n")
_ASKED = Template(
    lambda example: f"Q: What is the {example.fields['language']} translation of {example.question}\nA:", _first_target
)
Read = Callable[[Sequence[Path]], list[Example]]


def _codes(pair: str, form: str) -> tuple[str, str]:
    source, dash, target = pair.partition("-")
    if not (
        dash
        and re.fullmatch(r"[a-z]{3}(_[A-Z][a-z]{3})?", source)
        and re.fullmatch(r"[a-z]{3}(_[A-Z][a-z]{3})?", target)
    ):
        raise ConfigError(f"'{pair}' is not two languages", where="tasks", hint=f"write {form}, as in eng-fra")
    if source == target:
        raise ConfigError(f"'{pair}' is one language twice", where="tasks")
    return source, target


def _translation(kind: str, data: Data, target: str, pair: str, asked: bool) -> Task:
    name = f"{kind}{'_asked' if asked else ''}_{pair.replace('-', '_')}"
    template, shots = (_ASKED, 0) if asked else (_EQUALS, 64)
    source = f"{GPT3}, appendix G: {'zero-shot question' if asked else '64-shot, source ='}"
    return Task(name, 1, data, template, Bleu(bleu_tokenizer(target)), source, shots)


def flores(pair: str, asked: bool = False) -> Task:
    """FLORES-200 from one language to another, "eng-fra": devtest, shots from dev where it has both languages."""
    source, target = _codes(pair, "flores:SOURCE-TARGET")
    read = translations.Flores(source, target)
    data = Files(read, (("flores200/devtest.jsonl*",),), (("flores200/dev.jsonl*",),))
    return _translation("flores", data, target, pair, asked)


def tatoeba(pair: str, asked: bool = False) -> Task:
    """Tatoeba's sentences between English and another language, "deu-eng"; shots are other sentences of the set."""
    source, target = _codes(pair, "tatoeba:SOURCE-TARGET")
    if "eng" not in (source, target):
        raise ConfigError(f"'{pair}' is without English", where="tasks", hint="one of the two is eng: tatoeba:deu-eng")
    data = Files(translations.Tatoeba(source, target), (("tatoeba.jsonl*",),))
    return _translation("tatoeba", data, target, pair, asked)


# ---- summaries -------------------------------------------------------------------------------------------------------

_TL_DR = Template(lambda example: f"{example.fields['article']}\nTL;DR:", _first_target)
_SUMMARIES = (
    Task(
        "summaries",
        1,
        Files(texts.summaries, (("cnn_dailymail/test.jsonl*",), ("summaries/test.jsonl*",), ("summaries.jsonl*",))),
        _TL_DR,
        Rouge(),
        f"{GPT2}, §3.6: TL;DR:, 100 tokens, top-k 2, three sentences",
    ),
    Task(
        "docstring_summaries",
        1,
        Generated(texts.Docstrings(), 200, 50),
        _TL_DR,
        Rouge(keep=1),
        "ours: a docstring's first sentence is the summary of the rest",
    ),
)

# ---- programs --------------------------------------------------------------------------------------------------------

_HUMANEVAL_FILES = Files(programs.humaneval, (("HumanEval.jsonl*",),))
_AS_IS = Template(lambda example: example.fields["prompt"], lambda example: example.fields["solution"])
HUMANEVAL = Task("humaneval", 2, _HUMANEVAL_FILES, _AS_IS, Program(), f"{GPT4}, Table 2: 0-shot; greedy, one sample")


def humaneval(what: str) -> Task:
    """HumanEval with n samples at one temperature, "20@0.2": pass@1, 10 and 100 as far as n reaches."""
    match = re.fullmatch(r"(\d{1,4})@([0-9.]{1,4})", what)
    samples, temperature = (int(match[1]), float(match[2])) if match and match[2].count(".") < 2 else (0, 0.0)
    if samples < 1:
        raise ConfigError(f"'{what}' is not samples@temperature", where="tasks", hint="as in humaneval:200@0.8")
    if samples > 1 and temperature == 0:
        raise ConfigError("samples at temperature 0 are all the same", where="tasks", hint="as in humaneval:200@0.8")
    ks = tuple(k for k in (1, 10, 100) if k <= samples)
    method = Program(samples, ks, replace(CODEX, temperature=temperature))
    source = "Codex paper, §2.1 and §3: top_p 0.95, five stop strings"
    return replace(HUMANEVAL, name=f"humaneval_{samples}_at_{match[2] if match else ''}", method=method, source=source)


def _with_tests(example: Example) -> str:
    tests = "\n".join(example.fields["tests"])
    task = f"You are an expert Python programmer, and here is your task: {example.question}"
    return f"{task} Your code should pass these tests:\n\n{tests}\n[BEGIN]"


class _Mbpp(Files):
    """The test problems and the ones for prompts lie in one file."""

    def pool(self, folder: Path, seed: int) -> list[Example]:
        return programs.mbpp_shots(self.files(folder))


_MBPP = Task(
    "mbpp",
    2,
    _Mbpp(programs.mbpp, (("mbpp.jsonl*",),)),
    Template(_with_tests, lambda example: f"\n{example.fields['solution']}\n[DONE]"),
    Program(decoding=Decoding(max_tokens=512, stops=("[DONE]",)), whole=True),
    "Austin et al. 2021, §3: 3-shot of problems 1 to 10, tested on 11 to 510",
    3,
    "fixed",
)

TASKS: tuple[Task, ...] = (
    *_REASONING,
    *_READING,
    flores("eng-fra"),
    flores("fra-eng"),
    tatoeba("deu-eng"),
    *_SUMMARIES,
    HUMANEVAL,
    humaneval("20@0.2"),
    humaneval("200@0.8"),
    _MBPP,
)
FAMILIES: tuple[Family, ...] = (
    Family("flores", "flores:SOURCE-TARGET", "FLORES-200, 64-shot 'source ='", flores),
    Family(
        "flores_asked",
        "flores_asked:SOURCE-TARGET",
        "FLORES-200, a zero-shot question",
        lambda pair: flores(pair, True),
    ),
    Family("tatoeba", "tatoeba:SOURCE-TARGET", "Tatoeba to or from English, 64-shot", tatoeba),
    Family(
        "tatoeba_asked",
        "tatoeba_asked:SOURCE-TARGET",
        "Tatoeba, a zero-shot question",
        lambda pair: tatoeba(pair, True),
    ),
    Family("humaneval", "humaneval:SAMPLES@TEMPERATURE", "HumanEval, n samples at one temperature", humaneval),
)
