"""Likelihood tasks beside lm-evaluation-harness's Hugging Face backend: same model, requests, batch size and threads.

The model is built on the spot with random weights, as is its tokenizer (from Python's own sources), and both sides read
the same Hugging Face directory in fp32. Requests are made of the same sources in the shape of the tasks that they are
named after. Systems take turns, A B A B, tokenisation included; the ratio is the median of the rounds' own ratios. The
answers are compared, too.

`--crossover` measures from where on a shared beginning is worth a call of its own: the constants of prefixes.py.
"""

from __future__ import annotations

import statistics
import sys
import sysconfig
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness.report import entry, options, publish, table

from presage.core.errors import ConfigError
from presage.core.seeds import stream
from presage.data.bpe import EOT, Tokenizer
from presage.data.verbs import Continuation
from presage.infer.opening import open_model
from presage.model import prefixes
from presage.model.config import ModelConfig, gpt2, qwen3
from presage.model.scoring import continuations
from presage.model.transformer import build

CONTEXT = 1024
OPTIONS, SHOTS, LETTERS = 4, 5, "ABCD"
BEGINNINGS = (8, 16, 32, 64, 256)
COLUMNS = [
    "task",
    "requests",
    "tokens each",
    "lm_eval s",
    "presage s",
    "ratio",
    "ratio of CPU time",
    "largest difference",
]
Answers = list[tuple[float, bool]]
TITLES = ("Evaluation speed", "Where reading a shared beginning once pays")
LEGENDS = (
    "Seconds are medians. The largest difference is between log-likelihoods of one request, in nats. Ratio: lm_eval's "
    "seconds over ours, the median of the rounds' ratios [least, greatest]. CPU time is the process's own, which other "
    "work on the machine changes less.",
    "CPU time where every prompt reads its beginning over CPU time where it is read once: above 1 sharing pays. Each "
    "prompt has 40 tokens of its own; 8 prompts with no common beginning are scored beside them.",
)


@dataclass(frozen=True)
class Workload:
    """Requests in the shape of a task."""

    name: str
    requests: list[Continuation]


def main() -> None:
    args = _arguments()
    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        parts = [f"{args.threads} threads, batch size {args.batch_size}, fp32, {args.rounds} rounds."]
        words = _words()
        for shape in args.shape:
            place = Path(folder, shape)
            config = _write_model(place, shape, args.vocab, words)
            parts.append(f"## {shape}: {config.n_params / 1e6:.1f} M parameters, {config.n_layers} layers, "
                         f"d_model {config.d_model}, vocabulary {config.vocab_size}, context {CONTEXT}")  # fmt: skip
            if args.crossover:
                parts.append(_crossover(config, args.rounds))
            else:
                parts.append(table(COLUMNS, _rows(place, _workloads(words, args.examples), args)))
    parts.append(LEGENDS[args.crossover])
    publish(
        "evaluation-crossover" if args.crossover else "evaluation-speed",
        TITLES[args.crossover],
        parts,
        write=args.write,
    )


def _arguments() -> Namespace:
    parser = options(__doc__)
    parser.add_argument("--shape", action="append", choices=["gpt2", "llama"], help="may be given several times")
    parser.add_argument("--examples", type=int, default=6, help="questions a task (default 6)")
    parser.add_argument("--rounds", type=int, default=1, help="turns of each side (default 1)")
    parser.add_argument("--batch-size", type=int, default=16, help="of both sides (default 16)")
    parser.add_argument("--threads", type=int, default=1, help="of both sides (default 1)")
    parser.add_argument("--vocab", type=int, default=16_384, help="size of the vocabulary (default 16,384)")
    parser.add_argument("--crossover", action="store_true", help="measure from where on sharing pays, and nothing else")
    args = parser.parse_args()
    args.shape = args.shape or ["gpt2"]
    return args


# ---- the model ------------------------------------------------------------------------------------------------------


def _words() -> list[str]:
    """Words of Python's own sources, in their order."""
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    return " ".join(file.read_text(encoding="utf-8", errors="replace") for file in files[:150]).split()


def _write_model(folder: Path, shape: str, vocab: int, words: list[str]) -> ModelConfig:
    """A Hugging Face directory with random weights, written with our own export of a model without a run."""
    from presage.model.exchange import write_hf

    config = {
        "gpt2": gpt2("124M", vocab, CONTEXT).model_copy(
            update={"n_layers": 6, "d_model": 384, "n_heads": 6, "n_kv_heads": 6, "d_ff": 1536}
        ),
        "llama": qwen3(vocab, CONTEXT, 6, 384, qk_norm=False, n_kv_heads=2, tie_embeddings=True),
    }[shape]
    tokenizer = folder.with_suffix(".json")
    tokenizer.write_text(Tokenizer.train([" ".join(words)], vocab, specials=(EOT,)).to_json(), encoding="utf-8")
    write_hf(build(config, seed=0), tokenizer, folder)
    return config


# ---- requests -------------------------------------------------------------------------------------------------------


def _workloads(words: list[str], examples: int) -> list[Workload]:
    chance = stream(0, "evaluation speed")

    def text(low: int, high: int) -> str:
        start = int(chance.integers(0, len(words) - high))
        return " ".join(words[start : start + int(chance.integers(low, high))])

    def shot() -> str:
        return f"Question: {text(25, 45)}\nAnswer: {text(3, 12)}"

    def asked(context: str) -> list[Continuation]:
        return [Continuation(context, f" {text(3, 12)}") for _ in range(OPTIONS)]

    def lettered(context: str) -> list[Continuation]:
        return [Continuation(context, f" {letter}") for letter in LETTERS]

    fixed = "\n\n".join(shot() for _ in range(SHOTS))
    questions = [f"Question: {text(25, 45)}\nAnswer:" for _ in range(examples)]
    drawn = ["\n\n".join([*(shot() for _ in range(SHOTS)), question]) for question in questions]
    letters = [f"{fixed}\n\n{one[:-8]}\n" + "\n".join(f"{i}. {text(3, 9)}" for i in LETTERS) for one in questions]
    passages = [Continuation(text(60, 90), f" {text(1, 2)}") for _ in range(4 * examples)]
    return [
        Workload("choice of 4, 0 shots", [one for question in questions for one in asked(question)]),
        Workload(f"choice of 4, {SHOTS} fixed shots", [c for q in questions for c in asked(f"{fixed}\n\n{q}")]),
        Workload(f"choice of 4, {SHOTS} shots drawn each", [one for context in drawn for one in asked(context)]),
        Workload(f"letter of 4, {SHOTS} fixed shots", [c for one in letters for c in lettered(f"{one}\nAnswer:")]),
        Workload("last word of a passage", passages),
    ]


# ---- both sides -----------------------------------------------------------------------------------------------------


def _rows(folder: Path, workloads: list[Workload], args: Namespace) -> Iterator[list[object]]:
    theirs, ours = _their_model(folder, args.batch_size), open_model(f"hf:{folder}", batch_size=args.batch_size)
    tokenizer = Tokenizer.load(folder / "tokenizer.json")

    def answer(requests: list[Continuation]) -> Answers:
        return [(one.logprob, one.greedy) for one in ours.loglikelihood(requests)]

    for side in (theirs, answer):  # first calls allocate
        side(workloads[0].requests[:8])
    for work in workloads:
        print(work.name, file=sys.stderr, flush=True)
        rounds = [(_timed(theirs, work.requests), _timed(answer, work.requests)) for _ in range(args.rounds)]
        (*_, expected), (*_, found) = rounds[0]
        difference = max(abs(a - b) for (a, _), (b, _) in zip(expected, found, strict=True))
        length = statistics.mean(len(tokenizer.encode(one.prompt + one.text)) for one in work.requests)
        seconds = [statistics.median(side[0] for side in column) for column in zip(*rounds, strict=True)]
        ratios = (_ratio([(one[clock], other[clock]) for one, other in rounds]) for clock in (0, 1))
        yield [
            work.name,
            len(work.requests),
            f"{length:.0f}",
            *(f"{s:.2f}" for s in seconds),
            *ratios,
            f"{difference:.1e}",
        ]


def _ratio(rounds: list[tuple[float, float]]) -> str:
    ratios = [theirs / ours for theirs, ours in rounds]
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"


def _timed(side: Callable[[list[Continuation]], Answers], requests: list[Continuation]) -> tuple[float, float, Answers]:
    """Seconds on the wall and of the CPU, and the answers."""
    start, used = time.perf_counter(), time.process_time()
    answers = side(requests)
    return time.perf_counter() - start, time.process_time() - used, answers


def _their_model(folder: Path, batch_size: int) -> Callable[[list[Continuation]], Answers]:
    try:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM
    except ImportError as error:
        raise ConfigError(
            f"lm_eval's Hugging Face backend is missing: {error}", hint="pip install 'lm-eval[hf]'"
        ) from None
    model: Any = HFLM(pretrained=str(folder), batch_size=batch_size, device="cpu", dtype="float32")

    def answer(requests: list[Continuation]) -> Answers:
        asked = [Instance("loglikelihood", {}, (one.prompt, one.text), i) for i, one in enumerate(requests)]
        return list(model.loglikelihood(asked, disable_tqdm=True))

    return answer


# ---- where sharing begins to pay ------------------------------------------------------------------------------------


def _crossover(config: ModelConfig, rounds: int) -> str:
    """Prompts of 40 tokens after a beginning that all share: CPU time of reading it each over reading it once."""
    model, chance = build(config, seed=0), np.random.default_rng(0)

    def prompts(count: int, shared: int) -> list[tuple[list[int], list[int]]]:
        header = chance.integers(config.vocab_size, size=shared).tolist()
        return [(header + chance.integers(config.vocab_size, size=40).tolist(), [1]) for _ in range(count)]

    def ratio(pairs: list[tuple[list[int], list[int]]], others: list[tuple[list[int], list[int]]]) -> float:
        def seconds(share: bool) -> float:
            start = time.process_time()
            continuations(model, pairs + others, share=share, batch_rows=16)
            return time.process_time() - start

        return statistics.median(seconds(False) / seconds(True) for _ in range(max(3, rounds)))

    kept = prefixes.LEAST_SHARED, prefixes.LEAST_SAVED
    prefixes.LEAST_SHARED, prefixes.LEAST_SAVED = 1, 1
    others = prompts(8, 0)  # of no common beginning: the batches that sharing rows would otherwise fill
    rows = [[count, *(f"{ratio(prompts(count, shared), others):.2f}" for shared in BEGINNINGS)] for count in (2, 4, 16)]
    prefixes.LEAST_SHARED, prefixes.LEAST_SAVED = kept
    return table(["prompts", *(f"{shared} shared" for shared in BEGINNINGS)], rows)


if __name__ == "__main__":
    entry(main)
