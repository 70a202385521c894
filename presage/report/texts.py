"""What a report says of text, and of a target that was trained on it."""

from __future__ import annotations

from collections.abc import Callable

from presage.report import datasheet, machine
from presage.report.blocks import Block, Cell, Pairs, Section, Text
from presage.report.facts import Fact, Sources
from presage.report.kinds import kind_of
from presage.report.tables import form_of, label_of, results

SHAPE = (("layers", "n_layers"), ("width", "d_model"), ("heads", "n_heads"), ("key and value heads", "n_kv_heads"),
         ("head width", "d_head"), ("hidden width", "d_ff"), ("context", "context_length"),
         ("vocabulary", "vocab_size"), ("position", "position"),
         ("normalisation", "norm"), ("block", "block"), ("hidden layer", "mlp"),
         ("QK-norm", "qk_norm"), ("embeddings tied", "tie_embeddings"), ("biases", "bias"))  # fmt: skip
"""How the settings of a Transformer are called."""


def corpus(s: Sources) -> Section:
    """Documents, sources, packages, tokenizer and shards: what was given of them, or a chain of text has to have."""
    blocks = [block for role, make in DATA.items() if _told(s, role) for block in make(s)]
    return Section("corpus", "Corpus and tokenizer", blocks)


def given(s: Sources) -> bool:
    """Whether there is any of that to tell."""
    return any(_told(s, role) for role in DATA)


def _told(s: Sources, role: str) -> bool:
    return role in kind_of(s).data or s.runs.get(role) is not None


def _documents(s: Sources) -> list[Block]:
    return [results(s, "corpus", "Documents"), *datasheet.blocks(s)]


def _tokenizer(s: Sources) -> list[Block]:
    settings = [("vocabulary", "vocab_size"), ("split pattern", "pattern"), ("special tokens", "special_tokens")]
    rows: list[tuple[str, Cell]] = [(label, s.find("tokenizer", "config.json", key)) for label, key in settings]
    rows += [
        (label_of(name), s.result("tokenizer", name, form_of(name)))
        for name in s.data("tokenizer", "result.json") or {}
    ]
    return [Pairs("Tokenizer: byte-level BPE", rows)]


def _index(s: Sources) -> list[Block]:
    file = "artifacts/index.json"
    rows: list[tuple[str, Cell]] = []
    for split in s.get("shards", file, "splits", {"train": {}, "val": {}}):
        for key in ("documents", "tokens", "bytes"):
            form = "bytes" if key == "bytes" else "count"
            rows.append((f"{split}: {key}", s.fact("shards", file, f"splits.{split}.{key}", form)))
    return [Pairs("Shards", rows)]


DATA: dict[str, Callable[[Sources], list[Block]]] = {"corpus": _documents, "tokenizer": _tokenizer, "shards": _index}


def target(s: Sources) -> list[Block]:
    """Its shape and its training."""
    model: list[tuple[str, Cell]] = [(label, s.find("target", "config.json", key)) for label, key in SHAPE]
    model += [("parameters", s.result("target", "n_params", "count")),
              ("parameters without embeddings", s.result("target", "n_params_non_embedding", "count"))]  # fmt: skip
    measures = [("tokens", "tokens", "count"), ("steps", "steps", "count"),
                ("steps skipped", "skipped_steps", "count"),
                ("FLOPs, by the exact formula", "flops", "flops"),
                ("FLOPs, by the shorthand 6ND", "flops_6nd", "flops"),
                ("training loss, nats per token", "train/loss", "loss4"),
                ("held-out loss, nats per token", "val/loss", "loss4"),
                ("held-out, bits per byte", "val/bpb", "loss4")]  # fmt: skip
    training: list[tuple[str, Cell]] = [(label, s.result("target", name, form)) for label, name, form in measures]
    training.append(("± standard error of that", s.result("target", "val/bpb", "loss4", "stderr")))
    return [Pairs("Model", model), Pairs("Training", training)]


def disclosed(s: Sources) -> list[list[Cell]]:
    """Rows of what the GPT-4 report withheld: what is withheld there, and this run's."""

    def setting(name: str) -> Fact:
        return s.find("target", "config.json", name)

    return [
        ["Architecture", Text(
            "decoder-only Transformer, {l} layers of width {d}, {h} heads, hidden width {f}, context {t}, "
            "position {p}, normalisation {n} ({b}), hidden layer {m}",
            l=setting("n_layers"), d=setting("d_model"), h=setting("n_heads"), f=setting("d_ff"),
            t=setting("context_length"), p=setting("position"), n=setting("norm"), b=setting("block"),
            m=setting("mlp"))],
        ["Model size", Text("{n} parameters, {e} without embeddings", n=s.result("target", "n_params", "count"),
                            e=s.result("target", "n_params_non_embedding", "count"))],
        ["Hardware", machine.hardware(s)],
        ["Training compute", Text("{c} FLOPs by the exact formula, {six} by 6ND; energy {j} ({how})",
                                  c=s.result("target", "flops", "flops"), six=s.result("target", "flops_6nd", "flops"),
                                  j=s.last("target", "timing.jsonl", "energy_joules", "joules"),
                                  how=s.last("target", "timing.jsonl", "energy_method"))],
        ["Dataset construction", Text(
            "{d} training documents ({b}), held out {v} documents ({vb}), split by file; every source and package is "
            "in `corpus/tables`; digest {h}",
            d=s.result("corpus", "train/documents", "count"), b=s.result("corpus", "train/bytes", "bytes"),
            v=s.result("corpus", "val/documents", "count"), vb=s.result("corpus", "val/bytes", "bytes"),
            h=s.fact("corpus", "DONE", "digest", "hex12"))],
        ["Training method", Text(
            "next-token prediction on {t} tokens in {n} steps, {o}; every setting is in `target/config.json`",
            t=s.result("target", "tokens", "count"), n=s.result("target", "steps", "count"),
            o=machine.optimizer(s))],
    ]  # fmt: skip
