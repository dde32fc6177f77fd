"""Binance USD-M as the second venue: the same Protocol through another exchange of ccxt."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from actors.venue import opening
from actors.venue.faults import AddressBanned, RequestRefused, SymbolRefused
from actors.venue.market import CcxtVenue
from actors.venue.settings import venue_settings
from cluster.settings import SettingsFault
from engines.klines import HOUR_MS, MINUTE_MS
from engines.live.events import KlineSeen
from engines.series import SeriesKey
from tests.contract.binance_bench import Binance, binance_at
from tests.contract.venue_bench import BTC, QUARTER_MS, START_MS, made_up
from tests.patience import PATIENCE_S

KEY = SeriesKey("binance", BTC, QUARTER_MS)
Scene = Callable[[Binance, CcxtVenue], Coroutine[Any, Any, None]]


def at_binance(monkeypatch: pytest.MonkeyPatch, scene: Scene) -> None:
    """Play a scene with 2,000 bars that have closed, and one that has not."""

    async def play() -> None:
        now_ms = START_MS + 2000 * QUARTER_MS + 1
        async with binance_at(made_up(BTC), now_ms) as server:
            monkeypatch.setenv("PHALANX_VENUE_URL", server.url)
            venue = opening.open_venue(venue_settings("binance"))
            try:
                await scene(server, venue)
            finally:
                await venue.close()

    asyncio.run(play())


def test_instruments_bars_and_funding_come_by_the_same_protocol(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scene(server: Binance, venue: CcxtVenue) -> None:
        listed = await venue.instruments()
        assert list(listed) == [BTC]
        rules = listed[BTC].instrument
        assert (rules.tick_size, rules.qty_step, rules.notional_min) == (0.1, 0.001, 100.0)
        assert listed[BTC].launched_ms == START_MS
        klines = await venue.klines(KEY, 0, 2**42)
        made = made_up(BTC).between(0, 2000)
        assert klines is not None
        assert np.array_equal(klines.open_time_ms, made.open_time_ms)
        assert np.array_equal(klines.close, made.close)
        assert np.array_equal(klines.volume, made.volume)
        assert klines.turnover is not None
        assert klines.turnover[0] == 1000.5
        assert server.seen.count("/fapi/v1/klines") == 4, "pages of 500"
        funding = await venue.funding(BTC, 0, 2**42)
        assert funding is not None
        steps = np.unique(np.diff(funding.time_ms))
        assert (len(funding.rate), steps.tolist()) == (63, [8 * HOUR_MS])

    at_binance(monkeypatch, scene)


def test_what_binance_refuses_is_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(server: Binance, venue: CcxtVenue) -> None:
        await venue.instruments()
        with pytest.raises(SymbolRefused, match="did you mean"):
            await venue.klines(SeriesKey("binance", "BTC/USDT:USDC", QUARTER_MS), 0, 2**42)
        with pytest.raises(RequestRefused, match="interval of binance"):
            await venue.klines(SeriesKey("binance", BTC, 7 * MINUTE_MS), 0, 2**42)
        server.refusals.append((400, {}, '{"code":-1121,"msg":"Invalid symbol."}'))
        with pytest.raises(SymbolRefused, match=r"Invalid symbol\. \(-1121\)"):
            await venue.klines(KEY, START_MS, START_MS + QUARTER_MS)

    at_binance(monkeypatch, scene)


def test_too_many_requests_wait_and_a_ban_stops_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(server: Binance, venue: CcxtVenue) -> None:
        await venue.instruments()
        gate, closed = venue._exchange.gate, list[object]()
        throttled = gate.throttled

        def noted(*told: Any) -> None:
            closed.append(told)
            throttled(*told)

        monkeypatch.setattr(gate, "throttled", noted)
        await venue.time_ms()  # So that the bars are what is asked next.
        server.refusals.append((429, {"retry-after": "1"}, '{"code":-1003,"msg":"Too many"}'))
        assert await venue.klines(KEY, START_MS, START_MS + QUARTER_MS) is not None
        assert venue.retries == 1
        assert closed == [("GET /klines", 1000, True)], "by the budget's own name of the route"
        server.refusals.append((418, {"Retry-After": "120"}, '{"code":-1003,"msg":"banned"}'))
        with pytest.raises(AddressBanned) as caught:
            await venue.time_ms()
        assert 60_000 < caught.value.wait_ms <= 120_000
        sent = len(server.seen)
        with pytest.raises(AddressBanned):
            await venue.klines(KEY, START_MS, START_MS + QUARTER_MS)
        assert len(server.seen) == sent

    at_binance(monkeypatch, scene)


def test_the_stream_says_whether_a_bar_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(server: Binance, venue: CcxtVenue) -> None:
        seen: list[KlineSeen] = []
        async with asyncio.timeout(PATIENCE_S), aclosing(venue.watch_klines([KEY])) as events:
            async for event in events:
                seen += [event] if isinstance(event, KlineSeen) else []
                if len(seen) == 2:
                    break
        assert [bar.is_closed for bar in seen] == [False, True]
        bar = seen[1]
        assert (bar.open, bar.high, bar.low, bar.close) == (1.5, 3.0, 1.0, 2.5)
        assert (bar.volume, bar.turnover) == (10.0, 20.5)
        assert bar.open_time_ms == START_MS + 5 * QUARTER_MS

    at_binance(monkeypatch, scene)


def test_only_its_mainnet_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHALANX_VENUE_ENVIRONMENT", "testnet")
    with pytest.raises(SettingsFault, match="mainnet"):
        opening.open_venue(venue_settings("binance"))
