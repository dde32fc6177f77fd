"""How fast the local Bybit serves pages, pushes bars and plays a tape."""

import asyncio
import json
import time
from collections.abc import Callable

import aiohttp
import pytest

from actors.venue_sim import trading
from actors.venue_sim.core import VenueCore
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer
from actors.venue_sim.wire import Request
from tests.contract.venue_bench import BTC, QUARTER_MS, START_MS, made_up, standing

pytestmark = pytest.mark.bench
BARS, SYMBOLS, REPEATS = 20_000, 500, 5


def least(act: Callable[[], object]) -> float:
    """Return the least processor seconds of several calls."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        act()
        best = min(best, time.process_time() - began)
    return best


def test_pages_of_klines_as_the_core_decides_them() -> None:
    core = VenueCore([Listing(BTC, [made_up(BTC, BARS)])])
    query = {"category": "linear", "symbol": "BTCUSDT", "interval": "15", "limit": "1000"}

    def pages() -> None:
        for first in range(0, BARS, 1000):
            start = str(START_MS + first * QUARTER_MS)
            request = Request("GET", "/v5/market/kline", query=query | {"start": start})
            reply = core.respond(request, START_MS + BARS * QUARTER_MS)
            json.dumps(reply.payload)

    seconds = least(pages)
    print(f"\npages of klines in the core: {BARS / seconds:,.0f} bars/s, written as JSON")


def test_pages_of_klines_over_http() -> None:
    async def play() -> None:
        listing = Listing(BTC, [made_up(BTC, BARS)])
        async with (
            VenueServer([listing], clock=standing(BARS)) as venue,
            aiohttp.ClientSession() as web,
        ):
            best = float("inf")
            for _ in range(REPEATS):
                began = time.process_time()
                for first in range(0, BARS, 1000):
                    start = START_MS + first * QUARTER_MS
                    query = f"symbol=BTCUSDT&interval=15&limit=1000&start={start}"
                    async with web.get(f"{venue.url}/v5/market/kline?{query}") as reply:
                        json.loads(await reply.read())
                best = min(best, time.process_time() - began)
            print(f"\npages over HTTP, client included: {BARS / best:,.0f} bars/s")

    asyncio.run(play())


def test_the_close_of_five_hundred_bars_is_pushed() -> None:
    async def play() -> None:
        names = [f"COIN{number}/USDT:USDT" for number in range(SYMBOLS)]
        listings = [Listing(name, [made_up(name, 60, price=100.0)]) for name in names]
        async with (
            VenueServer(listings, clock=standing(20)) as venue,
            aiohttp.ClientSession() as web,
            web.ws_connect(f"{venue.ws_url}/v5/public/linear") as socket,
        ):
            topics = [f"kline.15.COIN{number}USDT" for number in range(SYMBOLS)]
            await socket.send_str(json.dumps({"op": "subscribe", "args": topics}))
            for _ in range(SYMBOLS + 1):
                await socket.receive_str()
            best = float("inf")
            for _ in range(REPEATS):
                began = time.process_time()
                venue.clock.advance(QUARTER_MS)
                await venue.settled()
                best = min(best, time.process_time() - began)
                for _ in range(2 * SYMBOLS):
                    await socket.receive_str()
            print(f"\n{2 * SYMBOLS} messages as {SYMBOLS} bars close: {best * 1000:.1f} ms")

    asyncio.run(play())


def test_a_tape_is_played_past_a_position() -> None:
    core = VenueCore([Listing(BTC, [made_up(BTC, BARS)])])
    now_ms = START_MS + 20 * QUARTER_MS
    order = {"category": "linear", "symbol": "BTCUSDT", "side": "Buy", "qty": "0.01"}
    trading.create(core.traders.desk(1, now_ms), order | {"orderType": "Market"})
    began = time.process_time()
    core.traders.desk(1, now_ms + 10_000 * QUARTER_MS)
    seconds = time.process_time() - began
    print(f"\na position held over 10,000 bars: {seconds:.2f} s")
