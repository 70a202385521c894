"""Bad input: one clear line and exit code 2 before any file is read; what is unreadable is counted, not fatal."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presage import cli
from presage.core.errors import ConfigError, DataError
from presage.core.run import RunDir
from presage.data import corpus
from presage.data.build import parts
from tests.data.build.made import kept, prose, source, write
from tests.data.build.planted import FRENCH

Presage = Callable[..., tuple[int, str]]


@pytest.fixture
def presage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Presage:
    """`presage corpus RECIPE OVERRIDES…` on 20 documents: (exit code, standard error)."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in", {f"{n:02d}.txt": prose(n) for n in range(20)})
    config = corpus.Config(sources=(corpus.Source(name="mine", paths=("in",)),))
    Path("recipe.json").write_text(config.to_json())

    def call(*overrides: str) -> tuple[int, str]:
        code = cli.main(["corpus", "recipe.json", *overrides, "--out", "out", "--quiet"])
        return code, capsys.readouterr().err

    return call


# ---- names and files of the recipe ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ('rules={"heuristics": ["gophr"]}', "gophr: no such rule or set of rules (did you mean 'gopher'?)"),
        ('rules={"heuristics": ["c4"], "without": ["c4_sentence"]}', "c4_sentence: no such rule or set of rules"),
        ("rules.languages=english", "english: no language that can be identified"),
        ("rules.privacy=mail", "kinds: no kind of personal data is called 'mail' (did you mean 'email'?)"),
        (
            'rules.quality={"reference": ["mine"], "raw": ["crawl"]}',
            "override: rules.quality: no source 'crawl' (known: mine)",
        ),
        ('allowed={"near_copy": 1}', "override: allowed: no rule 'near_copy' (did you mean 'near_copies'?)"),
        ('decontaminate={"items": ["none.jsonl"]}', "none.jsonl: cannot be read: No such file or directory"),
        ('decontaminate={"items": []}', "override: decontaminate: no files of evaluation items"),
        (
            'decontaminate={"items": ["items.jsonl"]}',
            "items.jsonl:2: an item without text (none of the keys text, prompt, question, Question, query)",
        ),
        ('decontaminate={"items": ["x.jsonl"], "shortest": 14}', "shortest is 14, more than the 13 words of a gram"),
        ('rules.toxicity={"words": "none.txt"}', "none.txt: cannot be read: No such file or directory"),
        ('rules.toxicity={"toxic": "in"}', "a classifier needs both files, toxic and other"),
        ('rules.toxicity={"toxic": "in", "other": "none"}', "none: no such file or folder"),
        ('sources=[{"name": "a", "paths": ["in"], "weight": 0}]', "sources.0.weight: Input should be greater than 0"),
        ('sources=[{"name": "a", "paths": ["in"], "weight": -1}]', "sources.0.weight: Input should be greater than 0"),
        ('sources=[{"name": "a", "paths": ["nowhere"]}]', "nowhere: no such file or folder"),
        ('sources=[{"name": "a", "paths": ["*.doc"]}]', "*.doc: no readable file matches"),
        ('sources=[{"name": "a", "paths": ["empty"]}]', "empty: no readable file in this folder"),
        ("sources=[]", "override: sources: at least one source, each with a name of its own"),
    ],
)
def test_a_bad_recipe_is_one_line_before_any_document_is_read(
    presage: Presage, monkeypatch: pytest.MonkeyPatch, override: str, message: str
) -> None:
    def read(*_: Any) -> Any:
        raise AssertionError("a source was read")

    monkeypatch.setattr(parts, "read_file", read)
    Path("items.jsonl").write_text('{"text": "one that is whole"}\n{"name": "none"}\n')
    write(Path("empty"), {"picture.png": b"\x89PNG"})
    code, err = presage(override)
    assert (code, err.count("\n")) == (2, 1), err
    assert message in err
    assert not Path("out").exists()


def test_a_dry_run_refuses_the_same_names(presage: Presage, tmp_path: Path) -> None:
    assert presage("rules.languages=xx", "--dry-run")[0] == 2


# ---- rules that remove too much -------------------------------------------------------------------------------------


@pytest.fixture
def copies(presage: Presage) -> Presage:
    """Of 20 more documents each is nearly a copy."""
    write(Path("in"), {f"near{n:02d}.txt": prose(n % 5).replace("The", "A", 1 + n // 5) for n in range(20)})
    return presage


def test_a_rule_that_removes_too_much_stops_the_run(copies: Presage) -> None:
    code, err = copies("stop_above=0.4")
    *examples, line = err.splitlines()
    assert code == 2
    assert line == (
        "presage: rule 'near_copies' removes 49.9% of source 'mine' (20 of 40 documents), more than the 40% that it "
        'may (look at the examples above, then leave the rule out or set allowed={"near_copies": 1})'
    )
    assert len(examples) == 5
    assert all(example.startswith("presage: removed by 'near_copies': in/near") for example in examples)
    assert all("(copy of in/0" in example and "A " in example for example in examples)
    assert not Path("out").exists()


def test_what_is_allowed_on_the_command_line_passes(copies: Presage) -> None:
    assert copies("stop_above=0.4", 'allowed={"near_copies": 1}')[0] == 0
    assert RunDir.open("out").value("removed/near_copies") == 20


def test_the_limit_is_for_each_source(tmp_path: Path) -> None:
    """20 foreign documents of 22 in one source are too many, though they are few of all."""
    sources = (
        source(tmp_path / "good", {f"{n}.txt": prose(n) for n in range(60)}),
        source(tmp_path / "mixed", {f"{n}.txt": f"{n} {FRENCH}" if n > 1 else prose(f"m{n}") for n in range(22)}),
    )
    rules = {"languages": ["en"]}
    config = {"sources": [one.model_dump() for one in sources], "rules": rules, "similar": None}
    with pytest.raises(DataError, match=r"rule 'language' removes .* of source 'mixed' \(20 of 22 documents\)"):
        corpus.run(corpus.Config.parse(config), tmp_path / "out")
    corpus.run(corpus.Config.parse(config | {"allowed": {"language": 1}}), tmp_path / "out")


def test_a_rule_that_removes_all_is_named(presage: Presage) -> None:
    code, err = presage("rules.languages=fr")
    assert code == 2
    assert "rule 'language' removes 100.0% of source 'mine' (20 of 20 documents)" in err
    code, err = presage("rules.languages=fr", 'allowed={"language": 1}')
    assert code == 2
    assert "presage: no document is left (read/documents 20" in err.splitlines()[-1]


# ---- what cannot be read --------------------------------------------------------------------------------------------


def test_unreadable_places_are_counted_and_the_rest_is_kept(presage: Presage) -> None:
    text = prose("more")
    lines = [
        json.dumps({"text": text}),
        '{"text": "torn',
        "[1]",
        '{"body": "x"}',
        '{"text": 3}',
        '{"text": "a\\u0000"}',
    ]
    write(
        Path("in"),
        {
            "broken.jsonl": "\n".join([*lines, json.dumps({"text": prose("last")})]),
            "latin.txt": "Schöne Grüße aus Köln an der großen Brücke.".encode("latin-1"),
            "utf16.txt": prose("sixteen").encode("utf-16"),
            "utf8.txt": b"\xef\xbb\xbf" + prose("marked").encode(),
            "cut.txt.zst": b"\x28\xb5\x2f\xfd",
        },
    )
    os.symlink("nowhere", "in/lost.txt")
    code, err = presage()
    assert code == 0
    assert "presage: 9 unreadable documents left out, see out/tables/bad.csv" in err
    run = RunDir.open("out")
    assert run.value("bad/documents") == 9
    bad = {(row["file"], row["place"]): row["reason"] for row in run.read_table("bad")}
    assert [place for file, place in bad if file == "in/broken.jsonl"] == [f"line {n}" for n in range(2, 7)]
    assert bad["in/latin.txt", "byte 3"].startswith("not UTF-8")
    assert bad["in/utf16.txt", "byte 0"] == "UTF-16 text; convert it to UTF-8"
    assert bad["in/lost.txt", ""] == "a link that leads nowhere"
    found = kept(run)
    assert found["in/broken.jsonl:1"] == text and found["in/broken.jsonl:7"] == prose("last")
    assert found["in/utf8.txt"] == prose("marked")
    assert len(found) == 20 + 3


def test_only_unreadable_files_leave_nothing(presage: Presage) -> None:
    write(Path("bad"), {"latin.txt": b"\xe9t\xe9", "zero.txt": ""})
    code, err = presage('sources=[{"name": "a", "paths": ["bad"]}]')
    assert code == 2
    assert err.startswith("presage: no document is left (") and "bad/latin.txt byte 0: not UTF-8" in err


def test_a_file_name_that_is_not_utf8_is_read(tmp_path: Path) -> None:
    folder = source(tmp_path / "in", {f"{n}.txt": prose(n) for n in range(5)})
    with open(os.fsencode(tmp_path / "in") + b"/caf\xe9.txt", "w") as file:
        file.write(prose("café"))
    run = corpus.run(corpus.Config(sources=(folder,)), tmp_path / "out")
    assert kept(run)["in/caf\\xe9.txt"] == prose("café")


# ---- evaluation items -----------------------------------------------------------------------------------------------


def test_items_too_short_to_be_tested_are_counted(presage: Presage) -> None:
    """All of them: then nothing is cut."""
    Path("items.jsonl").write_text('{"text": "Who was it?"}\n{"text": "Seven words are one too few here"}\n')
    assert presage('decontaminate={"items": ["items.jsonl"]}')[0] == 0
    run = RunDir.open("out")
    assert (run.value("decontaminate/untestable"), run.value("decontaminate/grams")) == (2, 0)
    assert len(kept(run)) == 20


def test_every_name_is_refused_in_python_too() -> None:
    for rules in ({"heuristics": ["x"]}, {"languages": ["x"]}, {"privacy": ["x"]}):
        with pytest.raises(ConfigError):
            corpus.Config.parse({"rules": rules})


def test_items_are_found_in_documents_whose_personal_data_is_replaced(presage: Presage) -> None:
    item = "Who answers all of the letters sent to jane.doe@mailhouse.org?"
    write(Path("in"), {"asked.txt": "".join([prose("before"), f"{item}\n", prose("after")])})
    Path("items.jsonl").write_text(json.dumps({"text": item}) + "\n")
    assert presage('decontaminate={"items": ["items.jsonl"]}', "rules.privacy=all", "rules.normalise=true")[0] == 0
    assert RunDir.open("out").value("decontaminate/untestable") == 0
    assert not [text for text in kept(RunDir.open("out")).values() if "Who answers" in text]


def test_a_rule_that_may_remove_all_may_do_so_where_spelling_made_texts_longer(tmp_path: Path) -> None:
    """Composed letters of Hindi are taken apart by NFC, so that more bytes are removed than were read."""
    hindi = "\u0915\u093c\u0932\u092e \u0958\u0932\u092e \u095b\u092e\u0940\u0928 \u092a\u0930 \u0939\u0948 "
    sources = (
        source(tmp_path / "english", {f"{n}.txt": prose(n) for n in range(5)}),
        source(tmp_path / "hindi", {f"{n}.txt": hindi * (n + 9) for n in range(3)}),
    )
    config = {"sources": [one.model_dump() for one in sources], "rules": {"languages": ["en"], "normalise": True}}
    run = corpus.run(corpus.Config.parse(config | {"allowed": {"language": 1}}), tmp_path / "out")
    assert len(kept(run)) == 5
