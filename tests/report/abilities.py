"""What a chain holds about a capability, planted like the rest of it: laws, points, attempts and outcomes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from presage.core.config import Config
from presage.core.run import RunDir

# bucket: problems kept, dropped, −log pass rate at REFERENCE FLOPs, exponent, what comes out over what was promised
BUCKETS = {"all": (42, 13, 2.3, 0.19, 1.04), "1": (15, 2, 0.9, 0.27, 1.31), "2": (14, 4, 2.4, 0.2, 0.97),
           "3": (13, 7, 3.8, 0.15, 1.02)}  # fmt: skip
REFERENCE, HALF_WIDTH = 3e11, 0.17
MODELS, PROBLEMS, LEVELS, SAMPLES = 16, 60, 5, 200
WRITTEN = ["", "7", "True", " return <b>x</b> `y` | {{ z }}\n    # next\n", " return x + 48\n"]
"""What the target completes the first problem of each level with: nothing, a number, a word, markup, a solution."""


def value(bucket: str, compute: float) -> float:
    _, _, alpha, k, _ = BUCKETS[bucket]
    return float(alpha * (compute / REFERENCE) ** -k)


def promise(computes: list[float], target: float) -> dict[str, Any]:
    """The block "capability" of forecast.json."""
    alike = {"problems": PROBLEMS, "levels": list(range(1, LEVELS + 1)), "temperature": 1.0, "seed": 1_650_123_457}
    curve = np.geomspace(computes[0], 2 * target, 24).tolist()
    return {
        "metric": "-E[log pass_rate]", "unit": "nats", "examined_with": alike,
        "laws": [_law(bucket, computes, target) for bucket in BUCKETS],
        "points": [_points(bucket, computes) for bucket in BUCKETS],
        "curve": [[{"compute": c} | _around(value(bucket, c), HALF_WIDTH) for c in curve] for bucket in BUCKETS],
        "basis": {"form": "-E[log pass_rate] = alpha*(C/reference)^-k", "min_passed": 1, "set_aside": ["5:a:f(x)"]},
    }  # fmt: skip


def outcomes(run: RunDir, capability: dict[str, Any]) -> None:
    """What a score says about each bucket; the first one misses."""
    for law in capability["laws"]:
        name, actual = f"capability/{law['bucket']}", law["value"] * BUCKETS[law["bucket"]][-1]
        run.result(f"{name}/promised", law["value"], lo=law["lo"], hi=law["hi"], level=law["level"], unit="nats")
        run.result(f"{name}/actual", actual, stderr=0.021, unit="nats")
        run.result(f"{name}/inside", int(law["lo"] <= actual <= law["hi"]))


def attempts(root: Path, role: str, models: list[str], config: Config) -> None:
    """A run of the stage "attempts": problems, samples and what was written."""
    names = [f"{1 + i * LEVELS // PROBLEMS}:plus:{i}:f(x)" for i in range(PROBLEMS)]
    with RunDir.create(root / role, "attempts", config) as run:
        problems = [{"id": name, "family": "plus", "level": int(name[0]), "entry": "f", "tests": [],
                     "prompt": f'def f(x):\n    """Return x plus {i}."""\n    ', "solution": f"return x + {i}"}
                    for i, name in enumerate(names)]  # fmt: skip
        run.write_text("artifacts/problems.jsonl", "".join(f"{json.dumps(problem)}\n" for problem in problems))
        rows = [{"problem": name, "difficulty": name[0], "compute": 1e12, "run": model, "split": "fit", "n": SAMPLES,
                 "passed": 17, "nll": 4.1} for model in models for name in names]  # fmt: skip
        run.table("samples", rows)
        shown = [{"model": model, "problem": name, "passed": i == 48 or i % 24 == 1, "completion": _completion(i)}
                 for model in models for i, name in enumerate(names)]  # fmt: skip
        run.table("attempts", shown)
        numbers = {"models": len(models), "problems": PROBLEMS, "samples": len(rows) * SAMPLES}
        for key, number in numbers.items():
            run.result(key, number, unit=key)
        run.result("pass_rate", 17 / SAMPLES, stderr=0.002)
        run.finish()


def _completion(problem: int) -> str:
    level, place = divmod(problem, PROBLEMS // LEVELS)
    return WRITTEN[level] if place == 0 else f" return {problem}\n"


def _law(bucket: str, computes: list[float], target: float) -> dict[str, Any]:
    kept, dropped, alpha, k, _ = BUCKETS[bucket]
    promised = _around(value(bucket, target), HALF_WIDTH)
    rate = {"value": np.exp(-promised["value"]), "lo": np.exp(-promised["hi"]), "hi": np.exp(-promised["lo"])}
    second = _around(1.06 * promised["value"], 0.09) | {"level": 0.9} if bucket != "3" else None
    few = [f"only {kept} problems: luck with single ones moves the mean"] if bucket == "3" else []
    return {
        "compute": target, "bucket": bucket, **promised, "level": 0.9, "unit": "nats",
        "pass_rate": {key: float(number) for key, number in rate.items()} | {"level": 0.9},
        "law": {"form": "-E[log pass_rate] = alpha*(C/reference)^-k", "alpha": _around(alpha, 0.05) | {"level": 0.9},
                "k": _around(k, 0.2) | {"level": 0.9}, "reference": REFERENCE},
        "by_likelihood": second,
        "pass_at": {"k": 1} | _around(float(rate["value"]) * 1.05, 0.15) | {"level": 0.9},
        "problems": {"kept": kept, "dropped": dropped, "set_aside": 5, "min_passed": 1},
        "n": float(SAMPLES), "n_models": MODELS, "extrapolation": target / computes[-1],
        "method": "grid posterior of alpha, k and misfit", "warnings": ["13 of 55 problems are dropped", *few],
    }  # fmt: skip


def _points(bucket: str, computes: list[float]) -> list[dict[str, float]]:
    off = [1 + 0.03 * (-1) ** i for i in range(len(computes))]
    values = [value(bucket, c) * o for c, o in zip(computes, off, strict=True)]
    return [{"compute": c, "value": v, "stderr": 0.03 * v**0.5, "n": 2} for c, v in zip(computes, values, strict=True)]


def _around(middle: float, share: float) -> dict[str, float]:
    return {"value": middle, "lo": middle * (1 - share), "hi": middle * (1 + share)}
