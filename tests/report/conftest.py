"""A whole chain of synthetic run directories. No number here was measured: they come from a planted law and a seed."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from presage.core.config import Config, Parent
from presage.core.run import RunDir
from presage.report import render
from tests.report import abilities, assistants, evals, pictures
from tests.report.reading import Page

A, B, C = 60.0, -0.135, 0.55
TARGET = 4e13
BUDGETS = (2e10, 4e10, 8e10, 1.6e11, 2.5e11, 4e11, 6.3e11, 8e11, 1.0e12, 1.26e12)
ROLES = ("corpus", "tokenizer", "shards", "ladder", "forecast", "target", "score", "attempts", "target_attempts",
         "record", "planned", "collapse", "contamination", "scores", "memorisation", "examination",
         "scaling", "sft", "reward", "policy", "policy_alone", "policy_no_text", "conduct", "tax_base", "tax_sft",
         "tax_policy", "tax_policy_alone", "tax_policy_no_text")  # fmt: skip


class AnyConfig(Config):
    """Stands for every stage's config."""

    parent: Parent | None = None
    settings: dict[str, Any] = {}


class CorpusConfig(AnyConfig):
    """What the datasheet reads of the corpus's."""

    similar: float | None = 0.8
    decontaminate: str | None = None


def law(compute: float) -> float:
    return A * compute**B + C


@dataclass
class Chain:
    """The finished run directories below one folder."""

    root: Path

    def config(self, without: tuple[str, ...] = (), **more: Any) -> render.Config:
        there = [role for role in ROLES if (self.root / role).exists() and role not in without]
        paths = {role: self.root / role for role in there}
        return render.Config.parse(paths | {"title": "A synthetic chain", "pdf": False} | more)


def build(root: Path, seed: int = 0, *, able: bool = False) -> Chain:
    """Write the chain; where it is `able`, with a capability promised and scored as well."""
    rng = np.random.default_rng(seed)
    promised = abilities.promise([b for b in BUDGETS if b >= 8e10], TARGET)
    _data_stages(root)
    _ladder(root, rng)
    forecast = write_forecast(root, capability=promised if able else None)
    actual = law(TARGET) * 1.004
    _pretrain(root / "target", rng, TARGET, actual, 7_340_032, 24_000_000, seal=forecast["seal"])
    write_score(root, AnyConfig(parent=root / "target"), forecast, actual)
    if able:
        abilities.attempts(root, "attempts", ["c11-s0", "c11-s1"], AnyConfig(settings={"samples": 200}))
        abilities.attempts(root, "target_attempts", ["target"], AnyConfig(settings={"samples": 200}))
    return Chain(root)


def write_score(root: Path, config: Config, forecast: dict[str, Any], actual: float) -> None:
    """root/score: a promise and what came of it."""
    with RunDir.create(root / "score", "score", config) as run:
        for name, key in (("promised", "point"), ("lo", "lo"), ("hi", "hi")):
            run.result(name, forecast[key], unit=forecast["unit"])
        run.result("actual", actual, unit=forecast["unit"])
        run.result("error_percent", 100 * (actual / forecast["point"] - 1))
        run.result("half_width_percent", 50 * (forecast["hi"] - forecast["lo"]) / forecast["point"])
        run.result("inside", int(forecast["lo"] <= actual <= forecast["hi"]))
        run.result("seal", forecast["seal"])
        if forecast["capability"]:
            abilities.outcomes(run, forecast["capability"])
        run.finish()


def _data_stages(root: Path) -> None:
    with RunDir.create(root / "corpus", "corpus", CorpusConfig(settings={"val_fraction": 0.05})) as run:
        results = {"train/documents": 18211, "train/bytes": 24_410_022, "val/documents": 961, "val/bytes": 1_204_881}
        for name, value in (results | {"bad/utf8": 3, "bad/empty": 12}).items():
            run.result(name, value)
        sources = {"source": "python-docs", "kind": "python-docs", "licence": "see packages.csv", "dates": "2024",
                   "read/documents": 21482, "read/bytes": 28_614_903, "bad/documents": 15,
                   "train/documents": 18211, "train/bytes": 24_410_022, "val/documents": 961,
                   "val/bytes": 1_204_881}  # fmt: skip
        run.table("sources", [sources, dict.fromkeys(sources, 3) | {"source": "own", "dates": "", "licence": ""}])
        removed = {"source": "python-docs", "looks_at": "words", "reference": "Rae et al. 2021", "documents": 2310,
                   "bytes": 990_000, "share": 0.0346, "alone": 2400}  # fmt: skip
        columns = ["source", "rule", "looks_at", "reference", "low", "high", "documents", "bytes", "share", "alone",
                   "changed"]  # fmt: skip
        run.table("removals", [
            removed | {"rule": "word_count", "low": 50, "high": 100_000},
            removed | {"rule": "near_copies"},
            removed | {"rule": "contaminated", "documents": 0},
            {"source": "python-docs", "rule": "redacted/email", "changed": 41},
        ], columns)  # fmt: skip
        run.table("removed_samples", [{"source": "python-docs", "rule": "word_count", "path": "a/b.py", "why": "12",
                                       "excerpt": "3.10"}])  # fmt: skip
        run.table("mixture", [{"source": name, "weight": w, "bytes": b, "epochs": e, "capped": 0, "taken_bytes": b * e,
                               "share": w} for name, w, b, e in (("python-docs", 0.75, 24_410_022, 1.0),
                                                                 ("own", 0.25, 3, 2.5))])  # fmt: skip
        run.table("languages", [{"source": "python-docs", "language": "en", "bytes": 24_000_000, "share": 0.98}])
        run.table("bad", [{"file": "a/b.py", "place": "byte 12", "reason": "invalid UTF-8"}])
        run.table("packages", [
            {"package": f"package_{i}", "version": f"3.{i}0", "licence": "BSD-3-Clause", "documents": 900 - 40 * i,
             "bytes": 3_000_000 // (i + 1)} for i in range(18)
        ])  # fmt: skip
        run.finish()
    settings = {"vocab_size": 2048, "pattern": "gpt2", "special_tokens": ["<|endoftext|>"]}
    with RunDir.create(root / "tokenizer", "tokenizer", AnyConfig(parent=root / "corpus", settings=settings)) as run:
        run.result("bytes_per_token", 3.127, unit="bytes/token")
        run.finish()
    with RunDir.create(root / "shards", "shards", AnyConfig(parent=root / "tokenizer")) as run:
        splits = {"train": {"tokens": 7_806_212, "bytes": 24_410_022, "documents": 18211, "files": []},
                  "val": {"tokens": 385_310, "bytes": 1_204_881, "documents": 961, "files": []}}  # fmt: skip
        run.write_json("artifacts/index.json", {"dtype": "uint16", "vocab_size": 2048, "splits": splits})
        run.finish()


def _pretrain(path: Path, rng: Any, compute: float, bpb: float, n_params: int, tokens: int, **origin: Any) -> str:
    layers, width = (6, 320) if compute == TARGET else (3, 64)
    model = {"n_layers": layers, "d_model": width, "n_heads": 5, "n_kv_heads": 5, "d_head": 64, "d_ff": 848,
             "context_length": 256, "vocab_size": 2048, "position": "rope", "norm": "rms", "block": "pre",
             "mlp": "swiglu", "qk_norm": True, "tie_embeddings": False, "bias": False}  # fmt: skip
    optim = {"kind": "muon", "lr": 0.0123, "weight_decay": 0.1}
    settings = {"model": model, "optim": optim, "schedule": {"kind": "wsd"}, "batch_tokens": 16384, "tokens": tokens}
    device = {"device": "cpu", "dtype": "bfloat16", "threads": 2, "peak_flops": 1.01e12,
              "matmul": {"float32 x 2 threads": 1.3e11, "bfloat16 x 2 threads": 1.01e12}}  # fmt: skip
    with RunDir.create(path, "pretrain", AnyConfig(settings=settings), device=device, **origin) as run:
        steps = max(tokens // 16384, 40)
        evaluations = set(np.linspace(steps / 14, steps, 14).astype(int))
        for step in sorted(evaluations | set(np.geomspace(1, steps, 160).astype(int))):
            share = step / steps
            value = bpb * float(share**-0.11) if share > 0.003 else bpb * 1.9
            row: dict[str, Any] = {"step": int(step), "tokens": int(tokens * share), "flops": compute * share}
            row["train/loss"] = 2.17 * value + float(rng.normal(0, 0.05))
            if step in evaluations:
                row |= {"val/loss": 2.17 * value, "val/bpb": value}
            run.metric(**row)
        run.timing(step=int(steps), seconds=1.7, tokens_per_s=52311.0, peak_share=0.41)
        run.timing(
            step=int(steps), total_seconds=482.4, energy_joules=21311.0, energy_method="estimate: 2 cores × 22 W"
        )
        run.result("val/bpb", bpb, stderr=0.0061, n=385_310, unit="bits/byte")
        for name, number in {"val/loss": 2.17 * bpb, "train/loss": 2.1 * bpb, "n_params": n_params, "tokens": tokens,
                             "n_params_non_embedding": n_params * 4 // 5, "flops": compute, "flops_6nd": compute * 0.81,
                             "steps": int(steps), "skipped_steps": 0}.items():  # fmt: skip
            run.result(name, number)
        for number in range(4):
            run.sample(prompt="Return the ", completion=f"list of <b>keys</b> & values #{number}\n\n    >>> f(`x`)\n",
                       step=int(steps))  # fmt: skip
        return run.finish()


def _ladder(root: Path, rng: Any) -> None:
    with RunDir.create(root / "ladder", "ladder", AnyConfig(parent=root / "shards")) as run:
        rows = []
        for number, budget in enumerate(BUDGETS):
            for seed in range(3 if budget < 5e11 else 2):
                bpb = rung_loss(budget) * float(np.exp(rng.normal(0, 0.004)))
                name, n_params = f"c{number:02}-s{seed}", int((budget / 60) ** 0.5)
                tokens = int(budget / 6 / n_params)
                digest = _pretrain(run.path / "rungs" / name, rng, budget, bpb, n_params, tokens)
                rows.append({"name": name, "budget": budget, "compute": budget * 0.998, "n_params": n_params,
                             "n_params_non_embedding": n_params // 2, "n_layers": 3, "d_model": 64, "n_heads": 1,
                             "context_length": 256, "tokens": tokens, "batch_tokens": 4096, "steps": tokens // 4096,
                             "lr": 0.021, "seed": seed + 1_650_123_456, "bpb": bpb, "loss": bpb * 2.1,
                             "fitted": number >= 2,
                             "digest": digest})  # fmt: skip
        run.table("rungs", rows)
        run.finish()


def rung_loss(budget: float) -> float:
    return law(budget) * (1.0 if budget >= 8e10 else 0.955)


def write_forecast(root: Path, **more: Any) -> dict[str, Any]:
    """root/forecast, of bits per byte where `more` does not say otherwise."""
    wanted = np.append(np.geomspace(BUDGETS[0], TARGET, 40), 2 * TARGET)
    spread = [0.004 + 0.004 * max(0.0, float(np.log10(c / BUDGETS[2]))) for c in wanted]
    curve = [{"compute": float(c), "loss": law(c), "lo": law(c) * (1 - w), "hi": law(c) * (1 + w)}
             for c, w in zip(wanted, spread, strict=True)]  # fmt: skip
    points = [{"compute": b * 0.998, "loss": rung_loss(b) * 1.001, "stderr": 0.004, "n": 3 if b < 5e11 else 2,
               "n_params": int((b / 60) ** 0.5), "tokens": int(b / 6 / (b / 60) ** 0.5), "fitted": b >= 8e10}
              for b in BUDGETS]  # fmt: skip
    last = curve[-2]
    data: dict[str, Any] = {
        "metric": "val/bpb", "unit": "bits/byte",
        "target": {"compute": TARGET, "config": {}, "config_digest": "0" * 64},
        "law": {"form": "a*C^b+c", "a": A, "b": B, "c": C},
        "point": last["loss"], "lo": last["lo"], "hi": last["hi"], "level": 0.9,
        "floor": {"value": C, "lo": 0.31, "hi": 0.74}, "points": points, "curve": curve,
        "noise": 0.0041, "wander": 0.021, "misfit": 0.0034, "drift": 0.0,
        "prior": {"exponent": 0.3, "floor_shares": [[12.0, 0.29], [17.0, 0.62]]},
        "capability": None,
        "facts": {"minutes": 13.0, "target_flops_per_second": 1.1e11},
        "extrapolation": TARGET / (BUDGETS[-1] * 0.998),
        "warnings": ["the floor is only known to within 0.43 bits per byte"],
        "inputs": dict.fromkeys(("corpus", "tokenizer", "shards", "ladder", "code", "target_config"), "1" * 64),
    } | more  # fmt: skip
    data["seal"] = hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    with RunDir.create(root / "forecast", "seal", AnyConfig(parent=root / "ladder")) as run:
        run.write_json("forecast.json", data)
        run.finish()
    return data


@dataclass
class Told:
    """A chain, the report on it, and its page as a tree."""

    chain: Chain
    report: RunDir
    page: Page


def tell(chain: Chain, out: Path, **more: Any) -> Told:
    report = render.run(chain.config(**more), out)
    return Told(chain, report, Page((report.path / "report.html").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A chain that promises a loss."""
    return tell(build(tmp_path_factory.mktemp("chain")), tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="session")
def able(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A chain that promises a capability as well."""
    return tell(build(tmp_path_factory.mktemp("chain"), able=True), tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="session")
def stepped(plain: Told, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A chain with its record, a plan of the next run and a comparison of the rungs' curves beside it."""
    from tests.report import steps  # here: it leads to torch

    root = tmp_path_factory.mktemp("chain") / "all"
    shutil.copytree(plain.chain.root, root)
    steps.add(root)
    return tell(Chain(root), tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="session")
def scanned(plain: Told, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A chain with a contamination scan and scores beside it."""
    from tests.report import scans

    root = tmp_path_factory.mktemp("chain") / "all"
    shutil.copytree(plain.chain.root, root)
    scans.add(root)
    return tell(Chain(root), tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="session")
def remembered(plain: Told, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A chain with a comparison of samples with the training text beside it."""
    from tests.report import memories

    root = tmp_path_factory.mktemp("chain") / "all"
    shutil.copytree(plain.chain.root, root)
    memories.add(root)
    return tell(Chain(root), tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="session")
def examined(plain: Told, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A chain with an examination of its target, and of its ladder, beside it."""
    root = tmp_path_factory.mktemp("chain") / "all"
    shutil.copytree(plain.chain.root, root)
    evals.add(root)
    return tell(Chain(root), tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="session")
def aligned(plain: Told, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A chain with assistants made of its target beside it."""
    root = tmp_path_factory.mktemp("chain") / "all"
    shutil.copytree(plain.chain.root, root)
    assistants.add(root)
    return tell(Chain(root), tmp_path_factory.mktemp("report") / "out")


@pytest.fixture(scope="session")
def seeing(plain: Told, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A chain with eyes for its target beside it."""
    root = tmp_path_factory.mktemp("chain") / "all"
    shutil.copytree(plain.chain.root, root)
    return tell(Chain(root), tmp_path_factory.mktemp("report") / "out", **pictures.add(root))


@pytest.fixture(scope="session")
def eyed(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """A chain of images."""
    from tests.report import visions  # here: it leads to torch

    chain = visions.build(tmp_path_factory.mktemp("chain"))
    return tell(chain, tmp_path_factory.mktemp("report") / "out", images=[chain.root / "images.0"])


KINDS = ["plain", "able", "stepped", "scanned", "remembered", "examined", "aligned", "seeing", "eyed"]


@pytest.fixture(scope="session", params=KINDS)
def told(request: pytest.FixtureRequest) -> Told:
    """Any of them."""
    found: Told = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def chain(plain: Told) -> Chain:
    return plain.chain


@pytest.fixture(scope="session")
def report(plain: Told) -> RunDir:
    return plain.report


@pytest.fixture(scope="session")
def page(plain: Told) -> Page:
    return plain.page
