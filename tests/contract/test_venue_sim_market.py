"""Public market calls of unmodified ccxt against the local Bybit."""

import asyncio
from typing import Any

import ccxt
import numpy as np
import pytest

from actors.venue_sim.clock import VenueClock
from actors.venue_sim.listing import Listing
from actors.venue_sim.server import VenueServer
from cluster.kline_files import read_klines
from engines.klines import DAY_MS, HOUR_MS, Klines
from engines.resample import aggregate
from tests.contract.venue_bench import (
    BTC,
    QUARTER_MS,
    SPOT_BTC,
    START_MS,
    at_venue,
    client,
    made_up,
    made_up_funding,
    made_up_mark,
    standing,
)
from tests.tidy.house import SHARED

TRUTH = SHARED / "truth" / "bybit_klines"


def rows_of(klines: Klines, start: int, stop: int) -> list[list[float]]:
    columns = (
        *(klines.open_time_ms, klines.open, klines.high, klines.low, klines.close),
        klines.volume,
    )
    return [list(row) for row in zip(*(c[start:stop].tolist() for c in columns), strict=True)]


def test_markets_load_with_the_rules_that_the_bars_show() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        markets = await exchange.load_markets()
        assert sorted(markets) == ["BTC/USDT", BTC, "ETH/USDT:USDT"]
        precision = markets[BTC]["precision"]
        assert (precision["price"], precision["amount"]) == (0.1, 0.001)
        assert markets[BTC]["limits"]["cost"]["min"] == 5.0
        assert markets[SPOT_BTC]["spot"] and markets[SPOT_BTC]["precision"]["amount"] == 0.001

    at_venue(scene)


def test_time_is_the_clock_of_the_venue() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        assert await exchange.fetch_time() == START_MS
        venue.clock.advance(12_345)
        assert await exchange.fetch_time() == START_MS + 12_345

    at_venue(scene, clock=standing(0))


def test_pages_of_klines_put_together_are_the_bars_of_the_file() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        klines = made_up(BTC)
        since, fetched = START_MS, list[list[float]]()
        while page := await exchange.fetch_ohlcv(BTC, "15m", since=since, limit=1000):
            fetched += page
            since = int(page[-1][0]) + QUARTER_MS
        assert fetched[:-1] == rows_of(klines, 0, 2000)
        forming = fetched[-1]
        assert forming[0] == klines.open_time_ms[2000]
        assert forming[1:5] == [klines.open[2000]] * 4

    at_venue(scene, clock=standing(2000))


def test_a_start_alone_goes_forward_and_a_range_keeps_its_newest_bars() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        async def opens(**asked: int) -> list[int]:
            query = {"category": "linear", "symbol": "BTCUSDT", "interval": "15"} | asked
            reply = await exchange.public_get_v5_market_kline(query)
            return [(int(row[0]) - START_MS) // QUARTER_MS for row in reply["result"]["list"]]

        at = [START_MS + QUARTER_MS * bar for bar in range(200)]
        assert await opens(start=at[10], limit=3) == [12, 11, 10]
        assert await opens(start=at[10] + 1, limit=3) == [12, 11, 10]
        assert await opens(end=at[10], limit=3) == [10, 9, 8]
        assert await opens(start=at[0], end=at[10], limit=3) == [10, 9, 8]
        assert await opens(start=at[9], end=at[10], limit=3) == [10, 9]
        assert await opens(limit=2) == [100, 99]
        assert await opens(start=at[150], limit=2) == []
        assert len(await opens()) == 101

    at_venue(scene, clock=standing(100.5))


def test_a_forming_bar_grows_into_the_one_of_the_file() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        klines = made_up(BTC)
        high, low, volume = -np.inf, np.inf, -1.0
        for second in range(0, 900, 13):
            venue.clock.set(int(klines.open_time_ms[50]) + second * 1000)
            (bar,) = await exchange.fetch_ohlcv(BTC, "15m", limit=1)
            assert bar[2] >= high and bar[3] <= low and bar[5] >= volume
            assert klines.low[50] <= bar[4] <= klines.high[50]
            _, _, high, low, _, volume = bar
        assert (high, low, bar[4]) == (klines.high[50], klines.low[50], klines.close[50])
        venue.clock.set(int(klines.open_time_ms[51]))
        assert (await exchange.fetch_ohlcv(BTC, "15m", limit=2))[0] == rows_of(klines, 50, 51)[0]

    at_venue(scene, clock=standing(50))


@pytest.mark.parametrize(("timeframe", "interval_ms"), [("1h", HOUR_MS), ("1d", DAY_MS)])
def test_longer_intervals_are_made_of_the_shorter_ones(timeframe: str, interval_ms: int) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        wanted = aggregate(made_up(BTC), interval_ms)
        fetched = await exchange.fetch_ohlcv(BTC, timeframe, since=START_MS, limit=20)
        assert len(fetched) == 20
        assert np.allclose(fetched, rows_of(wanted, 0, 20), rtol=1e-12, atol=0)

    at_venue(scene, clock=standing(2000))


def test_weeks_begin_on_monday_and_months_on_their_first_day() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        weeks = await exchange.fetch_ohlcv(BTC, "1w", limit=3)
        assert [week[0] for week in weeks] == [START_MS + (5 + 7 * k) * DAY_MS for k in (0, 1, 2)]
        months = await exchange.fetch_ohlcv(BTC, "1M", limit=3)
        assert [month[0] for month in months] == [START_MS]

    at_venue(scene, clock=standing(22 * 96))


def test_mark_klines_have_no_volume() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        mark = made_up_mark()
        fetched = await exchange.fetch_ohlcv(BTC, "1h", START_MS, 5, {"price": "mark"})
        assert [row[:5] for row in fetched] == [row[:5] for row in rows_of(mark, 0, 5)]
        assert {row[5] for row in fetched} == {None}

    at_venue(scene)


def test_funding_history_pages_backwards_and_refuses_a_start_alone() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        funding = made_up_funding()
        # ccxt asks to START_MS + 5 intervals, where the sixth lies: the newest five are served.
        rates = await exchange.fetch_funding_rate_history(BTC, since=START_MS, limit=5)
        assert [rate["fundingRate"] for rate in rates] == funding.rate[1:6].tolist()
        assert [rate["timestamp"] for rate in rates] == funding.time_ms[1:6].tolist()
        passed = len(funding.between(0, venue.clock.now_ms() + 1))
        assert len(await exchange.fetch_funding_rate_history(BTC)) == passed
        with pytest.raises(ccxt.BadRequest, match="endTime"):
            await exchange.public_get_v5_market_funding_history(
                {"category": "linear", "symbol": "BTCUSDT", "startTime": START_MS}
            )

    at_venue(scene, clock=standing(32 * 10.5))


def test_tickers_book_and_tape_agree_on_the_price() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        ticker = await exchange.fetch_ticker(BTC)
        (bar,) = await exchange.fetch_ohlcv(BTC, "15m", limit=1)
        book = await exchange.fetch_order_book(BTC, limit=50)
        trades = await exchange.fetch_trades(BTC, limit=100)
        assert ticker["last"] == bar[4] == trades[-1]["price"]
        assert ticker["last"] == round(book["bids"][0][0] + 0.1, 1) == round(ticker["bid"] + 0.1, 1)
        assert book["asks"][0][0] == ticker["ask"] > ticker["bid"]
        assert len(book["bids"]) == len(book["asks"]) == 50
        assert len(trades) == 100 and trades == sorted(trades, key=lambda one: one["timestamp"])
        mark = await exchange.fetch_ohlcv(BTC, "1h", None, 1, {"price": "mark"})
        assert ticker["markPrice"] == mark[-1][4]
        everything = await exchange.fetch_tickers()
        assert sorted(everything) == [BTC, "ETH/USDT:USDT"]

    at_venue(scene, clock=standing(2000.4))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("kline", {"symbol": "NOPEUSDT", "interval": "15"}),
        ("kline", {"symbol": "BTCUSDT", "interval": "7"}),
        ("kline", {"symbol": "BTCUSDT", "interval": "15", "limit": 1001}),
        ("kline", {"symbol": "BTCUSDT", "interval": "15", "start": "soon"}),
        ("kline", {"symbol": "BTCUSDT", "interval": "15", "start": 2, "end": 1}),
        ("kline", {"interval": "15"}),
        ("tickers", {"symbol": "BTCUSDT", "category": "futures"}),
        ("funding/history", {"symbol": "BTCUSDT", "category": "spot"}),
    ],
)
def test_wrong_parameters_are_refused_with_10001(path: str, query: dict[str, Any]) -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        asked = {"category": "linear"} | query
        with pytest.raises(ccxt.BadRequest, match='"retCode":10001'):
            await exchange.request(f"v5/market/{path}", ["public"], "GET", asked)

    at_venue(scene)


def test_a_route_that_is_not_there_is_refused_with_10017() -> None:
    async def scene(venue: VenueServer, exchange: Any) -> None:
        with pytest.raises(ccxt.BadRequest, match='"retCode":10017'):
            await exchange.request("v5/market/nothing", ["public"], "GET", {})

    at_venue(scene)


@pytest.mark.skipif(not TRUTH.is_dir(), reason="../shared is absent")
def test_every_number_is_written_as_in_the_file() -> None:
    files = [TRUTH / f"linear_15m/BTCUSDT_15m_{year}.csv" for year in (2023, 2024)]
    lines = [line for file in files for line in file.read_text().splitlines()[1:]][:9000]

    async def play() -> None:
        klines = read_klines(files, BTC, None, 2**42).klines
        clock = VenueClock(int(klines.open_time_ms[9000]), 0)
        async with VenueServer([Listing(BTC, [klines])], clock=clock) as venue:
            served = await _every_row(venue, int(klines.open_time_ms[0]), len(lines))
        assert served == [_shortest(line) for line in lines]

    asyncio.run(play())


async def _every_row(venue: VenueServer, since_ms: int, count: int) -> list[list[str]]:
    rows: list[list[str]] = []
    async with client(venue) as exchange:
        while len(rows) < count:
            query = {"category": "linear", "symbol": "BTCUSDT", "interval": "15"}
            query |= {"start": str(since_ms + len(rows) * QUARTER_MS), "limit": "1000"}
            reply = await exchange.public_get_v5_market_kline(query)
            rows += reply["result"]["list"][::-1]
    return [row[:6] for row in rows[:count]]


def _shortest(line: str) -> list[str]:
    cells = line.split(",")
    return [cell.rstrip("0").rstrip(".") if "." in cell else cell for cell in cells]
