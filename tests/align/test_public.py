"""Public files of demonstrations and preferences: what is split, what cannot be, and the real files."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections import Counter
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from presage.align.public import Unsplit, codegen, hh_pairs, public_demonstrations, seed_tasks
from presage.align.records import Demonstration, line_of, read_preferences, split, write_records
from presage.core.errors import DataError
from presage.data.verbs import Message

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "align"
here = pytest.mark.skipif(not SHARED.is_dir(), reason="the public files (../shared/data/align) are not here")
HH = SHARED / "hh_rlhf_harmless" / "harmless_base_test.jsonl.gz"
SFT = SHARED / "instruction_sft"


def pairs_file(folder: Path, *pairs: tuple[str, str]) -> Path:
    """Dialogues as hh-rlhf has them."""
    path = folder / "pairs.jsonl.gz"
    lines = (json.dumps({"chosen": a, "rejected": b}) for a, b in pairs)
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


ASK = "\n\nHuman: Hi\n\nAssistant: Hello\n\nHuman: Bye"


def test_a_pair_is_what_the_two_share_and_their_last_turns(tmp_path: Path) -> None:
    found = hh_pairs(pairs_file(tmp_path, (f"{ASK}\n\nAssistant: So long", f"{ASK}\n\nAssistant:  So.\n\nBye ")))
    (one,) = found.kept
    assert one.prompt == (Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Bye"))
    assert (one.completions, one.ranks, one.id) == (("So long", "So.\n\nBye"), (1, 2), "pairs.jsonl.gz:1")
    assert found.unsplit == ()


UNSPLIT = {
    "an answer is empty": (f"{ASK}\n\nAssistant: ", f"{ASK}\n\nAssistant: So", "an empty turn"),
    "an earlier turn is empty": ("\n\nHuman: \n\nAssistant: a", "\n\nHuman: \n\nAssistant: b", "an empty turn"),
    "one goes on": (
        f"{ASK}\n\nAssistant: So\n\nHuman: What\n\nAssistant: So",
        f"{ASK}\n\nAssistant: No",
        "they differ in more than the last turn",
    ),
    "the other goes on": (ASK, f"{ASK}\n\nAssistant: No", "one is the other, or its beginning"),
    "the two are one": (ASK, ASK, "one is the other, or its beginning"),
    "a question differs": ("\n\nHuman: a", "\n\nHuman: b", "the last turn is not the assistant's"),
    "nobody asks": ("\n\nAssistant: a", "\n\nAssistant: b", "no prompt"),
    "no turns": ("Hello", f"{ASK}\n\nAssistant: a", "does not begin with a turn"),
    "words before": ("Hello\n\nHuman: a", f"{ASK}\n\nAssistant: a", "does not begin with a turn"),
}


@pytest.mark.parametrize("name", UNSPLIT)
def test_a_pair_that_cannot_be_split_is_reported(name: str, tmp_path: Path) -> None:
    a, b, reason = UNSPLIT[name]
    path = pairs_file(tmp_path, (a, b), (f"{ASK}\n\nAssistant: x", f"{ASK}\n\nAssistant: y"), (b, a))
    found = hh_pairs(path)
    assert found.unsplit == (Unsplit(f"{path}:1", reason), Unsplit(f"{path}:3", reason))
    assert found.reasons == {reason: 2}
    assert [one.id for one in found.kept] == ["pairs.jsonl.gz:2"]


def test_rows_that_are_no_dialogues_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for text, said in (('{"chosen": "a"}', ":1: no 'rejected'"), ('{"chosen": 1, "rejected": ""}', ":1: chosen: ")):
        path.write_text(text)
        with pytest.raises(DataError, match=said):
            hh_pairs(path)


WORDS = st.text("ab .\n", min_size=1, max_size=8).filter(lambda text: text.strip() and "\n\n" not in text)


@given(st.lists(WORDS, min_size=1, max_size=5), WORDS, WORDS)
def test_what_was_joined_is_split_again(turns: list[str], a: str, b: str) -> None:
    speakers = ["Human", "Assistant"] if len(turns) % 2 else ["Assistant", "Human"]
    begin = "".join(f"\n\n{speakers[n % 2]}: {text}" for n, text in enumerate(turns))
    with tempfile.TemporaryDirectory() as folder:
        found = hh_pairs(pairs_file(Path(folder), (f"{begin}\n\nAssistant: {a}", f"{begin}\n\nAssistant: {b}")))
    if a.strip() == b.strip():
        assert found.reasons == {"one is the other, or its beginning": 1}
    else:
        assert [message.content for message in found.kept[0].prompt] == [text.strip() for text in turns]
        assert found.kept[0].completions == (a.strip(), b.strip())


def test_demonstrations_of_each_form(tmp_path: Path) -> None:
    seed = {"id": "s", "instruction": "Add. ", "is_classification": True, "instances": []}
    seed["instances"] = [{"input": "1 1", "output": "2\n"}, {"input": "", "output": "0"}]
    (tmp_path / "seeds.jsonl").write_text(json.dumps(seed))
    first, second = seed_tasks(tmp_path / "seeds.jsonl")
    assert first == Demonstration((Message("user", "Add.\n\n1 1"), Message("assistant", "2")), "s", "classification")
    assert (second.id, second.prompt[0].content) == ("s:2", "Add.")
    row = {"instruction": "Who?", "context": "Ada did.", "response": "Ada", "category": "qa"}
    (tmp_path / "dolly.jsonl").write_text(json.dumps(row))
    (found,) = public_demonstrations(tmp_path / "dolly.jsonl")
    assert (found.prompt[0].content, found.answer, found.category) == ("Who?\n\nAda did.", "Ada", "qa")
    (tmp_path / "code.json").write_text(json.dumps([{"instruction": "Print.", "input": "", "response": "print()"}]))
    (found,) = codegen(tmp_path / "code.json")
    assert (found.prompt[0].content, found.answer, found.id) == ("Print.", "print()", "code.json:1")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"instances": []}, "not a list of objects"),
        ({"instances": [{"input": "", "output": " "}]}, "instances 1: output: "),
        ({"instances": [{"input": "", "output": "\ud800"}]}, "half a surrogate pair"),
        ({"instances": [{"input": 7, "output": "a"}]}, "input: 7 is no text"),
        ({"instruction": ""}, "instruction: an empty text"),
        ({"is_classification": 1}, "is_classification: 1 is none of False, True"),
    ],
    ids=["no instances", "empty output", "half surrogate", "input a number", "no instruction", "no kind"],
)
def test_a_bad_demonstration_is_named(change: dict[str, object], said: str, tmp_path: Path) -> None:
    good = {"id": "s", "instruction": "Add.", "is_classification": True, "instances": [{"input": "1", "output": "1"}]}
    path = tmp_path / "seeds.jsonl"
    path.write_text(f"{json.dumps(good)}\n{json.dumps({**good, **change})}")
    with pytest.raises(DataError) as raised:
        seed_tasks(path)
    assert str(raised.value).startswith(f"{path}:2")
    assert said in str(raised.value)


def test_a_file_of_another_name_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="known: self_instruct_seed_tasks…, dolly…"):
        public_demonstrations(tmp_path / "alpaca.json")


# ---- the real files --------------------------------------------------------------------------------------------------


@here
def test_hh_rlhf(tmp_path: Path) -> None:
    """2,312 pairs (PROVENANCE.txt); four answers are empty, five dialogues go on after they part."""
    found = hh_pairs(HH)
    assert (len(found.kept), len(found.unsplit)) == (2303, 9)
    assert found.reasons == {"an empty turn": 4, "they differ in more than the last turn": 5}
    assert [one.where.rpartition(":")[2] for one in found.unsplit[:2]] == ["87", "517"]
    assert all(one.prompt[-1].role == "user" for one in found.kept)
    left, right = split(found.kept)
    assert len(left) + len(right) == 2303
    assert not {one.prompt for one in left} & {one.prompt for one in right}
    assert abs(len(left) / 2303 - 0.8) < 0.03
    write_records(tmp_path / "p.jsonl", found.kept)
    assert tuple(read_preferences(tmp_path / "p.jsonl")) == found.kept


@here
@pytest.mark.parametrize(
    ("name", "count", "prompts", "categories"),
    [
        ("self_instruct_seed_tasks.jsonl", 175, 175, {"generation", "classification"}),
        ("dolly_1000.jsonl.xz", 1000, 997, {"closed_qa"}),
        ("codegen_instruct.json.xz", 4535, 4535, {""}),
    ],
)
def test_instructions(name: str, count: int, prompts: int, categories: set[str]) -> None:
    """As many as PROVENANCE.txt says; each can be written."""
    found = public_demonstrations(SFT / name)
    assert (len(found), len({one.prompt for one in found}), set(Counter(one.category for one in found))) == (
        count,
        prompts,
        categories,
    )
    assert all(line_of(one) for one in found)
    assert median(len(one.answer) for one in found) > 20
