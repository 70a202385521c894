"""POST /v1/moderations: what the policy's judge says of texts, in OpenAI's form. Nothing is recorded or done."""

from __future__ import annotations

import asyncio
import secrets

from presage.serve.endpoint import Endpoint, Sending
from presage.serve.errors import ApiError
from presage.serve.house import Place
from presage.serve.policy import Case
from presage.serve.wire import ModerationRequest


class Moderations(Endpoint[ModerationRequest]):
    """Scores by category; flagged: what a request would be warned of."""

    form = ModerationRequest

    async def answer(self, request: ModerationRequest, place: Place, to: Sending) -> None:
        """Answer one request. Raises ApiError, 404, where no judge is attached."""
        usage = self.house.usage
        if usage is None:
            raise ApiError(404, "No policy is attached to this server: --policy RUN.", code="not_found")
        if request.model is not None and request.model != usage.judge.name:
            raise ApiError(404, f"The judge is '{usage.judge.name}'.", code="model_not_found", param="model")
        texts = [request.input] if isinstance(request.input, str) else request.input
        found = await asyncio.to_thread(usage.scores, [Case(text) for text in texts])
        limit = usage.thresholds.warn
        results = [
            {
                "flagged": any(value >= limit for value in scores.values()),
                "categories": {name: value >= limit for name, value in scores.items()},
                "category_scores": dict(scores),
            }
            for scores in found
        ]
        answer = {"id": f"modr-{secrets.token_hex(12)}", "model": usage.judge.name, "results": results}
        await to.whole(answer, {})
