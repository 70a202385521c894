"""The server's life: it listens, and after SIGTERM or Ctrl-C ends what it began, within a time of grace.

The first signal: new requests are told 503, those at work go on; when the grace is over they are told that it ends.
The second: it ends now.
"""

from __future__ import annotations

import asyncio
import socket
from types import FrameType

import uvicorn

from presage.core.errors import ConfigError, Stopped
from presage.serve.app import Mount, build_app
from presage.serve.guard import LONGEST_HEAD
from presage.serve.house import House, Settings
from presage.serve.protocol import protocol_of

LISTENING = 2048
LAST_WORDS = 1.0
"""Seconds to send answers that are written."""


class Draining(uvicorn.Server):
    """A server that drains. forced: was it told to end at once?"""

    def __init__(self, house: House, mount: Mount | None = None) -> None:
        self.house = house
        self.forced = False
        super().__init__(_config(house, mount))

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal."""
        if self.house.draining:
            self.forced = self.should_exit = self.force_exit = True
        self.house.draining = True

    async def main_loop(self) -> None:
        """Until a signal; then until nobody is served, or the grace is over."""
        while not self.house.draining:
            await self.on_tick(0)
            await asyncio.sleep(0.05)
        loop = asyncio.get_running_loop()
        end = loop.time() + self.house.settings.grace
        while self.house.places and loop.time() < end and not self.forced:
            await asyncio.sleep(0.05)
        self.house.close()
        end = loop.time() + LAST_WORDS
        while self.house.places and loop.time() < end and not self.forced:
            await asyncio.sleep(0.02)


def _config(house: House, mount: Mount | None) -> uvicorn.Config:
    settings = house.settings
    return uvicorn.Config(
        build_app(house, mount),
        http=protocol_of(settings),
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=LISTENING,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )


def bound(settings: Settings) -> socket.socket:
    """The socket to listen at. Raises ConfigError for an address that cannot be had."""
    try:
        return socket.create_server(
            (settings.host, settings.port),
            family=socket.AF_INET6 if ":" in settings.host else socket.AF_INET,
            backlog=LISTENING,
        )
    except OSError as error:
        said = f"{settings.host}:{settings.port}"
        raise ConfigError(f"cannot listen: {error.strerror}", where=said, hint="another --port") from None


def serve(house: House, listening: socket.socket, mount: Mount | None = None) -> None:
    """Until a signal. Raises Stopped after a second one. mount: as of build_app."""
    server = Draining(house, mount)
    server.run(sockets=[listening])
    if server.forced:
        raise Stopped("ended at once, by a second signal")
