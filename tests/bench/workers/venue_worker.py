"""Serve many made-up perpetuals as a local Bybit; prints its address and serves until killed."""

import asyncio
import sys

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer
from tests.contract.venue_bench import QUARTER_MS, START_MS, made_up

BARS = 400


def symbols(count: int) -> list[str]:
    """Return the names of so many perpetuals."""
    return [f"COIN{number}/USDT:USDT" for number in range(count)]


async def serve(count: int, begun_bars: float, speed: float) -> None:
    """Serve until the process ends."""
    clock = VenueClock(START_MS + int(begun_bars * QUARTER_MS), speed=speed)
    one = made_up(symbols(1)[0], BARS, price=100.0)
    listings = [
        Listing(symbol, [type(one).of_columns(symbol, QUARTER_MS, columns_of(one))])
        for symbol in symbols(count)
    ]
    async with VenueServer(listings, clock=clock) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


def columns_of(klines: object) -> dict[str, object]:
    """Return the columns of bars by name."""
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    return {name: getattr(klines, name) for name in names}


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
