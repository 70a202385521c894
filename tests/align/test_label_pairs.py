"""Two models answer the same prompts: everything said is there, in an order that says nothing of who said it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from presage.align.label_pairs import EMPTY, Request, answers, pairs, read_requests, write_tasks
from presage.align.label_tasks import read_tasks
from presage.core.errors import DataError
from presage.data.verbs import Completion, Decoding, Generation, Message


@dataclass
class Echo:
    """Says its own name and the prompt's last words; nothing to "Silence."."""

    name: str

    def generate(self, requests: Sequence[Generation]) -> list[list[Completion]]:
        return [[self._said(one)] for one in requests]

    def _said(self, one: Generation) -> Completion:
        assert isinstance(one.prompt, tuple)
        text = one.prompt[-1].content
        return Completion("" if text == "Silence." else f" {self.name}: {text} {one.seed % 97}\n", None, 1, "stop")


def file_of(folder: Path, *rows: object) -> Path:
    path = folder / "prompts.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


def test_prompts_are_text_or_messages(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}]
    found = read_requests(
        file_of(
            tmp_path, {"id": "a", "prompt": "Hi", "category": "c", "group": "g"}, {"messages": turns}, {"prompt": turns}
        )
    )
    assert found[0] == Request("a", (Message("user", "Hi"),), "c", "g")
    assert [one.prompt for one in found[1:]] == [(Message("user", "Hi"),)] * 2
    with pytest.raises(DataError, match=r"prompts.jsonl:1: no 'prompt'"):
        read_requests(file_of(tmp_path, {"text": "Hi"}))


def test_both_answers_are_there_and_who_gave_which(tmp_path: Path) -> None:
    requests = [Request(f"p{n}", (Message("user", f"q {n}"),), "c", "g") for n in range(60)]
    written = {name: answers(Echo(name), requests, Decoding(), 3) for name in ("ours", "theirs")}  # type: ignore[arg-type]
    tasks = pairs(requests, written, seed=1)
    for task in tasks:
        assert set(task.sources) == {"ours", "theirs"}
        for text, source in zip(task.completions, task.sources, strict=True):
            assert text.startswith(f"{source}: {task.prompt[0].content}")
    first = sum(one.sources[0] == "ours" for one in tasks)
    assert abs(first - 30) < 16  # four deviations of 3.9
    write_tasks(tmp_path / "t.jsonl", tasks)
    assert read_tasks(tmp_path / "t.jsonl") == tasks


def test_a_sample_is_of_its_prompt_whatever_else_is_asked() -> None:
    many = [Request(f"p{n}", (Message("user", "q"),)) for n in range(5)]
    whole = answers(Echo("a"), many, Decoding(), 0)  # type: ignore[arg-type]
    assert answers(Echo("a"), many[3:], Decoding(), 0) == whole[3:]  # type: ignore[arg-type]
    assert len(set(whole)) > 1


def test_an_answer_that_says_nothing_is_shown_as_that(tmp_path: Path) -> None:
    asked = [Request("p", (Message("user", "Silence."),))]
    found = answers(Echo("a"), asked, Decoding())  # type: ignore[arg-type]
    assert found == [EMPTY]
    write_tasks(tmp_path / "t.jsonl", pairs(asked, {"a": found, "b": ["Shh."]}))
    assert set(read_tasks(tmp_path / "t.jsonl")[0].completions) == {EMPTY, "Shh."}
