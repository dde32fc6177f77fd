"""What tests of the venue share: made-up markets, and unmodified ccxt pointed at a server."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import ccxt.async_support as ccxt
import ccxt.pro as ccxt_pro
import numpy as np

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.keyring import PRACTICE_KEY
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer
from engines.funding import Funding
from engines.klines import HOUR_MS, MINUTE_MS, PRICE_COLUMNS, Klines
from engines.resample import aggregate

START_MS = 1_735_689_600_000  # 2025-01-01, a Wednesday
QUARTER_MS = 15 * MINUTE_MS
BTC, ETH, SPOT_BTC = "BTC/USDT:USDT", "ETH/USDT:USDT", "BTC/USDT"


def made_up(
    symbol: str,
    bars: int = 3000,
    interval_ms: int = QUARTER_MS,
    seed: int = 1,
    price: float = 90_000.0,
) -> Klines:
    """Return a random walk in ticks of 0.1 and volumes in steps of 0.001."""
    random = np.random.default_rng(seed)
    close = np.round(price * np.exp(np.cumsum(random.normal(0, 0.002, bars))), 1)
    open_ = np.r_[price, close[:-1]]
    reach = np.round(price * np.abs(random.normal(0, 0.001, (2, bars))), 1)
    return Klines(
        symbol=symbol,
        interval_ms=interval_ms,
        open_time_ms=START_MS + interval_ms * np.arange(bars, dtype=np.int64),
        open=open_,
        high=np.round(np.maximum(open_, close) + reach[0], 1),
        low=np.round(np.minimum(open_, close) - reach[1], 1),
        close=close,
        volume=np.round(random.gamma(2, 100, bars), 3),
    )


def made_up_mark(bars: int = 3000) -> Klines:
    """Return hourly bars of a mark price that stands half a dollar above the last price."""
    hours = aggregate(made_up(BTC, bars), HOUR_MS)
    above = {name: np.round(getattr(hours, name) + 0.5, 1) for name in PRICE_COLUMNS}
    return replace(hours, volume=np.zeros(len(hours)), **above)


def made_up_funding(settlements: int = 300) -> Funding:
    """Return a rate every eight hours, in steps of a millionth."""
    random = np.random.default_rng(7)
    times = START_MS + 8 * HOUR_MS * np.arange(settlements, dtype=np.int64)
    return Funding(times, np.round(random.normal(1e-4, 5e-5, settlements), 6))


def listings(bars: int = 3000) -> list[Listing]:
    """Return two perpetuals, one with mark price and funding, and a spot market."""
    return [
        Listing(
            BTC,
            [made_up(BTC, bars)],
            [made_up_mark(bars)],
            made_up_funding(),
        ),
        Listing(ETH, [made_up(ETH, bars, seed=3, price=3000.0)]),
        Listing(SPOT_BTC, [made_up(SPOT_BTC, bars, seed=4)]),
    ]


def standing(bars_passed: float) -> VenueClock:
    """Return a clock that stands where so many bars of 15 minutes have passed."""
    return VenueClock(START_MS + int(bars_passed * QUARTER_MS), speed=0)


def point(exchange: Any, venue: VenueServer) -> None:
    """Replace the addresses of a ccxt exchange by the server's."""
    api = exchange.urls["api"]
    for name, address in api.items():
        if isinstance(address, str):
            api[name] = venue.url
    if "ws" in api:
        public = {kind: f"{venue.ws_url}/v5/public/{kind}" for kind in api["ws"]["public"]}
        api["ws"]["public"] = public
        api["ws"]["private"]["contract"] = f"{venue.ws_url}/v5/private"
        api["ws"]["private"]["spot"]["unified"] = f"{venue.ws_url}/v5/private"
        api["ws"]["private"]["trade"] = f"{venue.ws_url}/v5/trade"


@asynccontextmanager
async def client(
    venue: VenueServer, *, pro: bool = False, signed: bool = False
) -> AsyncIterator[Any]:
    """Give a ccxt exchange at the server, its throttle off, and close it."""
    kind = ccxt_pro.bybit if pro else ccxt.bybit
    keys = {"apiKey": PRACTICE_KEY.key, "secret": PRACTICE_KEY.secret} if signed else {}
    exchange = kind({"enableRateLimit": False, **keys})
    # ccxt's own way to sign at another clock than this machine's.
    exchange.nonce = venue.clock.now_ms
    point(exchange, venue)
    try:
        yield exchange
    finally:
        await exchange.close()


def at_venue(
    scene: Callable[[VenueServer, Any], Coroutine[Any, Any, None]],
    *,
    clock: VenueClock | None = None,
    bars: int = 3000,
    pro: bool = False,
    signed: bool = False,
) -> None:
    """Play a scene between a fresh server and a ccxt exchange."""

    async def play() -> None:
        async with (
            VenueServer(listings(bars), clock=clock or standing(2000)) as venue,
            client(venue, pro=pro, signed=signed) as exchange,
        ):
            await scene(venue, exchange)

    asyncio.run(play())
