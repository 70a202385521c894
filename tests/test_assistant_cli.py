"""`presage assistant` at the command line: what it prints of finished runs, and what it says of bad input.

The chain itself takes minutes with any model; here its runs are there already, and are taken as they are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from presage import cli
from presage.align import conduct
from presage.align.world import files as world
from presage.cli.assistant import shards_of
from presage.core.errors import RunError
from presage.core.run import RunDir
from presage.recipes import assistant as recipe
from presage.recipes.kept import same
from presage.train import pretrain
from tests.report import assistants
from tests.tiny import make_shards, tiny_run


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base model in base, made of shards beside it, and in out every run of the chain."""
    folder = tmp_path_factory.mktemp("lab")
    make_shards(folder)
    base = pretrain.run(tiny_run(folder / "shards"), folder / "base").path
    out = folder / "out"
    with RunDir.create(out / "sft", "sft", assistants.Made(base=base)) as run:
        run.finish()
    assistants.reward(out / "reward", out / "sft")
    for name, rules in (("ppo", {"weight": 1.0}), ("ppo-alone", None), ("ppo-no-text", {"weight": 1.0})):
        assistants.policy(out / name, out / "sft", rules)
    assistants.conduct(out / "conduct", {name: out / name for name in recipe.MODELS}, base)
    for number, (name, model) in enumerate({"base": base, "sft": out / "sft", "ppo": out / "ppo"}.items()):
        assistants.examined(out / f"tax-{name}", model, number)
    return folder


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up runs are of no config that a chain would make."""
    monkeypatch.setattr("presage.recipes.kept._as_begun", lambda stage, config, out: config)


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = cli.main(["assistant", *map(str, words), "--short", "--quiet"])
    return code, *capsys.readouterr()


@pytest.mark.usefixtures("taken")
def test_the_conduct_of_all_and_where_the_runs_are(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, lab / "base", "--out", lab / "out")
    assert (code, err) == (0, "")
    table, _, places = out.partition("\n\n")
    heading, *rows = table.splitlines()
    assert " ".join(heading.split()) == "model refuses disallowed destruction theft safe twins does the task KL tax"
    assert [row.split()[0] for row in rows] == list(recipe.MODELS)
    found = RunDir.open(lab / "out/conduct").results()
    for row in rows:
        name, *cells = row.split()
        assert cells[0] == f"{100 * found[f'{name}/refusal on disallowed']['value']:.1f}%"
        assert cells[-2] == f"{found[f'{name}/kl']['value']:.3f}"
        assert cells[-1] == f"{100 * found[f'{name}/tax']['value']:.1f}%"
    named = dict(line.split(": ") for line in places.splitlines())
    assert all(Path(path).is_dir() for path in named.values())
    assert set(named) == {*recipe.MODELS, "reward", "conduct", "tax-base", "tax-sft", "tax-ppo"}


def test_runs_of_another_seed_are_not_taken(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    world.write_world(out / "world", 0, world.Sizes(160, 80, 100, 60))
    code, _, err = run(capsys, lab / "base", "--out", out, "--seed", 7)
    assert code == 2 and "drawn with seed 0" in err and "choose another --out" in err and len(err.splitlines()) == 1
    assert [path.name for path in out.iterdir()] == ["world"]


def test_a_world_of_somebody_elses_is_left_alone(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "out/world/mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    code, _, err = run(capsys, lab / "base", "--out", tmp_path / "out")
    assert code == 2 and "not a new or empty folder" in err and mine.read_text() == "mine"


def test_a_run_of_another_config_is_not_taken(lab: Path, tmp_path: Path) -> None:
    class Toy:
        Config = conduct.Config

    made = conduct.Config(models=(lab / "out/sft",), names=("sft",), requests=(lab / "out/sft/config.json",))
    with RunDir.create(tmp_path / "run", "conduct", made) as finished:
        finished.finish()
    assert same(Toy, lambda: made, tmp_path / "run").path == tmp_path / "run"
    other = made.model_copy(update={"seed": 7})
    with pytest.raises(RunError, match="was made with seed = 0, not 7"):
        same(Toy, lambda: other, tmp_path / "run")


def test_what_was_not_measured_is_a_dash(lab: Path) -> None:
    from presage.cli.assistant import conduct_rows

    rows = conduct_rows({"sft/kl": {"value": 0.0}}, ["sft"])
    assert rows[1] == ["sft", *["-"] * 6, "0.000", "-"]


def test_the_shards_are_the_bases_own(lab: Path) -> None:
    assert shards_of(lab / "base", None) == lab / "shards"
    assert shards_of(lab / "base", lab / "shards") == lab / "shards"


def test_the_passages_asked_about_are_those_of_the_corpus_behind_the_shards(lab: Path) -> None:
    assert recipe.corpus_of(lab / "shards") == lab / "corpus"
    sizes = recipe.SHORT
    tasks = [one.task for one in recipe.tax_config(lab / "base", lab / "corpus", 0, sizes).tasks]
    assert tasks == ["next_passage", "microcode"]
    assert [one.task for one in recipe.tax_config(lab / "base", None, 0, sizes).tasks] == ["microcode"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "not a run directory"),
        (("corpus",), "no model in this run"),
        (("imported",), "names no shards that it was trained on (--shards DIR: text to mix in)"),
        (("base", "--shards", "corpus"), "a 'corpus' run, but a 'shards' run is needed"),
    ],
    ids=["no run", "no model", "no shards", "shards that are none"],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    if not (lab / "imported").exists():
        with RunDir.create(lab / "imported", "import", assistants.Modelled(model={})) as made:
            made.finish()
    given = [word if word.startswith("--") else lab / word for word in words]
    code, out, err = run(capsys, *given, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()
