"""An interrupted run goes on where it stopped and ends in the same bytes; on files that changed it does not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from presage.core.errors import RunError, Stopped
from presage.core.run import RunDir
from presage.data import corpus
from presage.data.build import parts
from presage.data.build.config import Decontamination
from presage.data.build.tables import Book
from presage.data.records import read_split
from tests.data.build.made import prose, source, write
from tests.data.build.planted import everything
from tests.imports import ROOT

SMALL_PARTS = 1 << 15


def files(run: RunDir) -> dict[str, str]:
    """The digests that DONE lists, but for what is measured of the machine."""
    assert run.problems() == []
    return {name: digest for name, digest in run.read_json("DONE")["files"].items() if name != "origin.json"}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> corpus.Config:
    return everything(tmp_path_factory.mktemp("everything"))


@pytest.fixture(scope="module", autouse=True)
def small_parts() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "PART", SMALL_PARTS)
        yield


@pytest.fixture(scope="module")
def whole(config: corpus.Config, tmp_path_factory: pytest.TempPathFactory) -> RunDir:
    return corpus.run(config, tmp_path_factory.mktemp("whole") / "out")


def dying(function: Callable[..., Any], calls: int, error: BaseException) -> Callable[..., Any]:
    """The function, which raises when it is called for the last of so many times."""
    left = iter(range(calls))

    def call(*arguments: Any) -> Any:
        if next(left) == calls - 1:
            raise error
        return function(*arguments)

    return call


@pytest.mark.parametrize(
    ("owner", "name", "calls", "judged", "finished"),
    [
        (corpus, "train_classifiers", 1, 0, 0),
        (corpus, "judge", 4, 3, 0),
        (corpus, "decide", 1, 12, 0),
        (corpus, "finish", 6, 12, 5),
        (Book, "write", 1, 12, 12),
    ],
)
def test_after_a_crash_only_the_rest_is_done(
    config: corpus.Config,
    whole: RunDir,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    calls: int,
    judged: int,
    finished: int,
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr(owner, name, dying(getattr(owner, name), calls, KeyError(name)))
        corpus.run(config, out)
    for step, count in (("judged", judged), ("finished", finished)):
        assert len(list(out.glob(f"work/{step}/??????"))) == count
    before = {path: path.stat().st_mtime_ns for path in out.glob("work/*/??????/*")}
    with monkeypatch.context() as patch:
        patch.setattr(parts.Work, "end", lambda work: None)
        run = corpus.run(config, out, resume=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was done is not done again"
    assert {n: d for n, d in files(run).items() if not n.startswith("work/")} == files(whole)


def test_killed_with_sigkill_it_ends_in_the_same_bytes(config: corpus.Config, whole: RunDir, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(config.to_json())
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from presage.data import corpus\n"
        "from presage.data.build import parts, tally\n"
        f"parts.PART = {SMALL_PARTS}\n"
        "corpus.usable_cores = lambda: 1\n"
        "judged = []\n"
        "as_json = tally.Tally.as_json\n"
        "def kill(self):\n"  # when the fourth part is nearly written
        "    judged.append(self)\n"
        "    return os.kill(os.getpid(), signal.SIGKILL) if len(judged) == 4 else as_json(self)\n"
        "tally.Tally.as_json = kill\n"
        "corpus.run(corpus.Config.from_json(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "config.json"), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = sorted(path.name for path in (tmp_path / "out" / "work" / "judged").iterdir())
    assert left == ["000000", "000001", "000002", "000003.tmp"]
    run = corpus.run(config, tmp_path / "out", resume=True)
    assert files(run) == files(whole)
    assert not (run.path / "work").exists()


def test_a_signal_leaves_what_is_done(config: corpus.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    monkeypatch.setattr(corpus, "judge", dying(corpus.judge, 4, Stopped("stopped by SIGTERM")))
    with pytest.raises(Stopped):
        corpus.run(config, out)
    assert len(list(out.glob("work/judged/??????"))) == 3


# ---- files that changed ---------------------------------------------------------------------------------------------


def rewrite(path: Path) -> None:
    """As many bytes as before, but others."""
    state = path.stat()
    path.write_text(path.read_text().replace("the", "its").replace("level", "bevel"))
    assert path.stat().st_size == state.st_size
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns + 1_000_000))


def add(path: Path) -> None:
    path.with_name("new.txt").write_text(prose("new"))


@pytest.mark.parametrize(
    ("change", "name", "named"),
    [
        (rewrite, "mine/3.txt", "mine/3.txt"),
        (Path.unlink, "mine/3.txt", "mine/3.txt"),
        (add, "mine/3.txt", "mine/new.txt"),
        (rewrite, "items.csv", "items.csv"),
        (rewrite, "words.txt", "words.txt"),
    ],
)
def test_a_file_that_changed_since_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None], name: str, named: str
) -> None:
    mine = source(tmp_path / "mine", {f"{n}.txt": prose(n) for n in range(6)})
    write(tmp_path, {"items.csv": "id,text\n1,what colour has the sky over the sea at noon\n", "words.txt": "level\n"})
    config = corpus.Config.parse(
        {
            "sources": [mine.model_dump()],
            "rules": {"toxicity": {"words": str(tmp_path / "words.txt")}},
            "decontaminate": {"items": [str(tmp_path / "items.csv")]},
        }
    )
    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(KeyError):
        patch.setattr(corpus, "decide", dying(corpus.decide, 1, KeyError()))
        corpus.run(config, out)
    change(tmp_path / name)
    with pytest.raises(RunError) as caught:
        corpus.run(config, out, resume=True)
    assert "\n" not in str(caught.value)
    assert f"{tmp_path / named}, have changed since it began (begin anew)" in str(caught.value)


def test_one_killed_while_its_work_is_deleted_goes_on(
    config: corpus.Config, whole: RunDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begun(work: parts.Work) -> None:
        os.replace(work.folder, work._spent)
        raise Stopped("killed")

    out = tmp_path / "out"
    with monkeypatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(parts.Work, "end", begun)
        corpus.run(config, out)
    assert files(corpus.run(config, out, resume=True)) == files(whole)
    assert not list(out.glob("work*"))


def test_a_second_run_of_one_process_reads_its_items_anew(tmp_path: Path) -> None:
    """Between the two the file of items has been replaced."""
    questions = [prose(f"question {k}", 2).replace("\n", " ") for k in range(2)]
    texts = {f"{k}.txt": f"{prose(k)}\n{questions[k % 2]}\n{prose(k + 50)}" for k in range(8)}
    one, items = source(tmp_path / "texts", texts), tmp_path / "items.jsonl"
    config = corpus.Config(sources=(one,), decontaminate=Decontamination(items=(str(items),)))
    for number, question in enumerate(questions):
        items.write_text(json.dumps({"id": "q", "text": question}))
        run = corpus.run(config, tmp_path / f"out{number}")
        kept = " ".join(d.text for split in ("train", "val") for d in read_split(run.path, split))
        assert [wanted[:60] in kept for wanted in questions] == [number == 1, number == 0]
