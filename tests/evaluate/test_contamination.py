"""The scan as a whole: reports, planted copies, the verb and its bad input."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presage import cli
from presage.core.config import Config
from presage.core.run import RunDir
from presage.data.documents import Document
from presage.data.items import Item
from presage.data.records import write_documents
from presage.evaluate import contamination
from presage.evaluate.contamination import Scanner
from presage.evaluate.planted import EDITS, Hosts, measure
from tests.data.conftest import WORDS

Call = Callable[..., tuple[int, str, str]]


def sentences(seed: int, words: int) -> str:
    chance = random.Random(seed)
    return " ".join(f"{chance.choice(WORDS)}{chance.choice(['s', 'ed', 'ing', ''])}" for _ in range(words)) + "."


ITEMS = [Item(f"q{k}", sentences(k, 12 + 4 * (k % 12))) for k in range(60)]
TEXTS = [sentences(1000 + k, 300) for k in range(20)]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Runs `presage contamination` in an empty folder: (exit code, standard output, standard error)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["contamination", "--quiet", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def write_items(name: str, items: list[Item]) -> str:
    Path(name).write_text("".join(json.dumps({"id": item.id, "text": item.text}) + "\n" for item in items))
    return name


def write_corpus(texts: dict[str, str]) -> str:
    for name, text in texts.items():
        place = Path("corpus", name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return "corpus"


# ---- the report -----------------------------------------------------------------------------------------------------


def test_the_offset_is_in_bytes_of_the_document() -> None:
    texts = ["Größe — " + ITEMS[0].text, "x " * 50 + "中文 " + ITEMS[1].text]
    report = Scanner(ITEMS).scan(Document("s", str(i), text) for i, text in enumerate(texts))
    assert {hit.item for hit in report.hits} == {"q0", "q1"}
    for hit in report.hits:
        text = texts[int(hit.document)]
        item = ITEMS[int(hit.item[1:])].text
        rest = text.encode()[hit.offset :].decode()
        assert rest[:20] in item
        assert hit.document_excerpt in text
        assert hit.item_excerpt in item


def test_pieces_of_one_document_are_read_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contamination, "_SEAM", 200)
    whole = f"ä {TEXTS[0]} {ITEMS[0].text} {TEXTS[1]}"
    cut = whole.index(ITEMS[0].text) + 30
    pieces = [Document("s", "d", whole[:cut]), Document("s", "d", whole[cut:]), Document("s", "e", TEXTS[2])]
    report = Scanner(ITEMS[:1]).scan(pieces)
    expected = Scanner(ITEMS[:1]).scan([Document("s", "d", whole), Document("s", "e", TEXTS[2])])
    assert [(h.method, h.item, h.document, h.offset) for h in report.hits] == [
        (h.method, h.item, h.document, h.offset) for h in expected.hits
    ]
    assert len(report.hits) == 3
    assert report.documents == 2


def test_too_short_for_every_method_is_untestable_and_not_clean() -> None:
    items = [
        Item("short", "What is it?"),
        Item("letters", "Antidisestablishmentarianism?"),
        Item("words", "a b c d e f g h"),
    ]
    report = Scanner(items).scan([Document("s", "d", "What is it? " + TEXTS[0])])
    assert report.untestable == ["short"]
    assert report.testable == {"gpt4": ["letters"], "gpt3": ["words"], "gpt2": ["words"]}
    assert report.flagged == []


def test_a_second_scan_remembers_nothing() -> None:
    scanner = Scanner(ITEMS)
    documents = [Document("s", "d", ITEMS[3].text)]
    assert scanner.scan(documents) == scanner.scan(documents)


# ---- planted copies -------------------------------------------------------------------------------------------------


def test_planted_copies_are_found() -> None:
    scanner, hosts = Scanner(ITEMS), Hosts(0)
    report = scanner.scan(hosts.passing(Document("s", str(i), text) for i, text in enumerate(TEXTS)))
    found = measure(scanner, report, hosts.texts, 40)
    recall = found["planted_recall"]
    assert list(recall) == [*EDITS, "word_changed"]
    for edit in ("exact", "case", "whitespace", "punctuation"):
        assert recall[edit]["any"] == 1.0
        assert recall[edit]["gpt4"] == 1.0
    assert recall["word"]["ngrams"] >= 0.9
    assert found["planted"]["copies"] == 40
    assert found["planted"]["changed"]["exact"] == 0
    assert all(found["planted"]["changed"][edit] == 40 for edit in ("case", "whitespace"))
    assert found == measure(scanner, report, hosts.texts, 40)


def test_a_copy_is_planted_only_where_its_item_is_not() -> None:
    scanner, hosts = Scanner(ITEMS[:2]), Hosts(0)
    report = scanner.scan(hosts.passing([Document("s", "0", ITEMS[0].text), Document("s", "1", ITEMS[0].text)]))
    assert measure(scanner, report, hosts.texts, 5)["planted"]["copies"] == 1


def test_hosts_are_a_bounded_sample() -> None:
    hosts = Hosts(0)
    assert len(list(hosts.passing(Document("s", str(i), f"{i} " * 9000) for i in range(100)))) == 100
    assert len(hosts.texts) == 32
    assert {len(text) for text in hosts.texts} == {8000}
    assert hosts.texts[0][:2] != "0 " or hosts.texts[1][:2] != "1 "


# ---- the verb -------------------------------------------------------------------------------------------------------


def test_json_has_the_promised_keys(call: Call) -> None:
    items = write_items("items.jsonl", [*ITEMS[:5], Item("s", "Why?")])
    corpus = write_corpus({"a.txt": TEXTS[0] + " " + ITEMS[2].text, "b.md": TEXTS[1]})
    code, out, err = call("--items", items, "--corpus", corpus, "--json", "--plant", "3")
    found: dict[str, Any] = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["items"], found["flagged"], found["untestable"]) == (6, 1, 1)
    keys = {"item", "method", "document", "offset", "item_excerpt", "document_excerpt", "item_match", "document_match"}
    assert [set(hit) for hit in found["hits"]] == [keys] * 3
    assert {(hit["item"], hit["document"]) for hit in found["hits"]} == {("q2", "corpus/a.txt")}
    assert set(found["planted_recall"]["exact"]) == {"gpt4", "gpt3", "gpt2", "ngrams", "any"}


def test_text_says_flagged_clean_and_untestable(call: Call) -> None:
    items = write_items("items.jsonl", [*ITEMS[:5], Item("s", "Why?")])
    corpus = write_corpus({"a.txt": TEXTS[0] + " " + ITEMS[2].text})
    code, out, _ = call("--items", items, "--corpus", corpus, "--plant", "2")
    assert code == 0
    assert out.startswith("6 items: 1 flagged, 4 clean, 1 untestable (too short for every method); 1 documents")
    assert "q2  gpt4  corpus/a.txt at byte" in out
    assert "found of 2 planted copies" in out


def test_fail_is_a_failed_check(call: Call) -> None:
    items, corpus = write_items("items.jsonl", ITEMS[:5]), write_corpus({"a.txt": TEXTS[0]})
    assert call("--items", items, "--corpus", corpus, "--fail")[0] == 0
    write_corpus({"b.txt": ITEMS[1].text})
    code, out, err = call("--items", items, "--corpus", corpus, "--fail")
    assert (code, err) == (1, "presage: items.jsonl: 1 of 5 items are in the corpus\n")
    assert "1 flagged" in out


def test_some_methods_alone(call: Call) -> None:
    items, corpus = write_items("items.jsonl", ITEMS[:5]), write_corpus({"a.txt": ITEMS[1].text})
    found = json.loads(call("--items", items, "--corpus", corpus, "--json", "--method", "gpt3", "gpt4")[1])
    assert list(found["methods"]) == ["gpt3", "gpt4"]
    code, _, err = call("--items", items, "--corpus", corpus, "--method", "gpt5")
    assert (code, err.count("\n")) == (2, 1)
    assert "did you mean" in err


def test_the_items_as_their_own_corpus_are_all_contaminated(call: Call) -> None:
    items = write_items("items.jsonl", ITEMS)
    code, out, err = call("--items", items, "--corpus", items)
    assert (code, out.split(";")[0]) == (0, "60 items: 60 flagged, 0 clean, 0 untestable (too short for every method)")
    assert err == "presage: items.jsonl: this file is itself part of the corpus: everything in it is contaminated\n"
    Path("copy.jsonl").write_bytes(Path(items).read_bytes())
    err = call("--items", items, "--corpus", "copy.jsonl")[2]
    assert err == "presage: items.jsonl: everything is contaminated: all 60 testable items are in the corpus\n"


def test_items_of_another_form_as_their_own_corpus_are_said_to_be_it(call: Call) -> None:
    Path("gsm.jsonl").write_text(json.dumps({"question": ITEMS[0].text, "answer": "1"}) + "\n")
    code, out, err = call("--items", "gsm.jsonl", "--corpus", "gsm.jsonl")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(
        "presage: gsm.jsonl: this file is itself part of the corpus: everything in it is contaminated"
    )


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "corpus: no such file or folder"),
        ({"a.txt": b" \n"}, "corpus/a.txt: the corpus holds no text"),
        ({"a.jsonl": b'{"text": "x"}\n{"text": '}, "corpus/a.jsonl: line 2: not JSON"),
        ({"a.jsonl": b'{"body": "x"}\n'}, "corpus/a.jsonl: line 1: no key 'text'"),
        ({"a.txt": b"good", "b.txt": b"caf\xe9 latin"}, "corpus/b.txt: byte 3: not UTF-8"),
        ({"a.txt": "wide".encode("utf-16")}, "corpus/a.txt: byte 0: UTF-16 text"),
    ],
)
def test_a_bad_corpus_is_one_line(call: Call, files: dict[str, bytes], message: str) -> None:
    items = write_items("items.jsonl", ITEMS[:2])
    for name, data in files.items():
        write_corpus({name: ""})
        Path("corpus", name).write_bytes(data)
    code, out, err = call("--items", items, "--corpus", "corpus")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"presage: {message}")


def test_a_finished_corpus_run_is_read_whole(call: Call) -> None:
    with RunDir.create("run", "corpus", Config()) as run:
        write_documents(run.artifact("train.jsonl.zst"), [Document("s", "a.txt", TEXTS[0])])
        write_documents(run.artifact("val.jsonl.zst"), [Document("s", "b.txt", "So: " + ITEMS[1].text)])
        run.finish()
    code, out, err = call("--items", write_items("items.jsonl", ITEMS[:2]), "--corpus", "run", "--json")
    assert (code, err) == (0, "")
    hits = json.loads(out)["hits"]
    assert {(hit["item"], hit["document"]) for hit in hits} == {("q1", "b.txt")}
    assert min(hit["offset"] for hit in hits) == len("So: ")


def test_what_cannot_be_read_is_skipped_on_request_and_counted(call: Call) -> None:
    items = write_items("items.jsonl", ITEMS[:2])
    write_corpus({"a.txt": ITEMS[0].text, "b.txt": ""})
    Path("corpus/b.txt").write_bytes(b"caf\xe9 latin")
    code, out, err = call("--items", items, "--corpus", "corpus", "--json", "--skip-unreadable")
    assert (code, json.loads(out)["unreadable"], json.loads(out)["flagged"]) == (0, 1, 1)
    assert "1 files or lines of the corpus could not be read" in err


def test_bad_items_are_one_line(call: Call) -> None:
    corpus = write_corpus({"a.txt": TEXTS[0]})
    Path("items.jsonl").write_text('{"id": 1, "text": "x"}\n{"id": 2}\n')
    code, out, err = call("--items", "items.jsonl", "--corpus", corpus)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("presage: items.jsonl:2: an item without text")
    assert call("--items", write_items("i.jsonl", ITEMS), "--corpus", corpus, "--plant", "-1")[0] == 2
