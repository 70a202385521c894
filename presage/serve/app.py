"""The app: every route, the guard around them, and errors in one form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from presage.serve.chat import Chat
from presage.serve.completions import Completions
from presage.serve.errors import ApiError
from presage.serve.guard import Guard
from presage.serve.house import House
from presage.serve.moderations import Moderations
from presage.serve.openapi import openapi
from presage.serve.served import Served

Mount = Callable[[Starlette], None]
CODES = {404: ("not_found", "No such address."), 405: ("method_not_allowed", "Not by this method.")}


def build_app(house: House, mount: Mount | None = None) -> Starlette:
    """An app of one house. mount: adds routes of its own, as the chat page does with "/" and "/page/…"; they need a
    key as all others do, unless they are among the house's `open_paths`."""
    pages = Pages(house)
    routes = [
        Route("/v1/chat/completions", Chat(house), methods=["POST"]),
        Route("/v1/completions", Completions(house), methods=["POST"]),
        Route("/v1/moderations", Moderations(house), methods=["POST"]),
        Route("/v1/models", pages.models, methods=["GET"]),
        Route("/v1/models/{model}", pages.model, methods=["GET"]),
        Route("/health", pages.health, methods=["GET"]),
        Route("/metrics", pages.metrics, methods=["GET"]),
        Route("/openapi.json", pages.openapi, methods=["GET"]),
    ]
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, house=house)],
        exception_handlers={HTTPException: _refused, ApiError: _refused_by_us},
    )
    app.router.redirect_slashes = False
    if mount is not None:
        mount(app)
    return app


class Pages:
    """What is only read."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def models(self, request: Request) -> Response:
        """All that are served."""
        return JSONResponse({"object": "list", "data": [_model(one.served) for one in self.house.all]})

    async def model(self, request: Request) -> Response:
        """One by its name."""
        known = {one.served.id: one.served for one in self.house.all}
        if request.path_params["model"] not in known:
            raise ApiError(404, "The model does not exist.", code="model_not_found", param="model")
        return JSONResponse(_model(known[request.path_params["model"]]))

    async def health(self, request: Request) -> Response:
        """200 while requests are taken."""
        if not all(getattr(one.runner, "alive", True) for one in self.house.all):
            return JSONResponse({"status": "broken"}, 503)
        if self.house.draining:
            return JSONResponse({"status": "draining"}, 503)
        return JSONResponse({"status": "ok"})

    async def metrics(self, request: Request) -> Response:
        """Counters for Prometheus."""
        return PlainTextResponse(self.house.metrics.text(), media_type="text/plain; version=0.0.4")

    async def openapi(self, request: Request) -> Response:
        """The schema of all this."""
        return JSONResponse(openapi(self.house))


def _model(served: Served) -> dict[str, Any]:
    return {"id": served.id, "object": "model", "created": served.created, "owned_by": "presage"}


async def _refused(request: Request, error: Exception) -> Response:
    """What the router refuses."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    code, message = CODES.get(status, ("invalid_request", "Refused."))
    said = ApiError(status, message, code=code)
    given = getattr(error, "headers", None) or {}
    return JSONResponse(said.body, status, headers={**given, **said.headers})


async def _refused_by_us(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body, error.status, headers=dict(error.headers))
