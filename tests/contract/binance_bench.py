"""A small Binance USD-M for tests: the market routes that ccxt asks, as its pages show them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from engines.klines import MINUTE_MS, Klines

SYMBOL = {
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "contractType": "PERPETUAL",
    "deliveryDate": 4133404800000,
    "onboardDate": 1735689600000,
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "marginAsset": "USDT",
    "pricePrecision": 2,
    "quantityPrecision": 3,
    "baseAssetPrecision": 8,
    "quotePrecision": 8,
    "underlyingType": "COIN",
    "triggerProtect": "0.0500",
    "filters": [
        {"filterType": "PRICE_FILTER", "maxPrice": "4529764", "minPrice": "5", "tickSize": "0.1"},
        {"filterType": "LOT_SIZE", "maxQty": "1000", "minQty": "0.001", "stepSize": "0.001"},
        {"filterType": "MIN_NOTIONAL", "notional": "100"},
    ],
    "orderTypes": ["LIMIT", "MARKET"],
    "timeInForce": ["GTC", "IOC"],
}  # fmt: skip  # as the page shows it


class Binance:
    """Its state: bars, the time, and what is refused next."""

    def __init__(self, klines: Klines, now_ms: int) -> None:
        self.klines = klines
        self.now_ms = now_ms
        self.seen: list[str] = []
        self.refusals: list[tuple[int, dict[str, str], str]] = []
        self.is_banned = False
        self.url = ""
        self.socket: web.WebSocketResponse | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        if "/ws/" in request.path:
            return await self.stream(request)
        self.seen.append(request.path)
        if self.refusals:
            status, headers, text = self.refusals.pop(0)
            return web.Response(
                status=status, headers=headers, text=text, content_type="application/json"
            )
        replies: dict[str, Any] = {
            "/fapi/v1/time": lambda: {"serverTime": self.now_ms},
            "/fapi/v1/exchangeInfo": lambda: {"symbols": [SYMBOL], "rateLimits": []},
            "/fapi/v1/klines": lambda: self.rows(request.query),
            "/fapi/v1/fundingRate": lambda: self.settled(request.query),
        }
        return web.json_response(replies[request.path]())

    def rows(self, query: Any) -> list[list[Any]]:
        """Return bars as its page shows them: times, prices as texts, volumes, counts."""
        start, end = int(query["startTime"]), int(query["endTime"])
        bars = self.klines
        stop = min(bars.index_at(end + 1), bars.index_at(self.now_ms))
        chosen = range(bars.index_at(start), stop)
        rows = []
        for at in chosen[: int(query["limit"])]:
            open_ms = int(bars.open_time_ms[at])
            prices = [str(getattr(bars, name)[at]) for name in ("open", "high", "low", "close")]
            volume, end_ms = str(bars.volume[at]), open_ms + bars.interval_ms - 1
            rows.append([open_ms, *prices, volume, end_ms, "1000.5", 7, "1.0", "2.0", "0"])
        return rows

    def settled(self, query: Any) -> list[dict[str, Any]]:
        """Return a settlement every eight hours."""
        step = 480 * MINUTE_MS
        first = -(-int(query["startTime"]) // step) * step
        times = range(first, min(int(query["endTime"]), self.now_ms) + 1, step)
        return [
            {"symbol": "BTCUSDT", "fundingRate": "0.00010000", "fundingTime": at, "markPrice": "1"}
            for at in list(times)[: int(query.get("limit", 100))]
        ]

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Take a subscription and tell two states of one bar."""
        self.socket = web.WebSocketResponse()
        await self.socket.prepare(request)
        async for message in self.socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            asked = json.loads(message.data)
            await self.socket.send_json({"result": None, "id": asked["id"]})
            for is_closed in (False, True):
                await self.socket.send_json(self.told(is_closed))
        return self.socket

    def told(self, is_closed: bool) -> dict[str, Any]:
        """Return a bar as its stream tells it."""
        open_ms = int(self.klines.open_time_ms[5])
        return {
            "e": "kline",
            "E": open_ms + self.klines.interval_ms,
            "s": "BTCUSDT",
            "k": {
                "t": open_ms, "T": open_ms + self.klines.interval_ms - 1, "s": "BTCUSDT",
                "i": "15m", "o": "1.5", "c": "2.5", "h": "3.0", "l": "1.0", "v": "10",
                "n": 3, "x": is_closed, "q": "20.5", "V": "5", "Q": "10", "B": "0",
            },
        }  # fmt: skip  # as the page shows it


@asynccontextmanager
async def binance_at(klines: Klines, now_ms: int) -> AsyncIterator[Binance]:
    """Serve bars on a free port of this machine."""
    venue = Binance(klines, now_ms)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", venue.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    venue.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield venue
    finally:
        await runner.cleanup()
