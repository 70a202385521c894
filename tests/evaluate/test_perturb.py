"""`presage perturb` on a tiny model: its values one token at a time, states from a report, what it prints."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import pytest

from presage import cli
from presage.data.items import Item, read_items
from presage.evaluate.likelihood import Judge
from presage.evaluate.variants import KINDS, question, variant
from tests.evaluate.planting import item, write_items
from tests.evaluate.test_likelihood import CONTEXT, slow_nats
from tests.tiny import CONTEXT as TINY

Call = Callable[..., tuple[int, str, str]]
ITEMS = [item(f"q{k}", k) for k in range(6)]
SHORT = Item("short", "Why did Rowan go?", ("up", "down"), 0)
HELD = ("q1", "q4")


@pytest.fixture
def call(stem: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Runs `presage perturb` on items.jsonl: (exit code, standard output, standard error)."""
    path = write_items(tmp_path / "items.jsonl", [*ITEMS, SHORT])

    def run(*more: object, items: Path = path) -> tuple[int, str, str]:
        code = cli.main(["perturb", "--quiet", "--items", str(items), "--run", str(stem), *map(str, more)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def report(call: Call, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """What the scan prints of a text that holds two of the items."""
    (tmp_path / "held.txt").write_text("\n".join(one.text for one in ITEMS if one.id in HELD))
    scan = ["contamination", "--items", str(tmp_path / "items.jsonl"), "--corpus", str(tmp_path / "held.txt")]
    assert cli.main([*scan, "--json"]) == 0
    (tmp_path / "report.json").write_text(capsys.readouterr().out)
    return tmp_path / "report.json"


def naive(judge: Judge, prompt: str, text: str) -> float:
    """Bits per byte of a text after a prompt, each token alone."""
    head = [judge.tokenizer.eot, *judge.tokenizer.encode(prompt)]
    nats = slow_nats(judge.model, head + judge.tokenizer.encode(text), len(head))
    return sum(nats) / math.log(2) / len(text.encode())


def naive_score(judge: Judge, kind: str, one: Item) -> tuple[float, bool | None]:
    if kind != "options":
        return naive(judge, "", one.text), None
    assert one.answer is not None
    each = [naive(judge, question(one), f" {option}") for option in one.options]
    return each[one.answer], min(each) == each[one.answer]


# ---- values ---------------------------------------------------------------------------------------------------------


def test_values_are_those_of_one_token_at_a_time(call: Call, stem: Path, tmp_path: Path) -> None:
    assert TINY == CONTEXT, "slow_nats is written for this context"
    few = [*ITEMS[:2], SHORT]
    found = json.loads(call("--json", "--seed", 3, items=write_items(tmp_path / "few.jsonl", few))[1])
    judge = Judge.of_run(stem)
    assert list(found["kinds"]) == list(KINDS)
    for kind, facts in found["kinds"].items():
        pairs = [(one, variant(kind, one, 3)) for one in few]
        pairs = [(one, other) for one, other in pairs if other != one]
        rows = [row for row in found["items"] if row["kind"] == kind]
        assert [row["item"] for row in rows] == [one.id for one, _ in pairs]
        before, after = ([naive_score(judge, kind, pair[k]) for pair in pairs] for k in (0, 1))
        for row, *expected in zip(rows, before, after, strict=True):
            for name, (bpb, right) in zip(("original", "variant"), expected, strict=True):
                assert row[name] == {"bpb": pytest.approx(bpb, abs=1e-5), "right": right}
        group = facts["groups"]["all"]
        steps = [b[0] - a[0] for a, b in zip(before, after, strict=True)]
        assert group["items"] == group["gap"]["n"] == len(pairs) > 1
        assert group["gap"]["value"] == pytest.approx(fmean(steps), abs=1e-5)
        assert group["gap"]["stderr"] == pytest.approx(stdev(steps) / math.sqrt(len(steps)), abs=1e-5)
        assert group["original"]["value"] == pytest.approx(fmean(a for a, _ in before), abs=1e-5)
        assert group["variant"]["value"] == pytest.approx(fmean(b for b, _ in after), abs=1e-5)
        if kind == "options":
            shares = [fmean(float(bool(right)) for _, right in some) for some in (before, after)]
            assert [one["value"] for one in group["accuracy"]] == pytest.approx([*shares, shares[1] - shares[0]])
        else:
            assert group["accuracy"] is None


def test_what_the_model_was_given_is_told(call: Call) -> None:
    rows = json.loads(call("--json", "--seed", 1)[1])["items"]
    items = {one.id: one for one in [*ITEMS, SHORT]}
    for row in rows:
        other = variant(row["kind"], items[row["item"]], 1)
        assert row["text"] == (question(other) if row["kind"] == "options" else other.text)
        assert row["state"] == ""


def test_the_seed_draws_the_variants(call: Call) -> None:
    outputs = [call("--json", "--kind", "case", "--seed", seed)[1] for seed in (0, 0, 1)]
    assert outputs[0] == outputs[1] != outputs[2]


# ---- states ---------------------------------------------------------------------------------------------------------


def test_a_report_sets_flagged_and_clean_items_apart(call: Call, report: Path) -> None:
    found = json.loads(call("--json", "--kind", "case", "--report", report)[1])
    states = {row["item"]: row["state"] for row in found["items"]}
    assert {name for name, state in states.items() if state == "flagged"} == set(HELD)
    assert {name for name, state in states.items() if state == "untestable"} == {"short"}
    assert set(states.values()) == {"flagged", "clean", "untestable"}
    facts = found["kinds"]["case"]
    groups: dict[str, Any] = facts["groups"]
    assert {name: group["items"] for name, group in groups.items()} == {
        "all": 7, "flagged": 2, "clean": 4, "untestable": 1,
    }  # fmt: skip
    assert groups["untestable"]["gap"]["stderr"] is None
    flagged, clean = groups["flagged"]["gap"], groups["clean"]["gap"]
    assert facts["excess"]["value"] == pytest.approx(flagged["value"] - clean["value"])
    assert facts["excess"]["stderr"] == pytest.approx(math.hypot(flagged["stderr"], clean["stderr"]))


def test_the_table_has_a_row_for_each_state_and_the_excess_below(call: Call, report: Path) -> None:
    code, out, err = call("--kind", "case", "options", "--report", report)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    kinds = ["case", "flagged", "clean", "untestable", "options", "flagged", "clean", "untestable"]
    assert [line.split()[0] for line in lines[1:9]] == kinds
    assert lines[1].split()[1:3] == lines[5].split()[1:3] == ["7", "7"]
    assert lines[9] == ""
    for kind, line in zip(("case", "options"), lines[10:], strict=True):
        excess = json.loads(call("--json", "--kind", kind, "--report", report)[1])["kinds"][kind]["excess"]
        said = f"{excess['value']:.4f} ± {excess['stderr']:.4f}"
        assert line == f"{kind}: gap on flagged items minus gap on clean ones: {said}"


def test_without_flagged_items_there_is_no_excess(call: Call, report: Path) -> None:
    found = json.loads(report.read_text())
    report.write_text(json.dumps(found | {"hits": []}))
    code, out, _ = call("--kind", "case", "--report", report)
    assert (code, [line.split()[0] for line in out.splitlines()]) == (0, ["bits", "case", "clean", "untestable"])
    facts = json.loads(call("--json", "--kind", "case", "--report", report)[1])["kinds"]["case"]
    assert facts["excess"] is None


# ---- what cannot be done --------------------------------------------------------------------------------------------


def test_items_without_options_have_no_variant_of_them(call: Call, tmp_path: Path) -> None:
    (tmp_path / "i.jsonl").write_text(json.dumps({"id": "a", "text": ITEMS[0].text}) + "\n")
    assert read_items(tmp_path / "i.jsonl")[0].options == ()
    found = json.loads(call("--kind", "options", "--json", items=tmp_path / "i.jsonl")[1])
    group = found["kinds"]["options"]["groups"]["all"]
    assert (found["items"], group["items"], group["gap"]["value"], group["accuracy"]) == ([], 0, None, None)
    code, out, _ = call("--kind", "options", items=tmp_path / "i.jsonl")
    assert (code, out.splitlines()[1].split()) == (0, ["options", "1", "0", "-", "-", "-", "-"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "not a contamination report"),
        ("no json", "not a contamination report"),
        ("[]", "not a contamination report"),
        ('{"items": 7, "untestable_items": [], "hits": [{"item": "x"}]}', "a report on other items: it names 'x'"),
        ('{"items": 3, "untestable_items": [], "hits": []}', "a report on other items: it has 3 items"),
    ],
)
def test_a_bad_report_is_one_line(call: Call, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    code, out, err = call("--report", tmp_path / "bad.json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--kind", "cases"], "no kind 'cases' (did you mean 'case'?)"),
        (["--kind", "case", "upside"], "no kind 'upside' (known: case, letters, names, options, spaces)"),
        (["--report", "none.json"], "none.json: cannot be read: No such file or directory"),
        (["--report", "/"], "/: cannot be read: Is a directory"),
        (["--seed", "x"], "--seed"),
    ],
)
def test_bad_options_are_one_line(call: Call, more: list[str], message: str) -> None:
    code, out, err = call(*more)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
