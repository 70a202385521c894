"""The stage: it keeps the contract, learns what can be learnt, resumes to the bit, and refuses bad files."""

from __future__ import annotations

import csv
import json
import math
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from presage.align import finetune, finetune_lstm
from presage.align.finetune_data import NAMED, named, own
from presage.align.finetune_lstm import LstmConfig
from presage.core.device import Device
from presage.core.errors import DataError, PresageError, RunError, Stopped
from presage.core.run import RunDir
from presage.model.weights import load_run
from presage.train import loop, pretrain
from presage.train.optim import OptimConfig, clip_gradients
from tests.align.finetuning import QUICK, config, moods, pairs, questions, write_rows
from tests.imports import ROOT
from tests.stage import check_stage
from tests.tiny import make_shards, outcome, tiny_run

DATA = ROOT.parent / "shared" / "data" / "eval"


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shards(tmp_path_factory.mktemp("base"), files=12).path


@pytest.fixture(scope="module")
def base(shards: Path) -> Path:
    return pretrain.run(tiny_run(shards, steps=12), shards.with_name("base")).path


@pytest.fixture(scope="module")
def lstm(shards: Path) -> Path:
    shape = LstmConfig(vocab_size=300, context_length=16, d_model=16, units=24)
    settings = finetune_lstm.Config(shards=shards, model=shape, tokens=2048, batch_tokens=256, device=Device())
    return finetune_lstm.run(settings, shards.with_name("lstm")).path


@pytest.fixture(scope="module")
def mood(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("mood")
    return write_rows(folder / "train.jsonl", moods(96, 0)), write_rows(folder / "test.jsonl", moods(64, 1))


def test_the_stage_keeps_the_contract(base: Path, mood: tuple[Path, Path], tmp_path: Path) -> None:
    run = check_stage(finetune, config(base, *mood, epochs=2, labels=24, checkpoint_every=16), tmp_path, kills=3)
    assert run.value("train items") == 24
    steps = [row["step"] for row in run.rows() if "test/accuracy" in row]
    assert steps == [3, 6], "a point of the curve after each epoch"
    model, _ = load_run(run.path)
    assert model.config.vocab_size == 303
    assert model.config.scores == 2


def test_the_lstm_keeps_the_contract(shards: Path, tmp_path: Path) -> None:
    shape = LstmConfig(vocab_size=300, context_length=16, d_model=8, units=12)
    settings = finetune_lstm.Config(
        shards=shards, model=shape, tokens=1024, batch_tokens=128, device=Device(), log_every=1, checkpoint_every=256
    )
    run = check_stage(finetune_lstm, settings, tmp_path, kills=2)
    assert run.value("n_params") == shape.n_params
    losses = [row["train/loss"] for row in run.rows() if "train/loss" in row]
    assert losses[-1] < losses[0]


SETS: dict[str, tuple[Callable[[int, int], list[dict[str, Any]]], dict[str, Any]]] = {
    "classification": (moods, {}),
    "entailment": (pairs, {}),
    "similarity": (pairs, {"form": "similarity"}),
    "choice": (questions, {}),
}


@pytest.mark.parametrize("name", SETS)
def test_a_separable_set_is_learnt(base: Path, tmp_path: Path, name: str) -> None:
    rows, changes = SETS[name]
    train, test = write_rows(tmp_path / "train.jsonl", rows(400, 0)), write_rows(tmp_path / "test.jsonl", rows(100, 1))
    run = finetune.run(config(base, train, test, epochs=8, **changes), tmp_path / "run")
    assert run.value("form") == name
    found = run.results()["accuracy"]
    assert found["value"] > 0.9
    assert found["lo"] < found["value"] <= found["hi"]
    assert found["n"] == 100
    assert found["value"] > run.value("commonest label") + 0.2


def test_numbers_are_learnt_and_judged_by_correlation(base: Path, tmp_path: Path) -> None:
    rows = [[row | {"label": 2.0 if row["label"] == "high" else -1.5} for row in moods(200, s)] for s in (0, 1)]
    files = [write_rows(tmp_path / f"{side}.jsonl", some) for side, some in zip(("train", "test"), rows, strict=True)]
    run = finetune.run(config(base, *files, numbers=True, epochs=6), tmp_path / "run")
    assert run.value("pearson") > 0.9
    assert run.value("spearman") > 0.8
    assert "accuracy" not in run.results()


def test_an_lstm_is_fine_tuned_too(lstm: Path, tmp_path: Path) -> None:
    train, test = (write_rows(tmp_path / f"{side}.jsonl", moods(400, seed)) for seed, side in enumerate("ab"))
    optim = QUICK.model_copy(update={"lr": 3e-2})
    run = finetune.run(config(lstm, train, test, epochs=10, optim=optim), tmp_path / "run")
    assert run.value("accuracy") > 0.85
    written = run.read_json("config.json")["config"]
    assert written["lstm"]["vocab_size"] == 303
    assert written["model"] is None


def test_without_a_base(shards: Path, mood: tuple[Path, Path], tmp_path: Path) -> None:
    shape = tiny_run(shards).model
    settings = config(shards, *mood, epochs=1).model_copy(update={"base": None, "model": shape, "tokenizer": shards})
    run = finetune.run(settings, tmp_path / "run")
    assert run.value("n_params") == shape.n_params + 2 * 3 * 16 + 2 * 17


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a signal would, in the middle of an epoch."""
    real, calls = clip_gradients, [0]

    def clip(*arguments: Any) -> float:
        calls[0] += 1
        if calls[0] == step:
            signal.raise_signal(signal.SIGTERM)
        return real(*arguments)

    monkeypatch.setattr(loop, "clip_gradients", clip)


@pytest.mark.parametrize("name", ["base", "lstm"])
def test_a_stopped_run_goes_on_to_the_same_bits(
    name: str, mood: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    settings = config(request.getfixturevalue(name), *mood, epochs=2, dropout=0.1)
    finetune.run(settings, tmp_path / "whole")
    stop_at(5, monkeypatch)
    with pytest.raises(Stopped):
        finetune.run(settings, tmp_path / "stopped")
    monkeypatch.undo()
    torch.manual_seed(99)
    finetune.run(settings, tmp_path / "stopped", resume=True)
    assert outcome(tmp_path / "stopped") == outcome(tmp_path / "whole")


def test_the_seed_changes_the_run_and_nothing_else_does(base: Path, mood: tuple[Path, Path], tmp_path: Path) -> None:
    variants: list[tuple[int, dict[str, Any]]] = [(0, {}), (0, {"log_every": 5}), (1, {})]
    runs = [
        finetune.run(config(base, *mood, epochs=1, seed=seed, **more), tmp_path / f"{place}")
        for place, (seed, more) in enumerate(variants)
    ]
    tables = [(run.path / "tables" / "predictions.csv").read_text() for run in runs]
    assert tables[0] == tables[1] != tables[2]


def test_an_ablation_is_another_run(base: Path, mood: tuple[Path, Path], tmp_path: Path) -> None:
    changes: dict[str, dict[str, Any]] = {
        "whole": {},
        "no auxiliary": {"auxiliary": 0.0},
        "transfer 0": {"transfer": 0},
        "scratch": {"pretrained": False},
    }
    losses = {}
    for name, more in changes.items():
        run = finetune.run(config(base, *mood, epochs=1, labels=32, **more), tmp_path / name)
        losses[name] = next(row["train/loss"] for row in run.rows() if "train/loss" in row)
    assert len(set(losses.values())) == 4
    assert losses["no auxiliary"] < 1 < losses["whole"]


def test_predictions_and_the_commonest_label(base: Path, mood: tuple[Path, Path], tmp_path: Path) -> None:
    run = finetune.run(config(base, *mood, epochs=2), tmp_path / "run")
    with open(run.path / "tables" / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = [json.loads(line)["label"] for line in mood[1].read_text().splitlines()]
    assert [row["label"] for row in rows] == wanted
    right = [row["label"] == row["predicted"] for row in rows]
    assert [row["right"] for row in rows] == [str(int(one)) for one in right]
    assert run.value("accuracy") == pytest.approx(sum(right) / len(right))
    train = [json.loads(line)["label"] for line in mood[0].read_text().splitlines()]
    common = max(sorted(set(train)), key=train.count)
    assert run.value("commonest label") == pytest.approx(wanted.count(common) / len(wanted))


def test_the_plan_says_what_will_be(base: Path, mood: tuple[Path, Path]) -> None:
    assert config(base, *mood, epochs=2).plan() == {
        "set": "train",
        "form": "classification",
        "held out": "test.jsonl",
        "training items": 96,
        "held-out items": 64,
        "updates": 24,
    }


def test_what_does_not_fit_is_cut_counted_and_told(base: Path, tmp_path: Path) -> None:
    rows = [{"text": "stone river " * 9 if place % 2 else "to", "label": place % 2} for place in range(16)]
    file = write_rows(tmp_path / "rows.jsonl", rows)
    run = finetune.run(config(base, file, file, epochs=1, context=12), tmp_path / "run")
    assert run.value("test items cut") == run.value("train items cut") == 8
    assert run.value("longest sequence") == 12
    assert run.value("train tokens cut") > 8


def test_fewer_labels_are_drawn_and_validation_is_from_training(mood: tuple[Path, Path]) -> None:
    data = own(*mood, None, False)
    few, more = data.fewer(10, 5, 0), data.fewer(20, None, 0)
    assert {item.id for item in few.train} < {item.id for item in more.train}
    assert len(few.test) == 5
    assert {item.id for item in data.fewer(10, None, 1).train} != {item.id for item in few.train}
    judged = data.validated(0.25)
    assert {item.id for item in judged.train} | {item.id for item in judged.test} == {item.id for item in data.train}
    assert not {item.id for item in judged.train} & {item.id for item in judged.test}
    assert 10 <= len(judged.test) <= 40


# ---- what is refused ------------------------------------------------------------------------------------------------

GOOD_ROW = '{"text": "a stone", "label": "x"}\n{"text": "a lamp", "label": "y"}\n'
BAD_FILES = {
    "not JSON": ("{", r"train\.jsonl:1: not JSON"),
    "no object": ("[1]\n", r"train\.jsonl:1: a JSON list, not an object"),
    "no text": (GOOD_ROW + '{"label": "x"}\n', r"train\.jsonl:3: no 'text'"),
    "no label": (GOOD_ROW + '{"text": "b"}\n', r"train\.jsonl:3: no 'label'"),
    "empty text": (GOOD_ROW + '{"text": " ", "label": "x"}\n', r"train\.jsonl:3: text: "),
    "a label that is true": (GOOD_ROW + '{"text": "b", "label": true}\n', r"train\.jsonl:3: label: True is no"),
    "one class": ('{"text": "a", "label": "x"}\n' * 2, "every label is 'x'"),
    "no rows": ("\n", "holds no rows"),
    "an id twice": (GOOD_ROW.replace('"text"', '"id": "i", "text"'), "the id 'i' appears twice"),
    "unknown keys": ('{"sentence": "a", "label": 0}\n', r"train\.jsonl:1: no 'text', no 'a' and 'b'"),
    "one choice": ('{"context": "c", "choices": ["a"], "label": 0}\n', "not a list of 2 or more"),
    "no such choice": ('{"context": "c", "choices": ["a", "b"], "label": 2}\n', r"label: 2 is none of 2 choices"),
    "no second text": ('{"a": "c", "label": 2}\n{"a": "c", "label": 1}\n', r"train\.jsonl:1: no 'b'"),
    "no number": ('{"text": "c", "label": "high"}\n', r"label: 'high' is no number"),
    "not finite": ('{"text": "c", "label": "nan"}\n', r"label: 'nan' is no finite number"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    text, message = BAD_FILES[name]
    path = tmp_path / "train.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        own(path, path, None, name in ("no number", "not finite"))


def test_a_label_that_was_not_trained_on_is_refused(tmp_path: Path) -> None:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    train.write_text(GOOD_ROW)
    test.write_text('{"text": "a", "label": "z"}\n')
    with pytest.raises(DataError, match=r"test\.jsonl:1: label: the label 'z' is in no training row \(labels: x, y\)"):
        own(train, test, None, False)


BAD_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "a set and files": ({"task": "sst2"}, "either a task, or train and test"),
    "no test": ({"test": ""}, "either a task, or train and test"),
    "nothing to begin with": ({"base": None}, "without a base, a tokenizer and either a model or an lstm"),
    "an unknown set": ({"train": "", "test": "", "task": "sst22"}, "did you mean 'sst2'"),
    "more blocks than there are": ({"transfer": 2}, "2 blocks of 1 cannot be kept"),
    "too long a context": ({"context": 17}, "17 tokens, the model's context is 16"),
    "choices as numbers": ({"numbers": True, "form": "choice"}, "choices have no number"),
}


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_settings_that_do_not_fit_are_refused(name: str, base: Path, mood: tuple[Path, Path], tmp_path: Path) -> None:
    changes, message = BAD_SETTINGS[name]
    plain = config(base, *mood).model_dump(mode="json")
    with pytest.raises(PresageError, match=message):
        finetune.run(finetune.Config.parse(plain | changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_files_that_changed_stop_a_resumed_run(
    base: Path, mood: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [Path(shutil.copy(path, tmp_path / path.name)) for path in mood]
    settings = config(base, *files, epochs=1)
    stop_at(3, monkeypatch)
    with pytest.raises(Stopped):
        finetune.run(settings, tmp_path / "run")
    monkeypatch.undo()
    write_rows(files[0], moods(96, 7))
    with pytest.raises(RunError, match="have changed since it began"):
        finetune.run(settings, tmp_path / "run", resume=True)


# ---- public sets ----------------------------------------------------------------------------------------------------

COUNTS = {
    "sst2": (6920, 1821, 2),
    "cola": (8551, 1043, 2),
    "mrpc": (4076, 1725, 2),
    "rte": (2490, 277, 2),
    "arc_easy": (2251, 2376, 1),
    "arc_challenge": (1119, 1150, 1),
}


@pytest.mark.skipif(not DATA.is_dir(), reason="the public files (../shared/data) are not here")
@pytest.mark.parametrize("name", NAMED)
def test_public_sets_are_whole(name: str) -> None:
    data = named(name, DATA)
    train, test, scores = COUNTS[name]
    assert (len(data.train), len(data.test), data.scores) == (train, test, scores)
    assert data.asking is not None
    assert [one.id for one in data.asking.examples] == [item.id for item in data.test]
    assert all(path.is_file() for path in data.files)
    assert len(data.train[0].parts) == (2 if data.form in ("similarity", "entailment") else 1)


@pytest.mark.skipif(not DATA.is_dir(), reason="the public files (../shared/data) are not here")
def test_the_base_is_asked_the_same_items(base: Path, tmp_path: Path) -> None:
    common = {"train": "", "test": "", "data": str(DATA), "labels": 8, "test_items": 20, "epochs": 1}
    for name, metrics in {"sst2": ["accuracy"], "cola": ["matthews", "area"], "mrpc": ["accuracy", "f1"]}.items():
        plain = config(base, Path("a"), Path("b")).model_dump(mode="json")
        settings = finetune.Config.parse(plain | common | {"task": name, "asked": (0, 1)})
        run = finetune.run(settings, tmp_path / name)
        rows = run.read_table("compared")
        shots = [] if name == "cola" else [("1 shots", metric) for metric in metrics]
        own_metrics = [("fine-tuned", metric) for metric in NAMED[name].metrics]
        expected = [("zero-shot", metric) for metric in metrics] + shots + own_metrics
        assert [(row["how"], row["metric"]) for row in rows] == expected
        assert {row["n"] for row in rows} == {"20"}


def test_the_papers_numbers_are_the_defaults() -> None:
    fields = finetune.Config.model_fields
    assert [fields[name].default for name in ("epochs", "batch", "auxiliary", "classifier_dropout", "warmup")] == [
        3, 32, 0.5, 0.1, 0.002,
    ]  # fmt: skip
    optim: OptimConfig = fields["optim"].default
    assert (optim.lr, optim.beta1, optim.beta2, optim.eps, optim.weight_decay) == (6.25e-5, 0.9, 0.999, 1e-8, 0.01)
    assert not optim.transfer
    assert fields["schedule"].default.kind == "linear"
    assert QUICK.kind == optim.kind == "adamw"


def test_an_unfinished_base_is_refused(base: Path, mood: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "base")
    (tmp_path / "base" / "DONE").unlink()
    (tmp_path / "shards").symlink_to(base.with_name("shards"))
    with pytest.raises(RunError, match="not finished"):
        finetune.run(config(tmp_path / "base", *mood), tmp_path / "run")
    assert RunDir(base).done


def test_the_loss_of_the_curve_is_that_of_the_predictions(base: Path, mood: tuple[Path, Path], tmp_path: Path) -> None:
    run = finetune.run(config(base, *mood, epochs=1), tmp_path / "run")
    rows = run.read_table("predictions")
    chances = [float(row["values"].split()[row["label"] == "low"]) for row in rows]  # high, low: in order of the names
    last = [row for row in run.rows() if "test/loss" in row][-1]
    assert last["test/loss"] == pytest.approx(-sum(map(math.log, chances)) / len(chances), rel=1e-4)
    assert last["test/accuracy"] == pytest.approx(run.value("accuracy"))


def test_an_lstm_is_not_asked(lstm: Path, tmp_path: Path) -> None:
    if not DATA.is_dir():
        pytest.skip("the public files (../shared/data) are not here")
    plain = config(lstm, Path("a"), Path("b")).model_dump(mode="json")
    changes = {"train": "", "test": "", "task": "rte", "data": str(DATA), "labels": 8, "test_items": 8, "asked": (0,)}
    run = finetune.run(finetune.Config.parse(plain | changes | {"epochs": 1}), tmp_path / "run")
    assert [row["how"] for row in run.read_table("compared")] == ["fine-tuned"]
    assert run.value("test items cut") > 0


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent"):
        own(tmp_path / "absent.jsonl", tmp_path / "absent.jsonl", None, False)
    with pytest.raises(DataError, match=r"no file SST2_test\.tsv"):
        named("sst2", tmp_path)
