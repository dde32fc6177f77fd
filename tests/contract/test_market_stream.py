"""The stream of bars through ccxt.pro as it is released, against the local server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from actors.venue.bybit import BybitVenue
from actors.venue.faults import RequestRefused
from actors.venue.protocol import StreamEvent
from actors.venue_sim.faults import FaultKind
from actors.venue_sim.server import VenueServer
from engines.klines import MINUTE_MS
from engines.live.events import KlineSeen, StreamLost, StreamOpened
from engines.series import PriceKind, SeriesKey
from tests.contract.test_market_venue import KEY, at_market
from tests.contract.venue_bench import BTC, ETH, QUARTER_MS, SPOT_BTC, START_MS, made_up
from tests.patience import PATIENCE_S


async def until(events: AsyncIterator[StreamEvent], kind: type[StreamEvent]) -> StreamEvent:
    """Return the next event of a kind."""
    async with asyncio.timeout(PATIENCE_S):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("the stream ended")


async def closed_bars(
    server: VenueServer, events: AsyncIterator[StreamEvent], count: int
) -> list[KlineSeen]:
    """Return the next bars told as closed, time driven on while waiting."""

    async def drive() -> None:
        while True:
            server.clock.advance(QUARTER_MS // 3)
            await asyncio.sleep(0.02)

    driving = asyncio.create_task(drive())
    seen: list[KlineSeen] = []
    try:
        while len(seen) < count:
            event = await until(events, KlineSeen)
            assert isinstance(event, KlineSeen)
            if event.is_closed:
                seen.append(event)
    finally:
        driving.cancel()
    return seen


def test_closed_bars_come_with_their_confirmation_and_equal_the_history() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        async with aclosing(venue.watch_klines([KEY])) as events:
            opened = await until(events, StreamOpened)
            assert isinstance(opened, StreamOpened)
            assert opened.keys == (KEY,)
            made = made_up(BTC)
            for bar in await closed_bars(server, events, 5):
                at = made.index_at(bar.open_time_ms)
                expected = (
                    made.open[at],
                    made.high[at],
                    made.low[at],
                    made.close[at],
                    made.volume[at],
                )
                assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == expected
                assert bar.turnover is not None
                assert bar.time_ms >= bar.open_time_ms + QUARTER_MS

    at_market(scene, bars_passed=1000)


def test_perpetuals_and_spot_stream_side_by_side() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        keys = [SeriesKey("sim", name, QUARTER_MS) for name in (BTC, ETH, SPOT_BTC)]
        watched = aclosing(venue.watch_klines(keys))
        async with asyncio.timeout(PATIENCE_S), watched as events:
            silent = set(keys)
            while silent:  # each connection is as slow as it likes
                silent -= {bar.key for bar in await closed_bars(server, events, 1)}

    at_market(scene, bars_passed=1000)


def test_a_cut_is_told_once_and_the_stream_opens_again() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        async with aclosing(venue.watch_klines([KEY])) as events:
            await closed_bars(server, events, 1)
            for _ in range(3):
                server.faults.next(FaultKind.SOCKET_CUT, where="kline")
                server.clock.advance(QUARTER_MS)
                lost = await until(events, StreamLost)
                assert isinstance(lost, StreamLost)
                assert lost.keys == (KEY,)
                assert isinstance(await until(events, StreamOpened), StreamOpened)
                await closed_bars(server, events, 1)

    at_market(scene, bars_passed=1000)


def test_a_venue_that_goes_away_and_comes_back_is_found_again() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        async with aclosing(venue.watch_klines([KEY])) as events:
            await closed_bars(server, events, 1)
            await server.stop()
            await until(events, StreamLost)
            await asyncio.sleep(0.5)
            await server.start()
            await until(events, StreamOpened)
            await closed_bars(server, events, 1)

    at_market(scene, bars_passed=1000)


def test_what_has_no_stream_is_refused() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        mark = SeriesKey("sim", BTC, QUARTER_MS, PriceKind.MARK)
        with pytest.raises(RequestRefused, match="the last price"):
            await anext(aiter(venue.watch_klines([mark])))
        odd = SeriesKey("sim", BTC, 7 * MINUTE_MS)
        with pytest.raises(RequestRefused, match="interval of sim"):
            await anext(aiter(venue.watch_klines([odd])))
        assert await venue.klines(KEY, START_MS, START_MS + QUARTER_MS) is not None

    at_market(scene, bars_passed=1000)
