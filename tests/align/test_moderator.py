"""Judges of the usage policy: a fine-tuned classifier, any model's yes or no, a rubric."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest

from presage.align import finetune
from presage.align.moderator import is_classifier, moderator
from presage.core.errors import ConfigError
from presage.serve.policy import Case
from presage.train import pretrain
from tests.align.finetuning import BAD, GOOD, config, moods, write_rows
from tests.tiny import make_shards, tiny_run
from tests.toy_model import ToyModel


def test_a_fine_tuned_classifier_is_a_judge(tmp_path: Path) -> None:
    shards = make_shards(tmp_path / "base", files=12).path
    base = pretrain.run(tiny_run(shards, steps=3), tmp_path / "pretrained").path
    train, test = (write_rows(tmp_path / f"{side}.jsonl", moods(300, seed)) for seed, side in enumerate("ab"))
    run = finetune.run(config(base, train, test, epochs=6), tmp_path / "run").path
    assert is_classifier(run) and not is_classifier(base)
    judge = moderator(run, None, None, "high")
    cases = [Case(f"stone {word} river {'lamp ' * place}") for place, word in enumerate((*GOOD, *BAD))]
    cases.append(Case("kind", "sour"))
    together = judge.scores(cases)
    assert [scores["low"] > 0.5 for scores in together] == [False] * 3 + [True] * 4
    assert all(judge.scores([case])[0]["low"] == pytest.approx(scores["low"], abs=1e-5)
               for case, scores in zip(cases, together, strict=True))  # fmt: skip
    with pytest.raises(ConfigError, match="no label 'fine'"):
        moderator(run, None, None, "fine")


def test_any_model_is_asked_yes_or_no_of_each_class(tmp_path: Path) -> None:
    toy = ToyModel(
        lambda prompt, text: -1.0 if (text == " yes") == ("knife" in prompt and "violence" in prompt) else -4.0
    )
    found = moderator(tmp_path, toy, None, "").scores([Case("a knife"), Case("bread"), Case("a knife", "bread")])
    assert found[0]["violence"] == pytest.approx(0.9526, abs=1e-3) and found[0]["hate"] < 0.05
    assert max(found[1].values()) < 0.05 and max(found[2].values()) < 0.05
    with pytest.raises(ConfigError, match="no log-probabilities"):
        moderator(tmp_path, ToyModel(has_likelihood=False), None, "")


def test_a_rubric_is_answered_of_answers(tmp_path: Path) -> None:
    text = files("presage.align").joinpath("rubrics/refusal_style.md").read_text(encoding="utf-8")
    (tmp_path / "rubric.md").write_text(text)
    lines = text.splitlines()
    bad = next(line[1] for line in lines if line.startswith("(") and ") disallowed:" in line)
    fine = next(line[1] for line in lines if line.startswith("(") and ") answer:" in line)
    toy = ToyModel(write=lambda prompt, _: bad if "knife" in prompt else fine if "bread" in prompt else "hm")
    judge = moderator(tmp_path, toy, tmp_path / "rubric.md", "")
    found = judge.scores([Case("a knife"), Case("a", "knife"), Case("a", "bread"), Case("a", "what?")])
    assert [next(iter(scores.values())) for scores in found] == [0.0, 1.0, 0.0, 1.0]
