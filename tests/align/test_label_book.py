"""A person's way through their tasks: on disk before the next, taken back for good, gone on with, one writer."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from presage.align.label_book import SKIPPED, Stale
from presage.align.label_tasks import Task
from presage.align.records import read_preferences
from presage.core.errors import DataError, RunError
from tests.align.labelled import MANY, PAIRS, answer_of, book_of, rows, save, step
from tests.imports import ROOT


def asked(state: dict[str, object]) -> str:
    task = state["task"]
    assert isinstance(task, dict)
    return str(task["prompt"][0]["content"])


def test_a_label_is_on_disk_before_the_next_is_asked(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    book = book_of(out)
    assert asked(book.state()) == "Question 0?"
    state = save(book, 1, 2)
    assert [one.id for one in read_preferences(out)] == ["t0"]
    assert (asked(state), state["done"], state["total"], state["turn"]) == ("Question 1?", 1, 4, 1)
    book.close()


def test_the_last_label_is_taken_back_on_disk_and_shown_again(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    book = book_of(out)
    save(book, 1, 2)
    before = out.read_bytes()
    save(book, 2, 1, ratings=[3, None])
    state = step(book, "undo")
    assert out.read_bytes() == before
    assert asked(state) == "Question 1?"
    assert state["earlier"] == answer_of(2, 1, ratings=[3, None])
    save(book, 1, 1)
    assert [row["id"] for row in rows(out)] == ["t0", "t1"]
    assert rows(out)[1]["ranks"] == [1, 1]
    assert book.state()["earlier"] is None
    for _ in range(2):
        step(book, "undo")
    with pytest.raises(DataError, match="nothing to take back"):
        step(book, "undo")
    book.close()
    assert not out.exists()


def test_what_was_skipped_is_no_label_and_can_be_taken_back(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    book = book_of(out)
    assert asked(step(book, "skip")) == "Question 1?"
    save(book, 1, 2)
    assert [row["id"] for row in rows(out)] == ["t1"]
    assert [row["id"] for row in rows(tmp_path / f"l.jsonl{SKIPPED}")] == ["t0"]
    step(book, "undo")
    assert asked(step(book, "undo")) == "Question 0?"
    assert rows(tmp_path / f"l.jsonl{SKIPPED}") == []
    book.close()


def test_it_goes_on_where_this_person_stopped(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    first = book_of(out)
    save(first, 1, 2)
    step(first, "skip")
    first.close()
    again, other = book_of(out), None
    assert (asked(again.state()), again.state()["done"], again.state()["skipped"]) == ("Question 2?", 1, 1)
    again.close()
    other = book_of(out, who="Ben")
    assert (asked(other.state()), other.state()["done"], other.state()["undo"]) == ("Question 0?", 0, False)
    save(other, 2, 1)
    other.close()
    assert [(one.id, one.who) for one in read_preferences(out)] == [("t0", "Ada"), ("t0", "Ben")]
    last = book_of(out)
    assert last.state()["undo"] is False, "what is before another person's label stays"
    last.close()


def test_a_label_of_an_earlier_session_can_be_taken_back(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    first = book_of(out)
    save(first, 1, 2)
    save(first, 1, 2)
    first.close()
    again = book_of(out)
    state = step(again, "undo")
    assert (asked(state), state["earlier"], again.written) == ("Question 1?", None, 0)
    assert [row["id"] for row in rows(out)] == ["t0"]
    again.close()


def test_of_two_windows_one_is_heard(tmp_path: Path) -> None:
    book = book_of(tmp_path / "l.jsonl")
    body = {"turn": 0, "answer": answer_of(1, 2)}
    book.act("save", body)
    for verb in ("save", "skip", "undo"):
        with pytest.raises(Stale):
            book.act(verb, body)
    assert book.state()["done"] == 1
    book.close()


@pytest.mark.parametrize("turn", [0.0, False, "0", None])
def test_a_turn_is_a_whole_number(tmp_path: Path, turn: object) -> None:
    book = book_of(tmp_path / "l.jsonl")
    with pytest.raises(DataError, match="no whole number"):
        book.act("save", {"turn": turn, "answer": answer_of(1, 2)})
    assert book.state()["done"] == 0
    book.close()


def test_many_threads_at_once_write_each_label_once(tmp_path: Path) -> None:
    tasks = [Task(f"t{n}", PAIRS[0].prompt, ("a", "b" * 5000)) for n in range(40)]
    out = tmp_path / "l.jsonl"
    book = book_of(out, *tasks)

    def work() -> None:
        while (state := book.state())["task"] is not None:
            try:
                book.act("save", {"turn": state["turn"], "answer": answer_of(1, 2)})
            except Stale:
                continue

    threads = [threading.Thread(target=work) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    book.close()
    assert [one.id for one in read_preferences(out)] == [one.id for one in tasks]


def test_a_torn_line_is_mended_and_asked_again(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    book = book_of(out)
    save(book, 1, 2)
    save(book, 2, 1)
    book.close()
    out.write_bytes(out.read_bytes()[:-20])
    again = book_of(out)
    assert asked(again.state()) == "Question 1?"
    assert [row["id"] for row in rows(out)] == ["t0"]
    save(again, 2, 1)
    again.close()
    assert len(read_preferences(out)) == 2


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.align.labelled import book_of, save
book = book_of(Path(sys.argv[1]))
save(book, 1, 2), save(book, 2, 1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_process_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    done = subprocess.run([sys.executable, "-c", KILLED, str(out)], cwd=ROOT, check=False)
    assert done.returncode == -9
    assert [one.id for one in read_preferences(out)] == ["t0", "t1"]
    again = book_of(out)
    assert asked(again.state()) == "Question 2?"
    again.close()


def test_a_second_writer_is_refused_and_the_first_undisturbed(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    book = book_of(out)
    with pytest.raises(RunError, match="another process writes to it"):
        book_of(out, who="Ben")
    save(book, 1, 2)
    book.close()
    book_of(out, who="Ben").close()
    assert len(rows(out)) == 1


def test_nothing_of_a_file_changed_from_elsewhere_is_cut_off(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    book = book_of(out)
    save(book, 1, 2)
    changed = out.read_bytes().replace(b"Question", b"QUESTION") + b"{}\n"
    out.write_bytes(changed)
    with pytest.raises(DataError, match="changed from elsewhere"):
        step(book, "undo")
    assert out.read_bytes() == changed
    assert book.state()["done"] == 1
    book.close()


@pytest.mark.parametrize("again", [b"", None])
def test_labels_go_to_no_other_file_of_the_same_name(tmp_path: Path, again: bytes | None) -> None:
    """Whoever edits a file of labels mostly puts a new one in its place, which is not the one that is locked."""
    out = tmp_path / "l.jsonl"
    book = book_of(out)
    save(book, 1, 2)
    save(book, 1, 2)
    out.unlink()
    if again is not None:
        out.write_bytes(again)
    for verb in ("save", "undo"):
        with pytest.raises(DataError, match="removed or replaced from elsewhere"):
            book.act(verb, {"turn": book.turn, "answer": answer_of(1, 2)})
    with pytest.raises(DataError, match="removed or replaced from elsewhere"):
        book.check()
    assert book.state()["done"] == 2
    assert rows(out) == []
    book.close()


def test_labels_of_other_texts_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "l.jsonl"
    book = book_of(out)
    save(book, 1, 2)
    book.close()
    with pytest.raises(DataError, match="'t0' is of another prompt or completions here"):
        book_of(out, Task("t0", PAIRS[0].prompt, ("other", "texts")))
    book_of(out, Task("else", PAIRS[0].prompt, ("other", "texts"))).close()
    out.write_text('{"prompt": "a file of something else"}\n')
    with pytest.raises(DataError, match=r"l[.]jsonl:1"):
        book_of(out)


def test_nothing_is_written_after_the_end(tmp_path: Path) -> None:
    book = book_of(tmp_path / "l.jsonl", MANY)
    save(book, 1, 2, 2, 1)
    with pytest.raises(DataError, match="nothing is asked any more"):
        save(book, 1, 2, 2, 1)
    assert book.state()["task"] is None
    assert book.summary == "1 labelled now, 1 of 1 by Ada in all"
    book.close()
    with pytest.raises(Stale):
        step(book, "undo")
    assert len(rows(tmp_path / "l.jsonl")) == 1


def test_a_full_disk_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = book_of(tmp_path / "l.jsonl")

    def full(path: Path, line: bytes) -> None:
        raise RunError("cannot write: No space left on device", where=path)

    with monkeypatch.context() as patch:
        patch.setattr("presage.align.label_log.append_line", full)
        with pytest.raises(RunError, match="No space left"):
            save(book, 1, 2)
    assert (book.state()["done"], book.state()["turn"]) == (0, 0)
    save(book, 1, 2)
    assert [json.loads(line)["id"] for line in (tmp_path / "l.jsonl").read_text().splitlines()] == ["t0"]
    book.close()
