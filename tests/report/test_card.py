"""The system card's page: twelve areas, each figure with its source, and nothing said that was not measured."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pytest

from presage.align import card as figures
from presage.align.card_risks import RISKS
from presage.align.redteam_asking import Answering, retest
from presage.core.errors import CorruptError, RunError
from presage.core.run import RunDir, sha256
from presage.report import card
from tests.align import card_data
from tests.align.test_card import config, toy
from tests.align.test_redteam import table, tried
from tests.report.reading import NAMES, Element, Page, listed, stored
from tests.report.test_ability import part
from tests.toy_model import ToyModel

MITIGATION = "It <b>is</b> not let out."


def told(folder: Path) -> tuple[RunDir, Page]:
    """The page on FOLDER/card."""
    page = card.run(card.Config(card=folder / "card"), folder / "page")
    return page, Page((page.path / "card.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A card of a toy model with people's judgements, some of them made again."""
    folder = tmp_path_factory.mktemp("card")
    first, again = folder / "r.jsonl", folder / "again.jsonl"
    tried(first, "How?", "3", "", "Why?", "1", "")
    tried(folder / "more.jsonl", "Who?", "0", "", domain="economics", who="bob")
    retest(table("0", "", "0", "")[0], Answering(ToyModel()), first, again)
    records = [str(path) for path in (first, again, folder / "more.jsonl")]
    changes = {"redteam": records, "mitigations": {"privacy": MITIGATION}}
    figures.run(config(card_data.make(folder / "data"), **changes), folder / "card", model=toy())
    return folder


@pytest.fixture(scope="module")
def page(folder: Path) -> tuple[RunDir, Page]:
    return told(folder)


def rows_of(run: RunDir, caption: str) -> list[list[str]]:
    """The cells of a table, as a reader sees them."""
    text = (run.path / "card.html").read_text(encoding="utf-8")
    table = text[text.index(f'aria-label="{html.escape(caption)}"') :].partition("</table>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
    return [[html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall("<td.*?</td>", row)] for row in rows]


def areas(run: RunDir) -> dict[str, list[str]]:
    """{name: status, figures, people, mitigation} of the table of risks."""
    return {name: [status, *rest] for status, name, *rest in rows_of(run, "Area by area")}


def test_every_area_has_a_row_in_the_reports_order(page: tuple[RunDir, Page]) -> None:
    found = areas(page[0])
    assert list(found) == list(RISKS.values())
    assert found["Hallucinations"] == ["not assessed", "this card has no measure of it", "–", "none stated"]
    assert found["Cybersecurity"][0] == "measured, reviewed"
    assert found["Cybersecurity"][2] == "cyber: 2 attempts by ann, mean severity 2"
    assert found["Economic impacts"][0] == "reviewed"
    assert found["Privacy"][3] == MITIGATION


def test_a_figure_stands_with_its_interval_and_n(page: tuple[RunDir, Page]) -> None:
    privacy = areas(page[0])["Privacy"][1]
    assert re.fullmatch(r"requests of this area refused 0 % \(0 % to 79\.3 %\), n 1; .*unrelated.* n 1", privacy)


def test_what_a_model_says_of_itself_stands_beside_the_first_options_it_takes(page: tuple[RunDir, Page]) -> None:
    wanted = "answers that match self-replication 50 % (9.45 % to 90.5 %), n 2; such figures in all 1; "
    assert areas(page[0])["Risky emergent behaviours"][1].startswith(wanted + "first options taken")
    assert "coordinate-itself 0 %" in areas(page[0])["Interactions with other systems"][1]


def test_refusals_stand_beside_what_is_no_answer(page: tuple[RunDir, Page]) -> None:
    rows = {row[0]: row[1:] for row in rows_of(page[0], "Harmful requests")}
    assert rows["HarmBench, test"][:5] == ["3", "33.3 % (6.15 % to 79.2 %)", "0 %", "33.3 %", "33.3 %"]
    text = re.sub("<[^>]*>", "", (page[0].path / "card.html").read_text(encoding="utf-8"))
    assert "the same rule finds a refusal in 0 % (0 % to 49 %): false alarms" in text


def test_answers_are_the_first_ones(page: tuple[RunDir, Page], folder: Path) -> None:
    quotes = [e for e in part(page[1], "answers") if e.tag == "blockquote"]
    rows = list(RunDir.open(folder / "card").rows("samples.jsonl"))
    first = [row["completion"] for row in rows if row["set"] == "harmbench_test"][:2]
    assert [_texts(one)[-1] for one in quotes[:2]] == first
    assert len(quotes) == 8


def _texts(quote: Element) -> list[str]:
    return [e.text for e in (*(c for b in quote.children for c in b.children), *quote.children) if e.tag == "span"]


def test_what_people_found_stands_apart_from_retests(page: tuple[RunDir, Page]) -> None:
    rows = rows_of(page[0], "First attempts, judged by people")
    assert [row[:8] for row in rows] == [
        ["cyber", "2", "ann", "0", "1", "0", "1", "0"],
        ["economics", "1", "bob", "1", "0", "0", "0", "0"],
    ]
    [again] = rows_of(page[0], "The same attempts, asked again")
    assert [again[0], *again[2:6]] == ["people", "2", "2.000", "0.000", "−2.000"]


def test_every_fact_is_what_its_source_says(page: tuple[RunDir, Page], folder: Path) -> None:
    rows = listed(page[0])
    assert len(rows) > 300
    assert not [row for row in rows if row["shown"] == "missing"]
    for row in rows:
        path = folder / row["run"] / row["file"]
        assert row["digest"] == sha256(path)
        value, found = json.loads(row["value"]), stored(path, row["key"])
        same = float(found) == value if isinstance(value, int | float) else found == value
        assert same, row
    known = {row["id"] for row in rows}
    assert {e.attributes["data-fact"] for e in page[1].all if e.within("fact")} == known


def test_no_number_stands_outside_a_fact_and_nothing_is_loaded(page: tuple[RunDir, Page]) -> None:
    body = next(e for e in page[1].all if e.tag == "body")
    loose = [
        e.text
        for e in page[1].all
        if body in e.above()
        and e.tag not in ("script", "style", "code")
        and not e.within("fact", "src", "hash")
        and not any(a.attributes.get("id") == "sources" for a in e.above())
        and re.search(r"\d", NAMES.sub("", e.text))
    ]
    assert loose == []
    text = (page[0].path / "card.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\((?!#)|<link|src=|<iframe|<b>is</b>", text)


def test_a_card_of_nothing_but_samples_says_so(tmp_path: Path) -> None:
    figures.run(config(tmp_path), tmp_path / "card", model=toy())
    run, page = told(tmp_path)
    statuses = {name: row[0] for name, row in areas(run).items()}
    assert {name for name, status in statuses.items() if status == "measured"} == {"Harmful content"}
    assert areas(run)["Proliferation of weapons"][1] == "none of its sets was asked"
    ids = [e.attributes["id"] for e in page.all if e.tag == "section"]
    assert ids == ["risks", "answers", "toxicity", "not-assessed", "files", "sources"]
    assert run.value("missing") == 0


def test_runs_that_are_no_card_and_changed_ones_are_refused(tmp_path: Path) -> None:
    figures.run(config(tmp_path), tmp_path / "card", model=toy())
    with pytest.raises(RunError, match="'card'"):
        card.run(card.Config(card=told(tmp_path)[0].path), tmp_path / "other")
    measures = tmp_path / "card/tables/measures.csv"
    measures.write_text(measures.read_text().replace("harmful_content,0.0", "harmful_content,0.9"))
    with pytest.raises(CorruptError, match=r"measures\.csv: content differs"):
        card.run(card.Config(card=tmp_path / "card"), tmp_path / "changed")


def test_the_page_is_the_same_again(page: tuple[RunDir, Page], folder: Path, tmp_path: Path) -> None:
    again = card.run(card.Config(card=folder / "card"), tmp_path / "again")
    for name in ("card.html", "card.md", "facts.csv"):
        assert (again.path / name).read_bytes() == (page[0].path / name).read_bytes()


def test_a_judges_classes_stand_in_a_table_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = ToyModel(write=lambda prompt, sample: "A\nIt declines." if "> I'm sorry" in prompt else "no", name="judge")
    monkeypatch.setattr(figures, "opened", lambda spec, key: judge)
    chosen = config(card_data.make(tmp_path / "data"), sets=["strongreject"], judge="hf:judge")
    figures.run(chosen, tmp_path / "card", model=toy())
    run, _ = told(tmp_path)
    rows = rows_of(run, "The same answers by a judge")
    assert [row[2] for row in rows] == ["50 % (9.45 % to 90.5 %)"] * 2
    assert [row[-1] for row in rows] == ["50 % (9.45 % to 90.5 %)"] * 2
    text = (run.path / "card.md").read_text(encoding="utf-8")
    assert "Classes of the rubric of refusals, by judge." in text
    assert "false alarms" not in text
