"""The whole chain on one machine: corpus, tokenizer, scan, ladder, sealed forecast, target, score, assistant, images,
report.

`minutes` is the dial. The machine's training speed is measured, the target's compute is what fits into the time, and
every rung follows from it; the measured speeds are sealed with the forecast.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

from presage.core.errors import BudgetError, DataError
from presage.core.run import RunDir, note
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
from presage.forecast.verify import LEDGER
from presage.recipes import assistant, eyes
from presage.recipes import demo_plan as plan
from presage.recipes import examined as examination
from presage.recipes.kept import entered, kept
from presage.recipes.outcome import CONDUCT, told
from presage.report import render as report_stage
from presage.train import pretrain

RESERVE = 32.0
"""Seconds kept for the last evaluation, samples, their comparison with the training text, and the report."""
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


def own_files(*places: Path) -> corpus_stage.Config:
    """A user's own files or folders in place of the embedded corpus: a source each, taken once, whole."""
    names = [place.name or "files" for place in places]
    sources = {}
    for name, place in zip(names, places, strict=True):
        own = name if names.count(name) == 1 else str(place)
        sources[own] = corpus_stage.Source(name=own, paths=(str(place),))
    return corpus_stage.Config(sources=tuple(sources.values()))


def tokenizer() -> tokenizer_stage.Config:
    """GPT-2's split pattern, 1,024 tokens: small models would spend a larger vocabulary's FLOPs on the softmax."""
    return tokenizer_stage.Config(corpus=Path("runs/demo/corpus"), vocab_size=plan.VOCAB)


def shards() -> shards_stage.Config:
    """The demo's corpus in the demo's tokens."""
    return shards_stage.Config(corpus=Path("runs/demo/corpus"), tokenizer=Path("runs/demo/tokenizer"))


def ladder() -> ladder_stage.Config:
    """The ladder of a target of 3e13 FLOPs; the demo itself takes the target that fits its time."""
    budgets = ladder_stage.target_and_rungs(3e13, plan.RATIO, plan.BUDGETS, plan.DECADES)
    return ladder_stage.Config(
        shards=Path("runs/demo/shards"), rule=plan.RULE, budgets=budgets, repeats=(3,), eval_tokens=plan.EVAL_TOKENS
    )


def run(
    out: Path | str,
    *,
    minutes: float = 20.0,
    corpus: Path | str | None = None,
    microcode: bool | None = None,
    images: bool = True,
    seed: int = 0,
) -> RunDir:
    """Walk every stage below `out`; finished stages are kept, so an interrupted demo goes on. Returns the report's run.

    `minutes` counts from this call. With `microcode` (by default, but for files of your own) a quarter of the training
    text is generated functions, and a pass rate is promised beside the loss. `images` come on top: the target is given
    eyes, in about eyes.MINUTES, or in less than one where ALIGNS is not reached. Raises BudgetError below 2 minutes.
    """
    microcode = corpus is None if microcode is None else microcode
    if minutes < 2:
        raise BudgetError(
            f"{minutes:g} minutes are too few for the whole chain", hint="--minutes 3 is the shortest useful"
        )
    clock, out = time.perf_counter(), Path(out)
    spare = RESERVE + (ATTEMPT_SECONDS * microcode + examination.SECONDS) * (1.0 if minutes >= plan.ENOUGH else SHORT)
    spare += microcode * (assistant.SECONDS if minutes >= ALIGNS else assistant.SHORT_SECONDS)

    def left() -> float:
        return plan.seconds_left(minutes, time.perf_counter() - clock, spare)

    note(f"presage demo: {minutes:g} minutes{_on_top(minutes, images)}, into {out}")
    sources = _sources(None if corpus is None else Path(corpus), microcode)
    texts = kept(corpus_stage, lambda: sources, out / "corpus")
    vocabulary = kept(
        tokenizer_stage, lambda: tokenizer_stage.Config(corpus=texts.path, vocab_size=plan.VOCAB), out / "tokenizer"
    )
    tokens = kept(
        shards_stage, lambda: shards_stage.Config(corpus=texts.path, tokenizer=vocabulary.path), out / "shards"
    )
    examined = _has_microcode(texts)
    scanned = kept(
        scan_stage,
        lambda: examination.scan(texts.path, seed, problems=PROBLEMS if examined else 0, levels=LEVELS),
        out / "contamination",
    )
    rungs = kept(ladder_stage, lambda: plan.affordable(tokens.path, minutes, left(), seed), out / "ladder")
    samples = SAMPLES if minutes >= plan.ENOUGH else FEW_SAMPLES
    examine = partial(
        attempts_stage.Config,
        problems=PROBLEMS,
        levels=LEVELS,
        samples=samples,
        bucket_samples=round(SORTING * samples),
        runs_per_budget=ATTEMPTED_RUNS,
        seed=seed,
    )
    tried = kept(attempts_stage, lambda: plan.of_ladder(examine, rungs), out / "attempts") if examined else None
    sealed = kept(
        seal_stage,
        lambda: plan.sealing(texts.path, vocabulary.path, tokens.path, rungs, tried, minutes, left(), seed),
        out / "forecast",
    )
    entered(out / LEDGER, sealed, f"demo, seed {seed}")
    target = kept(
        pretrain,
        lambda: sealed.config(seal_stage.Config).target.model_copy(update={"forecast": sealed.path}),
        out / "target",
    )
    last = kept(attempts_stage, lambda: examine(run=target.path), out / "target-attempts") if examined else None
    score = kept(
        score_stage,
        lambda: score_stage.Config(forecast=sealed.path, target=target.path, attempts=last.path if last else None),
        out / "score",
    )
    ledger.append_score(out / LEDGER, score.path)
    judged = (
        kept(scores_stage, lambda: examination.scores(last, scanned, out / SCORES), out / "scores") if last else None
    )
    asked = kept(
        eval_stage, lambda: examination.config(target.path, seed, short=minutes < plan.ENOUGH), out / "examination"
    )
    learnt = _memorised(target, out / "memorisation", seed)
    aligned = (
        assistant.chain(target.path, tokens.path, out / "assistant", seed=seed, short=minutes < ALIGNS)
        if examined
        else {}
    )
    seeing = eyes.chain(target.path, out / "eyes", seed, minutes < ALIGNS, tokens.path) if images else {}
    known = kept(record_stage, lambda: record_stage.Config(ledger=Path("..") / LEDGER), out / "record")
    planned = kept(plan_stage, lambda: plan.next_run(rungs, sealed, target), out / "plan")
    compared = kept(collapse_stage, lambda: collapse_stage.Config(ladder=rungs.path), out / "collapse")
    report = kept(
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
        ).model_copy(update=assistant.roles(aligned) | eyes.roles(seeing)),
        out / "report",
    )
    taken = (time.perf_counter() - clock) / 60
    for line in told(
        score.path, aligned.get(CONDUCT), {kind: seeing[kind].path for kind in eyes.KINDS if kind in seeing}
    ):
        note(line)
    note(
        f"{minutes:g} minutes{_on_top(minutes, images)} planned, {taken:.1f} taken; open {report.path / 'report.html'}"
    )
    return report


def _on_top(minutes: float, images: bool) -> str:
    """What the images take besides, in words."""
    more = f"about {eyes.MINUTES:g} more" if minutes >= ALIGNS else "less than one more"
    return f" and {more} for images" if images else ""


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
        return kept(memorisation_stage, lambda: memorisation_stage.Config.model_validate(settings), out)
    except DataError as error:
        note(f"not compared with the training text: {error}")
        return None
