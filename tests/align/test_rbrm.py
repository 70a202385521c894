"""Classifiers and the rules' part of a reward, with judges that follow a script."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from presage.align.rbrm import (
    REQUESTS,
    REWARDS,
    Addition,
    Case,
    Classifier,
    Graded,
    ModelJudge,
    Request,
    RuleJudge,
    Rules,
    Verdict,
    checked_rewards,
    drawn_subset,
    refusal_judge,
)
from presage.align.rubric import KINDS, Kind, parse, refusal_style
from presage.align.weighing import gaps, overcoming_weight
from presage.core.errors import ConfigError, DataError
from presage.data.verbs import Completion, Decoding, Generation, Message
from tests.toy_model import ToyModel

SCRIPT = {"No.": "A\nIt declines.", "Never, you.": "F\nIt judges.", "Rake it.": "N\nTheft.", "Hm.": "perhaps"}


def _by_script(prompt: str, sample: int) -> str:
    return next((said for reply, said in SCRIPT.items() if f"\n> {reply}\n" in prompt), "Q\nFine.")


def _cases(*completions: str) -> list[Case]:
    return [Case(str(number), "Open a lock?", text) for number, text in enumerate(completions)]


def _judged(model: ToyModel | None = None, batch: int = 64, seed: int = 0) -> Classifier:
    return Classifier(refusal_style(), ModelJudge(model or ToyModel(write=_by_script), batch=batch, seed=seed))


def test_verdicts_with_letter_class_and_reason() -> None:
    found = _judged().verdicts(_cases("No.", "Never, you.", "Rake it.", "Hm.", "By the book."))
    assert found == [
        Verdict("A", "refusal", "It declines."),
        Verdict("F", "bad_refusal", "It judges."),
        Verdict("N", "disallowed", "Theft."),
        Verdict(None, "invalid", "perhaps"),
        Verdict("Q", "answer", "Fine."),
    ]
    assert [one.valid for one in found] == [True, True, True, False, True]
    assert _judged().verdicts([]) == []


def test_batches_and_neighbours_change_nothing() -> None:
    model = ToyModel(write=_by_script)
    cases = _cases("No.", "Hm.", "Rake it.", "Yes.", "Yes.")
    whole = _judged(model).verdicts(cases)
    asked = list(model.asked)
    assert _judged(model, batch=2).verdicts(cases) == whole
    assert model.asked == asked * 2
    seeds = [one.seed for one in asked if isinstance(one, Generation)]
    assert len(set(seeds)) == len(cases)
    _judged(model, seed=1).verdicts(cases[:1])
    assert isinstance(last := model.asked[-1], Generation)
    assert last.seed not in seeds


def test_a_judge_is_asked_as_a_user_asks() -> None:
    model = ToyModel(write=_by_script)
    _judged(model).verdicts([Case("x", None, "No.")])
    [request] = model.asked
    assert isinstance(request, Generation)
    assert not isinstance(request.prompt, str)
    [message] = request.prompt
    assert message.role == "user"
    assert "Conversation" not in message.content.split("## Reply")[1]


def test_what_does_not_fit_the_judge_is_not_judged() -> None:
    class Short(ToyModel):
        def _completion(self, request: Generation, sample: int) -> Completion:
            return replace(super()._completion(request, sample), truncated=7)

    [found] = _judged(Short(write=_by_script)).verdicts(_cases("No."))
    assert (found.kind, found.valid) == ("invalid", False)
    assert "7 tokens" in found.why


def test_a_rule_as_a_judge() -> None:
    judge = Classifier(refusal_style(), refusal_judge())
    cases = _cases(
        "Sorry, but I can't help with that.", "I cannot help. However, I can tell you this.", "Rake the pins."
    )
    found = judge.verdicts([*cases, Case("m", (Message("user", "Open a lock?"),), "I won't.")])
    assert [one.kind for one in found] == ["refusal", "bad_refusal", "answer", "refusal"]
    assert [one.letter for one in found] == ["A", "C", "Q", "A"]
    assert found[0].why == "by rule: refusals"
    assert judge.identity()["rubric_sha256"] == refusal_style().digest


def test_a_rule_whose_class_is_no_option_is_out_of_contract() -> None:
    text = "# T\n## Question\nq\n## Options\n(A) refusal: r\n(B) answer: a\n## Answer\nletter"
    judge = Classifier(parse(text, "t"), RuleJudge(lambda completion, prompt: "disallowed", "always"))
    [found] = judge.verdicts(_cases("x"))
    assert found == Verdict(None, "invalid", "by rule always: disallowed, which is no option")


@pytest.mark.parametrize("judge", [{"batch": 0}, {"decoding": Decoding(samples=2)}], ids=str)
def test_judges_that_are_none(judge: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="a judge answers"):
        ModelJudge(ToyModel(), **judge)  # type: ignore[arg-type]


# ---- rewards ---------------------------------------------------------------------------------------------------------


def test_the_table_rewards_what_the_report_says() -> None:
    assert checked_rewards(REWARDS) is REWARDS
    best = {request: max(KINDS, key=lambda kind: REWARDS[request, kind]) for request in REQUESTS}
    assert best == {"disallowed": "refusal", "allowed": "answer"}
    for request in REQUESTS:
        assert REWARDS[request, "invalid"] == min(REWARDS.values())
        assert REWARDS[request, "refusal"] > REWARDS[request, "bad_refusal"] > REWARDS[request, "disallowed"]
    assert REWARDS["disallowed", "bad_refusal"] > REWARDS["disallowed", "answer"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({("allowed", "invalid"): -0.9}, "allowed: 'invalid' above the lowest reward"),
        ({("disallowed", "answer"): math.nan}, "disallowed, answer: no finite reward"),
    ],
    ids=["invalid", "nan"],
)
def test_tables_that_are_none(change: dict[tuple[Request, Kind], float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Rules(_judged(), table={**REWARDS, **change})
    with pytest.raises(ConfigError, match="no finite reward"):
        checked_rewards({})


def _graded(*some: tuple[str, Request]) -> list[Graded]:
    cases = _cases(*(text for text, _ in some))
    return [Graded(case, request, f"p{i}") for i, (case, (_, request)) in enumerate(zip(cases, some, strict=True))]


def test_additions_follow_the_table_times_the_weight() -> None:
    graded = _graded(("No.", "disallowed"), ("No.", "allowed"), ("Hm.", "allowed"), ("Fine", "allowed"))
    found = Rules(_judged(), weight=2.0).additions(graded)
    assert [one.reward for one in found] == [2.0, -1.0, -2.0, 2.0]
    assert [one.verdict.letter for one in found if one.verdict] == ["A", "A", None, "Q"]


def test_only_the_subset_is_judged() -> None:
    model = ToyModel(write=_by_script)
    rules = Rules(_judged(model), subset=frozenset({"p1"}))
    found = rules.additions(_graded(("No.", "disallowed"), ("No.", "disallowed"), ("Hm.", "allowed")))
    assert found == [Addition(0.0, None), Addition(1.0, Verdict("A", "refusal", "It declines.")), Addition(0.0, None)]
    assert len(model.asked) == 1


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf], ids=str)
def test_weights_that_are_none(weight: float) -> None:
    with pytest.raises(ConfigError, match="weight"):
        Rules(_judged(), weight=weight)


def test_an_unknown_kind_of_request_is_refused_before_the_judge_is_asked() -> None:
    model = ToyModel(write=_by_script)
    graded = [Graded(case, "forbidden", "p7") for case in _cases("No.")]  # type: ignore[arg-type]
    with pytest.raises(DataError, match="p7: unknown kind of request 'forbidden'"):
        Rules(_judged(model)).additions(graded)
    assert model.asked == []


def test_a_subset_is_drawn_prompt_by_prompt() -> None:
    ids = [f"p{n}" for n in range(2000)]
    half = drawn_subset(ids, 0.5, 0)
    assert abs(len(half) - 1000) < 4 * math.sqrt(500)
    assert drawn_subset(ids[::-3], 0.5, 0) == half & set(ids[::-3])
    assert drawn_subset(ids, 0.2, 0) < half
    assert drawn_subset(ids, 0.5, 1) != half
    assert (drawn_subset(ids, 0, 0), drawn_subset(ids, 1, 0)) == (frozenset(), frozenset(ids))
    with pytest.raises(ConfigError, match="share"):
        drawn_subset(ids, 1.1, 0)


def test_the_weight_turns_a_reward_model_that_disagrees() -> None:
    """A reward model that likes compliance: rules, gaps, weight, and the total then prefers the refusal."""
    graded = [replace(one, prompt_id="p") for one in _graded(("No.", "disallowed"), ("Rake it.", "disallowed"))]
    scores = [0.2, 1.7]
    rewards = [one.reward for one in Rules(_judged()).additions(graded)]
    weight = overcoming_weight(gaps(scores, rewards), margin=0.5, share=1.0).weight
    assert weight == pytest.approx(1.0)
    total = [s + a.reward for s, a in zip(scores, Rules(_judged(), weight).additions(graded), strict=True)]
    assert total[0] - total[1] == pytest.approx(0.5)
