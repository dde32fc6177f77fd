"""The sockets around the venue: bytes in, `VenueCore` decides, bytes out.

`async with VenueServer(listings) as venue:` listens on a free port of this machine until the block
ends. `venue.url` is what ccxt's `urls["api"]` are to be; `venue.clock` is driven by whoever holds
it, `venue.faults` set, `venue.core` looked into. A user's process without a handle drives the clock
and the faults through the control routes under /control (see `control`).
"""

import asyncio
import json
from collections.abc import Iterable
from types import TracebackType
from urllib.parse import parse_qsl

from aiohttp import web

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.core import VenueCore
from actors.venue_sim.faults import Faults
from actors.venue_sim.listing import Listing
from actors.venue_sim.wire import Reply, Request


class VenueServer:
    """A local Bybit on a port of its own (0: any free one) of `host`."""

    def __init__(
        self,
        listings: Iterable[Listing],
        *,
        clock: VenueClock | None = None,
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.core = VenueCore.of(listings, seed)
        self.clock = clock or VenueClock()
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None

    @property
    def faults(self) -> Faults:
        """Return the switchboard of what goes wrong."""
        return self.core.faults

    @property
    def url(self) -> str:
        """Return the address of the REST interface, without a slash at its end."""
        return f"http://{self._host}:{self._port}"

    @property
    def ws_url(self) -> str:
        """Return the address below which the streams are: /v5/public/linear and the others."""
        return f"ws://{self._host}:{self._port}"

    async def __aenter__(self) -> "VenueServer":
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; `url` holds the port from now on."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close every connection and the port."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        body = await http.text()
        request = Request(
            method=http.method,
            path=http.path,
            query_text=http.rel_url.raw_query_string,
            query=dict(parse_qsl(http.rel_url.raw_query_string, keep_blank_values=True)),
            headers={name.upper(): value for name, value in http.headers.items()},
            body=body,
            ip=http.remote or "",
        )
        reply = self.core.respond(request, self.clock.now_ms())
        if reply.delay_ms:
            await asyncio.sleep(reply.delay_ms / 1000)
        if reply.is_dropped and http.transport is not None:
            http.transport.abort()
        return _response(reply)


def _response(reply: Reply) -> web.Response:
    if reply.payload is None:
        return web.Response(status=reply.status, text=reply.text, headers=reply.headers)
    return web.Response(
        status=reply.status,
        body=json.dumps(reply.payload, separators=(",", ":")).encode(),
        headers={"Content-Type": "application/json; charset=utf-8", **reply.headers},
    )
