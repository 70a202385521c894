"""Public files of ../shared/data/eval as lm-evaluation-harness's own task definitions expect them.

A generated YAML includes the original, whole, and overrides only where its data lie. Rows are converted straight from
the carriers' files, without our readers: what those make of the files is part of what is compared.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import lzma
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = dict[str, Any]
Rows = Callable[[Path], Iterable[Row]]
"""From the folder of the data to the rows that the original's template reads."""


@dataclass(frozen=True)
class Part:
    """One of their tasks: its file below lm_eval/tasks, the rows asked and those that shots are drawn from, and the
    category that ours has for it, where one task of ours is several of theirs."""

    file: str
    asked: Rows
    pool: Rows | None = None
    category: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One comparison: our task, their parts, and {their metric: ours}. `shots` go to both sides.

    by_item: our metrics that have a score an item on both sides. folder: where our task finds its files. file: where
    set, the rows are also written under this name, and our task reads that. limit: at most so many items of a part,
    where they are long. explained: why what differs does.
    """

    ours: str
    parts: tuple[Part, ...]
    metrics: Mapping[str, str]
    by_item: tuple[str, ...] = ("acc",)
    shots: int = 0
    folder: str = "eval"
    file: str = ""
    limit: int = 1 << 30
    explained: str = ""


def write_yaml(part: Part, name: str, shots: int, data: Path, limit: int, folder: Path) -> Path:
    """The YAML and its data files in `folder`: the first `limit` rows that are asked, and the whole pool."""
    files = {"asked": str(_write_rows(folder / f"{name}.jsonl", itertools.islice(part.asked(data), limit)))}
    if part.pool is not None:
        files["pool"] = str(_write_rows(folder / f"{name}.pool.jsonl", part.pool(data)))
    places = importlib.util.find_spec("lm_eval").submodule_search_locations  # type: ignore[union-attr]
    splits = {"training_split": None, "validation_split": None, "test_split": "asked"}
    config = {
        "include": str(Path((places or [])[0]) / "tasks" / part.file),
        "task": name,
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "cache")},
        "fewshot_split": "pool" if part.pool is not None else None,
        "num_fewshot": shots,
        **splits,
        **part.changes,
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    return path


def folder_of(case: Case, data: Path, made: Path) -> Path:
    """Where our task finds its files."""
    if not case.file:
        return data / case.folder
    folder = made / case.ours
    folder.mkdir()
    _write_rows(folder / case.file, case.parts[0].asked(data))
    return folder


def _write_rows(path: Path, rows: Iterable[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


# ---- rows of each public file ----------------------------------------------------------------------------------------


def _lines(path: Path) -> Iterator[Row]:
    data = path.read_bytes()
    text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode()
    yield from (json.loads(line) for line in text.split("\n") if line.strip())


def _arc_easy(data: Path) -> Iterator[Row]:
    for number, row in enumerate(_lines(data / "eval/arc/ARC-Easy-Test.llmfoundry.jsonl.xz")):
        labels = list("ABCDE"[: len(row["choices"])])
        question = row["query"].removeprefix("Question: ")
        choices = {"text": row["choices"], "label": labels}
        yield {"id": str(number), "question": question, "choices": choices, "answerKey": labels[row["gold"]]}


def _arc_challenge(split: str) -> Rows:
    def rows(data: Path) -> Iterator[Row]:
        for row in _lines(data / f"eval/arc/ARC-Challenge-{split}.jsonl.xz"):
            texts, labels = ([choice[key] for choice in row["question"]["choices"]] for key in ("text", "label"))
            asked = {"id": row["id"], "question": row["question"]["stem"], "answerKey": row["answerKey"]}
            yield asked | {"choices": {"text": texts, "label": labels}}

    return rows


def _boolq(data: Path) -> Iterator[Row]:
    for number, row in enumerate(_lines(data / "eval/boolq/dev.jsonl.xz")):
        yield {"idx": number, "question": row["question"], "passage": row["passage"], "label": int(row["answer"])}


def _rte(data: Path) -> Iterator[Row]:
    for row in _lines(data / "eval/rte/val.jsonl"):
        yield row | {"label": ("entailment", "not_entailment").index(row["label"])}


def _mmlu(subject: str, split: str) -> Rows:
    def rows(data: Path) -> Iterator[Row]:
        for row in _lines(data / f"eval/mmlu/mmlu_{split}.jsonl.xz"):
            if row["subject"] == subject:
                yield row | {"answer": "ABCD".index(row["answer"])}

    return rows


def _blimp(paradigm: str) -> Rows:
    def rows(data: Path) -> Iterator[Row]:
        with zipfile.ZipFile(data / "eval/blimp/BLiMP.zip") as archive:
            yield from map(json.loads, archive.read(f"data/{paradigm}.jsonl").decode().splitlines())

    return rows


def _truthfulqa(data: Path) -> Iterator[Row]:
    with lzma.open(data / "eval/truthfulqa/mc_task.json.xz", "rt", encoding="utf-8") as file:
        for row in json.load(file):
            targets = ((key, row[key]) for key in ("mc1_targets", "mc2_targets"))
            yield {"question": row["question"]} | {
                key: {"choices": list(found), "labels": list(found.values())} for key, found in targets
            }


def _lambada(data: Path) -> Iterator[Row]:
    return _lines(data / "eval/lambada/lambada_test.jsonl.xz")


def _gsm8k(split: str) -> Rows:
    return lambda data: _lines(data / f"eval/gsm8k/{split}.jsonl.xz")


def _hellaswag(data: Path) -> Iterator[Row]:
    """The original's form. The sample has lost the activity and where the last sentence begins: its domain stands for
    the one, and the place after the last full stop for the other."""
    for number, row in enumerate(_lines(data / "eval/hellaswag_sample/hellaswag_2000.jsonl.xz")):
        first, stop, last = row["context"].rpartition(". ")
        texts = {"ctx_a": (first + stop).strip() or last, "ctx_b": last if first else "", "ctx": row["context"]}
        known = {"ind": number, "activity_label": row["domain"], "split": "val"}
        yield known | texts | {"endings": row["choices"], "label": str("ABCD".index(row["answer"]))}


def _wikitext(data: Path) -> Iterator[Row]:
    """Articles as the data set that the original names has them: from a title's line to the next, joined by newlines,
    where "= = =" and "= =" count as one sign; what is blank is left out."""
    page: list[str] = []
    with lzma.open(data / "corpus/wikitext2_eval/test.txt.xz", "rt", encoding="utf-8") as file:
        for line in file.read().split("\n"):
            signs = line.replace("= = =", "===").replace("= =", "==").strip().split(" ")
            if len(signs) > 1 and signs[0] == signs[-1] == "=":
                if "".join(page).strip():
                    yield {"page": "\n".join(page)}
                page = []
            page.append(line)
    yield {"page": "\n".join(page)}


# ---- cases -----------------------------------------------------------------------------------------------------------

SUBJECTS = ("astronomy", "high_school_computer_science", "moral_disputes")
PARADIGMS = ("adjunct_island", "anaphor_number_agreement", "principle_A_case_1", "wh_vs_that_no_gap")
FIRST = {"fewshot_config": {"sampler": "first_n"}}
ACC = {"acc,none": "acc"}
BOTH = {"acc,none": "acc", "acc_norm,none": "acc_norm"}
LAMBADA = {"acc,none": "accuracy", "perplexity,none": "perplexity"}
WIKITEXT = {f"{name},none": name for name in ("word_perplexity", "byte_perplexity", "bits_per_byte")}
GSM8K = {f"exact_match,{name}": f"exact_match_{name.split('-')[0]}" for name in ("strict-match", "flexible-extract")}


def _mmlu_part(subject: str) -> Part:
    return Part(f"mmlu/default/mmlu_{subject}.yaml", _mmlu(subject, "test"), _mmlu(subject, "dev"), subject)


def _one(name: str, yaml_file: str, asked: Rows, metrics: Mapping[str, str] = ACC, **more: Any) -> Case:
    return Case(f"{name}_harness", (Part(yaml_file, asked),), metrics, **more)


CASES: tuple[Case, ...] = (
    _one("arc_easy", "arc/arc_easy.yaml", _arc_easy, BOTH),
    Case(
        "arc_challenge_harness",
        (Part("arc/arc_challenge.yaml", _arc_challenge("Test"), _arc_challenge("Train"), changes=FIRST),),
        BOTH,
        shots=3,
    ),
    _one("hellaswag", "hellaswag/hellaswag.yaml", _hellaswag, BOTH, file="hellaswag_val.jsonl"),
    Case("mmlu_harness", tuple(map(_mmlu_part, SUBJECTS)), ACC, shots=5),
    _one("boolq", "super_glue/boolq/default.yaml", _boolq),
    _one("rte", "super_glue/rte/default.yaml", _rte),
    Case("blimp_harness", tuple(Part(f"blimp/{one}.yaml", _blimp(one), category=one) for one in PARADIGMS), ACC),
    _one("truthfulqa_mc1", "truthfulqa/truthfulqa_mc1.yaml", _truthfulqa),
    _one("truthfulqa_mc2", "truthfulqa/truthfulqa_mc2.yaml", _truthfulqa),
    _one("lambada", "lambada/lambada_openai.yaml", _lambada, LAMBADA, by_item=("accuracy",)),
    _one("wikitext", "wikitext/wikitext.yaml", _wikitext, WIKITEXT, by_item=(), folder="corpus", limit=20),
    Case(
        "gsm8k_harness",
        (Part("gsm8k/gsm8k.yaml", _gsm8k("test"), _gsm8k("train"), changes=FIRST),),
        GSM8K,
        shots=5,
        by_item=tuple(GSM8K.values()),
    ),
)
