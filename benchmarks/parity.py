"""Parity: our tasks beside lm-evaluation-harness's own, on one local Hugging Face model, item by item.

Their side is theirs: their task definitions (only the place of the data is overridden), their Hugging Face backend,
their metrics. Ours: our readers of the public files, prompts, methods and model. Whatever differs is listed.
Their tasks are also asked of our model through our adapter: a difference of models and one of tasks are told apart.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness.compare import CLOSE, Comparison, compare, ours_of, theirs_of
from harness.hf_model import described, train
from harness.peer_model import backend
from harness.peer_tasks import CASES, Case, folder_of, write_yaml
from harness.report import entry, options, publish, table

from presage.core.errors import ConfigError, did_you_mean
from presage.evaluate.runner import Exchange, Runner
from presage.infer.opening import open_model
from presage.tasks.library import find
from presage.tasks.shots import Shots

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
TITLE = "Parity with lm-evaluation-harness"
SHOWN = 6  # differences of one task that are printed
COLUMNS = (
    *("task", "shots", "items", "metric", "lm_eval", "presage", "difference"),
    *("same questions", "same answers", "greatest difference of log P"),
    *("same answers by the adapter", "cut to the context"),
)


def main() -> None:
    args = _arguments()
    if missing := _missing(args.data):
        publish("parity", TITLE, [f"Not measured: {missing}."], write=False)
        return
    os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")
    logging.disable(logging.WARNING)
    cases = _cases(args.tasks)
    rows: list[list[object]] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        model = train(args.model or folder / "model", args.shape, steps=args.steps)
        ours = open_model(f"hf:{model}")
        theirs, adapter = (
            backend(model, args.batch_size),
            importlib.import_module("presage.infer.harness").PresageLM(ours),
        )
        for case in cases:
            limit = min(-(-args.limit // len(case.parts)), case.limit)
            values, samples = _theirs(case, theirs, args.data, limit, folder)
            _, adapted = _theirs(case, adapter, args.data, limit, folder)
            exchanges = _ours(case, Runner(ours), folder_of(case, args.data, folder), limit)
            outcomes = theirs_of(samples, case.metrics)
            found = compare(outcomes, ours_of(exchanges, case.metrics), case.by_item)
            through = compare(outcomes, theirs_of(adapted, case.metrics), case.by_item)
            more = [_of(through.same_answers, through.items), sum(map(_is_cut, exchanges))]
            new = [[*row, *more] for row in _rows(case, values, _values(case, exchanges), found)]
            print(*new, sep="\n", file=sys.stderr, flush=True)
            rows += new
            notes += [*_notes(case, "tasks", found), *_notes(case, "adapter", through)]
        said = _said(described(model))
    parts = [said, table(COLUMNS, rows), "\n".join(notes) or "Nothing differs."]
    publish("parity", TITLE, parts, write=args.write)


def _arguments() -> argparse.Namespace:
    parser = options(__doc__)
    parser.add_argument("--data", type=Path, default=SHARED, help="the folder with eval and corpus")
    parser.add_argument("--tasks", default="", help="comma-separated; all by default")
    parser.add_argument("--limit", type=int, default=2, help="items of a task, 100 for the full measurement")
    parser.add_argument("--model", type=Path, help="a Hugging Face directory; trained there if there is none")
    parser.add_argument("--shape", choices=("gpt2", "llama"), default="gpt2")
    parser.add_argument("--steps", type=int, default=2, help="of training it, 120 for the full measurement")
    parser.add_argument("--batch-size", type=int, default=16, help="of lm_eval's backend")
    return parser.parse_args()


def _missing(data: Path) -> str:
    """What is not there that both sides need."""
    packages = [name for name in ("lm_eval", "transformers") if find_spec(name) is None]
    return f"{packages[0]} is not installed" if packages else "" if data.is_dir() else f"no folder {data.name}"


def _cases(names: str) -> list[Case]:
    known = {case.ours: case for case in CASES}
    wanted = names.split(",") if names else list(known)
    for name in wanted:
        if name not in known:
            raise ConfigError(f"unknown task '{name}'", where="--tasks", hint=did_you_mean(name, known))
    return [known[name] for name in wanted]


# ---- the two sides ---------------------------------------------------------------------------------------------------


def _theirs(case: Case, lm: Any, data: Path, limit: int, folder: Path) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """({our metric: their value}, their samples). Values of parts are averaged by their numbers of items."""
    evaluate = importlib.import_module("lm_eval").evaluate  # simple_evaluate would also ask pip for its list, each time
    load = importlib.import_module("lm_eval.tasks._yaml_loader").load_yaml
    manager = importlib.import_module("lm_eval.tasks").TaskManager(include_defaults=False)
    samples: list[dict[str, Any]] = []
    sums = dict.fromkeys(case.metrics.values(), 0.0)
    total = 0
    for number, part in enumerate(case.parts):
        name = f"{case.ours}_{number}"
        path = write_yaml(part, name, case.shots, data, limit, folder)
        found = evaluate(lm, manager.load([load(path)]), bootstrap_iters=0)
        count = len({sample["doc_id"] for sample in found["samples"][name]})
        samples += [sample | {"doc_id": total + sample["doc_id"]} for sample in found["samples"][name]]
        for metric, ours in case.metrics.items():
            sums[ours] += count * float(found["results"][name][metric])
        total += count
    return {ours: value / total for ours, value in sums.items()}, samples


def _ours(case: Case, runner: Runner, folder: Path, limit: int) -> list[Exchange]:
    task = replace(find(case.ours), draw="first")
    examples = task.data.examples(folder, 0)
    asked = [
        one for part in case.parts for one in [one for one in examples if part.category in ("", one.category)][:limit]
    ]
    shots = Shots(task, task.data.pool(folder, 0) or examples, case.shots, 0)
    return runner.run(task.method, asked, [shots.context(one) for one in asked])


def _values(case: Case, exchanges: Sequence[Exchange]) -> dict[str, float]:
    metrics = {metric.name: metric for metric in find(case.ours).method.metrics}
    graded = [exchange.graded for exchange in exchanges]
    return {name: metrics[name].aggregate(name, graded) for name in case.metrics.values()}


# ---- what is printed -------------------------------------------------------------------------------------------------


def _rows(case: Case, theirs: dict[str, float], ours: dict[str, float], found: Comparison) -> Iterator[list[object]]:
    for name in case.metrics.values():
        first, second = theirs[name], ours[name]
        same = [_of(count, found.items) for count in (found.same_prompts, found.same_answers)]
        difference = abs(first - second) / (1.0 if abs(first) < 1.5 else abs(first))
        values = [f"{first:.6g}", f"{second:.6g}", f"{difference:.1e}" if difference else "0"]
        yield [case.ours, case.shots, found.items, name, *values, *same, f"{found.farthest:.1e}"]


def _of(count: int, total: int) -> str:
    return f"{count} of {total}"


def _is_cut(exchange: Exchange) -> bool:
    """Whether tokens of a prompt were left out, because it did not fit the context."""
    return bool(exchange.graded.extra.get("truncated"))


def _notes(case: Case, side: str, found: Comparison) -> Iterator[str]:
    if not found.differences:
        return
    yield f"\n**{case.ours}**, our {side}: {len(found.differences)} differences. {case.explained}\n"
    rows = [[one.example, one.what, f"`{one.theirs}`", f"`{one.ours}`"] for one in found.differences[:SHOWN]]
    yield table(("item", "what", "lm_eval", "presage"), rows)


def _said(model: str) -> str:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("lm_eval", "transformers"))
    return (
        f"One local Hugging Face model ({model}), float32, on the CPU; {versions}. Same questions: prompts and options "
        f"are the same texts. Same answers: every log P within {CLOSE:g} nats (plus a millionth of itself), the same "
        f"option, text and score. The difference of a perplexity is relative."
    )


if __name__ == "__main__":
    entry(main)
