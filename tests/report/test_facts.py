"""Facts know where they were read; what is not there is missing, and a file that changed is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.core.errors import CorruptError
from presage.core.run import RunDir, sha256
from presage.report.facts import Sources, leaves, look_up
from tests.report.conftest import AnyConfig, Chain

words = st.text("ab/_-", min_size=1, max_size=4)
trees = st.recursive(
    st.integers(), lambda inner: st.dictionaries(words, inner, max_size=4) | st.lists(inner, max_size=3), max_leaves=12
)


@given(st.dictionaries(words, trees, max_size=4))
def test_every_leaf_is_found_again(tree: dict[str, object]) -> None:
    for key in leaves(tree):
        value: object = tree
        for part in key.split("."):
            assert isinstance(value, dict)
            value = value[part]
        assert look_up(tree, key) == value


def test_a_key_may_contain_dots() -> None:
    assert look_up({"a.b": {"c": 1}, "a": {"b": 2}}, "a.b.c") == 1
    assert look_up([{"x": 5}], "0.x") == 5
    assert look_up([{"x": 5}], "1.x") is None


def test_a_fact_carries_run_file_key_and_digest(chain: Chain) -> None:
    sources = Sources({"target": chain.root / "target"})
    fact = sources.result("target", "val/bpb", "loss")
    stored = json.loads((chain.root / "target/result.json").read_text())["val/bpb"]["value"]
    assert (fact.value, fact.source) == (stored, "target/result.json#val/bpb.value")
    assert fact.shown == f"{stored:.3f}"
    assert fact.digest == sha256(chain.root / "target/result.json")
    assert sources.result("target", "val/bpb", "loss") is fact


@pytest.mark.parametrize(
    ("run", "file", "key"),
    [("score", "result.json", "actual.value"), ("target", "no.json", "x"), ("target", "result.json", "nothing.value")],
)
def test_what_is_not_there_is_missing(chain: Chain, run: str, file: str, key: str) -> None:
    fact = Sources({"target": chain.root / "target", "score": None}).fact(run, file, key, "loss")
    assert fact.missing
    assert fact.shown == "missing"
    assert 'class="fact missing"' in fact.__html__()


def test_re_expressions_are_of_stored_numbers(chain: Chain) -> None:
    sources = Sources({"forecast": chain.root / "forecast"})
    data = json.loads((chain.root / "forecast/forecast.json").read_text())
    half = sources.fact("forecast", "forecast.json", "(hi - lo) / 2", "loss")
    share = sources.fact("forecast", "forecast.json", "points.0.compute / target.compute", "relative")
    assert half.value == (data["hi"] - data["lo"]) / 2
    assert share.value == data["points"][0]["compute"] / data["target"]["compute"]
    assert sources.fact("forecast", "forecast.json", "(hi - nothing) / 2").missing
    assert sources.fact("forecast", "forecast.json", "point / seal").missing


def test_markup_in_a_value_stays_text(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "run", "corpus", AnyConfig()) as run:
        run.result("name", '<script>alert("x")</script>')
        run.finish()
    html = Sources({"corpus": tmp_path / "run"}).result("corpus", "name").__html__()
    assert "<script>" not in html
    assert html.count('"') % 2 == 0


def test_tables_keep_versions_as_text_and_numbers_as_numbers(chain: Chain) -> None:
    row = Sources({"corpus": chain.root / "corpus"}).rows("corpus", "tables/packages.csv")[1]
    assert (row["version"], row["documents"]) == ("3.10", 860)


def test_what_a_model_wrote_is_kept_word_for_word(tmp_path: Path) -> None:
    written = ["", "7", "1e5", "True", " a\r\n b", 'x, "y"', "\u2028"]
    with RunDir.create(tmp_path / "run", "attempts", AnyConfig()) as run:
        run.table("attempts", [{"model": "1", "passed": False, "completion": text} for text in written])
        run.finish()
    rows = Sources({"target_attempts": tmp_path / "run"}).rows("target_attempts", "tables/attempts.csv")
    assert [row["completion"] for row in rows] == written
    assert {(row["model"], row["passed"]) for row in rows} == {("1", False)}


def test_a_file_changed_after_done_is_refused(tmp_path: Path) -> None:
    with RunDir.create(tmp_path / "run", "corpus", AnyConfig()) as run:
        run.result("x", 1)
        run.finish()
    (tmp_path / "run/result.json").write_text('{"x": {"value": 2}}')
    with pytest.raises(CorruptError, match="differs from the run's DONE"):
        Sources({"corpus": tmp_path / "run"}).result("corpus", "x")
