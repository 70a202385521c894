"""Stage: how much of what a model writes stands in its training text, beside how much of held-out text does.

GPT-2's Figure 5 (sheet section 4.6): held-out documents' openings are continued with top-k 40; of each continuation,
and of the document's own, the share of its runs of 8 words that stand in the training split, and the longest run of
words that does. The prompts do not count. What it writes is in docs/contamination.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from presage.core.config import Config as BaseConfig
from presage.core.config import Parent
from presage.core.errors import ConfigError
from presage.core.parents import parent_of
from presage.core.run import RunDir
from presage.data import shards
from presage.data.attempt import attempt
from presage.data.bpe import Tokenizer
from presage.evaluate.continued import Continued, held_out, openings, sampled
from presage.evaluate.paired import mean, paired
from presage.evaluate.reading import watched
from presage.evaluate.verbatim import N, Verbatim
from presage.model.weights import load_run
from presage.train import pretrain

__all__ = ["Config", "run"]

KINDS = ("samples", "held_out")
ABOVE = (0.01, 0.1, 0.5)
"""Shares of texts above these are told."""
TOP = 20
"""Longest runs of each kind that are listed."""
OVERLAP = ["kind", "id", "document", "words", "ngrams", "found", "share", "longest"]
PARTS = [f"{side}_{part}" for side in ("item", "document") for part in ("before", "match", "after")]
LONGEST = ["kind", "id", "words", "document", "offset", *PARTS]


class Config(BaseConfig):
    run: Parent
    """A finished pretrain run beside its shards and corpus."""
    prompts: int = Field(default=256, ge=1)
    """Held-out documents whose openings are continued; all that are long enough where there are fewer."""
    prompt_tokens: int = Field(default=32, ge=1)
    new_tokens: int = Field(default=96, ge=N)
    top_k: int = Field(default=40, ge=1)
    seed: int = 0
    """Draws the documents and the samples."""


def run(config: Config, out: Path, *, resume: bool = False) -> RunDir:
    """result.json, tables/{overlap,longest}.csv, artifacts/texts.jsonl.

    Raises ConfigError for a run without training text of its own and for a prompt longer than the context, DataError
    when no held-out document is long enough, RunError when a parent of the run has changed.
    """
    corpus = training_text(config.run)
    with attempt(out, "memorisation", config, seed=config.seed, resume=resume) as directory:
        model, vocabulary = load_run(config.run)
        context = model.config.context_length
        if config.prompt_tokens >= context:  # <|endoftext|> comes before it
            why = f"a prompt of {config.prompt_tokens} tokens leaves no room in a context of {context}"
            raise ConfigError(why, where="prompt_tokens", hint=f"at most {context - 1}")
        tokenizer = Tokenizer.load(vocabulary)
        chosen = openings(corpus.path, tokenizer, config.prompts, config.prompt_tokens, config.new_tokens, config.seed)
        texts = {
            "samples": sampled(model, tokenizer, chosen, config.top_k, config.seed),
            "held_out": held_out(chosen, tokenizer),
        }
        names = [opening.document for opening in chosen]
        found = Verbatim([text.own for kind in KINDS for text in texts[kind]])
        found.scan(watched(corpus.path, "train", "memorisation"))
        _write(directory, texts, names, found)
    return directory


def training_text(path: Path) -> RunDir:
    """The corpus run that a pretrain run read, by the digests of what lies between.

    Raises RunError when one of them has changed, ConfigError for a run of another stage and for one that branched off
    a run on other text.
    """
    model = RunDir.open(path)
    if model.stage != "pretrain":
        article = "an" if model.stage[0] in "aeiou" else "a"
        why = f"{article} '{model.stage}' run names no training text to look in"
        raise ConfigError(why, where=path, hint="give a pretrain run, beside its shards and corpus")
    config = model.config(pretrain.Config)
    tokens = parent_of(model, "shards", config.shards)
    corpus = parent_of(tokens, "corpus", tokens.config(shards.Config).corpus)
    if config.branch is not None:
        before = training_text(parent_of(model, "branch.run", config.branch.run).path)
        if before.digest != corpus.digest:
            hint = "ask about the run that it began from"
            raise ConfigError("began from a run that was trained on other text", where=path, hint=hint)
    return corpus


# ---- what is written ------------------------------------------------------------------------------------------------


def _write(directory: RunDir, texts: dict[str, list[Continued]], names: Sequence[str], found: Verbatim) -> None:
    rows = list(_overlap(names, found))
    lines = [
        json.dumps({"kind": kind, "id": i, "document": names[i], "prompt": text.prompt, "text": text.text,
                    "ends": text.ends}, ensure_ascii=False)
        for kind in KINDS
        for i, text in enumerate(texts[kind])
    ]  # fmt: skip
    directory.write_text("artifacts/texts.jsonl", "".join(f"{line}\n" for line in lines))
    directory.table("overlap", rows, OVERLAP)
    directory.table("longest", _longest(rows, found), LONGEST)
    directory.write_json("result.json", dict(_results(rows, found)))


def _overlap(names: Sequence[str], found: Verbatim) -> Iterator[dict[str, Any]]:
    """A row a text; no share where a text has fewer than 8 words."""
    columns = (found.words.tolist(), found.ngrams.tolist(), found.found.tolist(), found.longest)
    for number, (words, ngrams, met, longest) in enumerate(zip(*columns, strict=True)):
        kind, i = divmod(number, len(names))
        yield {
            "kind": KINDS[kind], "id": i, "document": names[i], "words": words, "ngrams": ngrams, "found": met,
            "share": met / ngrams if ngrams else None, "longest": longest.words if longest else f"<{N}",
        }  # fmt: skip


def _longest(rows: Sequence[dict[str, Any]], found: Verbatim) -> Iterator[dict[str, Any]]:
    """The longest runs of each kind, both sides in three parts: before the run, the run, after it."""
    runs = [(row, run) for row, run in zip(rows, found.longest, strict=True) if run is not None]
    for kind in KINDS:
        of_kind = [(row, run) for row, run in runs if row["kind"] == kind]
        for row, run in sorted(of_kind, key=lambda one: (-one[1].words, one[0]["id"]))[:TOP]:
            parts = [*_parts(run.text_excerpt, run.text_match), *_parts(run.document_excerpt, run.document_match)]
            place = {"words": run.words, "document": run.document, "offset": run.offset}
            yield {"kind": kind, "id": row["id"]} | place | dict(zip(PARTS, parts, strict=True))


def _parts(text: str, match: tuple[int, int]) -> tuple[str, str, str]:
    first, after = match
    return text[:first], text[first:after], text[after:]


def _results(rows: Sequence[dict[str, Any]], found: Verbatim) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, entry) of result.json. Shares are of the texts of at least 8 words; the rest is counted as `short`."""
    yield "documents", {"value": found.documents, "unit": "documents"}
    yield "bytes", {"value": found.bytes, "unit": "bytes"}
    yield "prompts", {"value": len(rows) // len(KINDS), "unit": "documents"}
    for kind in KINDS:
        of_kind = [row for row in rows if row["kind"] == kind]
        shares = [row["share"] for row in of_kind if row["share"] is not None]
        runs = [row["longest"] for row in of_kind if row["found"]]
        yield f"{kind}/texts", {"value": len(shares), "unit": "texts"}
        yield f"{kind}/short", {"value": len(of_kind) - len(shares), "unit": "texts"}
        yield f"{kind}/words", _mean([row["words"] for row in of_kind], "words")
        yield f"{kind}/median", {"value": float(np.median(shares)) if shares else None, "n": len(shares)}
        yield f"{kind}/mean", _mean(shares, "of runs of 8 words")
        yield f"{kind}/none", _share([share == 0 for share in shares])
        for above in ABOVE:
            yield f"{kind}/above_{100 * above:g}", _share([share > above for share in shares])
        yield f"{kind}/longest", {"value": max(runs, default=None), "unit": "words"}
    pairs = zip(*([row["share"] for row in rows if row["kind"] == kind] for kind in KINDS), strict=True)
    both = [pair for pair in pairs if None not in pair]
    more = paired([b for _, b in both], [a for a, _ in both])
    yield "difference", {"value": more.value, "stderr": more.stderr, "n": more.n, "unit": "of runs of 8 words"}


def _mean(values: Sequence[float], unit: str) -> dict[str, Any]:
    found = mean(values)
    return {"value": found.value, "stderr": found.stderr, "n": found.n, "unit": unit}


def _share(hits: Sequence[bool]) -> dict[str, Any]:
    """A share of texts, with the standard error of counting."""
    n = len(hits)
    share = sum(hits) / n if n else None
    stderr = math.sqrt(share * (1 - share) / n) if share is not None else None
    return {"value": share, "stderr": stderr, "n": n, "unit": "of texts"}
