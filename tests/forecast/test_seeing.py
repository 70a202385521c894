"""Ladders that see: rungs cut from one training, a seal over it, its score, and every change found."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from presage import cli
from presage.core.device import Device
from presage.core.errors import BudgetError, ConfigError, DataError, RunError, SealError
from presage.core.run import RunDir
from presage.forecast import ladder, score, seal
from presage.forecast.finished import runs_below
from presage.forecast.kinds import kind_of
from presage.forecast.ledger import append_score, append_seal, read, record
from presage.forecast.scaling import Rule
from presage.forecast.seeing import Seeing
from presage.forecast.verify import verify
from presage.model.config import qwen3
from presage.report import render
from presage.train import vision
from presage.train.schedule import ScheduleConfig
from tests.seeing import BYTES, CONTEXT, colour_rows, make_images, model, training

RULE = Rule(vocab_size=BYTES, context_length=CONTEXT, n_layers=1, tokens_per_param=0.05)
BUDGETS = (2e8, 3e8, 5e8)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, a ladder of them, a forecast, its target, its score, a ledger."""
    root = tmp_path_factory.mktemp("seeing")
    images = make_images(root, colour_rows() * 5, held_out=0.3)
    sight = training(images.path, epochs=60.0, samples=0, checkpoint_every=0)
    rungs = ladder.Config(sight=sight, rule=RULE, budgets=BUDGETS, repeats=(2, 1, 1), device=Device(), jobs=1)
    ladder.run(rungs, root / "ladder")
    seal.run(seal.Config(ladder=root / "ladder", target=target(root)), root / "forecast")
    append_seal(root / "ledger.jsonl", root / "forecast", "eyes")
    began = RunDir(root / "forecast").path / "target.json"
    assert cli.main(["vision", str(began), "--out", str(root / "target")]) == 0
    score.run(score.Config(forecast=root / "forecast", target=root / "target"), root / "score")
    append_score(root / "ledger.jsonl", root / "score")
    return root


def target(root: Path, **changes: object) -> vision.Config:
    """Of ten times the largest rung's compute; what it leaves open is settled by the seal."""
    sight = RunDir(root / "ladder").config(ladder.Config).sight
    assert sight is not None
    return Seeing(sight, RULE).config(5e9, seed=7, device=None, **changes)


# ---- rungs ----------------------------------------------------------------------------------------------------------


def test_rungs_cost_what_they_were_given(chain: Path) -> None:
    for row in RunDir.open(chain / "ladder", "ladder").read_table("rungs"):
        rung = RunDir.open(chain / "ladder" / "rungs" / row["name"], "vision")
        assert float(row["compute"]) == rung.value("flops") == pytest.approx(float(row["budget"]), rel=0.1)
        assert float(row["loss"]) == rung.value("val/loss")
        assert float(row["tokens"]) == rung.value("tokens")
        size = kind_of(rung.config(vision.Config)).size(rung.config(vision.Config))
        assert size == (rung.value("n_params"), rung.value("tokens"), rung.value("flops"))


def test_a_wider_trunk_has_wider_eyes_and_the_rest_stays(chain: Path) -> None:
    sight = RunDir(chain / "ladder").config(ladder.Config).sight
    assert sight is not None
    cut = Seeing(sight.model_copy(update={"schedule": ScheduleConfig(kind="wsd", decay_tokens=5_000)}), RULE)
    small, large = (cut.config(compute, seed=1, device=None) for compute in (2e8, 2e10))
    assert small.model and large.model and small.model.vision and large.model.vision
    for wide, narrow in ((large.model, small.model), (large.model.vision, small.model.vision)):
        assert wide.d_model > narrow.d_model
    assert large.model.vision.d_model == pytest.approx(large.model.d_model, rel=0.1)  # as wide in the model given
    for config in (small, large):
        share = config.schedule.decay_tokens / cut.size(config).tokens
        assert share == pytest.approx(
            5_000 / cut.size(cut.whole.model_copy(update={"model": cut.shape})).tokens, rel=0.01
        )
    same = {"images", "optim", "batch_rows", "augment", "text_share", "template"}
    assert small.model_dump(include=same) == large.model_dump(include=same) == sight.model_dump(include=same)


def test_with_a_base_only_what_is_read_grows(chain: Path, tmp_path: Path) -> None:
    base = next((chain / "ladder" / "rungs").iterdir())
    again = training(chain / "images", model=None, base=base, epochs=50.0, samples=0)
    rungs = ladder.plan(ladder.Config(sight=again, budgets=(4e8, 8e8)))
    configs = [rung for _, _, rung in rungs if isinstance(rung, vision.Config)]
    assert configs[0].model == configs[1].model == RunDir(base).config(vision.Config).model
    assert configs[1].epochs == pytest.approx(2 * configs[0].epochs, rel=0.1)


def test_what_cannot_be_cut_is_refused(chain: Path) -> None:
    sight = training(chain / "images")
    with pytest.raises(BudgetError, match="fewer than 8 batches of 2"):
        Seeing(sight, RULE).config(1e6, seed=0, device=None)
    with pytest.raises(ConfigError, match="a curriculum: rungs would not come to its end"):
        Seeing(sight.model_copy(update={"astray": 0.1}), RULE)
    with pytest.raises(ConfigError, match=f"of another model: vocab_size 300, the model's {BYTES}"):
        Seeing(sight, RULE.model_copy(update={"vocab_size": 300}))
    for both in ({}, {"sight": sight, "shards": chain}):
        with pytest.raises(ConfigError, match="of shards, or of sight"):
            ladder.Config.parse({"rule": RULE, "budgets": BUDGETS} | both)
    for one in ({"sight": sight}, {"shards": chain}):
        with pytest.raises(ConfigError, match="follow a rule, and there is none"):
            ladder.Config.parse({"budgets": BUDGETS} | one)
    with pytest.raises(ConfigError, match="follow a rule, and there is none"):
        Seeing(sight)
    with pytest.raises(ConfigError, match="with one base follow no rule"):
        ladder.Config.parse({"budgets": BUDGETS, "rule": RULE, "sight": training(chain / "images", base=chain)})


def test_images_without_held_out_documents_promise_nothing(tmp_path: Path) -> None:
    images = make_images(tmp_path, colour_rows() * 5)
    rungs = ladder.Config(sight=training(images.path), rule=RULE, budgets=BUDGETS, device=Device())
    with pytest.raises(DataError, match="no held-out documents"):
        ladder.run(rungs, tmp_path / "ladder")
    assert not (tmp_path / "ladder").exists()


def test_what_rungs_cost_with_frozen_trunks_and_short_rows(chain: Path, tmp_path: Path) -> None:
    base = next((chain / "ladder" / "rungs").iterdir())
    for changes in ({"freeze": True}, {"context_length": CONTEXT // 2}):
        sight = training(chain / "images", model=None, base=base, epochs=60.0, samples=0, checkpoint_every=0, **changes)
        made = ladder.run(
            ladder.Config(sight=sight, budgets=BUDGETS, device=Device(), jobs=1), tmp_path / next(iter(changes))
        )
        for row in made.read_table("rungs"):
            assert float(row["compute"]) == pytest.approx(float(row["budget"]), rel=0.1)
            assert int(row["batch_tokens"]) * int(row["steps"]) == pytest.approx(int(row["tokens"]), rel=0.05)


@pytest.mark.parametrize(
    "verb",
    [["plan", "--flops", "1e12", "--ladder"], ["forecast", "branches", "--ladder"], ["forecast", "collapse"]],
    ids=" ".join,
)
def test_what_is_for_text_alone_says_so(
    chain: Path, tmp_path: Path, verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")] if "branches" in verb else []
    assert cli.main([*verb, str(chain / "ladder"), *out]) == 2
    assert "a ladder of images" in capsys.readouterr().err


def test_its_rungs_are_points_like_any_runs(chain: Path) -> None:
    table = RunDir.open(chain / "ladder", "ladder").read_table("rungs")
    assert sorted(one.loss for one in runs_below(chain / "ladder" / "rungs")) == sorted(float(r["loss"]) for r in table)


# ---- the seal -------------------------------------------------------------------------------------------------------


def test_what_is_sealed_and_scored(chain: Path) -> None:
    forecast = RunDir.open(chain / "forecast", "seal").read_json("forecast.json")
    made, scored = RunDir.open(chain / "target", "vision"), RunDir.open(chain / "score", "score")
    assert (forecast["metric"], forecast["unit"]) == ("val/loss", "nats/token")
    assert made.origin["seal"] == forecast["seal"]
    assert forecast["target"]["compute"] == made.value("flops")
    assert forecast["inputs"]["images.0"] == RunDir.open(chain / "images", "images").digest
    assert scored.value("actual") == made.value("val/loss")
    assert forecast["lo"] < forecast["point"] < forecast["hi"]
    assert cli.main(["forecast", "verify", str(chain)]) == 0
    entries = record(read(chain / "ledger.jsonl"))
    assert (entries["sealed"], entries["scored"], entries["late"]) == (1, 1, 0)


def test_what_the_target_left_open_is_settled(chain: Path) -> None:
    sealed = RunDir(chain / "forecast").config(seal.Config)
    assert isinstance(sealed.target, vision.Config)
    assert sealed.target.device == Device() and sealed.target.forecast is None
    run = RunDir(chain / "target").config(vision.Config)
    assert run.forecast == chain / "forecast"
    assert run == sealed.target.model_copy(update={"forecast": chain / "forecast"})


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("images/artifacts/pictures-00000.bin", "pictures-00000.bin"),
        ("ladder/tables/rungs.csv", "rungs.csv"),
        ("target/result.json", "result.json"),
        ("forecast/target.json", "target.json"),
    ],
)
def test_a_change_is_found(chain: Path, tmp_path: Path, file: str, named: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(chain, copy)
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / file).write_bytes(content)
    assert named in [Path(name).name for name, _ in verify(copy)]


def test_other_images_are_refused(chain: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(chain, copy)
    for run in ("target", "score", "forecast"):
        shutil.rmtree(copy / run)
    other = make_images(tmp_path, colour_rows(), "other", held_out=0.3)
    with pytest.raises(SealError, match=r"target\.images\.0 is not what .*ladder was made from"):
        seal.run(seal.Config(ladder=copy / "ladder", target=target(copy, images=(other.path,))), copy / "forecast")
    with pytest.raises(SealError, match=r"target\.shards is not what"):
        config = target(copy, shards=other.path, text_share=0.1)
        seal.run(seal.Config(ladder=copy / "ladder", target=config), copy / "forecast")
    assert not (copy / "forecast").exists()


def test_fewer_images_or_no_base_are_refused(chain: Path, tmp_path: Path) -> None:
    """Data that the rungs had and the target has not, before the seal and after it."""
    more = make_images(tmp_path, colour_rows()[:3] * 4, "more", held_out=0.3).path
    both = training(chain / "images", more, epochs=40.0, samples=0, checkpoint_every=0)
    based = both.model_copy(update={"model": None, "base": next((chain / "ladder" / "rungs").iterdir())})
    for name, sight, lacking in (
        ("both", both, {"images": (more,)}),
        ("based", based, {"base": None, "model": model()}),
    ):
        root, rule = tmp_path / name, RULE if sight.base is None else None
        ladder.run(ladder.Config(sight=sight, rule=rule, budgets=BUDGETS, device=Device(), jobs=1), root / "ladder")
        whole = Seeing(sight, rule).config(2e9, seed=7, device=None)
        less = whole.model_copy(update=lacking)
        with pytest.raises(SealError, match=r"is not what|the rungs have (base|images\.1), the target has not"):
            seal.run(seal.Config(ladder=root / "ladder", target=less), root / "forecast")
        seal.run(seal.Config(ladder=root / "ladder", target=whole), root / "forecast")
        begun = RunDir(root / "forecast").config(seal.Config).target
        vision.run(begun.model_copy(update=lacking | {"forecast": root / "forecast"}), root / "target")  # type: ignore[arg-type]
        assert any("was trained on other" in what for _, what in verify(root))
        with pytest.raises(SealError, match="trained on other"):
            score.run(score.Config(forecast=root / "forecast", target=root / "target"), root / "score")


def test_a_target_unlike_its_rungs_is_warned_of(chain: Path, tmp_path: Path) -> None:
    other = target(chain, text_weight=0.5, epochs=70.0)
    seal.run(seal.Config(ladder=chain / "ladder", target=other, target_run="../none"), tmp_path / "forecast")
    said = " ".join(RunDir(tmp_path / "forecast").read_json("forecast.json")["warnings"])
    assert "not trained as the rungs were: text_weight" in said
    mine = RunDir(chain / "forecast").read_json("forecast.json")["warnings"]
    assert not any("not trained as" in one for one in mine)


def test_a_report_tells_it(chain: Path, tmp_path: Path) -> None:
    """Every name that the report reads is one that the stages write: nothing is missing but what a test lacks."""
    runs: dict[str, object] = {role: chain / role for role in ("ladder", "forecast", "target", "score")}
    config = render.Config.parse({"title": "Eyes", "images": [chain / "images"], "pdf": False} | runs)
    report = render.run(config, tmp_path / "report")
    rows = list(csv.DictReader((report.path / "facts.csv").read_text(encoding="utf-8").splitlines()))
    lacking = {row["key"] for row in rows if row["shown"] == "missing"}
    assert lacking <= {"device.peak_flops", "peak_share", "rows", "commit.id", "commit.dirty"}  # rows: of samples
    text = (report.path / "report.md").read_text(encoding="utf-8")
    assert "nats per token of held-out answers" in text
    assert "bits per byte" not in text


def test_a_killed_ladder_goes_on(chain: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(chain, copy)
    before = (copy / "ladder" / "tables" / "rungs.csv").read_bytes()
    (copy / "ladder" / "DONE").unlink()
    last = max((copy / "ladder" / "rungs").iterdir())
    shutil.rmtree(last)
    ladder.run(RunDir(copy / "ladder").config(ladder.Config), copy / "ladder", resume=True)
    assert (copy / "ladder" / "tables" / "rungs.csv").read_bytes() == before
    assert verify(copy) == []


def test_a_target_that_was_changed_after_the_seal(chain: Path, tmp_path: Path) -> None:
    config = RunDir(chain / "target").config(vision.Config).model_copy(update={"seed": 8, "epochs": 1.0})
    vision.run(config, tmp_path / "target")
    with pytest.raises(SealError, match="config is not the sealed one"):
        score.run(score.Config(forecast=chain / "forecast", target=tmp_path / "target"), tmp_path / "score")
    with pytest.raises(RunError, match="a 'vision' run is needed"):
        score.run(score.Config(forecast=chain / "forecast", target=chain / "images"), tmp_path / "score")


def test_a_forecast_of_text_needs_its_corpus() -> None:
    reads = {"shards": "s", "model": qwen3(300, 16, 1, 16).model_dump(mode="json"), "tokens": 64, "batch_tokens": 32}
    with pytest.raises(ConfigError, match="sealed with its corpus and its tokenizer"):
        seal.Config.parse({"ladder": "l", "target": reads, "corpus": "c"})
    assert seal.Config.parse({"ladder": "l", "target": reads, "corpus": "c", "tokenizer": "t"}).corpus == Path("c")
