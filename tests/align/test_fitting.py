"""What does not belong together is refused in one line, before a run directory is made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from presage.align import reward, rl, sft
from presage.align.fitting import check_ids
from presage.core.errors import ConfigError, DataError, PresageError, RunError
from presage.core.run import RunDir
from presage.data import corpus, shards, tokenizer
from presage.data.verbs import Decoding, Generation
from presage.infer.opening import open_model
from tests.align.small import demonstrations, make_base, reward_config, rl_config, sft_config, write_rows


class Lab(NamedTuple):
    base: Path
    shards: Path
    sft: Path
    reward: Path
    other: Path
    """Shards of the same text in as many other tokens."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    folder = tmp_path_factory.mktemp("lab")
    base = make_base(folder)
    assistant = sft.run(sft_config(base, folder, epochs=4.0), folder / "sft").path
    judge = reward.run(reward_config(assistant, folder, epochs=2.0), folder / "reward").path
    texts = folder / "other-texts"
    texts.mkdir()
    for name in "abcdefgh":
        (texts / f"{name}.txt").write_text(
            f"quite another vocabulary {name}: zebras juggle quarks while foxes hum quietly; " * 50
        )
    source = corpus.Source(name="other", paths=(str(texts),))
    corpus.run(corpus.Config(sources=(source,)), folder / "other-corpus")
    tokenizer.run(tokenizer.Config(corpus=folder / "other-corpus", vocab_size=300), folder / "other-tokenizer")
    config = shards.Config(corpus=folder / "corpus", tokenizer=folder / "other-tokenizer", shard_tokens=4096)
    other = shards.run(config, folder / "other").path
    return Lab(base, folder / "shards", assistant, judge, other)


def refused(stage: Callable[..., object], config: object, out: Path, said: str, kind: type[PresageError]) -> None:
    with pytest.raises(kind, match=said):
        stage(config, out)
    assert not out.exists()


def test_text_in_other_tokens_is_refused(lab: Lab, tmp_path: Path) -> None:
    config = sft_config(lab.base, tmp_path, shards=lab.other, pretraining_share=0.3)
    refused(sft.run, config, tmp_path / "run", "its tokenizer is not that of", ConfigError)
    policy = rl_config(lab.sft, tmp_path, reward=lab.reward, ptx={"shards": lab.other})
    refused(rl.run, policy, tmp_path / "run", "its tokenizer is not that of", ConfigError)
    check_ids(lab.base.parent / "tokenizer/artifacts/tokenizer.json", lab.sft / "artifacts/tokenizer.json", lab.sft)


def test_a_reward_model_of_other_tokens_is_refused(lab: Lab, tmp_path: Path) -> None:
    judge = tmp_path / "judge"
    reward.run(reward_config(lab.sft, tmp_path, epochs=1.0), judge)
    kept = judge / "artifacts/tokenizer.json"
    kept.write_bytes((lab.other / "artifacts/tokenizer.json").read_bytes())
    refused(rl.run, rl_config(lab.sft, tmp_path, reward=judge), tmp_path / "run", "its tokenizer is not", ConfigError)


def test_what_scores_does_not_write_and_what_writes_does_not_score(lab: Lab, tmp_path: Path) -> None:
    out, said = tmp_path / "run", "a model of rewards, which writes nothing"
    refused(rl.run, rl_config(lab.reward, tmp_path, reward=lab.reward), out, said, ConfigError)
    refused(sft.run, sft_config(lab.reward, tmp_path), out, said, ConfigError)
    refused(reward.run, reward_config(lab.reward, tmp_path), out, said, ConfigError)
    judged = rl_config(lab.sft, tmp_path, rules={"judge": str(lab.reward), "weight": 1.0})
    refused(rl.run, judged, out, said, ConfigError)
    refused(rl.run, rl_config(lab.sft, tmp_path, reward=lab.sft), out, "a 'reward' run is needed", RunError)
    assert open_model(str(lab.sft)).generate([Generation("a", Decoding(max_tokens=1))])


def test_demonstrations_are_read_before_anything_is_trained(lab: Lab, tmp_path: Path) -> None:
    wrong = write_rows(tmp_path / "wrong.jsonl", [{"prompt": "a"}])
    config = reward_config(lab.sft, tmp_path, demonstrations=(wrong,))
    refused(reward.run, config, tmp_path / "run", r"wrong\.jsonl:1", DataError)
    with pytest.raises(DataError):
        config.plan()


def test_rules_alone_weigh_one_and_are_heard(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"id": key, "prompt": f"Say {key}", "kind": "disallowed"} for key in ("one", "two", "three")]
    asked = write_rows(tmp_path / "asked.jsonl", rows)
    config = rl_config(lab.sft, tmp_path, prompts=(asked,), rules={"judge": "refusals"}, steps=1)
    run = rl.run(config, tmp_path / "run")
    assert run.value("rules/weight") == 1.0 and run.value("reward/rules") != 0.0
    assert run.value("rules/invalid") == 0.0


def test_rules_that_tell_nothing_apart_are_told_of(
    lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"id": "a", "prompt": "Say one", "kind": "disallowed"}]
    asked = write_rows(tmp_path / "asked.jsonl", rows)
    config = rl_config(lab.sft, tmp_path, prompts=(asked,), reward=lab.reward, rules={"judge": "refusals"}, steps=1)
    assert rl.run(config, tmp_path / "run").value("rules/weight") == 1.0
    assert "tell none of the starting policy's answers apart" in capsys.readouterr().err


def test_demonstrations_left_out_are_told_of(lab: Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long = demonstrations(tmp_path / "long.jsonl", {"one": "a ladder of runs " * 9, "two": "a ladder"}, copies=2)
    run = sft.run(sft_config(lab.base, tmp_path, data=(long,), held_out=(), epochs=1.0), tmp_path / "run")
    assert f"{run.value('too_long')} of {run.value('demonstrations')} demonstrations do not" in capsys.readouterr().err


def test_a_run_that_diverges_says_so_in_one_line(lab: Lab, tmp_path: Path) -> None:
    config = rl_config(lab.sft, tmp_path, reward=lab.reward, value_optim={"lr": 1e30, "adam_lr": 1e30})
    with pytest.raises(PresageError, match=r"not a finite number|not finite or exploded|a reward of nan"):
        rl.run(config, tmp_path / "run")
    assert not RunDir(tmp_path / "run").done
