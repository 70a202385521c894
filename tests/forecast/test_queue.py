"""A ladder whose rungs wait in a queue: the same ladder, and what a queue cannot do is said in one line."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest

from presage import cli
from presage.core.device import Device
from presage.core.errors import ConfigError, RunError, SealError, Stopped, Unavailable
from presage.core.queue import queued
from presage.core.workers import take_gpu
from presage.forecast import ladder
from presage.train.loop import stop_signals
from tests.forecast.conftest import RULE
from tests.tiny import make_shards, outcome

pytest.importorskip("submitit")


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_shards(tmp_path_factory.mktemp("queue")).path


def config(tokens: Path) -> ladder.Config:
    return ladder.Config(
        shards=tokens,
        rule=RULE,
        budgets=(2e8, 4e8),
        device=Device(),
        eval_tokens=512,
    )


def refuse(name: str) -> None:
    raise SealError("a seal refused", where=name)


def die() -> None:
    os._exit(7)


def wait_long(mark: Path) -> None:
    mark.with_suffix(".tmp").write_text(str(os.getpid()))
    mark.with_suffix(".tmp").rename(mark)
    time.sleep(60)


def near_its_limit(mark: Path) -> None:
    """As a run does that saves at SIGTERM; the queue sends another signal."""
    with stop_signals() as signals:
        os.kill(os.getpid(), signal.SIGUSR2)
        while not signals:
            time.sleep(0.01)
    raise Stopped("saved", where=mark)


def wrong() -> None:
    raise ZeroDivisionError("divided\nby nothing")


def test_the_same_ladder_as_on_this_machines_cores(tokens: Path, tmp_path: Path) -> None:
    here = ladder.run(config(tokens), tmp_path / "here")
    there = ladder.run(
        config(tokens), tmp_path / "there", launcher=lambda: queued("local", tmp_path / "jobs", {"timeout_min": 5})
    )
    assert outcome(here.path) == outcome(there.path)
    assert list((tmp_path / "jobs").glob("*_log.out"))


def test_what_goes_wrong_in_a_job_is_told_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("submitit.Job._results_timeout_s", 1)  # for a file that another machine wrote
    with pytest.raises(SealError, match="job-1: a seal refused"), queued("local", tmp_path, {}) as pool:
        pool.submit(refuse, "job-1").result()
    with pytest.raises(Stopped, match="mark: saved"), queued("local", tmp_path, {}) as pool:
        pool.submit(near_its_limit, Path("mark")).result()
    with (
        pytest.raises(RunError, match=r"ZeroDivisionError: divided \(its output"),
        queued("local", tmp_path, {}) as pool,
    ):
        pool.submit(wrong).result()
    with pytest.raises(RunError, match="ended without a result") as error, queued("local", tmp_path, {}) as pool:
        pool.submit(die).result()
    assert "\n" not in str(error.value) and "_log.err" in str(error.value)


def test_a_signal_cancels_what_is_queued(tmp_path: Path) -> None:
    mark = tmp_path / "began"

    def stop() -> None:
        while not mark.exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    def runs(pid: int) -> bool:
        status = Path(f"/proc/{pid}/stat")
        return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"

    threading.Thread(target=stop, daemon=True).start()
    with pytest.raises(Stopped), queued("local", tmp_path / "jobs", {}) as pool:
        pool.submit(wait_long, mark).result()
    end = time.monotonic() + 20
    while runs(int(mark.read_text())):
        assert time.monotonic() < end, "the job goes on"
        time.sleep(0.05)


def test_a_job_that_is_not_taken_and_a_signal_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal is held back while a job is handed over: what was accepted is cancelled."""
    taken, cancelled = [], []

    class Job:
        job_id = "1"

        def done(self) -> bool:
            return False

        def cancel(self, check: bool = True) -> None:
            cancelled.append(self)

    def accept(*_: object) -> Job:
        os.kill(os.getpid(), signal.SIGTERM)
        taken.append(Job())
        return taken[-1]

    def refuse_all(*_: object) -> Job:
        raise RuntimeError("sbatch: error: Batch job submission failed: Invalid account\nmore")

    monkeypatch.setattr("submitit.AutoExecutor.submit", lambda self, *_: accept())
    with pytest.raises(Stopped), queued("local", tmp_path, {}) as pool:
        pool.submit(die)
    assert taken == cancelled != []
    monkeypatch.setattr("submitit.AutoExecutor.submit", lambda self, *_: refuse_all())
    with pytest.raises(RunError, match=r"takes no job: .*Invalid account$"), queued("local", tmp_path, {}) as pool:
        pool.submit(die)


def test_a_queue_that_is_not_there_and_parameters_that_are_none(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Unavailable, match="no queue 'slurm' here"):
        ladder.run(config(tokens), tmp_path / "run", launcher=lambda: queued("slurm", tmp_path / "jobs", {}))
    assert not (tmp_path / "run").exists()
    with pytest.raises(ConfigError, match="timeout"), queued("local", tmp_path, {"timeout": 3}):
        pass
    recipe = tmp_path / "config.json"
    recipe.write_text(config(tokens).to_json())
    for job, told in ((["--job", "timeout_min"], "is not KEY=VALUE"), (["--job", "minutes=3"], "--job: ")):
        assert cli.main(["ladder", str(recipe), "--out", str(tmp_path / "run"), "--queue", "local", *job]) == 2
        said = capsys.readouterr().err
        assert told in said and said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_each_process_takes_the_next_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    monkeypatch.setattr("torch.cuda.set_device", taken.append)
    places = multiprocessing.get_context("spawn").Value("i", 0)
    for _ in range(5):
        take_gpu(places, 2)
    assert taken == [0, 1, 0, 1, 0]
