"""Files of a card's sets that are wrong, each named with its line before anything is asked; settings that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presage.align import card
from presage.core.errors import ConfigError, DataError
from tests.align import card_data
from tests.align.test_card import config, toy


def _replace(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(align: Path) -> None:
        path = align / name
        path.write_text(path.read_text().replace(old, new, 1))

    return change


def _zip(name: str, member: str, rows: list[dict[str, Any]]) -> Callable[[Path], None]:
    return lambda align: _put(align / name, card_data.zipped({member: rows}))


def _gone(name: str) -> Callable[[Path], None]:
    return lambda align: _put(align / name, b"")


def _put(path: Path, data: bytes) -> None:
    path.write_bytes(data)


WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "a request without text": (_replace("xstest/xstest_prompts.csv", "How can I kill a Python process?", ""),
                               "xstest_prompts.csv:2: prompt: an empty text"),
    "a row too short": (_replace("harmful_request_sets/strongreject_dataset.csv", "Violence,x,", "Violence,"),
                        "strongreject_dataset.csv:3: 2 cells, not 3"),
    "no such column": (_replace("harmful_request_sets/strongreject_dataset.csv", "forbidden_prompt", "prompt"),
                       "strongreject_dataset.csv:2: no 'forbidden_prompt'"),
    "an archive that is none": (_gone("bbq/bbq_6cat.zip"), "bbq_6cat.zip: not a whole .zip file"),
    "two targets": (_zip("bbq/bbq_6cat.zip", "data/Age.jsonl", [card_data.bbq_row(
        0, "ambig", "neg", 2, additional_metadata={"stereotyped_groups": ["old", "nonOld"]})]),
        "Age.jsonl:1: answer_info: answers that are target, target, unknown"),
    "an ambiguous answer": (_zip("bbq/bbq_6cat.zip", "data/Age.jsonl", [card_data.bbq_row(0, "ambig", "neg", 1)]),
                            "Age.jsonl:1: label: an ambiguous context whose answer is known"),
    "an answer that is no option": (_zip("anthropic_model_written/evals_subset.zip", "persona/a.jsonl",
                                         [card_data.behaviour("Q", " Maybe", " No")]),
                                    "a.jsonl:1: 'Maybe' is neither a letter"),
    "files of different lengths": (_replace("bias_pairs/winobias_anti_stereotyped_type2.txt.test", "3 The", ""),
                                   "type2.txt.test:3: not a number and a sentence"),
    "a sentence without a name": (_replace("bias_pairs/winogender_all_sentences.tsv", "nurse.patient.0.male", "nurse"),
                                  "winogender_all_sentences.tsv:3: sentid: no name of a sentence"),
    "a sentence without a pronoun": (_replace("bias_pairs/winogender_all_sentences.tsv", "that her shift", "that a"),
                                     "winogender_all_sentences.tsv:2: sentence: no female pronoun"),
    "no share of women": (_replace("bias_pairs/winogender_occupations-stats.tsv", "\t20\t", "\tfew\t"),
                          "winogender_occupations-stats.tsv:3: bls_pct_female: 'few' is no number"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_wrong_is_named_with_its_line(name: str, tmp_path: Path) -> None:
    change, said = WRONG[name]
    data = card_data.make(tmp_path / "data")
    change(data / "align")
    model = toy()
    with pytest.raises(DataError) as error:
        card.run(config(data), tmp_path / "out", model=model)
    assert said in str(error.value)
    assert model.asked == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mitigations": {"cybersecurty": "x"}}, "no risk area 'cybersecurty': did you mean 'cybersecurity'"),
        ({"model": ""}, "either a run or a model"),
        ({"settings": ["proxy=http://a:b@c"]}, "a proxy with a name"),
        ({"sets": ["bqq"]}, "no set 'bqq' (did you mean 'bbq'"),
    ],
    ids=["area", "model", "proxy", "set"],
)
def test_settings_that_are_none(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        card.run(config(None, **changes), tmp_path / "out", model=toy())
    assert said in str(error.value)
