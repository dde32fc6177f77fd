"""The market's side of a venue through ccxt as it is released, against the local server."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from actors.venue import opening
from actors.venue.bybit import BybitVenue
from actors.venue.faults import (
    AddressBanned,
    RequestRefused,
    SymbolRefused,
    VenueFault,
    VenueUnreachable,
)
from actors.venue.settings import venue_settings
from actors.venue_sim.faults import PAGE_KINDS, FaultKind
from actors.venue_sim.server import VenueServer
from engines.klines import HOUR_MS, MINUTE_MS, WEEK_MS, Klines
from engines.series import PriceKind, SeriesKey
from tests.contract.venue_bench import (
    BTC,
    QUARTER_MS,
    SPOT_BTC,
    START_MS,
    listings,
    made_up,
    made_up_funding,
    made_up_mark,
    standing,
)
from tests.patience import PATIENCE_S

KEY = SeriesKey("sim", BTC, QUARTER_MS)
Scene = Callable[[VenueServer, BybitVenue], Coroutine[Any, Any, None]]


def at_market(scene: Scene, *, bars_passed: float = 3000, seed: int = 0) -> None:
    """Play a scene between a fresh server and our venue, with waits cut short."""

    async def play() -> None:
        server = VenueServer(listings(), clock=standing(bars_passed), seed=seed)
        async with server:
            venue = opening.open_venue(venue_settings(server.url))
            assert isinstance(venue, BybitVenue)
            try:
                await scene(server, venue)
            finally:
                await venue.close()

    asyncio.run(play())


def same(one: Klines | None, other: Klines) -> bool:
    """Return whether two series hold the same bars, bit by bit."""
    names = ("open_time_ms", "open", "high", "low", "close", "volume")
    assert one is not None
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


def test_instruments_carry_their_rules() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        listed = await venue.instruments()
        assert sorted(listed) == ["BTC/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"]
        btc = listed[BTC]
        assert (btc.instrument.tick_size, btc.instrument.qty_step) == (0.1, 0.001)
        assert btc.is_trading
        assert btc.funding_interval_ms == 8 * HOUR_MS

    at_market(scene)


def test_what_is_listed_is_asked_for_again_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        def asked() -> int:
            return sum(seen.path.endswith("instruments-info") for seen in server.core.seen)

        await venue.instruments()
        once = asked()
        await venue.instruments()
        assert asked() == once
        monkeypatch.setattr("actors.venue.market.LISTINGS_S", 0.0)
        assert sorted(await venue.instruments()) == ["BTC/USDT", "BTC/USDT:USDT", "ETH/USDT:USDT"]
        assert asked() == 2 * once

    at_market(scene)


def test_an_answer_without_instruments_is_no_market_without_symbols() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        load, empty = venue._exchange.load_markets, [dict[str, Any]()] * 9

        async def loaded(reload: bool) -> Any:
            return empty.pop() if empty else await load(reload)

        venue._exchange.load_markets = loaded
        with pytest.raises(VenueUnreachable, match="a list of what is traded, found an empty one"):
            await venue.klines(KEY, START_MS, START_MS + QUARTER_MS)
        empty.clear()
        assert BTC in await venue.instruments()

    at_market(scene)


def test_a_long_range_is_the_servers_bars_in_order() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        klines = await venue.klines(KEY, START_MS, START_MS + 10_000 * QUARTER_MS)
        assert same(klines, made_up(BTC))
        assert klines is not None
        assert klines.turnover is not None

    at_market(scene)


def test_a_bar_that_has_not_closed_is_not_handed_out() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        for passed_ms, count in ((0, 100), (QUARTER_MS - 1, 100), (QUARTER_MS, 101)):
            server.clock.set(START_MS + 100 * QUARTER_MS + passed_ms)
            klines = await venue.klines(KEY, START_MS, START_MS + 200 * QUARTER_MS)
            assert klines is not None
            assert len(klines) == count

    at_market(scene, bars_passed=50)


def test_a_range_is_half_open_and_an_empty_one_is_none() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        klines = await venue.klines(KEY, START_MS + 1, START_MS + 3 * QUARTER_MS)
        assert klines is not None
        assert klines.open_time_ms.tolist() == [START_MS + QUARTER_MS, START_MS + 2 * QUARTER_MS]
        assert await venue.klines(KEY, START_MS - 9 * QUARTER_MS, START_MS) is None

    at_market(scene)


def test_mark_prices_spot_and_weeks_come_by_the_same_way() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        until_ms = START_MS + 5000 * QUARTER_MS
        mark = await venue.klines(
            SeriesKey("sim", BTC, HOUR_MS, PriceKind.MARK), START_MS, until_ms
        )
        assert mark is not None
        assert np.array_equal(mark.close, made_up_mark(3000).close)
        spot = await venue.klines(SeriesKey("sim", SPOT_BTC, QUARTER_MS), START_MS, until_ms)
        assert same(spot, made_up(SPOT_BTC, seed=4))
        weeks = await venue.klines(SeriesKey("sim", BTC, WEEK_MS), START_MS, until_ms)
        assert weeks is not None
        assert weeks.open_time_ms[0] == START_MS + 5 * 24 * HOUR_MS, "the first whole week"

    at_market(scene)


def test_funding_comes_whole_over_many_pages() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        server.clock.advance(100 * 24 * HOUR_MS)
        funding, made = await venue.funding(BTC, 0, 2**42), made_up_funding()
        assert funding is not None
        assert np.array_equal(funding.time_ms, made.time_ms)
        assert np.array_equal(funding.rate, made.rate)
        assert await venue.funding(BTC, 0, START_MS) is None
        with pytest.raises(RequestRefused, match="a perpetual"):
            await venue.funding(SPOT_BTC, 0, START_MS)

    at_market(scene)


def test_spoilt_pages_and_failing_replies_change_nothing() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        kinds = (*PAGE_KINDS, FaultKind.DROP_REPLY, FaultKind.SERVER_ERROR, FaultKind.BUSY)
        server.faults.at_random(0.3, kinds, where="kline")
        for at in range(0, 3000, 150):
            begin_ms, end_ms = (START_MS + bar * QUARTER_MS for bar in (at, at + 150))
            klines = await venue.klines(KEY, begin_ms, end_ms)
            assert same(klines, made_up(BTC).between(at, at + 150))
        assert server.faults.counts.total() >= 4
        assert venue.retries > 0

    at_market(scene, seed=5)


@pytest.mark.parametrize("seed", range(8))
def test_spoilt_pages_of_funding_change_nothing(seed: int) -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        server.clock.advance(100 * 24 * HOUR_MS)
        server.faults.at_random(0.6, PAGE_KINDS, where="funding")
        funding = await venue.funding(BTC, START_MS, 2**42)
        assert funding is not None
        assert np.array_equal(funding.rate, made_up_funding().rate)

    at_market(scene, seed=seed)


@pytest.mark.parametrize("symbol", ["BTCUSDT", "BTC/USDT:USD", "btc/usdt:usdt", "BTC-PERP"])
def test_an_unknown_symbol_is_an_error_that_guesses_what_was_meant(symbol: str) -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        with pytest.raises(SymbolRefused, match=r"such as|did you mean BTC/USDT:USDT"):
            await venue.klines(SeriesKey("sim", symbol, QUARTER_MS), 0, START_MS)

    at_market(scene)


def test_an_interval_or_price_without_bars_is_an_error() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        with pytest.raises(RequestRefused, match=r"one of 1m, 3m, 5m, .* found 7m"):
            await venue.klines(SeriesKey("sim", BTC, 7 * MINUTE_MS), 0, START_MS)
        key = SeriesKey("sim", SPOT_BTC, QUARTER_MS, PriceKind.MARK)
        with pytest.raises(RequestRefused, match="a perpetual, found a spot market"):
            await venue.klines(key, 0, START_MS)

    at_market(scene)


def test_a_venue_that_is_not_there_is_given_up_soon_and_named() -> None:
    async def play() -> None:
        venue = opening.open_venue(venue_settings("http://127.0.0.1:9"))
        try:
            with pytest.raises(VenueUnreachable, match="time of sim: expected an answer, found"):
                await venue.time_ms()
        finally:
            await venue.close()

    asyncio.run(play())


def test_after_a_ban_nothing_is_sent() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        await venue.time_ms()
        server.core.limits.banned_until_ms["127.0.0.1"] = server.clock.now_ms() + 600_000
        with pytest.raises(AddressBanned) as caught:
            await venue.time_ms()
        assert caught.value.wait_ms > 540_000
        sent = len(server.core.seen)
        for _ in range(20):
            with pytest.raises(AddressBanned, match=r"another (10\.0|9\.\d) minutes"):
                await venue.klines(KEY, START_MS, 2**42)
        assert len(server.core.seen) == sent

    at_market(scene)


def test_when_one_page_fails_for_good_the_whole_range_does() -> None:
    async def scene(server: VenueServer, venue: BybitVenue) -> None:
        await venue.instruments()
        server.faults.at_random(1.0, [FaultKind.SERVER_ERROR], where="kline")
        with pytest.raises(VenueFault, match=r"HTTP 503|failures in a row"):
            await asyncio.wait_for(venue.klines(KEY, START_MS, 2**42), PATIENCE_S)

    at_market(scene)
