"""Tasks from our own generators: arithmetic, word scrambling, novel words, microcode; and GPT-3's released files."""

from __future__ import annotations

from collections.abc import Callable

from presage.core.errors import ConfigError
from presage.data.microcode import problems
from presage.tasks.arithmetic import COUNT, KINDS, released
from presage.tasks.family import Family
from presage.tasks.files import Files, Generated
from presage.tasks.methods.free import BEAM, Free
from presage.tasks.methods.microcode import Microcode, example_of, problem_of
from presage.tasks.methods.novel_words import NovelWord
from presage.tasks.microcode import reference, stem
from presage.tasks.novel_words import novel_words
from presage.tasks.scrambling import COUNT as WORDS
from presage.tasks.scrambling import RULES, Scrambled
from presage.tasks.task import Data, Example, Task, Template

_EXACT = Free(("exact",), BEAM)
_POOL = 1000


def _context(example: Example) -> str:
    return str(example.fields["context"])


def _completion(example: Example) -> str:
    return str(example.fields["completion"])


_AS_RELEASED = Template(_context, _completion, separator="")
_UNSCRAMBLE = Template(
    _context,
    _completion,
    lambda example: "Please unscramble the letters into a word, and write that word:",
    separator="",
)
"""Contexts begin with their own newlines, so nothing stands between them."""


def _file(name: str) -> Files:
    return Files(released, ((f"{name}.jsonl*",),))


def _arithmetic(name: str, data: Data, source: str) -> Task:
    return Task(name, 1, data, _AS_RELEASED, _EXACT, f"GPT-3 report, §3.9.1: 50-shot; {source}", 50)


def _scrambling(name: str, data: Data, source: str) -> Task:
    return Task(name, 1, data, _UNSCRAMBLE, _EXACT, f"GPT-3 report, §3.9.2: 100-shot; {source}", 100)


_OWN = "our generator, the released files' format"
_RELEASED = "the released file"
_EXTRA = ("six_digit_addition", "six_digit_subtraction", "sum_of_digits")
"""Released, but not in the report."""


def _with_words_of(rule: str) -> Callable[[str], Task]:
    def make(path: str) -> Task:
        if not path:
            raise ConfigError("no corpus is named", where="tasks", hint=f"{rule}:FILE-OR-FOLDER")
        data = Generated(Scrambled(rule, (path,)), WORDS, _POOL)
        return _scrambling(f"{rule}_of_corpus", data, f"{_OWN}, words of the corpus that is named")

    return make


# ---- novel words and microcode ---------------------------------------------------------------------------------------


def _define(example: Example) -> str:
    word = example.targets[0]
    fields = example.fields
    article = "To" if fields["definition"].startswith("to ") else "A"
    said = f'To "{word}" something' if article == "To" else f'A "{word}"'
    return f"{said} is {fields['definition']}. An example of a sentence that uses the word {word} is:"


_NOVEL = Template(_define, lambda example: f"\n{example.fields['sentence']}")


def _problems(seed: int, count: int, split: str) -> list[Example]:
    return [example_of(problem) for problem in problems(seed, count)]


_MICROCODE = Template(
    lambda example: stem(problem_of(example.fields)),
    lambda example: reference(problem_of(example.fields)),
    separator="\n",
)

TASKS: tuple[Task, ...] = (
    *(_arithmetic(name, Generated(make, COUNT, _POOL), _OWN) for name, make in KINDS.items()),
    *(_arithmetic(f"released_{name}", _file(name), _RELEASED) for name in (*KINDS, *_EXTRA)),
    *(_scrambling(name, Generated(Scrambled(name), WORDS, _POOL), _OWN) for name in RULES),
    *(_scrambling(f"released_{name}", _file(name), _RELEASED) for name in RULES),
    Task("novel_words", 1, Generated(novel_words, 12, 12), _NOVEL, NovelWord(), "GPT-3 report, §3.9.5; words ours", 3),
    Task(
        "novel_words_judged",
        1,
        Generated(novel_words, 12, 12),
        _NOVEL,
        NovelWord(judged=True),
        "GPT-3 report, §3.9.5; words ours, a judge",
        3,
    ),
    Task(
        "microcode", 2, Generated(_problems, 70), _MICROCODE, Microcode(), "ours: functions graded by our interpreter"
    ),
)
FAMILIES: tuple[Family, ...] = tuple(
    Family(rule, f"{rule}:CORPUS", f"{rule} with the most frequent words of a corpus", _with_words_of(rule))
    for rule in RULES
)
