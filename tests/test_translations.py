"""`presage make translations`: the table that translated MMLU reads, interrupted, gone on with, refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from presage import cli
from presage.infer import opening
from presage.recipes.translations import PART_OF_ENDPOINT
from presage.tasks.library import find
from tests.infer.endpoint import Body, Reply, error, honest, serving
from tests.tasks.test_translated import folder_with
from tests.toy_model import ToyModel

Outcome = Callable[..., tuple[int, str, str]]
TEXTS = 1 + 5 + 20 + 20 + 3  # instruction; questions of dev and test; a0 to a19; b c d


class Translating:
    """An endpoint that translates into capitals, and breaks down after `good` texts. `texts` counts what it was asked.

    empty: a text it answers with nothing.
    """

    def __init__(self, good: int = 10**9, empty: str = "") -> None:
        self.good, self.empty = good, empty
        self.texts: Counter[str] = Counter()

    def __call__(self, path: str, body: Body) -> Reply:
        if body.get("max_tokens") == 1:
            return honest(path, body)
        text = body["messages"][-1]["content"].split("\nText:\n")[1].split("\n###")[0]
        self.texts[text] += 1
        if self.good == 0:
            return error(401, "no money left")
        self.good -= 1
        return honest(path, body, words="" if text == self.empty else f"fr:{text.upper()}\n###")


@pytest.fixture
def presage(capsys: pytest.CaptureFixture[str]) -> Outcome:
    """`presage make translations --language fr` of 20 questions: (exit code, standard output, standard error)."""

    def call(data: Path, model: str, *more: str) -> tuple[int, str, str]:
        settings = ("--set", "concurrency=1", "attempts=1", "price_in=1000.0") if model.startswith("http") else ()
        code = cli.main(["make", "translations", "--language", "fr", f"--data={data}", f"--model={model}", *more,
                         *settings])  # fmt: skip
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def test_an_endpoint_fills_the_table_where_the_task_finds_it(tmp_path: Path, presage: Outcome) -> None:
    folder, rule = folder_with(tmp_path, 20), Translating()
    with serving(rule) as endpoint:
        code, out, err = presage(folder, f"{endpoint.url}#toy")
    assert code == 0, err
    table = folder / "translations" / "fr.jsonl"
    first, spent, path = out.splitlines()
    assert first == f"{TEXTS} texts: {TEXTS} asked, 0 from {table}.replies"
    tokens = int(spent.split("prompt_tokens ")[1].split(", completion")[0].replace(",", ""))
    assert spent.endswith(f"cost {tokens / 1000:,.4f}")
    assert tokens > 0
    assert path == str(table)
    assert find("mmlu_translated:fr").data.examples(folder, 0)[19].options == ("fr:A19", "fr:B", "fr:C", "fr:D")
    assert set(rule.texts.values()) == {1}


def test_an_interrupted_call_goes_on_and_asks_no_kept_text_twice(tmp_path: Path, presage: Outcome) -> None:
    folder, rule = folder_with(tmp_path, 20), Translating(good=2 * PART_OF_ENDPOINT)
    with serving(rule) as endpoint:
        code, _, err = presage(folder, f"{endpoint.url}#toy")
        assert code == 2
        assert "no money left" in err
        assert not (folder / "translations" / "fr.jsonl").exists(), "a table is whole or not there"
        rule.good, asked = 10**9, rule.texts.copy()
        code, out, err = presage(folder, f"{endpoint.url}#toy")
    assert code == 0, err
    assert out.startswith(f"{TEXTS} texts: {TEXTS - 2 * PART_OF_ENDPOINT} asked, {2 * PART_OF_ENDPOINT} from ")
    twice = [text for text, count in rule.texts.items() if count > 1]
    assert twice == [text for number, text in enumerate(asked) if number == 2 * PART_OF_ENDPOINT], "the one refused"
    assert len(rule.texts) == TEXTS


def test_an_empty_reply_is_an_error_and_all_others_are_kept(tmp_path: Path, presage: Outcome) -> None:
    folder, rule = folder_with(tmp_path, 20), Translating(empty="test 3?")
    with serving(rule) as endpoint:
        code, out, err = presage(folder, f"{endpoint.url}#toy")
        assert (code, out) == (2, "")
        assert "prompted:toy: no translation of 'test 3?': an empty reply (what was translated is kept" in err
        assert not (folder / "translations" / "fr.jsonl").exists()
        rule.empty = ""
        code, out, err = presage(folder, f"{endpoint.url}#toy")
    assert code == 0, err
    assert out.startswith(f"{TEXTS} texts: 1 asked, {TEXTS - 1} from ")
    assert [text for text, count in rule.texts.items() if count > 1] == ["test 3?"]


def test_nothing_more_is_asked_where_a_whole_batch_is_empty(tmp_path: Path, presage: Outcome) -> None:
    rule = Translating()
    with serving(lambda path, body: rule(path, body) and honest(path, body, words="")) as endpoint:
        code, _, err = presage(folder_with(tmp_path, 20), f"{endpoint.url}#toy")
    assert code == 2
    assert f"an empty reply; nor of {PART_OF_ENDPOINT - 1} more" in err
    assert len(rule.texts) == PART_OF_ENDPOINT


def test_a_reply_that_was_cut_off_is_none(tmp_path: Path, presage: Outcome) -> None:
    folder, rule = folder_with(tmp_path, 20), Translating()
    with serving(rule) as endpoint:
        code, _, err = presage(folder, f"{endpoint.url}#toy", "--max-tokens=12")
        assert code == 2
        assert "'A highly knowledgeable and intelligent AI model answers mult': a reply cut off at 12 tokens" in err
        code, out, err = presage(folder, f"{endpoint.url}#toy")
    assert code == 0, err
    assert out.startswith(f"{TEXTS} texts: 1 asked, {TEXTS - 1} from "), "only what was cut off is asked again"


def test_a_model_on_this_machine_and_a_table_elsewhere(
    tmp_path: Path, presage: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []
    toy = ToyModel(write=lambda prompt, sample: " Le chat.\n###")

    def open_model(spec: str, **settings: object) -> ToyModel:
        given.append((spec, settings))
        return toy

    monkeypatch.setattr(opening, "open_model", open_model)
    elsewhere = tmp_path / "mine.jsonl"
    code, out, err = presage(folder_with(tmp_path / "d", 20), "runs/a", "--out", str(elsewhere), "--set", "stride=5")
    assert code == 0, err
    place = tmp_path / "d" / "translations" / "fr.jsonl"
    assert out.splitlines()[1:] == [f"the task reads it as {place}, or below any other folder given with --data",
                                    str(elsewhere)]  # fmt: skip
    assert given == [("runs/a", {"stride": 5})]
    assert len(toy.asked) == TEXTS == len(elsewhere.read_text().splitlines())
    assert json.loads(elsewhere.read_text().splitlines()[0])["translation"] == "Le chat."
    code, _, err = presage(tmp_path / "d", "runs/a", "--out", str(elsewhere))
    assert code == 2
    assert "there is something of this name" in err


@pytest.mark.parametrize(
    ("language", "hint"),
    [("French", "did you mean 'fr'?"), ("frr", "did you mean 'fr'?"), ("en", "ask mmlu_translated:en as it is"),
     ("", "known: af, ar,"), ("../fr", "known: af, ar,")],
)  # fmt: skip
def test_what_is_no_language_is_said_before_a_model_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], language: str, hint: str
) -> None:
    folder = folder_with(tmp_path)
    arguments = ["make", "translations", "--language", language, f"--data={folder}", "--model", "https://no.where/v1"]
    assert cli.main(arguments) == 2
    said = capsys.readouterr().err
    assert hint in said
    assert f"--language {language}: " in said
    assert not (tmp_path / "translations").exists()


def test_missing_questions_are_said_before_a_model_is_opened(tmp_path: Path, presage: Outcome) -> None:
    code, _, err = presage(tmp_path, "https://no.where/v1")
    assert code == 2
    assert "no file mmlu_test.jsonl* or " in err
    assert list(tmp_path.iterdir()) == []
