"""The target: what it writes, its shape and training, and every setting."""

from __future__ import annotations

from presage.report import seen, texts
from presage.report.blocks import Block, Cell, Pairs, Quote, Section, Text
from presage.report.facts import Sources, leaves
from presage.report.kinds import IMAGES, TEXT, kind_of
from presage.report.tables import absent

SAMPLES = 6
TOLD = {TEXT: texts.target, IMAGES: seen.target}


def samples(s: Sources) -> Section:
    """What the target writes, unpicked."""
    rows = s.rows("target", "samples.jsonl")
    section = Section("samples", "Samples from the target")
    if not rows:
        section.blocks.append(absent(s, "target", "samples.jsonl"))
        return section
    last = max(row.get("step", 0) for row in rows)
    chosen = [i for i, row in enumerate(rows) if row.get("step", 0) == last][:SAMPLES]
    step = s.fact("target", "samples.jsonl", f"{chosen[0]}.step", "count")
    section.blocks.append(Text(f"Not chosen: {kind_of(s).first}. Prompts stand in bold or in ⟦brackets⟧.", step=step))
    section.blocks += [
        Quote(s.fact("target", "samples.jsonl", f"{i}.prompt", "sample"),
              s.fact("target", "samples.jsonl", f"{i}.completion", "sample"),
              _asked_for(s, i))
        for i in chosen
    ]  # fmt: skip
    return section


def _asked_for(s: Sources, row: int) -> Text | None:
    """What a held-out document says in this place, where a sample is an answer."""
    known = s.get("target", "samples.jsonl", f"{row}.shown") is not None
    return Text("The document says: {it}", it=s.fact("target", "samples.jsonl", f"{row}.shown")) if known else None


def section(s: Sources) -> Section:
    """The target's shape, its training and every setting."""
    return Section("target", "The target", [*TOLD[kind_of(s)](s), _settings(s)])


def _settings(s: Sources) -> Block:
    flat = [key for key in leaves(s.data("target", "config.json")) if key.startswith("config.")]
    every: list[tuple[str, Cell]] = [
        (
            key.removeprefix("config."),
            s.fact("target", "config.json", key, "whole" if key.endswith("seed") else "setting"),
        )
        for key in flat
    ]
    return Pairs("Every setting of the target", every, fold=True) if every else absent(s, "target", "config.json")
