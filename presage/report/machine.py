"""The section on machine and environment, and the two sentences about hardware and optimizer that others quote."""

from __future__ import annotations

from presage.core.config import flatten
from presage.report.blocks import Block, Cell, Pairs, Section, Table, Text
from presage.report.facts import Sources, leaves
from presage.report.kinds import TEXT, images, kind_of

ALIGNMENT = ("sft", "reward", "policy", "policy_alone", "policy_no_text", "conduct", "tax_base", "tax_sft",
             "tax_policy", "tax_policy_alone", "tax_policy_no_text")  # fmt: skip
STAGES = ("corpus", "tokenizer", "shards", "ladder", "attempts", "forecast", "target", "target_attempts", "score",
          "contamination", "scores", "memorisation", "examination", "scaling", *ALIGNMENT, "vision")  # fmt: skip
OPTIONAL = ("attempts", "target_attempts", "contamination", "scores", "memorisation", "examination", "scaling",
            *ALIGNMENT, "vision")  # fmt: skip
"""Stages that a chain may do without: they are not missing."""
TIMES = {"total_seconds": ("wall-clock", "seconds"), "tokens_per_s": ("tokens per second, last", "count"),
         "peak_share": ("share of peak, last", "share"), "energy_joules": ("energy", "joules"),
         "energy_method": ("how energy was had", "auto")}  # fmt: skip
DEVICE_FORMS = {"peak_flops": "rate", "memory": "bytes", "bytes": "bytes"}


def section(s: Sources) -> Section:
    """Device, software, time and energy, digests."""
    origin = s.data("target", "origin.json") or {}
    device: list[tuple[str, Cell]] = [
        (key.replace("_", " "), s.fact("target", "origin.json", f"device.{key}", _device_form(key)))
        for key in flatten(origin.get("device") or {"device": None})
    ]
    device.append(("platform", s.fact("target", "origin.json", "platform")))
    software: list[tuple[str, Cell]] = [("presage", s.fact("target", "origin.json", "presage")),
                ("digest of the code", s.fact("target", "origin.json", "code")),
                ("commit", s.fact("target", "origin.json", "commit.id")),
                ("uncommitted changes", s.fact("target", "origin.json", "commit.dirty")),
                ("Python", s.fact("target", "origin.json", "python")),
                ("seed", s.fact("target", "origin.json", "seed", "whole"))]  # fmt: skip
    libraries = [k for k in leaves(origin) if k.startswith("libraries.")]
    software += [(k.removeprefix("libraries."), s.fact("target", "origin.json", k, "setting")) for k in libraries]
    sealed: list[tuple[str, Cell]] = [
        (name.replace("_", " "), s.fact("forecast", "forecast.json", f"facts.{name}"))
        for name in s.get("forecast", "forecast.json", "facts", {})
    ]
    measured: list[Block] = [Pairs("Measured beforehand and sealed with the forecast", sealed)] if sealed else []
    blocks: list[Block] = [Pairs("Machine", device), *measured, Pairs("Software", software), _clock(s), _digests(s)]
    return Section("machine", "Machine and environment", blocks)


def hardware(s: Sources) -> Text:
    """The machine in one line."""

    def device(key: str, form: str = "auto") -> Cell:
        return s.fact("target", "origin.json", f"device.{key}", form)

    return Text(
        "{device} ({platform}), {threads} threads, {dtype}, measured matmul peak {peak}",
        device=device("device"),
        platform=s.fact("target", "origin.json", "platform"),
        threads=device("threads"),
        dtype=device("dtype"),
        peak=device("peak_flops", "rate"),
    )


def optimizer(s: Sources) -> Text:
    """How the target was trained, in one line."""

    def setting(name: str) -> Cell:
        return s.find("target", "config.json", name)

    return Text(
        f"optimizer {{o}}, schedule {{c}}, peak learning rate {{lr}}, batch {{b}} {kind_of(s).batched}",
        o=setting("optim.kind"),
        c=setting("schedule.kind"),
        lr=setting("optim.lr"),
        b=setting(f"batch_{kind_of(s).batched}"),
    )


def _clock(s: Sources) -> Table:
    """Wall-clock lives outside the digests, and the table says so."""
    runs = [run for run in STAGES if run == "target" or (s.has(run, "timing.jsonl") and _totalled(s, run))]
    written = {name for run in runs for row in s.rows(run, "timing.jsonl") for name in row}
    told = {name: one for name, one in TIMES.items() if name in written or name in kind_of(s).timed}
    rows: list[list[Cell]] = [
        [run, *(s.last(run, "timing.jsonl", name, form) for name, (_, form) in told.items())] for run in runs
    ]
    columns = ["stage", *(label for label, _ in told.values())]
    note = Text("From `timing.jsonl`: wall-clock, outside the digests of the runs; another run gives other seconds.")
    caption = "Time and energy" if "energy_joules" in told else "Time"
    return Table(caption, columns, rows, note)


def _totalled(s: Sources, run: str) -> bool:
    """Whether the run says how long all of it took: those of alignment and vision tell the seconds of their steps."""
    return run not in (*ALIGNMENT, "vision") or any("total_seconds" in row for row in s.rows(run, "timing.jsonl"))


def _digests(s: Sources) -> Pairs:
    spared = {*OPTIONAL, *TEXT.data} - {*kind_of(s).data}
    there = [run for run in (*images(s), *STAGES) if run not in spared or s.has(run, "DONE")]
    rows: list[tuple[str, Cell]] = [(run.replace("_", " "), s.fact(run, "DONE", "digest")) for run in there]
    return Pairs("Digests of the run directories", rows)


def _device_form(key: str) -> str:
    if key.startswith("matmul."):
        return "rate"
    return next((form for part, form in DEVICE_FORMS.items() if key.endswith(part)), "setting")
