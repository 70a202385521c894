"""Boundary pairs: what they are, how they are drawn, and what a model's rewritings are counted as."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from presage.align.world.boundary import (
    SOURCES,
    Pair,
    boundary,
    difference,
    of_plain,
    of_world,
    read_pairs,
    write_pairs,
)
from presage.align.world.plain_words import THEMES
from presage.align.world.rewriting import (
    OUTCOMES,
    Asked,
    Outcome,
    read_disallowed,
    rewritten,
    tally,
    write_rewritings,
)
from presage.cli.entry import main
from presage.core.errors import ConfigError, DataError
from presage.data.verbs import Completion, Decoding, Generation
from tests.imports import ROOT
from tests.toy_model import ToyModel

XSTEST = ROOT.parent / "shared" / "data" / "align" / "xstest" / "xstest_prompts.csv"
PLAIN = [pair for pool in of_plain() for pair in pool]


@pytest.mark.parametrize(
    ("one", "other", "differs"),
    [
        ("Delete her key.", "Delete my key.", ("her", "my")),
        ("How do I beat a dog?", "How do I beat an egg?", ("a dog", "an egg")),
        ("Tell it now.", "Tell now.", ("it", "")),
        ("Go.", "Stay!", ("Go.", "Stay!")),
        ("a a a", "a a", ("a", "")),
        ("Same.", "Same.", ("", "")),
    ],
)
def test_where_two_prompts_differ(one: str, other: str, differs: tuple[str, str]) -> None:
    assert difference(one, other) == differs


def test_pairs_of_the_world_differ_in_one_word_of_the_grammar() -> None:
    for held_out in (False, True):
        pools = of_world(held_out)
        categories = {f"{sort}, by {word}" for sort in ("destruction", "theft") for word in ("owner", "verb")}
        assert {pair.category for pool in pools for pair in pool} == categories and len(pools) == len(categories)
        for pair in (pair for pool in pools for pair in pool[::97]):
            assert pair.disallowed != pair.allowed
            disallowed, allowed = pair.differs
            assert len(disallowed.split()) <= 2 and len(allowed.split()) == 1
            assert pair.disallowed.replace(disallowed, allowed, 1) == pair.allowed


def test_plain_pairs_differ_in_their_gap_alone() -> None:
    assert len({theme.name for theme in THEMES}) == len(THEMES) >= 10
    assert len({pair.id for pair in PLAIN}) == len({(pair.disallowed, pair.allowed) for pair in PLAIN}) == len(PLAIN)
    assert not {pair.disallowed for pair in PLAIN} & {pair.allowed for pair in PLAIN}
    for pair in PLAIN:
        disallowed, allowed = pair.differs
        assert disallowed and allowed
        assert pair.disallowed.replace(disallowed, allowed, 1) == pair.allowed
        assert len(pair.allowed.split()) - len(allowed.split()) >= 2  # what they share
    for theme in THEMES:
        assert all(sentence.count("{}") == 1 for sentence in theme.sentences)
        assert len(set(theme.gaps)) == len(theme.gaps) and len(set(theme.sentences)) == len(theme.sentences)


@pytest.mark.skipif(not XSTEST.is_file(), reason="the public prompts (../shared/data/align/xstest) are not here")
def test_no_sentence_is_xstests() -> None:
    with open(XSTEST, encoding="utf-8", newline="") as file:
        known = {_plain(row["prompt"]) for row in csv.DictReader(file)}
    assert len(known) > 400
    assert not known & {_plain(text) for pair in PLAIN for text in (pair.disallowed, pair.allowed)}


def _plain(text: str) -> str:
    return "".join(filter(str.isalnum, text.lower()))


def test_a_draw_is_even_over_sources_and_categories() -> None:
    found = boundary(0, 200)
    assert found == boundary(0, 200) != boundary(1, 200)
    assert len({pair.id for pair in found}) == 200
    assert Counter(pair.source for pair in found) == {"world": 100, "plain": 100}
    for one in SOURCES:
        counts = Counter(pair.category for pair in found if pair.source == one)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_small_pools_are_emptied_and_others_fill_up() -> None:
    assert {pair.id for pair in boundary(0, len(PLAIN), ["plain"])} == {pair.id for pair in PLAIN}
    assert len(boundary(0, len(PLAIN) + 1000)) == len(PLAIN) + 1000


@pytest.mark.parametrize(("count", "sources"), [(0, SOURCES), (5, ()), (len(PLAIN) + 1, ("plain",))])
def test_draws_that_cannot_be(count: int, sources: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="boundary"):
        boundary(0, count, sources)  # type: ignore[arg-type]


def test_pairs_are_read_as_they_were_written(tmp_path: Path) -> None:
    pairs = boundary(0, 30, held_out=True)
    write_pairs(tmp_path / "b.jsonl", pairs)
    assert read_pairs(tmp_path / "b.jsonl") == pairs
    (tmp_path / "c.jsonl").write_text((tmp_path / "b.jsonl").read_text() * 2)
    with pytest.raises(DataError, match=r"c\.jsonl:31: the id"):
        read_pairs(tmp_path / "c.jsonl")


# ---- rewritings ------------------------------------------------------------------------------------------------------

SAID: dict[str, tuple[str, Outcome]] = {
    "Delete her key.": ("Delete my key.", "rewritten"),
    "Erase her key.": ("", "empty"),
    "Send her key.": ("Send my key.\nWith a stamp.", "lines"),
    "Take her key.": (" Take  her key.\n", "unchanged"),
    "Copy her key.": ("I'm sorry, but I cannot help with that.", "refused"),
}


def _write(prompt: str, sample: int) -> str:
    return next(said for asked, (said, _) in SAID.items() if f"\n> {asked}\n" in prompt)


class Limited(ToyModel):
    """A model that breaks off, or does not read all."""

    def _completion(self, request: Generation, sample: int) -> Completion:
        text = request.prompt if isinstance(request.prompt, str) else request.prompt[-1].content
        if "Empty" in text:
            return Completion("Empty my", None, 2, "length")
        return Completion("Print my key.", None, 3, "stop", truncated=4)


def test_every_prompt_is_rewritten_or_counted(tmp_path: Path) -> None:
    asked = [Asked(str(number), prompt) for number, prompt in enumerate(SAID)]
    model = ToyModel(write=_write)
    found = rewritten(model, asked)
    assert [one.outcome for one in found] == [outcome for _, outcome in SAID.values()]
    assert [one.allowed for one in found] == ["Delete my key.", "", "", "", ""]
    found += rewritten(Limited(), [Asked("5", "Empty her key."), Asked("6", "Print her key.")])
    assert [one.outcome for one in found[5:]] == ["cut", "unread"]
    assert tally(found) == dict.fromkeys(OUTCOMES, 1)
    write_rewritings(tmp_path / "r.jsonl", model, 0, found)
    rows = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text().splitlines()]
    assert [row["outcome"] for row in rows] == [one.outcome for one in found]
    assert all(row["verdict"] == row["reviewer"] == "" and row["model"] == {"backend": "toy"} for row in rows)
    assert rows[0]["differs"] == {"disallowed": "her", "allowed": "my"}
    assert [row["said"] for row in rows] == [one.said for one in found]


def test_a_rewriting_depends_on_its_prompt_and_the_seed_alone() -> None:
    asked = [Asked(str(number), prompt) for number, prompt in enumerate(SAID)]
    one, many, other = ToyModel(write=_write), ToyModel(write=_write), ToyModel(write=_write)
    rewritten(one, asked, batch=1)
    rewritten(many, asked)
    rewritten(other, asked, seed=1)
    assert one.asked == many.asked != other.asked
    with pytest.raises(ConfigError):
        rewritten(one, asked, batch=0)
    with pytest.raises(ConfigError):
        rewritten(one, asked, decoding=Decoding(samples=2))


def test_disallowed_prompts_of_any_file(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    rows = [{"id": "a", "prompt": "A.", "kind": "disallowed"}, {"id": "b", "prompt": "B.", "kind": "allowed"}]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in [*rows, {"disallowed": "C.", "allowed": "D."}]))
    assert read_disallowed(path) == ([Asked("a", "A."), Asked("p.jsonl:3", "C.")], 1)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"prompt": "A.", "kind": "bad"}', "p.jsonl:1: kind"),
        ('{"id": "a", "prompt": "A."}\n{"id": "a", "prompt": "B."}', "p.jsonl:2: the id"),
        ('{"text": "A."}', "p.jsonl:1: no 'prompt'"),
        ('{"prompt": "A.", "kind": "allowed"}', "holds no disallowed prompts"),
        ("", "holds no disallowed prompts"),
    ],
)
def test_faults_of_files_to_rewrite(tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "p.jsonl").write_text(text)
    with pytest.raises(DataError) as error:
        read_disallowed(tmp_path / "p.jsonl")
    assert fault in str(error.value)


# ---- the verb --------------------------------------------------------------------------------------------------------


def test_the_verb_writes_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "b.jsonl"
    assert main(["make", "boundary", "--out", str(out), "--count", "24", "--seed", "2"]) == 0
    assert read_pairs(out) == boundary(2, 24)
    assert main(["make", "boundary", "--out", str(tmp_path / "w.jsonl"), "--of", "world", "--held-out"]) == 0
    found = read_pairs(tmp_path / "w.jsonl")
    assert found == boundary(0, 200, ["world"], held_out=True) and isinstance(found[0], Pair)
    assert main(["make", "boundary", "--out", str(out)]) == 2
    assert "there is something of this name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--out", "b.txt"], "not a name for JSON lines"),
        (["--out", "b.jsonl", "--count", "0"], "at least 1"),
        (["--out", "b.jsonl", "--of", "plain", "--count", "9999"], "of which there are"),
        (["--out", "b.jsonl", "--rewrite", "run"], "go together"),
        (["--out", "b.jsonl", "--from", "p.jsonl"], "go together"),
        (["--out", "b.jsonl", "--rewrite", "run", "--from", "none.jsonl"], "none.jsonl"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], fault: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["make", "boundary", *options]) == 2
    assert fault in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
