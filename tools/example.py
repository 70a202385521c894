"""Rebuild docs/example: the demo with several seeds, their table, and a published copy of the first.

    python tools/example.py --seeds 5 --minutes 20 --work runs/example

Corpus, tokenizer and shards are made once and shared, and what they took is taken off the other seeds' minutes; every
seed trains its own ladder and target, the first its eyes too. Seeds that are finished in the work folder are kept.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import statistics
from pathlib import Path

from publish import publish

from presage.core.run import RunDir
from presage.recipes import demo

ROOT = Path(__file__).resolve().parent.parent
SHARED = ("corpus", "tokenizer", "shards")
FIELDS = ("promised", "lo", "hi", "actual", "error_percent", "half_width_percent", "inside")
ABILITY = "capability/all"
YES_NO: dict[object, str] = {0: "no", 1: "yes"}


def main() -> None:
    """Run the seeds that are missing, then write the table, the copy and the README's figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / "example")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "example")
    options = parser.parse_args()
    runs = [_run(options.work, seed, options.minutes) for seed in range(options.seeds)]
    rows = [_row(seed, run) for seed, run in enumerate(runs)]
    publish(runs[0], options.out)
    _write_table(rows, options.out / "seeds.csv")
    _update_readmes(runs[0], rows)
    _update_forecasting(rows)


def _run(work: Path, seed: int, minutes: float) -> Path:
    """One demo. Its first three stages are copies of seed 0's: they do not depend on the seed."""
    folder, first = work / f"seed-{seed}", work / "seed-0"
    for stage in SHARED if seed else ():
        if not (folder / stage).exists():
            shutil.copytree(first / stage, folder / stage)
    if not (folder / "report" / "DONE").is_file():
        demo.run(folder, minutes=minutes - _shared_minutes(first) if seed else minutes, images=not seed, seed=seed)
    return folder


def _shared_minutes(folder: Path) -> float:
    began, ended = folder / SHARED[0] / "config.json", folder / SHARED[-1] / "DONE"
    return (ended.stat().st_mtime - began.stat().st_mtime) / 60


def _row(seed: int, folder: Path) -> dict[str, object]:
    score, forecast = RunDir.open(folder / "score"), RunDir.open(folder / "forecast").read_json("forecast.json")
    fitted = [p for p in forecast["points"] if p["fitted"]]
    extra = {"target_flops": forecast["target"]["compute"], "ratio": forecast["extrapolation"]}
    extra |= {"budgets": len(fitted), "runs": sum(p["n"] for p in fitted), "noise": forecast["noise"]}
    return {"seed": seed} | {f: score.value(f) for f in FIELDS} | _ability(score) | extra | {"seal": forecast["seal"]}


def _ability(score: RunDir) -> dict[str, object]:
    """The second promise, -E[log pass rate] in nats, as columns that begin with pass_."""
    results = score.results()
    promised, actual = results[f"{ABILITY}/promised"], results[f"{ABILITY}/actual"]
    facts = {"promised": promised["value"], "lo": promised["lo"], "hi": promised["hi"], "actual": actual["value"]}
    facts |= {"rate": results[f"{ABILITY}/pass_rate"]["value"], "inside": results[f"{ABILITY}/inside"]["value"]}
    return {f"pass_{name}": value for name, value in facts.items()}


def _write_table(rows: list[dict[str, object]], path: Path) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


LOSS_TABLE = (
    "| seed | promised | 90 % interval | came out at | error | half-width | inside | runs fitted | ratio |",
    "| {seed} | {promised:.4f} | {lo:.4f} to {hi:.4f} | {actual:.4f} | {error_percent:+.2f} % "
    "| {half_width_percent:.2f} % | {verdict} | {runs:.0f} | {ratio:.1f} |",
)
ABILITY_TABLE = (
    "| seed | promised | 90 % interval | came out at | inside | as a pass rate |",
    "| {seed} | {pass_promised:.3f} | {pass_lo:.3f} to {pass_hi:.3f} | {pass_actual:.3f} | {pass_verdict} "
    "| {pass_rate:.1%} |",
)


def _update_forecasting(rows: list[dict[str, object]]) -> None:
    """The same table in docs/forecasting.md, for reading."""
    path = ROOT / "docs" / "forecasting.md"
    page = path.read_text(encoding="utf-8")
    page = _between(page, "seeds", _table(rows, *LOSS_TABLE))
    path.write_text(_between(page, "pass-seeds", _table(rows, *ABILITY_TABLE)), encoding="utf-8")


def _table(rows: list[dict[str, object]], head: str, line: str) -> str:
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for row in rows:
        number = {key: float(str(value)) for key, value in row.items() if key not in ("seed", "seal")}
        verdicts = {"verdict": YES_NO[row["inside"]], "pass_verdict": YES_NO[row["pass_inside"]]}
        lines.append(line.format(seed=row["seed"], **verdicts, **number))
    return "\n".join(lines)


def _between(page: str, mark: str, text: str) -> str:
    begin, end = f"<!-- {mark}:begin -->", f"<!-- {mark}:end -->"
    return f"{page.split(begin)[0]}{begin}\n{text}\n{end}{page.split(end)[1]}"


def _update_readmes(folder: Path, rows: list[dict[str, object]]) -> None:
    score = RunDir.open(folder / "score").results()
    errors = [abs(float(str(row["error_percent"]))) for row in rows]
    inside = sum(int(str(row["inside"])) for row in rows)
    facts = {
        "promised": f"{score['promised']['value']:.3f}",
        "lo": f"{score['lo']['value']:.3f}",
        "hi": f"{score['hi']['value']:.3f}",
        "actual": f"{score['actual']['value']:.3f}",
        "error": f"{score['error_percent']['value']:+.2f} %",
        "median": f"{statistics.median(errors):.2f} %",
        "worst": f"{max(errors):.2f} %",
        "inside": f"{inside} of {len(rows)}",
        "seal": score["seal"]["value"],
        "seeds": len(rows),
        "pass_inside": f"{sum(int(str(row['pass_inside'])) for row in rows)} of {len(rows)}",
        "pass_error": f"{float(str(rows[0]['pass_actual'])) / float(str(rows[0]['pass_promised'])) - 1:+.0%}",
        "ratio": f"{float(str(rows[0]['ratio'])):.0f}",
    }
    facts |= {key: f"{float(str(rows[0][key])):.3f}" for key in ("pass_promised", "pass_lo", "pass_hi", "pass_actual")}
    for name, text in (("README.md", ENGLISH), ("README.zh-CN.md", CHINESE)):
        path = ROOT / name
        page = path.read_text(encoding="utf-8")
        path.write_text(_between(page, "example", text.format(**facts)), encoding="utf-8")


ENGLISH = """| promised before training | 90 % interval | came out at | error |
|---|---|---|---|
| {promised} bits per byte | {lo} to {hi} | **{actual}** | {error} |
| {pass_promised} nats, mean −log pass rate | {pass_lo} to {pass_hi} | **{pass_actual}** | {pass_error} |

The second line is about generated functions held out of the training text: tests passed, by sampling. Every fitted
run used at most 1/{ratio} of the target's compute. Over {seeds} seeds, all reported: the loss's median error {median},
worst {worst}, inside the interval {inside}; the pass rate inside {pass_inside}
([table](docs/example/seeds.csv)). Seal: `{seal}`.
Check it: `presage forecast verify docs/example`."""
CHINESE = """| 训练前的承诺 | 90 % 区间 | 实际结果 | 误差 |
|---|---|---|---|
| {promised} 比特/字节 | {lo} 至 {hi} | **{actual}** | {error} |
| {pass_promised} 纳特：平均 −log 通过率 | {pass_lo} 至 {pass_hi} | **{pass_actual}** | {pass_error} |

参与拟合的每次训练至多使用目标计算量的 1/{ratio}。{seeds} 个随机种子全部列出：损失误差中位数 {median}，最大 {worst}，
落入区间 {inside}；通过率落入区间 {pass_inside}（[表格](docs/example/seeds.csv)）。封印：`{seal}`。
自行核验：`presage forecast verify docs/example`。"""

if __name__ == "__main__":
    main()
