"""The sockets around the venue: bytes in, `VenueCore` decides, bytes out.

`async with VenueServer(listings) as venue:` listens on a free port of this machine until the block
ends. `venue.url` is what ccxt's `urls["api"]` are to be; `venue.clock` is driven by whoever holds
it, `venue.faults` set, `venue.core` looked into. A user's process without a handle drives the clock
and the faults through the control routes under /control (see `control`).
"""

import asyncio
import json
import logging
from collections.abc import Iterable
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import WSMsgType, web

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.control import PREFIX, Control
from actors.venue_sim.core import BANNED_TEXT, VenueCore
from actors.venue_sim.faults import Faults
from actors.venue_sim.intervals import INTERVAL_MS
from actors.venue_sim.keyring import PRACTICE_KEY, ApiKey
from actors.venue_sim.listing import Listing, names_of
from actors.venue_sim.sessions import Outgoing
from actors.venue_sim.tape import Bar
from actors.venue_sim.wire import Payload, Reply, Request
from engines.series import PriceKind

logger = logging.getLogger(__name__)

TICK_SECONDS = 0.1
QUEUE_MAX = 100_000
# The venue cuts a socket on which nothing has come for ten minutes.
IDLE_SECONDS_MAX = 600.0


class VenueServer:
    """A local Bybit on a port of its own (0: any free one) of `host`."""

    def __init__(
        self,
        listings: Iterable[Listing],
        *,
        clock: VenueClock | None = None,
        keys: Iterable[ApiKey] = (PRACTICE_KEY,),
        seed: int = 0,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.core = VenueCore(listings, keys, seed)
        self.clock = clock or VenueClock()
        self._control = Control(self.core, self.clock)
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self._sockets: dict[int, Socket] = {}
        self._ticking: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.clock.listen(self._jumped)

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
        app.router.add_get("/v5/public/{kind:spot|linear|inverse|option}", self._stream)
        app.router.add_get("/v5/{kind:private|trade}", self._stream)
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._loop = asyncio.get_running_loop()
        self._ticking = asyncio.create_task(self._keep_ticking())
        self._ticking.add_done_callback(self._ended)

    async def wait(self) -> None:
        """Wait for as long as the venue lives; raise the error that ended it, if one did."""
        assert self._ticking is not None, "a venue that was started"
        await asyncio.wait([self._ticking])
        if self._stopping is not None:
            await self._stopping
        if not self._ticking.cancelled():
            self._ticking.result()

    async def stop(self) -> None:
        """Close every connection and the port."""
        self._loop = None
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])
        for socket in list(self._sockets.values()):
            socket.cut()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def _answer(self, http: web.Request) -> web.StreamResponse:
        body = (await http.read()).decode(errors="replace")
        request = Request(
            method=http.method,
            path=http.path,
            query_text=http.rel_url.raw_query_string,
            query=dict(parse_qsl(http.rel_url.raw_query_string, keep_blank_values=True)),
            headers={name.upper(): value for name, value in http.headers.items()},
            body=body,
            ip=http.remote or "",
        )
        now_ms = self.clock.now_ms()
        if http.path.startswith(PREFIX):
            return _response(self._control.respond(request))
        reply = self.core.respond(request, now_ms)
        self._post(self.core.private.tick(now_ms))
        if reply.delay_ms:
            await asyncio.sleep(reply.delay_ms / 1000)
        if reply.is_dropped and http.transport is not None:
            http.transport.abort()
        return _response(reply)

    def correct(self, symbol: str, interval_ms: int, open_time_ms: int, **values: float) -> None:
        """Change values (open, high, low, close, volume, turnover) of a closed bar for good."""
        market = self.core.market
        base, quote, category = names_of(symbol)
        listed = market.find(category, base + quote)
        (interval,) = (code for code, ms in INTERVAL_MS.items() if ms == interval_ms)
        tape = listed.tape(PriceKind.LAST, interval)
        assert tape is not None, "bars of that interval are listed"
        now_ms = self.clock.now_ms()
        bar = tape.at(tape.index_of(open_time_ms), now_ms)
        assert bar.is_closed, "a bar that has closed"
        bar = Bar(**(bar._asdict() | values))
        self._post(self.core.streams.correct(listed, interval, bar, now_ms))

    async def settled(self) -> None:
        """Wait until every message so far has been given to its socket."""
        await asyncio.gather(*(socket.sent() for socket in list(self._sockets.values())))

    async def _stream(self, http: web.Request) -> web.StreamResponse:
        """Serve one socket until either side ends it."""
        if not self.core.limits.admits_socket(http.remote or "", self.clock.now_ms()):
            return web.Response(status=403, text=BANNED_TEXT)
        ws = web.WebSocketResponse(receive_timeout=IDLE_SECONDS_MAX)
        await ws.prepare(http)
        session = self.core.open(http.match_info["kind"], http.remote or "")
        socket = Socket(ws, http.transport)
        self._sockets[session.session_id] = socket
        sender = asyncio.create_task(socket.send_all())
        try:
            async for frame in ws:
                if frame.type is WSMsgType.TEXT:
                    now_ms = self.clock.now_ms()
                    self._post(self.core.receive(session, _parsed(frame.data), now_ms))
        except TimeoutError:
            socket.cut()
        finally:
            self.core.close(session)
            self._sockets.pop(session.session_id, None)
            sender.cancel()
        return ws

    def _post(self, outgoing: Iterable[Outgoing]) -> None:
        """Give messages to their sockets, in order."""
        for item in outgoing:
            socket = self._sockets.get(item.session_id)
            if socket is None:
                continue
            if item.message is None:
                socket.cut()
            else:
                socket.put(item.message)

    def _ended(self, ticking: asyncio.Task[None]) -> None:
        """Stop a venue whose clock has failed: silent streams would look like a quiet market."""
        if ticking.cancelled() or (error := ticking.exception()) is None:
            return
        logger.critical("the local Bybit stops, for its streams have failed", exc_info=error)
        self._stopping = asyncio.create_task(self.stop())

    def _jumped(self) -> None:
        """Tell what a jump of the clock brings, in the server's own thread whoever moved it."""
        if self._loop is None:
            return
        try:
            is_here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            is_here = False
        if is_here:
            self._tick()
        else:
            self._loop.call_soon_threadsafe(self._tick)

    def _tick(self) -> None:
        self._post(self.core.tick(self.clock.now_ms()))

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self.clock.speed > 0:
                self._tick()


class Socket:
    """One WebSocket's way out: a bounded queue, and the task that empties it."""

    def __init__(self, ws: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self._ws = ws
        self._transport = transport
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(QUEUE_MAX)

    def put(self, message: Payload) -> None:
        """Queue a message; a client that reads too slowly is cut off."""
        try:
            self._queue.put_nowait(_json(message))
        except asyncio.QueueFull:
            self.cut()

    def cut(self) -> None:
        """Break the connection without a farewell, as a network does."""
        if self._transport is not None:
            self._transport.abort()

    async def sent(self) -> None:
        """Wait until the queue is empty or the socket gone."""
        while not self._queue.empty() and not self._ws.closed:
            await asyncio.sleep(0)

    async def send_all(self) -> None:
        """Send what is queued, for as long as the socket lives."""
        while True:
            text = await self._queue.get()
            try:
                await self._ws.send_str(text.decode())
            except (ConnectionError, RuntimeError):
                return


def _parsed(text: str) -> dict[str, Any]:
    """Return a client's message; what is no JSON object is an operation nobody knows."""
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _json(payload: Payload) -> bytes:
    return json.dumps(payload, separators=(",", ":")).encode()


def _response(reply: Reply) -> web.Response:
    if reply.payload is None:
        return web.Response(status=reply.status, text=reply.text, headers=reply.headers)
    return web.Response(
        status=reply.status,
        body=_json(reply.payload),
        headers={"Content-Type": "application/json; charset=utf-8", **reply.headers},
    )
