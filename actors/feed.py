"""The feed of a venue: it performs what `engines/live/feed.py` decides (`feed_actor`: on Ray).

Theory. All runs in one event loop. Whatever happens (a message of the stream, an answer, a write, a
second) is told to the state, which answers with instructions; each is performed at once or by a
task of its own, and its outcome is the next event. The state bounds the tasks: so many requests
altogether, one write a series. Every event is stamped here, by the venue's clock as we know it.

Who follows a series pulls: `take` gives what comes after the bars it has, waiting a while if there
is none (`feed_shelf`). Nothing is queued for anyone.

Failure: what a venue or a disk may do is an event; an error of no known kind ends the feed, and is
told to whoever asks.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from actors.feed_shelf import NEVER_MS, Shelf
from actors.venue.faults import VenueFault
from actors.venue.protocol import MarketVenue
from actors.venue_time import EVERY_S, VenueTime
from cluster.history import History
from engines.errors import Fault
from engines.klines import Klines
from engines.live.events import (
    Alert,
    AlertKind,
    ClockTicked,
    FeedEvent,
    FeedInstruction,
    FetchHistory,
    FlagCorrection,
    HandOut,
    HistoryFailed,
    HistoryFetched,
    Kline,
    KlineSeen,
    KlinesStored,
    SeriesAdded,
    SeriesRemoved,
    StoreFailed,
    StoreKlines,
    StreamLost,
    Watch,
    kline_columns,
    kline_rows,
)
from engines.live.feed import FeedState, resume_since_ms
from engines.live.feed_series import FeedTerms
from engines.series import SeriesKey

T = TypeVar("T")
TICK_S = 1.0
REOPEN_S = 5.0
RELOAD_S = 60.0
ALERTS_MAX = 256
TAKE_BARS_MAX = 5_000
TAKE_WAIT_S_MAX = 60.0
DISK_THREADS = 8  # a write mostly waits for the disk to have it

LOG = "phalanx.feed"

log = logging.getLogger(LOG)


class FeedFault(Fault):
    """Something asked of a feed that it cannot give."""


@dataclass(frozen=True, slots=True)
class FedSeries:
    """A series to feed and longer ones to build.

    It goes on after the newest stored bar, from `since_ms` on where none is stored; what is missing
    before that is for a sync to fetch, first.
    """

    key: SeriesKey
    since_ms: int
    derived_ms: tuple[int, ...] = ()

    def with_longer(self) -> tuple[SeriesKey, ...]:
        """Return the series and the longer ones."""
        return (self.key, *(replace(self.key, interval_ms=each) for each in self.derived_ms))


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """Where a feed stands: when the newest bar of each series opened, and the latest alerts."""

    last_ms: Mapping[SeriesKey, int | None]
    alerts: tuple[Alert, ...]
    time_ms: int


class OpensHistory(Protocol):
    """Opens the history for a feed, by whose clock bars are closed: a partial of `History`."""

    def __call__(self, *, now_ms: Callable[[], int]) -> History:
        """Return the history."""
        ...


Cursors = Mapping[SeriesKey, int | None]


def advanced(cursors: Cursors, taken: Mapping[SeriesKey, Klines]) -> dict[SeriesKey, int | None]:
    """Return the place after what was taken, to be remembered by whoever takes."""
    return {**cursors, **{key: int(bars.open_time_ms[-1]) for key, bars in taken.items()}}


class Feed:
    """Feeds `series` of one venue for as long as it lives; made inside a running event loop."""

    def __init__(
        self,
        series: Sequence[FedSeries],
        open_venue: Callable[[], MarketVenue],
        open_history: OpensHistory,
        terms: FeedTerms | None = None,
        clock_s: float = EVERY_S,
        tick_s: float = TICK_S,
    ) -> None:
        """Take how to reach venue and history, since neither outlives a process.

        The venue is asked for its time every `clock_s`; the state is told the time every `tick_s`.
        """
        self._fed = {each.key: each for each in series}
        self._known = {key: each for each in series for key in each.with_longer()}
        self._open_venue, self._open_history = open_venue, open_history
        self._state = FeedState(terms)
        self._time, self._tick_s = VenueTime(clock_s), tick_s
        self._shelves: dict[SeriesKey, Shelf] = {}
        self._alerts: deque[Alert] = deque(maxlen=ALERTS_MAX)
        self._news = asyncio.Event()
        self._writing = {key: asyncio.Lock() for key in self._fed}
        self._disk = ThreadPoolExecutor(DISK_THREADS, thread_name_prefix="feed-disk")
        self._streaming: asyncio.Task[None] | None = None
        self._running = asyncio.get_running_loop().create_task(self._run())

    # --- for those who follow

    async def take(
        self, cursors: Cursors, limit: int = 1_000, wait_s: float = 0.0
    ) -> dict[SeriesKey, Klines]:
        """Return the bars after those that were taken, in order, at most `limit` of a series.

        `cursors` names for each series the open time of the last bar taken, None: from the very
        first on. Waits up to `wait_s` for a bar if there is none at all.
        Raises: FeedFault for a series that is not fed here, HistoryFault for what cannot be read.
        """
        self._require_fed(cursors)
        limit = max(1, min(limit, TAKE_BARS_MAX))
        deadline_s = time.monotonic() + min(wait_s, TAKE_WAIT_S_MAX)
        while True:
            news = self._news
            found = {key: await self._after(key, last, limit) for key, last in cursors.items()}
            taken = {key: bars for key, bars in found.items() if bars is not None}
            left_s = deadline_s - time.monotonic()
            if taken or left_s <= 0:
                return taken
            await self._first_of(news.wait(), left_s)

    async def status(self) -> FeedStatus:
        """Return where the feed stands."""
        self._require_running()
        shelves = {key: self._shelves.get(key) for key in self._known}
        last_ms = {key: shelf.last_ms if shelf else None for key, shelf in shelves.items()}
        return FeedStatus(last_ms, tuple(self._alerts), self._time.now_ms())

    async def close(self) -> None:
        """End the feed and let go of the venue."""
        self._running.cancel()
        await asyncio.wait([self._running])

    def _require_fed(self, cursors: Cursors) -> None:
        self._require_running()
        for key in cursors:
            if key not in self._known:
                raise FeedFault(f"{key}", f"one of {', '.join(map(str, self._known))}", "not fed")

    def _require_running(self) -> None:
        """Raise what ended the feed, if it has ended."""
        if self._running.done():
            error = None if self._running.cancelled() else self._running.exception()
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            if error is not None:
                raise error
            raise FeedFault("feed", "one that runs", "one that was closed")

    async def _after(self, key: SeriesKey, last_ms: int | None, limit: int) -> Klines | None:
        after_ms = NEVER_MS if last_ms is None else last_ms
        while shelf := self._shelves.get(key):
            floor_ms = shelf.floor_ms
            if after_ms >= floor_ms:
                return shelf.recent(after_ms, limit)
            frozen = replace(shelf, tail=deque())
            older = partial(frozen.older, self._history, after_ms, limit)
            bars = await self._on_disk(older)
            if bars is not None:
                return bars
            after_ms = floor_ms
        return None  # It is being loaded.

    async def _first_of(self, news: Coroutine[Any, Any, bool], wait_s: float) -> None:
        """Wait for news, for the feed's end or for the time to pass."""
        waiting = asyncio.ensure_future(news)
        try:
            await asyncio.wait(
                [waiting, self._running], timeout=wait_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            waiting.cancel()
        self._require_running()

    # --- life

    async def _run(self) -> None:
        self._venue = self._open_venue()
        try:
            self._history = self._open_history(now_ms=self._time.now_ms)
            await self._meet_venue()
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._time.keep(self._venue))
                self._tasks.create_task(self._keep_loaded())
                self._tasks.create_task(self._keep_ticking())
        finally:
            self._disk.shutdown(wait=False, cancel_futures=True)
            await self._venue.close()

    async def _meet_venue(self) -> None:
        """Wait until the venue's time and list are known: nothing can be judged without them."""
        while True:
            try:
                await self._time.ask(self._venue)
                self._listings = await self._venue.instruments()
                return
            except VenueFault as fault:
                now_ms = self._time.now_ms()
                self._perform(Alert(AlertKind.NO_HISTORY, None, str(fault), now_ms))
            await asyncio.sleep(REOPEN_S)

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(self._tick_s)
            self._tell(ClockTicked(self._time.now_ms()))

    async def _keep_loaded(self) -> None:
        """Feed each series that is listed and can be read; look again every `RELOAD_S`."""
        said: dict[SeriesKey, str] = {}
        loaded: set[SeriesKey] = set()
        while True:
            for fed in self._fed.values():
                key = fed.key
                if key in loaded and key.symbol in self._listings:
                    continue
                alert = await self._load(fed)
                if alert is None:
                    loaded.add(key)
                    said.pop(key, None)
                elif said.get(key) != alert.text:
                    said[key] = alert.text
                    self._perform(alert)
                if alert is not None and key in loaded:
                    loaded.remove(key)
                    self._tell(SeriesRemoved(key, self._time.now_ms()))
            await asyncio.sleep(RELOAD_S)
            with suppress(VenueFault):
                self._listings = await self._venue.instruments()

    async def _load(self, fed: FedSeries) -> Alert | None:
        """Add a series, or return why that cannot be."""
        listing = self._listings.get(fed.key.symbol)
        if listing is None:
            # The venue would refuse the stream of all for the sake of one.
            text = f"{self._venue.name} does not list {fed.key.symbol}"
            return Alert(AlertKind.NO_HISTORY, fed.key, text, self._time.now_ms())
        try:
            first_ms, stored = await self._on_disk(partial(self._stored, fed))
        except Fault as fault:
            return Alert(AlertKind.NO_STORE, fed.key, str(fault), self._time.now_ms())
        since_ms = max(fed.since_ms, listing.launched_ms or 0)
        last_ms = stored[-1].open_time_ms if stored else None
        for key in fed.with_longer():
            self._shelves[key] = Shelf.resumed(key, fed.key, last_ms)
        self._tell(
            SeriesAdded(fed.key, fed.derived_ms, since_ms, first_ms, stored, self._time.now_ms())
        )
        self._show_news()
        return None

    def _stored(self, fed: FedSeries) -> tuple[int | None, tuple[Kline, ...]]:
        span = self._history.span(fed.key)
        if span is None:
            return None, ()
        since_ms = resume_since_ms(fed.key, fed.derived_ms, span[1], self._state.terms)
        return span[0], kline_rows(self._history.read(fed.key, since_ms))

    # --- events in, instructions out

    def _tell(self, event: FeedEvent) -> None:
        for instruction in self._state.handle(event):
            self._perform(instruction)

    def _perform(self, instruction: FeedInstruction) -> None:
        match instruction:
            case Watch():
                self._streaming = self._tasks.create_task(
                    self._stream(instruction.keys, self._streaming)
                )
            case FetchHistory():
                self._tasks.create_task(self._fetch(instruction))
            case StoreKlines():
                self._tasks.create_task(self._store(instruction))
            case HandOut():
                self._shelves[instruction.key].put(instruction.klines)
                self._show_news()
            case FlagCorrection():
                self._tasks.create_task(self._flag(instruction))
            case Alert():
                self._alerts.append(instruction)
                log.warning("%s: %s: %s", instruction.kind, instruction.key, instruction.text)

    def _show_news(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _stream(
        self, keys: tuple[SeriesKey, ...], before: "asyncio.Task[None] | None"
    ) -> None:
        if before is not None:
            before.cancel()
            await asyncio.wait([before])
        while keys:
            reason = "the stream ended"
            try:
                async for event in self._venue.watch_klines(keys):
                    if isinstance(event, KlineSeen):
                        self._time.hear(event.time_ms)
                    self._tell(replace(event, time_ms=self._time.now_ms()))
            except VenueFault as fault:
                reason = str(fault)
            self._tell(StreamLost(keys, reason, self._time.now_ms()))
            await asyncio.sleep(REOPEN_S)

    async def _fetch(self, wish: FetchHistory) -> None:
        span = (wish.key, wish.since_ms, wish.until_ms)
        try:
            async with asyncio.timeout(self._state.terms.fetch_timeout_ms / 1000):
                klines = await self._venue.klines(*span)
            rows = () if klines is None else kline_rows(klines)
            self._tell(HistoryFetched(*span, rows, self._time.now_ms()))
        except (Fault, TimeoutError) as fault:
            reason = str(fault) or "no answer in time"
            self._tell(HistoryFailed(*span, reason, self._time.now_ms()))

    async def _store(self, wish: StoreKlines) -> None:
        try:
            kept = await self._write(wish.key, wish.klines)
        except (Fault, OSError) as fault:
            self._tell(StoreFailed(wish.key, str(fault), self._time.now_ms()))
        else:
            last_ms = wish.klines[-1].open_time_ms
            self._tell(KlinesStored(wish.key, last_ms, self._time.now_ms(), kept))

    async def _flag(self, wish: FlagCorrection) -> None:
        try:
            await self._write(wish.key, (wish.now,))  # The history keeps the old one and says so.
        except (Fault, OSError) as fault:
            self._perform(Alert(AlertKind.NO_STORE, wish.key, str(fault), self._time.now_ms()))

    async def _write(self, key: SeriesKey, bars: tuple[Kline, ...]) -> tuple[Kline, ...]:
        """Write bars, and return those that are stored with other values instead."""

        def write() -> tuple[Kline, ...]:
            result = self._history.write(key, kline_columns(key, bars))
            if not result.corrections:
                return ()
            differing = {each.time_ms for each in result.corrections}
            stored = self._history.read(key, min(differing), max(differing) + 1)
            return tuple(bar for bar in kline_rows(stored) if bar.open_time_ms in differing)

        async with self._writing[key]:
            return await self._on_disk(write)

    async def _on_disk(self, work: Callable[[], T]) -> T:
        """Do what takes disk time beside the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)
