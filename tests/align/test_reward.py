"""The reward model: ranks are learned, ties teach nothing, K completions are an element, demonstrations are at zero."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from presage.align import reward
from presage.align.reading import answered, compared_scores, last_scores, rewards
from presage.align.records import Preference
from presage.align.reward_report import Scored, calibration, write_accuracy
from presage.core.config import Config
from presage.core.errors import DataError
from presage.core.run import RunDir
from presage.core.seeds import stream
from presage.data.bpe import Tokenizer
from presage.data.verbs import Message
from presage.model.config import qwen3
from presage.model.transformer import build, with_scores
from presage.model.weights import load_run
from tests.align.small import ANSWERS, demonstrations, make_base, reward_config, write_rows
from tests.tiny import outcome, weights


class Nothing(Config):
    """The config of a run that a test writes by hand."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base"))


def test_the_better_answer_has_the_higher_reward(base: Path, tmp_path: Path) -> None:
    run = reward.run(reward_config(base, tmp_path), tmp_path / "run")
    assert run.value("accuracy") == 1.0 and run.results()["accuracy"]["n"] == 24 * 5  # of six pairs one is a tie
    assert run.value("without_pairs") == 0 and run.value("cut") == 0
    rows = run.read_table("rewards")
    assert len(rows) == 24 * 4 and {row["rank"] for row in rows} == {"1", "2", "3"}


def test_demonstrations_have_a_mean_of_zero(base: Path, tmp_path: Path) -> None:
    shown = demonstrations(tmp_path / "shown.jsonl")
    for settings, out in (({}, "best"), ({"demonstrations": (shown,)}, "shown")):
        run = reward.run(reward_config(base, tmp_path, epochs=3.0, **settings), tmp_path / out)
        model, vocabulary = load_run(run.path)
        tokenizer = Tokenizer.load(vocabulary)
        texts = [answered(tokenizer, [Message("user", f"Say {key}")], said, 48)[0] for key, said in ANSWERS.items()]
        assert rewards(model, texts).mean().item() == pytest.approx(0, abs=1e-5)


def test_resumed_it_is_the_same_to_the_bit(base: Path, tmp_path: Path) -> None:
    settings = reward_config(base, tmp_path, epochs=4.0, checkpoint_every=500)
    whole, broken = reward.run(settings, tmp_path / "whole"), tmp_path / "broken"
    reward.run(settings, broken)
    for name in ("DONE", "result.json"):
        (broken / name).unlink()
    (sorted((broken / "checkpoints").iterdir())[-1] / "MANIFEST").unlink()
    again = reward.run(settings, broken, resume=True)
    assert outcome(again.path) == outcome(whole.path) and weights(again.path) == weights(whole.path)


def test_killed_after_the_bias_was_set_it_is_set_once(base: Path, tmp_path: Path) -> None:
    settings = reward_config(base, tmp_path, epochs=2.0)
    run = reward.run(settings, tmp_path / "run")
    before = weights(run.path)
    (run.path / "DONE").unlink()
    again = reward.run(settings, tmp_path / "run", resume=True)
    one, other = (load_run(path)[0].score for path in (run.path, again.path))
    assert one is not None and other is not None and torch.allclose(one.bias, other.bias, atol=1e-6)
    assert before[1] == weights(again.path)[1]


def test_loss_is_the_mean_over_pairs_summed_over_prompts() -> None:
    model = with_scores(build(qwen3(300, 16, 1, 16), 0), 1, 3)
    elements = [
        ([9, 8], [[1, 2, 3], [4, 5], [6]], [(0, 1), (0, 2), (1, 2)]),
        ([7, 7, 7, 1], [[7, 8], [9, 10, 11]], [(1, 0)]),
    ]
    alone = [[last_scores(model, [prompt + text])[0, 0].item() for text in said] for prompt, said, _ in elements]
    naive = sum(
        sum(math.log1p(math.exp(-(r[a] - r[b]))) for a, b in pairs) / len(pairs)
        for r, (_, _, pairs) in zip(alone, elements, strict=True)
    )
    loss, n = reward.pair_loss(model, elements)
    assert n == 2 and loss.item() == pytest.approx(naive, rel=1e-5)


@pytest.mark.parametrize("changes", [{}, {"band": 4}, {"position": "learned"}], ids=["rope", "banded", "learned"])
def test_a_prompt_read_once_gives_the_scores_and_gradients_of_each_apart(changes: dict[str, object]) -> None:
    model = with_scores(build(qwen3(300, 24, 2, 16, **changes), 0), 2, 3)
    chance = stream(0, "compared")
    elements = [
        (chance.integers(300, size=p).tolist(), [chance.integers(300, size=n).tolist() for n in sizes])
        for p, sizes in ((9, (1, 12, 5)), (0, (3, 4)), (15, (9, 9, 9, 2)))
    ]
    found = []
    for read in (compared_scores, lambda m, e: last_scores(m, [[*p, *said] for p, some in e for said in some])):
        scores = read(model, elements)
        gradients = torch.autograd.grad(scores.square().sum(), [model.blocks[0].mlp.down.weight, model.embed.weight])
        found.append((scores, *gradients))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*found, strict=True))


def test_filling_and_company_change_no_reward() -> None:
    model = with_scores(build(qwen3(300, 32, 2, 16), 0), 1, 3)
    texts = [list(range(1, n)) for n in (2, 9, 30, 4, 4)]
    alone = torch.cat([rewards(model, [text]) for text in texts])
    assert torch.allclose(rewards(model, texts), alone, atol=1e-6)
    assert torch.allclose(rewards(model, texts, batch_tokens=10), alone, atol=1e-6)


def test_odds_that_are_right_are_calibrated_and_a_guess_is_not() -> None:
    ahead = [math.log(3)] * 3 + [-math.log(3)]  # sure to 3/4, and right three times of four
    rows, error = calibration(ahead)
    assert error == pytest.approx(0) and rows[0]["confidence"] == pytest.approx(0.75)
    assert calibration([8.0, -8.0])[1] == pytest.approx(0.5, abs=1e-3)
    assert calibration([1e9, 1e9])[1] == pytest.approx(0)


def test_length_bias_is_told(tmp_path: Path) -> None:
    """A model that always prefers the longer answer."""
    records = [
        Preference((Message("user", "?"),), ("long", "short"), (1, 2), id="a", category="x"),
        Preference((Message("user", "!"),), ("short", "long"), (1, 2), id="b"),
    ]
    scored = [Scored(records[0], [2.0, 1.0], [9, 3], [(0, 1)]), Scored(records[1], [1.0, 2.0], [3, 9], [(0, 1)])]
    with RunDir.create(tmp_path / "run", "toy", Nothing()) as run:
        write_accuracy(run, scored)
        found = {name: entry["value"] for name, entry in run.results().items()}
    assert found["accuracy"] == 0.5 and found["length correlation"] == pytest.approx(1)
    assert (found["accuracy/better is longer"], found["accuracy/better is shorter"]) == (1.0, 0.0)
    assert [row["of"] for row in run.read_table("accuracy")] == [
        "all", "no category", "x", "better is longer", "better is shorter"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"prompt": "a", "completions": ["b", "c"], "ranks": [1, 1]},
            "none of 1 prompts to train on has two completions of different ranks",
        ),
        ({"prompt": "a", "completions": ["b"], "ranks": [1]}, "one completion"),
        ({"prompt": "", "completions": ["b", "c"], "ranks": [1, 2]}, "prompt"),
        ({"prompt": "a", "completions": ["b", "c"], "ranks": [1]}, "1 ranks of 2 completions"),
    ],
)
def test_bad_rankings_in_one_line(base: Path, tmp_path: Path, row: dict[str, object], said: str) -> None:
    data = write_rows(tmp_path / "data.jsonl", [row])
    with pytest.raises(DataError, match=said) as caught:
        reward.run(reward_config(base, tmp_path, data=(data,), held_out=(data,)), tmp_path / "run")
    assert "data.jsonl" in str(caught.value) and not (tmp_path / "run").exists()


def test_long_conversations_lose_their_beginning_and_are_counted(base: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"{n} " + "long " * 40, "completions": ["a ladder", "runs"], "ranks": [1, 2]} for n in range(4)]
    data = write_rows(tmp_path / "data.jsonl", rows)
    settings = reward_config(base, tmp_path, data=(data,), held_out=(data,), epochs=1.0)
    assert reward.run(settings, tmp_path / "run").value("cut") == 4


def test_dialogues_of_hh_are_read(base: Path, tmp_path: Path) -> None:
    def dialogue(answer: str) -> str:
        return f"\n\nHuman: Say one\n\nAssistant: {answer}"

    rows = [{"chosen": dialogue("a ladder"), "rejected": dialogue("runs")}] * 4
    rows.append({"chosen": dialogue("a"), "rejected": "\n\nHuman: Other\n\nAssistant: b"})
    data = tmp_path / "hh.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = reward.run(
        reward_config(base, tmp_path, data=(data,), held_out=(data,), format="hh", epochs=30.0), tmp_path / "run"
    )
    assert run.value("accuracy") == 1.0 and run.value("unread") == 2
