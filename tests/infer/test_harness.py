"""lm-evaluation-harness on a model of ours: its own evaluator, a local task, and the verbs asked directly."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import math
import re
import socket
import sys
import tomllib
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from presage.cli.harness import main as command_line
from presage.core.errors import ConfigError
from presage.data.verbs import Continuation, Decoding, Generation
from presage.infer.opening import open_model
from presage.train import pretrain
from tests.imports import ROOT
from tests.tiny import make_shards, tiny_run
from tests.toy_model import ToyModel

pytest.importorskip("lm_eval", reason="lm-eval is an extra")

from presage.infer.harness import PresageLM, decoding

ROWS = [
    {"ask": "a ladder of", "options": ["small runs", "one law", "tells"], "right": 0},
    {"ask": "if one law", "options": ["holds from rung", "large", "will lose and on"], "right": 0},
    {"ask": "Großes → kleines, tells what the", "options": ["large run", "Ärger", "x"], "right": 0},
    {"ask": "what the large run will lose if one law holds from rung to rung", "options": ["and", "on"], "right": 1},
]
SHARED = """
dataset_path: json
dataset_kwargs:
  data_files: {{test: {rows}}}
  cache_dir: {cache}
test_split: test
"""
KINDS = {
    "choice": """
output_type: multiple_choice
doc_to_text: "{{ask}}"
doc_to_choice: options
doc_to_target: right
metric_list: [{metric: acc}, {metric: acc_norm}]
""",
    "rolling": """
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{ask}} {{options[0]}}"
metric_list: [{metric: word_perplexity}, {metric: bits_per_byte}]
""",
    "written": """
output_type: generate_until
doc_to_text: "{{ask}}"
doc_to_target: "{{options[0]}}"
generation_kwargs: {until: ["law"], max_gen_toks: 6}
metric_list: [{metric: exact_match}]
""",
}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would go to the network fails at once. For speed: nobody asks pip and the compilers for their versions,
    nor reads thousands of tasks that are not asked."""

    def refuse(*_: object) -> None:
        raise OSError("a test went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    evaluator, tasks = map(importlib.import_module, ("lm_eval.evaluator", "lm_eval.tasks"))
    monkeypatch.setattr(evaluator, "add_env_info", lambda results: None)
    few = partial(tasks.TaskManager, include_defaults=False)
    monkeypatch.setattr(evaluator, "TaskManager", few)
    monkeypatch.setattr(tasks, "TaskManager", few)


def write_task(folder: Path, kind: str) -> Path:
    """A task of lm_eval in YAML with its rows."""
    rows = folder / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    path = folder / f"{kind}.yaml"
    path.write_text(f"task: {kind}\n" + SHARED.format(rows=rows, cache=folder / "cache") + KINDS[kind])
    return path


def evaluate(lm: PresageLM, folder: Path, kind: str) -> dict[str, Any]:
    """{metric: value} by lm_eval's evaluator, with its samples under "samples"."""
    loader = importlib.import_module("lm_eval.tasks._yaml_loader")
    config = loader.load_yaml(write_task(folder, kind))
    found = importlib.import_module("lm_eval").simple_evaluate(model=lm, tasks=[config], bootstrap_iters=0)
    metrics = {name.removesuffix(",none"): value for name, value in found["results"][kind].items()}
    return metrics | {"samples": found["samples"][kind]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny run of ours."""
    folder = tmp_path_factory.mktemp("runs")
    return pretrain.run(tiny_run(make_shards(folder).path, steps=6), folder / "run").path


def requests(*arguments: Any) -> list[Any]:
    """What lm_eval hands to a model."""
    return [SimpleNamespace(args=one if isinstance(one, tuple) else (one,)) for one in arguments]


# ---- the three requests --------------------------------------------------------------------------------------------


def test_likelihoods_are_passed_on_in_order() -> None:
    model = ToyModel(logprob=lambda prompt, text: -len(prompt) - len(text) / 100)
    found = PresageLM(model).loglikelihood(requests(("ab", "c"), ("", "defg")))
    assert found == [(-2.01, False), (-0.04, False)]
    assert model.asked == [Continuation("ab", "c"), Continuation("", "defg")]


def test_rolling_takes_whole_documents() -> None:
    assert PresageLM(ToyModel()).loglikelihood_rolling(requests("four", "sévèn")) == [-4.0, -7.0]


def test_repeats_of_one_prompt_are_drawn_from_different_seeds() -> None:
    model = ToyModel(write=lambda prompt, sample: prompt + "!END")
    options = {"until": ["END"], "do_sample": True, "temperature": 0.5, "top_p": 0.9, "max_gen_toks": 7}
    found = PresageLM(model, seed=3).generate_until(requests(("a", options), ("b", options), ("a", options)))
    assert found == ["a!", "b!", "a!"]
    drawn = Decoding(7, ("END",), 0.5, top_p=0.9)
    assert model.asked == [Generation("a", drawn, 3), Generation("b", drawn, 3), Generation("a", drawn, 4)]


GREEDY = Decoding(256)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({}, GREEDY, id="nothing-said"),
        pytest.param({"until": "\n"}, Decoding(256, ("\n",)), id="one-stop"),
        pytest.param({"until": ["", "Q:"]}, Decoding(256, ("Q:",)), id="an-empty-stop-is-none"),
        pytest.param({"until": None, "top_p": 0.5}, GREEDY, id="top-p-of-greedy"),
        pytest.param({"do_sample": False, "temperature": 0.7}, GREEDY, id="do-sample-wins"),
        pytest.param({"do_sample": None, "temperature": 0.7}, Decoding(256, temperature=0.7), id="by-temperature"),
        pytest.param({"do_sample": True}, Decoding(256, temperature=1.0), id="plain-sampling"),
        pytest.param({"do_sample": True, "temperature": 0.0}, GREEDY, id="sampled-at-zero"),
        pytest.param({"max_tokens": 9, "max_gen_toks": 5}, Decoding(5), id="its-own-name-first"),
        pytest.param({"do_sample": True, "top_k": 4}, Decoding(256, temperature=1.0, top_k=4), id="top-k"),
    ],
)
def test_gen_kwargs(options: dict[str, Any], expected: Decoding) -> None:
    assert decoding(options) == expected


def test_gen_kwargs_agree_with_its_own_reading() -> None:
    """Lengths, stops and the temperature as lm_eval's normalize_gen_kwargs reads them."""
    theirs = importlib.import_module("lm_eval.models.utils").normalize_gen_kwargs
    for options in (
        {"until": ["a"], "do_sample": False, "temperature": 0.9},
        {"until": "a", "temperature": 0.9, "max_new_tokens": 3},
        {"max_completion_tokens": 3, "max_tokens": 4, "do_sample": True, "temperature": 0.2},
    ):
        known, read = decoding(options), theirs(dict(options))
        assert (known.max_tokens, known.temperature) == (read["max_gen_toks"], read["temperature"])
        assert list(known.stops) == read["until"]


def test_an_unknown_gen_kwarg_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"gen_kwargs: 'temprature' is not supported \(did you mean 'temperature'\?\)"
    ):
        decoding({"temprature": 1.0})


# ---- its evaluator -------------------------------------------------------------------------------------------------


def test_choices_through_its_evaluator(tmp_path: Path) -> None:
    model = ToyModel(logprob=lambda prompt, text: -float((7 * len(prompt) + 3 * len(text)) % 11))
    found = evaluate(PresageLM(model), tmp_path, "choice")
    rules = [[(7 * len(row["ask"]) + 3 * len(" " + one)) % 11 for one in row["options"]] for row in ROWS]
    right = [scores.index(min(scores)) == row["right"] for scores, row in zip(rules, ROWS, strict=True)]
    assert found["acc"] == sum(right) / len(right)


def test_choices_of_a_run_are_those_of_its_verbs(run: Path, tmp_path: Path) -> None:
    found = evaluate(PresageLM(str(run)), tmp_path, "choice")
    verbs = open_model(str(run))
    right, normed = [], []
    for row, sample in zip(ROWS, found["samples"], strict=True):
        texts = [f" {text}" for text in row["options"]]
        scores = [one.logprob for one in verbs.loglikelihood([Continuation(row["ask"], text) for text in texts])]
        assert [pair[0] for pair in sample["filtered_resps"]] == pytest.approx(scores, abs=1e-4)
        each = [score / len(text.removeprefix(" ")) for score, text in zip(scores, texts, strict=True)]
        right.append(scores.index(max(scores)) == row["right"])
        normed.append(each.index(max(each)) == row["right"])
    assert found["acc"] == sum(right) / len(right)
    assert found["acc_norm"] == sum(normed) / len(normed)


def test_perplexity_of_a_run_is_that_of_its_verbs(run: Path, tmp_path: Path) -> None:
    found = evaluate(PresageLM(str(run)), tmp_path, "rolling")
    texts = [f"{row['ask']} {row['options'][0]}" for row in ROWS]
    nats = -sum(one.logprob for one in open_model(str(run)).rolling_loglikelihood(texts))
    assert found["bits_per_byte"] == pytest.approx(nats / math.log(2) / sum(len(text.encode()) for text in texts))
    assert found["word_perplexity"] == pytest.approx(math.exp(nats / sum(len(text.split()) for text in texts)))


def test_completions_of_a_run_are_those_of_its_verbs(run: Path, tmp_path: Path) -> None:
    found = evaluate(PresageLM(str(run)), tmp_path, "written")
    asked = [Generation(row["ask"], Decoding(6, ("law",))) for row in ROWS]
    texts = [some[0].text for some in open_model(str(run)).generate(asked)]
    assert [sample["resps"] for sample in found["samples"]] == [[[text]] for text in texts]


# ---- its command line ----------------------------------------------------------------------------------------------


def test_its_command_line_examines_a_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["--model", "presage", "--model_args", f"run={run},seed=3", "--output_path", str(tmp_path / "out")]
    asked = ["--tasks", str(write_task(tmp_path, "choice")), "--log_samples"]
    monkeypatch.setattr(sys, "argv", ["presage-lm-eval", *command, *asked])
    command_line()
    results = json.loads(next((tmp_path / "out").rglob("results_*.json")).read_text())
    expected = evaluate(PresageLM(str(run)), tmp_path, "choice")
    assert results["results"]["choice"]["acc,none"] == expected["acc"]
    assert results["config"]["presage"]["weights"] == open_model(str(run)).identity()["weights"]
    assert "|choice|" in capsys.readouterr().out.replace(" ", "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param("run=nowhere", r"presage-lm-eval: nowhere: no such directory \(.*\)", id="no-run"),
        pytest.param("run=hf:nowhere", r"presage-lm-eval: hf:nowhere: no such directory \(.*\)", id="no-directory"),
    ],
)
def test_a_mistake_is_one_line(
    given: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    task = str(write_task(tmp_path, "choice"))
    monkeypatch.setattr(sys, "argv", ["presage-lm-eval", "--model", "presage", "--model_args", given, "--tasks", task])
    with pytest.raises(SystemExit) as stopped:
        command_line()
    assert stopped.value.code == 2
    assert re.fullmatch(said, capsys.readouterr().err.splitlines()[-1])


def test_without_lm_eval_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("presage.cli.harness.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as stopped:
        command_line()
    assert stopped.value.code == 2
    assert "pip install 'presage[lm-eval]'" in capsys.readouterr().err


# ---- how it is found -----------------------------------------------------------------------------------------------


def test_what_it_writes_beside_results() -> None:
    assert PresageLM(ToyModel()).get_model_info() == {"presage": {"backend": "toy"}}
    assert PresageLM(ToyModel()).tokenizer_name == "toy"


def test_settings_of_a_model_are_passed_on(run: Path) -> None:
    adapter = PresageLM.create_from_arg_string(f"run={run},begin=false,stride=4", {"batch_size": 1, "device": "cuda:0"})
    assert (adapter.model.identity()["begin"], adapter.model.identity()["stride"]) == (False, 4)
    with pytest.raises(ConfigError, match="begn"):
        PresageLM.create_from_arg_string(f"run={run},begn=false")


def test_it_is_found_by_name() -> None:
    found = importlib.import_module("lm_eval.api.registry").get_model("presage")
    assert found is PresageLM


def test_the_entry_point_leads_to_the_class() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    point = importlib.metadata.EntryPoint("presage", project["entry-points"]["lm_eval.models"]["presage"], "any")
    assert point.load() is PresageLM
    script = importlib.metadata.EntryPoint("any", project["scripts"]["presage-lm-eval"], "any")
    assert script.load().__module__ == "presage.cli.harness"
