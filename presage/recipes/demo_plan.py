"""What the demo's ladder, target and next run are to be, from the time there is and the measured speed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from presage.core.device import Device, measure
from presage.core.errors import BudgetError
from presage.core.run import RunDir
from presage.core.workers import usable_cores
from presage.forecast import attempts as attempts_stage
from presage.forecast import ladder as ladder_stage
from presage.forecast import planned as plan_stage
from presage.forecast import seal as seal_stage
from presage.forecast.prior import Prior
from presage.forecast.scaling import Rule
from presage.train.measure import training_rate

VOCAB = 1024
RULE = Rule(vocab_size=VOCAB, context_length=128)
RATIO, LONG_RATIO = 30.0, 100.0
"""Target over the largest fitted rung. At a quarter of an hour only the smaller one keeps the accuracy: below about
8e10 FLOPs these models do not use their context yet and the law does not hold (docs/LOG.md)."""
LONG = 40.0
"""Minutes from which the larger ratio is kept."""
BUDGETS, FEW_BUDGETS = 8, 5
"""Fitted budgets; the last where the demo is short, and then none below them is shown."""
DECADES = 1.0
"""What the fitted budgets span."""
HOLDS_FROM, DRIFT_BELOW = 8e10, 0.03
"""FLOPs from which the law was found to hold for this recipe, and what it drifts by per decade when rungs lie below."""
UNFITTED = (0.15, 0.4)
"""Budgets below the smallest fitted one, as shares of it: shown, not fitted."""
DOUBT = (
    f"the smallest fitted rungs used less than {HOLDS_FROM:.0e} FLOPs, where this recipe's models do not use their "
    "context yet and the law bends: the interval is widened, and more minutes or a faster machine would help"
)
COPIES_FROM, COPIES_BY, DRIFT_COPYING = 1e13, 4e13, 0.02
"""FLOPs between which this recipe's models learn to repeat what followed the same token before (a seventh of all,
whose loss then falls by half), and what that makes the law drift by per decade for a target beyond the beginning when
no rung is beyond the end (docs/LOG.md, 2026-11-24)."""
COPYING = (
    f"from {COPIES_FROM:.0e} to {COPIES_BY:.0e} FLOPs this recipe's models learn to copy from their context, which no "
    "fitted rung can show: the interval is widened"
)
EVAL_TOKENS = 131_072
LADDER_SHARE = 0.38
PRIOR = Prior(wander=0.004)
"""Ladders of this recipe from 8e10 FLOPs on (docs/LOG.md) keep their slope far better than published ones."""
NEXT = 10.0
"""The run that is planned at the end, over the target in compute."""
ENOUGH = 8.0
"""Minutes from which there is time for all SAMPLES."""
LEAST = 30.0
"""Seconds that training is planned for where reading has taken all the time: late is better than broken off."""
RUNG_OVERHEAD = 0.7
"""Seconds a rung takes besides its training: opening shards, evaluation, writing."""
READS_FROM, READERS = 1.4e11, 4
"""FLOPs from which this recipe's models read the docstring, and budgets from there on that are enough for the law of
capability to rest on them alone."""
CANNOT_READ = (
    f"models of less than {READS_FROM:.1e} FLOPs, which hardly read the docstring yet, are among those that the law of "
    "capability is fitted to: the pass rate may come out far from the promise"
)


def seconds_left(minutes: float, taken: float, spare: float) -> float:
    """What is left for training, LEAST at least; `spare` is for everything else."""
    return max(LEAST, 60 * minutes - taken - spare)


def affordable(shards: Path, minutes: float, seconds: float, seed: int) -> ladder_stage.Config:
    """The ladder for what is left of the time. Raises BudgetError in words of minutes where that buys none."""
    try:
        return _ladder(shards, minutes, seconds, seed)
    except BudgetError:
        raise BudgetError(
            f"of {minutes:g} minutes {seconds:.0f} s are left to train in, too few at this machine's speed just now",
            hint="the same command goes on from here with all its minutes; or give it more: --minutes",
        ) from None


def _ladder(shards: Path, minutes: float, seconds: float, seed: int) -> ladder_stage.Config:
    """Budgets from the target that fits the time, repeats from the time the ladder may take."""
    device = measure()
    ratio = LONG_RATIO if minutes >= LONG else RATIO
    guess = 0.6 * seconds * (device.peak_flops or 1e11) * 0.5
    rate = target_rate(guess, shards, device)
    target = (1 - LADDER_SHARE) * seconds * rate
    short = minutes < ENOUGH
    budgets = ladder_stage.target_and_rungs(target, 1.03 * ratio, FEW_BUDGETS if short else BUDGETS, DECADES)
    below = () if short else _unfitted(budgets[0])
    cost = sum(_rung_seconds(budget, shards, device) for budget in below + budgets) / usable_cores()
    repeats = max(2, min(16, round(LADDER_SHARE * seconds / cost)))
    return ladder_stage.Config(
        shards=shards,
        rule=RULE,
        budgets=below + budgets,
        fit_from=budgets[0],
        repeats=(repeats,),
        device=device,
        eval_tokens=EVAL_TOKENS,
        seed=seed,
    )


def of_ladder(examine: Callable[..., attempts_stage.Config], ladder: RunDir) -> attempts_stage.Config:
    """The models that read, where there are enough; else all that are fitted."""
    made = ladder.config(ladder_stage.Config)
    readers = [budget for budget in made.budgets if budget >= max(READS_FROM, made.fit_from)]
    enough = len(readers) >= READERS
    return examine(ladder=ladder.path, from_compute=readers[0] if enough else made.fit_from)


def _unfitted(smallest: float) -> tuple[float, ...]:
    """Budgets below the fitted ones that still buy a run."""
    wanted = (share * smallest for share in UNFITTED)
    return tuple(budget for budget in wanted if RULE.affords(budget))


def sealing(
    texts: Path,
    vocabulary: Path,
    shards: Path,
    ladder: RunDir,
    tried: RunDir | None,
    minutes: float,
    seconds: float,
    seed: int,
) -> seal_stage.Config:
    """The target takes the time that is left, at the planned ratio to the largest rung or a twentieth more."""
    made = ladder.config(ladder_stage.Config)
    assert made.device is not None and made.rule is not None
    ratio = LONG_RATIO if minutes >= LONG else RATIO
    rate = target_rate(ratio * made.budgets[-1], shards, made.device)
    least = 1.001 * ratio * made.budgets[-1]
    compute = min(max(least, seconds * rate), 1.05 * least)
    changes: dict[str, object] = {"eval_tokens": EVAL_TOKENS, "samples": 6, "log_every": 20}
    target = made.rule.config(compute, shards, seed=seed + 1_000_003, device=made.device, **changes)
    every = target.tokens // 12
    target = target.model_copy(update={"eval_every": every, "checkpoint_every": 3 * every})
    facts = {"minutes": minutes, "seconds_for_target": seconds, "target_flops_per_second": rate, "ratio": ratio}
    sealed = seal_stage.Config(
        corpus=texts,
        tokenizer=vocabulary,
        ladder=ladder.path,
        attempts=tried.path if tried else None,
        target=target,
        prior=PRIOR,
        facts=facts,
    )
    doubts, drift = known(made.fit_from, made.budgets[-1], compute)
    if tried is not None and tried.config(attempts_stage.Config).from_compute < READS_FROM:
        doubts.append(CANNOT_READ)
    return sealed.model_copy(update={"drift": drift, "doubts": tuple(doubts)})


def known(smallest: float, largest: float, target: float) -> tuple[list[str], float]:
    """What is known against a forecast of a target from fitted rungs between these, and the drift it adds."""
    bend = (DOUBT, DRIFT_BELOW) if smallest < HOLDS_FROM else None
    copying = (COPYING, DRIFT_COPYING) if target > COPIES_FROM and largest < COPIES_BY else None
    found = [one for one in (bend, copying) if one]
    return [doubt for doubt, _ in found], max((drift for _, drift in found), default=0.0)


def next_run(ladder: RunDir, sealed: RunDir, target: RunDir) -> plan_stage.Config:
    """The natural next question, from all that is known by now: the target counts like a rung."""
    promised = sealed.config(seal_stage.Config)
    return plan_stage.Config(
        ladder=ladder.path,
        runs=(target.path,),
        flops=NEXT * float(target.value("flops")),
        flops_per_second=promised.facts["target_flops_per_second"],
        prior=promised.prior,
        drift=promised.drift,
    )


def target_rate(compute: float, shards: Path, device: Device) -> float:
    """FLOPs a second of a target of so many."""
    return training_rate(RULE.config(compute, shards, seed=0, device=device), device)


def _rung_seconds(budget: float, shards: Path, device: Device) -> float:
    alone = device.model_copy(update={"threads": 1})
    rate = training_rate(RULE.config(budget, shards, seed=0, device=alone), alone, seconds=0.5)
    return budget / (0.95 * rate) + RUNG_OVERHEAD
