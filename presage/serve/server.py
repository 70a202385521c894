"""The server's life: it listens, and after SIGTERM or Ctrl-C ends what it began, within a time of grace.

The first signal: new requests are told 503, those at work go on; when the grace is over they are told that it ends.
The second: it ends now.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from types import FrameType

import uvicorn

from presage.core.errors import ConfigError, Stopped
from presage.serve.app import Mount, build_app
from presage.serve.guard import LONGEST_HEAD
from presage.serve.house import House, Settings
from presage.serve.protocol import protocol_of

LISTENING = 2048
KEEP_ALIVE = 15
"""Seconds that a connection may rest: longer than clients keep theirs (httpx: 5), who would meet a closed one."""
SWITCH = 0.0005
"""Seconds after which the engine's thread lets the others in: by Python's own 0.005 each of a request's steps waits."""
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
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )


def bound(settings: Settings) -> socket.socket:
    """The socket to listen at. Raises ConfigError for an address that cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named: of a socket without it asyncio leaves Nagle's delay on, 40 ms for every short answer.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((settings.host, settings.port))
        listening.listen(LISTENING)
        return listening
    except OSError as error:
        listening.close()
        said = f"{settings.host}:{settings.port}"
        raise ConfigError(f"cannot listen: {error.strerror}", where=said, hint="another --port") from None


def serve(house: House, listening: socket.socket, mount: Mount | None = None) -> None:
    """Until a signal. Raises Stopped after a second one. mount: as of build_app."""
    sys.setswitchinterval(SWITCH)
    server = Draining(house, mount)
    server.run(sockets=[listening])
    if server.forced:
        raise Stopped("ended at once, by a second signal")
