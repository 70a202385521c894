"""The engine's thread: many at once, who leaves, who fails, and the end."""

from __future__ import annotations

import queue
import threading
from typing import Any

import pytest
import torch

from presage.core.errors import ConfigError
from presage.infer.engine.asks import Ask, Draw, Event
from presage.infer.engine.batcher import Batcher
from presage.infer.engine.runner import Runner
from tests.infer.engine.test_batcher import answers, ids, model, prompts

LIMIT = 60.0


def heard(box: queue.Queue[Event]) -> list[Event]:
    found = [box.get(timeout=LIMIT)]
    while found[-1].finish is None:
        found.append(box.get(timeout=LIMIT))
    return found


def test_many_threads_ask_at_once() -> None:
    asks = [Ask(p, 10, Draw(0.0)) for p in prompts(12)]
    alone = [ids(events) for events in answers(Batcher(model()), asks)]
    runner = Runner(Batcher(model(), rows=4)).start()
    found: dict[int, list[int]] = {}

    def one(number: int) -> None:
        box: queue.Queue[Event] = queue.Queue()
        runner.submit(asks[number], box.put)
        found[number] = ids(heard(box))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(len(asks))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert [found[number] for number in range(len(asks))] == alone
    assert (runner.active, runner.waiting, runner.tokens_written) == (0, 0, 120)
    assert runner.stop(LIMIT) and not runner.alive


def test_who_cancels_and_whose_sink_fails() -> None:
    runner = Runner(Batcher(model(), rows=2)).start()
    left, calls = queue.Queue[Event](), []

    def failing(event: Event) -> None:
        calls.append(event)
        raise ValueError("nobody listens")

    runner.submit(Ask([1, 2], 10_000, Draw(0.0)), failing)
    key = runner.submit(Ask([1, 2], 10_000, Draw(0.0)), left.put)
    left.get(timeout=LIMIT)
    runner.cancel(key)
    assert heard(left)[-1].finish == "cancelled"
    box: queue.Queue[Event] = queue.Queue()
    runner.submit(Ask([3], 2, Draw(0.0)), box.put)
    assert heard(box)[-1].finish == "length" and len(calls) == 1
    assert runner.stop(LIMIT)


def test_an_error_of_the_model_ends_those_at_work_and_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    one = model()
    runner = Runner(Batcher(one)).start()
    with monkeypatch.context() as patch:
        patch.setattr(one, "logits", lambda hidden: torch.full((len(hidden), 211), torch.nan))
        box: queue.Queue[Event] = queue.Queue()
        runner.submit(Ask([1], 5), box.put)
        event = heard(box)[-1]
        assert event.finish == "error" and "no finite log-probabilities" in event.trouble
    again: queue.Queue[Event] = queue.Queue()
    runner.submit(Ask([1], 5), again.put)
    assert heard(again)[-1].finish == "length"
    with pytest.raises(ConfigError, match="empty prompt"):
        runner.submit(Ask([], 5), again.put)
    assert runner.stop(LIMIT)


def test_the_end_is_told_to_all() -> None:
    runner = Runner(Batcher(model(), rows=1)).start()
    boxes: list[queue.Queue[Event]] = [queue.Queue() for _ in range(3)]
    for box in boxes:
        runner.submit(Ask([1, 2, 3], 10_000_000, Draw(0.0)), box.put)
    assert runner.stop(LIMIT)
    assert [heard(box)[-1].finish for box in boxes] == ["cancelled"] * 3
    ask: Any = Ask([1], 1)
    with pytest.raises(RuntimeError, match="stopped"):
        runner.submit(ask, boxes[0].put)
