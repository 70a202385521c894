"""The scan as a stage: several sets in one pass, what it writes, the contaminated copy, the verb's --out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presage import cli
from presage.core.config import Config
from presage.core.errors import ConfigError, DataError
from presage.core.run import RunDir
from presage.data.documents import Document
from presage.data.items import Item, read_items
from presage.data.microcode import problems
from presage.data.records import write_documents
from presage.evaluate import scan
from presage.evaluate.contamination import Scanner, scan_together
from presage.evaluate.copied import contaminate
from presage.evaluate.scored import read_scan
from presage.evaluate.sets import ItemSet, set_of
from presage.tasks.hindsight import generate
from tests.evaluate.test_contamination import ITEMS, TEXTS, write_items
from tests.stage import check_stage

Call = Callable[..., tuple[int, str, str]]
SHORT = Item("s", "Why?")
QUIZ, OTHER = [*ITEMS[:8], SHORT], ITEMS[20:30]


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """quiz.jsonl and other.jsonl, a corpus run that holds items 2 and 25, and the same texts as files."""
    monkeypatch.chdir(tmp_path)
    write_items("quiz.jsonl", QUIZ)
    write_items("other.jsonl", OTHER)
    train = [Document("s", f"{k}.txt", text) for k, text in enumerate(TEXTS[:12])]
    train.append(Document("s", "leak.txt", f"ä, {ITEMS[2].text} {ITEMS[25].text}"))
    with RunDir.create("corpus", "corpus", Config()) as run:
        write_documents(run.artifact("train.jsonl.zst"), train)
        write_documents(run.artifact("val.jsonl.zst"), [Document("s", "v.txt", TEXTS[12])])
        run.finish()
    return tmp_path


def config(**more: Any) -> scan.Config:
    """Two files and both generated sets, against the corpus run."""
    sets = [
        {"name": "quiz", "path": "quiz.jsonl"},
        {"name": "other", "path": "other.jsonl"},
        {"name": "microcode", "kind": "microcode", "count": 12, "levels": [1]},
        {"name": "hindsight", "kind": "hindsight", "count": 5},
    ]
    return scan.Config.parse({"sets": sets, "corpus": ["corpus"]} | more)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], folder: Path) -> Call:
    """Runs `presage contamination`: (exit code, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["contamination", "--quiet", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


# ---- one pass -------------------------------------------------------------------------------------------------------


def test_one_pass_for_several_sets_finds_what_one_for_each_finds() -> None:
    documents = [Document("s", str(k), text) for k, text in enumerate([*TEXTS, ITEMS[2].text, ITEMS[25].text])]
    scanners = [Scanner(items, seed=3) for items in (QUIZ, OTHER)]
    assert scan_together(scanners, iter(documents)) == [Scanner(QUIZ, seed=3).scan(documents),
                                                        Scanner(OTHER, seed=3).scan(documents)]  # fmt: skip


def test_what_matched_is_marked_in_both_excerpts() -> None:
    report = Scanner(ITEMS).scan([Document("s", "d", f"Größe — {ITEMS[3].text.upper()} end")])
    assert {hit.method for hit in report.hits} == {"gpt4", "gpt3", "gpt2"}
    for hit in report.hits:
        in_item, in_document = (
            hit.item_excerpt[slice(*hit.item_match)],
            hit.document_excerpt[slice(*hit.document_match)],
        )
        assert in_item.upper() == in_document != ""


def test_verdicts_are_those_of_hits_and_testable_items() -> None:
    report = Scanner(QUIZ).scan([Document("s", "d", ITEMS[3].text)])
    assert list(report.verdicts) == [item.id for item in QUIZ]
    assert set(report.verdicts["q3"].values()) == {"flagged"}
    assert set(report.verdicts["q4"].values()) == {"clean"}
    assert set(report.verdicts["s"].values()) == {"untestable"}


# ---- sets -----------------------------------------------------------------------------------------------------------


def test_generated_sets_are_the_tasks_items() -> None:
    microcode = ItemSet(name="m", kind="microcode", count=9, levels=(1, 2), seed=4).items()
    assert microcode == [Item(problem.id, problem.prompt) for problem in problems(4, 9, (1, 2))]
    hindsight = ItemSet(name="h", kind="hindsight", count=3, seed=4).items()
    assert [item.id for item in hindsight] == ["h:1", "h:2", "h:3"]
    for item, made in zip(hindsight, generate(3, 4), strict=True):
        assert made.prompt.endswith(f"\n\nQuestion: {item.text}")
        assert item.text.count("Answer:") == 1


def test_a_file_is_a_set_of_its_name() -> None:
    names = {
        "a/mmlu.test.jsonl.xz": "mmlu-test",
        "ARC (easy).csv": "ARC-easy",
        "copy.json": "items",
        "é.jsonl": "items",
    }
    assert {path: set_of(Path(path)).name for path in names} == names


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ([], "at least 1 item"),
        ([{"name": "a", "path": "x"}, {"name": "a", "path": "y"}], "two sets are named 'a'"),
        ([{"name": "a"}], "kind 'file' needs a path"),
        ([{"name": "a", "path": "x", "count": 3}], "kind 'file' needs a path"),
        ([{"name": "a", "kind": "hindsight"}], "the other kinds need a count"),
        ([{"name": "a.b", "path": "x"}], "String should match pattern"),
        ([{"name": "copy", "path": "x"}], "'copy' is taken"),
        ([{"name": "a", "kind": "hindsigt", "count": 3}], "'hindsight'"),
    ],
)
def test_bad_sets_are_refused(sets: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        scan.Config.parse({"sets": sets})


# ---- the contaminated copy ------------------------------------------------------------------------------------------


def test_all_planted_items_are_found_however_many_share_a_document() -> None:
    copied = contaminate(Scanner([*ITEMS, SHORT]), [TEXTS[0], "word"], 50, seed=1)
    assert len(copied.planted) == len(copied.found) == 50
    assert copied.free == len(ITEMS)
    assert set(copied.report.flagged_by("gpt4")) >= set(copied.planted)
    assert set(copied.report.flagged_by("gpt3")) >= set(copied.planted)


def test_items_that_the_documents_hold_anyway_are_not_planted() -> None:
    copied = contaminate(Scanner(ITEMS[:3]), [f"{TEXTS[0]} {ITEMS[1].text}"], 5, seed=0)
    assert sorted(copied.planted) == ["q0", "q2"]
    assert copied.found == copied.planted


def test_another_seed_plants_others() -> None:
    scanner = Scanner(ITEMS)
    drawn = [contaminate(scanner, TEXTS[:4], 10, seed).planted for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


# ---- the stage ------------------------------------------------------------------------------------------------------


def test_the_stage_contract(folder: Path) -> None:
    one = config(sets=[{"name": "hindsight", "kind": "hindsight", "count": 5}], plant=2,
                 contaminated_copy={"of": "hindsight", "items": 3}, corpus=[str(folder / "corpus")])  # fmt: skip
    run = check_stage(scan, one, folder / "runs", kills=3)
    assert (run.value("copy/found"), run.value("copy/planted")) == (3, 3)


def test_it_writes_what_was_found(folder: Path) -> None:
    run = scan.run(config(plant=4, contaminated_copy={"of": "quiz", "items": 5}), folder / "scan")
    counts = {key: run.value(f"quiz/{key}") for key in ("items", "flagged", "untestable")}
    assert counts == {"items": 9, "flagged": 1, "untestable": 1}
    assert (run.value("quiz/gpt4/testable"), run.value("quiz/gpt4/untestable")) == (8, 1)
    assert run.value("quiz/gpt4/share") == 1 / 8
    assert 0 < run.value("quiz/gpt2/overlap") < 1
    assert run.value("microcode/gpt3/share") is None
    assert run.value("hindsight/flagged") == 0
    assert run.value("other/planted/exact") == 1.0
    assert run.value("documents") == 14
    assert (run.value("copy/found"), run.value("copy/planted"), run.value("copy/free")) == (5, 5, 7)
    items = {(row["set"], row["item"]): row for row in run.read_table("items")}
    assert len(items) == 9 + 10 + 12 + 5
    assert items["quiz", "q2"] == {"set": "quiz", "item": "q2", "gpt4": "flagged", "gpt3": "flagged", "gpt2": "flagged",
                                   "document": "leak.txt", "offset": items["quiz", "q2"]["offset"]}  # fmt: skip
    assert int(items["quiz", "q2"]["offset"]) >= len("ä, ".encode())
    assert (items["quiz", "s"]["gpt4"], items["quiz", "s"]["document"]) == ("untestable", "")
    hits = run.read_table("hits")
    assert {(row["set"], row["item"]) for row in hits} == {("quiz", "q2"), ("other", "q25")}
    for row in hits:
        text = next(item.text for item in ITEMS if item.id == row["item"])
        assert row["item_before"] + row["item_match"] + row["item_after"] in text
        assert row["document_match"] == row["item_match"] != ""
    assert {row["item"] for row in run.read_table("copy")} == {row["item"] for row in run.read_table("copy_hits")}
    assert {row["edit"] for row in run.read_table("planted")} >= {"exact", "case", "word"}
    assert run.read_table("warnings") == []


def test_reports_are_what_the_verb_prints(call: Call) -> None:
    run = scan.run(config(plant=4), Path("scan"))
    for name, items in (("quiz", "quiz.jsonl"), ("microcode", "scan/artifacts/microcode.items.jsonl")):
        code, out, _ = call("--items", items, "--corpus", "corpus", "--plant", "4", "--json")
        assert (code, json.loads(out)) == (0, run.read_json(f"artifacts/{name}.report.json"))
    assert read_items(run.path / "artifacts/hindsight.items.jsonl") == config().sets[3].items()
    assert set(read_scan(run.path).sets) == {"quiz", "other", "microcode", "hindsight"}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"methods": ["gpt5"]}, "no method 'gpt5'"),
        ({"contaminated_copy": {"of": "quizz"}}, "no set 'quizz' .*did you mean 'quiz'"),
        ({"sets": [{"name": "q", "path": "none.jsonl"}]}, "none.jsonl: "),
        ({"corpus": [], "files": ["none"]}, "none: no such file or folder"),
    ],
)
def test_what_cannot_be_scanned_leaves_no_run(folder: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        scan.run(config(**more), folder / "scan")
    assert not (folder / "scan").exists()


# ---- the verb -------------------------------------------------------------------------------------------------------


def test_the_verb_writes_a_run_and_prints_the_same(call: Call) -> None:
    arguments = ("--items", "quiz.jsonl", "--corpus", "corpus")
    assert call(*arguments)[:2] == call(*arguments, "--out", "scan")[:2]
    assert RunDir.open("scan", "contamination").origin["parents"]["corpus.0"]["stage"] == "corpus"
    code, out, err = call(*arguments, "--out", "scan")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "already finished" in err


def test_several_files_are_several_sets(call: Call) -> None:
    code, out, _ = call("--items", "quiz.jsonl", "other.jsonl", "--corpus", "corpus", "--json")
    assert (code, {name: report["flagged"] for name, report in json.loads(out).items()}) == (0, {"quiz": 1, "other": 1})
    code, out, _ = call("--items", "quiz.jsonl", "other.jsonl", "--corpus", "corpus", "--copy", "6", "--out", "scan")
    assert code == 0
    assert out.splitlines()[0] == "quiz"
    assert out.splitlines()[-1] == "contaminated copy: 6 of 6 items found"
    assert call("--items", "quiz.jsonl", "--corpus", "corpus", "--fail", "--out", "again")[0] == 1


def test_warnings_come_from_the_run_too(call: Call) -> None:
    write_items("short.jsonl", [SHORT])
    for more in ((), ("--out", "scan")):
        code, _, err = call("--items", "short.jsonl", "--corpus", "corpus", *more)
        assert (code, err) == (0, "presage: short.jsonl: every item is too short for every method: nothing is known "
                                  "about any of them\n")  # fmt: skip


def test_bad_options_are_one_line(call: Call) -> None:
    Path("more").mkdir()
    write_items("more/quiz.jsonl", OTHER)
    for arguments in (
        ("--copy", "3"),
        ("--resume",),
        ("--copy", "-1", "--out", "scan"),
        ("--plant", "-1", "--out", "scan"),
        ("--items", "more/quiz.jsonl"),
    ):
        code, out, err = call("--items", "quiz.jsonl", "--corpus", "corpus", *arguments)
        assert (code, out, err.count("\n")) == (2, "", 1), arguments
    assert not Path("scan").exists()
