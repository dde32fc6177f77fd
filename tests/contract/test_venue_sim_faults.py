"""What unmodified ccxt sees when the local Bybit is told to fail."""

import asyncio
import time
from typing import Any

import ccxt
import pytest

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.faults import PAGE_KINDS, FaultKind
from actors.venue_sim.limits import BAN_MS
from actors.venue_sim.server import VenueServer
from tests.contract.venue_bench import BTC, QUARTER_MS, START_MS, at_venue, standing
from tests.patience import PATIENCE_S

WHERE = "market/time"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.SERVER_ERROR, ccxt.ExchangeNotAvailable),
        (FaultKind.BUSY, ccxt.RateLimitExceeded),
        (FaultKind.TOO_MANY_VISITS, ccxt.RateLimitExceeded),
        (FaultKind.OUTSIDE_WINDOW, ccxt.InvalidNonce),
    ],
)
def test_an_armed_fault_fails_one_request_and_the_next_is_well(
    kind: FaultKind, error: type[Exception]
) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        venue.faults.next(kind, where=WHERE)
        with pytest.raises(error):
            await exchange.fetch_time()
        assert await exchange.fetch_time() == venue.clock.now_ms()
        assert venue.faults.counts == {kind: 1}
        assert [one.fault for one in venue.core.seen] == [kind, None]

    at_venue(scene)


def test_a_lost_reply_is_asked_for_again_once_by_aiohttp_and_then_an_error() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        venue.faults.next(FaultKind.DROP_REPLY)
        assert await exchange.fetch_time() == venue.clock.now_ms()
        venue.faults.next(FaultKind.DROP_REPLY, times=2)
        with pytest.raises(ccxt.NetworkError):
            await exchange.fetch_time()
        lost = [one.fault for one in venue.core.seen]
        assert lost == [FaultKind.DROP_REPLY, None, FaultKind.DROP_REPLY, FaultKind.DROP_REPLY]

    at_venue(scene)


def test_too_many_visits_says_when_more_comes() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        venue.faults.next(FaultKind.TOO_MANY_VISITS)
        with pytest.raises(ccxt.RateLimitExceeded):
            await exchange.fetch_time()
        reset = int(exchange.last_response_headers["X-Bapi-Limit-Reset-Timestamp"])
        assert reset > venue.clock.now_ms()

    at_venue(scene)


def test_a_delayed_reply_comes_late() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        venue.faults.delay_ms = 120
        venue.faults.next(FaultKind.DELAY)
        began = time.monotonic()
        await exchange.fetch_time()
        assert time.monotonic() - began >= 0.12

    at_venue(scene)


@pytest.mark.parametrize("kind", PAGE_KINDS)
def test_a_spoilt_page_differs_from_the_true_one(kind: FaultKind) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        async def opens() -> list[int]:
            query = {"category": "linear", "symbol": "BTCUSDT", "interval": "15", "limit": 100}
            reply = await exchange.public_get_v5_market_kline(query)
            return [int(row[0]) for row in reply["result"]["list"]]

        true = await opens()
        venue.faults.next(kind)
        spoilt = await opens()
        if kind is FaultKind.TRUNCATED_PAGE:
            assert spoilt == true[: len(spoilt)] and 0 < len(spoilt) < 100
        elif kind is FaultKind.OVERLAPPING_PAGE:
            assert len(spoilt) > 100 and set(spoilt) == set(true)
        else:
            assert spoilt != true and sorted(spoilt) == sorted(true)
        assert await opens() == true

    at_venue(scene)


def test_random_faults_follow_from_the_seed() -> None:
    kinds = (FaultKind.SERVER_ERROR, FaultKind.TRUNCATED_PAGE, FaultKind.TOO_MANY_VISITS)
    stories = []

    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.load_markets()
        venue.faults.at_random(0.3, kinds)
        for bar in range(60):
            try:
                await exchange.fetch_ohlcv(BTC, "15m", START_MS + bar * QUARTER_MS, 5)
            except ccxt.NetworkError:
                continue
        stories.append([one.fault for one in venue.core.seen])
        assert set(venue.faults.counts) == set(kinds)
        venue.faults.clear()
        await exchange.fetch_time()

    at_venue(scene)
    at_venue(scene)
    assert stories[0] == stories[1]
    failed = sum(fault is not None for fault in stories[0])
    assert 8 <= failed <= 30


def test_the_request_beyond_the_limit_bans_the_address_for_ten_minutes() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        for _ in range(600):
            await exchange.fetch_time()
        with pytest.raises(ccxt.RateLimitExceeded, match="403"):
            await exchange.fetch_time()
        venue.clock.advance(BAN_MS - 1)
        with pytest.raises(ccxt.RateLimitExceeded, match="access too frequent"):
            await exchange.fetch_time()
        venue.clock.advance(1)
        await exchange.fetch_time()
        assert venue.core.limits.bans == 1 and venue.core.limits.in_window_max == 601
        assert [one.status for one in venue.core.seen].count(403) == 2

    at_venue(scene, clock=standing(10))


def test_a_venue_whose_streams_fail_stops_instead_of_falling_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        await exchange.fetch_time()

        def fail(now_ms: int) -> list[Any]:
            raise ArithmeticError(f"a broken tape at {now_ms}")

        venue.core.tick = fail  # type: ignore[method-assign]  # a bug of the venue's own
        with pytest.raises(ArithmeticError, match="broken tape"):
            await asyncio.wait_for(venue.wait(), PATIENCE_S)
        with pytest.raises(ccxt.NetworkError):
            await exchange.fetch_time()

    at_venue(scene, clock=VenueClock(START_MS + QUARTER_MS, 1.0))
    assert "its streams have failed" in caplog.text
