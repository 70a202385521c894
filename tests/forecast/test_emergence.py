"""Jumps of the model and jumps of the metric: planted ones are told apart, smooth ladders give no alarm."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from scipy.stats import multivariate_normal

from presage import cli
from presage.cli import trends  # noqa: F401 - adds the verb
from presage.core.errors import DataError
from presage.forecast import emergence as module
from presage.forecast.emergence import Emergence, Items, emergence, find_break, read_items

DECADES = 4.0  # of compute in every ladder here, from 1e18 FLOPs
CURVES = {
    "line": lambda t, chance: -4 + chance.uniform(1.5, 3) * t,
    "power law": lambda t, chance: -4 * 10 ** (-chance.uniform(0.08, 0.25) * DECADES * t),
    "power law with a floor": lambda t, chance: -1 - 3 * 10 ** (-chance.uniform(0.1, 0.4) * DECADES * t),
    "sigmoid": lambda t, chance: -4 + 3 * expit((t - chance.uniform(0.3, 0.7)) / chance.uniform(0.12, 0.3)),
}


def ladder(
    seed: int,
    *,
    models: int = 8,
    items: int = 200,
    curve: str = "line",
    step: float = 0.0,
    place: float = 0.55,
    spread: float = 1.0,
    noise: float = 0.3,
    threshold: float = -2.2,
) -> Items:
    """Log-probabilities that follow a curve, perhaps with a step at a place (0 to 1) of the ladder.

    `spread` is how items differ in difficulty, `noise` how an item's score moves by itself; models scatter by 0.02.
    An item is right when its score is above the threshold.
    """
    chance = np.random.default_rng(seed)
    t = np.linspace(0, 1, models)
    mean = CURVES[curve](t, chance) + step * (t > place) + 0.02 * chance.normal(size=models)
    scores = mean + spread * chance.normal(size=(items, 1)) + noise * chance.normal(size=(items, models))
    return Items(10 ** (18 + DECADES * t), (scores > threshold).astype(float), {"logprob": np.minimum(scores, 0)})


# ---- planted data ---------------------------------------------------------------------------------------------------


def test_a_threshold_on_a_smooth_score_is_a_jump_in_the_metric_only() -> None:
    verdicts = Counter(emergence(ladder(s, spread=0.05, noise=0.05, threshold=-3.2)).verdict for s in range(40))
    assert verdicts["jump in the metric only"] >= 30  # where a model falls into the rise, one cannot tell
    assert verdicts["jump in the model"] == 0


@pytest.mark.parametrize("models", [8, 12])
def test_a_step_of_the_score_is_a_jump_in_the_model(models: int) -> None:
    found = [emergence(ladder(seed, models=models, step=1.5)) for seed in range(20)]
    assert [one.verdict for one in found].count("jump in the model") >= 18
    gap = 10 ** (DECADES / (models - 1))
    breaks, truth = [one.scores["logprob"] for one in found], 10 ** (18 + DECADES * 0.55)
    assert sum(one.at_lo / gap < truth < one.at_hi * gap for one in breaks) >= 18
    steps = [one for one in breaks if one.p_step > 0.5]
    assert np.mean([one.step for one in steps]) == pytest.approx(1.5, abs=0.4)
    assert np.mean([abs(one.step - 1.5) < 2 * one.step_stderr for one in steps]) > 0.7


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("models", [6, 8, 12])
def test_smooth_ladders_seldom_give_an_alarm(curve: str, models: int) -> None:
    """False-positive rate on 40 ladders each, items of different difficulty: at most 5 % for a jump in the model."""
    verdicts = Counter(emergence(ladder(seed, models=models, curve=curve, items=100)).verdict for seed in range(40))
    assert verdicts["jump in the model"] <= 2
    assert verdicts["jump in the model"] + verdicts["jump in the metric only"] <= 4
    assert verdicts["no jump"] >= 8


def test_a_sharp_bend_of_the_score_is_found_on_a_long_ladder() -> None:
    answers = Counter()
    for seed in range(15):
        t = np.linspace(0, 1, 16)
        scores = -4 + 3 * np.maximum(t - 0.5, 0) / 0.5 + 0.02 * np.random.default_rng(seed).normal(size=16)
        found = find_break(10 ** (18 + DECADES * t), scores, np.eye(16) * 1e-4)
        answers[found.answer] += 1
        assert found.p_step < 0.5
    assert answers["jump"] >= 12


@pytest.mark.parametrize("spread", [0.5, 8.0])
def test_how_much_items_differ_in_difficulty_does_not_hide_a_jump(spread: float) -> None:
    """The items are the same for every model: their spread moves all means together."""
    chance, t = np.random.default_rng(1), np.linspace(0, 1, 8)
    scores = 2 * t + (t > 0.55) + spread * chance.normal(size=(200, 1)) + 0.3 * chance.normal(size=(200, 8))
    assert find_break(10 ** (18 + DECADES * t), scores.mean(0), module._covariance(scores)).answer == "jump"


def test_the_margin_is_looked_at_too() -> None:
    items = ladder(3, step=2.0)
    smooth = ladder(4).scores["logprob"]
    found = emergence(Items(items.computes, items.correct, items.scores | {"margin": smooth}))
    assert found.verdict == "jump in the model"
    assert found.scores["margin"].answer == "no jump"
    assert any("the margin gives another answer" in text for text in found.warnings)


def test_few_items_and_models_are_said() -> None:
    said = emergence(ladder(0, models=5, items=10)).warnings
    assert [text for text in said if "only 10 items" in text]
    assert [text for text in said if "only 5 different computes" in text]
    assert emergence(ladder(0)).warnings == []


# ---- the arithmetic -------------------------------------------------------------------------------------------------


def test_errors_of_means_are_those_of_a_paired_bootstrap() -> None:
    items = ladder(0, items=60)
    chance = np.random.default_rng(0)
    draws = chance.integers(60, size=(4000, 60))
    for values, covariance in (
        (items.scores["logprob"], module._covariance(items.scores["logprob"])),
        (items.correct[:, 3:6], module._share_covariance(items.correct[:, 3:6])),
    ):
        bootstrap = np.cov(np.stack([values[draw].mean(0) for draw in draws]).T)
        assert covariance == pytest.approx(bootstrap, abs=0.12 * bootstrap.max())


def test_no_right_answer_is_not_a_certain_share() -> None:
    covariance = module._share_covariance(np.zeros((100, 3)))
    assert np.diag(covariance) == pytest.approx(0.5 / 101 * (1 - 0.5 / 101) / 101)


def test_evidence_with_a_break_is_that_of_the_normal_distribution() -> None:
    """The rank-one update against the density with the feature in the covariance."""
    x, y = np.linspace(0, 1, 7), np.array([-0.5, -0.4, -0.3, 0.2, 0.3, 0.4, 0.5])
    prior, log_prior = module._smooth(x)
    noise = np.eye(7) * 0.01
    inverse = np.linalg.inv(prior[:, None] + noise)
    smooth = log_prior[:, None] + (np.linalg.slogdet(inverse)[1] - (inverse @ y) @ y) / 2
    feature = (x > 0.4).astype(float)
    evidence, mean, variance = module._added(smooth, inverse, inverse @ y, feature[None], 0.7)
    for cell in range(len(prior)):
        before = multivariate_normal.logpdf(y, cov=prior[cell] + noise)
        after = multivariate_normal.logpdf(y, cov=prior[cell] + noise + 0.49 * np.outer(feature, feature))
        assert evidence[cell, 0, 0] - smooth[cell, 0] == pytest.approx(after - before, abs=1e-6)
        pull = 0.49 * feature @ np.linalg.inv(prior[cell] + noise + 0.49 * np.outer(feature, feature))
        assert mean[cell, 0, 0] == pytest.approx(pull @ y, abs=1e-6)
        assert variance[cell, 0, 0] == pytest.approx(0.49 - 0.49 * pull @ feature, abs=1e-6)


@given(scale=st.floats(0.01, 100), shift=st.floats(-50, 50), unit=st.floats(-4, 4), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_units_do_not_matter(scale: float, shift: float, unit: float, seed: int) -> None:
    chance = np.random.default_rng(seed)
    means, errors = np.sort(chance.normal(size=8)), np.eye(8) * 0.01
    computes = 10 ** np.linspace(18, 22, 8)
    first = find_break(computes, means, errors)
    second = find_break(computes * 10**unit, means * scale + shift, errors * scale**2)
    assert second.log_bayes_factor == pytest.approx(first.log_bayes_factor, abs=1e-5)
    assert second.step == pytest.approx(first.step * scale, rel=1e-4, abs=1e-6 * scale)
    assert second.at == pytest.approx(first.at * 10**unit, rel=1e-4)


def test_order_of_models_does_not_matter_and_repeats_count() -> None:
    items = ladder(5, step=1.0)
    order = np.random.default_rng(0).permutation(8)
    turned = Items(items.computes[order], items.correct[:, order], {"logprob": items.scores["logprob"][:, order]})
    first, second = emergence(items), emergence(turned)
    assert second.scores["logprob"].log_bayes_factor == pytest.approx(first.scores["logprob"].log_bayes_factor)
    again = ladder(6, step=1.0)
    scores = np.hstack([items.scores["logprob"], again.scores["logprob"]])
    both = Items(
        np.tile(items.computes, 2), np.hstack([items.correct, again.correct]), {"logprob": np.minimum(scores, 0)}
    )
    assert emergence(both).scores["logprob"].log_bayes_factor > first.scores["logprob"].log_bayes_factor


# ---- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (ladder(0, models=4), "at least 5 different computes, got 4"),
        (ladder(0, items=1), "1 items are too few"),
        (Items(ladder(0).computes, ladder(0).correct, {}), "no log-probabilities"),
        (Items(ladder(0).computes, ladder(0).correct[:, :7], ladder(0).scores), "correct is not a finite array"),
        (
            Items(ladder(0).computes, ladder(0).correct, {"logprob": np.full((200, 8), np.nan)}),
            "logprob is not a finite",
        ),
    ],
)
def test_bad_items(items: Items, message: str) -> None:
    with pytest.raises(DataError, match=message):
        emergence(items)


def test_a_level_is_a_probability() -> None:
    with pytest.raises(DataError, match="level 0"):
        emergence(ladder(0), level=0)


def table(path: Path, items: Items, extra: str = "") -> Path:
    rows = [
        f"q{i},{items.computes[j]:.17g},{items.correct[i, j]:.0f},{items.scores['logprob'][i, j]:.17g}{extra}\n"
        for j in range(len(items.computes))
        for i in range(len(items.correct))
    ]
    path.write_text("item,compute,correct,logprob" + (",run" if extra else "") + "\n" + "".join(rows), encoding="utf-8")
    return path


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    items = ladder(0, items=7)
    found = read_items(table(tmp_path / "items.csv", items))
    assert found.computes.tolist() == items.computes.tolist()
    assert found.correct.tolist() == items.correct.tolist()
    assert found.scores["logprob"].tolist() == items.scores["logprob"].tolist()


def test_runs_of_one_compute_are_models_of_their_own(tmp_path: Path) -> None:
    head = "item,compute,correct,logprob,run,margin\n"
    rows = "".join(f"{q},{c}e18,1,-.5,{r},.25\n" for q in "xy" for c in (2, 1) for r in "ab")
    (tmp_path / "i.csv").write_text(head + rows)
    found = read_items(tmp_path / "i.csv")
    assert found.computes.tolist() == [1e18, 1e18, 2e18, 2e18]
    assert found.scores["margin"].tolist() == [[0.25] * 4] * 2


HEAD = "item,compute,correct,logprob\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,compute,correct\na,1e18,1\n", r"i\.csv:1: no column 'logprob'"),
        (HEAD, r"i\.csv:1: no rows"),
        (HEAD + "a,1e18,1\n", r"i\.csv:2: logprob: '' is not a number"),
        (HEAD + "a,1e18,0.5,-1\n", r"i\.csv:2: correct: 0\.5 is neither 0 nor 1"),
        (HEAD + "a,1e18,yes,-1\n", r"i\.csv:2: correct: 'yes' is not a number"),
        (HEAD + "a,1e18,1,0.3\n", r"i\.csv:2: logprob: 0\.3 is not between"),
        (HEAD + "a,1e18,1,-inf\n", r"i\.csv:2: logprob: -inf is not between"),
        (HEAD + "a,0,1,-1\n", r"i\.csv:2: compute: 0 is not between"),
        (HEAD + "a,1e18,1,-1\na,1e18,1,-2\n", r"i\.csv:3: item 'a' is there twice for compute 1e\+18"),
        (HEAD + "a,1e18,1,-1\nb,1e18,1,-1\na,1e19,1,-1\n", r"i\.csv: no row for item 'b' and compute 1e\+19"),
    ],
)
def test_bad_tables_name_file_line_and_column(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "i.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_items(tmp_path / "i.csv")


# ---- the verb -------------------------------------------------------------------------------------------------------


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(table(tmp_path / "items.csv", ladder(2, step=1.5)))
    assert cli.main(["forecast", "emergence", path]) == 0
    out = capsys.readouterr().out
    assert out.startswith("jump in the model: 200 items, 8 models")
    assert cli.main(["forecast", "emergence", path, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["verdict"] == "jump in the model"
    assert facts["logprob_at_lo"] < facts["logprob_at"] < facts["logprob_at_hi"]
    assert not [key for key, value in facts.items() if isinstance(value, dict)]
    assert set(Emergence.__dataclass_fields__) - {"accuracy", "scores"} <= facts.keys()


def test_too_few_models_name_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "i.csv"
    path.write_text(HEAD + "a,1e18,1,-1\nb,1e18,1,-1\n")
    assert cli.main(["forecast", "emergence", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"presage: {path}: a jump can be looked for over at least 5 different")


def test_the_verb_refuses_a_bad_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "i.csv").write_text(HEAD + "a,1e18,2,-1\n")
    assert cli.main(["forecast", "emergence", str(tmp_path / "i.csv")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"presage: {tmp_path / 'i.csv'}:2: correct: 2 is not between 0 and 1")
