"""The stream of bars by ccxt.pro: one socket a kind of market, opened again whenever it is lost.

Theory. ccxt keeps the last rows of a series and wakes whoever waits for one of them: two messages
in one turn of the loop wake once, and with hundreds of series each waking costs more than the
message. So each message is taken where ccxt has parsed it (`hooks.Told`) into one queue. ccxt is
awaited once a connection, to dial and subscribe; after that its socket reads on by itself, keeps
itself alive with pings, and its hooks tell when it is lost. Then it is dialled anew, after a delay
that doubles until a connection has lived for a minute: venues count what is dialled. The queue is
bounded: if nobody reads it for so long that it is full, its bars are let go and told as a lost
stream.

Told are all messages in the order of their coming; what was missed is for the feed to fetch.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from actors.venue.hooks import Gated, Told
from actors.venue.protocol import StreamEvent
from engines.live.events import KlineSeen, StreamLost, StreamOpened
from engines.live.venue_clock import VenueClock
from engines.series import SeriesKey

QUEUE_MAX = 100_000
REDIAL_S, REDIAL_S_MAX = 0.1, 5.0
STEADY_S = 60.0


@dataclass(slots=True, eq=False)
class _Group:
    """The series of one socket."""

    keys: tuple[SeriesKey, ...]
    is_spot: bool
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    is_told: bool = False  # whether its loss has been told
    failures: int = 0


class Stream:
    """One watch over series; one at a time for an exchange object."""

    def __init__(
        self,
        exchange: Gated,
        clock: VenueClock,
        timeframes: Mapping[int, str],
        topics_at_once: Mapping[bool, int],
    ) -> None:
        """Take how many series a subscription may name, of spot (True) and perpetual markets."""
        self._exchange = exchange
        self._clock = clock
        self._timeframes = timeframes
        self._topics_at_once = topics_at_once
        self._queue: asyncio.Queue[StreamEvent] = asyncio.Queue(QUEUE_MAX)
        self._groups: list[_Group] = []
        self._keys: dict[tuple[str, str], SeriesKey] = {}

    async def watch(self, keys: Collection[SeriesKey]) -> AsyncGenerator[StreamEvent, None]:
        """Yield what is told of these series."""
        self._keys = {(key.symbol, timeframe): key for key, timeframe in map(self._place, keys)}
        for is_spot in (False, True):
            part = tuple(key for key in keys if (":" not in key.symbol) is is_spot)
            self._groups += [_Group(part, is_spot)] if part else []
        self._exchange.told_kline = self._seen
        self._exchange.told_opened = self._opened
        self._exchange.told_lost = self._lost
        tasks = [asyncio.create_task(self._keep(group)) for group in self._groups]
        try:
            while True:
                yield await self._queue.get()
        finally:
            self._exchange.told_kline = None
            self._exchange.told_opened = self._exchange.told_lost = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._exchange.close_ws_clients()

    async def _keep(self, group: _Group) -> None:
        """Dial and subscribe, again after every loss."""
        while True:
            group.lost.clear()
            try:
                await asyncio.gather(*map(self._subscribe, self._chunks(group)))
                subscribed_s = time.monotonic()
                await group.lost.wait()
                if time.monotonic() - subscribed_s >= STEADY_S:
                    group.failures = 0
            except Exception as error:  # Whatever it is: else the watch would wait for ever.
                self._tell_lost(group, str(error) or type(error).__name__)
            group.failures += 1
            delay_s = min(REDIAL_S_MAX, REDIAL_S * 2 ** min(group.failures, 10))
            await asyncio.sleep(delay_s)

    async def _subscribe(self, chunk: Sequence[SeriesKey]) -> None:
        places = [[key.symbol, self._timeframes[key.interval_ms]] for key in chunk]
        await self._exchange.watch_ohlcv_for_symbols(places)

    def _chunks(self, group: _Group) -> list[Sequence[SeriesKey]]:
        size = self._topics_at_once[group.is_spot]
        return [group.keys[at : at + size] for at in range(0, len(group.keys), size)]

    def _place(self, key: SeriesKey) -> tuple[SeriesKey, str]:
        return key, self._timeframes[key.interval_ms]

    def _seen(self, told: Told) -> None:
        key = self._keys.get((told.symbol, told.timeframe))
        if key is not None and None not in told.row:
            open_time_ms, open_, high, low, close, volume = told.row
            self._put(
                KlineSeen(
                    *(key, open_time_ms, open_, high, low, close, volume),
                    *(told.turnover, told.is_closed, told.time_ms),
                )
            )

    def _opened(self, url: str) -> None:
        for group in self._of(url):
            group.is_told = False
            self._put(StreamOpened(group.keys, self._now_ms()))

    def _lost(self, url: str, reason: str) -> None:
        for group in self._of(url):
            self._tell_lost(group, reason)
            group.lost.set()

    def _tell_lost(self, group: _Group, reason: str) -> None:
        if not group.is_told:
            group.is_told = True
            self._put(StreamLost(group.keys, reason, self._now_ms()))

    def _of(self, url: str) -> list[_Group]:
        return [group for group in self._groups if group.is_spot is ("spot" in url)]

    def _put(self, event: StreamEvent) -> None:
        if self._queue.full():
            while not self._queue.empty():
                self._queue.get_nowait()
            for group in self._groups:
                reason = f"nobody read {QUEUE_MAX:,} events"
                self._queue.put_nowait(StreamLost(group.keys, reason, self._now_ms()))
                self._queue.put_nowait(StreamOpened(group.keys, self._now_ms()))
        self._queue.put_nowait(event)

    def _now_ms(self) -> int:
        return self._clock.at(time.time_ns() // 1_000_000)
