"""Seals: made before the first step, checked from the files alone, and every change found and named."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from presage import cli
from presage.core.config import Config
from presage.core.errors import RunError, SealError
from presage.core.files import digest_of, sha256
from presage.core.run import RunDir, find_runs
from presage.data import corpus, shards, tokenizer
from presage.forecast import score, seal
from presage.forecast.verify import omitted, verify
from presage.train import pretrain
from tests.forecast.conftest import Chain
from tests.forecast.lab import make_whole
from tests.stage import check_stage


def forecast_of(chain: Chain) -> dict[str, object]:
    return dict(RunDir.open(chain.root / "forecast", "seal").read_json("forecast.json"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the curve for the figure, which verifying does not look at."""
    monkeypatch.setattr(seal, "_curve", lambda *_: [])


# ---- the chain ------------------------------------------------------------------------------------------------------


def test_a_seal_that_holds(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(chain.root) == verify(chain.root / "forecast") == []
    assert cli.main(["forecast", "verify", str(chain.root)]) == 0
    assert "the seal holds" in capsys.readouterr().out


def test_what_is_sealed(chain: Chain) -> None:
    forecast = forecast_of(chain)
    body = {key: value for key, value in forecast.items() if key != "seal"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    assert forecast["seal"] == hashlib.sha256(text.encode()).hexdigest()
    shuffled = dict(sorted(forecast.items(), reverse=True))
    assert seal.seal_digest(shuffled) == forecast["seal"], "the order of keys does not matter"
    assert seal.seal_digest(forecast | {"point": 1.0}) != forecast["seal"]
    inputs = forecast["inputs"]
    assert isinstance(inputs, dict)
    for role in ("corpus", "tokenizer", "shards", "ladder"):
        assert inputs[role] == RunDir.open(chain.root / role, role).digest
    assert len(inputs["rungs"]) == 8
    target = RunDir.open(chain.root / "target", "pretrain")
    assert target.origin["seal"] == forecast["seal"]
    assert target.value("flops") == forecast["target"]["compute"]  # type: ignore[index]
    assert forecast["lo"] < forecast["point"] < forecast["hi"]  # type: ignore[operator]
    assert str(chain.root) not in json.dumps(forecast)


def test_score(chain: Chain) -> None:
    forecast, scored = forecast_of(chain), RunDir.open(chain.root / "score", "score").results()
    actual = RunDir(chain.root / "target").value("val/bpb")
    assert scored["promised"]["value"] == forecast["point"]
    assert scored["actual"]["value"] == actual
    assert scored["error_percent"]["value"] == pytest.approx(100 * (actual / forecast["point"] - 1))  # type: ignore[operator]
    assert scored["inside"]["value"] == int(forecast["lo"] <= actual <= forecast["hi"])  # type: ignore[operator]
    assert scored["seal"]["value"] == forecast["seal"]


def test_a_moved_tree_still_holds(chain: Chain, tmp_path: Path, quick: None) -> None:
    moved = chain.copy(tmp_path / "elsewhere" / "far" / "away")
    assert verify(moved.root) == []
    assert verify(moved.root / "forecast") == []


def test_seal_and_score_keep_the_stage_contract(chain: Chain, tmp_path: Path) -> None:
    check_stage(seal, chain.seal_config(), tmp_path / "seal", kills=1)
    config = score.Config(forecast=chain.root / "forecast", target=chain.root / "target")
    check_stage(score, config, tmp_path / "score", kills=1)


# ---- refusals -------------------------------------------------------------------------------------------------------


def test_no_seal_once_the_target_has_begun(chain: Chain, tmp_path: Path, quick: None) -> None:
    config = chain.seal_config()
    with pytest.raises(SealError, match=r"already begun.*before its first step") as caught:
        seal.run(config, chain.root / "second")
    assert caught.value.where == chain.root / "target"
    assert not (chain.root / "second").exists()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "origin.json").write_text("{}")  # what a run writes first of all
    with pytest.raises(SealError, match="already begun"):
        seal.run(config, tmp_path / "forecast")
    seal.run(config.model_copy(update={"target_run": "../other"}), tmp_path / "forecast")


def test_no_seal_over_parts_that_do_not_belong_together(chain: Chain, tmp_path: Path) -> None:
    other = RunDir(chain.root / "shards").config(shards.Config).model_copy(update={"shard_tokens": 8192})
    shards.run(other, tmp_path / "shards")
    config = chain.seal_config()
    foreign = config.target.model_copy(update={"shards": tmp_path / "shards"})
    with pytest.raises(SealError, match=r"target\.shards is not what .*ladder was made from"):
        seal.run(config.model_copy(update={"target": foreign}), tmp_path / "forecast")
    words = RunDir(chain.root / "tokenizer").config(tokenizer.Config).model_copy(update={"vocab_size": 280})
    tokenizer.run(words, tmp_path / "tokenizer")
    with pytest.raises(SealError, match=r"tokenizer is not what .*shards was made from"):
        seal.run(config.model_copy(update={"tokenizer": tmp_path / "tokenizer"}), tmp_path / "forecast")
    texts = RunDir(chain.root / "corpus").config(corpus.Config).model_copy(update={"val_fraction": 0.3})
    corpus.run(texts, tmp_path / "corpus")
    with pytest.raises(SealError, match=r"corpus is not what .*shards was made from"):
        seal.run(config.model_copy(update={"corpus": tmp_path / "corpus"}), tmp_path / "forecast")
    with RunDir.create(tmp_path / "attempts", "attempts", Config()) as attempted:
        attempted.finish()
    with pytest.raises(SealError, match="not a ladder's attempts"):
        seal.run(config.model_copy(update={"attempts": attempted.path}), tmp_path / "forecast")
    assert not (tmp_path / "forecast").exists()


def scored(chain: Chain, folder: Path) -> RunDir:
    return score.run(score.Config(forecast=chain.root / "forecast", target=folder / "target"), folder / "score")


def replaced(chain: Chain, to: Path, target: pretrain.Config) -> Chain:
    """A copy of the chain in which another run stands in the target's place."""
    copy = chain.copy(to)
    shutil.rmtree(copy.root / "target")
    pretrain.run(target, copy.root / "target")
    return copy


def test_a_target_of_another_seal(chain: Chain, tmp_path: Path, quick: None) -> None:
    seal.run(chain.seal_config(level=0.8), tmp_path / "other")
    copy = replaced(chain, tmp_path / "demo", chain.target_config(tmp_path / "other"))
    found = verify(copy.root)
    assert found == [(str(copy.root / "target" / "origin.json"), "the target was not started under this seal")]
    with pytest.raises(SealError, match="not started under this seal"):
        scored(copy, copy.root)
    with pytest.raises(SealError, match="not started under this seal"):
        scored(chain, copy.root)


def test_a_forecast_that_does_not_give_its_seal(chain: Chain, tmp_path: Path, quick: None) -> None:
    copy = chain.copy(tmp_path / "demo")
    shutil.rmtree(copy.root / "score")
    sealed = RunDir(copy.root / "forecast")
    sealed.write_json("forecast.json", sealed.read_json("forecast.json") | {"hi": 100.0})
    make_whole(sealed.path)
    target = RunDir(copy.root / "target")
    made = target.origin
    made["parents"]["forecast"]["digest"] = RunDir(sealed.path).digest
    target.write_json("origin.json", made)
    make_whole(target.path)
    with pytest.raises(SealError, match="does not match its own seal"):
        scored(copy, copy.root)
    assert not (copy.root / "score").exists()


@pytest.mark.parametrize("result", [None, "{}", '{"promised": {"value": "x"}}', '{"promised": 1, "error_percent": []}'])
def test_a_score_that_says_nothing_is_named_itself(
    chain: Chain, tmp_path: Path, quick: None, result: str | None
) -> None:
    """A whole run all the same: its DONE is of what is there."""
    score_run = chain.copy(tmp_path / "demo").root / "score"
    file = score_run / "result.json"
    file.unlink()
    if result is not None:
        file.write_text(result)
    make_whole(score_run)
    assert [name for name, _ in verify(score_run.parent)] == [str(file)]


def test_a_target_of_another_config(chain: Chain, tmp_path: Path, quick: None) -> None:
    config = chain.target_config(chain.root / "forecast")
    changed = config.model_copy(update={"seed": 7, "optim": config.optim.model_copy(update={"lr": 0.03})})
    copy = replaced(chain, tmp_path / "demo", changed)
    found = verify(copy.root)
    assert found == [(str(copy.root / "target" / "config.json"), "not the sealed config: optim.lr, seed")]
    with pytest.raises(SealError, match="config is not the sealed one"):
        scored(chain, copy.root)


def test_a_field_that_configs_gain_later_breaks_no_seal(
    chain: Chain, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Later(pretrain.Config):
        polish: float = 0.0

    class LaterSeal(seal.Config):
        target: Later

    copy = chain.copy(tmp_path / "demo")
    shutil.rmtree(copy.root / "score")
    monkeypatch.setattr(pretrain, "Config", Later)
    monkeypatch.setattr(seal, "Config", LaterSeal)
    assert "polish" in RunDir(copy.root / "target").config(pretrain.Config).model_dump()
    assert verify(copy.root) == []
    assert scored(copy, copy.root).done


def test_a_target_of_other_tokens(chain: Chain, tmp_path: Path, quick: None) -> None:
    other = RunDir(chain.root / "shards").config(shards.Config).model_copy(update={"shard_tokens": 8192})
    shards.run(other, tmp_path / "shards")
    changed = chain.target_config(chain.root / "forecast", shards=tmp_path / "shards")
    copy = replaced(chain, tmp_path / "demo", changed)
    assert [what for _, what in verify(copy.root)] == ["the target was trained on other shards than were sealed"]
    with pytest.raises(SealError, match="on other shards than were sealed"):
        scored(chain, copy.root)


def test_no_forecast_here(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no forecast\.json here"):
        verify(tmp_path)


# ---- tampering ------------------------------------------------------------------------------------------------------


def sealed_files(root: Path) -> list[Path]:
    """Every file inside a digest that verifying recomputes."""
    runs = [run for run in find_runs(root) if run.path.name not in ("score", "texts")]
    return [run.path / name for run in runs for name in run.read_json("DONE")["files"]]


def tampered(path: Path, other: Path, kind: str, chance: random.Random) -> Iterator[None]:
    """Change one file (or swap two), and put it back."""
    before, swapped = path.read_bytes(), other.read_bytes()
    content = bytearray(before)
    if kind == "flip":
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    elif kind == "digit":
        places = [i for i, byte in enumerate(content) if 48 <= byte <= 57] or [0]
        content[chance.choice(places)] ^= 1
    elif kind == "cut":
        content = content[: chance.randrange(len(content))]
    elif kind == "append":
        content += b"\n"
    elif kind == "swap":
        content = bytearray(swapped)
        other.write_bytes(before)
    path.write_bytes(content)
    if kind == "delete":
        path.unlink()
    yield
    path.write_bytes(before)
    other.write_bytes(swapped)


def test_every_change_is_found_and_named(chain: Chain, tmp_path: Path, quick: None) -> None:
    """60 random changes; each makes verify() name the file that was changed."""
    root = chain.copy(tmp_path / "demo").root
    files, chance = [p for p in sealed_files(root) if p.stat().st_size], random.Random(5)
    kinds = ["flip", "digit", "cut", "append", "swap", "delete"]
    missed = []
    for trial in range(60):
        kind = kinds[trial % len(kinds)]
        path = chance.choice(files)
        other = chance.choice([p for p in files if p.read_bytes() != path.read_bytes()])
        for _ in tampered(path, other if kind == "swap" else path, kind, chance):
            named = {Path(name).resolve() for name, _ in found_in(root)}
            if path.resolve() not in named or (kind == "swap" and other.resolve() not in named):
                missed.append((kind, str(path.relative_to(root)), sorted(map(str, named))))
    assert missed == []
    assert verify(root) == []


def found_in(root: Path) -> list[tuple[str, str]]:
    try:
        return verify(root)
    except RunError as error:  # without forecast.json there is nothing to verify; the error says where it should be
        return [(str(Path(str(error.where)) / "forecast" / "forecast.json"), error.what)]


def test_swapped_rungs_are_found(chain: Chain, tmp_path: Path, quick: None) -> None:
    rungs = sorted((chain.copy(tmp_path / "demo").root / "ladder" / "rungs").iterdir())[:2]
    rungs[0].rename(tmp_path / "kept")
    rungs[1].rename(rungs[0])
    (tmp_path / "kept").rename(rungs[1])
    found = verify(tmp_path / "demo")
    assert [Path(name) for name, _ in found] == [rung / "DONE" for rung in rungs]
    assert all("not the one that was sealed as rung" in what for _, what in found)


def test_a_whole_run_missing(chain: Chain, tmp_path: Path, quick: None) -> None:
    root = chain.copy(tmp_path / "demo").root
    shutil.rmtree(root / "corpus")
    assert (str(root / "corpus"), "missing (corpus)") in verify(root)


@pytest.mark.parametrize("name", ["config.json", "origin.json", "DONE"])
def test_a_target_without_its_marks_is_no_way_out(chain: Chain, tmp_path: Path, name: str, quick: None) -> None:
    root = chain.copy(tmp_path / "demo").root
    (root / "target" / name).unlink()
    assert Path(name).name in {Path(file).name for file, _ in verify(root)}


def test_a_forged_promise_with_a_new_seal_is_found(chain: Chain, tmp_path: Path, quick: None) -> None:
    """Point and seal rewritten together, DONE made to fit: the rungs and the target's origin still disagree."""
    run = RunDir(chain.copy(tmp_path / "demo").root / "forecast")
    forecast = run.read_json("forecast.json")
    forecast["point"] *= 1.01
    forecast["seal"] = seal.seal_digest(forecast)
    run.write_json("forecast.json", forecast)
    done = run.read_json("DONE")
    done["files"]["forecast.json"] = sha256(run.path / "forecast.json")
    run.write_json("DONE", done | {"digest": digest_of(done["files"])})
    said = [what for _, what in verify(tmp_path / "demo")]
    assert any(what.startswith("point is ") for what in said)
    assert any("not started under this seal" in what for what in said)


# ---- a published copy -----------------------------------------------------------------------------------------------


def test_a_copy_without_its_large_files(
    chain: Chain, tmp_path: Path, quick: None, capsys: pytest.CaptureFixture[str]
) -> None:
    root, count = chain.copy(tmp_path / "demo").root, 0
    shutil.rmtree(root / "texts")
    for run in find_runs(root):
        large = [name for name in run.read_json("DONE")["files"] if name.endswith((".safetensors", ".bin", ".zst"))]
        for name in large:
            (run.path / name).unlink()
        count += len(large)
        if large:
            (run.path / "OMITTED").write_text("".join(f"{name}\n" for name in large))
    assert verify(root) == []
    assert omitted(root) == count > 10
    assert cli.main(["forecast", "verify", str(root)]) == 0
    assert f"{count} large files are listed by digest" in capsys.readouterr().out
    (root / "target" / "result.json").write_text("{}")
    assert [Path(name).name for name, _ in verify(root)] == ["result.json"]
    assert cli.main(["forecast", "verify", str(root)]) == 1
