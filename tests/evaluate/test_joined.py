"""Scores beside a scan: published rows, standard errors against simulation, the verb and its bad input."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from presage import cli
from presage.core.errors import DataError
from presage.core.run import RunDir
from presage.data.documents import Document
from presage.data.items import Item
from presage.evaluate import scores as stage
from presage.evaluate.contamination import Scanner
from presage.evaluate.joined import COLUMNS, Estimate, Row, cells, degradation_percent, join, symmetric_percent
from presage.evaluate.scored import CLEAN, FLAGGED, Scan, Score, read_scan, read_scores
from tests.stage import check_stage

Call = Callable[..., tuple[int, str, str]]


def exam(task: str, clean: tuple[int, int], dirty: tuple[int, int]) -> tuple[list[Score], dict[str, str]]:
    """Right and asked among the clean and among the contaminated questions: scores and verdicts."""
    scores, verdicts = [], {}
    for verdict, (right, asked) in (("clean", clean), ("flagged", dirty)):
        for number in range(asked):
            name = f"{task}-{verdict}-{number}"
            scores.append(Score(name, float(number < right), task))
            verdicts[name] = verdict
    return scores, verdicts


def row_of(scores: list[Score], verdicts: dict[str, str]) -> Row:
    (row,) = join(scores, Scan({"set": verdicts}, Path("scan"))).rows
    return row


def values(numbers: list[float], verdicts: str, **more: Any) -> Row:
    """One letter of `verdicts` a number: clean, flagged, untestable."""
    names = {"c": "clean", "f": "flagged", "u": "untestable"}
    scores = [Score(str(i), number, "t", **more) for i, number in enumerate(numbers)]
    return row_of(scores, {str(i): names[letter] for i, letter in enumerate(verdicts)})


# ---- numbers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clean", "dirty", "raw_percent", "clean_percent", "dirty_percent", "share_percent", "degradation"),
    [
        ((6, 10), (34, 45), 72.73, 60.00, 75.56, 81.82, -17.50),  # AP English Literature, multiple choice
        ((51, 61), (25, 39), 76.00, 83.61, 64.10, 39.00, 10.01),  # LSAT, multiple choice
    ],
)
def test_rows_of_the_gpt4_report(
    clean: tuple[int, int],
    dirty: tuple[int, int],
    raw_percent: float,
    clean_percent: float,
    dirty_percent: float,
    share_percent: float,
    degradation: float,
) -> None:
    row = row_of(*exam("exam", clean, dirty))
    assert row.clean and row.dirty and row.degradation_percent and row.share is not None
    found = [100 * row.raw.value, 100 * row.clean.value, 100 * row.dirty.value, 100 * row.share]
    assert [round(x, 2) for x in found] == [raw_percent, clean_percent, dirty_percent, share_percent]
    assert round(row.degradation_percent.value, 2) == degradation
    assert row.quote == ("clean" if degradation < 0 else "raw")


def test_published_degradations() -> None:
    assert round(degradation_percent(65.58, 67.0), 2) == -2.12  # HumanEval, GPT-4 report
    quac, drop = (54.1, 44.3), (29.5, 36.5)  # GPT-3 report, Table C.1: clean, all; printed as +20 and -21
    assert [round(symmetric_percent(*row), 1) for row in (quac, drop)] == [19.9, -21.2]
    assert [round(degradation_percent(*row), 1) for row in (quac, drop)] == [22.1, -19.2]


def test_binomial_where_scores_are_right_or_wrong_and_the_spread_elsewhere() -> None:
    row = values([1, 1, 1, 0, 0, 1], "ccccff")
    assert row.raw.stderr == pytest.approx(math.sqrt(4 / 6 * 2 / 6 / 6))
    assert row.clean and row.clean.stderr == pytest.approx(math.sqrt(0.75 * 0.25 / 4))
    row = values([1.0, 2.0, 4.0, 9.0], "cccf")
    assert row.raw.stderr == pytest.approx(np.std([1, 2, 4, 9], ddof=1) / 2)
    assert row.clean and row.clean.stderr == pytest.approx(np.std([1, 2, 4], ddof=1) / math.sqrt(3))


def test_standard_errors_are_the_spread_over_repetitions() -> None:
    """Clean items are some of all: a formula that took the two means for independent would be far off here."""
    random = np.random.default_rng(7)
    verdicts = "c" * 60 + "f" * 25 + "u" * 15
    means = np.where(np.array(list(verdicts)) == "c", 5.0, 8.0)
    rows = [values(list(random.normal(means, 1.5)), verdicts) for _ in range(1500)]
    for name in ("clean", "dirty", "difference", "degradation_percent", "symmetric_percent"):
        made = [getattr(row, name) for row in rows]
        stated = float(np.mean([estimate.stderr for estimate in made]))
        assert stated == pytest.approx(np.std([estimate.value for estimate in made]), rel=0.06), name
    naive = math.hypot(*(np.mean([getattr(row, name).stderr for row in rows]) for name in ("raw", "clean")))
    assert naive > 1.5 * np.mean([row.difference.stderr for row in rows if row.difference])


def test_without_contaminated_items_nothing_changes_and_that_is_certain() -> None:
    row = values([0.2, 0.4, 0.9], "ccc")
    assert row.clean == row.raw
    assert row.difference == row.degradation_percent == row.symmetric_percent == Estimate(0.0, 0.0)
    assert (row.contaminated, row.share, row.dirty, row.quote) == (0, 0.0, None, "raw")


def test_untestable_items_are_neither_clean_nor_contaminated() -> None:
    row = values([1, 0, 1, 0, 0], "ccfuu")
    assert (row.n, row.contaminated, row.untestable, row.share) == (5, 1, 2, 0.2)
    assert row.clean and row.dirty
    assert (row.raw.value, row.clean.value, row.dirty.value) == (0.4, 0.5, 1.0)


@pytest.mark.parametrize(
    ("verdicts", "absent"), [("fff", "N/A"), ("ffu", "N/A"), ("uuu", "none testable"), ("", "not checked")]
)
def test_why_there_is_no_clean_mean(verdicts: str, absent: str) -> None:
    scores = [Score(str(i), 0.5 + i, "t") for i in range(3)]
    row = values([0.5, 1.5, 2.5], verdicts) if verdicts else join(scores).rows[0]
    assert (row.clean, row.difference, row.absent, row.quote) == (None, None, absent, "raw")
    assert row.raw.value == 1.5
    text = dict(zip(COLUMNS, cells([row])[1], strict=True))
    assert text["clean"] == absent
    assert (text["contaminated"] == "not checked") == (not verdicts)


def test_the_worse_mean_is_quoted_whichever_way_is_better() -> None:
    numbers = [20.0, 22.0, 10.0]
    assert values(numbers, "ccf").quote == "raw"
    assert values(numbers, "ccf", better="lower").quote == "clean"
    assert values([20.0, 22.0, 40.0], "ccf", better="lower").quote == "raw"


def test_a_single_item_takes_the_spread_of_all_or_its_own_noise() -> None:
    row = values([1.0, 2.0, 6.0], "ccf")
    assert row.dirty and row.dirty.stderr == pytest.approx(np.std([1, 2, 6], ddof=1))
    assert values([0.25], "c", n=300).raw.stderr == pytest.approx(0.025)
    assert values([7.0], "c", stderr=0.5).raw.stderr == 0.5
    assert values([7.0], "c").raw.stderr is None


def test_noise_is_what_more_attempts_would_remove() -> None:
    row = values([0.2, 0.8], "cc", n=16)
    assert row.noise == pytest.approx(math.sqrt(2 * 0.16 / 16) / 2)
    assert values([0.2, 0.8], "cc").noise is None


def test_ratios_of_means_that_are_not_positive_are_left_out() -> None:
    for numbers in ([0.0, 0.0, 0.0], [-3.0, -2.0, -1.0]):
        row = values(numbers, "ccf")
        assert row.difference and (row.degradation_percent, row.symmetric_percent) == (None, None)


# ---- matching -------------------------------------------------------------------------------------------------------


def test_tasks_are_looked_up_in_the_set_of_their_name() -> None:
    scan = Scan({"a": {"1": "flagged", "2": "clean"}, "b": {"1": "clean", "2": "clean"}}, Path("scan"))
    scores = [Score(i, 1.0, task) for task in "abc" for i in "12"]
    joined = join(scores, scan)
    assert [row.contaminated for row in joined.rows] == [1, 0, None]
    assert joined.warnings == ["c: not checked: none of its 2 items was scanned, the first '1'"]


def test_ids_that_do_not_match_are_warned_of() -> None:
    scan = Scan({"s": {"1": "flagged", "2": "clean", "9": "clean"}}, Path("scan"))
    joined = join([Score(i, 1.0, "t") for i in ("1", "7", "2")], scan)
    assert joined.rows[0].unknown == 1
    assert joined.warnings == [
        "t: 1 of 3 items were not scanned, the first '7'",
        "s: 1 of 3 items scanned have no score, the first '9'",
    ]


def test_no_match_at_all_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"scan: none of the 2 items scored was scanned; the first missing is '7' of.*sets: s"
    ):
        join([Score("7", 1.0, "t"), Score("8", 1.0, "t")], Scan({"s": {"1": "clean"}}, Path("scan")))


# ---- files, stage and verb ------------------------------------------------------------------------------------------


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    """Runs `presage scores` in a folder with scores.jsonl and scan.json: (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    items = [Item("a", words), Item("b", words.upper()[::-1]), Item("c", "short")]
    report = Scanner(items).scan([Document("s", "d", words)])
    Path("scan.json").write_text(json.dumps(report.as_json()))
    write({"id": "a", "score": 1}, {"id": "b", "score": 0}, {"id": "c", "score": 1})

    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["scores", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def write(*rows: dict[str, Any], name: str = "scores.jsonl") -> Path:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return Path(name)


def test_the_verb_prints_raw_beside_clean(call: Call) -> None:
    code, out, err = call("scores.jsonl", "--contamination", "scan.json")
    assert (code, err) == (0, "")
    header, row = out.splitlines()
    assert header.split()[:4] == ["task", "better", "n", "contaminated"]
    assert row.split()[:7] == ["scores", "higher", "3", "1", "(33.3", "%)", "1"]
    assert row.endswith("clean")
    assert "not checked" in call("scores.jsonl")[1]


def test_json_has_every_number(call: Call) -> None:
    code, out, _ = call("scores.jsonl", "--contamination", "scan.json", "--json")
    (task,) = json.loads(out)["tasks"]
    assert (code, task["contaminated"], task["untestable"], task["quote"]) == (0, 1, 1, "clean")
    assert (task["clean"]["value"], task["dirty"]["value"]) == (0.0, 1.0)


def test_one_method_alone(call: Call) -> None:
    assert read_scan(Path("scan.json"), "gpt3").sets == {"scan.json": {"a": "flagged", "b": "clean", "c": "untestable"}}
    code, _, err = call("scores.jsonl", "--contamination", "scan.json", "--method", "gpt1")
    assert (code, err.count("\n")) == (2, 1)
    assert "was not made by method 'gpt1'" in err


def test_reports_of_several_sets_in_one_file(call: Call) -> None:
    report = json.loads(Path("scan.json").read_text())
    Path("both.json").write_text(json.dumps({"scores": report, "more": report}))
    assert (
        call("scores.jsonl", "--contamination", "both.json")[1]
        == call("scores.jsonl", "--contamination", "scan.json")[1]
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"score": 1}', "scores.jsonl:1: no key 'id'"),
        ('{"id": "a"}', "scores.jsonl:1: no key 'score'"),
        ('{"id": "a", "score": 1}\n{"id": "a", "score": 0}', "scores.jsonl:2: the id 'a' again, as at scores.jsonl:1"),
        ('{"id": "a", "score": NaN}', "scores.jsonl:1: not JSON: NaN is no JSON"),
        ('{"id": "a", "score": 1e999}', "scores.jsonl:1: 'score' is Infinity, not a finite number"),
        ('{"id": "a", "score": "0.5"}', "scores.jsonl:1: 'score' is \"0.5\", not a finite number"),
        ('{"id": "a", "score": true}', "scores.jsonl:1: 'score' is true, not a finite number"),
        ('{"id": "a", "score": 1e-200}', "scores.jsonl:1: 'score' is 1e-200, not a finite number (0, or of size"),
        ('{"id": "a", "score": 1, "n": 1' + "0" * 400 + "}", "scores.jsonl:1: 'n' is 10"),
        ('{"id": 1.5, "score": 1}', "scores.jsonl:1: 'id' is 1.5, not text or a whole number"),
        ('{"id": "\\ud800", "score": 1}', "scores.jsonl:1: 'id' is \"\\ud800\", not text"),
        ('{"id": "a", "score": 1, "stder": 0.1}', "scores.jsonl:1: unknown key 'stder' (did you mean 'stderr'?)"),
        ('{"id": "a", "score": 1, "stderr": -0.1}', "scores.jsonl:1: 'stderr' is -0.1, not a number, 0 or more"),
        ('{"id": "a", "score": 1, "n": 0}', "scores.jsonl:1: 'n' is 0, not a whole number, 1 or more"),
        ('{"id": "a", "score": 1, "better": "up"}', "scores.jsonl:1: 'better' is \"up\", not higher or lower"),
        ('{"id": "a", "score": 1}\n{"id": "b", "score": 1, "better": "lower"}', "scores.jsonl:2: 'better' is lower"),
        ('["a", 1]', "scores.jsonl:1: [\"a\", 1], not an object"),
        ("a,1", "scores.jsonl:1: not JSON"),
        ("\n\n", "scores.jsonl: holds no scores"),
        ('{"id": "q", "score": 1}', "scan.json: none of the 1 items scored was scanned; the first missing is 'q'"),
    ],
)  # fmt: skip
def test_bad_scores_are_one_line(call: Call, text: str, message: str) -> None:
    Path("scores.jsonl").write_text(text)
    code, out, err = call("scores.jsonl", "--contamination", "scan.json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"presage: {message}")


@pytest.mark.parametrize("text", ["{", "[]", '{"verdicts": 3}', '{"verdicts": {"a": "clean"}}', '{"a": {"b": 1}}'])
def test_a_bad_report_is_one_line(call: Call, text: str) -> None:
    Path("scan.json").write_text(text)
    code, _, err = call("scores.jsonl", "--contamination", "scan.json")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("presage: scan.json: not a contamination report")


def test_options_that_need_others(call: Call) -> None:
    for arguments in (
        ["--method", "gpt4"],
        ["--resume"],
        ["--contamination", "none.json"],
        ["--out", "run", "--contamination", "scan.json"],
    ):
        code, _, err = call("scores.jsonl", *arguments)
        assert (code, err.count("\n")) == (2, 1), arguments
    assert not Path("run").exists()


def test_two_files_are_two_tasks(call: Call) -> None:
    write({"id": "a", "score": 3, "better": "lower"}, name="other.jsonl")
    scores = read_scores([Path("scores.jsonl"), Path("other.jsonl")])
    assert [(score.task, score.id) for score in scores] == [
        ("scores", "a"), ("scores", "b"), ("scores", "c"), ("other", "a")]  # fmt: skip
    assert call("scores.jsonl", "other.jsonl")[0] == 0


def test_the_verb_writes_a_run(call: Call) -> None:
    assert call("scores.jsonl", "--out", "runs/scores")[0] == 0
    run = RunDir.open("runs/scores", "scores")
    assert run.config(stage.Config).scores == (Path("../../scores.jsonl"),)
    (row,) = run.read_table("scores")
    assert (row["absent"], row["raw"], row["clean"]) == ("not checked", str(2 / 3), "")


def test_the_stage_contract(call: Call, tmp_path: Path) -> None:
    assert call("scores.jsonl")[0] == 0
    run = check_stage(stage, stage.Config(scores=(Path("../../scores.jsonl"),)), tmp_path / "runs", kills=2)
    assert run.value("scores/raw") == pytest.approx(2 / 3)
    assert [row["file"] for row in run.read_table("files")] == ["scores.jsonl"]


@pytest.mark.parametrize(
    ("better", "raw", "clean", "quote"),
    [
        ("higher", (0.5, 0.75), (0.5,), "clean"),
        ("lower", (0.5, 0.75), (0.5,), "raw"),
        ("nearer 0", (-0.5, 0.25), (-0.5,), "clean"),
        ("nearer 0", (-0.5, -0.75), (-0.5,), "raw"),
    ],
)
def test_the_worse_of_raw_and_clean_is_quoted(
    tmp_path: Path, better: str, raw: tuple[float, ...], clean: tuple[float, ...], quote: str
) -> None:
    """A bias is the worse the further it is from 0, whichever way."""
    file = tmp_path / "scores.jsonl"
    lines = [json.dumps({"id": f"i{n}", "score": value, "task": "t", "better": better}) for n, value in enumerate(raw)]
    file.write_text("\n".join(lines))
    states = {f"i{n}": CLEAN if n < len(clean) else FLAGGED for n in range(len(raw))}
    (row,) = join(read_scores([file]), Scan({"t": states}, tmp_path)).rows
    assert row.clean is not None and row.clean.value == clean[0]
    assert row.quote == quote
