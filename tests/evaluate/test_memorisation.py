"""How much of what is written stands in the training text: beside its twin, on models that learnt by heart, refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from presage import cli
from presage.core.config import Config
from presage.core.errors import ConfigError, RunError
from presage.core.run import RunDir
from presage.data import shards, tokenizer
from presage.data.bpe import Tokenizer
from presage.data.documents import Document
from presage.data.folding import RUNS
from presage.data.records import read_split, write_documents
from presage.evaluate import matching, memorisation
from presage.evaluate.continued import openings, whole_words
from presage.evaluate.memorisation import KINDS
from presage.evaluate.verbatim import N, Verbatim
from presage.recipes import demo
from presage.train import pretrain
from tests.evaluate import slow
from tests.evaluate.planting import sentences, training
from tests.evaluate.test_methods import TEXT, documents_of
from tests.stage import check_stage
from tests.tiny import outcome, tiny_run

Captured = pytest.CaptureFixture[str]
PROMPT, NEW = 8, 20


# ---- the twin -------------------------------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    return [word for word, _ in slow.words(text, RUNS)]


def runs(text: str) -> list[tuple[str, ...]]:
    own = words(text)
    return [tuple(own[i : i + N]) for i in range(len(own) - N + 1)]


def slow_found(texts: Sequence[str], documents: Sequence[str]) -> list[tuple[int, int]]:
    """(runs of 8 words, how many of them stand in a document) of each text."""
    there = {run for document in documents for run in runs(document)}
    return [(len(runs(text)), sum(run in there for run in runs(text))) for text in texts]


def slow_longest(text: str, documents: Sequence[str]) -> int:
    """Words of the longest run in common with any document; 0 below 8."""
    ours, best = words(text), 0
    for theirs in map(words, documents):
        for i in range(len(ours)):
            for j in range(len(theirs)):
                k = 0
                while i + k < len(ours) and j + k < len(theirs) and ours[i + k] == theirs[j + k]:
                    k += 1
                best = max(best, k)
    return best if best >= N else 0


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Texts, and documents of which some hold parts of them."""
    texts = draw(st.lists(TEXT, min_size=1, max_size=4))
    documents = draw(st.lists(TEXT, min_size=1, max_size=4))
    for text in draw(st.lists(st.sampled_from(texts), max_size=4)):
        start, end = sorted(draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
        place = draw(st.integers(0, len(documents) - 1))
        documents[place] += "\n" + text[start:end] + "\n" + draw(TEXT)
    return texts, documents


LOOP = "a a a a a a a a a a a a the is of which "


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from([1, 7, 1 << 20]))
@example(([LOOP, LOOP[6:] + LOOP], [LOOP * 2, "a " * 30, LOOP[2:] * 3]), 1)
@example((["", "a"], ["", "a the is of which a the is of"]), 1)
def test_it_equals_its_slow_twin(case: tuple[list[str], list[str]], rows: int) -> None:
    texts, documents = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "MOST_ROWS", rows)
        patch.setattr("presage.evaluate.contamination._BATCH", 200 * rows)
        found = Verbatim(texts)
        found.scan(documents_of(documents))
    assert list(zip(found.ngrams.tolist(), found.found.tolist(), strict=True)) == slow_found(texts, documents)
    assert [run.words if run else 0 for run in found.longest] == [slow_longest(text, documents) for text in texts]
    for text, run in zip(texts, found.longest, strict=True):
        if run is None:
            continue
        own = run.text_excerpt[slice(*run.text_match)]
        theirs = run.document_excerpt[slice(*run.document_match)]
        assert words(own) == words(theirs)
        assert own in text
        assert documents[int(run.document)].encode()[run.offset :].decode().startswith(theirs)


def test_the_first_place_of_the_longest_run_is_told() -> None:
    text = " ".join(f"w{k}" for k in range(30))
    shorter, longer = " ".join(text.split()[:9]), " ".join(text.split()[5:25])
    found = Verbatim([text])
    found.scan(documents_of([f"x {shorter} x", f"Äh. {longer} x", f"{longer} x", shorter]))
    (run,) = found.longest
    assert run is not None
    assert (run.words, run.document, run.offset) == (20, "1", len("Äh. ".encode()))
    assert found.found.tolist() == [2 + 13]
    assert (found.documents, found.bytes) == (4, sum(len(t.encode()) for t in (f"x {shorter} x", f"Äh. {longer} x",
                                                                               f"{longer} x", shorter)))  # fmt: skip


@pytest.mark.parametrize(
    ("before", "text", "ends", "own"),
    [
        ("the train", "ing set is lar", False, " set is"),
        ("the train", "ing set is lar", True, " set is lar"),
        ("the ", "training set", False, "training"),
        ("the", " training set.\n", False, " training set."),
        ("don", "'t stop", True, "'t stop"),
        ("é\u0301", "t\u0301 café", True, " café"),
        ("a\u00ad", "b c", True, " c"),
        ("", "one", False, ""),
        ("a", "bc", True, ""),
        ("na\ufffd", "\ufffdve words here", True, " words here"),
        ("the ", "words na\ufffd", False, "words"),
        ("a", "", False, ""),
    ],
)
def test_words_that_a_cut_goes_through_do_not_count(before: str, text: str, ends: bool, own: str) -> None:
    assert whole_words(before, text, ends) == own


# ---- models ---------------------------------------------------------------------------------------------------------

HELD_OUT = 10


def texts_of(root: Path) -> None:
    """root/corpus: texts to be learnt by heart, and held-out ones that begin like them and go on otherwise.

    Written here: the stage would take the second for copies of the first.
    """
    train = [Document("s", f"{k}.txt", sentences(k, 48)) for k in range(HELD_OUT)]
    val = [Document("s", f"v{k}.txt", " ".join([*d.text.split()[:12], sentences(90 + k, 36)])) for k, d in
           enumerate(train)]  # fmt: skip
    with RunDir.create(root / "corpus", "corpus", Config()) as run:
        for split, documents in (("train", train), ("val", val)):
            write_documents(run.artifact(f"{split}.jsonl.zst"), documents)
            run.result(f"{split}/bytes", sum(len(d.text.encode()) for d in documents))
        run.finish()


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a model that read the texts more than a hundred times."""
    root = tmp_path_factory.mktemp("learnt")
    texts_of(root)
    tokenizer.run(tokenizer.Config(corpus=root / "corpus", vocab_size=400), root / "tokenizer")
    shards.run(shards.Config(corpus=root / "corpus", tokenizer=root / "tokenizer"), root / "shards")
    return pretrain.run(training(root / "shards", 160), root / "run").path


@pytest.fixture(scope="module")
def told(learnt: Path, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return memorisation.run(config_of(learnt), tmp_path_factory.mktemp("told") / "out")


def config_of(run: Path, **changes: object) -> memorisation.Config:
    values = {"run": run, "prompts": 64, "prompt_tokens": PROMPT, "new_tokens": NEW} | changes
    return memorisation.Config.model_validate(values)


def test_a_model_that_learnt_by_heart_is_found_out(told: RunDir) -> None:
    found = told.results()
    assert found["samples/mean"]["value"] > 0.5 > 0.3 > found["held_out/mean"]["value"]
    assert found["samples/longest"]["value"] > 15 > found["held_out/longest"]["value"] >= N
    assert found["difference"]["value"] > 2 * found["difference"]["stderr"]
    assert told.value("prompts") == HELD_OUT, "fewer documents than were asked for"


def test_tables_and_results_are_those_of_the_slow_twin(told: RunDir, learnt: Path) -> None:
    train = [document.text for document in read_split(learnt.parent / "corpus", "train")]
    texts = [json.loads(line) for line in (told.path / "artifacts/texts.jsonl").read_text().splitlines()]
    rows = told.read_table("overlap")
    assert [(row["kind"], row["id"], row["document"]) for row in rows] == [
        (text["kind"], str(text["id"]), text["document"]) for text in texts
    ]
    own = [whole_words(text["prompt"], text["text"], text["ends"]) for text in texts]
    assert [(int(row["ngrams"]), int(row["found"])) for row in rows] == slow_found(own, train)
    assert [row["longest"] for row in rows] == [str(slow_longest(text, train) or "<8") for text in own]
    for kind in KINDS:
        shares = [int(row["found"]) / int(row["ngrams"]) for row in rows if row["kind"] == kind and row["share"]]
        assert told.value(f"{kind}/mean") == pytest.approx(mean(shares))
        assert told.value(f"{kind}/median") == pytest.approx(median(shares))
        assert told.value(f"{kind}/none") == pytest.approx(mean(share == 0 for share in shares))
        for percent in (1, 10, 50):
            expected = mean(100 * share > percent for share in shares)
            assert told.value(f"{kind}/above_{percent}") == pytest.approx(expected)
    for row in told.read_table("longest"):
        text = own[[(t["kind"], str(t["id"])) for t in texts].index((row["kind"], row["id"]))]
        document = (learnt.parent / "corpus", row["document"])
        place = next(d.text for d in read_split(document[0], "train") if d.path == document[1])
        assert row["item_match"] in text
        assert len(words(row["item_match"])) == int(row["words"])
        assert place.encode()[int(row["offset"]) :].decode().startswith(row["document_match"])


def test_held_out_text_is_what_follows_the_prompt_and_samples_are_of_its_length(told: RunDir, learnt: Path) -> None:
    held_out = {document.path: document.text for document in read_split(learnt.parent / "corpus", "val")}
    tokens = Tokenizer.load(learnt.parent / "shards/artifacts/tokenizer.json")
    texts = [json.loads(line) for line in (told.path / "artifacts/texts.jsonl").read_text().splitlines()]
    for text in texts:
        assert held_out[text["document"]].startswith(text["prompt"])
        assert text["kind"] == "samples" or held_out[text["document"]].startswith(text["prompt"] + text["text"])
        assert text["ends"] or len(tokens.encode(text["text"])) <= NEW


def test_documents_are_drawn_by_the_seed(learnt: Path) -> None:
    tokens = Tokenizer.load(learnt.parent / "shards/artifacts/tokenizer.json")
    drawn = [openings(learnt.parent / "corpus", tokens, 5, PROMPT, NEW, seed) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert [len(one) for one in drawn] == [5, 5, 5]
    everything = openings(learnt.parent / "corpus", tokens, HELD_OUT, PROMPT, NEW, 0)
    assert [opening for opening in everything if opening in drawn[0]] == drawn[0], "in the order of the corpus"


def test_it_keeps_the_stage_contract(learnt: Path, tmp_path: Path) -> None:
    check_stage(memorisation, config_of(learnt, prompts=4), tmp_path, kills=2)


# ---- the verb -------------------------------------------------------------------------------------------------------


def call(run: Path, out: Path, *more: object) -> list[str]:
    settings = {"--run": run, "--out": out, "--prompt-tokens": PROMPT, "--new-tokens": NEW}
    return ["memorisation", "--quiet", *(str(word) for pair in settings.items() for word in pair), *map(str, more)]


def test_the_verb_tells_what_the_stage_found(told: RunDir, learnt: Path, tmp_path: Path, capsys: Captured) -> None:
    assert cli.main(call(learnt, tmp_path / "out", "--prompts", 64)) == 0
    said = capsys.readouterr().out
    assert outcome(tmp_path / "out") == outcome(told.path)
    rows = {line[:24].strip(): line[24:].split() for line in said.splitlines()[2:11]}
    assert rows["longest run, words"] == [str(told.value(f"{kind}/longest") or "<8") for kind in KINDS]
    assert rows["mean"][0] == f"{100 * told.value('samples/mean'):.1f}"
    longest = told.read_table("longest")[0]
    assert f"samples {longest['id']}: {longest['words']} words" in said
    assert cli.main(call(learnt, tmp_path / "json", "--json", "--prompts", 64)) == 0
    assert json.loads(capsys.readouterr().out) == told.results()


def refused(arguments: list[str], capsys: Captured) -> str:
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_bad_input_is_one_line(learnt: Path, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "out"
    short = ["memorisation", "--quiet", "--run", str(learnt), "--out", str(out)]
    assert "no held-out document has 128 tokens; the longest has" in refused(
        [*short, "--prompt-tokens", "28", "--new-tokens", "100"], capsys
    )
    assert "leaves no room in a context of 32" in refused([*short, "--prompt-tokens", "32"], capsys)
    assert "a 'shards' run names no training text" in refused(call(learnt.parent / "shards", out), capsys)
    assert "prompts" in refused(call(learnt, out, "--prompts", 0), capsys)
    assert "not a run directory" in refused(call(tmp_path, out), capsys)
    assert not out.exists()


def test_an_imported_model_names_no_training_text(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "import", "import", Config()) as run:
        run.finish()
    with pytest.raises(ConfigError, match="an 'import' run names no training text"):
        memorisation.run(config_of(tmp_path / "import"), tmp_path / "out")


def test_a_parent_that_changed_is_refused(learnt: Path, tmp_path: Path) -> None:
    shutil.copytree(learnt.parent, tmp_path / "root")
    done = tmp_path / "root/corpus/DONE"
    done.write_text(done.read_text().replace('"digest": "', '"digest": "0', 1))
    with pytest.raises(RunError, match=r"is not the corpus that .* was made from"):
        memorisation.run(config_of(tmp_path / "root/run"), tmp_path / "out")


def test_a_branch_is_asked_about_all_that_it_saw(learnt: Path, stem: Path, tmp_path: Path) -> None:
    step = max(int(path.name) for path in (stem / "checkpoints").iterdir() if path.name.isdigit())
    branch = pretrain.Branch(run=stem, step=step)
    same = pretrain.run(tiny_run(stem.parent / "shards", steps=step + 3, branch=branch), tmp_path / "same")
    assert memorisation.training_text(same.path).path == stem.parent / "corpus"
    shutil.copytree(stem.parent / "shards", tmp_path / "shards")
    other = RunDir(same.path).config(pretrain.Config).model_copy(update={"shards": learnt.parent / "shards"})
    with RunDir.create(tmp_path / "other", "pretrain", other) as run:
        run.finish()
    with pytest.raises(ConfigError, match="began from a run that was trained on other text"):
        memorisation.training_text(tmp_path / "other")


def test_the_demo_goes_on_without_it_where_no_file_is_long_enough(
    learnt: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"prompts": 4, "prompt_tokens": PROMPT, "new_tokens": NEW}
    monkeypatch.setattr(demo, "CONTINUED", settings | {"new_tokens": 500})
    assert demo._memorised(RunDir(learnt), tmp_path / "out", 0) is None
    assert "not compared with the training text: " in capsys.readouterr().err
    monkeypatch.setattr(demo, "CONTINUED", settings)
    made = demo._memorised(RunDir(learnt), tmp_path / "out", 0)
    assert made is not None
    assert made.value("prompts") == 4


def test_texts_too_short_for_eight_words_have_no_share() -> None:
    found = Verbatim(["one two", ""])
    found.scan([Document("s", "a", "one two three")])
    rows = list(memorisation._overlap(["a"], found))
    assert [(row["ngrams"], row["share"], row["longest"]) for row in rows] == [(0, None, "<8")] * 2
    results = dict(memorisation._results(rows, found))
    assert (results["samples/short"]["value"], results["samples/median"]["value"]) == (1, None)
    assert results["difference"]["n"] == 0
