"""From a run with planted items to its clean twin and the table of what the items were worth; and perturbation."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest

from presage import cli
from presage.core.config import Config
from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.data.documents import Document
from presage.data.records import read_split, write_documents
from presage.evaluate import cleaned, worth
from presage.evaluate.contamination import Scanner
from presage.evaluate.likelihood import score_items
from presage.evaluate.paired import mean
from presage.evaluate.variants import KINDS
from presage.recipes import retrain
from tests.evaluate.planting import COPIES, PLANTED, UNSEEN, Planted, write_items
from tests.stage import check_stage
from tests.tiny import outcome

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def retrained(planted: Planted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("retrained") / "clean"
    assert cli.main(call(planted, out)) == 0
    return out


def call(planted: Planted, out: Path, items: Path | None = None) -> list[str]:
    places = {"--items": items or planted.items, "--retrain-clean": planted.run, "--out": out}
    return ["contamination", "--quiet", *(str(word) for pair in places.items() for word in pair)]


# ---- the clean twin -------------------------------------------------------------------------------------------------


def test_planted_items_lose_under_the_clean_twin_and_others_do_not(retrained: Path) -> None:
    found = RunDir.open(retrained / "worth", "worth").results()
    flagged, clean = found["flagged/difference"], found["clean/difference"]
    assert flagged["value"] > 8 * flagged["stderr"]
    assert flagged["value"] > 0.4
    # The twin reads other text where the run read copies, so a little may change for all items.
    assert abs(clean["value"]) < 0.06
    assert flagged["value"] > 8 * abs(clean["value"])
    assert abs(found["flagged/twin"]["value"] - found["clean/twin"]["value"]) < 0.2, "to the twin they are alike"
    assert found["all/difference"]["n"] == len(PLANTED + UNSEEN)


def test_the_table_is_made_of_both_models_scores(planted: Planted, retrained: Path) -> None:
    run, items = RunDir.open(retrained / "worth"), PLANTED + UNSEEN
    original, twin = score_items(planted.run, items), score_items(retrained / "twin", items)
    rows = run.read_table("items")
    assert [(row["item"], row["state"]) for row in rows] == [(i.id, i.id.replace("planted", "flagged").replace(
        "unseen", "clean").split("-")[0]) for i in items]  # fmt: skip
    assert [float(row["original"]) for row in rows] == [original[i.id] for i in items]
    assert [float(row["twin"]) for row in rows] == [twin[i.id] for i in items]
    clean = next(row for row in run.read_table("worth") if row["items"] == "clean")
    assert float(clean["twin"]) == pytest.approx(sum(twin[i.id] for i in UNSEEN) / len(UNSEEN))


def test_exactly_the_documents_with_items_are_gone(planted: Planted, retrained: Path) -> None:
    scanner = Scanner(PLANTED + UNSEEN)
    removed = {(row["split"], row["document"]) for row in RunDir(retrained / "corpus").read_table("removed")}
    assert len(removed) == COPIES
    for split in ("train", "val"):
        before, after = list(read_split(planted.root / "corpus", split)), list(read_split(retrained / "corpus", split))
        assert after == [d for d in before if not scanner.meets(d.text)]
        assert {d.path for d in before} - {d.path for d in after} == {path for of, path in removed if of == split}


def test_the_twin_differs_in_its_shards_alone(planted: Planted, retrained: Path) -> None:
    run, twin = RunDir(planted.run).read_json("config.json"), RunDir(retrained / "twin").read_json("config.json")
    run["config"].pop("shards")
    assert twin["config"].pop("shards") == "../shards"
    assert twin == run
    assert RunDir(retrained / "twin").value("tokens") == RunDir(planted.run).value("tokens")


def test_again_is_the_same_table_and_unfinished_stages_go_on(
    planted: Planted, retrained: Path, tmp_path: Path, capsys: Captured
) -> None:
    cut = tmp_path / "clean"
    shutil.copytree(retrained, cut)
    shutil.copytree(planted.root, tmp_path / "root")
    assert cli.main(call(Planted(tmp_path / "root"), cut, planted.items)) == 2
    assert "holds what was made for another" in capsys.readouterr().err
    for name in ("shards", "worth"):
        (retrained / name / "DONE").unlink()
    before = outcome(cut / "worth")
    assert cli.main(call(planted, retrained)) == 0
    assert outcome(retrained / "worth") == before
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{len(PLANTED)} of {len(PLANTED + UNSEEN)} items are in the training corpus")
    assert [line.split()[0] for line in lines[3:7]] == ["all", "clean", "flagged", "untestable"]


def test_other_items_need_another_folder(planted: Planted, retrained: Path, tmp_path: Path, capsys: Captured) -> None:
    other = write_items(tmp_path / "other.jsonl", PLANTED)
    assert cli.main(call(planted, retrained, other)) == 2
    said = capsys.readouterr().err
    assert "holds what was made for another items" in said
    assert said.count("\n") == 1


def test_nothing_flagged_is_said_and_nothing_is_trained(planted: Planted, tmp_path: Path, capsys: Captured) -> None:
    items = write_items(tmp_path / "unseen.jsonl", UNSEEN)
    assert cli.main(call(planted, tmp_path / "out", items)) == 0
    expected = f"none of {len(UNSEEN)} testable items is in the training corpus: there is nothing to retrain\n"
    assert capsys.readouterr().out == expected
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["corpus"]


def test_a_split_that_would_be_empty_is_refused(planted: Planted, tmp_path: Path, capsys: Captured) -> None:
    documents: list[Document] = [d for split in ("train", "val") for d in read_split(planted.root / "corpus", split)]
    items = tmp_path / "all.jsonl"
    items.write_text("".join(json.dumps({"id": str(n), "text": d.text[:200]}) + "\n" for n, d in enumerate(documents)))
    assert cli.main(call(planted, tmp_path / "out", items)) == 2
    assert "every document of the train split holds an item" in capsys.readouterr().err
    assert not (tmp_path / "out" / "corpus").exists()


def test_a_run_whose_parent_changed_is_refused(planted: Planted, tmp_path: Path, capsys: Captured) -> None:
    shutil.copytree(planted.root, tmp_path / "root")
    done = tmp_path / "root/shards/DONE"
    done.write_text(done.read_text().replace('"digest": "', '"digest": "0', 1))
    assert cli.main(call(Planted(tmp_path / "root"), tmp_path / "out")) == 2
    assert "its digest differs" in capsys.readouterr().err
    assert cli.main(call(Planted(planted.root / "none"), tmp_path / "out", planted.items)) == 2


def test_cleaned_keeps_the_stage_contract(planted: Planted, tmp_path: Path) -> None:
    run = check_stage(cleaned, cleaned.Config(corpus=planted.root / "corpus", items=planted.items), tmp_path, kills=2)
    assert run.value("items/flagged") == len(PLANTED)


def test_worth_keeps_the_stage_contract(planted: Planted, retrained: Path, tmp_path: Path) -> None:
    config = worth.Config(run=planted.run, twin=retrained / "twin", cleaned=retrained / "corpus")
    check_stage(worth, config, tmp_path, kills=2)


# ---- perturbation ---------------------------------------------------------------------------------------------------


def perturbed(planted: Planted, *more: object) -> list[str]:
    return ["perturb", "--quiet", "--items", str(planted.items), "--run", str(planted.run), *map(str, more)]


def test_variants_cost_more_on_items_that_were_memorised(planted: Planted, retrained: Path, capsys: Captured) -> None:
    """Of single draws the difference is often within its error: eight of every item are averaged first."""
    report = retrained / "corpus/artifacts/contamination.json"
    costs: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for seed in range(8):
        assert cli.main(perturbed(planted, "--report", report, "--seed", seed, "--json")) == 0
        found = json.loads(capsys.readouterr().out)
        assert list(found["kinds"]) == list(KINDS)
        for row in found["items"]:
            costs[row["kind"], row["state"]][row["item"]].append(row["variant"]["bpb"] - row["original"]["bpb"])
        options = found["kinds"]["options"]["groups"]
        assert options["flagged"]["accuracy"][0]["value"] > 0.8 > options["clean"]["accuracy"][0]["value"]
        assert options["all"]["items"] == len(PLANTED + UNSEEN)
    for kind in KINDS:
        flagged, clean = (mean([fmean(some) for some in costs[kind, state].values()]) for state in ("flagged", "clean"))
        excess = flagged.minus(clean)
        assert excess.value is not None
        assert excess.stderr is not None
        assert excess.value > 2 * excess.stderr, kind


def test_the_verb_prints_a_line_for_every_kind(planted: Planted, retrained: Path, capsys: Captured) -> None:
    assert cli.main(perturbed(planted, "--kind", "case", "options")) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["bits", "case", "options"]
    assert rows[1][1:3] == ["24", "24"]
    report = retrained / "corpus/artifacts/contamination.json"
    assert cli.main(perturbed(planted, "--kind", "case", "--report", report)) == 0
    assert "flagged" in capsys.readouterr().out


def test_a_finished_stage_on_a_corpus_that_was_made_anew_is_refused(tmp_path: Path) -> None:
    """The config names the same path; what lies there is another corpus."""
    items = write_items(tmp_path / "items.jsonl", [PLANTED[0]])
    config = cleaned.Config(corpus=tmp_path / "corpus", items=items)
    _corpus(tmp_path / "corpus", UNSEEN[0].text)
    assert retrain._stage(cleaned, config, tmp_path / "clean").value("items/flagged") == 0
    assert retrain._stage(cleaned, config, tmp_path / "clean").value("items/flagged") == 0
    shutil.rmtree(tmp_path / "corpus")
    _corpus(tmp_path / "corpus", PLANTED[0].text)
    with pytest.raises(RunError, match=r"is not the corpus that .* was made from"):
        retrain._stage(cleaned, config, tmp_path / "clean")


def _corpus(path: Path, text: str) -> None:
    with RunDir.create(path, "corpus", Config()) as run:
        for split in ("train", "val"):
            write_documents(run.artifact(f"{split}.jsonl.zst"), [Document("s", f"{split}.txt", f"{split} {text}")])
        run.finish()
