"""The market's side of any exchange that ccxt speaks: instruments, bars and funding by ranges.

Theory. A range is asked for in pages of one request each, several at a time; the budget decides how
fast. What a page lacks is asked for again (`pages`). Only bars that have closed by the venue's own
time are asked for: that time only ever grows, so one answer serves all ranges that end before it.

ccxt's own paging is not used: it neither sees a short page nor asks for pages side by side.
"""

import asyncio
import difflib
import time
from collections.abc import AsyncGenerator, Collection, Coroutine, Iterable, Mapping
from contextlib import aclosing
from typing import Any, TypeVar

import numpy as np

from actors.venue.calls import Caller
from actors.venue.faults import RequestRefused, SymbolRefused, VenueUnreachable
from actors.venue.hooks import Gated
from actors.venue.pages import Collected, CollectedFunding, Page, joined, open_at_or_after
from actors.venue.protocol import Listing, StreamEvent
from actors.venue.stream import Stream
from engines.errors import InstrumentFault
from engines.funding import Funding
from engines.instrument import Instrument
from engines.klines import HOUR_MS, Klines, interval_text, parse_interval_ms
from engines.series import PriceKind, SeriesKey

T = TypeVar("T")
PAGES_AT_ONCE = 8
FUNDING_PAGE = 200
LISTINGS_S = 600.0  # A venue lists and delists with days of notice.
FUNDING_INTERVAL_MS = 8 * HOUR_MS


class CcxtVenue:
    """A venue by one of ccxt's exchanges; see `MarketVenue`."""

    def __init__(
        self,
        name: str,
        exchange: Gated,
        caller: Caller,
        page_bars: int,
        topics_at_once: Mapping[bool, int],
    ) -> None:
        """Take an exchange that is ready to be used.

        `topics_at_once`: how many series one subscription may name, of spot (True) and perpetuals.
        """
        self._name = name
        self._exchange = exchange
        self._caller = caller
        self._page_bars = page_bars
        self._listings: dict[str, Listing] = {}
        self._listed_s = 0.0
        self._listing = asyncio.Lock()
        self._heard_ms = 0
        self._timeframes = {
            parse_interval_ms(text): text for text in exchange.timeframes if text[-1] != "M"
        }
        self._topics_at_once = topics_at_once

    @property
    def name(self) -> str:
        """Return what its series are stored under."""
        return self._name

    @property
    def page_bars(self) -> int:
        """Return how many bars one request brings at most."""
        return self._page_bars

    @property
    def heard_ms(self) -> int:
        """Return the latest time that the venue has told, 0 before the first."""
        return self._heard_ms

    @property
    def retries(self) -> int:
        """Return how many requests were repeated so far."""
        return self._caller.retries

    async def time_ms(self) -> int:
        """Return the venue's time."""
        now_ms = await self._caller.ask(f"time of {self._name}", self._caller.time_ms)
        self._heard_ms = max(self._heard_ms, now_ms)
        return now_ms

    async def instruments(self) -> Mapping[str, Listing]:
        """Return what is listed, by symbol; asked for again after `LISTINGS_S`."""
        async with self._listing:
            if not self._listings or time.monotonic() >= self._listed_s + LISTINGS_S:
                subject = f"instruments of {self._name}"
                markets = await self._caller.ask(subject, self._markets)
                self._listed_s = time.monotonic()
                found = ((symbol, _listing(market)) for symbol, market in markets.items())
                self._listings = {symbol: listing for symbol, listing in found if listing}
        return self._listings

    async def _markets(self) -> Mapping[str, Any]:
        markets: Mapping[str, Any] = await self._exchange.load_markets(bool(self._listings))
        if not markets:  # ccxt takes an answer without a list for an empty one.
            subject = f"instruments of {self._name}"
            raise VenueUnreachable(subject, "a list of what is traded", "an empty one")
        return markets

    async def require(self, key: SeriesKey) -> Listing:
        """Return the listing of a series.

        Raises: SymbolRefused if there is no such symbol, RequestRefused for an interval or a price
        that the venue has no bars of.
        """
        listings = await self.instruments()
        if key.symbol not in listings:
            expected = _likely(key.symbol, listings)
            raise SymbolRefused(f"symbol of {self._name}", expected, key.symbol)
        if key.interval_ms not in self._timeframes:
            supported = ", ".join(interval_text(each) for each in sorted(self._timeframes))
            found = interval_text(key.interval_ms)
            raise RequestRefused(f"interval of {self._name}", f"one of {supported}", found)
        if key.price is PriceKind.MARK and ":" not in key.symbol:
            raise RequestRefused(f"mark price of {key.symbol}", "a perpetual", "a spot market")
        return listings[key.symbol]

    async def klines(self, key: SeriesKey, since_ms: int, until_ms: int) -> Klines | None:
        """Return the closed bars of a range, ascending; None if the venue has none."""
        listing = await self.require(key)
        step_ms = self._page_bars * key.interval_ms
        # The bar in which it was launched opens before that.
        launched_ms = (listing.launched_ms or 0) - key.interval_ms + 1
        first_ms = open_at_or_after(max(since_ms, launched_ms), key.interval_ms)
        until_ms = await self._closed_until_ms(key.interval_ms, until_ms)
        pages = await side_by_side(
            self.page(key, start_ms, min(start_ms + step_ms, until_ms))
            for start_ms in range(first_ms, until_ms, step_ms)
        )
        return joined([page.klines for page in pages if page.klines is not None])

    async def page(self, key: SeriesKey, since_ms: int, until_ms: int) -> Page:
        """Return the closed bars of at most `page_bars`, and what was wrong with rows."""
        listing = await self.require(key)
        if listing.launched_ms is not None:
            since_ms = max(since_ms, listing.launched_ms // key.interval_ms * key.interval_ms)
        until_ms = await self._closed_until_ms(key.interval_ms, until_ms)
        collected = Collected(key, since_ms, until_ms)
        while (missing := collected.missing()) is not None and not collected.is_exhausted:
            collected.take(await self._rows(key, *missing))
        return collected.page()

    async def funding(self, symbol: str, since_ms: int, until_ms: int) -> Funding | None:
        """Return the settled funding of a range, ascending; None if the venue has none."""
        listing = (await self.instruments()).get(symbol)
        if listing is None:
            found = _likely(symbol, await self.instruments())
            raise SymbolRefused(f"symbol of {self._name}", found, symbol)
        if ":" not in symbol:
            raise RequestRefused(f"funding of {symbol}", "a perpetual", "a spot market")
        if listing.launched_ms is not None:
            since_ms = max(since_ms, listing.launched_ms)
        until_ms = min(until_ms, await self.time_ms() + 1)
        step_ms = listing.funding_interval_ms or FUNDING_INTERVAL_MS
        page_ms = FUNDING_PAGE * step_ms
        parts = await side_by_side(
            self._settled(symbol, start_ms, min(start_ms + page_ms, until_ms), step_ms)
            for start_ms in range(since_ms, until_ms, page_ms)
        )
        settled = {at: rate for part in parts for at, rate in part.items()}
        if not settled:
            return None
        times = np.array(sorted(settled), dtype=np.int64)
        return Funding(times, np.array([settled[at] for at in times.tolist()]))

    async def watch_klines(self, keys: Collection[SeriesKey]) -> AsyncGenerator[StreamEvent, None]:
        """Yield what the venue's stream tells of these series, until it is closed."""
        for key in keys:
            await self.require(key)
            if key.price is PriceKind.MARK:
                raise RequestRefused(f"stream of {key}", "the last price", "the mark price")
        clock, exchange = self._caller.clock, self._exchange
        stream = Stream(exchange, clock, self._timeframes, self._topics_at_once)
        async with aclosing(stream.watch(keys)) as events:
            async for event in events:
                yield event

    async def close(self) -> None:
        """Let go of every connection."""
        await self._exchange.close()
        await self._exchange.gate.close()

    async def _closed_until_ms(self, interval_ms: int, until_ms: int) -> int:
        """Return the end of a range without the bars that may not have closed."""
        if until_ms > self._heard_ms:
            await self.time_ms()
        if until_ms <= self._heard_ms:
            return until_ms
        # Bars that open before this have closed: the one after them is the forming one.
        return open_at_or_after(self._heard_ms - interval_ms + 1, interval_ms)

    async def _rows(self, key: SeriesKey, since_ms: int, until_ms: int) -> list[list[Any]]:
        """Ask for one page."""
        params: dict[str, Any] = {"until": until_ms - 1}
        if key.price is PriceKind.MARK:
            params["price"] = "mark"
        timeframe = self._timeframes[key.interval_ms]
        rows: list[list[Any]] = await self._caller.ask(
            f"bars of {key}",
            lambda: self._exchange.fetch_ohlcv(
                key.symbol, timeframe, since_ms, self._page_bars, params
            ),
        )
        return rows

    async def _settled(
        self, symbol: str, since_ms: int, until_ms: int, step_ms: int
    ) -> dict[int, float]:
        """Ask for the settlements of a range until it is full or the venue has no more."""
        collected = CollectedFunding(since_ms, until_ms, step_ms)
        while (missing := collected.missing()) is not None and not collected.is_exhausted:
            collected.take(await self._funding_rows(symbol, *missing))
        return collected.rates

    async def _funding_rows(
        self, symbol: str, since_ms: int, until_ms: int
    ) -> list[tuple[int, float]]:
        """Ask for one page."""
        rows = await self._caller.ask(
            f"funding of {self._name} {symbol}",
            lambda: self._exchange.fetch_funding_rate_history(
                symbol, since_ms, FUNDING_PAGE, {"until": until_ms - 1}
            ),
        )
        return [(row["timestamp"], row["fundingRate"]) for row in rows]


async def side_by_side(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Return what each brings, in order, `PAGES_AT_ONCE` under way; the first failure ends all."""
    at_once = asyncio.Semaphore(PAGES_AT_ONCE)

    async def one(each: Coroutine[Any, Any, T]) -> T:
        async with at_once:
            return await each

    coroutines = list(asked)
    tasks = [asyncio.create_task(one(each)) for each in coroutines]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in coroutines:
            each.close()  # Those whose turn never came.


def _listing(market: Mapping[str, Any]) -> Listing | None:
    """Return a market of ccxt as a listing; None for what is neither spot nor linear perpetual."""
    if not (market["spot"] or (market["swap"] and market["linear"])):
        return None
    limits, precision = market["limits"], market["precision"]
    try:
        instrument = Instrument(
            symbol=market["symbol"],
            tick_size=float(precision["price"] or 0),
            qty_step=float(precision["amount"] or 0),
            qty_min=float(limits["amount"]["min"] or 0),
            notional_min=float(limits["cost"]["min"] or 0),
            point_value=float(market["contractSize"] or 1),
        )
    except InstrumentFault:
        return None  # Listed without rules, as before its launch.
    minutes = market["info"].get("fundingInterval")
    return Listing(
        instrument,
        is_trading=bool(market["active"]),
        launched_ms=int(market["created"]) if market["created"] else None,
        funding_interval_ms=int(minutes) * 60_000 if minutes else None,
    )


def _likely(symbol: str, listings: Mapping[str, Listing]) -> str:
    """Return what was expected, with the symbols that were probably meant."""

    def letters(text: str) -> str:
        return "".join(filter(str.isalnum, text.partition(":")[0])).upper()

    # People write BTCUSDT and mean the perpetual.
    same = [name for name in listings if letters(name) == letters(symbol)]
    near = difflib.get_close_matches(symbol.upper(), listings, n=3, cutoff=0.6)
    likely = list(dict.fromkeys(sorted(same, key=lambda name: ":" not in name) + near))[:3]
    if not likely:
        return "one that it lists, such as BTC/USDT:USDT"
    return f"one that it lists (did you mean {' or '.join(likely)}?)"
