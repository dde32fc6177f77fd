"""Bring the history up to a venue: fetch what is missing of a series, and check its newest bars.

Theory. What to ask for is a pure plan (`cluster/sync_plan`). Its pages are asked for several at a
time and come back in order; a month is written when its pages are there and the next, the earliest
first, so a sync that dies leaves whole months, and the next one plans only what is missing then.
Ranges of which the venue has no bars are recorded once they are old enough to be sure, and not
asked for again; what is stored and offered with other values is flagged and kept
(`cluster/history`). Rows that no bar can be, and spikes (by the bars beside, stored ones too), are
not stored but recorded as rejected; what is stored never is. A series is locked for each write
alone, so a feed of it goes on while a sync waits for the network; two syncs of one series fetch the
same twice.

Failure: every one is a Fault that says what stands; what was written before it stays.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from sqlalchemy import Engine

from actors.venue.faults import VenueFault, VenueUnreachable
from actors.venue.pages import Page, joined, kept, open_at_or_after
from actors.venue.protocol import Listing, MarketVenue
from cluster.history import History
from cluster.history_rows import WriteResult
from cluster.instrument_book import InstrumentBook
from cluster.issues import ACCEPTED, Issue, IssueKind, IssueLog
from cluster.settings import history_settings
from cluster.sync_log import SyncLog
from cluster.sync_plan import Part, Range, funding_gaps, plan_parts, united, without
from engines.errors import ParameterFault
from engines.funding import Funding
from engines.klines import DAY_MS, HOUR_MS, Klines, time_text
from engines.quality import SPIKE, Limits, judge, raw_of
from engines.series import FundingKey, SeriesKey

T = TypeVar("T")
Told = Callable[[str, int, int], None]
PAGES_AT_ONCE = 8
SURE_AFTER_MS = DAY_MS  # A venue may be late with its newest bars; what is older than this is not.
FUNDING_OVERLAP_MS = 3 * 8 * HOUR_MS
OFFLINE = "what is stored can be backtested, swept and checked without a network"


class SyncVenue(MarketVenue, Protocol):
    """What a sync needs of a venue beside its market: pages, and what became of requests."""

    @property
    def retries(self) -> int:
        """Return how many requests were repeated so far."""
        ...

    async def require(self, key: SeriesKey) -> Listing:
        """Return the listing of a series, or raise for one that the venue does not have."""
        ...

    async def page(self, key: SeriesKey, since_ms: int, until_ms: int) -> Page:
        """Return the closed bars of at most `page_bars`, and what was wrong with rows."""
        ...


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What one sync brought.

    `asked` pages; `absent` bars that the venue does not have within the range; `flaws` rows by time
    that no bar can be.
    """

    key: SeriesKey | FundingKey
    since_ms: int
    until_ms: int
    written: WriteResult
    asked: int
    retries: int
    absent: int
    flaws: dict[int, str]

    @property
    def is_sound(self) -> bool:
        """Return whether nothing was found wrong."""
        return not self.written.corrected and not self.flaws


def silent(label: str, done: int, total: int) -> None:
    """Show nothing."""


class Sync:
    """Syncs series of one venue into one history, telling `told` how far it is."""

    def __init__(
        self,
        venue: SyncVenue,
        history: History,
        engine: Engine,
        told: Told = silent,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._venue = venue
        self._history = history
        self._issues = IssueLog(engine)
        self._syncs = SyncLog(engine)
        self._book = InstrumentBook(engine)
        self._told = told

    async def now_ms(self) -> int:
        """Return the venue's time.

        Raises: VenueUnreachable that says what can be done without a network.
        """
        try:
            return await self._venue.time_ms()
        except VenueUnreachable as fault:
            found = f"{fault.found} ({OFFLINE})"
            raise VenueUnreachable(fault.subject, fault.expected, found, fault.code) from None

    async def list_instruments(self) -> None:
        """Record the venue's instruments and their rules as they are now."""
        now_ms = await self.now_ms()
        self._book.record(self._venue.name, await self._venue.instruments(), now_ms)

    async def bars(
        self, key: SeriesKey, since_ms: int | None = None, until_ms: int | None = None
    ) -> SyncResult:
        """Fetch what is missing of a range of bars (its end: now), and check the newest.

        Raises: ParameterFault for a range of the future, VenueFault, HistoryFault, DatabaseFault.
        """
        now_ms = await self.now_ms()
        listing = await self._venue.require(key)
        since, until = self._range(key, since_ms, until_ms, now_ms, listing.launched_ms)
        since = open_at_or_after(since, key.interval_ms)
        # Bars that open before this have closed: the next one is still forming.
        until = min(until, open_at_or_after(now_ms - key.interval_ms + 1, key.interval_ms))
        parts = self._plan(key, since, until)
        filling = _Filling(self._venue, self._history, key, self._limits, self._told)
        with self._logged(key, (since, until), now_ms, filling):
            await filling.run(parts)
        self._note_flaws(key, filling.flaws, now_ms)
        absent = self._note_absent(key, since, until, now_ms)
        return SyncResult(
            *(key, since, until, filling.written, filling.asked, filling.retries),
            *(absent // key.interval_ms, filling.flaws),
        )

    async def funding(
        self, symbol: str, since_ms: int | None = None, until_ms: int | None = None
    ) -> SyncResult:
        """Fetch what is missing of a range of funding settlements, and check the newest.

        Raises: as `bars`.
        """
        key, now_ms = FundingKey(self._venue.name, symbol), await self.now_ms()
        listing = (await self._venue.instruments()).get(symbol)
        launched_ms = None if listing is None else listing.launched_ms
        since, until = self._range(key, since_ms, until_ms, now_ms, launched_ms)
        filling = _Filling(self._venue, self._history, key, self._limits, self._told)
        with self._logged(key, (since, until), now_ms, filling):
            await filling.run_funding(self._missing_funding(key, since, until))
        times = self._history.times(key, since, until).tolist()
        sure_ms = now_ms - SURE_AFTER_MS
        gaps = [gap for gap in funding_gaps(times, since, until) if gap[1] <= sure_ms]
        self._issues.record_absent(key, without(gaps, self._issues.absent(key)), now_ms)
        return SyncResult(key, since, until, filling.written, filling.asked, filling.retries, 0, {})

    @contextmanager
    def _logged(
        self, key: SeriesKey | FundingKey, span: Range, now_ms: int, filling: "_Filling"
    ) -> Iterator[None]:
        """Record a sync while it lasts, and how it ended."""
        sync_id, begun_s, outcome = self._syncs.begin(key, *span, now_ms), time.monotonic(), "done"
        try:
            yield
        except BaseException as error:
            outcome = str(error) or type(error).__name__
            raise
        finally:
            ended_ms = now_ms + int((time.monotonic() - begun_s) * 1000)
            self._syncs.end(sync_id, filling.written, ended_ms, outcome)

    def _range(
        self,
        key: SeriesKey | FundingKey,
        since_ms: int | None,
        until_ms: int | None,
        now_ms: int,
        launched_ms: int | None,
    ) -> Range:
        """Return the wanted range: until now, from where stored bars begin if nothing is said.

        It is empty for one that ends before the launch.
        """
        if since_ms is None:
            span = self._history.span(key)
            since_ms = history_settings().history_since_ms if span is None else span[0]
        if since_ms >= now_ms:
            expected = f"a time before now, which is {time_text(now_ms)} at {self._venue.name}"
            raise ParameterFault("--since", expected, time_text(since_ms))
        until_ms = now_ms if until_ms is None else min(until_ms, now_ms)
        if since_ms >= until_ms:
            expected = f"a time after {time_text(since_ms)}, where {key} begins"
            raise ParameterFault("--until", expected, time_text(until_ms))
        return min(max(since_ms, launched_ms or 0), until_ms), until_ms

    def _plan(self, key: SeriesKey, since_ms: int, until_ms: int) -> list[Part]:
        times = self._history.times(key, since_ms, until_ms)
        last_ms = int(times[-1]) if len(times) else None
        missing = self._history.missing(key, since_ms, until_ms)
        known = [*self._issues.absent(key), *self._refused(key)]
        return plan_parts(missing, known, last_ms, key.interval_ms, self._venue.page_bars)

    def _rejected(self, key: SeriesKey) -> list[Issue]:
        return [each for each in self._issues.open(key) if each.kind is IssueKind.REJECTED]

    def _refused(self, key: SeriesKey) -> list[Range]:
        """Return where bars were rejected, but for spikes that our limits let pass."""
        ratio, rejected = self._limits.spike_ratio, self._rejected(key)
        times = [each.time_ms for each in rejected if each.found.get("spike_ratio", ratio) >= ratio]
        return [(time_ms, time_ms + key.interval_ms) for time_ms in times]

    def _missing_funding(self, key: FundingKey, since_ms: int, until_ms: int) -> list[Range]:
        times = self._history.times(key, since_ms, until_ms).tolist()
        missing = without(funding_gaps(times, since_ms, until_ms), self._issues.absent(key))
        newest_ms = max(since_ms, times[-1] - FUNDING_OVERLAP_MS) if times else since_ms
        return united([*missing, (newest_ms, until_ms)])

    def _note_absent(self, key: SeriesKey, since_ms: int, until_ms: int, now_ms: int) -> int:
        """Record what the venue does not have, and return how much time that is.

        What it has and what was rejected is not absent; nor is, for a day after its close, a bar.
        """
        sure_ms = open_at_or_after(now_ms - SURE_AFTER_MS - key.interval_ms + 1, key.interval_ms)
        missing = self._history.missing(key, since_ms, min(until_ms, sure_ms))
        times = [each.time_ms for each in self._rejected(key)]
        missing = without(missing, [(time_ms, time_ms + key.interval_ms) for time_ms in times])
        self._issues.record_absent(key, without(missing, self._issues.absent(key)), now_ms)
        return sum(stop_ms - start_ms for start_ms, stop_ms in missing)

    def _note_flaws(self, key: SeriesKey, flaws: dict[int, str], now_ms: int) -> None:
        """Record what was rejected, spikes with the limit that they exceed, and what no more is."""
        limit = {"spike_ratio": self._limits.spike_ratio}
        found = [
            (time_ms, {"reason": words} | (limit if words == SPIKE else {}))
            for time_ms, words in sorted(flaws.items())
        ]
        self._issues.record(key, IssueKind.REJECTED, found, now_ms)
        if rejected := self._rejected(key):
            stored = set(self._history.times(key).tolist())
            passed = [each for each in rejected if each.time_ms in stored]
            self._issues.resolve(passed, ACCEPTED, now_ms)


class _Filling:
    """The work of one sync: pages fetched ahead, months written in order."""

    def __init__(
        self,
        venue: SyncVenue,
        history: History,
        key: SeriesKey | FundingKey,
        limits: Limits,
        told: Told,
    ) -> None:
        self._venue, self._history, self._key, self._told = venue, history, key, told
        self._limits = limits
        self._retries_before = venue.retries
        self.written = WriteResult(0, 0)
        self.flaws: dict[int, str] = {}
        self.asked = 0

    @property
    def retries(self) -> int:
        """Return how many requests were repeated."""
        return self._venue.retries - self._retries_before

    async def run(self, parts: Sequence[Part]) -> None:
        """Fetch and write every part of a series of bars."""
        key, done = self._key, 0
        assert isinstance(key, SeriesKey), "bars"
        total = sum(part.span_ms for part in parts) // key.interval_ms
        asked = (self._venue.page(key, *page) for part in parts for page in part.pages)
        waiting: tuple[Part, list[Page]] | None = None
        async with aclosing(in_order(asked, PAGES_AT_ONCE)) as pages:
            try:
                for part in parts:
                    self._told(str(key), done, total)
                    fetched = [await anext(pages) for _ in part.pages]
                    # A month's last bar is judged by the first one of the next.
                    await self._take(waiting, fetched[0].klines)
                    waiting = part, fetched
                    done += part.span_ms // key.interval_ms
            except VenueFault:
                await self._take(waiting)
                raise
        await self._take(waiting)
        self._told(str(key), done, total)

    async def run_funding(self, ranges: Sequence[Range]) -> None:
        """Fetch and write settlements; one range is a few pages, and written at once."""
        for since_ms, until_ms in ranges:
            self._told(str(self._key), self.asked, len(ranges))
            settled = await self._venue.funding(self._key.symbol, since_ms, until_ms)
            self.asked += 1
            if settled is not None:
                await self._write(settled)

    async def _take(
        self, month: tuple[Part, list[Page]] | None, following: Klines | None = None
    ) -> None:
        """Judge and write what came of a month, if any."""
        if month is None:
            return
        part, pages = month
        self.asked += len(pages)
        stored = self._stored(part)
        known = set() if stored is None else set(stored.open_time_ms.tolist())
        for page in pages:
            # What is stored was judged when it was; what the venue says now is compared with it.
            self.flaws |= {at: words for at, words in page.flaws.items() if at not in known}
        klines = joined([page.klines for page in pages if page.klines is not None])
        if klines is not None:
            rejected = self._spikes(klines, stored, following)
            self.flaws |= rejected
            klines = kept(klines, ~np.isin(klines.open_time_ms, list(rejected)))
        if klines is not None:
            await self._write(klines)

    def _stored(self, part: Part) -> Klines | None:
        """Return what is stored of a month and beside what was asked of it."""
        key = self._key
        assert isinstance(key, SeriesKey), "bars"
        since_ms, until_ms = part.pages[0][0] - key.interval_ms, part.pages[-1][1] + key.interval_ms
        if not len(self._history.times(key, since_ms, until_ms)):
            return None
        return self._history.read(key, since_ms, until_ms)

    def _spikes(
        self, klines: Klines, stored: Klines | None, following: Klines | None
    ) -> dict[int, str]:
        """Return which bars break a rule, seen among their neighbours; none that are stored."""
        beside = raw_of(*(each for each in (stored, klines, following) if each is not None))
        judged = judge(beside, int(beside.open_time_ms[-1]) + klines.interval_ms, self._limits)
        known = () if stored is None else stored.open_time_ms
        fresh = klines.open_time_ms[~np.isin(klines.open_time_ms, known)]
        found: dict[int, str] = {}
        for rule, rows in judged.rejected.items():
            times = beside.open_time_ms[rows]
            found |= dict.fromkeys(times[np.isin(times, fresh)].tolist(), rule)
        return found

    async def _write(self, series: Klines | Funding) -> None:
        """Write in a thread, so that the next pages come in meanwhile."""

        def write() -> WriteResult:
            with self._history.writing(self._key) as writer:
                return writer.write(series)

        self.written += await asyncio.to_thread(write)


async def in_order(
    asked: Iterable[Coroutine[Any, Any, T]], at_once: int
) -> AsyncGenerator[T, None]:
    """Yield what each brings, in order, so many under way; a failure or a close ends all."""
    under_way: deque[asyncio.Task[T]] = deque()
    try:
        for each in asked:
            under_way.append(asyncio.create_task(each))
            if len(under_way) >= at_once:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
