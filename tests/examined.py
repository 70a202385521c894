"""An eval run directory as the stage leaves it, of a made-up model: for what reads such runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from presage.core.config import Config
from presage.core.run import RunDir
from presage.evaluate import calibration
from presage.evaluate.statistics import of_mean

LETTERS = "ABCD"
SUBJECTS = ("astronomy", "history", "law")
TASKS = ["task", "version", "method", "shots", "metric", "better", "n", "value", "stderr", "lo", "hi", "invalid",
         "truncated"]  # fmt: skip
SHOWN = ["task", "n", "contaminated", "untestable", "raw", "raw_stderr", "clean", "clean_stderr", "dirty",
         "dirty_stderr", "degradation_percent"]  # fmt: skip


class EvalConfig(Config):
    """Stands for the stage's."""

    model: str = "toy"


def make(
    path: Path,
    *,
    name: str = "toy",
    ability: float = 0.0,
    sharper: float = 1.0,
    n: int = 60,
    seed: int = 0,
    shots: int = 5,
    likelihoods: bool = True,
    code: bool = True,
) -> RunDir:
    """An eval run: multiple choice, reading with passages, perplexity and code; better with `ability`.

    The questions depend on `seed` alone, so that runs of several models can be compared. `likelihoods` off is an
    endpoint that only generates: no probabilities.
    """
    questions, answers = np.random.default_rng(seed), np.random.default_rng([seed, *name.encode()])
    rows = [
        *_choice(questions, answers, n, ability, sharper, shots, likelihoods),
        *_reading(questions, answers, n // 2, ability),
    ]
    rows += _perplexity(questions, answers, n // 6, ability) if likelihoods else []
    rows += _code(questions, answers, n // 4, ability) if code else []
    with RunDir.create(path, "eval", EvalConfig(model=name)) as run:
        if code:
            run.result("isolation", "bubblewrap")
            run.result("kernel", "Linux 6.1")
        for row in rows:
            run.sample(**row)
        _tables(run, rows, shots)
        run.finish()
    return run


def _choice(
    questions: Any, answers: Any, n: int, ability: float, sharper: float, shots: int, says: bool
) -> Iterator[dict[str, Any]]:
    for i in range(n):
        gold, noise = int(questions.integers(4)), questions.normal(size=4)
        scores = 0.9 * noise + 0.4 * answers.normal(size=4)
        scores[gold] += 1 + ability
        p = np.exp(sharper * scores)
        p /= p.sum()
        picked = int(np.argmax(p))
        options = [f"Option {letter} of {i} < {i + 1} & so on" for letter in LETTERS]
        prompt = f"Question: which is number {gold}, asked in row {i}?\n" + "".join(
            f"{letter}. {text}\n" for letter, text in zip(LETTERS, options, strict=True)
        ) + "Answer:"  # fmt: skip
        extra: dict[str, Any] = {"picked": picked, "truncated": 3 if i == 1 else 0}
        if says:
            extra["probabilities"] = p.tolist()
        elif i == 2:
            extra["invalid"] = True
        yield _row("mmlu", i, prompt, options[picked], {"accuracy": float(picked == gold)}, extra, gold=gold,
                   category=SUBJECTS[i % 3], shots=[f"s{k}" for k in range(shots)],
                   kind="loglikelihood" if says else "generate")  # fmt: skip


def _reading(questions: Any, answers: Any, n: int, ability: float) -> Iterator[dict[str, Any]]:
    hard = questions.normal(size=n).repeat(5)  # five questions share a passage
    for i in range(n):
        share = float(1 / (1 + np.exp(hard[i] - ability - 0.5 * answers.normal())))
        exact = float(share > 0.6)
        text = "<script>alert('no')</script> 42" if i == 0 else f"answer {i}"
        yield _row("coqa", i, f"Passage {i // 5}.\nQ: {i}?\nA:", text, {"f1": max(share, exact), "exact": exact},
                   {"invalid": i == 3}, group=f"passage-{i // 5}", kind="generate")  # fmt: skip


def _perplexity(questions: Any, answers: Any, n: int, ability: float) -> Iterator[dict[str, Any]]:
    for i in range(n):
        bits = float(1.2 - 0.2 * ability + 0.1 * questions.normal() + 0.02 * answers.normal())
        yield _row("wikitext", i, f"Document {i} = Valkyria …", "", {"bits_per_byte": bits}, {}, kind="rolling")


def _code(questions: Any, answers: Any, n: int, ability: float) -> Iterator[dict[str, Any]]:
    for i in range(n):
        rate = float(1 / (1 + np.exp(1.5 * questions.normal() - ability + 0.2)))
        right, samples = int(answers.binomial(20, rate)), 20
        miss = 1.0 if samples - right < 10 else 1 - float(np.prod([1 - 10 / j for j in range(samples - right + 1, 21)]))
        yield _row("humaneval", i, f'def f{i}(x):\n    """Return {i}."""\n', f"    return {i}\n",
                   {"pass@1": right / samples, "pass@10": miss}, {"passed": right, "samples": samples},
                   kind="execute")  # fmt: skip


def _row(task: str, number: int, prompt: str, answer: str, scores: dict[str, float], extra: dict[str, Any], *,
         kind: str, gold: int | None = None, category: str = "", group: str = "",
         shots: list[str] | None = None) -> dict[str, Any]:  # fmt: skip
    return {
        "task": task, "version": 1, "id": f"{task}-{number}", "category": category, "group": group,
        "shots": shots or [], "prompt": prompt, "prompt_sha256": hashlib.sha256(prompt.encode()).hexdigest(),
        "answer": answer, "scores": scores, "extra": extra, "gold": gold,
        "asked": _asked(kind, prompt, answer),
    }  # fmt: skip


def _asked(kind: str, prompt: str, answer: str) -> list[dict[str, Any]]:
    if kind == "loglikelihood":
        texts = [f" {letter}" for letter in LETTERS]
        return [
            {"kind": kind, "request": {"prompt": prompt, "text": text}, "answer": {"logprob": -1.0}} for text in texts
        ]
    return [{"kind": kind, "request": {"prompt": prompt}, "answer": {"completions": [{"text": f" {answer}\nQ:"}]}}]


def _tables(run: RunDir, rows: list[dict[str, Any]], shots: int) -> None:
    found, shown = [], []
    for task in dict.fromkeys(row["task"] for row in rows):
        some = [row for row in rows if row["task"] == task]
        for metric in some[0]["scores"]:
            value = of_mean([row["scores"][metric] for row in some], [row["group"] for row in some])
            found.append({
                "task": task, "version": 1, "method": f"Method({some[0]['asked'][0]['kind']!r})",
                "shots": len(some[0]["shots"]), "metric": metric,
                "better": "lower" if metric == "bits_per_byte" else "higher", "n": value.n, "value": value.value,
                "stderr": value.stderr, "lo": value.lo, "hi": value.hi,
                "invalid": sum(bool(row["extra"].get("invalid")) for row in some),
                "truncated": sum(bool(row["extra"].get("truncated")) for row in some),
            })  # fmt: skip
            run.result(f"{task}/{metric}", value.value, stderr=value.stderr, n=value.n)
        shown.append(_shown(task, some))
    run.table("tasks", found, TASKS)
    run.table("shown", shown, SHOWN)
    run.table("categories", [], ["task", "category", "metric", "n", "value", "stderr"])
    made = calibration.tables(rows)
    run.table("calibration", made.calibration, calibration.CALIBRATION)
    run.table("selective", made.selective, calibration.SELECTIVE)
    for name, entry in made.results.items():
        run.result(name, **entry)
    for task in dict.fromkeys(row["task"] for row in rows):
        metric = next(row["metric"] for row in found if row["task"] == task)
        lines = (json.dumps({"id": r["id"], "score": r["scores"][metric]}) for r in rows if r["task"] == task)
        run.write_text(f"artifacts/scores/{task}.jsonl", "".join(f"{line}\n" for line in lines))


def _shown(task: str, some: list[dict[str, Any]]) -> dict[str, Any]:
    """The first task was looked for in the training text: every tenth example stands there. The others were not."""
    scores = [next(iter(row["scores"].values())) for row in some]
    raw = of_mean(scores, [row["group"] for row in some])
    plain = {"task": task, "n": raw.n, "raw": raw.value, "raw_stderr": raw.stderr}
    if task != "mmlu":
        return plain
    clean, dirty = of_mean([s for i, s in enumerate(scores) if i % 10]), of_mean(scores[::10])
    assert raw.value and clean.value is not None
    return plain | {
        "contaminated": dirty.n, "untestable": 0, "clean": clean.value, "clean_stderr": clean.stderr,
        "dirty": dirty.value, "dirty_stderr": dirty.stderr,
        "degradation_percent": 100 * (clean.value - raw.value) / raw.value,
    }  # fmt: skip
