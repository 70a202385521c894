"""Learning from rewards: exact at step zero, the optimum of a small world, parts that add up, resume to the bit."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from presage.align import reward, rl, sft
from presage.align.fitting import reward_model
from presage.align.grading import Grader
from presage.align.learners import LEARNERS, NAMES, Name, Objective
from presage.align.policy import Models, Update, kl_of
from presage.align.prompts import Asked
from presage.align.rollout import Rollout, batch_of, roll, seeds_of, spoken, valued
from presage.core.config import Config
from presage.core.errors import DataError, PresageError, RunError
from presage.core.run import RunDir
from presage.core.seeds import stream
from presage.data.bpe import Tokenizer
from presage.data.verbs import Message
from presage.model.config import qwen3
from presage.model.transformer import Transformer, build, with_scores
from presage.model.weights import load_run
from presage.train.optim import OptimConfig, Optimizer
from presage.train.state import TrainState
from tests.align.small import make_base, reward_config, rl_config, sft_config, write_rows
from tests.tiny import newest_checkpoint, outcome, rows, weights

VOCAB, EOT = 6, 0
PROMPT = [5, 4]
"""Two tokens: behind one alone, the same token again would leave attention where it was."""
SHAPE = qwen3(VOCAB, 16, 1, 32)
CPU = torch.device("cpu")


class Nothing(Config):
    """The config of a run that a test writes by hand."""


def models(*, value: bool = True, seed: int = 0, lr: float = 0.003) -> Models:
    policy, reference = build(SHAPE, seed).eval(), build(SHAPE, seed).eval().requires_grad_(False)
    optim = OptimConfig(kind="adamw", lr=lr, weight_decay=0.0, transfer=False)
    found = Models(policy, Optimizer(policy, optim), reference)
    if value:
        found.value = with_scores(reference, 1, seed).requires_grad_(True).eval()
        found.value_optimizer = Optimizer(found.value, optim)
    return found


def update(name: Name = "ppo", **changes: Any) -> Update:
    objective = Objective(name=name, group=1 if name == "ppo" else 4)
    values: dict[str, Any] = {"epochs": 1, "minibatch": 32, "group": objective.group, "grad_clip": 1.0}
    values |= {"value_clip": 0.2, "ptx": 0.0, "windows": 0, "mean_decay": None, "seed": 0}
    return Update(learner=LEARNERS[name](objective), **(values | changes))


def rollouts(policy: Transformer, count: int, most: int = 4, step: int = 0) -> list[Rollout]:
    return roll(policy, [PROMPT] * count, most, 1.0, seeds_of(0, step, count), EOT)


# ---- step zero -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_before_the_first_update_the_ratio_is_one_and_kl_zero_exactly(name: Name) -> None:
    taking, learning = models(), update(name)
    scores = stream(0, "scores").random(32).tolist()
    batches = learning.batches(rollouts(taking.policy, 32), scores, taking, 0)
    assert kl_of(batches) == 0.0
    for batch in learning.learner.prepare(batches, beta=0.1):
        new, _ = spoken(taking.policy, batch)
        assert torch.equal(new, batch.old) and torch.equal(new, batch.reference)
        _, stats = learning.learner.loss(new, batch, 0.1)
        if name in ("ppo", "grpo"):
            assert stats == {"clip_fraction": 0.0, "approx_kl": 0.0, "ratio": 1.0}


def test_log_p_is_that_of_each_token_alone_whatever_stands_beside_it() -> None:
    taking = models()
    some = rollouts(taking.policy, 12)
    batch = batch_of(some, [0.0] * 12, CPU)
    together, values = spoken(taking.policy, batch)[0], valued(taking.value, batch)  # type: ignore[arg-type]
    for number, one in enumerate(some):
        ids = torch.tensor([one.ids])
        logp = taking.policy(ids[:, :-1]).log_softmax(-1).gather(-1, ids[:, 1:, None])[0, :, 0]
        count = len(one.completion)
        assert torch.allclose(together[number][batch.mask[number]], logp[-count:], atol=1e-5)
        alone = batch_of([one], [0.0], CPU)
        assert torch.allclose(
            values[number][batch.mask[number]],
            valued(taking.value, alone)[alone.mask],
            atol=1e-5,  # type: ignore[arg-type]
        )
        assert int(batch.mask[number].sum()) == count and not together[number][~batch.mask[number]].any()


@pytest.mark.parametrize("name", NAMES)
def test_how_a_step_is_cut_into_minibatches_changes_no_gradient(name: Name) -> None:
    """Their gradients, weighed by what each counts, add up to the whole step's."""
    taking = models()
    some, scores = rollouts(taking.policy, 16), stream(1, "scores").random(16).tolist()
    found = []
    for size in (16, 4):
        learning = update(name, minibatch=size)
        total: dict[str, torch.Tensor] = {}
        batches = learning.learner.prepare(learning.batches(some, scores, taking, 0), 0.1)
        counts = [float(one.mask.sum()) if name == "ppo" else float(len(one.tokens)) for one in batches]
        if name == "best":
            counts = [float((one.mask & (one.advantages[:, None] > 0)).sum()) for one in batches]
        for batch, count in zip(batches, counts, strict=True):
            learning.gradients(batch, taking, 0.1)
            for parameter, p in taking.policy.named_parameters():
                share = count / sum(counts)
                total[parameter] = total.get(parameter, torch.zeros_like(p)) + share * p.grad  # type: ignore[operator]
            taking.optimizer.zero_grad()
        found.append(total)
    assert all(torch.allclose(found[0][n], found[1][n], atol=1e-5) for n in found[0])


def test_the_gradient_of_ppo_ptx_is_the_sum_of_its_parts() -> None:
    taking, learning = models(), update(ptx=2.5, windows=3)
    batch = learning.learner.prepare(
        learning.batches(rollouts(taking.policy, 16), stream(0, "s").random(16).tolist(), taking, 0), 0.1
    )[0]
    text = torch.from_numpy(stream(0, "text").integers(VOCAB, size=(3, 13)))
    x, y = text[:, :-1], text[:, 1:]

    def gradient(loss: torch.Tensor) -> list[torch.Tensor]:
        return list(torch.autograd.grad(loss, list(taking.policy.parameters())))

    surrogate = gradient(learning.learner.loss(spoken(taking.policy, batch)[0], batch, 0.1)[0])
    plain = gradient(torch.nn.functional.cross_entropy(taking.policy(x).flatten(0, 1), y.flatten()))
    stats = learning.gradients(batch, taking, 0.1, (x, y))
    assert stats["ptx/loss"] > 0
    for parameter, one, other in zip(taking.policy.parameters(), surrogate, plain, strict=True):
        assert parameter.grad is not None and torch.allclose(parameter.grad, one + 2.5 * other, atol=1e-5)


# ---- a world whose optimum is known ----------------------------------------------------------------------------------

MOST, BETA = 2, 0.2
ENDINGS = [(EOT,), *((a, b) for a, b in itertools.product(range(1, VOCAB), range(VOCAB)))]
WORTH = dict(zip(ENDINGS, stream(3, "worth").normal(size=len(ENDINGS)).tolist(), strict=True))
"""What each of the 31 possible episodes of two tokens is worth."""


def chances(model: Transformer) -> torch.Tensor:
    """log P of every episode, by the definition."""
    with torch.no_grad():
        first = model(torch.tensor([PROMPT])).log_softmax(-1)[0, -1]
        second = model(torch.tensor([[*PROMPT, a] for a in range(VOCAB)])).log_softmax(-1)[:, -1]
    return torch.stack([first[e[0]] + (second[e[0], e[1]] if len(e) > 1 else 0.0) for e in ENDINGS]).double()


def objective(model: Transformer, reference: Transformer) -> float:
    """E[reward] − β KL(π, π_ref), exactly."""
    logp, logq = chances(model), chances(reference)
    return float((logp.exp() * (torch.tensor(list(WORTH.values())) - BETA * (logp - logq))).sum())


def test_a_small_world_is_solved_to_within_two_percent_of_its_optimum(tmp_path: Path) -> None:
    """The best that E[reward] − β KL can be is β log Σ π_ref exp(reward / β) (Ziegler et al. 2019, section 2)."""
    taking, learning = models(), update(epochs=2, minibatch=128)
    worth = torch.tensor(list(WORTH.values()), dtype=torch.float64)
    best = float(BETA * torch.logsumexp(chances(taking.reference) + worth / BETA, 0))
    begun = objective(taking.policy, taking.reference)
    state = TrainState(carried={"beta": BETA})
    with RunDir.create(tmp_path / "run", "toy", Nothing()) as run:
        for step in range(60):
            some = roll(taking.policy, [PROMPT] * 256, MOST, 1.0, seeds_of(0, step, 256), EOT)
            scores = [WORTH[tuple(one.completion)] for one in some]
            batches = learning.learner.prepare(learning.batches(some, scores, taking, step), BETA)
            learning.learn(batches, taking, state, max(0.1, 1 - step / 60), BETA, None, run)
            state.step += 1
    reached = objective(taking.policy, taking.reference)
    assert begun < 0.5 * best
    assert reached > 0.98 * best


@pytest.mark.parametrize("name", ["grpo", "best", "dpo"])
def test_the_other_objectives_earn_more_too(name: Name, tmp_path: Path) -> None:
    taking, learning = models(value=False), update(name, minibatch=64)
    state = TrainState(carried={"beta": BETA})
    means = []
    with RunDir.create(tmp_path / "run", "toy", Nothing()) as run:
        for step in range(30):
            some = roll(taking.policy, [PROMPT] * 128, MOST, 1.0, seeds_of(0, step, 128), EOT)
            scores = [WORTH[tuple(one.completion)] for one in some]
            means.append(sum(scores) / len(scores))
            batches = learning.learner.prepare(learning.batches(some, scores, taking, step), BETA)
            learning.learn(batches, taking, state, 1.0, BETA, None, run)
            state.step += 1
    assert means[-1] > means[0] + 0.5


# ---- the stage -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(an assistant, a reward model)."""
    folder = tmp_path_factory.mktemp("trained")
    base = make_base(folder)
    policy = sft.run(sft_config(base, folder, epochs=2.0), folder / "sft").path
    return policy, reward.run(reward_config(policy, folder, epochs=8.0), folder / "reward").path


def test_rewards_rise_and_everything_is_told(trained: tuple[Path, Path], tmp_path: Path) -> None:
    policy, rm = trained
    config = rl_config(policy, tmp_path, reward=rm, steps=12, batch_prompts=12, minibatch=6, samples=2)
    run = rl.run(config, tmp_path / "run")
    found = rows(run.path)
    assert found[-1]["reward"] > found[0]["reward"] and found[0]["kl"] == 0.0
    told = {"reward/model", "entropy", "policy/clip_fraction", "policy/approx_kl", "value/explained_variance", "beta"}
    assert told <= found[0].keys() and run.value("episodes") == 144
    assert len(list(run.rows("samples.jsonl"))) == 2 * 2  # steps 1 and 10
    assert load_run(run.path)[0].config == load_run(policy)[0].config


@pytest.mark.parametrize("changes", [
    {}, {"objective": {"name": "grpo", "group": 3}}, {"mean_decay": 0.9}, {"penalty": {"target": 0.5, "horizon": 50}}
], ids=["ppo", "grpo", "mean", "adaptive"])  # fmt: skip
def test_resumed_it_is_the_same_to_the_bit(trained: tuple[Path, Path], tmp_path: Path, changes: dict[str, Any]) -> None:
    policy, rm = trained
    shards = policy.parent / "shards"
    config = rl_config(policy, tmp_path, reward=rm, checkpoint_every=1, ptx={"shards": shards, "windows": 2}, **changes)
    whole, broken = rl.run(config, tmp_path / "whole"), tmp_path / "broken"
    rl.run(config, broken)
    for name in ("DONE", "result.json"):
        (broken / name).unlink()
    (newest_checkpoint(broken) / "MANIFEST").unlink()  # a kill before the last checkpoint was whole
    again = rl.run(config, broken, resume=True)
    assert outcome(again.path) == outcome(whole.path) and weights(again.path) == weights(whole.path)


def test_the_reward_model_is_read_once_and_not_what_the_values_learn_on(
    trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Transformer] = []
    monkeypatch.setattr(rl, "reward_model", lambda *given: read.append(reward_model(*given)) or read[-1])
    policy, rewards = trained
    before = [one.clone() for one in reward_model(rewards, policy / "artifacts" / "tokenizer.json").parameters()]
    rl.run(rl_config(policy, tmp_path, reward=rewards, steps=2), tmp_path / "rl")
    (one,) = read
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), before, strict=True))


def test_training_ends_where_kl_leaves_its_bound(trained: tuple[Path, Path], tmp_path: Path) -> None:
    policy, rm = trained
    config = rl_config(policy, tmp_path, reward=rm, steps=30, penalty={"beta": 0.0, "stop": 0.05})
    run = rl.run(config, tmp_path / "run")
    assert run.value("stopped_by_kl") == 1 and run.value("steps") < 30
    assert rows(run.path)[-1]["kl"] > 0.05 and "policy/loss" not in rows(run.path)[-1]


def test_rules_are_weighed_once_and_reward_what_is_known(trained: tuple[Path, Path], tmp_path: Path) -> None:
    policy, rm = trained
    asked = write_rows(
        tmp_path / "asked.jsonl",
        [{"id": k, "prompt": f"Say {k}", "kind": kind} for k, kind in (("one", "allowed"), ("two", "disallowed"))]
        + [{"id": "three", "prompt": "Say three"}],
    )
    config = rl_config(policy, tmp_path, reward=rm, prompts=(asked,), rules={"judge": "refusals"}, checkpoint_every=1)
    run = rl.run(config, tmp_path / "run")
    weighing = run.read_json("artifacts/weighing.json")
    assert run.value("rules/weight") == weighing["weight"]
    assert {"refusal/allowed", "refusal/disallowed"} <= rows(run.path)[0].keys()
    (run.path / "DONE").unlink()
    (run.path / "artifacts" / "weighing.json").write_text('{"weight": 7.0}')
    assert rl.run(config, run.path, resume=True).value("rules/weight") == 7.0  # not from the policy as it now is


def test_a_reward_that_is_no_number_is_named(trained: tuple[Path, Path]) -> None:
    model, vocabulary = load_run(trained[1])
    with torch.no_grad():
        model.embed.weight.fill_(math.nan)
    grader = Grader(Tokenizer.load(vocabulary), model, None)
    with pytest.raises(RunError, match="a reward of nan") as caught:
        grader.grades([Asked("seven", (Message("user", "?"),))], [Rollout([1, 2], [3], False)])
    assert "prompt seven" in str(caught.value)


def test_an_unfinished_answer_is_worth_less(trained: tuple[Path, Path]) -> None:
    model, vocabulary = load_run(trained[1])
    tokenizer = Tokenizer.load(vocabulary)
    grader = Grader(tokenizer, model, None, unfinished=-2.0)
    asked = [Asked("a", (Message("user", "?"),))] * 2
    done, cut = grader.grades(asked, [Rollout([1, 2], [3, tokenizer.eot], True), Rollout([1, 2], [3], False)])
    assert cut.score == pytest.approx(done.score - 2.0, abs=1e-5)
    assert replace(grader, unfinished=0.0).grades(asked[:1], [Rollout([1, 2], [3], False)])[0].score == pytest.approx(
        done.score, abs=1e-5
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"answer_tokens": 47}, "no prompt leaves room for 47 tokens in 48"),
        ({"objective": {"name": "grpo"}}, "grpo compares completions"),
        ({"objective": {"name": "dpo", "group": 4}}, "minibatch 3 is not a multiple"),
        ({"reward": None}, "neither a reward model nor rules"),
        ({"rules": {"judge": "refusals"}, "reward": None}, "no prompt has a kind"),
    ],
)
def test_bad_input_in_one_line(
    trained: tuple[Path, Path], tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(PresageError, match=said):
        rl.run(rl_config(trained[0], tmp_path, **({"reward": trained[1]} | changes)), tmp_path / "run")


def test_a_policy_is_no_reward_model(trained: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a 'reward' run is needed"):
        rl.run(rl_config(trained[0], tmp_path, reward=trained[0]), tmp_path / "run")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "a", "prompt": ""}, "prompt"),
        ({"prompt": "x"}, "id"),
        ({"id": "a", "prompt": "x", "kind": "bad"}, "none of 'allowed', 'disallowed'"),
        ({"id": "a", "prompt": [{"role": "assistant", "content": "x"}]}, "ends with the assistant"),
    ],
)
def test_bad_prompts_are_named(trained: tuple[Path, Path], tmp_path: Path, row: dict[str, object], said: str) -> None:
    data = write_rows(tmp_path / "bad.jsonl", [{"id": "0", "prompt": "x"}, row])
    with pytest.raises(DataError, match=said) as caught:
        rl.run(rl_config(trained[0], tmp_path, reward=trained[1], prompts=(data,)), tmp_path / "run")
    assert "bad.jsonl:2" in str(caught.value)
