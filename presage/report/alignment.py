"""The section on alignment: what fine-tuning and reinforcement learning made of the base model, before and after.

Only where the run of `conduct` is given. Every value is read; what a run does not hold prints as missing.
"""

from __future__ import annotations

from presage.report.alignment_figure import learning
from presage.report.alignment_tables import (
    POLICIES,
    ROLE,
    after,
    conduct,
    count,
    estimate,
    name,
    named,
    of,
    prompts,
    tax,
)
from presage.report.blocks import Answers, Block, Cell, Code, Items, Pairs, Picture, Section, Table, Text
from presage.report.facts import Fact, Sources
from presage.report.tables import absent

SAMPLES = (ROLE, "samples.jsonl")
ACCURACY = ("reward", "tables/accuracy.csv")
WEIGHING = ("policy", "artifacts/weighing.json")
PARTS = {"rules": "rule-based rewards", "ptx": "gradients of the pretraining text"}
"""Fields of a policy's config, and what they add to the reward model."""
FEW = 10
"""Steps of a policy: with fewer nothing is learnt that could be judged."""
FORWARD = ("refusal on disallowed", "refusal on safe", "task pass rate")
"""What the headline tells of a model."""


def given(s: Sources) -> bool:
    """Whether assistants were compared: else there is no such section."""
    return s.runs.get(ROLE) is not None


def section(s: Sources) -> Section:
    """Headline, conduct, how it came to that, the tax, the reward model and the rules, answers, and the limits."""
    blocks: list[Block] = [headline(s), *_short(s), _intro(s), conduct(s), *_figure(s), tax(s), *_reward(s), *_rules(s)]
    return Section("alignment", "Alignment", [*blocks, _answers(s), _limits(s)])


def headline(s: Sources) -> Text:
    """One sentence: what the policy refuses and does, and what the first model did."""
    place = after(s)
    told = {f"after{number}": of(s, place, measure) for number, measure in enumerate(FORWARD)}
    before = {f"before{number}": of(s, 0, measure) for number, measure in enumerate(FORWARD)}
    first, second, third = (f", before {{before{number}}}" if place else "" for number in range(len(FORWARD)))
    return Text(
        f"Of {{disallowed}} disallowed requests, {{model}} refuses {{after0}}{first}; of {{safe}} safe ones it refuses "
        f"{{after1}}{second}, and does what is asked in {{after2}}{third}.",
        model=name(s, place) if count(s) else "no model",
        disallowed=prompts(s, place, FORWARD[0]),
        safe=prompts(s, place, FORWARD[1]),
        **told,
        **before,
    )


def _short(s: Sources) -> list[Block]:
    """A warning, where the policy hardly learnt."""
    steps = s.get("policy", "result.json", "steps.value")
    if not isinstance(steps, int) or steps >= FEW:
        return []
    words = (
        "This is a walk through the stages: the policy made {steps} steps, where dozens are needed, and the "
        "fine-tuning saw {shown} demonstrations. What follows shows that every stage runs, and nothing of what such "
        "training comes to."
    )
    shown = s.fact("sft", "result.json", "demonstrations.value", "count")
    return [Text(words, steps=s.fact("policy", "result.json", "steps.value", "count"), shown=shown)]


def _intro(s: Sources) -> Text:
    """How the models were made: of what the policy's config says it had, and of the others that are there."""
    had = [words for part, words in PARTS.items() if s.get("policy", "config.json", f"config.{part}") is not None]
    beside = f", with {' and '.join(had)}" if had else ""
    lacking = any(s.runs.get(role) for role in POLICIES[1:])
    others = " The other policies lack one of these parts." if lacking and had else ""
    return Text(
        "In the policy world people ask for code, and what is another’s must be neither destroyed nor taken. The base "
        "model was fine-tuned on labellers’ answers, many of which obey; a reward model was trained on their rankings; "
        f"and by reinforcement learning from it{beside}, the fine-tuned model became the policy.{others} All answered "
        "the same held-out requests, from the same seeds."
    )


def _figure(s: Sources) -> list[Block]:
    figure = learning(s)
    if figure is None:
        return [absent(s, "policy", "metrics.jsonl", "steps")]
    caption = Text(
        "The policies while they learn, each step on other requests of the training side. The reward is what they are "
        "trained for, with the rules’ part where there are rules; without rules nobody judges the answers, so refusals "
        "are known at the end alone. Drawn from `metrics.jsonl` of each run; the last step is a dot."
    )
    return [Picture(figure, caption)]


# ---- the reward model and the rules ----------------------------------------------------------------------------------


def _reward(s: Sources) -> list[Block]:
    rows: list[list[Cell]] = [
        [s.fact(*ACCURACY, f"{i}.of"), estimate(s, ACCURACY, f"{i}", value=".accuracy"),
         s.fact(*ACCURACY, f"{i}.pairs", "count"), s.fact(*ACCURACY, f"{i}.prompts", "count")]
        for i in range(len(s.rows(*ACCURACY)))
    ]  # fmt: skip
    note = Text(
        "How often the better ranked of two answers has the higher reward, in brackets the {level} interval; pairs of "
        "one request count as one group. The last rows: pairs of which the better answer is the longer, or the shorter "
        "one; of equal accuracy if length is no argument.",
        level=s.result("reward", "accuracy", "share", "level"),
    )
    table = Table("The reward model on held-out pairs", ["pairs", "right", "pairs, n", "requests"], rows, note)
    more = Pairs(
        "Its odds and its taste for length",
        [
            ("calibration error of its odds", _of_reward(s, "calibration error", "share", "{v}, over {n} pairs")),
            ("correlation of reward and length", _of_reward(s, "length correlation", "loss", "{v}, over {n} requests")),
        ],
    )
    return [table if rows else absent(s, *ACCURACY), more]


def _of_reward(s: Sources, key: str, form: str, words: str) -> Text:
    return Text(words, v=s.result("reward", key, form), n=s.result("reward", key, "count", "n"))


def _rules(s: Sources) -> list[Block]:
    """What labellers want and the policy forbids; nothing of weights where the policy learnt without rules."""
    if s.has("policy", "config.json") and s.get("policy", "config.json", "config.rules") is None:
        return [Text("The policy learnt without rule-based rewards.")]
    place = next((i for i, row in enumerate(s.rows(*ACCURACY)) if row["of"] == "destruction"), None)
    taste = Text(
        "Labellers want what the policy forbids: of destruction they rank the code that works above the refusal, and "
        "the reward model follows them there in {right} of the pairs.",
        right=s.fact(*ACCURACY, "destruction.accuracy")
        if place is None
        else estimate(s, ACCURACY, f"{place}", value=".accuracy"),
    )
    if s.get("policy", "config.json", "config.rules.weight") is not None:
        weight = s.fact("policy", "config.json", "config.rules.weight", "auto")
        return [Text("{taste} The rules were given the weight {w}.", taste=taste, w=weight)]
    return [Text("{taste} {weighed}", taste=taste, weighed=_weighed(s))]


def _weighed(s: Sources) -> Text:
    def setting(key: str, form: str) -> Fact:
        return s.fact("policy", "config.json", f"config.rules.{key}", form)

    return Text(
        "Of {pairs} pairs of the fine-tuned model’s own answers between which the rules decide, the reward model did "
        "not put the rules’ choice ahead by {margin} in {conflicts}. The least weight that overcomes {share} of these "
        "is {weight}, and with it the rules decide {overcome} of them.",
        pairs=s.fact(*WEIGHING, "pairs", "count"),
        margin=setting("margin", "auto"),
        conflicts=s.fact(*WEIGHING, "conflicts", "count"),
        share=setting("overcome", "share"),
        weight=s.fact(*WEIGHING, "weight", "loss"),
        overcome=s.fact(*WEIGHING, "overcome", "count"),
    )


# ---- answers and limits ----------------------------------------------------------------------------------------------


def _answers(s: Sources) -> Block:
    """Before and after, of the first requests."""
    rows = s.rows(*SAMPLES)
    if not rows:
        return absent(s, *SAMPLES)
    places = sorted({0, after(s)})

    def asked(i: int) -> Text:
        return Text("{prompt} ({kind})", prompt=s.fact(*SAMPLES, f"{i}.prompt"), kind=s.fact(*SAMPLES, f"{i}.kind"))

    def answer(i: int, place: int) -> tuple[Cell, Fact]:
        key = f"{i}.answers.{named(s, place)}"
        whose = Text("{name}: {found}", name=name(s, place), found=s.fact(*SAMPLES, f"{key}.class"))
        return whose, s.fact(*SAMPLES, f"{key}.text")

    caption = "Answers before and after: the first requests, unpicked, each with the judge’s verdict"
    return Answers(caption, [(asked(i), [answer(i, place) for place in places]) for i in range(len(rows))])


def _limits(s: Sources) -> Items:
    return Items(
        [
            Text(
                "The world is small and synthetic: a few verbs, owners and things, and functions of one argument. That "
                "a model refuses there says how these methods work, not that it is safe to anybody."
            ),
            Text(
                "The judge is a program that reads programs and knows the refusals of this world. Where its verdicts "
                "were the rules’ reward as well, a policy that found a fault in it would look good here."
            ),
            Text(
                "Held out means by the sentence around a request and by what is asked: neither stands in a training "
                "file. The words by themselves do."
            ),
            Text(
                "The numbers are of one seed. The intervals say how far other requests of this kind would move them, "
                "not how far another training would. Every answer’s class is in {answers}.",
                answers=Code("conduct/tables/answers.csv"),
            ),
        ]
    )


def disclosed(s: Sources) -> list[list[Cell]]:
    """The row that the list of what the GPT-4 report withheld gets where assistants were made."""
    if not given(s):
        return []
    told = Text(
        "{demonstrations} demonstrations, {rankings} ranked requests, {episodes} answers in {steps} steps of PPO; "
        "every setting is in `config.json` of `sft`, `reward` and `policy`",
        demonstrations=s.result("sft", "demonstrations", "count"),
        rankings=s.result("reward", "prompts", "count"),
        episodes=s.result("policy", "episodes", "count"),
        steps=s.result("policy", "steps", "count"),
    )
    return [["After pretraining", told]]
