"""From points to scores and percentiles: the oracles of the GPT-4 report, errors against formulas, bad tables."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage import cli
from presage.core.errors import DataError
from presage.core.run import RunDir
from presage.evaluate import asking
from presage.evaluate.exam import COLUMNS, Answered, exam_rows, incomplete, scaled, score_exam
from presage.evaluate.runner import Runner
from presage.evaluate.score_tables import Steps, percentile_band, read_table
from presage.evaluate.statistics import wilson
from presage.infer import opening
from presage.recipes import examination as recipe
from presage.report import examination
from presage.report.blocks import Items
from presage.report.facts import Sources
from presage.tasks.exam.model import Chart, Exam, Fixed, Knots, Linear, Points, Scale, Section, TableFile, exam_tasks
from presage.tasks.exam.reader import read_exam
from presage.tasks.shots import Shots
from tests.toy_model import ToyModel

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "eval"
GRE, NOTHING = Linear(130, 170), Path("nowhere")


def made(scale: Scale, *weights: float | None, percentiles: tuple[TableFile, ...] = ()) -> Exam:
    sections = tuple(Section(f"s{i}", "choice", Fixed(()), weight=weight) for i, weight in enumerate(weights))
    return Exam("e", 1, "An exam", "", sections, scale, percentiles)


def answers(right: int, n: int, most: float = 1.0, group: int = 0) -> list[Answered]:
    """`right` of n questions, in groups of `group` where it is not 0."""
    return [Answered(str(i), most * (i < right), most, f"g{i // group}" if group else "") for i in range(n)]


@pytest.mark.parametrize(("share", "score"), [(0.825, 163), (0.975, 169), (0.0, 130), (1.0, 170), (0.5125, 151)])
def test_the_rule_of_the_gre(share: float, score: float) -> None:
    """82.5 % is 163 and 97.5 % is 169 (sheet, section 10)."""
    assert scaled(GRE, share) == score


@pytest.mark.parametrize(("right", "n", "score"), [(33, 40, 163), (39, 40, 169)])
def test_the_rule_of_the_gre_from_answers(right: int, n: int, score: float) -> None:
    result = score_exam(made(GRE, None), {"s0": answers(right, n)}, NOTHING)
    assert (result.score, result.most, result.n) == (score, 170, n)
    assert result.percentile_lower is None


def test_the_amc_rule() -> None:
    """6 a right answer, 1.5 one left out, 0 a wrong one: 5 right, 4 blank and 16 wrong of 25 are 36."""
    some = [Answered(str(i), 6.0 if i < 5 else 1.5 if i < 9 else 0.0, 6.0) for i in range(25)]
    result = score_exam(made(Points(), None), {"s0": some}, NOTHING)
    assert (result.score, result.most) == (36.0, 150.0)


def test_points_are_summed_and_weights_are_weighted() -> None:
    both = {"s0": answers(3, 4, 5.0), "s1": answers(1, 2, 10.0)}
    assert score_exam(made(Points(), None, None), both, NOTHING).score == 25.0
    weighted = score_exam(made(Points(100), 3.0, 1.0), both, NOTHING)
    assert weighted.score == pytest.approx(100 * (3 * 0.75 + 0.5) / 4)
    assert score_exam(made(Points(), 3.0, 1.0), both, NOTHING).most == 4.0


def test_knots_between_and_at() -> None:
    lsat = Knots(((0, 120), (61, 150), (77, 160), (99, 180)))
    assert [scaled(lsat, raw / 99) for raw in (0, 61, 69, 77, 99)] == [120, 150, 155, 160, 180]


def test_a_chart_takes_the_row_that_is_reached(tmp_path: Path) -> None:
    (tmp_path / "chart.csv").write_text("raw,scaled\n0,1\n30,2\n50,3\n60,4\n75,5\n100,5\n")
    chart = Chart(TableFile("chart.csv", "raw", "scaled"))
    exam = Exam("ap", 1, "AP", "", made(chart, None).sections, chart, (), tmp_path)
    scores = [
        score_exam(exam, {"s0": answers(right, 100)}, NOTHING).score for right in (0, 29, 30, 59, 60, 74, 75, 100)
    ]
    assert scores == [1, 1, 2, 3, 4, 4, 5, 5]


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_the_error_is_that_of_the_delta_method() -> None:
    """For a score that is linear in accuracy, 40 * sqrt(p (1 - p) / n)."""
    result = score_exam(made(Linear(130, 170, 1e-6), None), {"s0": answers(150, 200)}, NOTHING, draws=20_000)
    expected = 40 * math.sqrt(0.75 * 0.25 / 200)
    assert result.stderr == pytest.approx(expected, rel=0.03)
    assert result.lo == pytest.approx(160 - 1.96 * expected, abs=0.1)
    assert result.hi == pytest.approx(160 + 1.96 * expected, abs=0.1)


def test_questions_on_one_passage_count_as_one() -> None:
    """Groups of ten that are right or wrong together: the error is that of 20 questions, not of 200."""
    alone = score_exam(made(Points(1), None), {"s0": answers(150, 200)}, NOTHING, draws=5000).stderr
    together = score_exam(made(Points(1), None), {"s0": answers(150, 200, group=10)}, NOTHING, draws=5000).stderr
    assert together / alone == pytest.approx(math.sqrt(10), rel=0.05)


def test_errors_of_weighted_sections_add_in_squares() -> None:
    both = {"s0": answers(50, 100), "s1": answers(20, 50)}
    result = score_exam(made(Points(1), 2.0, 1.0), both, NOTHING, draws=20_000)
    expected = math.hypot(2 / 3 * math.sqrt(0.25 / 100), 1 / 3 * math.sqrt(0.24 / 50))
    assert result.stderr == pytest.approx(expected, rel=0.03)


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_score_lies_in_its_interval_and_on_its_scale(counts: tuple[int, int]) -> None:
    result = score_exam(made(GRE, None), {"s0": answers(*counts)}, NOTHING, draws=50)
    assert 130 <= result.lo <= result.score <= result.hi <= 170


def test_none_of_ten_is_no_certainty() -> None:
    """Wilson: 0 of 10 is 0 to 0.2775, 10 of 10 the same from above."""
    assert wilson(0.0, 10, 1.96) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(0.5, 10, 1.96) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    none, every = (score_exam(made(Points(1), None), {"s0": answers(right, 10)}, NOTHING) for right in (0, 10))
    assert (none.lo, none.hi) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert (every.lo, every.hi) == pytest.approx((0.7225, 1.0), abs=1e-4)
    assert [none.stderr, every.stderr] == pytest.approx([0.0694, 0.0694], abs=1e-4)


def test_the_same_again() -> None:
    once, again = (score_exam(made(GRE, None), {"s0": answers(7, 9)}, NOTHING, seed=3) for _ in range(2))
    assert once == again


def test_a_section_without_answers_is_refused() -> None:
    with pytest.raises(DataError, match="no answers to section 's1'"):
        score_exam(made(GRE, None, None), {"s0": answers(1, 2)}, NOTHING)


# ---- percentiles -----------------------------------------------------------------------------------------------------


def test_a_band_reaches_to_the_next_score() -> None:
    table = Steps((1, 2, 3), (0.0, 20.0, 85.0))
    assert [table.band(score) for score in (0.5, 1, 2, 2.9, 3, 4)] == [
        (0.0, 0.0), (0.0, 20.0), (20.0, 85.0), (20.0, 85.0), (85.0, 100.0), (85.0, 100.0)]  # fmt: skip


def test_two_tables_make_the_widest_band() -> None:
    """AMC 10 A and B: the lower lower end and the higher upper end."""
    a, b = Steps((0, 30, 36), (0, 6, 12)), Steps((0, 30, 36), (0, 4, 10))
    assert percentile_band([a, b], 30) == (4, 12)
    assert percentile_band([], 30) is None


def test_percentiles_follow_the_interval(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("score,percentile\n" + "\n".join(f"{s},{s - 130}" for s in range(130, 171)))
    exam = made(GRE, None, percentiles=(TableFile("p.csv"), TableFile("absent.csv")))
    result = score_exam(exam, {"s0": answers(30, 40)}, tmp_path)
    assert (result.percentile_lower, result.percentile_upper) == (30, 31)
    assert (result.percentile_lo, result.percentile_hi) == (math.floor(result.lo) - 130, math.floor(result.hi) - 130)


TABLES = {
    "score,percentile\n1,x\n": "p.csv:2: 'x' is no number",
    "score,percentile\n1,1\n1,2\n": "p.csv:3: the score 1 appears twice",
    "score,percentile\n1,10\n2,30\n3,20\n": "p.csv:4: 20 at 3 is less than at 2",
    "score,percentile\n1,10\n2,130\n": "p.csv:3: a percentile of 130 at 2",
    "score,percentile\n1,10\n2,\n3,20\n": "p.csv:3: '' is no number",
    "score,percentile\n1,nan\n": "p.csv:2: 'nan' is no number",
    "score,percentile\n1\n": "p.csv:2: not as many cells",
    "score,percentle\n1,2\n": "p.csv:1: no column 'percentile'",
    "score,percentile\n": "p.csv: holds no scores",
}


@pytest.mark.parametrize("text", TABLES, ids=range(len(TABLES)))
def test_bad_tables_are_refused_by_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(DataError) as error:
        read_table(TableFile("p.csv"), tmp_path)
    assert TABLES[text] in str(error.value)


def test_shares_of_scores_make_percentiles(tmp_path: Path) -> None:
    rows = ["Exam,5.0,4.0,3.0,2.0,1.0,Year", "Biology,0.148,0.231,0.299,0.217,0.105,2022.0"]
    rows += ["Biology,0.07,0.2,0.34,0.3,0.1,2021", "Art,0.1,0.1,0.1,0.1,0.1,2022"]
    (tmp_path / "ap.csv").write_text("\n".join(rows))
    table = read_table(TableFile("ap.csv", form="shares", only=(("Exam", "Biology"), ("Year", "2022"))), tmp_path)
    assert table.values == pytest.approx((0, 10.5, 32.2, 62.1, 85.2))
    for only, what in (
        ((("Exam", "Biology"),), "2 rows of Exam Biology"),
        ((("Exam", "Art"),), "do not add up to one"),
    ):
        with pytest.raises(DataError, match=what):
            read_table(TableFile("ap.csv", form="shares", only=only), tmp_path)


# ---- rows ------------------------------------------------------------------------------------------------------------


def row(task: str, name: str, points: float) -> dict[str, object]:
    extra = {"points_max": 1.0, "invalid": name == "0"}
    return {"task": task, "id": name, "group": "", "scores": {"accuracy": points, "points": points}, "extra": extra}


def sat(right: int, n: int, task: str = "exam:e:s0") -> list[dict[str, object]]:
    return [row(task, str(i), float(i < right)) for i in range(n)]


def test_table_1_quotes_the_lower_score() -> None:
    """30 of 40 right; without six that were seen, all right or all wrong, the rest is worse or better."""
    exam = made(GRE, None)
    for seen, clean, quoted in (([str(i) for i in range(6)], 158, 158), ([str(i) for i in range(34, 40)], 165, 160)):
        [one] = exam_rows([exam], sat(30, 40), NOTHING, {"exam:e:s0": seen})
        assert tuple(one) == COLUMNS
        assert (one["score"], one["clean_score"], one["quoted"]) == (160, clean, quoted)
        assert (one["n"], one["contaminated"], one["invalid"]) == (40, 6, 1)


def test_the_clean_score_is_out_of_the_whole_exam() -> None:
    """2 right of 4, both wrong ones contaminated: all of the points left, so all there are."""
    rows = sat(2, 4)
    [found] = exam_rows([made(Points(), None)], rows, NOTHING, {"exam:e:s0": ["2", "3"]})
    assert (found["score"], found["clean_score"], found["max"], found["quoted"]) == (2.0, 4.0, 4.0, 2.0)
    two = [*rows, *sat(0, 4, "exam:e:s1")]
    flagged = {"exam:e:s0": ["2", "3"], "exam:e:s1": ["0"]}
    [found] = exam_rows([made(Points(), None, None)], two, NOTHING, flagged)
    assert found["clean_score"] == 4.0
    [found] = exam_rows([made(Linear(0, 100), None, None)], two, NOTHING, flagged)
    assert found["clean_score"] == 50.0


def test_without_a_scan_or_without_clean_questions_there_is_one_score() -> None:
    exam = made(GRE, None)
    [one] = exam_rows([exam], sat(30, 40), NOTHING)
    assert (one["clean_score"], one["contaminated"], one["quoted"]) == (None, None, 160)
    [one] = exam_rows([exam], sat(30, 40), NOTHING, {"exam:e:s0": [str(i) for i in range(40)]})
    assert (one["clean_score"], one["contaminated"], one["quoted"]) == (None, 40, 160)


def test_what_could_not_be_looked_for_is_not_clean() -> None:
    exam, ids = made(GRE, None), [str(i) for i in range(40)]
    [one] = exam_rows([exam], sat(30, 40), NOTHING, {"exam:e:s0": []}, untestable={"exam:e:s0": ids})
    assert (one["clean_score"], one["clean_stderr"], one["clean_percentile_lower"]) == (None, None, None)
    assert (one["contaminated"], one["untestable"], one["quoted"]) == (0, 40, 160)
    [one] = exam_rows([exam], sat(30, 40), NOTHING, {"exam:e:s0": ["0"]}, untestable={"exam:e:s0": ids[1:20]})
    assert (one["clean_score"], one["contaminated"], one["untestable"]) == (150, 1, 19)
    [one] = exam_rows([exam], sat(30, 40), NOTHING)
    assert one["untestable"] is None


def test_an_exam_without_a_section_has_no_row() -> None:
    exam = made(GRE, None, None)
    assert exam_rows([exam], sat(3, 4), NOTHING) == []
    assert incomplete([exam], sat(3, 4)) == {"e": ["s1"]}
    assert incomplete([exam], sat(3, 4, "another")) == {}
    assert incomplete([exam], sat(3, 4) + sat(1, 4, "exam:e:s1")) == {}
    assert len(exam_rows([exam], sat(3, 4) + sat(1, 4, "exam:e:s1"), NOTHING)) == 1


def test_a_row_of_another_method_is_refused() -> None:
    bad = row("exam:e:s0", "1", 1.0) | {"scores": {"accuracy": 1.0}}
    with pytest.raises(DataError, match="exam:e:s0: not a row of an exam"):
        exam_rows([made(GRE, None)], [bad], NOTHING)


# ---- from a file to a row --------------------------------------------------------------------------------------------

FILE = {
    "name": "driving", "title": "Driving test",
    "scale": {"rule": "linear", "low": 0, "high": 100},
    "percentiles": [{"file": "driving.csv"}],
    "sections": [
        {"name": "signs", "kind": "choice", "weight": 3, "points": 2,
         "shots": [{"question": "Red?", "options": ["go", "stop"], "answer": "B", "explanation": "By law."}],
         "questions": [{"question": f"{colour}?", "options": ["go", "stop"], "answer": "A"}
                       for colour in ("Green", "Lime", "Mint", "Amber")]},
        {"name": "essay", "kind": "free", "weight": 1, "points": 6, "rubric": "Be fair.",
         "shots": [{"question": "Why stop?", "essay": "To live."}], "questions": [{"question": "Why go?"}]},
    ],
}  # fmt: skip


def test_an_exam_of_which_a_section_was_not_asked_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "driving.json").write_text(json.dumps(FILE))
    (tmp_path / "driving.csv").write_text("score,percentile\n0,0\n60,40\n70,55\n")
    exam = read_exam(tmp_path / "driving.json")
    tasks = {task.name: task for task in exam_tasks(exam)}
    monkeypatch.setattr(asking, "find_task", tasks.__getitem__)
    monkeypatch.setattr(asking, "exam_named", {"exam:driving": exam}.__getitem__)
    monkeypatch.setattr(recipe, "find_task", tasks.__getitem__)

    def write(prompt: str, _: int) -> str:
        return "3 / 6\nShort." if "Be fair." in prompt else "A]" if prompt.endswith("[") else " I see."

    monkeypatch.setattr(opening, "open_model", lambda spec, **_: ToyModel(write=write, has_likelihood=False))
    half, both = tmp_path / "half", tmp_path / "both"
    assert cli.main(["eval", "hf:toy", "--tasks", "exam:driving:signs", "--out", str(half)]) == 0
    warning = "the exam driving has no score: of its sections these were not asked: essay"
    assert f"warning: {warning}\n" in capsys.readouterr().out
    assert [row["warning"] for row in RunDir.open(half).read_table("warnings")] == [warning]
    told = examination.section(Sources({"examination": half})).blocks
    lines = [str(line) for block in told if isinstance(block, Items) for line in block.items]
    assert f"The examination itself warns: {warning}" in lines
    assert not (half / "tables" / "exams.csv").exists()

    sections = "exam:driving:signs,exam:driving:essay"
    assert cli.main(["eval", "hf:toy", "--tasks", sections, "--judge", "hf:toy", "--out", str(both)]) == 0
    printed = capsys.readouterr().out
    assert "warning" not in printed
    made = RunDir.open(both)
    [row] = made.read_table("exams")
    (line,) = [line for line in printed.splitlines() if line.startswith("Driving test")]
    shown = f"{float(row['score']):.4g} ± {float(row['score_stderr']):.2g}  {row['lo'][:-2]} to {row['hi'][:-2]}  100"
    assert " ".join(line.split()) == f"Driving test {' '.join(shown.split())} 55 to 100 not checked 88 5 -"
    score = made.results()["exam:driving/score"]
    assert (score["value"], score["stderr"]) == (float(row["score"]), float(row["score_stderr"]))
    assert (score["lo"], score["hi"], score["max"]) == (float(row["lo"]), float(row["hi"]), 100)
    assert made.results()["exam:driving/percentile"] == {
        "value": 55, "upper": 100, "lo": float(row["percentile_lo"]), "hi": float(row["percentile_hi"]), "level": 0.95,
    }  # fmt: skip
    assert made.value("exam:driving/quoted") == 88
    assert [row["exam"] for row in RunDir.open(both).read_table("exams")] == ["driving"], "all sections are the exam"


def test_an_exam_in_a_file_is_sat_graded_and_scored(tmp_path: Path) -> None:
    """Three of four signs right, weight 3, and 3 of 6 points for the essay, weight 1: (3 * 0.75 + 0.5) / 4."""
    (tmp_path / "driving.json").write_text(json.dumps(FILE))
    (tmp_path / "driving.csv").write_text("score,percentile\n0,0\n60,40\n70,55\n")
    exam = read_exam(tmp_path / "driving.json")

    def write(prompt: str, _: int) -> str:
        if prompt.endswith("<|endofprompt|>"):
            return "To arrive."
        return ("B]" if "Amber" in prompt else "A]") if prompt.endswith("[") else " I see."

    runner = Runner(ToyModel(write=write, has_likelihood=False), ToyModel(write=lambda prompt, _: "3 / 6\nShort."))
    rows: list[dict[str, object]] = []
    for task in exam_tasks(exam):
        examples, pool = task.data.examples(tmp_path, 0), task.data.pool(tmp_path, 0)
        shots = Shots(task, pool, task.shots, 0)
        rows += [
            {"task": task.name, "id": done.example.id, "group": "", "scores": dict(done.graded.scores),
             "extra": dict(done.graded.extra)}
            for done in runner.run(task.method, examples, [shots.context(one) for one in examples])
        ]  # fmt: skip
    [one] = exam_rows([exam], json.loads(json.dumps(rows)), NOTHING, {"exam:driving:signs": ["1"]})
    assert (one["exam"], one["score"], one["max"], one["n"], one["contaminated"]) == ("driving", 69, 100, 5, 1)
    assert (one["percentile_lower"], one["percentile_upper"]) == (40, 55)
    assert (one["clean_score"], one["clean_percentile_lower"], one["quoted"]) == (63, 40, 63)


# ---- the public tables -----------------------------------------------------------------------------------------------


@pytest.fixture
def tables() -> Path:
    folder = SHARED / "exam_percentiles"
    if not folder.is_dir():
        pytest.skip("the public data folder ../shared/data is not on this machine")
    return folder


def test_ap_biology_5_is_the_85th_percentile(tables: Path) -> None:
    """The lower end of 85th to 100th, as the report plots it; from the distribution of 2022."""
    spec = TableFile("ap_score_distributions_sheet1.csv", form="shares", only=(("Exam", "Biology"), ("Year", "2022")))
    lower, upper = read_table(spec, tables).band(5)
    assert (int(lower), upper) == (85, 100)


@pytest.mark.parametrize(
    ("file", "score", "value", "at", "lower"),
    [
        ("lsat.csv", "scaled_score", "percentile_2016_2019", 163, 87.1),
        ("gre_verbal_quant_2020_2023.csv", "Scaled Score", "Verbal Reasoning", 169, 99),
        ("gre_writing_2020_2023.csv", "Score Levels", "Analytical Writing", 4, 59),
        ("gre_writing_2020_2023.csv", "Score Levels", "Analytical Writing", 1, 0),
        ("sat_math_2015.csv", "score", "percentile_strictly_below", 800, 99.019),
        ("ube_approx.csv", "ube_total", "approx_percentile", 298, 73),
    ],
)
def test_the_public_tables_are_read(tables: Path, file: str, score: str, value: str, at: float, lower: float) -> None:
    assert read_table(TableFile(file, score, value), tables).band(at)[0] == pytest.approx(lower)
