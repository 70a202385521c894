"""uvicorn's HTTP protocol with patience that ends: for headers that trickle in, and for a client that reads nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from presage.serve.errors import ApiError, invalid
from presage.serve.house import Settings

MOST_CONNECTIONS = 4096


def protocol_of(settings: Settings) -> type[H11Protocol]:
    """The protocol with these limits."""
    return type("Patient", (_Patient,), {"settings": settings})


class _Patient(H11Protocol):
    settings: Settings

    _timer: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Its headers are due from now on."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is due any more."""
        self._stop_timers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """A request that begins is due whole; one that is there is the app's."""
        self._expect()
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pause_writing(self) -> None:
        """The client reads less than it is sent; how long it may is limited."""
        super().pause_writing()
        self._stuck = self.loop.call_later(self.settings.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It reads."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def send_400_response(self, msg: str) -> None:
        """In the form of every other error."""
        self._refuse(invalid("Not a request of HTTP/1.1.", code="invalid_http"))

    def _expect(self) -> None:
        if self._timer is None and self.conn.their_state is h11.IDLE:
            self._timer = self.loop.call_later(self.settings.head_seconds, self._late)

    def _late(self) -> None:
        self._timer = None
        if self.conn.trailing_data[0]:
            seconds = self.settings.head_seconds
            self._refuse(ApiError(408, f"The headers did not come within {seconds:g} s.", code="request_timeout"))
        else:
            self.transport.abort()

    def _refuse(self, error: ApiError) -> None:
        """Where no request was read there is no app to answer."""
        body = json.dumps(error.body).encode()
        head = [("content-type", "application/json"), ("content-length", str(len(body))), ("connection", "close")]
        try:
            start = h11.Response(status_code=error.status, headers=head)
            for event in (start, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        except h11.LocalProtocolError:  # an answer is being sent already
            self.transport.abort()
            return
        self.transport.close()

    def _stop_timers(self) -> None:
        for timer in (self._timer, self._stuck):
            if timer is not None:
                timer.cancel()
        self._timer = self._stuck = None
