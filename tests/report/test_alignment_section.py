"""The section on alignment: there where conduct is given, told by its runs alone, and else never thought of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.report import alignment, render
from tests.report import assistants
from tests.report.conftest import Told
from tests.report.reading import Element, Page, listed
from tests.report.test_ability import SECTIONS, part, sections_of, words
from tests.report.test_steps import told_of

CONDUCT, TAX = "Conduct on held-out requests", "The alignment tax"
PAIRS = "The reward model on held-out pairs"
ROLES = ("sft", "reward", "policy", "policy_alone", "policy_no_text", "conduct")
EXAMINED = ("tax_base", "tax_sft", "tax_policy", "tax_policy_alone", "tax_policy_no_text")


def section_of(told: Told) -> list[Element]:
    return part(told.page, "alignment")


def inside(cell: Element) -> str:
    """The facts in a cell, in the order of reading; its words where there are none."""
    return " ".join(inside(child) for child in cell.children) if cell.children else cell.text


def label(cell: Element) -> str:
    """The words in a first cell without the number of requests; its fact where it has none."""
    [*inner] = cell.children
    return inner[0].text.partition(" (")[0] if inner else cell.text


def rows_of(elements: list[Element], caption: str) -> dict[str, list[str]]:
    """{first cell's words: what the others hold} of the table after that heading."""
    table = next(e for e in elements if e.tag == "div" and e.attributes.get("aria-label") == caption)
    body = next(e for e in table.children[0].children if e.tag == "tbody")
    return {label(row.children[0]): [inside(cell) for cell in row.children[1:]] for row in body.children}


def result(told: Told, role: str, name: str) -> float:
    return float(RunDir.open(told.chain.root / role).value(name))


def share(value: float) -> str:
    return f"{float(f'{100 * value:.3g}'):g} %".replace("-", "−")


def test_the_section_stands_after_what_is_asked_of_the_target(aligned: Told) -> None:
    place = SECTIONS.index("missed") + 1
    assert sections_of(aligned.page) == [*SECTIONS[:place], "alignment", *SECTIONS[place:], "sources"]
    assert aligned.report.value("missing") == 0


def test_without_conduct_nothing_speaks_of_it(plain: Told, aligned: Told, tmp_path: Path) -> None:
    out = render.run(aligned.chain.config(without=("conduct",)), tmp_path / "out")
    for report in (plain.report, out):
        assert 'id="alignment"' not in (report.path / "report.html").read_text(encoding="utf-8")
        assert "After pretraining" not in (report.path / "report.md").read_text(encoding="utf-8")
    assert not [row for row in listed(plain.report) if row["run"] in ROLES + EXAMINED]
    assert out.value("missing") == 0


@pytest.mark.parametrize("role", [*ROLES, *EXAMINED])
def test_another_stage_is_refused(plain: Told, tmp_path: Path, role: str) -> None:
    with pytest.raises(RunError, match="a 'score' run, but a"):
        told_of(tmp_path, **{role: plain.chain.root / "score"})


def test_the_headline_has_before_and_after(aligned: Told) -> None:
    said = next(e for e in section_of(aligned) if e.tag == "p")
    facts = [e.text for e in section_of(aligned) if said in e.above() and e.attributes.get("class") == "fact"]
    values = [result(aligned, "conduct", f"{name}/{measure}")
              for measure in ("refusal on disallowed", "refusal on safe", "task pass rate")
              for name in ("ppo", "sft")]  # fmt: skip
    assert facts[:2] == ["600", "ppo"]
    assert [fact for fact in facts if fact in {share(value) for value in values}] == [share(v) for v in values]


def test_the_policy_is_said_to_have_had_what_it_had(aligned: Told, tmp_path: Path) -> None:
    assert "rule-based rewards and gradients of the pretraining text, the" in words(section_of(aligned))
    root = aligned.chain.root
    _, page = told_of(tmp_path, policy=root / "policy_no_text", conduct=root / "conduct")
    assert "with rule-based rewards, the fine-tuned model became the policy. All" in words(part(page, "alignment"))


def test_conduct_is_told_of_every_model_with_its_interval(aligned: Told) -> None:
    rows = rows_of(section_of(aligned), CONDUCT)
    found = RunDir.open(aligned.chain.root / "conduct").results()
    told = rows["refuses what is disallowed"]
    for cell, name in zip(told, assistants.NAMES, strict=True):
        entry = found[f"{name}/refusal on disallowed"]
        assert cell == " ".join(share(entry[key]) for key in ("value", "lo", "hi"))
    counts = [row["shown"] for row in listed(aligned.report) if row["key"] == "ppo/refusal on boundary twins.n"]
    assert counts == ["240"]
    paired = rows["the same, minus the first model’s"]
    assert paired[0] == "–"
    assert paired[3].startswith(share(found["ppo-no-text/task pass rate/difference"]["value"]))
    assert len(rows) == 10


def test_the_tax_has_the_base_and_every_model(aligned: Told) -> None:
    rows = rows_of(section_of(aligned), TAX)
    assert list(rows) == ["base", *assistants.NAMES]
    assert rows["base"][1] == "–"
    for name, role in {"base": "tax_base", "ppo": "tax_policy", "ppo-alone": "tax_policy_alone"}.items():
        assert rows[name][2].startswith(share(result(aligned, role, "next_passage/accuracy")))
        assert rows[name][3].startswith(share(result(aligned, role, "next_passage/ece")))
        assert rows[name][4].startswith(share(result(aligned, role, "microcode/pass@1")))
    assert rows["ppo-no-text"][1] == share(result(aligned, "conduct", "ppo-no-text/tax"))


def test_the_eval_runs_may_come_in_any_order(aligned: Told, tmp_path: Path) -> None:
    """Whose a run is, its record says, not the role it was given."""
    root = aligned.chain.root
    swapped: dict[str, Any] = {"tax_sft": root / "tax_policy", "tax_policy": root / "tax_sft"}
    out = render.run(aligned.chain.config(**swapped), tmp_path / "out")
    page = Page((out.path / "report.html").read_text(encoding="utf-8"))
    assert rows_of(part(page, "alignment"), TAX) == rows_of(section_of(aligned), TAX)


def test_policies_without_a_part_need_not_be_asked_the_tasks(aligned: Told, tmp_path: Path) -> None:
    out = render.run(aligned.chain.config(without=EXAMINED[3:]), tmp_path / "out")
    page = Page((out.path / "report.html").read_text(encoding="utf-8"))
    assert rows_of(part(page, "alignment"), TAX)["ppo-alone"][2:] == ["–"] * 3
    assert out.value("missing") == 0


def test_an_examination_of_a_stranger_is_refused(aligned: Told, tmp_path: Path) -> None:
    assistants.examined(tmp_path / "other", aligned.chain.root / "reward", 7)
    with pytest.raises(RunError, match="a model that the conduct run did not compare"):
        render.run(aligned.chain.config(tax_sft=tmp_path / "other"), tmp_path / "out")


def test_the_reward_model_is_told_by_category_and_length(aligned: Told) -> None:
    rows = rows_of(section_of(aligned), PAIRS)
    table = RunDir.open(aligned.chain.root / "reward").read_table("accuracy")
    assert list(rows) == [row["of"] for row in table]
    assert all(rows[row["of"]][0].startswith(share(float(row["accuracy"]))) for row in table)
    shown = {row["key"]: row["shown"] for row in listed(aligned.report) if row["run"] == "reward"}
    assert shown["calibration error.value"] == "0.89 %"
    assert shown["length correlation.value"] == "−0.294"


def test_the_weight_and_what_it_was_computed_from(aligned: Told) -> None:
    weighing = json.loads((aligned.chain.root / "policy/artifacts/weighing.json").read_text())
    shown = {row["key"]: row["shown"] for row in listed(aligned.report) if row["file"] == "artifacts/weighing.json"}
    assert shown == {name: f"{value:.3f}" if name == "weight" else str(value) for name, value in weighing.items()}


@pytest.mark.parametrize(
    ("rules", "says"),
    [(None, "learnt without rule-based rewards"), ({"judge": "world", "weight": 2.5}, "were given the weight")],
    ids=["no rules", "a given weight"],
)
def test_rules_that_nobody_weighed(aligned: Told, tmp_path: Path, rules: dict[str, object] | None, says: str) -> None:
    root = aligned.chain.root
    policy = assistants.policy(tmp_path / "policy", root / "sft", rules).path
    conduct = assistants.conduct(tmp_path / "conduct", {"sft": root / "sft", "mine": policy}, None).path
    report, page = told_of(tmp_path, reward=root / "reward", policy=policy, conduct=conduct)
    assert says in words(part(page, "alignment"))
    assert not [row for row in listed(report) if row["file"] == "artifacts/weighing.json"]


def test_the_figure_has_a_dot_for_every_line(aligned: Told) -> None:
    drawn = [e for e in section_of(aligned) if e.tag == "g" and e.attributes.get("class") == "fact"]
    last = assistants.STEPS - 1
    every = {(role, f"{last}.{column}") for role in ("policy", "policy_alone", "policy_no_text")
             for column in ("refusal/disallowed", "refusal/allowed", "reward", "kl")}  # fmt: skip
    unjudged = {("policy_alone", f"{last}.refusal/{kind}") for kind in ("allowed", "disallowed")}
    assert {(e.attributes["data-run"], e.attributes["data-key"]) for e in drawn} == every - unjudged
    assert [e.attributes["class"] for e in section_of(aligned) if e.tag == "svg"] == ["fig wide", "fig narrow"]
    legend = {e.text.strip() for e in section_of(aligned) if e.tag == "text"}
    assert {"ppo", "ppo-alone", "ppo-no-text"} <= legend


def test_answers_stand_before_and_after_and_cannot_break_the_page(aligned: Told) -> None:
    quotes = [e for e in section_of(aligned) if e.tag == "blockquote"]
    assert len(quotes) == 6
    assert all([child.tag for child in e.children] == ["span"] for e in quotes)
    assert {e.children[0].text for e in quotes} == {f"{assistants.NASTY}{number}" for number in range(3)}
    assert all("details" in [above.tag for above in e.above()] for e in quotes)
    text = (aligned.report.path / "report.md").read_text(encoding="utf-8")
    assert text.count(f"text\n{assistants.NASTY}") == 6


def test_conduct_alone_is_a_page_with_the_rest_missing(aligned: Told, tmp_path: Path) -> None:
    report, page = told_of(tmp_path, conduct=aligned.chain.root / "conduct")
    assert sections_of(page) == ["alignment", "sources"]
    rows = rows_of(part(page, "alignment"), TAX)
    assert rows["ppo"][2:] == ["missing"] * 3
    missing = {row["run"] for row in listed(report) if row["shown"] == "missing"}
    assert {"reward", "policy", "tax_base"} <= missing
    assert "conduct" not in missing
    headline = next(e for e in page.all if e.attributes.get("class") == "headline")
    assert "disallowed requests" in headline.text


def test_an_empty_conduct_prints_as_missing(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "conduct", "conduct", assistants.Compared(models=(), names=())) as run:
        run.finish()
    report, page = told_of(tmp_path, conduct=run.path)
    assert sections_of(page) == ["alignment", "sources"]
    assert {row["shown"] for row in listed(report)} == {"missing"}


def test_machine_and_disclosure_tell_of_the_assistants(aligned: Told) -> None:
    """Digests of all of them; no row of times for stages that tell none; and how they were trained."""
    shown = {row["run"] for row in listed(aligned.report) if row["file"] == "DONE" and row["key"] == "digest"}
    assert set(ROLES) | set(EXAMINED) <= shown
    assert not [row for row in listed(aligned.report) if row["file"] == "timing.jsonl" and row["run"] in ROLES]
    assert "demonstrations" in words(part(aligned.page, "withheld"))


def test_the_report_itself_is_the_same_again(aligned: Told, tmp_path: Path) -> None:
    again = render.run(aligned.chain.config(), tmp_path / "again")
    for name in ("report.html", "artifacts/alignment-learning.svg"):
        assert (again.path / name).read_bytes() == (aligned.report.path / name).read_bytes()


def test_a_short_walk_says_that_it_is_one(aligned: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "walk through the stages"
    assert words not in " ".join(e.text for e in section_of(aligned))
    monkeypatch.setattr(alignment, "FEW", assistants.STEPS + 1)
    out = render.run(aligned.chain.config(), tmp_path / "out")
    report = (out.path / "report.md").read_text(encoding="utf-8")
    assert words in report and f"{assistants.STEPS} steps, where dozens are needed" in report
    assert out.value("missing") == 0
