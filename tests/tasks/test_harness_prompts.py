"""Tasks of the harness' name ask what lm-evaluation-harness asks: its own templates, filled by its own code."""

from __future__ import annotations

import ast
import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presage.evaluate.runner import Runner
from presage.tasks.library import find
from presage.tasks.readers.rows import json_lines, source
from presage.tasks.shots import Shots
from presage.tasks.task import Example
from tests.imports import ROOT
from tests.tasks import public_forms as forms
from tests.tasks.public_forms import jsonl, write
from tests.toy_model import ToyModel

utils = pytest.importorskip("lm_eval.utils")
yaml = pytest.importorskip("yaml")
THEIRS = Path(utils.__file__).parent / "tasks"
DATA = ROOT.parent / "shared" / "data"
VERSION = "0.4.13"
here = pytest.mark.skipif(not DATA.is_dir(), reason="the public files (../shared/data) are not here")


class _Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined]
    """Their files, with names of functions left as names."""


_Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


def declaration(name: str) -> dict[str, Any]:
    """One of their task files with what it includes."""
    own: dict[str, Any] = yaml.load((THEIRS / name).read_text(encoding="utf-8"), _Loader)
    base = own.pop("include", None)
    return (declaration(str(Path(name).parent / base)) if base else {}) | own


def theirs(name: str, row: dict[str, Any]) -> list[tuple[str, str]]:
    """What they ask about a row of theirs: the contexts and continuations."""
    told = declaration(name)
    text = utils.apply_template(told["doc_to_text"], row)
    choices = told["doc_to_choice"]
    if isinstance(choices, str):
        choices = row[choices] if choices in row else ast.literal_eval(utils.apply_template(choices, row))
    delimiter = told.get("target_delimiter", " ")
    return [(told.get("description", "") + text, f"{delimiter}{choice}") for choice in choices]


def ours(name: str, example: Example) -> list[tuple[str, str]]:
    task, model = find(f"{name}_harness"), ToyModel()
    context = Shots(task, [], 0, 0).context(example)
    Runner(model).run(task.method, [example], [context])
    return [(request.prompt, request.text) for request in model.asked]  # type: ignore[attr-defined]


def _choices(example: Example) -> dict[str, Any]:
    labels = list("ABCDEFGH"[: len(example.options)])
    return {
        "question": example.question,
        "choices": {"text": list(example.options), "label": labels},
        "answerKey": labels[example.answer or 0],
    }


def _truthful(kind: str) -> Callable[[Example], dict[str, Any]]:
    return lambda example: {"question": example.question, kind: {"choices": list(example.options)}}


def _rte(example: Example) -> dict[str, Any]:
    return {"sentence1": example.fields["premise"], "sentence2": example.fields["hypothesis"]}


ASKED: dict[str, tuple[str, Callable[[Example], dict[str, Any]]]] = {
    "arc_challenge": ("arc/arc_challenge.yaml", _choices),
    "arc_easy": ("arc/arc_easy.yaml", _choices),
    "boolq": ("super_glue/boolq/default.yaml", lambda example: dict(example.fields)),
    "rte": ("glue/rte/default.yaml", _rte),
    "truthfulqa_mc1": ("truthfulqa/truthfulqa_mc1.yaml", _truthful("mc1_targets")),
    "truthfulqa_mc2": ("truthfulqa/truthfulqa_mc2.yaml", _truthful("mc2_targets")),
    "blimp": ("blimp/_template_yaml", lambda e: {"sentence_good": e.options[0], "sentence_bad": e.options[1]}),
}


@pytest.fixture(autouse=True)
def _of_this_version() -> None:
    """Their prompts change with their versions; these are the ones that ours are declared to be."""
    if importlib.metadata.version("lm_eval") != VERSION:
        pytest.skip(f"lm_eval is not {VERSION}")


@here
@pytest.mark.parametrize("name", ASKED)
def test_prompts_and_continuations_are_theirs(name: str) -> None:
    path, row = ASKED[name]
    for example in find(f"{name}_harness").data.examples(DATA, 0)[:100]:
        assert ours(name, example) == theirs(path, row(example))


@here
def test_mmlu_is_theirs_in_every_subject() -> None:
    seen: set[str] = set()
    for example in find("mmlu_harness").data.examples(DATA, 0):
        if example.category not in seen:
            seen.add(example.category)
            row = {"question": example.question, "choices": list(example.options)}
            assert ours("mmlu", example) == theirs(f"mmlu/default/mmlu_{example.category}.yaml", row)
    assert len(seen) == 57


def test_hellaswag_is_theirs(tmp_path: Path) -> None:
    preprocess = pytest.importorskip("lm_eval.tasks.hellaswag.utils").preprocess
    row = forms.HELLASWAG
    (example,) = find("hellaswag_harness").data.examples(write(tmp_path, {"hellaswag_val.jsonl": jsonl(row)}), 0)
    query = preprocess(f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}")
    endings = [preprocess(ending) for ending in row["endings"]]
    assert ours("hellaswag", example) == [(query, f" {ending}") for ending in endings]


@here
def test_lambada_is_theirs() -> None:
    told = declaration("lambada/lambada_openai.yaml")
    rows = json_lines(source(DATA / "eval" / "lambada" / "lambada_test.jsonl.xz"))
    for example, row in list(zip(find("lambada_harness").data.examples(DATA, 0), rows, strict=True))[:100]:
        asked = tuple(utils.apply_template(told[key], dict(row.value)) for key in ("doc_to_text", "doc_to_target"))
        assert ours("lambada", example) == [asked]
