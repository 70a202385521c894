"""README.md of an exported model: what its run and the runs before it say of themselves, and what they do not say.

Every figure is read from a file, which stands beside it. A model's behaviour is examined elsewhere (`presage card`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from presage.core.errors import PresageError
from presage.core.look import recorded
from presage.core.run import FILE, RunDir
from presage.model.config import ModelConfig

UNKNOWN = "unknown"
"""The licence of a model of which nobody said one."""
_MOST = 40
_FIGURES = {
    "n_params": "parameters",
    "n_params_non_embedding": "parameters without embeddings",
    "tokens": "tokens trained on",
    "steps": "steps",
    "flops": "training FLOPs",
    "train/documents": "documents to train on",
    "train/bytes": "bytes to train on",
    "removed/contaminated": "documents removed as holding items of tests",
    "demonstrations": "demonstrations",
    "episodes": "episodes",
    "train/loss": "loss in training",
    "val/loss": "loss on held-out text",
    "val/bpb": "bits per byte of held-out text",
    "kl": "divergence from the model it began as",
}


@dataclass(frozen=True)
class Link:
    """A run that went into a model. name: as it stands in tables; run: None where it is not beside its child."""

    name: str
    stage: str
    digest: str
    run: RunDir | None


def lineage(run: RunDir) -> list[Link]:
    """The run and those it was made from, each once, children first. What lies elsewhere has its digest alone."""
    found = [Link(run.path.resolve().name, run.stage, run.digest if run.done else "unfinished", run)]
    place = 0
    while place < len(found) and len(found) < _MOST:
        one = found[place].run
        known = {link.digest for link in found}
        found += [link for link in _parents(one) if link.digest not in known] if one else []
        place += 1
    return found


def _parents(run: RunDir) -> Iterator[Link]:
    """Its parents, as its origin.json names them, at the places that its config.json says."""
    for _, path, parent in recorded(run) if _made_from(run) else ():
        if parent["stage"] != FILE:
            yield Link(path.resolve().name, parent["stage"], parent["digest"], _same(path, parent["digest"]))


def _made_from(run: RunDir) -> dict[str, dict[str, str]]:
    """{role: stage and digest} of runs and files."""
    parents: dict[str, dict[str, str]] = run.origin.get("parents", {}) if (run.path / "origin.json").is_file() else {}
    return parents


def _config(run: RunDir) -> dict[str, Any]:
    config: dict[str, Any] = run.read_object("config.json", config=dict)["config"]
    return config


def _same(path: Path, digest: str) -> RunDir | None:
    try:
        run = RunDir.open(path)
        return run if run.digest == digest else None
    except PresageError:
        return None


def card(path: Path, config: ModelConfig, kind: str, licence: str = UNKNOWN, chat: str = "") -> str:
    """The text. kind: what the class is called where it goes; chat: a sentence on its template, if it has one."""
    run = RunDir(path)
    links = lineage(run)
    facts = {"library_name": "transformers", "pipeline_tag": "text-generation", "license": licence, "tags": ["presage"]}
    head = "\n".join(
        ["---", *(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items()), "---"]
    )
    shape = f"{config.n_layers} layers of width {config.d_model}, {config.n_heads} heads, a context of "
    shape += f"{config.context_length} tokens, a vocabulary of {config.vocab_size}"
    parts = [
        head,
        f"# {run.path.resolve().name}",
        f"A {kind} model of {config.n_params:,} parameters: {shape}. Written by `presage export` from a run of stage "
        f"`{run.stage}`. Licence: {licence if licence != UNKNOWN else 'unknown, nobody has said one'}. {chat}".rstrip(),
        "## Where it comes from",
        _table(("run", "stage", "digest"), ((one.name, one.stage, one.digest) for one in links)),
        "## Figures",
        _figures(links),
        "## Data",
        "\n".join(_data(links)),
        "## Limits",
        "\n".join(_limits(links, config.scores or 0)),
    ]
    return "\n\n".join(parts) + "\n"


def _figures(links: list[Link]) -> str:
    rows = []
    for link in links:
        results = link.run.results() if link.run else {}
        if link.run and not _config(link.run).get("decontaminate"):
            results.pop("removed/contaminated", None)  # nothing was looked for
        rows += [
            (link.name, _FIGURES[name], _value(results[name]), f"{link.name}/result.json, {name}")
            for name in _FIGURES
            if name in results
        ]
    return _table(("run", "figure", "value", "read from"), rows) if rows else "No run beside it holds any."


def _value(entry: Mapping[str, Any]) -> str:
    value, error = entry.get("value"), entry.get("stderr")
    text = f"{value:,}" if isinstance(value, int) else f"{value:.4f}" if isinstance(value, float) else str(value)
    return " ".join(
        [text, *([f"± {error:.4f}"] if isinstance(error, float) else []), str(entry.get("unit", ""))]
    ).strip()


def _data(links: list[Link]) -> Iterator[str]:
    for link in links:
        if link.run is None:
            continue
        files = {role: one["digest"] for role, one in _made_from(link.run).items() if one["stage"] == FILE}
        for role, digest in files.items():
            yield f"- {link.name}: a file, `{role}` of its config, sha256 {digest}"
        if link.stage not in ("corpus", "import"):
            continue
        config = _config(link.run)
        for source in config.get("sources", []):
            said = [f"licence {source.get('licence') or UNKNOWN}", source.get("dates"), source.get("about")]
            yield f"- {link.name}: {source.get('name')} ({'; '.join(filter(None, said))})"
        for name, digest in (config.get("source") or {}).items():
            yield f"- {link.name}: read from another model's `{name}`, sha256 {digest}"
    if not any(link.run and link.stage == "corpus" for link in links):
        yield "- No corpus run is beside this model: what text it was trained on is not known here."


def _limits(links: list[Link], scores: int) -> Iterator[str]:
    corpora = [link.run for link in links if link.run and link.stage == "corpus"]
    cleaned = [one for one in corpora if _config(one).get("decontaminate")]
    names = ", ".join(one.path.resolve().name for one in cleaned)
    yield (
        f"- Items of tests were looked for in {names} and removed."
        if cleaned
        else ("- Nobody looked for items of tests in what it was trained on, as far as these runs say.")
    )
    if scores:
        yield f"- {scores} numbers that the run reads off each state beside the logits are not in these files."
    yield "- Its answers were not examined for this page: no figure above is of its behaviour, its safety or its use."
    away = [link.name for link in links if link.run is None]
    if away:
        yield f"- Runs that were not beside it, of which digests alone are known: {', '.join(away)}."


def _table(columns: tuple[str, ...], rows: Any) -> str:
    lines = [columns, tuple("---" for _ in columns), *rows]
    return "\n".join(
        f"| {' | '.join(str(cell).replace('|', '/').replace(chr(10), ' ') for cell in line)} |" for line in lines
    )
