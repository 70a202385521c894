"""A forecast from far away: corpus to scored forecast, every fitted rung at most 1/RATIO of the target's compute.

    presage forecast distant --corpus texts/ --ratio 1000 --flops 1e15 --out runs/distant
    presage forecast distant --ratio 1000 --ratio 10000 …     two forecasts of one target, both sealed before it
    presage forecast distant                                  of all Python source and documentation on this machine

GPT-4's report promises a loss from models of "at most 10,000x less compute" (§3.1). The target here is as large as is
asked for, or as the data allow: four passes at most (Muennighoff et al. 2023: up to there repeated text is nearly as
good as new). What the rungs cost is next to nothing beside it, so they are repeated until their noise is small.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from presage.core.device import Device
from presage.core.errors import BudgetError, RunError
from presage.core.run import RunDir, note
from presage.data import corpus as corpus_stage
from presage.data import shards as shards_stage
from presage.data import tokenizer as tokenizer_stage
from presage.forecast import ladder as ladder_stage
from presage.forecast import ledger
from presage.forecast import record as record_stage
from presage.forecast import score as score_stage
from presage.forecast import seal as seal_stage
from presage.forecast.verify import LEDGER
from presage.recipes import demo_plan as plan
from presage.recipes.demo import own_files
from presage.recipes.kept import entered, same
from presage.report import render as report_stage
from presage.train import pretrain

PASSES = 4
"""Over the training text, at most."""
RATIO = 10_000.0
BUDGETS, REPEATS, DECADES = 8, 6, 1.0
SPARE = 1.03
"""Rungs come out at whole steps: their budgets keep this distance from 1/RATIO."""
EVAL_TOKENS = 262_144
DOUBT = (
    f"the smallest fitted rungs used less than {plan.HOLDS_FROM:.0e} FLOPs, where this recipe's law is not known to "
    "hold: the interval is widened, and a larger target or a smaller ratio would help"
)
RULE = plan.RULE.model_copy(update={"qkv_bias": True})
"""The demo's, and biases on queries, keys and values: without them rungs below 1e12 end just as attention sets in, and
their slope doubles on the way (docs/LOG.md, 2026-11-24)."""
BOOKS = Path("../shared/data/corpus")
RUNS = Path("runs/distant")


def world() -> corpus_stage.Config:
    """`python-world`: all Python source and documentation on this machine, licences in the corpus' packages.csv."""
    return corpus_stage.Config(sources=(corpus_stage.Source(name="python-world", kind="python-world"),))


def corpus() -> corpus_stage.Config:
    """English prose of three kinds: novels before 1920 (ELTeC), textbooks (OpenStax), Python's PEPs."""
    return own_files(*(BOOKS / name for name in ("eltec_english_novels", "openstax_textbooks", "python_peps")))


def tokenizer() -> tokenizer_stage.Config:
    """As the demo's: what is known of its law was measured with it."""
    return tokenizer_stage.Config(corpus=RUNS / "corpus", vocab_size=plan.VOCAB)


def shards() -> shards_stage.Config:
    """Its corpus in its tokens."""
    return shards_stage.Config(corpus=RUNS / "corpus", tokenizer=RUNS / "tokenizer")


def ladder() -> ladder_stage.Config:
    """The rungs of a target of 1e15 FLOPs, each at most a thousandth of it."""
    return rungs_for(RUNS / "shards", 1e15, 1000.0, seed=0)


def run(
    out: Path,
    *,
    texts: Sequence[Path],
    ratios: Sequence[float] = (RATIO,),
    flops: float | None = None,
    seed: int = 0,
) -> RunDir:
    """Walk the chain below `out`; finished stages are kept. Returns the score's run, that of the smallest ratio.

    `texts`: files or folders, a source each; none: `world`. `ratios`: a ladder, a forecast and a score for each; the
    smallest one's seal covers the others'.
    `flops`: the target's compute; None: as much as the data allow. Raises BudgetError where the data allow less, or
    1/ratio of it buys no rungs.
    """
    clock = time.perf_counter()
    if not texts:
        note("presage: no --corpus: all Python source and documentation on this machine is read")
    documents = same(corpus_stage, lambda: own_files(*texts) if texts else world(), out / "corpus")
    vocabulary = same(
        tokenizer_stage,
        lambda: tokenizer_stage.Config(corpus=documents.path, vocab_size=plan.VOCAB),
        out / "tokenizer",
    )
    tokens = same(
        shards_stage,
        lambda: shards_stage.Config(corpus=documents.path, tokenizer=vocabulary.path),
        out / "shards",
    )
    most = largest(int(tokens.value("train/tokens")))
    if flops is not None and flops > most:
        raise BudgetError(
            f"{flops:.3g} FLOPs are more than {PASSES} passes over this text are worth, {most:.3g}",
            where="--flops",
            hint="give it more text, or leave the option away",
        )
    names = {f"ladder-{ratio:.17g}" for ratio in ratios if ratio > min(ratios)} | {"ladder"}
    made = {place.name for place in out.glob("ladder*")}
    if "ladder" in made and made != names:
        raise RunError("has forecasts of other ratios", where=out, hint="choose another --out")
    forecasts: list[RunDir] = []
    for ratio in sorted(set(ratios), reverse=True):
        last = ratio == min(ratios)
        own, beside = ("", tuple(forecasts)) if last else (f"-{ratio:.17g}", ())
        device = forecasts[0].config(seal_stage.Config).target.device if forecasts else None  # it is one target
        ladder = partial(rungs_for, tokens.path, flops or most, ratio, seed, device)
        rungs = same(ladder_stage, ladder, out / f"ladder{own}")
        promise = partial(sealing, documents.path, vocabulary.path, rungs, flops or most, ratio, seed, beside)
        forecasts.append(same(seal_stage, promise, out / f"forecast{own}"))
        entered(out / LEDGER, forecasts[-1], f"{ratio:g} times, seed {seed}")
    sealed = forecasts[-1]
    target = same(
        pretrain,
        lambda: sealed.config(seal_stage.Config).target.model_copy(update={"forecast": sealed.path}),
        out / "target",
    )
    for each in forecasts:
        compared = partial(score_stage.Config, forecast=each.path, target=target.path)
        score = same(score_stage, compared, out / each.path.name.replace("forecast", "score"))
        ledger.append_score(out / LEDGER, score.path)
    roles = {"corpus": documents, "tokenizer": vocabulary, "shards": tokens, "ladder": rungs, "forecast": sealed}
    roles |= {"target": target, "score": score, "record": same(record_stage, _ledger, out / "record")}
    parts = {role: part.path for role, part in roles.items()}
    page = same(report_stage, lambda: report_stage.Config.model_validate(parts), out / "report")
    note(f"{(time.perf_counter() - clock) / 60:.1f} minutes; open {page.path / 'report.html'}")
    return score


def _ledger() -> record_stage.Config:
    """What the ledger says of each forecast, for the report."""
    return record_stage.Config(ledger=Path("..") / LEDGER)


def largest(tokens: int) -> float:
    """FLOPs of the largest target that sees `tokens` training tokens at most PASSES times."""
    least, most = 1e9, 1e30
    while most / least > 1.001:
        middle = (least * most) ** 0.5
        wanted = middle / RULE.model(middle).flops_per_token()
        least, most = (middle, most) if wanted <= PASSES * tokens else (least, middle)
    return least


def rungs_for(shards: Path, flops: float, ratio: float, seed: int, device: Device | None = None) -> ladder_stage.Config:
    """BUDGETS over DECADES below 1/ratio of the target, by RULE."""
    budgets = ladder_stage.target_and_rungs(flops, SPARE * ratio, BUDGETS, DECADES)
    if not RULE.affords(budgets[0]):
        what = f"1/{ratio:g} of {flops:.3g} FLOPs leaves {budgets[0]:.2g} for the smallest rung, too few for a run"
        raise BudgetError(what, hint="a smaller --ratio, or a larger target: more text, more --flops")
    return ladder_stage.Config(
        shards=shards,
        rule=RULE,
        budgets=budgets,
        repeats=(REPEATS,),
        eval_tokens=EVAL_TOKENS,
        device=device,
        seed=seed,
    )


def sealing(
    documents: Path,
    vocabulary: Path,
    rungs: RunDir,
    flops: float,
    ratio: float,
    seed: int,
    beside: Sequence[RunDir] = (),
) -> seal_stage.Config:
    """The prior is that of public ladders, the default: so far from its rungs this recipe has no history of its own.

    Where rungs lie below what the law was found to hold from, the forecast says so and its interval is wider.
    """
    made = rungs.config(ladder_stage.Config)
    assert made.shards is not None and made.rule is not None  # rungs of text
    target = made.rule.config(
        flops, made.shards, seed=seed + 1_000_003, device=made.device, eval_tokens=EVAL_TOKENS, samples=6, log_every=20
    )
    every = target.tokens // 12
    bends = made.budgets[0] < plan.HOLDS_FROM
    return seal_stage.Config(
        corpus=documents,
        tokenizer=vocabulary,
        ladder=rungs.path,
        target=target.model_copy(update={"eval_every": every, "checkpoint_every": every}),
        drift=plan.DRIFT_BELOW if bends else 0.0,
        doubts=(DOUBT,) if bends else (),
        facts={"ratio": ratio},
        beside=tuple(other.path for other in beside),
    )
