"""The whole chain on one machine: corpus, tokenizer, scan, ladder, sealed forecast, target, score, assistant, report.

`minutes` is the dial. The machine's training speed is measured, the target's compute is what fits into the time, and
every rung follows from it; the measured speeds are sealed with the forecast.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from presage.core.config import Config
from presage.core.device import Device, measure
from presage.core.errors import BudgetError, DataError
from presage.core.run import RunDir, load_config, note
from presage.core.workers import usable_cores
from presage.data import corpus as corpus_stage
from presage.data import shards as shards_stage
from presage.data import tokenizer as tokenizer_stage
from presage.evaluate import memorisation as memorisation_stage
from presage.evaluate import run as eval_stage
from presage.evaluate import scan as scan_stage
from presage.evaluate import scores as scores_stage
from presage.forecast import attempts as attempts_stage
from presage.forecast import collapsed as collapse_stage
from presage.forecast import ladder as ladder_stage
from presage.forecast import ledger
from presage.forecast import planned as plan_stage
from presage.forecast import record as record_stage
from presage.forecast import score as score_stage
from presage.forecast import seal as seal_stage
from presage.forecast.prior import Prior
from presage.forecast.scaling import Rule
from presage.recipes import assistant
from presage.recipes import examined as examination
from presage.recipes.outcome import CONDUCT, told
from presage.report import render as report_stage
from presage.train import pretrain
from presage.train.measure import training_rate

C = TypeVar("C", bound=Config)

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
EVAL_TOKENS = 131_072
LADDER_SHARE = 0.38
PRIOR = Prior(wander=0.004)
"""Ladders of this recipe from 8e10 FLOPs on (docs/LOG.md) keep their slope far better than published ones."""
LEDGER = "ledger.jsonl"
NEXT = 10.0
"""The run that is planned at the end, over the target in compute."""
ENOUGH = 8.0
"""Minutes from which there is time for all SAMPLES."""
RESERVE = 32.0
"""Seconds kept for the last evaluation, samples, their comparison with the training text, and the report."""
LEAST = 30.0
"""Seconds that training is planned for where reading has taken all the time: late is better than broken off."""
RUNG_OVERHEAD = 0.7
"""Seconds a rung takes besides its training: opening shards, evaluation, writing."""
MICROCODE, LEVELS = 0.25, (1,)
"""Microcode's part of the training bytes (held-out text has none of it) and its levels: one and two words. With a
smaller part, or numbers to copy, models of these sizes learn to read the docstring only within the ladder, a jump that
no law foresees; with half, the law of loss bends (docs/LOG.md)."""
PROBLEMS, SAMPLES, FEW_SAMPLES = 36, 200, 50
"""Problems examined, and attempts at each by every model; the last where the demo is short."""
ALIGNS = 13.0
"""Minutes from which there is time for an assistant; in less, its stages are walked with next to nothing."""
SHORT = 0.25
"""What a short demo asks of the target, of what the others do."""
READS_FROM, READERS = 1.4e11, 4
"""FLOPs from which this recipe's models read the docstring, and budgets from there on that are enough for the law of
capability to rest on them alone."""
CANNOT_READ = (
    f"models of less than {READS_FROM:.1e} FLOPs, which hardly read the docstring yet, are among those that the law of "
    "capability is fitted to: the pass rate may come out far from the promise"
)
ATTEMPTED_RUNS = 3
SORTING = 0.25
"""As many again of these attempts, to sort the problems by difficulty."""
ATTEMPT_SECONDS = 80.0
"""What both examinations take at SAMPLES attempts."""
CONTINUED = {"prompts": 128, "prompt_tokens": 32, "new_tokens": 96}
"""Held-out openings that the target continues up to its context, to be compared with the training text."""
SCORES = "microcode-scores.jsonl"


def corpus() -> corpus_stage.Config:
    """Docstrings, comments and documentation of this machine's Python and its packages."""
    return corpus_stage.Config()


def own_files(folder: Path) -> corpus_stage.Config:
    """A user's own folder in place of the embedded corpus."""
    source = corpus_stage.Source(name=folder.name or "files", kind="files", paths=(str(folder),))
    return corpus_stage.Config(sources=(source,))


def tokenizer() -> tokenizer_stage.Config:
    """GPT-2's split pattern, 1,024 tokens: small models would spend a larger vocabulary's FLOPs on the softmax."""
    return tokenizer_stage.Config(corpus=Path("runs/demo/corpus"), vocab_size=VOCAB)


def shards() -> shards_stage.Config:
    """The demo's corpus in the demo's tokens."""
    return shards_stage.Config(corpus=Path("runs/demo/corpus"), tokenizer=Path("runs/demo/tokenizer"))


def ladder() -> ladder_stage.Config:
    """The ladder of a target of 3e13 FLOPs; the demo itself takes the target that fits its time."""
    budgets = ladder_stage.target_and_rungs(3e13, RATIO, BUDGETS, DECADES)
    return ladder_stage.Config(
        shards=Path("runs/demo/shards"), rule=RULE, budgets=budgets, repeats=(3,), eval_tokens=EVAL_TOKENS
    )


def run(
    out: Path | str,
    *,
    minutes: float = 20.0,
    corpus: Path | str | None = None,
    microcode: bool | None = None,
    seed: int = 0,
) -> RunDir:
    """Walk every stage below `out`; finished stages are kept, so an interrupted demo goes on. Returns the report's run.

    `minutes` counts from this call. With `microcode` (by default, but for files of your own) a quarter of the training
    text is generated functions, and a pass rate is promised beside the loss. Raises BudgetError below 2 minutes.
    """
    microcode = corpus is None if microcode is None else microcode
    if minutes < 2:
        raise BudgetError(
            f"{minutes:g} minutes are too few for the whole chain", hint="--minutes 3 is the shortest useful"
        )
    clock, out = time.perf_counter(), Path(out)
    spare = RESERVE + (ATTEMPT_SECONDS * microcode + examination.SECONDS) * (1.0 if minutes >= ENOUGH else SHORT)
    spare += microcode * (assistant.SECONDS if minutes >= ALIGNS else assistant.SHORT_SECONDS)

    def left() -> float:
        return _seconds_left(minutes, time.perf_counter() - clock, spare)

    note(f"presage demo: {minutes:g} minutes, into {out}")
    sources = _sources(None if corpus is None else Path(corpus), microcode)
    texts = _stage(corpus_stage, lambda: sources, out / "corpus")
    vocabulary = _stage(
        tokenizer_stage, lambda: tokenizer_stage.Config(corpus=texts.path, vocab_size=VOCAB), out / "tokenizer"
    )
    tokens = _stage(
        shards_stage, lambda: shards_stage.Config(corpus=texts.path, tokenizer=vocabulary.path), out / "shards"
    )
    examined = _has_microcode(texts)
    scanned = _stage(
        scan_stage,
        lambda: examination.scan(texts.path, seed, problems=PROBLEMS if examined else 0, levels=LEVELS),
        out / "contamination",
    )
    rungs = _stage(ladder_stage, lambda: _affordable(tokens.path, minutes, left(), seed), out / "ladder")
    samples = SAMPLES if minutes >= ENOUGH else FEW_SAMPLES
    examine = partial(
        attempts_stage.Config,
        problems=PROBLEMS,
        levels=LEVELS,
        samples=samples,
        bucket_samples=round(SORTING * samples),
        runs_per_budget=ATTEMPTED_RUNS,
        seed=seed,
    )
    tried = _stage(attempts_stage, lambda: _of_ladder(examine, rungs), out / "attempts") if examined else None
    sealed = _stage(
        seal_stage,
        lambda: _seal(texts.path, vocabulary.path, tokens.path, rungs, tried, minutes, left(), seed),
        out / "forecast",
    )
    _enter(out / LEDGER, sealed, f"demo, seed {seed}")
    target = _stage(
        pretrain,
        lambda: sealed.config(seal_stage.Config).target.model_copy(update={"forecast": sealed.path}),
        out / "target",
    )
    last = _stage(attempts_stage, lambda: examine(run=target.path), out / "target-attempts") if examined else None
    score = _stage(
        score_stage,
        lambda: score_stage.Config(forecast=sealed.path, target=target.path, attempts=last.path if last else None),
        out / "score",
    )
    ledger.append_score(out / LEDGER, score.path)
    judged = (
        _stage(scores_stage, lambda: examination.scores(last, scanned, out / SCORES), out / "scores") if last else None
    )
    asked = _stage(
        eval_stage, lambda: examination.config(target.path, seed, short=minutes < ENOUGH), out / "examination"
    )
    learnt = _memorised(target, out / "memorisation", seed)
    aligned = (
        assistant.chain(target.path, tokens.path, out / "assistant", seed=seed, short=minutes < ALIGNS)
        if examined
        else {}
    )
    known = _stage(record_stage, lambda: record_stage.Config(ledger=Path("..") / LEDGER), out / "record")
    planned = _stage(plan_stage, lambda: _next(rungs, sealed, target), out / "plan")
    compared = _stage(collapse_stage, lambda: collapse_stage.Config(ladder=rungs.path), out / "collapse")
    report = _stage(
        report_stage,
        lambda: report_stage.Config(
            corpus=texts.path,
            tokenizer=vocabulary.path,
            shards=tokens.path,
            ladder=rungs.path,
            forecast=sealed.path,
            target=target.path,
            score=score.path,
            attempts=tried.path if tried else None,
            target_attempts=last.path if last else None,
            record=known.path,
            planned=planned.path,
            collapse=compared.path,
            contamination=scanned.path,
            scores=judged.path if judged else None,
            examination=asked.path,
            memorisation=learnt.path if learnt else None,
        ).model_copy(update=assistant.roles(aligned)),
        out / "report",
    )
    taken = (time.perf_counter() - clock) / 60
    for line in told(score.path, aligned.get(CONDUCT)):
        note(line)
    note(f"{minutes:g} minutes planned, {taken:.1f} taken; open {report.path / 'report.html'}")
    return report


def _seconds_left(minutes: float, taken: float, spare: float) -> float:
    """For training, LEAST at least."""
    return max(LEAST, 60 * minutes - taken - spare)


def _enter(file: Path, sealed: RunDir, name: str) -> None:
    """Into the ledger, unless an interrupted demo has done so."""
    entered = ledger.read(file) if file.is_file() else []
    if all(getattr(entry.what, "seal", None) != sealed.value("seal") for entry in entered):
        ledger.append_seal(file, sealed.path, name)


def _sources(folder: Path | None, microcode: bool) -> corpus_stage.Config:
    read = corpus() if folder is None else own_files(folder)
    tasks = corpus_stage.Source(name="microcode", kind="microcode", share=MICROCODE, levels=LEVELS)
    return read.model_copy(update={"sources": (*read.sources, tasks)}) if microcode else read


def _has_microcode(texts: RunDir) -> bool:
    return any(source.kind == "microcode" for source in texts.config(corpus_stage.Config).sources)


def _memorised(target: RunDir, out: Path, seed: int) -> RunDir | None:
    """What the target writes against its training text; None where no file of one's own is long enough."""
    settings = {"run": target.path, "seed": seed} | CONTINUED
    try:
        return _stage(memorisation_stage, lambda: memorisation_stage.Config.model_validate(settings), out)
    except DataError as error:
        note(f"not compared with the training text: {error}")
        return None


def _stage(stage: Any, make: Callable[[], Config], out: Path) -> RunDir:
    """Run a stage, go on with it, or take it as it is; what was begun keeps the config it began with."""
    if (out / "DONE").is_file():
        return RunDir.open(out)
    begun = (out / "config.json").is_file()
    config = load_config(stage.Config, out / "config.json") if begun else make()
    finished: RunDir = stage.run(config, out, resume=begun)
    return finished


def _affordable(shards: Path, minutes: float, seconds: float, seed: int) -> ladder_stage.Config:
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
    rate = _target_rate(guess, shards, device)
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


def _of_ladder(examine: Callable[..., attempts_stage.Config], ladder: RunDir) -> attempts_stage.Config:
    """The models that read, where there are enough; else all that are fitted."""
    made = ladder.config(ladder_stage.Config)
    readers = [budget for budget in made.budgets if budget >= max(READS_FROM, made.fit_from)]
    enough = len(readers) >= READERS
    return examine(ladder=ladder.path, from_compute=readers[0] if enough else made.fit_from)


def _unfitted(smallest: float) -> tuple[float, ...]:
    """Budgets below the fitted ones that still buy a run."""
    wanted = (share * smallest for share in UNFITTED)
    return tuple(budget for budget in wanted if RULE.affords(budget))


def _seal(
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
    assert made.device is not None
    ratio = LONG_RATIO if minutes >= LONG else RATIO
    rate = _target_rate(ratio * made.budgets[-1], shards, made.device)
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
    doubts, drift = [], sealed.drift
    if made.fit_from < HOLDS_FROM:
        doubts, drift = [DOUBT], DRIFT_BELOW
    if tried is not None and tried.config(attempts_stage.Config).from_compute < READS_FROM:
        doubts.append(CANNOT_READ)
    return sealed.model_copy(update={"drift": drift, "doubts": tuple(doubts)})


def _next(ladder: RunDir, sealed: RunDir, target: RunDir) -> plan_stage.Config:
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


def _target_rate(compute: float, shards: Path, device: Device) -> float:
    return training_rate(RULE.config(compute, shards, seed=0, device=device), device)


def _rung_seconds(budget: float, shards: Path, device: Device) -> float:
    alone = device.model_copy(update={"threads": 1})
    rate = training_rate(RULE.config(budget, shards, seed=0, device=alone), alone, seconds=0.5)
    return budget / (0.95 * rate) + RUNG_OVERHEAD
