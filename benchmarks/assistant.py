"""The policy world with several seeds: each demo's target made an assistant, all examined on held-out requests.

Beside it: what it takes (seconds, memory), and the rate at which a policy's rollouts are written, over that of plain
generation by the same model from the same prompts.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from harness.report import entry, options, publish, table

from presage.align.rollout import roll, seeds_of
from presage.align.world.files import HELD_OUT
from presage.align.world.requests import read_requests
from presage.core.run import RunDir
from presage.core.workers import usable_cores
from presage.data.bpe import Tokenizer
from presage.data.chat import opened
from presage.model import decode
from presage.model.weights import load_run
from presage.recipes.assistant import MODELS, chain

MEASURES = (
    "refusal on disallowed",
    "harm on disallowed",
    "refusal on destruction",
    "refusal on theft",
    "refusal on safe",
    "refusal on boundary twins",
    "task pass rate",
    "function pass rate",
    "kl",
    "tax",
)
NEW, PROMPTS = 40, 512


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--demos", type=Path, help="demos seed-0, seed-1, …; finished runs are kept")
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    if args.demos is None:
        print("assistant: skipped, --demos is not given: a folder of finished demos, one a seed")
        return
    seconds: list[float] = []
    for seed in range(args.seeds):
        demo, begun = args.demos / f"seed-{seed}", time.perf_counter()
        chain(demo / "target", demo / "shards", demo / "assistant", seed=seed)
        seconds.append(time.perf_counter() - begun)
    folders = [args.demos / f"seed-{seed}" / "assistant" for seed in range(args.seeds)]
    taken = [one for one in seconds if one > 30]  # a finished chain is only opened
    said = ["The last column of each model is the mean over seeds."]
    if taken:
        said.append(f"A chain took {statistics.median(taken):.0f} s in the middle, {max(taken):.0f} s at most, on ")
        said.append(f"{usable_cores()} cores; most memory of one process: {_peak():.2f} GB.")
    parts = [*(_conduct(folders, model) for model in MODELS), _rewards(folders), " ".join(said), _rollouts(folders[0])]
    publish("assistant", "An assistant with a policy, by seed", parts, write=args.write)


def _conduct(folders: Sequence[Path], model: str) -> str:
    runs = [RunDir.open(folder / "conduct") for folder in folders]
    rows = []
    for measure in (*MEASURES, *(() if model == MODELS[0] else ("task pass rate/difference",))):
        values = [run.results().get(f"{model}/{measure}", {}).get("value") for run in runs]
        known = [value for value in values if value is not None]
        mean = statistics.fmean(known) if known else None
        rows.append([measure, *(_cell(value) for value in [*values, mean])])
    columns = [f"{model}", *(f"seed {number}" for number in range(len(folders))), "mean"]
    return table(columns, rows)


def _rewards(folders: Sequence[Path]) -> str:
    rows = []
    for number, folder in enumerate(folders):
        results = RunDir.open(folder / "reward").results()
        accuracy = results["accuracy"]
        weighing = RunDir.open(folder / "ppo").read_json("artifacts/weighing.json")
        cells = [accuracy["value"], accuracy["lo"], accuracy["hi"], results["calibration error"]["value"]]
        rows.append([f"seed {number}", *(_cell(cell) for cell in [*cells, weighing["weight"]])])
    return table(["reward model", "pair accuracy", "from", "to", "calibration error", "weight of the rules"], rows)


def _rollouts(folder: Path) -> str:
    """Rates of the two ways to write the same number of answers, alternating, medians of three."""
    torch.set_num_threads(1)
    model, vocabulary = load_run(folder / "ppo")
    tokenizer = Tokenizer.load(vocabulary)
    asked = read_requests(folder / "world" / HELD_OUT)[:PROMPTS]
    prompts = [opened(tokenizer, one.messages) for one in asked]
    rates: dict[str, list[float]] = {"rollouts": [], "generation": []}
    for number in range(3):
        begun = time.perf_counter()
        found = roll(model, prompts, NEW, 1.0, seeds_of(number, 0, len(prompts)), tokenizer.eot)
        rates["rollouts"].append(sum(len(one.completion) for one in found) / (time.perf_counter() - begun))
        begun = time.perf_counter()
        texts = decode.generate(model, prompts, NEW, seed=number, eot=tokenizer.eot)
        rates["generation"].append(sum(map(len, texts)) / (time.perf_counter() - begun))
    rolled, plain = (statistics.median(rates[name]) for name in ("rollouts", "generation"))
    steps = list(RunDir.open(folder / "ppo").rows("timing.jsonl"))
    whole = sum(row["seconds"] for row in steps)
    writing = [row["rollout_tokens_per_s"] for row in steps]
    return (
        f"Rollouts: {rolled:,.0f} tokens a second on one thread, {rolled / plain:.2f} of plain generation's "
        f"{plain:,.0f}. Within training: {statistics.median(writing):,.0f}; a step takes "
        f"{whole / len(steps):.1f} s in all."
    )


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _peak() -> float:
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1e6


if __name__ == "__main__":
    entry(main)
