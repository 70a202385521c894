"""Every rule on at once: each planted document leaves by its rule alone, the others stay byte for byte, counts add up.

And the quality classifier by itself.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from presage.core.errors import ConfigError
from presage.core.run import RunDir
from presage.data import corpus
from presage.data.build.config import RULES, Rules
from presage.data.rules.heuristics import SETS
from tests.data.build.made import crawled, kept, prose, removed, source
from tests.data.build.planted import ASKED, CHANGED, CUT, GOOD, LEAVES, RARE, TENFOLD, everything


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    folder = tmp_path_factory.mktemp("everything")
    return corpus.run(everything(folder), folder / "out")


@pytest.mark.parametrize("name", LEAVES)
def test_a_planted_document_leaves_by_its_rule_alone(run: RunDir, name: str) -> None:
    assert removed(run)[f"notes/{name}"] == {LEAVES[name][0]}
    assert not [path for path in kept(run) if path.startswith(f"notes/{name}")]


def test_good_documents_stay_byte_for_byte(run: RunDir) -> None:
    documents = kept(run)
    assert {name: documents.get(f"notes/{name}") for name in GOOD} == GOOD
    assert {n: documents.get(f"books/{n}.txt") for n in range(60)} == {n: prose(f"book {n}") for n in range(60)}


@pytest.mark.parametrize("name", CHANGED)
def test_changed_documents_are_as_they_should_be(run: RunDir, name: str) -> None:
    assert kept(run)[f"notes/{name}"] == CHANGED[name][1]


def test_evaluation_items_are_cut_out_with_what_stands_around(run: RunDir) -> None:
    documents = kept(run)
    for name, text in CUT.items():
        first, second = documents[f"notes/{name}"], documents[f"notes/{name}#2"]
        assert text.startswith(first) and text.endswith(second)
        item = RARE if name == "long.txt" else TENFOLD
        begin = text.lower().index(item)
        assert (len(first), len(text) - len(second)) == (begin - 200, begin + len(item) + 200)
    assert not [text for text in documents.values() for item in (RARE, TENFOLD, *ASKED) if item in text.lower()]
    found = {row["rule"]: row["changed"] for row in run.read_table("removals") if row["source"] == "notes"}
    assert found["changed/decontaminated"] == str(len(CUT))
    assert run.value("decontaminate/untestable") == 1


def test_no_other_rule_removed_anything(run: RunDir) -> None:
    expected = Counter(rule for rule, _ in LEAVES.values())
    found = {row["rule"]: int(row["documents"] or 0) for row in run.read_table("removals") if row["source"] == "notes"}
    assert {rule: count for rule, count in found.items() if count} == expected
    assert {row["rule"] for row in run.read_table("removals") if row["documents"] not in ("", "0")} == {
        *expected,
        "quality",
    }


def test_what_was_read_is_what_is_kept_and_what_each_rule_removed(run: RunDir) -> None:
    rows = {row["source"]: row for row in run.read_table("sources")}
    for name, row in rows.items():
        gone = [r for r in run.read_table("removals") if r["source"] == name and r["documents"]]
        out = int(row["train/documents"]) + int(row["val/documents"]) + sum(int(r["documents"]) for r in gone)
        assert int(row["read/documents"]) + int(row["added/pieces"]) == out
        # Redaction and spelling change sizes a little; the rest is bytes removed.
        size = int(row["train/bytes"]) + int(row["val/bytes"]) + sum(int(r["bytes"]) for r in gone)
        assert int(row["read/bytes"]) == pytest.approx(size, rel=0.005)
    assert int(rows["notes"]["added/pieces"]) == len(CUT)
    documents = kept(run)
    for column in ("documents", "bytes"):
        total = sum(int(row[f"{split}/{column}"]) for row in rows.values() for split in ("train", "val"))
        assert total == sum(len(text.encode()) if column == "bytes" else 1 for text in documents.values())


def test_every_rule_that_counts_has_a_name_that_a_limit_can_be_set_for(run: RunDir) -> None:
    programs = set(SETS["codex"])  # prose breaks them
    assert {row["rule"] for row in run.read_table("removals") if row["documents"]} == RULES - programs


def test_what_is_shown_of_removed_documents_has_no_personal_data(tmp_path: Path) -> None:
    short = "Write to jane.doe@mailhouse.org."
    texts = {"short.txt": short, "brackets.txt": short + " { " + prose(1), "a.txt": prose(2), "b.txt": prose(3)}
    rules = Rules(heuristics=("c4_curly_bracket",), privacy=("email",))
    one = source(tmp_path / "texts", texts)
    run = corpus.run(corpus.Config(sources=(one,), rules=rules, min_document_bytes=64), tmp_path / "out")
    shown = {row["rule"]: row["excerpt"] for row in run.read_table("removed_samples")}
    assert shown["too_short"] == "Write to <EMAIL>."
    assert not any("mailhouse" in excerpt for excerpt in shown.values())


# ---- the quality classifier -----------------------------------------------------------------------------------------


def filtered(folder: Path, out: str = "out", **keys: object) -> RunDir:
    raw = {f"shop{n}.txt": crawled(n) for n in range(390)} | {f"like{n}.txt": prose(f"like {n}") for n in range(10)}
    books = source(folder / "books", {f"{n}.txt": prose(f"book {n}") for n in range(100)})
    crawl = source(folder / "crawl", raw)
    rules = {"quality": {"reference": ["books"], "raw": ["crawl"], "sample": 100}}
    config = {
        "sources": [books.model_dump(), crawl.model_dump()],
        "rules": rules,
        "similar": None,
        "allowed": {"quality": 1},
    }
    return corpus.run(corpus.Config.parse(config | keys), folder / out)


def test_most_raw_documents_that_look_like_the_reference_are_kept(tmp_path: Path) -> None:
    run = filtered(tmp_path, seed=1)
    paths = Counter(path.rstrip("0123456789.tx") for path in kept(run))
    assert paths["books/"] == 100, "reference documents are never filtered"
    assert paths["crawl/like"] > 5
    assert paths["crawl/shop"] < 28
    assert (run.value("quality/trained"), run.value("quality/held_out")) == (180, 20)
    assert run.value("quality/accuracy") > 0.8 and run.value("quality/auc") > 0.8
    rows = {row["source"]: row for row in run.read_table("removals") if row["rule"] == "quality"}
    assert set(rows) == {"crawl"}
    assert int(rows["crawl"]["documents"]) == 500 - len(kept(run))


def test_the_seed_decides_which_documents_are_kept(tmp_path: Path) -> None:
    first, again, other = (
        filtered(tmp_path, out, seed=seed, val_fraction=0.1) for out, seed in (("a", 0), ("b", 0), ("c", 1))
    )
    assert kept(first) == kept(again)
    assert first.digest == again.digest
    assert set(kept(first)) != set(kept(other))


def test_a_source_cannot_be_reference_and_raw(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="source 'books' cannot be both reference and raw"):
        config = everything(tmp_path).model_dump()
        config["rules"]["quality"]["raw"] = ["books"]
        corpus.Config.parse(config)
