"""From completions to verdicts, pass@k, files of problems, and the verb that writes them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage import cli
from presage.cli import make  # noqa: F401 - adds its verbs
from presage.core.errors import DataError
from presage.data.bpe import Tokenizer
from presage.data.documents import Document, read_paths
from presage.data.microcode import Case, Problem, contamination, documents, problems
from presage.tasks import microcode
from presage.tasks.microcode import count_passed, expected_pass_at_k, function_body, grade, load, reference, save, stem

PLUS = Problem(
    id="1:plus:3:f",
    family="plus",
    level=1,
    prompt='def f(x):\n    """Return x plus 3."""\n    ',
    solution="return x + 3",
    entry="f",
    tests=(Case((0,), 3), Case((-5,), -2)),
)

# ---- grading ---------------------------------------------------------------------------------------------------------

COMPLETIONS = {
    "return x + 3": True,
    "return x + 3\n": True,
    "return 3 + x\n\ndef g(y):\n    return (": True,
    "return x + 3\n\n\nprint(": True,
    "return x + 3<|endoftext|>def": True,
    "y = 3\n    for i in [y]:\n        x += i\n    return x\n": True,
    "y = 3\n\n    return x + y\nreturn 5": True,
    "return x + 3  # done\n# and more(": True,
    "return x + 4": False,
    "return x + 3\n    return (": False,
    "x + 3": False,
    "": False,
    "\n": False,
    "\nreturn x + 3": False,
    " return x + 3": False,
    "return x + 3.0": False,
    "return str(x + 3)": False,
    "import os\n    return x + 3": False,
    "while True:\n        x += 1": False,
}


@pytest.mark.parametrize("completion, expected", COMPLETIONS.items())
def test_a_completion_is_cut_and_run(completion: str, expected: bool) -> None:
    assert grade(PLUS, completion) is expected


@pytest.mark.parametrize("completion, expected", COMPLETIONS.items())
def test_from_the_stem_the_completion_brings_its_own_space(completion: str, expected: bool) -> None:
    assert grade(PLUS, f" {completion}", prompt=stem(PLUS)) is expected
    if completion.startswith("return"):
        assert not grade(PLUS, completion, prompt=stem(PLUS))  # three spaces


@given(st.text(alphabet="x +3\n\treturn<|endoftext|>", max_size=80))
def test_a_body_is_the_beginning_of_its_completion_and_is_cut_once(completion: str) -> None:
    body = function_body(completion)
    assert completion.startswith(body)
    assert function_body(body) == body
    assert all(not line.strip() or line[0] in " \t" for line in body.split("\n")[1:])


def test_many_completions_are_counted() -> None:
    completions = ["return x + 3\n", "return x + 3\n\ndef", "return x", "return 3 + x", "return x"]
    assert count_passed(PLUS, completions) == 3
    assert count_passed(PLUS, [f" {text}" for text in completions], prompt=stem(PLUS)) == 3
    assert count_passed(PLUS, []) == 0


def test_stem_and_reference_are_the_program() -> None:
    for problem in problems(0, 50):
        assert f"{stem(problem)}{reference(problem)}" == f"{problem.prompt}{problem.solution}\n"
        assert grade(problem, reference(problem), prompt=stem(problem))


def test_the_tokens_of_stem_and_reference_are_those_of_the_function() -> None:
    """What the stem is for: those of the whole prompt are not."""
    tokenizer = Tokenizer.train((document.text for document in documents(0, 50)), 380)
    for problem in problems(0, 50):
        whole = tokenizer.encode(f"{stem(problem)}{reference(problem)}")
        assert tokenizer.encode(stem(problem)) + tokenizer.encode(reference(problem)) == whole
        assert tokenizer.encode(problem.prompt) != whole[: len(tokenizer.encode(problem.prompt))]


# ---- pass@k ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n, c, k, expected", [(200, 1, 1, 0.005), (200, 10, 10, 0.40855), (10, 3, 5, 0.91667)])
def test_pass_at_k_of_the_codex_paper(n: int, c: int, k: int, expected: float) -> None:
    assert expected_pass_at_k(n, c, k) == pytest.approx(expected, abs=5e-6)


@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_choices_with_a_pass(numbers: tuple[int, int, int]) -> None:
    n, c, k = numbers
    choices = list(itertools.combinations(range(n), k))
    share = sum(min(choice) < c for choice in choices) / len(choices)
    assert math.isclose(expected_pass_at_k(n, c, k), share, abs_tol=1e-12)


@pytest.mark.parametrize("n, c, k", [(10, 11, 1), (10, -1, 1), (10, 5, 11), (10, 5, 0), (0, 0, 1)])
def test_pass_at_k_of_impossible_counts(n: int, c: int, k: int) -> None:
    with pytest.raises(DataError, match=rf"pass@{k} of {c} passed among {n} samples"):
        expected_pass_at_k(n, c, k)


# ---- files -----------------------------------------------------------------------------------------------------------


def test_problems_survive_a_file(tmp_path: Path) -> None:
    made = problems(3, 100)
    save(tmp_path / "a.jsonl", made)
    assert load(tmp_path / "a.jsonl") == made
    save(tmp_path / "b.jsonl", load(tmp_path / "a.jsonl"))
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_row_has_the_keys_that_other_programs_read(tmp_path: Path) -> None:
    save(tmp_path / "a.jsonl", [PLUS])
    assert json.loads((tmp_path / "a.jsonl").read_text()) == {
        "id": "1:plus:3:f",
        "family": "plus",
        "level": 1,
        "solution": "return x + 3",
        "entry": "f",
        "prompt": 'def f(x):\n    """Return x plus 3."""\n    ',
        "tests": [{"args": [0], "expected": 3}, {"args": [-5], "expected": -2}],
    }


def _row(**changes: Any) -> dict[str, Any]:
    tests = [{"args": list(case.args), "expected": case.expected} for case in PLUS.tests]
    row = {key: getattr(PLUS, key) for key in microcode._KINDS} | {"tests": tests} | changes
    return {key: value for key, value in row.items() if value is not ...}


BAD = {
    "not JSON": ("{", "not JSON: Expecting"),
    "not a number of JSON": ('{"id": NaN}', "not JSON: NaN is no JSON"),
    "another type": ("[1]", "list, not an object"),
    "no tests": (_row(tests=[]), "no tests"),
    "a key that is missing": (_row(entry=...), "no key 'entry'"),
    "a key too many": (_row(levels=1), r"unknown key 'levels' \(did you mean 'level'\?\)"),
    "a text for a number": (_row(level="1"), "'level' is str, not int"),
    "true for a number": (_row(level=True), "'level' is bool, not int"),
    "nothing for a text": (_row(prompt=None), "'prompt' is null, not str"),
    "a level there is not": (_row(level=8), r"level 8 \(levels are 1 to 7\)"),
    "a prompt cut short": (_row(prompt="def f(x):\n"), "the prompt does not end in a newline and four spaces"),
    "a test of another type": (_row(tests=[3]), "test 1: int, not an object"),
    "a test without arguments": (_row(tests=[{"expected": 3}]), "test 1: no key 'args'"),
    "arguments that are no list": (_row(tests=[{"args": 1, "expected": 3}]), "test 1: 'args' is int, not list"),
    "an object among values": (_row(tests=[{"args": [[{}]], "expected": 3}]), "test 1: an object among its values"),
    "an answer that is wrong": (
        _row(solution="return x"),
        "the solution of '1:plus:3:f' does not pass its own tests",
    ),
    "a type that is wrong": (_row(tests=[{"args": [0], "expected": 3.0}]), "does not pass its own tests"),
    "the same id": (_row(), r"the id '1:plus:3:f' again, as on line 1"),
}


@pytest.mark.parametrize("row, message", BAD.values(), ids=BAD.keys())
def test_a_bad_line_is_named(tmp_path: Path, row: object, message: str) -> None:
    path = tmp_path / "a.jsonl"
    bad = row if isinstance(row, str) else json.dumps(row)
    path.write_text(f"{json.dumps(_row())}\n\n{bad}\n")
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert "\n" not in str(caught.value)


def test_files_that_hold_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.jsonl: cannot be read: No such file"):
        load(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(DataError, match=r"empty.jsonl: no problem in this file"):
        load(tmp_path / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"id": "\xe9"}\n')
    with pytest.raises(DataError, match=r"latin.jsonl:1: not UTF-8"):
        load(tmp_path / "latin.jsonl")


# ---- the verb --------------------------------------------------------------------------------------------------------

Outcome = Callable[..., tuple[int, str, str]]


@pytest.fixture
def presage(capsys: pytest.CaptureFixture[str]) -> Outcome:
    """Runs `presage make microcode …` in this process: (exit code, standard output, standard error)."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = cli.main(["make", "microcode", *map(str, arguments)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_make_writes_texts_that_a_corpus_reads(tmp_path: Path, presage: Outcome) -> None:
    out = tmp_path / "new" / "train.jsonl"
    assert presage("--out", out, "--count", 20, "--seed", 4) == (0, f"{out}\n", "")
    read = [item for item in read_paths("mine", [str(out)]) if isinstance(item, Document)]
    assert [document.text for document in read] == [document.text for document in documents(4, 20)]


def test_make_writes_problems(tmp_path: Path, presage: Outcome) -> None:
    out = tmp_path / "eval.jsonl"
    assert presage("--out", out, "--count", 20, "--split", "eval", "--seed", 4)[0] == 0
    assert load(out) == problems(4, 20)
    other = tmp_path / "easy.jsonl"
    assert presage("--out", other, "--count", 10, "--split", "eval", "--levels", 1, "--levels", 2)[0] == 0
    assert load(other) == problems(0, 10, (1, 2))
    assert contamination((document.text for document in documents(4, 200)), [*load(out), *load(other)]) == []


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--count", 0), "--count 0 (at least 1)"),
        (("--split", "test"), "--split"),
        (("--split", "eval", "--levels", 8), "no level 8 (levels are 1 to 7"),
        (("--split", "eval", "--levels", 1, "--count", 10_000), "10000 problems of level 1, there are"),
    ],
)
def test_make_refuses_in_one_line_and_writes_nothing(
    tmp_path: Path, presage: Outcome, arguments: tuple[object, ...], message: str
) -> None:
    code, out, err = presage("--out", tmp_path / "a.jsonl", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_make_overwrites_nothing(tmp_path: Path, presage: Outcome) -> None:
    (tmp_path / "a.jsonl").write_text("mine")
    assert presage("--out", tmp_path / "a.jsonl")[0] == 2
    assert (tmp_path / "a.jsonl").read_text() == "mine"
    code, _, err = presage("--out", tmp_path / "a.txt")
    assert (code, "end it in .jsonl" in err) == (2, True)
    code, _, err = presage("--out", tmp_path / "a.jsonl" / "b.jsonl")
    assert (code, "cannot make its folder" in err) == (2, True)
