"""What chat and completions have in common: sequences written for a place, judged where there is a policy, counted."""

from __future__ import annotations

import asyncio
import secrets
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar

from presage.serve.asked import Plan, check_model
from presage.serve.endpoint import Endpoint, Sending
from presage.serve.errors import ApiError
from presage.serve.house import House, Place
from presage.serve.policy import PASSED, Case, Finding, Side
from presage.serve.wire import Drawn

Form = TypeVar("Form", bound=Drawn)
Chunk = Mapping[str, Any]


class Writer(Endpoint[Form]):
    """An endpoint that has the model write."""

    prefix: str

    @abstractmethod
    def plan(self, request: Form) -> Plan:
        """What is to be written. Raises ApiError or PresageError. Takes a moment: images are read here."""

    @abstractmethod
    def whole(self, head: Chunk, request: Form, plan: Plan) -> dict[str, Any]:
        """The answer, once all is written."""

    @abstractmethod
    def pieces(self, head: Chunk, request: Form, plan: Plan) -> Pieces:
        """How it is told piece by piece."""

    def worker(self, request: Form) -> Endpoint[Form]:
        """The same for the model that is asked for, where several are served."""
        other = self.house.others.get(request.model)
        return self if other is None else type(self)(other)

    async def answer(self, request: Form, place: Place, to: Sending) -> None:
        """Answer one request."""
        check_model(self.house.served, request.model)
        plan = await asyncio.to_thread(self.plan, request)
        found = await judged(self.house, place, plan.judged, "input")
        if found.action == "blocked":
            message = f"The request is against the usage policy ({found.category})."
            raise ApiError(403, message, code="content_policy")
        head = {
            "id": f"{self.prefix}-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": self.house.served.id,
        }
        if request.stream:
            await to.stream(self._streamed(head, request, place, plan), found.header)
            return
        async for _ in written(self.house, place, plan):
            pass
        found = await self._withheld(place, plan, found)
        answer = self.whole(head, request, plan) | {"usage": self._settled(place, plan)}
        await to.whole(answer, found.header)

    async def _streamed(self, head: Chunk, request: Form, place: Place, plan: Plan) -> AsyncIterator[Chunk]:
        """Events as they come; under a policy an answer is told only when it was judged whole."""
        pieces = self.pieces(head, request, plan)
        none: Chunk = {"usage": None} if request.with_usage else {}
        for chunk in pieces.begin() if self.house.usage is None else []:
            yield {**chunk, **none}
        async for number, piece in written(self.house, place, plan):
            for chunk in pieces.more(number, piece) if self.house.usage is None else []:
                yield {**chunk, **none}
        usage = self._settled(place, plan)
        if self.house.usage is not None:
            await self._withheld(place, plan, PASSED)
            late = [*pieces.begin(), *(c for n, said in enumerate(plan.said) for c in pieces.more(n, said.text))]
            for chunk in late:
                yield {**chunk, **none}
        if request.with_usage:
            yield {**head, "object": pieces.object, "choices": [], "usage": usage}

    async def _withheld(self, place: Place, plan: Plan, before: Finding) -> Finding:
        """Answers that the policy forbids are emptied; the worse of what was found before and now."""
        if self.house.usage is None:
            return before
        asked = plan.judged[-1].prompt if plan.judged else ""
        for said in plan.said:
            found = await judged(self.house, place, [Case(asked, said.text)], "output")
            if found.action == "blocked":
                said.withhold()
            before = max(before, found, key=lambda one: one.score)
        return before

    def _settled(self, place: Place, plan: Plan) -> dict[str, int]:
        count = sum(said.written for said in plan.said)
        self.house.spend(place.key, plan.prompt_tokens, count)
        return {
            "prompt_tokens": plan.prompt_tokens,
            "completion_tokens": count,
            "total_tokens": plan.prompt_tokens + count,
        }


class Pieces(ABC):
    """How an answer is told: events at the beginning, and those that a piece of a sequence makes."""

    object: str

    def begin(self) -> Sequence[Chunk]:
        """Before anything was written."""
        return []

    @abstractmethod
    def more(self, number: int, piece: str) -> Sequence[Chunk]:
        """A piece of a sequence, which may be its last; an empty one that is not the last may say nothing."""


async def written(house: House, place: Place, plan: Plan) -> AsyncIterator[tuple[int, str]]:
    """(number of the sequence, piece) until all have ended."""
    begun: float | None = time.perf_counter()
    work = place.begin(house.work(plan.asks))
    async for number, event in work.events():
        if begun is not None:
            house.metrics.observe("time_to_first_token", time.perf_counter() - begun)
            begun = None
        said = plan.said[number]
        piece = said.take(event)
        if said.finish and not event.finish:
            work.enough(number)
        yield number, piece


async def judged(house: House, place: Place, cases: Sequence[Case], side: Side) -> Finding:
    """What the policy says of some texts; nothing where there is none. In a thread: judges think."""
    if house.usage is None or not cases:
        return PASSED
    judge: Callable[..., Finding] = house.usage.judged
    found = await asyncio.to_thread(judge, place.key, cases, side)
    if found.action != "passed":
        house.metrics.count("policy", side=side, action=found.action)
    return found
